//! The audit log from outside (SPEC B14): a line for each use of a credential and each change, whose they are to see, and what becomes of it
//! when somebody kills the gateway or changes a line.

use std::path::Path;
use std::process::Command;

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::component::version;
use portcullis_tests::gateway::binary;
use portcullis_tests::scene::{GATEWAY_ROLE, MEDIA, READER_ROLE};
use portcullis_tests::search::Search;
use serde_json::{Value, json};

use crate::cli::portcullis;
use crate::play::{Play, basic_body, play, ready_role, ready_web};
use crate::plugin_install::install;

const AUDIT: &str = "/api/v1/audit";

async fn whoami(api: &Api) -> String {
    format!("token:{}", api.get("/api/v1/whoami").await.expect(200)["token_id"].as_str().unwrap())
}

fn count(lines: &[Value]) -> u64 {
    lines.iter().map(|line| line["count"].as_u64().unwrap()).sum()
}

/// Whether there is a line with all of these fields.
fn has(lines: &[Value], fields: &Value) -> bool {
    lines.iter().any(|line| fields.as_object().unwrap().iter().all(|(name, value)| line[name] == *value))
}

#[track_caller]
fn holds(lines: &[Value], fields: &Value) {
    assert!(has(lines, fields), "no line with {fields}:\n{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}

#[tokio::test]
async fn b14_each_use_of_a_credential_has_its_line_with_who_what_where_and_how_it_ended() {
    let play = play().await;
    let api = play.api.token("studio", "admin").await;
    let member = api.token("studio", "member").await;
    let (admin, reader) = (whoami(&api).await, whoami(&member).await);
    let films = ready_role(&api, &play.aws, "films").await;
    play.origin.put("/basic/a.txt", "basic a");
    let source = play.origin.url("/basic/a.txt");
    ready_web(&api, basic_body("press", &play.origin), &source).await;
    let key = format!("s3://{MEDIA}/train/a.jpg");
    member.read("films", &key).await;
    member.read("films", &format!("s3://{MEDIA}/train/none.jpg")).await.problem(404, "file_not_found");
    member.read("press", &source).await;
    api.post("/api/v1/connections/films/list", &json!({"prefix": "train/"})).await.expect(200);
    let submission = json!({"dataset_id": "d", "connection_name": "films", "assets": [{"source_path": key}]});
    let job = member.post("/api/v1/ingestion/assets", &submission).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    member.finished(&job).await;

    let lines = api.all(AUDIT).await;
    let (bucket, id) = (format!("s3://{MEDIA}"), &films["connection_id"]);
    let origin = format!("https://localhost:{}", play.origin.port());
    for fields in [
        json!({"actor": reader, "verb": "fetch", "how": "sign_request", "connection": id, "target": bucket, "objects": ["train/a.jpg"], "outcome": "ok", "count": 1}),
        json!({"actor": reader, "verb": "fetch", "connection": id, "target": bucket, "objects": ["train/none.jpg"], "outcome": "file_not_found"}),
        json!({"actor": reader, "verb": "fetch", "how": "send_secret", "target": origin, "objects": ["/basic/a.txt"], "outcome": "ok"}),
        json!({"actor": admin, "verb": "test", "how": "send_secret", "target": origin, "outcome": "ok"}),
        json!({"actor": admin, "verb": "test", "how": "assume_role", "connection": id, "target": READER_ROLE, "outcome": "ok"}),
        json!({"actor": admin, "verb": "probe", "how": "assume_role", "connection": id, "target": READER_ROLE, "outcome": "role_cannot_be_assumed"}),
        json!({"actor": "gateway", "verb": "session", "how": "assume_role", "target": GATEWAY_ROLE, "outcome": "ok"}),
        json!({"actor": admin, "verb": "list", "how": "sign_request", "connection": id, "target": bucket, "objects": ["train/"], "outcome": "ok"}),
        json!({"actor": format!("job:{job}"), "verb": "ingest", "how": "sign_request", "connection": id, "outcome": "ok", "count": 1}),
        json!({"kind": "change", "actor": admin, "verb": "create", "subject": "connection", "id": id, "name": "films"}),
    ] {
        holds(&lines, &fields);
    }
    let fetched = lines.iter().find(|line| line["verb"] == "fetch" && line["how"] == "sign_request").unwrap();
    assert_eq!((&fetched["plugin"], &fetched["version"], &fetched["org"]), (&films["plugin"], &films["version"], &json!("studio")), "{fetched}");

    // Each filter narrows it to its own.
    let other = api.get("/api/v1/connections/press").await.expect(200)["connection_id"].clone();
    for (query, field, value) in [
        ("connection=press".to_owned(), "connection", &other),
        (format!("connection={}", other.as_str().unwrap()), "connection", &other),
        (format!("actor={reader}"), "actor", &json!(reader)),
        ("verb=ingest".to_owned(), "verb", &json!("ingest")),
    ] {
        let found = api.all(&format!("{AUDIT}?{query}")).await;
        assert!(!found.is_empty() && found.len() < lines.len() && found.iter().all(|line| line[field] == *value), "{query}: {found:?}");
    }
    assert_eq!(api.all(&format!("{AUDIT}?since=2100-01-01T00:00:00Z")).await, Vec::<Value>::new());
    for wrong in ["verb=steal", "actor=me", "since=yesterday", "cursor=x", "limit=0", "path=a"] {
        api.get(&format!("{AUDIT}?{wrong}")).await.problem(400, "invalid_parameter");
    }
    let listed = portcullis(&play.gateway, &["audit", "list", "--verb", "ingest", "--output", "json"]).await;
    let listed: Value = serde_json::from_slice(&listed.out).unwrap_or_else(|error| panic!("{error}: {}", listed.err));
    assert_eq!(listed[0]["actor"], format!("job:{job}"));
    holds_no_secret(&play, &lines);
}

/// What must never be in the log.
#[track_caller]
fn holds_no_secret(play: &Play, lines: &[Value]) {
    let mut search = Search::default();
    // Too short to be looked for in every form.
    search.exactly("a password", play.origin.settings().password.clone().into_bytes());
    search.secret("the operator's token", play.gateway.token().as_bytes());
    for (secret, token) in play.aws.sessions() {
        search.secret("a session's key", secret.as_bytes());
        search.secret("a session's token", token.as_bytes());
    }
    let text: String = lines.iter().map(Value::to_string).collect();
    assert!(search.found_in(text.as_bytes()).is_empty(), "{:?}", search.found_in(text.as_bytes()));
}

#[tokio::test]
async fn b14_each_change_has_its_line_with_what_was_before_and_after_it() {
    let play = play().await;
    let operator = whoami(&play.api).await;
    play.origin.put("/basic/a.txt", "basic a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    play.api.patch("/api/v1/connections/press", &json!({"description": "papers"})).await.expect(200);
    play.api.delete("/api/v1/connections/press").await.expect(200);
    let minted = play.api.post("/api/v1/tokens", &json!({"name": "ci", "role": "member"})).await.expect(201);
    play.api.delete(&format!("/api/v1/tokens/{}", minted["token_id"].as_str().unwrap())).await.expect(200);
    play.api.post("/api/v1/organizations", &json!({"organization": "acme"})).await.expect(201);
    play.api.delete("/api/v1/organizations/acme").await.expect(200);
    let digest = install(&play.api, version(1)).await;
    play.api.delete("/api/v1/plugins/files_bearer").await.expect(200);
    // What is refused is no change.
    play.api.delete("/api/v1/connections/portcullis").await.problem(409, "default_connection");

    let mut lines: Vec<Value> = play.api.all(AUDIT).await.into_iter().filter(|line| line["kind"] == "change").collect();
    lines.reverse();
    let told: Vec<String> = lines.iter().map(|line| format!("{} {}", line["verb"].as_str().unwrap(), line["subject"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            "create token",
            "create connection",
            "change connection",
            "delete connection",
            "create token",
            "revoke token",
            "create organization",
            "delete organization",
            "upload plugin",
            "grant plugin",
            "remove plugin"
        ]
    );
    assert_eq!(lines[0]["actor"], "gateway", "the first token is the gateway's own doing");
    assert!(lines[1..].iter().all(|line| line["actor"] == operator), "{lines:?}");
    assert_eq!((&lines[1]["after"], &lines[2]["after"]), (&lines[2]["before"], &lines[3]["before"]), "one follows the other");
    assert!(lines[1]["before"].is_null() && lines[3]["after"].is_null() && lines[1]["after"] != lines[2]["after"]);
    assert_eq!(lines[4]["after"], lines[5]["before"], "the same token");
    let (granted, removed) = (&lines[9], &lines[10]);
    assert_eq!((&granted["after"], &removed["before"]), (&json!(digest), &json!(digest)));
    assert!(granted["powers"].as_array().unwrap().iter().any(|power| power == "http"), "{granted}");
    holds_no_secret(&play, &lines);
}

#[tokio::test]
async fn b14_a_thousand_fetches_at_once_are_counted_one_by_one_and_written_as_few() {
    let play = play().await;
    let api = play.api.token("studio", "admin").await;
    ready_role(&api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let answers = futures_util::future::join_all((0..1000).map(|_| api.read("films", &source))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let fetches = api.all(&format!("{AUDIT}?verb=fetch")).await;
    assert_eq!((count(&fetches), fetches.iter().all(|line| line["outcome"] == "ok")), (1000, true), "{fetches:?}");
    assert!(fetches.len() < 100, "{} lines", fetches.len());
    let gets = play.aws.journal().iter().filter(|entry| entry.action.as_deref() == Some("s3:GetObject")).count();
    let tests = count(&api.all(&format!("{AUDIT}?verb=test")).await.into_iter().filter(|line| line["how"] == "sign_request").collect::<Vec<_>>());
    assert!(gets as u64 <= 1000 + tests, "the remote saw no more reads ({gets}) than there are uses");
}

#[tokio::test]
async fn b14_a04_an_admin_reads_the_organizations_lines_an_operator_all_and_a_member_none() {
    let play = play().await;
    let (one, other) = (play.api.token("one", "admin").await, play.api.token("other", "admin").await);
    let made = ready_role(&one, &play.aws, "films").await;
    let theirs = one.all(AUDIT).await;
    assert!(theirs.len() > 5 && theirs.iter().all(|line| line["org"] == "one"), "{theirs:?}");
    let others = other.all(AUDIT).await;
    assert!(!others.is_empty() && others.iter().all(|line| line["org"] == "other"), "{others:?}");
    let id = made["connection_id"].as_str().unwrap();
    assert_eq!(other.all(&format!("{AUDIT}?connection={id}")).await, Vec::<Value>::new(), "an id that is known shows nothing");
    other.get(&format!("{AUDIT}?connection=films")).await.problem(404, "connection_not_found");
    let all = play.api.all(AUDIT).await;
    for fields in
        [json!({"org": "one", "verb": "create"}), json!({"org": "other"}), json!({"kind": "log", "verb": "started"}), json!({"subject": "organization"})]
    {
        holds(&all, &fields);
    }
    let page = one.get(&format!("{AUDIT}?limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    other.get(&format!("{AUDIT}?limit=1&cursor={cursor}")).await.problem(400, "invalid_parameter");
    let member = one.token("one", "member").await;
    member.get(AUDIT).await.problem(403, "role_required");
    play.api.with_token("").send(Method::GET, AUDIT, &[], None).await.problem(401, "unauthorized");
}

/// `portcullis audit verify` on a gateway's folder: its exit code, and what it says.
fn verified(folder: &Path) -> (i32, String) {
    let run = Command::new(binary()).args(["audit", "verify", "--data-dir"]).arg(folder).env_clear().current_dir("/").output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn b14_the_log_is_whole_after_a_kill_and_each_change_of_it_is_found_offline() {
    let mut play = play().await;
    play.origin.put("/basic/a.txt", "basic a");
    let source = play.origin.url("/basic/a.txt");
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    play.api.read("press", &source).await;
    let seen = play.api.all(AUDIT).await.len();
    let data = play.gateway.folder().join("data");
    let (code, said) = verified(&data);
    assert!(code == 0 && said.starts_with("whole: "), "while it runs: {said}");
    play.gateway.kill();
    // As a kill in the middle of a write leaves it.
    let file = data.join("audit/00000001.jsonl");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}{}", &good[..40])).unwrap();
    assert!(verified(&data).1.contains("still being written"), "{}", verified(&data).1);
    play.gateway.restart().await;
    let lines = play.gateway.api().all(AUDIT).await;
    assert!(lines.len() >= seen + 2, "{} of {seen}", lines.len());
    holds(&lines, &json!({"kind": "log", "verb": "repaired"}));
    assert!(play.gateway.log().contains("the audit log was repaired"));
    assert_eq!(verified(&data).0, 0);
    play.gateway.kill();

    let good: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    let write = |lines: &[String]| std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let third = good[2].replacen("\"seq\":3", "\"seq\":4", 1);
    let swapped = [&good[..2], &[good[3].clone(), good[2].clone()], &good[4..]].concat();
    for (what, lines, says) in [
        ("edited", [&good[..2], &[third], &good[3..]].concat(), "line 3: it was changed"),
        ("deleted", [&good[..2], &good[3..]].concat(), "line 3: number 4 follows number 2"),
        ("reordered", swapped, "line 3: number 4 follows number 2"),
        ("cut short", [&good[..2], &[good[2][..50].to_owned()], &good[3..]].concat(), "line 3: it was changed"),
        ("without its end", good[..4].to_vec(), "lines at its end are missing"),
    ] {
        write(&lines);
        let (code, said) = verified(&data);
        assert!(code == 1 && said.contains("audit_broken") && said.contains(says), "{what}: {code} {said}");
    }
    write(&good);
    assert_eq!(verified(&data).0, 0);
    let (code, said) = verified(&data.join("none"));
    assert!(code == 1 && said.contains("no_audit_log"), "{said}");
    let without_key = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(without_key.path().join("data/audit")).unwrap();
    let (code, said) = verified(&without_key.path().join("data"));
    assert!(code == 1 && said.contains("no_master_key"), "{said}");
}
