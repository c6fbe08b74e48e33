//! Ingestion through every connector, seen from the API and from the folder that assets are written to.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::ministack::{python, root};
use portcullis_tests::origin::Fault;
use portcullis_tests::scene::{MEDIA, NEAR, ODD_KEYS};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};

use crate::play::{basic_body, bearer_body, gateway_on, on_both, play, ready_role, ready_web};

on_both! { c13_c32_l16_a_job_stores_every_asset_and_says_so, c13_the_seeds_own_python_works }

/// Sends assets in and waits for the job's end.
pub async fn ingest(api: &Api, dataset: &str, connection: &str, sources: &[String]) -> Value {
    let assets: Vec<Value> = sources.iter().map(|source| json!({"source_path": source, "metadata": {"label": "test"}})).collect();
    let body = json!({"dataset_id": dataset, "connection_name": connection, "assets": assets});
    let job = api.post("/api/v1/ingestion/assets", &body).await.expect(202);
    api.finished(job["job_id"].as_str().unwrap()).await
}

async fn items(api: &Api, job: &Value) -> Vec<Value> {
    api.all(&format!("/api/v1/ingestion/jobs/{}/assets?limit=500", job["job_id"].as_str().unwrap())).await
}

/// Of each asset's record in the sink: its source path and its bytes.
pub fn stored(gateway: &Gateway, organization: &str, dataset: &str) -> BTreeMap<String, Vec<u8>> {
    let assets = gateway.folder().join("assets");
    let Ok(records) = std::fs::read_dir(assets.join(organization).join("datasets").join(dataset)) else { return BTreeMap::new() };
    let read = |record: std::io::Result<std::fs::DirEntry>| -> (String, Vec<u8>) {
        let record: Value = serde_json::from_slice(&std::fs::read(record.unwrap().path()).unwrap()).unwrap();
        let location = record["blob"]["location"].as_str().unwrap();
        let hash = record["blob"]["blake3"].as_str().unwrap();
        let blob = [assets.join(location), assets.join(organization).join("blobs").join(&hash[..2]).join(hash)].into_iter().find(|path| path.is_file());
        (record["source_path"].as_str().unwrap().to_owned(), std::fs::read(blob.unwrap_or_else(|| panic!("no blob: {record}"))).unwrap())
    };
    records.map(read).collect()
}

mod bodies {
    use super::*;

    pub async fn c13_c32_l16_a_job_stores_every_asset_and_says_so(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        let connection = ready_role(&api, aws, "films").await;
        let sources: Vec<String> = ODD_KEYS.iter().map(|key| format!("s3://{MEDIA}/{key}")).collect();
        let job = ingest(&api, "winter", "films", &sources).await;
        let count = json!(sources.len());
        assert_eq!((&job["status"], &job["total"], &job["processed"], &job["errored"]), (&json!("completed"), &count, &count, &json!(0)), "{job:#}");
        assert_eq!((&job["dataset_id"], &job["organization"], &job["connection_id"]), (&json!("winter"), &json!("default"), &connection["connection_id"]));
        assert!(job["started_at"].is_string() && job["finished_at"].is_string() && job["type"].is_string());
        let items = items(&api, &job).await;
        assert!(items.iter().all(|item| item["status"] == "completed" && item["metadata"]["label"] == "test"), "{items:#?}");
        let expected: BTreeMap<String, Vec<u8>> = ODD_KEYS.iter().map(|key| (format!("s3://{MEDIA}/{key}"), key.as_bytes().to_vec())).collect();
        assert_eq!(stored(&gateway, "default", "winter"), expected);
        let asset = api.get(&format!("/api/v1/ingestion/assets/{}", items[0]["asset_id"].as_str().unwrap())).await.expect(200);
        assert_eq!((&asset["source_path"], &asset["version"], &asset["status"]), (&json!(sources[0]), &json!(1), &json!("completed")));
        // By id instead of by name, and through the default connection, for its organization.
        let by_id = json!({"dataset_id": "winter", "connection_id": connection["connection_id"], "assets": [{"source_path": sources[1]}]});
        let again = api.post("/api/v1/ingestion/assets", &by_id).await.expect(202);
        assert_eq!(api.finished(again["job_id"].as_str().unwrap()).await["errored"], 0);
        let acme = api.token("acme", "member").await;
        let near = ingest(&acme, "shared", "portcullis", &[format!("s3://{NEAR}/a.txt"), format!("s3://{NEAR}/b.txt")]).await;
        assert_eq!((&near["status"], &near["errored"]), (&json!("completed"), &json!(0)), "{near:#}");
        assert_eq!(stored(&gateway, "acme", "shared").len(), 2);
    }

