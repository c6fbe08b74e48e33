//! The log as a program reads it: one line a request, with its id, its route and who asked, and nothing of what it asked for.

use std::time::Duration;

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::gateway::Gateway;
use serde_json::{Value, json};

use crate::play::{basic_body, play_with, ready_web};

/// The line of a request that was answered. It is written when its answer has been taken, which its client may see a moment before.
pub async fn line_of(gateway: &Gateway, request_id: &str) -> Value {
    for _ in 0..500 {
        let lines: Vec<Value> = lines(gateway).into_iter().filter(|line| line["request_id"] == request_id).collect();
        if let [line] = lines.as_slice() {
            return line.clone();
        }
        assert!(lines.is_empty(), "more than one line: {lines:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no line of {request_id}:\n{}", gateway.log());
}

/// Each is one JSON object, the greeting apart.
fn lines(gateway: &Gateway) -> Vec<Value> {
    let log = gateway.log();
    let whole = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let lines = whole.filter(|line| !line.starts_with("listening on"));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

async fn get(api: &Api, path: &str, id: &str) -> u16 {
    let answer = api.send(Method::GET, path, &[("x-request-id", id)], None).await;
    assert_eq!(answer.headers["x-request-id"], id);
    answer.status.as_u16()
}

#[tokio::test]
async fn c40_a02_m23_each_request_leaves_one_line_that_says_nothing_of_what_it_asked_for() {
    let play = play_with(&[("PORTCULLIS__LOG__FORMAT", "json")]).await;
    let source = play.origin.url("/basic/canary-path.bin");
    play.origin.put("/basic/canary-path.bin", vec![7; 70_000]);
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;

    let read = play.api.read("press", &source).await;
    let given = read.headers["x-request-id"].to_str().unwrap().to_owned();
    let line = line_of(&play.gateway, &given).await;
    let seen = ["method", "route", "status", "bytes", "org", "message"].map(|field| line[field].clone());
    assert_eq!(seen, [json!("GET"), json!("/api/v1/objects"), json!(200), json!(70_000), json!("default"), json!("answered")], "{line}");
    assert!(line["duration_ms"].as_f64().is_some_and(|took| took > 0.0) && line["level"] == "INFO", "{line}");

    assert_eq!(get(&play.api, "/api/v1/connections/press", "their-id.1").await, 200);
    assert_eq!(line_of(&play.gateway, "their-id.1").await["route"], "/api/v1/connections/{name_or_id}");
    assert_eq!(get(&play.api, "/api/v1/connections/canary-name?token=canary-token", "their-id.2").await, 404);
    let line = line_of(&play.gateway, "their-id.2").await;
    assert_eq!((&line["status"], &line["code"], &line["message"]), (&json!(404), &json!("connection_not_found"), &json!("refused")));
    let nobody = play.api.with_token("");
    assert_eq!(get(&nobody, "/api/v1/connections?token=canary-token", "their-id.3").await, 401);
    assert_eq!(line_of(&play.gateway, "their-id.3").await["org"], "-");
    assert_eq!(get(&nobody, "/canary-path", "their-id.4").await, 404);
    assert_eq!(line_of(&play.gateway, "their-id.4").await["route"], "none");
    let head = play.api.object(Method::HEAD, "press", &source, &[("x-request-id", "their-id.5")]).await;
    assert_eq!(head.status.as_u16(), 200);
    assert_eq!(line_of(&play.gateway, "their-id.5").await["bytes"], 0);

    // What is no id is replaced, and a problem names the one in force.
    let odd = play.api.send(Method::GET, "/api/v1/connections/nobody", &[("x-request-id", "two words")], None).await;
    let (named, sent) = (odd.json()["request_id"].clone(), odd.headers["x-request-id"].to_str().unwrap().to_owned());
    assert_eq!(named, json!(sent));
    assert_ne!(sent, "two words");
    let log = play.gateway.log();
    for canary in ["canary", "two words", play.gateway.token()] {
        assert!(!log.contains(canary), "{canary} is in the log:\n{log}");
    }
}
