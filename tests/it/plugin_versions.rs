//! Versions of an installed connector: pinned connections, powers that grow, the way back, and what is in use.

use std::process::{Command, Stdio};

use portcullis_tests::component::{FIFTH, greedy, renamed_setting, version};
use portcullis_tests::gateway::{Gateway, binary};
use serde_json::{Value, json};

use crate::play::{Play, play, ready_web};
use crate::plugin_install::{body, connectors, files, grant, install, upload};

async fn ready(play: &Play, name: &str) -> Value {
    ready_web(&play.api, body(name, &play.origin), &play.origin.url("/bearer/a.txt")).await
}

async fn pinned(play: &Play, name: &str) -> Value {
    play.api.get(&format!("/api/v1/connections/{name}")).await.expect(200)["plugin"].clone()
}

#[tokio::test]
async fn sp25_a_connection_stays_on_its_version_until_it_is_moved_and_what_is_used_is_not_removed() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    let first = install(&play.api, version(1)).await;
    ready(&play, "old_one").await;

    let offered = upload(&play.api, renamed_setting(2)).await.expect(201);
    assert_eq!((&offered["grant_required"], &offered["change"]["from"]), (&json!(false), &json!(first)));
    assert_eq!(offered["change"]["settings"]["changed"], json!(["hostname"]), "{offered}");
    let second = offered["digest"].clone();
    play.api.post(&format!("/api/v1/plugins/{FIFTH}/activate"), &json!({"digest": second})).await.expect(200);
    ready(&play, "new_one").await;
    assert_eq!((pinned(&play, "old_one").await, pinned(&play, "new_one").await), (json!(first), second.clone()));
    for name in ["old_one", "new_one"] {
        assert_eq!(play.api.read(name, &source).await.text(), "bearer a", "{name}");
    }

    let one = format!("/api/v1/plugins/{FIFTH}/versions/{first}");
    let refused = play.api.delete(&one).await;
    refused.problem(409, "plugin_in_use");
    assert!(refused.text().contains("1 connections") && refused.text().contains("old_one") && !refused.text().contains("new_one"), "{}", refused.text());
    let stranger = play.api.token("other", "operator").await;
    let refused = stranger.delete(&one).await;
    refused.problem(409, "plugin_in_use");
    assert!(!refused.text().contains("old_one"), "another organization's connections are counted, not named");
    play.api.delete(&format!("/api/v1/plugins/{FIFTH}/versions/{}", second.as_str().unwrap())).await.problem(409, "plugin_active");

    let moved = play.api.post("/api/v1/connections/old_one/plugin", &json!({})).await.expect(200);
    assert_eq!((&moved["plugin"], &moved["status"], &moved["revision"]), (&second, &json!("ready"), &json!(2)));
    assert_eq!(play.api.read("old_one", &source).await.text(), "bearer a");
    let again = play.api.post("/api/v1/connections/old_one/plugin", &json!({})).await.expect(200);
    assert_eq!(again["version"], moved["version"], "it is there already");
    play.api.delete(&one).await.expect(200);
    play.api.delete(&one).await.problem(404, "plugin_version_not_found");
    play.api.post("/api/v1/connections/old_one/plugin", &json!({"digest": first})).await.problem(404, "plugin_version_not_found");

    play.api.delete(&format!("/api/v1/plugins/{FIFTH}")).await.problem(409, "plugin_in_use");
    for name in ["old_one", "new_one"] {
        play.api.delete(&format!("/api/v1/connections/{name}")).await.expect(200);
    }
    play.api.delete(&format!("/api/v1/plugins/{FIFTH}")).await.expect(200);
    assert!(files(&play.gateway).is_empty() && !connectors(&play.api).await.contains(&FIFTH.to_owned()));
    play.api.get(&format!("/api/v1/plugins/{FIFTH}")).await.problem(404, "plugin_not_found");
    let gone = play.api.post("/api/v1/connections", &body("late_one", &play.origin)).await;
    assert_eq!(gone.pointers(), ["/type"]);
    play.api.delete("/api/v1/plugins/https_basic").await.problem(409, "connector_built_in");
}