    pub async fn c13_the_seeds_own_python_works(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        ready_role(&api, aws, "my_s3_connection").await;
        let snippet = seed_snippet();
        // Base URL, token and names: nothing else is changed.
        let program = [
            ("https://api.coactive.ai", gateway.url()),
            ("ACCESS_TOKEN", gateway.token()),
            ("YOUR_DATASET_ID", "from-python"),
            ("<CONNECTION_NAME>", "my_s3_connection"),
            ("s3://bucket-name/10_images_10_videos/image1.jpg", &format!("s3://{MEDIA}/train/a.jpg")),
        ]
        .into_iter()
        .fold(snippet, |program, (from, to)| {
            assert!(program.contains(from), "the seed's snippet has no {from}");
            program.replace(from, to)
        });
        let output = Command::new(python()).args(["-c", &format!("{program}\nprint(response.status_code, response.text)")]).env_clear().output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.starts_with("202 "), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let job: Value = serde_json::from_str(said.strip_prefix("202 ").unwrap()).unwrap();
        assert_eq!(api.finished(job["job_id"].as_str().unwrap()).await["errored"], 0);
        assert_eq!(stored(&gateway, "default", "from-python"), BTreeMap::from([(format!("s3://{MEDIA}/train/a.jpg"), b"jpeg a".to_vec())]));
    }
}

#[tokio::test]
async fn c13_the_python_example_ingests_and_says_what_went_wrong() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "my_s3_connection").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let run = |connection: &str| {
        let mut example = Command::new(python());
        example.arg(root().join("examples/python-ingest/ingest.py")).env_clear();
        example.env("PORTCULLIS_URL", play.gateway.url()).env("PORTCULLIS_TOKEN", play.gateway.token());
        example.env("DATASET_ID", "cats").env("CONNECTION_NAME", connection).env("SOURCE_PATH", &source);
        let output = example.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let (code, said) = run("no_such_connection");
    assert!(code == Some(1) && said.contains("connection_not_found"), "{code:?} {said}");
    let (code, said) = run("my_s3_connection");
    assert_eq!(code, Some(0), "{said}");
    let job: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(play.api.finished(job["job_id"].as_str().unwrap()).await["errored"], 0);
    assert_eq!(stored(&play.gateway, "default", "cats"), BTreeMap::from([(source.clone(), b"jpeg a".to_vec())]));
}

/// The first Python program of the seed, without the line numbers that the page puts before each line.
fn seed_snippet() -> String {
    let text = std::fs::read_to_string(root().join("tests/seed-coactive.txt")).unwrap();
    let lines = text.lines().skip_while(|line| *line != "1import httpx");
    let numbered = lines.enumerate().map_while(|(index, line)| line.strip_prefix(&(index + 1).to_string()));
    let program: Vec<&str> = numbered.collect();
    assert!(program.len() > 15, "{program:?}");
    // Inside brackets Python does not mind that the page lost the indentation.
    program.join("\n")
}

#[tokio::test]
async fn c03_c13_basic_and_bearer_ingest_from_their_origin() {
    let play = play().await;
    for tree in ["basic", "bearer"] {
        for name in ["a", "b", "c%20d"] {
            play.origin.put(&format!("/{tree}/{name}.txt"), format!("{tree} {name}"));
        }
    }
    for (body, tree) in [(basic_body("with_basic", &play.origin), "basic"), (bearer_body("with_bearer", &play.origin), "bearer")] {
        let sources: Vec<String> = ["a", "b", "c%20d"].iter().map(|name| play.origin.url(&format!("/{tree}/{name}.txt"))).collect();
        ready_web(&play.api, body.clone(), &sources[0]).await;
        let job = ingest(&play.api, tree, body["name"].as_str().unwrap(), &sources).await;
        assert_eq!((&job["status"], &job["processed"], &job["errored"]), (&json!("completed"), &json!(3), &json!(0)), "{job:#}");
        let expected: BTreeMap<String, Vec<u8>> =
            ["a", "b", "c%20d"].iter().zip(&sources).map(|(name, source)| (source.clone(), format!("{tree} {name}").into_bytes())).collect();
        assert_eq!(stored(&play.gateway, "default", tree), expected);
    }
}

