//! Secrets that can be recognized, of every connector in the tree: stored, used, refused and rotated under a log at its loudest, and looked for in
//! the memory of the plugins while they run. Afterwards they are looked for everywhere.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use portcullis_tests::api::{Answer, Api};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::origin::Fault;
use portcullis_tests::scene::{GATEWAY_USER, PLATFORM};
use portcullis_tests::search::Search;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::kinds::{Kind, Remotes, uploaded};
use crate::plugin_install::grant;

/// For a plugin to be met while it runs: a call takes milliseconds, so a few looks are enough.
const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    remotes: Remotes,
    gateway: Gateway,
    api: Api,
    member: Api,
    /// The API tokens, and the secrets that are refused.
    others: Vec<(String, String)>,
    answers: Vec<String>,
    found: BTreeSet<String>,
}

/// Of the letters that every connector takes: it is the remote that refuses it.
fn wrong(kind: &Kind) -> String {
    let text = format!("wrCanary/{}/00c0ffee11d00d+wrong", kind.id.replace('_', ""));
    // A key of Azure's is base64, or it would be refused for that.
    if kind.id == "azure_blob" { STANDARD.encode(text) } else { text }
}

impl Scene {
    async fn start() -> Self {
        let remotes = Remotes::start().await;
        let gateway = remotes.given().variable("PORTCULLIS__LOG__LEVEL", "trace").start().await;
        let api = gateway.api();
        let minted = api.post("/api/v1/tokens", &json!({"name": "member", "role": "member"})).await.expect(201);
        let token = minted["token"].as_str().unwrap().to_owned();
        let others = vec![("API token".to_owned(), token.clone()), ("operator's token".to_owned(), gateway.token().to_owned())];
        Self { member: api.with_token(&token), remotes, gateway, api, others, answers: Vec::new(), found: BTreeSet::new() }
    }

    /// For every secret that there is by now.
    fn search(&self, kinds: &[Kind]) -> Search {
        let mut search = Search::default();
        for kind in kinds {
            for name in kind.secrets {
                let value = kind.settings[name].as_str().unwrap();
                search.secret(&format!("{} of {}", name, kind.id), value.as_bytes());
                if let Ok(bytes) = STANDARD.decode(value) {
                    search.secret(&format!("{} of {}, decoded", name, kind.id), &bytes);
                }
            }
            search.secret(&format!("refused secret of {}", kind.id), wrong(kind).as_bytes());
        }
        for (name, value) in &self.others {
            search.secret(name, value.as_bytes());
        }
        search.secret("the gateway's own key", self.remotes.aws.user_credentials(PLATFORM, GATEWAY_USER).secret_access_key.as_bytes());
        for (secret, token) in self.remotes.aws.sessions() {
            search.secret("a session's key", secret.as_bytes());
            search.secret("a session's token", token.as_bytes());
        }
        for token in self.remotes.origin.issued_tokens() {
            search.secret("an access token", token.as_bytes());
        }
        search
    }

    fn keep(&mut self, answer: &Answer) {
        self.answers.push(format!("{:?} {}", answer.headers, answer.text()));
    }

    async fn post(&mut self, path: &str, body: &Value) -> Answer {
        let answer = self.api.post(path, body).await;
        self.keep(&answer);
        answer
    }

