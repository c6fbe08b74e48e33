//! The referee: ministack, which nobody here wrote, as a child process filled by boto3 with the fixture of the double.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::aws::{Fixture, Keys};
use crate::aws_client::{Ask, AwsClient, Reply, form};
use crate::process::Process;
use crate::stack::AwsStack;

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until it is dropped.
pub struct Ministack {
    endpoint: Url,
    keys: HashMap<String, Keys>,
    client: AwsClient,
    _process: Process,
    _folder: TempDir,
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Python of the referee's virtual environment. Panics with what to run where it is missing: a test is never skipped.
#[must_use]
pub fn python() -> PathBuf {
    let venv = root().join("target/ministack-venv");
    assert!(venv.join("pins").exists(), "ministack is not installed: run `scripts/ministack install` (`make test` does)");
    venv.join("bin/python")
}

impl Ministack {
    pub async fn with(fixture: &Fixture) -> Self {
        let python = python();
        let folder = tempfile::tempdir().unwrap();
        // Another process may take a free port between our look and its use: then there is another port.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let log = File::create(folder.path().join("log")).unwrap();
            let mut command = Command::new(&python);
            command
                .args(["-m", "ministack"])
                .env_clear()
                .envs([("AUTH", "true"), ("BIND_HOST", "127.0.0.1"), ("SERVICES", "s3,sts,iam"), ("GATEWAY_PORT", &port.to_string())])
                .env("HOME", folder.path())
                .env("TMPDIR", folder.path())
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log);
            let mut process = Process::start(&mut command).unwrap();
            let endpoint = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
            if ready(&mut process, &endpoint).await {
                let keys = fill(&python, &endpoint, fixture);
                return Self { client: AwsClient::new(&endpoint), endpoint, keys, _process: process, _folder: folder };
            }
        }
        panic!("ministack does not start: {}", std::fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    /// ministack takes an account's number as its root's access key.
    async fn as_root(&self, account: &str, service: &str, method: Method, target: &str, body: String) -> Reply {
        let root = Keys { access_key_id: account.to_owned(), secret_access_key: "test".to_owned(), session_token: None };
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let headers: &[(&str, &str)] = if service == "iam" { &form } else { &[] };
        self.client.send(Ask { service, region: "us-east-1", keys: Some(&root), method, target, headers, body }).await
    }
}

#[async_trait]
impl AwsStack for Ministack {
    fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    fn keys(&self, account: &str, user: &str) -> Keys {
        self.keys.get(&format!("{account}/{user}")).cloned().unwrap_or_else(|| panic!("no user {user} in {account}"))
    }

    async fn trust(&self, account: &str, role: &str, document: &Value) {
        // IAM goes by the name alone, without its path.
        let name = role.rsplit('/').next().unwrap_or(role);
        let form = form(&[("Action", "UpdateAssumeRolePolicy"), ("Version", "2010-05-08"), ("RoleName", name), ("PolicyDocument", &document.to_string())]);
        let reply = self.as_root(account, "iam", Method::POST, "/", form).await;
        assert!(reply.status.is_success(), "UpdateAssumeRolePolicy: {}", reply.text());
    }

    async fn put(&self, account: &str, bucket: &str, key: &str, text: &str) {
        let target = format!("/{bucket}/{}", percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC));
        let reply = self.as_root(account, "s3", Method::PUT, &target, text.to_owned()).await;
        assert!(reply.status.is_success(), "PutObject: {}", reply.text());
    }
}

async fn ready(process: &mut Process, endpoint: &Url) -> bool {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap();
    let health = endpoint.join("/_ministack/health").unwrap();
    let start = Instant::now();
    while start.elapsed() < PATIENCE && process.ended().is_none() {
        if http.get(health.clone()).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// Blocks: there is nothing else to do until the referee is filled. fill.py bounds each of its requests.
fn fill(python: &Path, endpoint: &Url, fixture: &Fixture) -> HashMap<String, Keys> {
    let mut command = Command::new(python);
    command.arg(root().join("scripts/fill.py")).arg(endpoint.as_str()).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(fixture).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "fill.py: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
