//! The API's own document is true: it is OpenAPI, it names every route and role, and what the gateway answers is what it describes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use portcullis_tests::component::{FIFTH, version};
use portcullis_tests::ministack::root;
use portcullis_tests::openapi::{Described, PATH};
use portcullis_tests::process::Process;
use portcullis_tests::scene::{MEDIA, READER_ROLE};
use serde_json::{Value, json};

use crate::play::{basic_body, bearer_body, play, ready_role, ready_web, role_body};
use crate::plugin_install;

/// It takes a minute; nextest ends a test after three.
const PATIENCE: Duration = Duration::from_secs(170);

/// The Python that has the tools. Panics with what to run where it is missing: a test is never skipped.
fn python() -> PathBuf {
    let venv = root().join("target/schemathesis-venv");
    assert!(venv.join("pins").exists(), "the tools are not installed: run `scripts/schemathesis install` (`make test` does)");
    venv.join("bin/python")
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_needs_no_token() {
    let play = play().await;
    let answer = play.api.with_token("").get(PATH).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let program = "import json, sys\nfrom openapi_spec_validator import OpenAPIV31SpecValidator as V\n\
                   wrong = [f'{list(e.absolute_path)}: {e.message[:300]}' for e in V(json.load(sys.stdin)).iter_errors()]\nsys.exit('\\n'.join(wrong) or 0)";
    let mut child = Command::new(python()).args(["-c", program]).env_clear().stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let document = answer.json();
    let mapping = &document["components"]["schemas"]["ConnectionCreate"]["discriminator"]["mapping"];
    let listed: Vec<Value> = play.api.all("/api/v1/connectors").await;
    assert!(listed.len() >= 4 && mapping.as_object().unwrap().len() == listed.len(), "{mapping}");
    for connector in &listed {
        let id = connector["id"].as_str().unwrap();
        assert_eq!(mapping[id], format!("#/components/schemas/ConnectionCreate.{id}"));
        let (listed, own) = (&document["components"]["schemas"][format!("connector.{id}")]["properties"], &connector["settings"]["properties"]);
        assert_eq!(*listed, untitled(own.clone()), "{id}");
    }
    let text = answer.text();
    assert!(!text.contains(READER_ROLE) && !text.contains("111122223333"), "what is configured is not shown");

    let etag = answer.headers["etag"].to_str().unwrap();
    let again = play.api.send(Method::GET, PATH, &[("if-none-match", etag)], None).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(play.api.send(Method::GET, PATH, &[("if-none-match", "\"other\"")], None).await.status, 200);
}

/// Titles are for forms: generators of clients make names of types of them.
fn untitled(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|name, value| name != "title" || !value.is_string());
        map.values_mut().for_each(|value| *value = untitled(value.take()));
    }
    value
}

