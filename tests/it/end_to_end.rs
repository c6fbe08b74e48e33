//! Each connector that is no part of the gateway, from its file to an ingested asset, while the gateway runs: the same routine for all of them.

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::aws::{Entry, Service, sha256_hex};
use portcullis_tests::gateway::{Gateway, binary};
use portcullis_tests::openapi::PATH;
use portcullis_tests::origin::guard::TOKEN_PATH;
use serde_json::{Value, json};

use crate::kinds::{Kind, Remotes, uploaded};
use crate::openapi::without;
use crate::plugin_install::{connectors, grant};
use crate::signed::opens;

#[tokio::test]
async fn b08_c03_l09_b05_sp31_s23_the_connectors_that_come_as_files_serve_from_the_moment_they_are_granted() {
    let remotes = Remotes::start().await;
    all_serve(&remotes, &remotes.files()).await;
}

#[tokio::test]
async fn b08_b15_l09_b05_sp31_s23_the_connectors_in_c_javascript_and_python_serve_from_the_moment_they_are_granted() {
    let remotes = Remotes::start().await;
    all_serve(&remotes, &remotes.examples()).await;
}

async fn all_serve(remotes: &Remotes, kinds: &[Kind]) {
    let program = sha256_hex(&std::fs::read(binary()).unwrap());
    let mut gateway = remotes.given().start().await;
    let (api, process) = (gateway.api(), gateway.id());
    let mut expected = connectors(&api).await;
    for kind in kinds {
        let start = std::time::Instant::now();
        installed(&gateway, &api, kind).await;
        let name = format!("my_{}", kind.id);
        connected(remotes, &api, kind, &name).await;
        read(remotes, &api, kind, &name).await;
        opens(remotes, &api, kind, &name).await;
        ingested(&api, kind, &name).await;
        println!("{}: {:?}", kind.id, start.elapsed());
        expected.push(kind.id.to_owned());
    }
    only_read(remotes);
    expected.sort();
    assert_eq!(connectors(&api).await, expected);
    assert_eq!(gateway.id(), process, "in one process");
    assert_eq!(sha256_hex(&std::fs::read(binary()).unwrap()), program, "of one program");

    gateway.kill();
    gateway.restart().await;
    for kind in kinds {
        let (source, content) = &kind.files[1];
        assert_eq!(gateway.api().read(&format!("my_{}", kind.id), source).await.text(), *content, "{}: after a kill", kind.id);
    }
    assert!(!gateway.log().contains("panicked"));
}

/// Whatever was created, tested, listed, read and ingested: nothing was asked of a remote but to read, and of STS and a token endpoint a session.
fn only_read(remotes: &Remotes) {
    let (aws, web) = (remotes.aws.journal(), remotes.origin.journal());
    assert!(!web.is_empty());
    let writes = aws.iter().filter(|entry| !["GET", "HEAD"].contains(&entry.method.as_str()) && entry.service != Some(Service::Sts));
    assert_eq!(writes.collect::<Vec<_>>(), Vec::<&Entry>::new());
    let posted = web.iter().filter(|seen| !["GET", "HEAD"].contains(&seen.method.as_str())).map(|seen| (seen.method.as_str(), seen.target.as_str()));
    assert!(posted.clone().all(|posted| posted == ("POST", TOKEN_PATH)), "{:?}", posted.collect::<Vec<_>>());
}

/// The type is there once it is granted, and with it nothing else has changed.
async fn installed(gateway: &Gateway, api: &Api, kind: &Kind) {
    let id = kind.id;
    let document = async || api.with_token("").get(PATH).await.expect(200);
    let before = document().await;
    let offered = uploaded(gateway, api, kind).await;
    assert_eq!((&offered["id"], &offered["state"]), (&json!(id), &json!("pending")));
    assert_eq!(document().await, before, "{id}: what was not granted is not listed");
    assert_eq!(api.post("/api/v1/connections", &kind.body("early")).await.pointers(), ["/type"], "{id}");
    assert_eq!(grant(api, &offered).await.expect(200)["state"], "active", "{id}");
    let after = document().await;
    assert_ne!(after, before, "{id}");
    assert_eq!(without(after, &offered), before, "{id}: nothing else has changed");

    let properties = offered["settings"]["properties"].as_object().unwrap();
    let secret: Vec<&String> = properties.iter().filter(|(_, property)| is_secret(property, &offered["settings"])).map(|(name, _)| name).collect();
    assert_eq!(secret, kind.secrets, "{id}: each secret is marked");
}

/// Itself, or what it refers to.
fn is_secret(property: &Value, schema: &Value) -> bool {
    let referred = property["$ref"].as_str().and_then(|at| schema.pointer(at.strip_prefix('#')?));
    property["writeOnly"] == true || referred.is_some_and(|property| property["writeOnly"] == true)
}