    /// Made, tested, shown, used, listed, planned, ingested from; with what is right and what is broken.
    async fn uses(&mut self, kind: &Kind, name: &str) {
        let made = self.post("/api/v1/connections", &kind.body(name)).await.expect(201);
        kind.trusted(&self.remotes, &made);
        let one = format!("/api/v1/connections/{name}");
        let tested = self.post(&format!("{one}/test"), &json!({})).await.expect(200);
        assert_eq!(tested["status"], "ready", "{name}: {tested:#}");
        let shown = self.api.get(&one).await;
        self.keep(&shown);
        let setup = self.api.get(&format!("{one}/setup")).await;
        self.keep(&setup);
        let (source, outside) = (kind.files[0].0.clone(), kind.outside.0);
        self.post(&format!("{one}/list"), &json!({"prefix": kind.listing.as_ref().map_or("", |(prefix, _)| prefix)})).await;
        self.post("/api/v1/plan", &json!({"connection": name, "source_paths": [source, outside]})).await;
        // A fault that nobody meets would wait for somebody else: only where the origin is asked.
        let on_origin = kind.settings["port"] == self.remotes.origin.port();
        let faults = [Fault::Status(500), Fault::Truncate, Fault::Redirect(302, "http://169.254.169.254/".into()), Fault::Hangup];
        for fault in faults.into_iter().filter(|_| on_origin) {
            self.remotes.origin.fail(1, fault);
            let answer = self.member.read(name, &source).await;
            self.keep(&answer);
        }
        for path in [&source, outside] {
            let answer = self.member.read(name, path).await;
            self.keep(&answer);
        }
        assert_eq!(self.member.read(name, &source).await.text(), kind.files[0].1, "{name}");
        // By URLs that are signed; what is in one, in the clear and as it is sent.
        let signed = self.post(&format!("{one}/sign"), &json!({"source_path": source})).await.expect(201);
        let url = signed["url"].as_str().unwrap();
        let token = URL_SAFE_NO_PAD.decode(url.split_once("token=").unwrap().1).unwrap();
        self.answers.push(token.iter().map(|byte| char::from(*byte)).collect());
        let by_url = self.api.with_token("").get(&url.replace(self.gateway.url(), "")).await;
        assert_eq!(by_url.text(), kind.files[0].1, "{name}");
        self.keep(&by_url);
        let assets = json!([{"source_path": source}, {"source_path": outside}]);
        let job = self.member.post("/api/v1/ingestion/assets", &json!({"dataset_id": "d", "connection_name": name, "assets": assets})).await.expect(202);
        let id = job["job_id"].as_str().unwrap();
        let ended = self.api.finished(id).await;
        assert_eq!((&ended["status"], &ended["errored"]), (&json!("completed"), &json!(1)), "{name}: {ended}");
        let items = self.api.get(&format!("/api/v1/ingestion/jobs/{id}/assets")).await;
        self.keep(&items);
    }

    /// Each secret wrong, in ways that reach the remote and in ways that do not, and right again.
    async fn rotates(&mut self, kind: &Kind, name: &str) {
        let (one, source) = (format!("/api/v1/connections/{name}"), kind.files[0].0.clone());
        let wrong = wrong(kind);
        for secret in kind.secrets {
            for value in [json!(format!("{wrong}\n")), json!({"is": wrong}), json!([wrong]), json!(wrong.repeat(400)), json!(wrong)] {
                let changed = self.api.patch(&one, &json!({"config": {*secret: value}})).await;
                self.keep(&changed);
                let mut body = kind.body(&format!("{name}!"));
                body["config"][secret] = value;
                self.post("/api/v1/connections", &body).await;
                // The same, cut off.
                let mut text = body.to_string();
                text.truncate(text.len() - 1);
                let broken = self.api.send(Method::POST, "/api/v1/connections", &[("content-type", "application/json")], Some(text.into_bytes())).await;
                self.keep(&broken);
            }
            // It was stored with the last one; whether the earlier revision still serves is not the question here.
            let tested = self.post(&format!("{one}/test"), &json!({})).await.expect(200);
            assert_eq!(tested["passed"], kind.id == "sha256_store", "{name}: only a connector without any power cannot tell: {tested:#}");
            let refused = self.member.read(name, &source).await;
            self.keep(&refused);
            let elsewhere = self.api.patch(&one, &json!({"config": {"hostname": "elsewhere.example"}})).await;
            self.keep(&elsewhere);
            let changed = self.api.patch(&one, &json!({"config": {*secret: kind.settings[secret]}})).await;
            self.keep(&changed);
            let tested = self.post(&format!("{one}/test"), &json!({})).await.expect(200);
            assert_eq!(tested["status"], "ready", "{name}: {tested:#}");
            assert_eq!(self.member.read(name, &source).await.text(), kind.files[0].1, "{name}");
        }
    }