#[tokio::test]
async fn each_failed_asset_says_why() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let url = |path: &str| play.origin.url(path);
    for (connection, source, codes) in [
        ("films", format!("s3://{MEDIA}/train/none.jpg"), &["file_not_found"][..]),
        ("films", "s3://another-bucket/a.jpg".to_owned(), &["scope_violation", "permission_denied"][..]),
        ("films", "ftp://server/a.jpg".to_owned(), &["unsupported_uri_scheme"][..]),
        ("press", url("/basic/none.txt"), &["file_not_found"][..]),
        ("press", "http://localhost/a.txt".to_owned(), &["unsupported_uri_scheme", "scheme_not_allowed", "scope_violation"][..]),
        ("press", "https://evil.example/a.txt".to_owned(), &["scope_violation"][..]),
        ("press", "not a url".to_owned(), &["broken_url"][..]),
    ] {
        let good = if connection == "films" { format!("s3://{MEDIA}/train/a.jpg") } else { url("/basic/a.txt") };
        let job = ingest(&play.api, "mixed", connection, &[source.clone(), good]).await;
        assert_eq!(
            (&job["status"], &job["total"], &job["processed"], &job["errored"]),
            (&json!("completed"), &json!(2), &json!(2), &json!(1)),
            "{source}: {job:#}"
        );
        let path = format!("/api/v1/ingestion/jobs/{}/assets", job["job_id"].as_str().unwrap());
        let failed = play.api.all(&format!("{path}?status=error")).await;
        let code = failed[0]["error"]["code"].as_str().unwrap();
        assert!(failed.len() == 1 && codes.contains(&code), "{source}: {failed:#?}");
        assert!(failed[0]["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{failed:#?}");
        assert_eq!(play.api.all(&format!("{path}?status=completed")).await.len(), 1, "{source}");
    }
}

#[tokio::test]
async fn u01_what_is_transient_is_tried_again_and_what_stays_is_an_error() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let source = [play.origin.url("/basic/a.txt")];
    for fault in [Fault::Status(503), Fault::Status(500), Fault::Hangup, Fault::Truncate, Fault::RetryAfter(429, 1)] {
        play.origin.fail(1, fault.clone());
        let job = ingest(&play.api, "press", "press", &source).await;
        assert_eq!((&job["status"], &job["errored"]), (&json!("completed"), &json!(0)), "{fault:?}: {job:#}");
    }
    play.origin.fail(50, Fault::Status(503));
    let job = ingest(&play.api, "never", "press", &source).await;
    let items = items(&play.api, &job).await;
    assert_eq!((&job["errored"], &items[0]["status"]), (&json!(1), &json!("error")), "{items:#?}");
    assert!(stored(&play.gateway, "default", "never").is_empty(), "u05: nothing half is stored");
}

