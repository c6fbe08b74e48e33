//! Installing a connector into a running gateway: from the upload to an ingested asset, over a kill, and what is refused on the way.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use portcullis_tests::api::{Answer, Api};
use portcullis_tests::component::{FIFTH, built, greedy, named, patched, version};
use portcullis_tests::gateway::{Gateway, Given};
use portcullis_tests::origin::Origin;
use serde_json::{Value, json};

use crate::play::{Play, basic_body, play, ready_web};

const PLUGINS: &str = "/api/v1/plugins";

pub async fn upload(api: &Api, wasm: Vec<u8>) -> Answer {
    api.send(Method::POST, PLUGINS, &[("content-type", "application/wasm")], Some(wasm)).await
}

/// Uploads and grants exactly what it asks for; its digest.
pub async fn install(api: &Api, wasm: Vec<u8>) -> String {
    let offered = upload(api, wasm).await;
    assert!(offered.status.is_success(), "{}", offered.text());
    let offered = offered.json();
    assert_eq!(grant(api, &offered).await.expect(200)["state"], "active");
    offered["digest"].as_str().unwrap().to_owned()
}

pub async fn grant(api: &Api, offered: &Value) -> Answer {
    let body = json!({"digest": offered["digest"], "capabilities": offered["imports"], "egress": offered["egress"]});
    api.post(&format!("{PLUGINS}/{}/grant", offered["id"].as_str().unwrap()), &body).await
}

pub fn body(name: &str, origin: &Origin) -> Value {
    json!({"name": name, "type": FIFTH, "config": {"hostname": "localhost", "port": origin.port(), "bearer_token": origin.settings().token}})
}

pub async fn connectors(api: &Api) -> Vec<String> {
    api.all("/api/v1/connectors").await.iter().map(|connector| connector["id"].as_str().unwrap().to_owned()).collect()
}

/// The files that the gateway keeps of plugins.
pub fn files(gateway: &Gateway) -> BTreeSet<PathBuf> {
    std::fs::read_dir(gateway.folder().join("data/plugins")).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// What there is of plugins, compiled ones included: in its folder, in its catalogue, in its document.
async fn stored(gateway: &Gateway) -> (BTreeSet<PathBuf>, Vec<Value>, Value) {
    let (mut files, mut folders) = (BTreeSet::new(), vec![gateway.folder().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            // A snapshot is the store's own way to start faster; what it has is in the lists. The audit log's anchor is replaced each second.
            } else if !path.file_name().is_some_and(|name| ["snap.", "anchor."].iter().any(|start| name.to_string_lossy().starts_with(start))) {
                files.insert(path);
            }
        }
    }
    (files, gateway.api().all(PLUGINS).await, gateway.api().get("/api/v1/openapi.json").await.expect(200))
}

async fn ready(play: &Play, name: &str) -> Value {
    ready_web(&play.api, body(name, &play.origin), &play.origin.url("/bearer/a.txt")).await
}