    /// Looks at the memories of plugins until this one's is among them: what it was told is there, and no secret is.
    async fn runs(&mut self, kind: &Kind, name: &str, kinds: &[Kind]) {
        let (source, told) = (kind.files[0].0.clone(), format!("what {} was told", kind.id));
        let mut search = self.search(kinds);
        search.exactly(&told, source.clone().into_bytes());
        let mut calls = JoinSet::new();
        for turn in 0..3 {
            let (api, name, sources, location) = (self.api.clone(), name.to_owned(), vec![source.clone(); 1000], source.clone());
            calls.spawn(async move {
                loop {
                    if turn == 0 {
                        api.post(&format!("/api/v1/connections/{name}/test"), &json!({"update_state": false, "location": location})).await;
                    } else {
                        api.post("/api/v1/plan", &json!({"connection": name, "source_paths": sources})).await;
                    }
                }
            });
        }
        let start = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let memory = self.gateway.guest_memory();
            let seen = search.found_in(&memory);
            let met = seen.contains(told.as_str());
            self.found.extend(seen.into_iter().filter(|name| *name != told).map(|name| format!("{name} in a plugin's memory while {} ran", kind.id)));
            if met {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{} was never met while it ran", kind.id);
        }
        calls.shutdown().await;
    }

    /// What was written, answered and logged.
    fn look_everywhere(&mut self, search: &Search) -> (usize, usize) {
        for answer in &self.answers {
            self.found.extend(search.found_in(answer.as_bytes()).into_iter().map(|name| format!("{name} in an answer")));
        }
        let (mut files, mut bytes) = (0, 0);
        for path in self.gateway.files() {
            let content = std::fs::read(&path).unwrap();
            (files, bytes) = (files + 1, bytes + content.len());
            self.found.extend(search.found_in(&content).into_iter().map(|name| format!("{name} in {}", shown(&path, self.gateway.folder()))));
        }
        (files, bytes)
    }
}

fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b01_c25_h05_h11_h14_sp12_no_secret_of_any_connector_is_anywhere_but_with_its_remote() {
    let start = Instant::now();
    let mut scene = Scene::start().await;
    let kinds: Vec<Kind> = [scene.remotes.built_in(), scene.remotes.files(), scene.remotes.examples()].into_iter().flatten().collect();
    println!("{:?}: started", start.elapsed());
    for kind in &kinds {
        if kind.component.is_some() {
            let offered = uploaded(&scene.gateway, &scene.api, kind).await;
            grant(&scene.api, &offered).await.expect(200);
        }
        let name = format!("my_{}", kind.id);
        scene.uses(kind, &name).await;
        scene.rotates(kind, &name).await;
        scene.runs(kind, &name, &kinds).await;
        println!("{:?}: {}", start.elapsed(), kind.id);
    }
    for path in ["connections", "tokens", "plugins", "connectors", "ingestion/jobs", "audit", "openapi.json", "../../readyz", "nowhere"] {
        let answer = scene.api.get(&format!("/api/v1/{path}")).await;
        scene.keep(&answer);
    }
    let s3 = scene.remotes.aws.journal().iter().filter(|entry| entry.action.as_deref() == Some("s3:GetObject") && entry.status == 200).count();
    let web = scene.remotes.origin.journal().iter().filter(|seen| seen.authorization.is_some() && seen.status == 200).count();
    assert!(s3 > 9 && web > 20, "the secrets were used: {s3}, {web}");

    scene.gateway.kill();
    scene.gateway.restart().await;
    for kind in &kinds {
        let read = scene.gateway.api().read(&format!("my_{}", kind.id), &kind.files[0].0).await;
        assert_eq!(read.text(), kind.files[0].1, "{}: it can be used after a restart", kind.id);
    }
    scene.gateway.kill();
    println!("{:?}: restarted", start.elapsed());

    let mut search = scene.search(&kinds);
    for header in ["X-Amz-Security-Token: ", "x-amz-security-token: F", "Authorization: Basic", "authorization: bearer", "FwoGZXIvYXdzE"] {
        search.exactly(header, header.as_bytes().to_vec());
    }
    let (files, bytes) = scene.look_everywhere(&search);
    println!("{:?}: {files} files, {bytes} bytes, {} answers", start.elapsed(), scene.answers.len());
    let log = scene.gateway.log();
    assert!(log.contains("DEBUG") && log.contains("answered"), "the log is at its loudest: each request has its line");
    assert!(files > 20 && scene.answers.len() > 150);
    assert!(scene.found.is_empty(), "{}", scene.found.iter().cloned().collect::<Vec<_>>().join("\n"));
}
