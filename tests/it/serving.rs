//! How the gateway is served: over TLS with files that are read again while it runs, and to its end when it is told to stop.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis_tests::gateway::{Gateway, Given, binary};
use portcullis_tests::origin::{Certificate, write_pem};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::play::{basic_body, play, ready_web};

/// A certificate for this machine in `cert.pem` and `key.pem`; its authority.
fn certificate(folder: &Path) -> Vec<u8> {
    let ca = folder.join("ca.pem");
    write_pem(Certificate::Good, &ca, &folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
    std::fs::read(ca).unwrap()
}

fn signal(gateway: &Gateway, name: &str) {
    assert!(Command::new("kill").args([name, &gateway.id().to_string()]).status().unwrap().success());
}

/// The log's lines about `words`, once there are `count` of them.
async fn told(gateway: &Gateway, words: &str, count: usize) {
    for _ in 0..1000 {
        if gateway.log().matches(words).count() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} times '{words}' is not in the log:\n{}", gateway.log());
}

async fn with_tls() -> (TempDir, Vec<u8>, Gateway) {
    let folder = tempfile::tempdir().unwrap();
    let authority = certificate(folder.path());
    let given = Given::default().file("[log]\nlevel = 'info'\n").tls(&folder.path().join("cert.pem"), &folder.path().join("key.pem"), &authority);
    let gateway = given.start().await;
    (folder, authority, gateway)
}

#[tokio::test]
async fn m21_tls_is_spoken_and_its_files_are_read_again_on_sighup() {
    let (folder, first, gateway) = with_tls().await;
    assert!(gateway.url().starts_with("https://"));
    let kept = gateway.api();
    kept.get("/api/v1/connections").await.expect(200);
    // Plain http is not spoken there, and no other authority is trusted.
    let plain = portcullis_tests::api::Api::new(&gateway.url().replacen("https", "http", 1), gateway.token());
    assert!(plain.try_send(http::Method::GET, "/healthz", &[], None).await.is_none());

    let second = certificate(folder.path());
    signal(&gateway, "-HUP");
    told(&gateway, "the certificate was read again", 1).await;
    let fresh = |authority: &[u8]| gateway.api().trusting(authority);
    fresh(&second).get("/api/v1/connections").await.expect(200);
    assert!(fresh(&first).try_send(http::Method::GET, "/healthz", &[], None).await.is_none(), "the new one is shown");
    // This client trusts the first authority alone: it can only be on the connection that it has.
    kept.get("/api/v1/connections").await.expect(200);

    // What cannot be used changes nothing, and is named.
    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    signal(&gateway, "-HUP");
    told(&gateway, "the certificate stays as it was", 1).await;
    assert!(gateway.log().contains("tls_certificate_unusable"));
    fresh(&second).get("/api/v1/connections").await.expect(200);
    let third = certificate(folder.path());
    std::fs::write(folder.path().join("key.pem"), std::fs::read(folder.path().join("cert.pem")).unwrap()).unwrap();
    signal(&gateway, "-HUP");
    told(&gateway, "the certificate stays as it was", 2).await;
    assert!(fresh(&third).try_send(http::Method::GET, "/healthz", &[], None).await.is_none());
    fresh(&second).get("/api/v1/connections").await.expect(200);
}

#[tokio::test]
async fn m21_a_client_that_does_not_finish_its_handshake_holds_nobody_up() {
    let (_folder, _, gateway) = with_tls().await;
    let address = gateway.url().trim_start_matches("https://").to_owned();
    let silent: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    gateway.api().get("/api/v1/connections").await.expect(200);
    drop(silent);
}

#[tokio::test]
async fn m21_the_logs_level_is_read_again_on_sighup_and_a_wrong_one_is_not_taken() {
    let gateway = Given::default().file("[log]\nlevel = 'warn'\n").start().await;
    let api = gateway.api();
    api.get("/version").await.expect(200);
    let file = gateway.folder().join("portcullis.toml");
    std::fs::write(&file, "[log]\nlevel = 'info'\n").unwrap();
    signal(&gateway, "-HUP");
    told(&gateway, "the log's level was read again", 1).await;
    assert!(!gateway.log().contains("/version"), "{}", gateway.log());
    api.get("/version").await.expect(200);
    told(&gateway, "/version", 1).await;
    for (text, words) in [("[log]\nlevel = 'loud'\n", "the log's level stays as it was"), ("[logs]\n", "everything stays as it was")] {
        std::fs::write(&file, text).unwrap();
        signal(&gateway, "-HUP");
        told(&gateway, words, 1).await;
    }
    api.get("/healthz").await.expect(200);
    told(&gateway, "/healthz", 1).await;
}

#[tokio::test]
async fn b14_a_gateway_that_leaves_what_is_in_flight_still_writes_down_what_was_done() {
    let mut play = play().await;
    play.origin.put("/basic/large.bin", vec![5; 64 << 20]);
    let source = play.origin.url("/basic/large.bin");
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("connection", "press"), ("source_path", &*source)]).finish();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = http.get(format!("{}/api/v1/objects?{query}", play.gateway.url())).bearer_auth(play.gateway.token()).send().await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    signal(&play.gateway, "-TERM");
    told(&play.gateway, "stopping", 1).await;
    // Nobody reads on: what is in flight does not end.
    signal(&play.gateway, "-TERM");
    assert_eq!(play.gateway.ended().await, Some(0));
    assert!(play.gateway.log().contains("told twice to stop"), "{}", play.gateway.log());
    let lines = std::fs::read_to_string(play.gateway.folder().join("data/audit/00000001.jsonl")).unwrap();
    let verbs: Vec<_> = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["verb"].as_str().unwrap().to_owned()).collect();
    assert!(verbs.iter().any(|verb| verb == "fetch") && verbs.last().unwrap() == "stopped", "{lines}");
}

