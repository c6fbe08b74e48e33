//! Azurite, Microsoft's emulator of Blob Storage, as the referee of SharedKey signatures: over https, on a free port, with nothing kept.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::origin::{Certificate, write_pem};
use crate::process::Process;

const PATIENCE: Duration = Duration::from_secs(60);
const VERSION: &str = "2021-12-02";

/// Runs until it is dropped.
pub struct Azurite {
    port: u16,
    key: String,
    http: reqwest::Client,
    folder: TempDir,
    _process: Process,
}

/// Where `scripts/azurite install` puts it. Panics where it is missing: a test is never skipped.
fn program() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/azurite");
    assert!(folder.join("pin").exists(), "Azurite is not installed: run `scripts/azurite install` (`make test` does)");
    folder.join("node_modules/azurite/dist/src/blob/main.js")
}

impl Azurite {
    /// With one account. `key`: base64.
    pub async fn start(account: &str, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        write_pem(Certificate::Good, &file("ca.pem"), &file("cert.pem"), &file("key.pem")).unwrap();
        let ca = reqwest::Certificate::from_pem(&std::fs::read(file("ca.pem")).unwrap()).unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).timeout(Duration::from_secs(10)).build().unwrap();
        // Another process may take a free port between our look and its use: then there is another port.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let log = File::create(file("log")).unwrap();
            let mut command = Command::new("node");
            command.arg(program()).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--inMemoryPersistence", "--disableTelemetry"]);
            command.arg("--cert").arg(file("cert.pem")).arg("--key").arg(file("key.pem"));
            command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", folder.path());
            command.env("AZURITE_ACCOUNTS", format!("{account}:{key}")).current_dir(folder.path());
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            let mut process = Process::start(&mut command).unwrap();
            let start = Instant::now();
            while start.elapsed() < PATIENCE && process.ended().is_none() {
                // Whatever it answers, it answers.
                if http.get(format!("https://localhost:{port}/")).send().await.is_ok() {
                    return Self { port, key: key.to_owned(), http, folder, _process: process };
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!("Azurite does not start: {}", std::fs::read_to_string(file("log")).unwrap_or_default());
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub async fn make_container(&self, account: &str, container: &str) {
        self.write(account, &format!("/{account}/{container}"), "restype=container", &[], Vec::new()).await;
    }

    /// `path`: `container/blob`, percent-encoded.
    pub async fn put(&self, account: &str, path: &str, bytes: &[u8]) {
        self.write(account, &format!("/{account}/{path}"), "", &[("x-ms-blob-type", "BlockBlob")], bytes.to_vec()).await;
    }

    /// A PUT that is signed here, apart from the plugin's recipe on purpose.
    async fn write(&self, account: &str, path: &str, query: &str, headers: &[(&str, &str)], body: Vec<u8>) {
        let format = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        let date = OffsetDateTime::now_utc().format(format).unwrap();
        let mut headers: Vec<(&str, &str)> = headers.to_vec();
        headers.extend([("x-ms-date", date.as_str()), ("x-ms-version", VERSION)]);
        headers.sort_unstable();
        let length = if body.is_empty() { String::new() } else { body.len().to_string() };
        let canonical: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let resource: String = query.split_once('=').map(|(name, value)| format!("\n{name}:{value}")).unwrap_or_default();
        let lines = format!("PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{canonical}/{account}{path}{resource}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&self.key).unwrap());
        let signature = STANDARD.encode(hmac::sign(&key, lines.as_bytes()));
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = self.http.request(Method::PUT, format!("https://localhost:{}{path}{mark}{query}", self.port));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.header("authorization", format!("SharedKey {account}:{signature}")).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201, "{}", answer.text().await.unwrap_or_default());
    }
}