#[tokio::test]
async fn a01_every_operation_that_is_described_is_there_for_its_roles_and_nothing_else_is() {
    let play = play().await;
    let described = Described::by(&play.api).await;
    assert!(described.operations.len() > 25, "{}", described.operations.len());
    let member = play.api.token("default", "member").await;
    let admin = play.api.token("default", "admin").await;
    let nobody = play.api.with_token("");
    for operation in &described.operations {
        let (id, method, path) = (operation.id(), operation.method.clone(), operation.filled("nothing"));
        let body = operation.described["requestBody"].is_object().then(|| json!({}));
        let call = |api| described.call_as(api, method.clone(), &path, &[], body.as_ref());
        let (unknown, by_member) = (call(&nobody).await, call(&member).await);
        assert!(by_member.status != 405 && by_member.code() != "no_such_route", "{id}: {}", by_member.text());
        if operation.path == "/s" {
            // A URL that nobody signed. Neither does a token open it.
            assert_eq!((unknown.status.as_u16(), by_member.status.as_u16()), (403, 403), "{id}");
            continue;
        }
        if !operation.needs_token() {
            assert!(unknown.status.is_success(), "{id}: {}", unknown.text());
            continue;
        }
        assert_eq!(unknown.status, 401, "{id}");
        match operation.described["x-role"].as_str() {
            None => assert_ne!(by_member.code(), "role_required", "{id} is described as anybody's"),
            Some(role) => {
                by_member.problem(403, "role_required");
                let refused = call(&admin).await.code() == "role_required";
                assert_eq!(refused, role == "operator", "{id} is described as the {role}'s");
            }
        }
    }
    let mut paths: Vec<&str> = described.operations.iter().map(|operation| operation.path.as_str()).collect();
    paths.dedup();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let known = described.operations.iter().find(|operation| operation.path == path && operation.method == method);
            if known.is_none() {
                let filled: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part }).collect();
                play.api.send(method, &filled.join("/"), &[], None).await.problem(405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn the_document_before_and_after_an_install_differ_by_that_connector_only() {
    let play = play().await;
    let now = async || {
        let answer = play.api.with_token("").get(PATH).await;
        (answer.headers["etag"].clone(), answer.expect(200))
    };
    let before = now().await;
    let offered = plugin_install::upload(&play.api, version(1)).await.expect(201);
    assert_eq!(now().await, before, "what was not granted is not listed");
    plugin_install::grant(&play.api, &offered).await.expect(200);
    let (etag, after) = now().await;
    assert_ne!(etag, before.0);
    assert_eq!(without(after, &offered), before.1, "nothing else has changed");

    play.api.delete(&format!("/api/v1/plugins/{FIFTH}")).await.expect(200);
    assert_eq!(now().await, before, "removed, it is gone from here too");
}

/// The document without a connector that it lists as it was offered.
pub fn without(mut document: Value, offered: &Value) -> Value {
    let id = offered["id"].as_str().unwrap();
    for path in document["paths"].as_object_mut().unwrap().values_mut() {
        if let Some(examples) = path.pointer_mut("/post/requestBody/content/application~1json/examples").and_then(Value::as_object_mut) {
            examples.remove(id).expect("it has an example");
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    let settings = schemas.remove(&format!("connector.{id}")).expect("its settings are listed");
    // References in them are moved to where the document has what they refer to.
    let names = |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&settings), names(&offered["settings"]));
    schemas.retain(|name, _| !name.starts_with(&format!("connector.{id}.")));
    let body = schemas.remove(&format!("ConnectionCreate.{id}")).expect("the body that makes a connection of it is listed");
    assert_eq!(
        (&body["properties"]["type"]["const"], &body["properties"]["config"]["$ref"]),
        (&json!(id), &json!(format!("#/components/schemas/connector.{id}")))
    );
    let create = &mut schemas["ConnectionCreate"];
    create["discriminator"]["mapping"].as_object_mut().unwrap().remove(id).expect("its type is listed");
    create["oneOf"].as_array_mut().unwrap().retain(|one| one["$ref"] != format!("#/components/schemas/ConnectionCreate.{id}"));
    document
}

/// The router is built by `Routes`, which takes no route of the API without its description: nothing else may build one.
#[test]
fn every_route_is_described() {
    let mut broken = Vec::new();
    let mut folders = vec![root().join("host/src/http")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = if path.is_dir() { String::new() } else { std::fs::read_to_string(&path).unwrap() };
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("http/routes.rs") && [".route(", "axum::routing", "route_service", "nest_service"].iter().any(|mark| text.contains(mark))
            {
                broken.push(path.display().to_string());
            }
        }
    }
    assert!(broken.is_empty(), "routes are made with `Routes` alone, so that the document has them all: {broken:?}");
}

