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
use crate::compiled;
use crate::guest_memory;
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
    /// Of its own certificate.
    authority: Option<Vec<u8>>,
}

/// What a gateway is given beside the defaults.
#[derive(Default)]
pub struct Given {
    environment: Vec<(String, String)>,
    compiled: bool,
    authority: Option<Vec<u8>>,
    file: Option<String>,
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

    /// It speaks TLS with these files, whose authority (PEM) its clients trust.
    #[must_use]
    pub fn tls(mut self, cert: &Path, key: &Path, authority: &[u8]) -> Self {
        self.authority = Some(authority.to_owned());
        self.variable("PORTCULLIS__SERVER__TLS__CERT", cert.display().to_string()).variable("PORTCULLIS__SERVER__TLS__KEY", key.display().to_string())
    }

    /// A `portcullis.toml` in its folder.
    #[must_use]
    pub fn file(mut self, text: &str) -> Self {
        self.file = Some(text.to_owned());
        self
    }

    /// With what other gateways have compiled: for components of megabytes.
    #[must_use]
    pub fn compiled(mut self) -> Self {
        self.compiled = true;
        self
    }

    pub async fn start(self) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        if self.compiled {
            compiled::lend(&folder.path().join("data"));
        }
        if let Some(text) = &self.file {
            std::fs::write(folder.path().join("portcullis.toml"), text).unwrap();
        }
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
        let mut gateway = Gateway { process, folder, environment, token, url: String::new(), authority: self.authority };
        gateway.ready().await;
        gateway
    }
}

impl Gateway {
    /// With the token of the first operator.
    #[must_use]
    pub fn api(&self) -> Api {
        let api = Api::new(&self.url, &self.token);
        self.authority.as_ref().map_or_else(|| api.clone(), |authority| api.trusting(authority))
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

    /// All that it wrote.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut folders, mut files) = (vec![self.folder().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// As it was given to the process.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(log_file(&self.folder)).unwrap_or_default()).into_owned()
    }

    /// SIGKILL, without a word.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Its exit code, once it has ended by itself; `None` if a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.ended() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "the gateway does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// On the same folder, after `kill`.
    pub async fn restart(&mut self) {
        self.process = launch(&self.folder, &self.environment);
        self.ready().await;
    }

    /// Of its process, which is another one after a restart.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The memories of plugins, as they are at this moment.
    #[must_use]
    pub fn guest_memory(&self) -> Vec<u8> {
        guest_memory::read(self.process.id())
    }

    /// Keeps what it has compiled for the gateways that are given it.
    pub fn keep_compiled(&self) {
        compiled::keep(&self.folder.path().join("data"));
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