#[tokio::test]
async fn a_fifth_connector_is_installed_used_and_ingested_with_and_survives_a_kill() {
    let mut play = play().await;
    for name in ["a", "b", "c"] {
        play.origin.put(&format!("/bearer/{name}.txt"), format!("bearer {name}"));
    }
    let source = play.origin.url("/bearer/a.txt");
    let before = connectors(&play.api).await;
    assert!(!before.contains(&FIFTH.to_owned()));

    let offered = upload(&play.api, version(1)).await.expect(201);
    assert_eq!(
        (&offered["id"], &offered["state"], &offered["grant_required"], &offered["change"]),
        (&json!(FIFTH), &json!("pending"), &json!(true), &json!(null))
    );
    assert_eq!(offered["imports"], json!(["http"]), "read from its imports");
    assert_eq!(offered["egress"], json!(["https://{settings.hostname}:{settings.port}/{settings.path_prefix}"]));
    assert_eq!(offered["settings"]["properties"]["bearer_token"]["writeOnly"], true);
    assert_eq!(connectors(&play.api).await, before, "what was not granted is not there");
    let early = play.api.post("/api/v1/connections", &body("early", &play.origin)).await;
    assert_eq!((early.status.as_u16(), early.pointers()), (422, vec!["/type".to_owned()]));

    for (what, capabilities, egress, pointer) in [
        ("nothing", json!([]), json!([]), "/capabilities"),
        ("too little", offered["imports"].clone(), json!([]), "/egress"),
        ("too much", json!(["http", "aws"]), offered["egress"].clone(), "/capabilities"),
        ("something else", offered["imports"].clone(), json!(["https://evil.example/"]), "/egress"),
        ("a capability that is none", json!(["root"]), offered["egress"].clone(), "/capabilities/0"),
    ] {
        let refused =
            play.api.post(&format!("{PLUGINS}/{FIFTH}/grant"), &json!({"digest": offered["digest"], "capabilities": capabilities, "egress": egress})).await;
        assert_eq!(refused.status.as_u16(), 422, "{what}: {}", refused.text());
        assert!(refused.pointers().contains(&pointer.to_owned()), "{what}: {}", refused.text());
    }
    play.api.post(&format!("{PLUGINS}/{FIFTH}/activate"), &json!({"digest": offered["digest"]})).await.problem(409, "grant_required");
    assert_eq!(grant(&play.api, &offered).await.expect(200)["state"], "active");

    assert_eq!(connectors(&play.api).await.len(), before.len() + 1, "the catalogue has it at once");
    let wrong = play.api.post("/api/v1/connections", &json!({"name": "wrong", "type": FIFTH, "config": {"hostname": 7}})).await;
    assert_eq!(wrong.status.as_u16(), 422);
    assert!(wrong.pointers().contains(&"/config/hostname".to_owned()) && wrong.pointers().contains(&"/config/bearer_token".to_owned()), "{}", wrong.text());
    let made = ready(&play, "fifth").await;
    assert_eq!((&made["type"], &made["plugin"]), (&json!(FIFTH), &offered["digest"]));
    assert_eq!(play.api.read("fifth", &source).await.text(), "bearer a");
    let plan = play.api.post("/api/v1/plan", &json!({"connection": "fifth", "source_paths": [source]})).await.expect(200);
    assert_eq!(plan["items"][0]["request"]["headers"], json!([["authorization", "Bearer {{secret:bearer_token}}"]]));
    let assets: Vec<Value> =
        ["a", "b", "c"].iter().map(|name| json!({"source_path": play.origin.url(&format!("/bearer/{name}.txt")), "metadata": {}})).collect();
    let job = play.api.post("/api/v1/ingestion/assets", &json!({"dataset_id": "films", "connection_name": "fifth", "assets": assets})).await.expect(202);
    let job = play.api.finished(job["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    let items = play.api.all(&format!("/api/v1/ingestion/jobs/{}/assets", job["job_id"].as_str().unwrap())).await;
    assert!(items.len() == 3 && items.iter().all(|item| item["status"] == "completed"), "{items:?}");

    let digest = offered["digest"].as_str().unwrap();
    for event in ["plugin uploaded", "plugin activated"] {
        let lines: Vec<String> = play.gateway.log().lines().filter(|line| line.contains(event)).map(str::to_owned).collect();
        assert!(lines.len() == 1 && lines[0].contains(digest) && lines[0].contains("by="), "{event}: {lines:?}");
    }
    let listed = play.api.get(&format!("{PLUGINS}/{FIFTH}")).await.expect(200);
    assert_eq!((&listed["origin"], &listed["state"], &listed["versions"][0]["state"]), (&json!("installed"), &json!("active"), &json!("active")));

    play.gateway.kill();
    play.gateway.restart().await;
    let api = play.gateway.api();
    assert_eq!(api.get(&format!("{PLUGINS}/{FIFTH}")).await.expect(200), listed, "the same after a kill");
    assert_eq!(api.read("fifth", &source).await.text(), "bearer a");
}

#[tokio::test]
async fn sp24_a_kill_at_any_moment_leaves_the_old_state_or_the_new_one() {
    let mut gateway = Given::default().start().await;
    // From the first byte of the upload to after the grant.
    for (round, pause) in [0, 2, 10, 40, 120, 300, 600, 900, 1400, 2000].into_iter().enumerate() {
        let (api, wasm) = (gateway.api(), version(100 + u32::try_from(round).unwrap()));
        let installing = tokio::spawn(async move {
            let sent = api.try_send(Method::POST, PLUGINS, &[("content-type", "application/wasm")], Some(wasm)).await?;
            let offered = sent.json();
            let grant = json!({"digest": offered["digest"], "capabilities": offered["imports"], "egress": offered["egress"]});
            let body = Some(serde_json::to_vec(&grant).unwrap());
            api.try_send(Method::POST, &format!("{PLUGINS}/{FIFTH}/grant"), &[("content-type", "application/json")], body).await
        });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        gateway.kill();
        let granted = installing.await.unwrap().is_some_and(|answer| answer.status.is_success());
        gateway.restart().await;
        let api = gateway.api();
        let plugin = api.get(&format!("{PLUGINS}/{FIFTH}")).await;
        let versions = plugin.json()["versions"].as_array().cloned().unwrap_or_default();
        assert_eq!(files(&gateway).len(), versions.len(), "{pause} ms: a file for each version, and none beside");
        assert!(versions.iter().all(|version| version["state"] != "broken"), "{pause} ms: {versions:?}");
        if granted {
            assert_eq!(plugin.json()["state"], "active", "{pause} ms: what was acknowledged is there");
        }
        if plugin.status.is_success() {
            api.delete(&format!("{PLUGINS}/{FIFTH}")).await.expect(200);
        }
        assert!(files(&gateway).is_empty());
    }
    install(&gateway.api(), version(1)).await;
}

#[tokio::test]
async fn sp24_a_file_that_was_swapped_is_not_run_the_gateway_starts_and_the_same_upload_mends_it() {
    let mut play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    play.origin.put("/basic/a.txt", "basic a");
    let (ours, theirs) = (play.origin.url("/bearer/a.txt"), play.origin.url("/basic/a.txt"));
    install(&play.api, version(1)).await;
    ready(&play, "fifth").await;
    ready_web(&play.api, basic_body("press", &play.origin), &theirs).await;
    let file = files(&play.gateway).into_iter().next().unwrap();
    for (what, content, code) in [
        ("another component", Some(version(2)), "plugin_file_altered"),
        ("one bit", None, "plugin_file_altered"),
        ("gone", Some(Vec::new()), "plugin_file_missing"),
    ] {
        play.gateway.kill();
        match content {
            Some(content) if content.is_empty() => std::fs::remove_file(&file).unwrap(),
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => {
                let mut bytes = version(1);
                bytes[300_000] ^= 1;
                std::fs::write(&file, bytes).unwrap();
            }
        }
        play.gateway.restart().await;
        let api = play.gateway.api();
        assert_eq!(api.read("press", &theirs).await.text(), "basic a", "{what}: the others are served");
        api.read("fifth", &ours).await.problem(409, code);
        assert!(!connectors(&api).await.contains(&FIFTH.to_owned()), "{what}");
        let shown = api.get(&format!("{PLUGINS}/{FIFTH}")).await.expect(200);
        assert_eq!((&shown["state"], &shown["versions"][0]["fault"]), (&json!("broken"), &json!(code)), "{what}");
        assert!(play.gateway.log().lines().any(|line| line.contains("ERROR") && line.contains("CANNOT BE LOADED") && line.contains(code)), "{what}");
        let mended = upload(&api, version(1)).await.expect(200);
        assert_eq!(mended["state"], "active", "{what}: {mended}");
        assert_eq!(api.read("fifth", &ours).await.text(), "bearer a", "{what}");
    }
}

/// A small generator: the same flips in each run.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

#[tokio::test]
async fn sp16_sp18_sp20_sp22_sp24_what_is_no_connector_is_refused_with_its_code_and_nothing_is_stored() {
    let mut gateway = Given::default().start().await;
    let api = gateway.api();
    let before = stored(&gateway).await;
    let other_version = patched(version(1), "@0.1.0", "@0.9.0");
    let importing = |name: &str| wat::parse_str(format!("(component (import \"{name}\" (instance)))")).unwrap();
    let core = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    let jpeg = std::fs::read(portcullis_tests::ministack::root().join("examples/media/life.jpg")).unwrap();
    let own = std::fs::read(portcullis_tests::gateway::binary()).unwrap();
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", Vec::new(), 400, "invalid_component"),
        ("WAT text", b"(component)".to_vec(), 400, "invalid_component"),
        ("a core module", core, 400, "invalid_component"),
        ("an ELF file", own[..1 << 20].to_vec(), 400, "invalid_component"),
        ("a JPEG", jpeg, 400, "invalid_component"),
        ("a component of another world", wat::parse_str("(component)").unwrap(), 400, "incompatible_world"),
        ("another version of the contract", other_version, 400, "incompatible_world"),
        ("requests of its own", importing("wasi:http/outgoing-handler@0.2.0"), 403, "forbidden_import"),
        ("sockets of another WASI", importing("wasi:sockets/tcp@0.3.0"), 403, "forbidden_import"),
        ("somebody's host", importing("evil:host/door@0.1.0"), 403, "forbidden_import"),
        ("a feature that is off", wat::parse_str("(component (core module (memory i64 1)))").unwrap(), 400, "feature_disabled"),
        ("33 MiB", vec![0; 33 << 20], 413, "component_too_large"),
    ];
    for (what, wasm, status, code) in cases {
        let answer = upload(&api, wasm).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{what}: {}", answer.text());
    }
    let as_json = api.send(Method::POST, PLUGINS, &[("content-type", "application/json")], Some(version(1))).await;
    as_json.problem(415, "unsupported_media_type");

    let whole = version(1);
    for end in (1024..whole.len()).step_by(1024) {
        let answer = upload(&api, whole[..end].to_vec()).await;
        assert!(answer.status.as_u16() == 400 && answer.code() == "invalid_component", "cut at {end}: {}", answer.text());
    }
    assert_eq!(stored(&gateway).await, before, "nothing is stored");
    gateway.kill();
    gateway.restart().await;
    assert_eq!(stored(&gateway).await, before, "and nothing comes back");
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[tokio::test]
async fn sp18_a_flipped_bit_is_refused_or_makes_another_plugin_that_waits_for_its_grant() {
    let gateway = Given::default().start().await;
    let api = gateway.api();
    let before = stored(&gateway).await;
    let (mut seed, mut refused) = (7, 0);
    for round in 0..40 {
        let mut wasm = version(1);
        let at = random(&mut seed) % wasm.len();
        wasm[at] ^= 1 << (random(&mut seed) % 8);
        let answer = upload(&api, wasm).await;
        match answer.status.as_u16() {
            201 => {
                let plugin = answer.json();
                assert_eq!(plugin["state"], "pending");
                api.delete(&format!("{PLUGINS}/{}", plugin["id"].as_str().unwrap())).await.expect(200);
            }
            400..=499 => refused += usize::from(!answer.code().is_empty()),
            _ => panic!("flip {round} at {at}: {}", answer.text()),
        }
    }
    assert!(refused >= 3, "only {refused} of 40 flips were noticed");
    assert_eq!(stored(&gateway).await, before, "nothing is left of them");
    assert!(!gateway.log().contains("panicked"));
}

#[tokio::test]
async fn sp23_names_that_are_there_are_neither_taken_nor_imitated() {
    let gateway = Given::default().start().await;
    let api = gateway.api();
    for (what, wasm, code) in [
        ("a built-in's name", built("https_bearer"), "connector_built_in"),
        ("a digit for a letter", named("http5_bearer"), "connector_look_alike"),
        ("a letter for a letter", named("https_beorer"), "connector_look_alike"),
        ("an underscore elsewhere", named("httpsb_earer"), "connector_look_alike"),
        ("two letters swapped", named("https_baerer"), "connector_look_alike"),
    ] {
        let answer = upload(&api, wasm).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, code), "{what}: {}", answer.text());
    }
    assert!(files(&gateway).is_empty());
    upload(&api, version(1)).await.expect(201);
    upload(&api, named("fi1es_bearer")).await.problem(409, "connector_look_alike");
    assert_eq!(upload(&api, named("other_origin")).await.expect(201)["id"], "other_origin", "an honest name");
}