#[tokio::test]
async fn c16_every_operations_answers_are_what_is_described() {
    let play = play().await;
    let api = &play.api;
    let described = Described::by(api).await;
    let nobody = api.with_token("");
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let call = |method: &Method, path: &str, body: Option<Value>| {
        let (described, method, path) = (&described, method.clone(), path.to_owned());
        async move { described.call(method, &path, body.as_ref()).await }
    };
    for path in ["/healthz", "/readyz", "/version", PATH, "/api/v1/whoami", "/api/v1/connectors", "/api/v1/plugins/https_basic"] {
        call(&get, path, None).await.expect(200);
    }
    call(&get, "/api/v1/plugins/none", None).await.problem(404, "plugin_not_found");
    call(&get, "/api/v1/connectors?limit=501", None).await.problem(400, "invalid_parameter");
    call(&get, "/api/v1/connectors?limit=1", None).await.expect(200);

    // A plugin's life.
    let wasm = [("content-type", "application/wasm")];
    let upload = async |bytes: Vec<u8>| described.send(api, Method::POST, "/api/v1/plugins", &wasm, Some(bytes)).await;
    upload(b"no component".to_vec()).await;
    let offered = upload(version(1)).await.expect(201);
    upload(version(1)).await.expect(200);
    let plugin = format!("/api/v1/plugins/{FIFTH}");
    let mut ask = json!({"digest": offered["digest"], "capabilities": [], "egress": offered["egress"]});
    call(&post, &format!("{plugin}/grant"), Some(ask.clone())).await.problem(422, "grant_mismatch");
    call(&post, &format!("{plugin}/activate"), Some(json!({"digest": offered["digest"]}))).await.problem(409, "grant_required");
    call(&get, &plugin, None).await.expect(200);
    ask["capabilities"] = offered["imports"].clone();
    call(&post, &format!("{plugin}/grant"), Some(ask)).await.expect(200);
    play.origin.put("/bearer/a.txt", "bearer a");
    ready_web(api, plugin_install::body("fifth", &play.origin), &play.origin.url("/bearer/a.txt")).await;
    let second = upload(version(2)).await.expect(201);
    call(&get, "/api/v1/plugins", None).await.expect(200);
    call(&post, &format!("{plugin}/activate"), Some(json!({"digest": second["digest"]}))).await.expect(200);
    let first = format!("{plugin}/versions/{}", offered["digest"].as_str().unwrap());
    call(&delete, &first, None).await.problem(409, "plugin_in_use");
    for api_version in ["v1", "v0"] {
        let target = format!("/api/{api_version}/connections/fifth/plugin");
        call(&post, &target, Some(json!({"digest": "latest"}))).await.expect(422);
        let pinned = format!("/api/{api_version}/connections/fifth/connector");
        let before = if api_version == "v1" { &offered["digest"] } else { &second["digest"] };
        assert_eq!(call(&get, &pinned, None).await.expect(200)["digest"], *before, "whatever is active");
        assert_eq!(call(&post, &target, None).await.expect(200)["plugin"], second["digest"]);
        assert_eq!(call(&get, &pinned, None).await.expect(200)["digest"], second["digest"]);
    }
    call(&delete, &first, None).await.expect(200);
    call(&delete, "/api/v1/connections/fifth", None).await.expect(200);
    call(&delete, &plugin, None).await.expect(200);
    call(&delete, &plugin, None).await.problem(404, "plugin_not_found");
    call(&delete, "/api/v1/plugins/https_basic", None).await.problem(409, "connector_built_in");

    // Connections, under both versions: one that is ready and one that is not, and every way to be refused.
    play.origin.put("/basic/a.txt", "0123456789");
    ready_role(api, &play.aws, "films").await;
    ready_web(api, basic_body("press", &play.origin), "/basic/a.txt").await;
    for api_version in ["v1", "v0"] {
        let connections = format!("/api/{api_version}/connections");
        let one = |rest: &str| format!("{connections}/{rest}");
        let name = format!("wire_{api_version}");
        call(&post, &connections, Some(bearer_body(&name, &play.origin))).await.expect(201);
        call(&post, &connections, Some(bearer_body(&name, &play.origin))).await.problem(409, "name_taken");
        call(&post, &connections, Some(json!({"name": "X"}))).await.expect(422);
        call(&post, &format!("{connections}?validate=maybe"), Some(json!({}))).await.problem(400, "invalid_parameter");
        call(&post, &format!("{connections}?validate=require"), Some(role_body("untrusted"))).await.problem(422, "test_failed");
        described.call_as(api, post.clone(), &connections, &[("content-encoding", "gzip")], Some(&json!({}))).await.expect(415);
        call(&get, &connections, None).await.expect(200);
        call(&get, &format!("{connections}?status=ready&type=https_basic&limit=1"), None).await.expect(200);
        call(&get, &one("films"), None).await.expect(200);
        call(&get, &one("nobody"), None).await.problem(404, "connection_not_found");
        call(&patch, &one(&name), Some(json!({"description": "new"}))).await.expect(200);
        call(&patch, &one(&name), Some(json!({"version": 1}))).await.problem(409, "stale_version");
        call(&patch, &one(&name), Some(json!({"type": "other"}))).await.expect(422);
        let stale = [("if-match", "\"1\"")];
        described.call_as(api, patch.clone(), &one(&name), &stale, Some(&json!({"description": "newer"}))).await.problem(412, "stale_version");
        described.call_as(api, delete.clone(), &one(&name), &stale, None).await.problem(412, "stale_version");
        call(&post, &one("films/test"), Some(json!({"update_state": false}))).await.expect(200);
        call(&post, &one("press/test"), None).await.expect(200);
        call(&post, &one("films/list"), Some(json!({"prefix": "train/", "max_keys": 1}))).await.expect(200);
        call(&post, &one("films/list"), Some(json!({"max_keys": 0}))).await.expect(422);
        call(&get, &one("films/setup"), None).await.expect(200);
        assert_eq!(call(&get, &one("films/connector"), None).await.expect(200)["id"], "aws_iam_role");
        call(&post, &one("films/sign"), Some(json!({"source_path": "s3://elsewhere/x"}))).await.problem(403, "scope_violation");
        call(&post, &one("films/sign"), Some(json!({"source_path": 1, "method": "PUT"}))).await.expect(422);
        for method in [Method::GET, Method::HEAD] {
            let ask = json!({"source_path": format!("s3://{MEDIA}/top.txt"), "method": method.as_str(), "expires_in": 60});
            let answer = call(&post, &one("films/sign"), Some(ask)).await.expect(201);
            let path = answer["url"].as_str().unwrap().replace(play.gateway.url(), "");
            let status = |headers: &'static [(&str, &str)]| described.call_as(&nobody, method.clone(), &path, headers, None);
            assert_eq!(status(&[]).await.status, 200);
            assert_eq!(status(&[("range", "bytes=0-3")]).await.status, 206);
            assert_eq!(status(&[("range", "bytes=100-")]).await.status, 416);
            assert_eq!(status(&[("if-match", "\"other\"")]).await.status, 502);
            assert_eq!(call(&method, &format!("{path}A"), None).await.status, 403);
            assert_eq!(call(&method, "/s", None).await.status, 400);
        }
        call(&get, &one("portcullis/setup"), None).await.problem(400, "bucket_name_required");
        call(&delete, &one(&name), None).await.expect(200);
        call(&delete, &one("portcullis"), None).await.problem(409, "default_connection");
    }

    let source = format!("s3://{MEDIA}/top.txt");
    for (connection, sources) in
        [("films", json!([source, "s3://elsewhere/x"])), ("press", json!(["/basic/a.txt", "ftp://x"])), ("portcullis", json!([source]))]
    {
        let plan = call(&post, "/api/v1/plan", Some(json!({"connection": connection, "source_paths": sources}))).await.expect(200);
        assert_eq!(plan["items"].as_array().map(Vec::len), sources.as_array().map(Vec::len));
    }
    call(&post, "/api/v1/plan", Some(json!({"connection": "films", "source_paths": []}))).await.expect(422);

    let object = |source: &str| format!("/api/v1/objects?connection=films&source_path={source}");
    let etag = call(&get, &object(&source), None).await.headers["etag"].to_str().unwrap().to_owned();
    for (headers, status) in [
        (vec![("range", "bytes=0-3")], 206),
        (vec![("range", "bytes=100-")], 416),
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-match", "\"other\"")], 502),
    ] {
        let answer = described.call_as(api, get.clone(), &object(&source), &headers, None).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
    call(&get, &object(&format!("s3://{MEDIA}/none")), None).await.problem(404, "file_not_found");
    call(&get, &object("s3://elsewhere/x"), None).await.problem(403, "scope_violation");
    call(&get, "/api/v1/objects?connection=films", None).await.problem(400, "invalid_parameter");
    for (asked, status) in [(object(&source), 200), (object("s3://elsewhere/x"), 403)] {
        assert_eq!(call(&Method::HEAD, &asked, None).await.status, status);
    }

    let assets = json!([{"source_path": source, "metadata": {"label": "x", "n": 1.5}}, {"source_path": format!("s3://{MEDIA}/none")}]);
    let submission = json!({"dataset_id": "winter", "connection_name": "films", "assets": assets});
    let job = call(&post, "/api/v1/ingestion/assets", Some(submission.clone())).await.expect(202);
    call(&post, "/api/v1/ingestion/assets", Some(json!({"dataset_id": "winter"}))).await.expect(422);
    let key = [("idempotency-key", "one")];
    described.call_as(api, post.clone(), "/api/v1/ingestion/assets", &key, Some(&submission)).await.expect(202);
    described
        .call_as(api, post.clone(), "/api/v1/ingestion/assets", &key, Some(&json!({"dataset_id": "other", "connection_name": "films", "assets": assets})))
        .await
        .problem(409, "idempotency_key_reused");
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(api.finished(id).await["errored"], 1);
    call(&get, "/api/v1/ingestion/jobs?status=completed", None).await.expect(200);
    call(&get, &format!("/api/v1/ingestion/jobs/{id}"), None).await.expect(200);
    let items = call(&get, &format!("/api/v1/ingestion/jobs/{id}/assets"), None).await.expect(200)["items"].clone();
    for item in items.as_array().unwrap() {
        call(&get, &format!("/api/v1/ingestion/assets/{}", item["asset_id"].as_str().unwrap()), None).await.expect(200);
    }
    let retried = call(&post, &format!("/api/v1/ingestion/jobs/{id}/retry"), None).await.expect(202);
    assert_eq!(api.finished(retried["job_id"].as_str().unwrap()).await["errored"], 1);
    call(&post, "/api/v1/ingestion/jobs/none/retry", None).await.problem(404, "job_not_found");
    for path in ["jobs/none", "jobs/none/assets", "assets/none"] {
        assert_eq!(call(&get, &format!("/api/v1/ingestion/{path}"), None).await.status, 404);
    }

    let dataset = "/api/v1/datasets/winter";
    call(&get, dataset, None).await.problem(404, "dataset_not_found");
    call(&put, dataset, Some(json!({"default_connection": "nobody"}))).await.problem(404, "connection_not_found");
    call(&put, dataset, Some(json!({}))).await.expect(422);
    call(&put, dataset, Some(json!({"default_connection": "films"}))).await.expect(200);
    call(&get, dataset, None).await.expect(200);
    call(&post, "/api/v1/ingestion/assets", Some(json!({"dataset_id": "winter", "assets": assets}))).await.expect(202);
    call(&put, dataset, Some(json!({"default_connection": null}))).await.expect(200);

    let organization = json!({"organization": "acme", "description": "Films"});
    assert_eq!(call(&post, "/api/v1/organizations", Some(organization)).await.expect(201)["organization"], "acme");
    call(&post, "/api/v1/organizations", Some(json!({"organization": "acme"}))).await.problem(409, "organization_exists");
    call(&post, "/api/v1/organizations", Some(json!({"organization": "A"}))).await.expect(422);
    call(&get, "/api/v1/organizations", None).await.expect(200);
    call(&get, "/api/v1/organizations/acme", None).await.expect(200);
    call(&delete, "/api/v1/organizations/default", None).await.problem(409, "own_organization");
    call(&delete, "/api/v1/organizations/acme", None).await.expect(200);
    call(&delete, "/api/v1/organizations/acme", None).await.problem(404, "organization_not_found");

    let token = call(&post, "/api/v1/tokens", Some(json!({"name": "t", "role": "member", "expires_at": "2100-01-01T00:00:00Z"}))).await.expect(201);
    call(&post, "/api/v1/tokens", Some(json!({"name": "", "role": "king"}))).await.expect(422);
    call(&get, "/api/v1/tokens", None).await.expect(200);
    let token = format!("/api/v1/tokens/{}", token["token_id"].as_str().unwrap());
    call(&delete, &token, None).await.expect(200);
    call(&delete, &token, None).await.problem(404, "token_not_found");
    let audit = call(&get, "/api/v1/audit?limit=2&verb=fetch", None).await.expect(200);
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(2), "{audit}");
    call(&get, "/api/v1/audit?actor=somebody", None).await.problem(400, "invalid_parameter");
    call(&get, "/api/v1/audit?connection=nobody", None).await.problem(404, "connection_not_found");
    assert_eq!(described.never_succeeded(), Vec::<String>::new(), "each operation's success is looked at here: add it");
}