/// Its schema judges what is sent; what is right is made, tested and shown without its secrets.
async fn connected(remotes: &Remotes, api: &Api, kind: &Kind, name: &str) {
    let id = kind.id;
    let listed = api.all("/api/v1/connectors").await.into_iter().find(|connector| connector["id"] == id).unwrap();
    let mut required: Vec<String> =
        listed["settings"]["required"].as_array().unwrap().iter().map(|field| format!("/config/{}", field.as_str().unwrap())).collect();
    let empty = api.post("/api/v1/connections", &json!({"name": "empty", "type": id, "config": {}})).await;
    let mut missing = empty.pointers();
    required.sort();
    missing.sort();
    assert_eq!((empty.status.as_u16(), missing), (422, required), "{id}");
    let mut surplus = kind.body("surplus");
    surplus["config"]["is_admin"] = json!(true);
    assert_eq!(api.post("/api/v1/connections", &surplus).await.status, 422, "{id}");

    let made = api.post("/api/v1/connections", &kind.body(name)).await.expect(201);
    kind.trusted(remotes, &made);
    let tested = api.post(&format!("/api/v1/connections/{name}/test"), &json!({})).await.expect(200);
    assert_eq!((&tested["status"], &tested["passed"]), (&json!("ready"), &json!(true)), "{id}: {tested:#}");
    let shown = api.get(&format!("/api/v1/connections/{name}")).await.expect(200);
    assert_eq!(shown["type"], id);
    for secret in kind.secrets {
        assert_eq!(shown["config"][secret], json!({"set": true}), "{id}");
    }
    let setup = api.get(&format!("/api/v1/connections/{name}/setup")).await.expect(200);
    assert_eq!(setup["steps"].as_array().unwrap().is_empty(), id == "https_public", "{id}: it says what its customer has to do, if there is anything");
}

/// Whole, in part, its head, what is not there, what lies outside, and the plan of it.
async fn read(remotes: &Remotes, api: &Api, kind: &Kind, name: &str) {
    let id = kind.id;
    for (source, content) in &kind.files {
        let whole = api.read(name, source).await;
        assert_eq!((whole.status.as_u16(), whole.text()), (200, content.clone()), "{id}: {source}");
    }
    let (source, content) = &kind.files[0];
    let part = api.object(Method::GET, name, source, &[("range", "bytes=2-5")]).await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, "2345"), "{id}");
    assert_eq!(part.headers["content-range"], format!("bytes 2-5/{}", content.len()), "{id}");
    let head = api.object(Method::HEAD, name, source, &[]).await;
    assert_eq!((head.status.as_u16(), &head.headers["content-length"]), (200, &content.len().to_string().parse().unwrap()), "{id}");

    let (outside, status, code) = kind.outside;
    let asked = remotes.asked();
    api.read(name, outside).await.problem(status, code);
    let plan = api.post("/api/v1/plan", &json!({"connection": name, "source_paths": [source, outside]})).await.expect(200);
    assert_eq!(remotes.asked(), asked, "{id}: neither a refusal nor a plan asks anybody");
    assert!(plan["items"][0]["request"].is_object() && plan["items"][1]["error"]["code"] == code, "{id}: {plan:#}");
    for secret in kind.secrets {
        let value = kind.settings[secret].as_str().unwrap();
        assert!(!plan.to_string().contains(value), "{id}: {plan:#}");
    }

    let browsed = api.post(&format!("/api/v1/connections/{name}/list"), &json!({"prefix": kind.listing.as_ref().map_or("", |(prefix, _)| prefix)})).await;
    match &kind.listing {
        Some((_, expected)) => {
            let page = browsed.expect(200);
            let entries = page["entries"].as_array().unwrap().iter().map(|entry| &entry["path"]).chain(page["prefixes"].as_array().unwrap());
            assert_eq!(entries.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "{id}");
        }
        None => assert!(browsed.status.is_client_error() && browsed.code() == "list_not_supported", "{id}: {}", browsed.text()),
    }
}

/// To the end: every file but the one that lies outside.
async fn ingested(api: &Api, kind: &Kind, name: &str) {
    let id = kind.id;
    let sources = kind.files.iter().map(|(source, _)| source.as_str()).chain([kind.outside.0]);
    let assets: Vec<Value> = sources.map(|source| json!({"source_path": source, "metadata": {"of": id}})).collect();
    let job = api.post("/api/v1/ingestion/assets", &json!({"dataset_id": id, "connection_name": name, "assets": assets})).await.expect(202);
    let job = job["job_id"].as_str().unwrap();
    let ended = api.finished(job).await;
    let items = api.all(&format!("/api/v1/ingestion/jobs/{job}/assets")).await;
    let outcome = |item: &Value| (item["source_path"].as_str().unwrap().to_owned(), item["status"].as_str().unwrap().to_owned());
    let mut outcomes: Vec<_> = items.iter().map(outcome).collect();
    let mut expected: Vec<_> = kind.files.iter().map(|(source, _)| (source.clone(), "completed".to_owned())).collect();
    expected.push((kind.outside.0.to_owned(), "error".to_owned()));
    outcomes.sort();
    expected.sort();
    assert_eq!(outcomes, expected, "{id}: {ended:#}");
    assert_eq!((&ended["status"], &ended["total"], &ended["errored"]), (&json!("completed"), &json!(4), &json!(1)), "{id}: {ended:#}");
}