#[tokio::test]
async fn only_an_operator_installs_and_others_see_what_there_is() {
    let gateway = Given::default().start().await;
    let api = gateway.api();
    let offered = upload(&api, version(1)).await.expect(201);
    let digest = offered["digest"].as_str().unwrap();
    for role in ["member", "admin"] {
        let theirs = api.token("studio", role).await;
        upload(&theirs, version(2)).await.problem(403, "role_required");
        grant(&theirs, &offered).await.problem(403, "role_required");
        theirs.post(&format!("{PLUGINS}/{FIFTH}/activate"), &json!({"digest": digest})).await.problem(403, "role_required");
        theirs.delete(&format!("{PLUGINS}/{FIFTH}")).await.problem(403, "role_required");
        theirs.delete(&format!("{PLUGINS}/{FIFTH}/versions/{digest}")).await.problem(403, "role_required");
        let seen = theirs.get(&format!("{PLUGINS}/{FIFTH}")).await.expect(200);
        assert_eq!((&seen["state"], &seen["versions"][0]["digest"]), (&json!("pending"), &json!(digest)));
        assert!(seen["versions"][0].get("uploaded_by").is_none(), "who did it is for operators");
    }
    let seen = api.get(&format!("{PLUGINS}/{FIFTH}")).await.expect(200);
    assert!(seen["versions"][0]["uploaded_by"].is_string());
    assert_eq!(files(&gateway).len(), 1);
}