#[tokio::test]
async fn a01_generated_requests_find_no_answer_that_is_not_described() {
    python();
    let play = play().await;
    // What scripts/schemathesis.toml names.
    play.origin.put("/basic/a.txt", "0123456789");
    ready_role(&play.api, &play.aws, "films").await;
    ready_web(&play.api, basic_body("press", &play.origin), "/basic/a.txt").await;
    for index in 0..4 {
        play.api.post("/api/v1/connections", &bearer_body(&format!("doomed_{index}"), &play.origin)).await.expect(201);
    }
    let before = play.api.all("/api/v1/connections").await;
    let said = play.gateway.folder().join("schemathesis.log");
    let log = File::create(&said).unwrap();
    let mut command = Command::new(root().join("scripts/schemathesis"));
    command.args(["run", play.gateway.url(), "--no-color"]).env("PORTCULLIS_TOKEN", play.gateway.token());
    let mut running = Process::start(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log)).unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = running.ended() {
            break status;
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let said = std::fs::read_to_string(said).unwrap();
    assert!(status.success(), "{said}");
    // It did ask, as somebody who may: some were made, some are gone, and the gateway goes on.
    let names = |list: &[Value]| list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let (before, after) = (names(&before), names(&play.api.all("/api/v1/connections").await));
    assert!(after.difference(&before).count() > 0 && before.difference(&after).any(|name| name.starts_with("doomed")), "{after:?}\n{said}");
    assert!(!play.api.all("/api/v1/ingestion/jobs").await.is_empty(), "no generated submission was accepted\n{said}");
    play.api.get("/readyz").await.expect(200);
}
