//! A dataset's default connection (SPEC L14): whose, from when, and what happens when it is gone.

use std::time::Duration;

use portcullis_tests::api::Api;
use portcullis_tests::aws::{Fault, Service};
use portcullis_tests::scene::{SHARED, shared_with};
use serde_json::{Value, json};

use crate::play::{basic_body, bearer_body, play, ready_web};

const CATS: &str = "/api/v1/datasets/cats";
const ASSETS: &str = "/api/v1/ingestion/assets";

fn submission(source: &str) -> Value {
    json!({"dataset_id": "cats", "assets": [{"source_path": source}]})
}

async fn set(api: &Api, connection: &Value) -> Value {
    api.put(CATS, &json!({"default_connection": connection})).await.expect(200)
}

#[tokio::test]
async fn l14_assets_without_a_connection_go_through_their_datasets() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "basic a");
    let source = play.origin.url("/basic/a.txt");
    let made = ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    let member = play.api.token("default", "member").await;

    assert_eq!(member.post(ASSETS, &submission(&source)).await.pointers(), ["/connection_name"], "there is no default yet");
    member.get(CATS).await.problem(404, "dataset_not_found");
    member.put(CATS, &json!({"default_connection": "press"})).await.problem(403, "role_required");
    for (given, pointer) in
        [(json!({}), "/default_connection"), (json!({"default_connection": 1}), "/default_connection"), (json!({"default_connection": "press", "x": 1}), "/x")]
    {
        assert_eq!(play.api.put(CATS, &given).await.pointers(), [pointer], "{given}");
    }
    play.api.put(CATS, &json!({"default_connection": "never_made"})).await.problem(404, "connection_not_found");
    play.api.put("/api/v1/datasets/..x", &json!({"default_connection": "press"})).await.problem(400, "invalid_parameter");
    member.get(CATS).await.problem(404, "dataset_not_found");

    let shown = set(&play.api, &json!("press")).await;
    let expected = (&json!("cats"), &json!("press"), &made["connection_id"]);
    assert_eq!((&shown["dataset_id"], &shown["default_connection"], &shown["default_connection_id"]), expected);
    assert_eq!(member.get(CATS).await.expect(200), shown);
    // Under another name it is the same connection.
    play.api.patch("/api/v1/connections/press", &json!({"name": "wire"})).await.expect(200);
    assert_eq!(member.get(CATS).await.expect(200)["default_connection"], "wire");
    let job = member.post(ASSETS, &submission(&source)).await.expect(202);
    assert_eq!(job["connection_id"], made["connection_id"]);
    assert_eq!(member.finished(job["job_id"].as_str().unwrap()).await["errored"], 0);
    // One that is named counts more, and another dataset has none.
    let mut named = submission(&source);
    named["connection_name"] = json!("never_made");
    member.post(ASSETS, &named).await.problem(404, "connection_not_found");
    let dogs = json!({"dataset_id": "dogs", "assets": [{"source_path": source}]});
    assert_eq!(member.post(ASSETS, &dogs).await.pointers(), ["/connection_name"]);

    // Without one nothing is kept, however often it is taken away.
    for _ in 0..2 {
        assert_eq!(set(&play.api, &Value::Null).await["default_connection_id"], Value::Null);
        member.get(CATS).await.problem(404, "dataset_not_found");
    }
    assert_eq!(member.post(ASSETS, &submission(&source)).await.pointers(), ["/connection_name"]);
    // The connection that always exists is one, too.
    assert_eq!(set(&play.api, &json!("portcullis")).await["default_connection"], "portcullis");

    // The audit log, newest first: a record that is kept has its hash in it.
    let changes = play.api.get("/api/v1/audit?verb=change").await.expect(200);
    let of_cats = changes["items"].as_array().unwrap().iter().filter(|line| line["subject"] == "dataset" && line["id"] == "cats");
    let kept: Vec<_> = of_cats.map(|line| line.get("after").is_some()).collect();
    assert_eq!(kept.get(..3), Some(&[true, false, false][..]), "{changes}");
}

#[tokio::test]
async fn l14_a05_a_default_connection_is_its_organizations_and_ends_with_the_connection() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "basic a");
    let source = play.origin.url("/basic/a.txt");
    let (acme, other) = (play.api.token("acme", "admin").await, play.api.token("other", "admin").await);
    let made = ready_web(&acme, basic_body("press", &play.origin), &source).await;
    for name_or_id in [&json!("press"), &made["connection_id"]] {
        other.put(CATS, &json!({"default_connection": name_or_id})).await.problem(404, "connection_not_found");
    }
    set(&acme, &json!("press")).await;
    other.get(CATS).await.problem(404, "dataset_not_found");
    assert_eq!(other.post(ASSETS, &submission(&source)).await.pointers(), ["/connection_name"], "the same id is another dataset there");

    acme.delete("/api/v1/connections/press").await.expect(200);
    let shown = acme.get(CATS).await.expect(200);
    assert_eq!((&shown["default_connection"], &shown["default_connection_id"]), (&Value::Null, &made["connection_id"]));
    let refused = acme.post(ASSETS, &submission(&source)).await;
    refused.problem(409, "default_connection_deleted");
    assert!(refused.json()["remedy"].is_string(), "{}", refused.text());
    // Another one that takes its name is another one.
    ready_web(&acme, basic_body("press", &play.origin), &source).await;
    acme.post(ASSETS, &submission(&source)).await.problem(409, "default_connection_deleted");
    set(&acme, &json!("press")).await;
    let job = acme.post(ASSETS, &submission(&source)).await.expect(202);
    assert_eq!(acme.finished(job["job_id"].as_str().unwrap()).await["errored"], 0);
}

#[tokio::test]
async fn a08_a_running_job_keeps_its_connection_whatever_becomes_of_the_default() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    ready_web(&play.api, bearer_body("wire", &play.origin), &play.origin.url("/bearer/a.txt")).await;
    play.aws.bucket_policy(SHARED, Some(&shared_with(SHARED, "default")));
    set(&play.api, &json!("portcullis")).await;
    let first = play.api.get(CATS).await.expect(200)["default_connection_id"].clone();
    // Its one object comes late, so that the job runs while everything below is done.
    play.aws.fail_where(Service::S3, &["GET", "a.txt"], Fault::Late(Duration::from_secs(3)));
    let job = play.api.post(ASSETS, &submission(&format!("s3://{SHARED}/a.txt"))).await.expect(202);
    let path = format!("/api/v1/ingestion/jobs/{}", job["job_id"].as_str().unwrap());

    play.api.delete("/api/v1/connections/portcullis").await.problem(409, "default_connection");
    assert_eq!(set(&play.api, &json!("wire")).await["default_connection"], "wire");
    let running = play.api.get(&path).await.expect(200);
    assert!(running["finished_at"].is_null() && running["connection_id"] == first, "{running}");
    let next = play.api.post(ASSETS, &submission(&play.origin.url("/bearer/a.txt"))).await.expect(202);
    assert_ne!(next["connection_id"], first, "what comes later goes through the new one");

    let ended = play.api.finished(job["job_id"].as_str().unwrap()).await;
    assert_eq!((&ended["status"], &ended["errored"], &ended["connection_id"]), (&json!("completed"), &json!(0), &first), "{ended}");
    assert_eq!(play.api.finished(next["job_id"].as_str().unwrap()).await["errored"], 0);
}