/// Many versions: uploaded, activated, the connection moved, the earlier one removed, while it is read all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_upgrades_under_load_fail_no_request() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    let mut before = install(&play.api, version(0)).await;
    ready(&play, "fifth").await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (api, source, stop) = (play.api.clone(), source.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut count, mut failed) = (0_u64, Vec::new());
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = api.read("fifth", &source).await;
                    count += 1;
                    if answer.status != 200 || answer.body != Bytes::from_static(b"bearer a") {
                        failed.push(answer.text());
                    }
                }
                (count, failed)
            })
        })
        .collect();
    let started = Instant::now();
    for number in 1..=100 {
        let offered = upload(&play.api, version(number)).await.expect(201);
        assert_eq!(offered["grant_required"], false, "{offered}");
        let digest = offered["digest"].as_str().unwrap().to_owned();
        play.api.post(&format!("{PLUGINS}/{FIFTH}/activate"), &json!({"digest": digest})).await.expect(200);
        let moved = play.api.post("/api/v1/connections/fifth/plugin", &json!({})).await.expect(200);
        assert_eq!((&moved["plugin"], &moved["status"]), (&json!(digest), &json!("ready")));
        play.api.delete(&format!("{PLUGINS}/{FIFTH}/versions/{before}")).await.expect(200);
        before = digest;
    }
    let took = started.elapsed();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut reads = 0;
    for reader in readers {
        let (count, failed) = reader.await.unwrap();
        assert!(failed.is_empty(), "{} of {count} failed: {}", failed.len(), failed[0]);
        reads += count;
    }
    println!("100 upgrades in {took:?}, {reads} reads");
    assert!(reads > 100, "the gateway was hardly read: {reads}");
    assert_eq!(files(&play.gateway).len(), 1);
}

#[tokio::test]
async fn uploads_and_versions_are_bounded() {
    let gateway = Given::default().start().await;
    let api = gateway.api();
    for number in 0..20 {
        upload(&api, version(number)).await.expect(201);
    }
    upload(&api, version(20)).await.problem(409, "too_many_versions");
    upload(&api, version(3)).await.expect(200);
    assert_eq!(files(&gateway).len(), 20);
    let slow: Vec<_> = (0..8).map(|number| upload(&api, patched(version(number), FIFTH, "fresh_origin"))).collect();
    let answers = futures_util::future::join_all(slow).await;
    assert!(answers.iter().any(|answer| answer.status == 201), "some are taken");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(503, "uploads_busy");
        assert!(answer.headers.contains_key("retry-after"));
    }
    let (wasm, egress) = greedy("collector.example");
    let asked = upload(&api, patched(wasm, FIFTH, "greedy_files")).await.expect(201);
    assert_eq!(asked["egress"], json!([egress]));
}