#[tokio::test]
async fn the_same_source_is_one_asset_with_versions() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "first");
    let source = play.origin.url("/basic/a.txt");
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    let job = ingest(&play.api, "one", "press", &vec![source.clone(); 5]).await;
    assert_eq!((&job["processed"], &job["errored"]), (&json!(5), &json!(0)), "{job:#}");
    let first = items(&play.api, &job).await;
    let ids: BTreeSet<&str> = first.iter().map(|item| item["asset_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1);
    let bodies = play.origin.journal().iter().filter(|seen| seen.method == "GET" && seen.status == 200 && !seen.headers.contains_key("range")).count();
    assert_eq!(bodies, 1, "o08: fetched once");
    for (text, version) in [("first", 1), ("second", 2)] {
        play.origin.put("/basic/a.txt", text);
        ingest(&play.api, "one", "press", std::slice::from_ref(&source)).await;
        let asset = play.api.get(&format!("/api/v1/ingestion/assets/{}", ids.first().unwrap())).await.expect(200);
        assert_eq!(asset["version"], version, "{asset:#}");
        assert_eq!(stored(&play.gateway, "default", "one")[&source], text.as_bytes());
    }
}

#[tokio::test]
async fn c38_the_same_path_again_is_one_asset_and_only_what_changed_is_fetched() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let sources = [format!("s3://{MEDIA}/train/a.jpg"), format!("s3://{MEDIA}/train/b.jpg")];
    let assets = async || {
        let job = ingest(&play.api, "cats", "films", &sources).await;
        assert_eq!((&job["status"], &job["errored"]), (&json!("completed"), &json!(0)), "{job}");
        let mut assets = Vec::new();
        for item in items(&play.api, &job).await {
            assets.push(play.api.get(&format!("/api/v1/ingestion/assets/{}", item["asset_id"].as_str().unwrap())).await.expect(200));
        }
        assets
    };
    let statuses = || -> BTreeMap<String, u16> {
        let reads = play.aws.journal().into_iter().filter(|entry| entry.method == "GET" && entry.action.as_deref() == Some("s3:GetObject"));
        reads.map(|entry| (entry.path.rsplit('/').next().unwrap().to_owned(), entry.status)).collect()
    };
    let first = assets().await;
    play.aws.put(MEDIA, "train/b.jpg", "another b");
    play.aws.forget_journal();
    let second = assets().await;
    assert_eq!(statuses(), BTreeMap::from([("a.jpg".to_owned(), 304), ("b.jpg".to_owned(), 200)]), "what did not change is not sent again");
    for (index, version) in [(0, 1), (1, 2)] {
        assert_eq!(second[index]["asset_id"], first[index]["asset_id"], "one asset");
        assert_eq!((&first[index]["version"], &second[index]["version"]), (&json!(1), &json!(version)));
        assert_eq!(first[index]["stored"] == second[index]["stored"], version == 1);
    }
    assert_eq!(stored(&play.gateway, "default", "cats").into_values().collect::<Vec<_>>(), [b"jpeg a".to_vec(), b"another b".to_vec()]);
}

#[tokio::test]
async fn o08_ten_thousand_assets_are_one_request_and_one_more_is_too_many() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let assets = |count: usize| json!({"dataset_id": "many", "connection_name": "press", "assets": (0..count).map(|index| json!({"source_path": play.origin.url(&format!("/basic/{index}.txt"))})).collect::<Vec<_>>()});
    play.api.post("/api/v1/ingestion/assets", &assets(10_001)).await.problem(413, "too_many_assets");
    assert_eq!(play.api.get("/api/v1/ingestion/jobs").await.expect(200)["items"], json!([]), "nothing is stored");
    let job = play.api.post("/api/v1/ingestion/assets", &assets(10_000)).await.expect(202);
    assert_eq!(job["total"], 10_000);
}

#[tokio::test]
async fn c40_a19_sc05_a_repeated_request_makes_one_job() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let body = |dataset: &str| {
        serde_json::to_vec(&json!({"dataset_id": dataset, "connection_name": "press", "assets": [{"source_path": play.origin.url("/basic/a.txt")}]})).unwrap()
    };
    let send = async |key: &str, dataset: &str| {
        play.api
            .send(http::Method::POST, "/api/v1/ingestion/assets", &[("content-type", "application/json"), ("idempotency-key", key)], Some(body(dataset)))
            .await
    };
    let first = send("k-1", "once").await.expect(202);
    assert_eq!(send("k-1", "once").await.expect(202)["job_id"], first["job_id"]);
    send("k-1", "twice").await.problem(409, "idempotency_key_reused");
    assert_ne!(send("k-2", "once").await.expect(202)["job_id"], first["job_id"]);
    assert_eq!(play.api.all("/api/v1/ingestion/jobs").await.len(), 2);
}

