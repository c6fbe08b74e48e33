//! Secrets that can be recognized are stored, used, refused and rotated under a log at its loudest; afterwards they are looked for everywhere.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use portcullis_tests::aws::AwsDouble;
use portcullis_tests::gateway::Given;
use portcullis_tests::origin::{Fault, Origin, Settings};
use portcullis_tests::scene::{GATEWAY_USER, MEDIA, PLATFORM, fixture};
use serde_json::json;

use crate::play::{basic_body, bearer_body, ready_role, ready_web};

/// A secret in every form that a careless line would write it in.
struct Canary {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    fn new(name: &str, secret: &str) -> Self {
        let mut forms: Vec<(&'static str, Vec<u8>)> = vec![
            ("raw", secret.as_bytes().to_vec()),
            ("hex", hex::encode(secret).into_bytes()),
            ("HEX", hex::encode_upper(secret).into_bytes()),
            ("percent", percent_encoding::percent_encode(secret.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string().into_bytes()),
            ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("reversed", secret.bytes().rev().collect()),
        ];
        // Base64 of it at each of three alignments: whatever stands before it shifts it by 0, 1 or 2 bytes.
        for (name, shift) in [("base64", 0), ("base64 after one byte", 1), ("base64 after two bytes", 2)] {
            let mut bytes = vec![b'x'; shift];
            bytes.extend_from_slice(secret.as_bytes());
            // Without the first and the last letters, which depend on the neighbours.
            let text = STANDARD_NO_PAD.encode(&bytes);
            let inner = text.get([0, 2, 3][shift]..text.len() - 3).unwrap().as_bytes().to_vec();
            forms.push((name, inner));
        }
        Self { name: name.to_owned(), forms }
    }

    fn found_in(&self, place: &str, bytes: &[u8], found: &mut Vec<String>) {
        for (form, needle) in &self.forms {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(format!("{} ({form}) in {place}", self.name));
            }
        }
    }
}

fn search(folder: &Path, canaries: &[Canary], found: &mut Vec<String>, files: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, canaries, found, files);
        } else {
            *files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for canary in canaries {
                canary.found_in(&path.strip_prefix(folder).unwrap_or(&path).display().to_string(), &bytes, found);
            }
        }
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let canary = Canary::new("x", "canary-7f3a/s3cr3t");
    use base64::engine::general_purpose::STANDARD;
    for text in [
        "canary-7f3a/s3cr3t".to_owned(),
        STANDARD.encode("user:canary-7f3a/s3cr3t"),
        STANDARD.encode("al:canary-7f3a/s3cr3t!"),
        STANDARD.encode("canary-7f3a/s3cr3tz"),
        hex::encode("canary-7f3a/s3cr3t"),
        "canary%2D7f3a%2Fs3cr3t".to_owned(),
    ] {
        let mut found = Vec::new();
        canary.found_in("here", format!("before {text} after").as_bytes(), &mut found);
        assert!(!found.is_empty(), "{text}");
    }
    let mut found = Vec::new();
    canary.found_in("here", b"canary-7f3a/s3cr3", &mut found);
    assert!(found.is_empty());
}