#[tokio::test]
async fn sm06_powers_that_grow_are_asked_about_again_and_a_secret_does_not_follow_them() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    let first = install(&play.api, version(1)).await;
    ready(&play, "fifth").await;
    let (wasm, egress) = greedy("collector.evil.example");
    let offered = upload(&play.api, wasm).await.expect(201);
    assert_eq!((&offered["grant_required"], &offered["change"]["new"]["egress"]), (&json!(true), &json!([egress])));
    assert_eq!(offered["change"]["dropped"]["egress"].as_array().map(Vec::len), Some(1));
    let activate = |digest: Value| {
        let api = play.api.clone();
        async move { api.post(&format!("/api/v1/plugins/{FIFTH}/activate"), &json!({"digest": digest})).await }
    };
    let refused = activate(offered["digest"].clone()).await;
    refused.problem(409, "grant_required");
    assert!(refused.text().contains("collector.evil.example"), "it says what is new: {}", refused.text());
    play.api.post("/api/v1/connections/fifth/plugin", &json!({"digest": offered["digest"]})).await.problem(409, "grant_required");

    assert_eq!(grant(&play.api, &offered).await.expect(200)["state"], "active");
    assert_eq!(pinned(&play, "fifth").await, json!(first));
    let refused = play.api.post("/api/v1/connections/fifth/plugin", &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str(), refused.pointers()), (422, "secret_required", vec!["/config/bearer_token".to_owned()]));
    let body = json!({"config": {"bearer_token": play.origin.settings().token}});
    let refused = play.api.post("/api/v1/connections/fifth/plugin", &body).await;
    assert_eq!(refused.status.as_u16(), 422, "its test location lies outside what it could reach then: {}", refused.text());
    assert_eq!(pinned(&play, "fifth").await, json!(first), "it stays where it was");
    assert_eq!(play.api.read("fifth", &source).await.text(), "bearer a");

    assert_eq!(activate(json!(first)).await.expect(200)["state"], "active", "the way back needs no new grant");
    ready(&play, "after").await;
    assert_eq!(pinned(&play, "after").await, json!(first));
}

