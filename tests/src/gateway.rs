//! The real gateway as a child process: on a free port, with a data folder of its own, an environment of ours alone, and its log in a file.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::api::Api;
use crate::aws::Keys;
use crate::origin::Origin;
use crate::process::Process;
use crate::scene::{GATEWAY_ROLE, GATEWAY_USER, PLATFORM};
use crate::stack::AwsStack;

/// A debug build compiles its connectors first, on a machine that may be compiling something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until it is dropped.
pub struct Gateway {
    process: Process,
    folder: TempDir,
    environment: Vec<(String, String)>,
    token: String,
    url: String,
}

/// What a gateway is given beside the defaults.
#[derive(Default)]
pub struct Given {
    environment: Vec<(String, String)>,
}

impl Given {
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Its own role is played by the user of the scene.
    #[must_use]
    pub fn aws(self, aws: &dyn AwsStack) -> Self {
        let keys: Keys = aws.keys(PLATFORM, GATEWAY_USER);
        let endpoint: &Url = aws.endpoint();
        self.variable("PORTCULLIS__PLATFORM__ROLE_ARN", GATEWAY_ROLE)
            .variable("PORTCULLIS__AWS__ENDPOINT_URL", endpoint.as_str().trim_end_matches('/'))
            .variable("PORTCULLIS__AWS__PATH_STYLE", "true")
            .variable("AWS_ACCESS_KEY_ID", keys.access_key_id)
            .variable("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
    }

    #[must_use]
    pub fn origin(self, origin: &Origin) -> Self {
        self.variable("PORTCULLIS__EGRESS__EXTRA_CA", origin.ca().display().to_string())
    }

    pub async fn start(self) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let token = format!("bootstrap-{}", Uuid::new_v4().simple());
        let mut environment = vec![
            ("PORTCULLIS__SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("PORTCULLIS__DATA_DIR".to_owned(), folder.path().join("data").display().to_string()),
            ("PORTCULLIS__SINK__PATH".to_owned(), folder.path().join("assets").display().to_string()),
            ("PORTCULLIS__EGRESS__ALLOW_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
            ("PORTCULLIS__EGRESS__ALLOW_HTTP".to_owned(), "true".to_owned()),
            ("PORTCULLIS_BOOTSTRAP_TOKEN".to_owned(), token.clone()),
            ("HOME".to_owned(), folder.path().display().to_string()),
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        ];
        environment.retain(|(name, _)| !self.environment.iter().any(|(given, _)| given == name));
        environment.extend(self.environment);
        let process = launch(&folder, &environment);
        let mut gateway = Gateway { process, folder, environment, token, url: String::new() };
        gateway.ready().await;
        gateway
    }
}

impl Gateway {
    /// With the token of the first operator.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.url, &self.token)
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Everything it writes is below: data, key, cache, assets, log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(log_file(&self.folder)).unwrap_or_default()).into_owned()
    }

    /// SIGKILL, without a word.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// On the same folder, after `kill`.
    pub async fn restart(&mut self) {
        self.process = launch(&self.folder, &self.environment);
        self.ready().await;
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory, bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("the gateway runs") * 1024
    }

    async fn ready(&mut self) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.ended() {
                panic!("the gateway ended with {status}:\n{}", self.log());
            }
            // The last line of its kind: a restart appends.
            if let Some(url) = self.log().lines().rev().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).filter(|url| *url != self.url) {
                self.url = url;
                break;
            }
            assert!(start.elapsed() < PATIENCE, "the gateway does not start:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !self.api().get("/healthz").await.status.is_success() {
            assert!(start.elapsed() < PATIENCE, "the gateway is not healthy:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The binary beside this test's: `cargo build` makes it, a test cannot.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join("portcullis");
    assert!(path.exists(), "{} is not there: run `cargo build --workspace` first (`make test` does)", path.display());
    path
}

fn log_file(folder: &TempDir) -> PathBuf {
    folder.path().join("gateway.log")
}

fn launch(folder: &TempDir, environment: &[(String, String)]) -> Process {
    let log: File = OpenOptions::new().create(true).append(true).open(log_file(folder)).unwrap();
    let mut command = Command::new(binary());
    command.arg("serve").env_clear().envs(environment.iter().map(|(name, value)| (name, value))).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Process::start(&mut command).unwrap()
}