#[tokio::test]
async fn b01_c25_h05_h11_h14_no_secret_is_anywhere_but_with_its_remote() {
    let settings = Settings { password: "pw-Canary/7f3a9c51e2+d4".into(), token: "bt-Canary.b81e5d07f6a94c".into(), ..Settings::default() };
    let origin = Origin::with(settings.clone()).await.unwrap();
    let aws = AwsDouble::with(&fixture()).await;
    let mut gateway = Given::default().aws(&aws).origin(&origin).variable("PORTCULLIS__LOG__LEVEL", "trace").start().await;
    let api = gateway.api();
    for tree in ["basic", "bearer", "public"] {
        origin.put(&format!("/{tree}/a.txt"), format!("{tree} a"));
    }
    let wrong = "wr-Canary.00c0ffee11d00d";
    let mut canaries = vec![Canary::new("password", &settings.password), Canary::new("bearer token", &settings.token), Canary::new("refused token", wrong)];
    canaries.push(Canary::new("secret access key", &aws.user_credentials(PLATFORM, GATEWAY_USER).secret_access_key));
    let minted = api.post("/api/v1/tokens", &json!({"name": "member", "role": "member"})).await.expect(201);
    let member = api.with_token(minted["token"].as_str().unwrap());
    canaries.push(Canary::new("API token", minted["token"].as_str().unwrap()));

    let mut answers = Vec::new();
    let mut keep = |answer: portcullis_tests::api::Answer| answers.push(format!("{:?} {}", answer.headers, answer.text()));
    // Each connector: made, tested, shown, used, listed, planned, ingested from; with what is right, wrong and broken.
    let film = ready_role(&api, &aws, "films").await.to_string();
    let basic = ready_web(&api, basic_body("press", &origin), &origin.url("/basic/a.txt")).await.to_string();
    let bearer = ready_web(&api, bearer_body("wire", &origin), &origin.url("/bearer/a.txt")).await.to_string();
    let mut refused = bearer_body("refused", &origin);
    refused["config"]["bearer_token"] = json!(wrong);
    refused["test_location"] = json!(origin.url("/bearer/a.txt"));
    keep(api.post("/api/v1/connections", &refused).await);
    keep(
        api.post(
            "/api/v1/connections",
            &json!({"name": "x!", "type": "https_bearer", "config": {"hostname": "localhost", "bearer_token": format!("{wrong}\n")}}),
        )
        .await,
    );
    keep(api.patch("/api/v1/connections/refused", &json!({"config": {"hostname": "elsewhere.example"}})).await);
    for (connection, source) in [
        ("films", format!("s3://{MEDIA}/train/a.jpg")),
        ("press", origin.url("/basic/a.txt")),
        ("wire", origin.url("/bearer/a.txt")),
        ("portcullis", format!("s3://{MEDIA}/train/a.jpg")),
        ("refused", origin.url("/bearer/a.txt")),
    ] {
        keep(member.read(connection, &source).await);
        keep(member.read(connection, "https://evil.example/x").await);
        keep(api.post("/api/v1/plan", &json!({"connection": connection, "source_paths": [source.clone(), "s3://evil/x"]})).await);
        keep(api.post(&format!("/api/v1/connections/{connection}/test"), &json!({"update_state": false})).await);
        keep(api.post(&format!("/api/v1/connections/{connection}/list"), &json!({"prefix": ""})).await);
        keep(api.get(&format!("/api/v1/connections/{connection}/setup")).await);
        // A fault that nobody meets would wait for somebody else: only where the origin is asked.
        let faults = if ["press", "wire"].contains(&connection) {
            vec![Fault::Status(500), Fault::Truncate, Fault::Redirect(302, "http://169.254.169.254/".into()), Fault::Hangup]
        } else {
            Vec::new()
        };
        for fault in faults {
            origin.fail(1, fault);
            keep(member.read(connection, &source).await);
        }
        let job = member
            .post(
                "/api/v1/ingestion/assets",
                &json!({"dataset_id": "d", "connection_name": connection, "assets": [{"source_path": source}, {"source_path": "https://evil.example/x"}]}),
            )
            .await;
        if job.status.as_u16() == 202 {
            let id = job.json()["job_id"].as_str().unwrap().to_owned();
            api.finished(&id).await;
            keep(api.get(&format!("/api/v1/ingestion/jobs/{id}/assets")).await);
        }
    }
    for path in ["/api/v1/connections", "/api/v1/tokens", "/api/v1/plugins", "/api/v1/connectors", "/api/v1/ingestion/jobs", "/readyz", "/nowhere"] {
        keep(api.get(path).await);
    }
    answers.extend([film, basic, bearer]);
    // Sessions that STS gave out are secrets, too.
    assert!(aws.journal().iter().any(|entry| entry.action.as_deref() == Some("s3:GetObject") && entry.status == 200), "the secrets were used");
    assert!(origin.journal().iter().filter(|seen| seen.authorization.is_some() && seen.status == 200).count() > 4, "the secrets were used");
    gateway.kill();
    gateway.restart().await;
    assert_eq!(gateway.api().read("press", &origin.url("/basic/a.txt")).await.text(), "basic a", "and can be used after a restart");
    gateway.kill();

    canaries.push(Canary::new("operator's token", gateway.token()));
    let (mut found, mut files) = (Vec::new(), 0);
    for answer in &answers {
        for canary in &canaries {
            canary.found_in("an answer", answer.as_bytes(), &mut found);
        }
    }
    search(gateway.folder(), &canaries, &mut found, &mut files);
    let log = gateway.log();
    assert!(log.contains("DEBUG") && log.contains("answered"), "the log is at its loudest: each request has its line");
    assert!(files > 5 && answers.len() > 40, "{files} files, {} answers", answers.len());
    for header in ["X-Amz-Security-Token", "x-amz-security-token: F", "Authorization: Basic", "authorization: bearer", "FwoGZXIvYXdzE"] {
        if log.contains(header) {
            found.push(format!("{header} in the log"));
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