#[tokio::test]
async fn sp25_a_job_runs_to_its_end_on_the_version_that_it_was_accepted_with() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let first = install(&play.api, version(1)).await;
    ready(&play, "fifth").await;
    let sources: Vec<String> = (0..40).map(|number| format!("/bearer/{number}.bin")).collect();
    for source in &sources {
        play.origin.put(source, source.clone());
    }
    play.origin.fail(40, portcullis_tests::origin::Fault::Slow { bytes: 4, pause: std::time::Duration::from_millis(100) });
    let assets: Vec<Value> = sources.iter().map(|source| json!({"source_path": play.origin.url(source), "metadata": {}})).collect();
    let job = play.api.post("/api/v1/ingestion/assets", &json!({"dataset_id": "films", "connection_name": "fifth", "assets": assets})).await.expect(202);
    let offered = upload(&play.api, version(2)).await.expect(201);
    play.api.post(&format!("/api/v1/plugins/{FIFTH}/activate"), &json!({"digest": offered["digest"]})).await.expect(200);
    play.api.delete(&format!("/api/v1/plugins/{FIFTH}/versions/{first}")).await.problem(409, "plugin_in_use");
    let job = play.api.finished(job["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    let items = play.api.all(&format!("/api/v1/ingestion/jobs/{}/assets?limit=500", job["job_id"].as_str().unwrap())).await;
    assert!(items.len() == 40 && items.iter().all(|item| item["status"] == "completed"), "{items:?}");
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

async fn portcullis(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().env("PORTCULLIS_URL", gateway.url()).env("PORTCULLIS_TOKEN", gateway.token()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test]
async fn the_command_line_installs_upgrades_moves_rolls_back_and_removes() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, wasm: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, wasm).unwrap();
        path.display().to_string()
    };
    let (one, two, nonsense) = (file("one.wasm", version(1)), file("two.wasm", version(2)), file("not.wasm", b"(component)".to_vec()));
    let egress = "https://{settings.hostname}:{settings.port}/{settings.path_prefix}";
    for (what, arguments, code, says) in [
        ("no component", vec!["plugin", "install", &nonsense, "--yes"], 1, "invalid_component"),
        ("no such file", vec!["plugin", "install", "/nowhere.wasm"], 1, "/nowhere.wasm"),
        ("nobody to ask", vec!["plugin", "install", &one], 1, "--yes"),
        ("less than it asks for", vec!["plugin", "install", &one, "--grant", "http"], 1, "settings.hostname"),
        ("no such plugin", vec!["plugin", "remove", "nothing"], 3, "plugin_not_found"),
        ("a built-in", vec!["plugin", "remove", "https_basic"], 4, "connector_built_in"),
    ] {
        let ran = portcullis(&play.gateway, &arguments).await;
        assert!(ran.code == code && ran.err.contains(says), "{what}: {} {} {}", ran.code, ran.out, ran.err);
    }
    assert!(!connectors(&play.api).await.contains(&FIFTH.to_owned()), "nothing was granted");
    let ran = portcullis(&play.gateway, &["plugin", "install", &one, "--grant", "http", "--grant", egress]).await;
    assert!(ran.code == 0 && ran.out.contains("active") && ran.err.contains("may reach") && ran.err.contains(egress), "{} {}", ran.out, ran.err);
    let set = format!("port:={}", play.origin.port());
    let token = file("token", play.origin.settings().token.clone().into_bytes());
    let secret = format!("bearer_token=@{token}");
    let ran = portcullis(
        &play.gateway,
        &[
            "connection",
            "create",
            "fifth",
            "--type",
            FIFTH,
            "--set",
            "hostname=localhost",
            "--set",
            &set,
            "--secret",
            &secret,
            "--test-location",
            &play.origin.url("/bearer/a.txt"),
        ],
    )
    .await;
    assert!(ran.code == 0 && ran.out.contains("ready"), "{} {}", ran.out, ran.err);

    let ran = portcullis(&play.gateway, &["plugin", "upgrade", &two]).await;
    assert!(ran.code == 0 && ran.err.contains("nothing that was not granted"), "no question where nothing grew: {} {}", ran.out, ran.err);
    let listed: Value = serde_json::from_str(&portcullis(&play.gateway, &["-o", "json", "plugin", "inspect", FIFTH]).await.out).unwrap();
    let digest = |state: &str| {
        let versions = listed["versions"].as_array().unwrap();
        versions.iter().find(|version| version["state"] == state).unwrap()["digest"].as_str().unwrap().to_owned()
    };
    let (first, second) = (digest("granted"), digest("active"));
    let ran = portcullis(&play.gateway, &["plugin", "remove", FIFTH, "--digest", &first]).await;
    assert!(ran.code == 4 && ran.err.contains("fifth") && ran.err.contains("remedy"), "{} {}", ran.out, ran.err);
    let ran = portcullis(&play.gateway, &["connection", "move", "fifth"]).await;
    assert!(ran.code == 0 && ran.out.contains(&second), "{} {}", ran.out, ran.err);
    let ran = portcullis(&play.gateway, &["plugin", "rollback", FIFTH, &first]).await;
    assert!(ran.code == 0 && ran.out.contains(&first), "{} {}", ran.out, ran.err);
    let ran = portcullis(&play.gateway, &["plugin", "list"]).await;
    assert!(ran.out.lines().any(|line| line.contains(FIFTH) && line.contains("installed") && line.contains(&first)), "{}", ran.out);
    let ran = portcullis(&play.gateway, &["connection", "delete", "fifth"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = portcullis(&play.gateway, &["plugin", "remove", FIFTH]).await;
    assert!(ran.code == 0 && ran.out.contains(&first) && ran.out.contains(&second), "{} {}", ran.out, ran.err);
}