/// SECURITY C04: killed without a word, three times, in a job of 2,000 assets.
#[tokio::test]
async fn c32_sc04_a_killed_gateway_finishes_its_job_and_counts_each_asset_once() {
    const ASSETS: usize = 2000;
    let mut play = play().await;
    for index in 0..ASSETS {
        play.origin.put(&format!("/basic/{index}.txt"), format!("asset {index}"));
    }
    let source = |index: usize| play.origin.url(&format!("/basic/{index}.txt"));
    ready_web(&play.api, basic_body("press", &play.origin), &source(0)).await;
    let body = json!({"dataset_id": "large", "connection_name": "press", "assets": (0..ASSETS).map(|index| json!({"source_path": source(index)})).collect::<Vec<_>>()});
    let job = play.api.post("/api/v1/ingestion/assets", &body).await.expect(202);
    let path = format!("/api/v1/ingestion/jobs/{}", job["job_id"].as_str().unwrap());
    let mut api = play.api.clone();
    let mut killed_while = Vec::new();
    for share in [1, 2, 3] {
        let processed = loop {
            let state = api.get(&path).await.expect(200);
            let processed = state["processed"].as_u64().unwrap();
            if processed >= ASSETS as u64 * share / 5 || state["status"] == "completed" {
                break processed;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        play.gateway.kill();
        killed_while.push(processed);
        play.gateway.restart().await;
        api = play.gateway.api();
    }
    assert!(killed_while.iter().any(|processed| *processed < ASSETS as u64), "the job was faster than the kill: {killed_while:?}");
    let state = api.finished(job["job_id"].as_str().unwrap()).await;
    let all = json!(ASSETS);
    assert_eq!((&state["status"], &state["total"], &state["processed"], &state["errored"]), (&json!("completed"), &all, &all, &json!(0)), "{state:#}");
    let items = items(&api, &state).await;
    let distinct: BTreeSet<&str> = items.iter().map(|item| item["asset_id"].as_str().unwrap()).collect();
    assert_eq!((items.len(), distinct.len()), (ASSETS, ASSETS));
    assert!(items.iter().all(|item| item["status"] == "completed"));
    let expected: BTreeMap<String, Vec<u8>> = (0..ASSETS).map(|index| (source(index), format!("asset {index}").into_bytes())).collect();
    assert_eq!(stored(&play.gateway, "default", "large"), expected, "each asset exactly once, and right");
    let bytes: u64 = expected.values().map(|bytes| bytes.len() as u64).sum();
    assert_eq!(state["bytes"], bytes, "counts agree");
}

#[tokio::test]
async fn c36_l17_one_call_tries_what_failed_again_and_nothing_else() {
    let play = play().await;
    let at = |name: &str| play.origin.url(&format!("/basic/{name}"));
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &at("a.txt")).await;
    let retry = async |job: &Value, headers: &[(&str, &str)]| {
        play.api.send(Method::POST, &format!("/api/v1/ingestion/jobs/{}/retry", job["job_id"].as_str().unwrap()), headers, None).await
    };
    let job = ingest(&play.api, "winter", "press", &[at("a.txt"), at("b.txt"), at("c.txt")]).await;
    assert_eq!((&job["status"], &job["errored"]), (&json!("completed"), &json!(2)));

    play.origin.put("/basic/b.txt", "b");
    let key = [("idempotency-key", "again")];
    let again = retry(&job, &key).await.expect(202);
    assert_eq!(retry(&job, &key).await.expect(202)["job_id"], again["job_id"], "pressed twice, it is one job");
    let again = play.api.finished(again["job_id"].as_str().unwrap()).await;
    assert_eq!(
        (&again["total"], &again["errored"], &again["dataset_id"], &again["connection_id"]),
        (&json!(2), &json!(1), &json!("winter"), &job["connection_id"])
    );
    let tried = items(&play.api, &again).await;
    assert_eq!(tried.iter().map(|item| item["source_path"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), [at("b.txt"), at("c.txt")]);
    assert!(tried.iter().all(|item| item["metadata"]["label"] == "test"), "with their metadata: {tried:#?}");
    assert_eq!(stored(&play.gateway, "default", "winter").len(), 2);

    play.origin.put("/basic/c.txt", "c");
    let last = retry(&again, &[]).await.expect(202);
    let last = play.api.finished(last["job_id"].as_str().unwrap()).await;
    retry(&last, &[]).await.problem(409, "nothing_to_retry");
    // A job that is under way is left alone: what fails in it for a reason that passes is tried again by itself.
    play.origin.fail(1, Fault::Late(Duration::from_secs(3)));
    let slow = json!({"dataset_id": "slow", "connection_name": "press", "assets": [{"source_path": at("a.txt")}]});
    let slow = play.api.post("/api/v1/ingestion/assets", &slow).await.expect(202);
    retry(&slow, &[]).await.problem(409, "job_not_finished");
    let stranger = play.api.token("acme", "admin").await;
    stranger.send(Method::POST, &format!("/api/v1/ingestion/jobs/{}/retry", job["job_id"].as_str().unwrap()), &[], None).await.problem(404, "job_not_found");
}