#[tokio::test]
async fn m21_what_is_in_flight_ends_when_the_gateway_is_told_to_stop() {
    let mut play = play().await;
    let size = 8 << 20;
    play.origin.put("/basic/large.bin", vec![5; size]);
    let source = play.origin.url("/basic/large.bin");
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("connection", "press"), ("source_path", &*source)]).finish();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answer = http.get(format!("{}/api/v1/objects?{query}", play.gateway.url())).bearer_auth(play.gateway.token()).send().await.unwrap();
    let mut read = answer.chunk().await.unwrap().unwrap().len();
    assert!(read < size, "it is under way");
    signal(&play.gateway, "-TERM");
    told(&play.gateway, "stopping", 1).await;
    assert!(http.get(format!("{}/readyz", play.gateway.url())).send().await.is_err(), "nobody new is let in");
    while let Some(chunk) = answer.chunk().await.unwrap() {
        read += chunk.len();
    }
    assert_eq!(read, size);
    assert_eq!(play.gateway.ended().await, Some(0));
}

#[tokio::test]
async fn m21_who_only_waits_is_let_go_at_once_when_the_gateway_is_told_to_stop() {
    let mut gateway = Given::default().file("[log]\nlevel = 'info'\n").start().await;
    let address = gateway.url().strip_prefix("http://").unwrap().to_owned();
    let mut waiting = Vec::new();
    for asks in [true, false, true, false] {
        let mut client = TcpStream::connect(&address).await.unwrap();
        if asks {
            client.write_all(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
            let mut answer = [0; 4096];
            let length = client.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
        waiting.push(client);
    }
    // Each has its task by now: a later connection was answered.
    gateway.api().get("/healthz").await.expect(200);
    signal(&gateway, "-TERM");
    // They would be let go of after 10 seconds in any case.
    let mut rest = Vec::new();
    for client in &mut waiting {
        tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut rest)).await.expect("let go at once").unwrap();
    }
    assert!(rest.is_empty(), "nobody is told anything");
    assert_eq!(gateway.ended().await, Some(0));
}

#[test]
fn c02_a_first_start_that_cannot_listen_leaves_the_first_token_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |address: &str| {
        let mut command = Command::new(binary());
        command.arg("serve").env_clear().env("PORTCULLIS__SERVER__LISTEN", address).env("AWS_EC2_METADATA_DISABLED", "true").current_dir(&folder);
        command
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = serve(&taken.local_addr().unwrap().to_string()).output().unwrap();
    assert!(refused.status.code() == Some(1) && String::from_utf8_lossy(&refused.stderr).contains("listen_failed"), "{refused:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing was made");
    let mut gateway = serve("127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = BufReader::new(gateway.stdout.take().unwrap()).lines().map(Result::unwrap).find(|line| line.starts_with("operator token"));
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(said.is_some_and(|line| line.contains("pct_")), "shown once it listens");
}
