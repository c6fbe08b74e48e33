//! The log, as a program and as a person reads it: one line a request, with its id, its route and who asked, and nothing of what it asked for.

use std::time::Duration;

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::gateway::Gateway;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::play::{basic_body, play, play_with, ready_web};

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
async fn a17_m18_a_request_leaves_one_short_line_of_text_whatever_it_says() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let forged = "\n2026-01-01T00:00:00Z ERROR portcullis::audit: THE AUDIT LOG IS DAMAGED\u{1b}[2K\u{9b}2K\u{2028}";
    let query = |name: &str, value: &str| url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let pairs = [("connection", "press".to_owned()), ("source_path", play.origin.url(forged))];
    let object = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let requests = [
        (Method::POST, "/api/v1/connections/press/list".to_owned(), json!({ forged: 1 })),
        (Method::POST, "/api/v1/connections/press/list".to_owned(), json!({ "prefix": forged })),
        (Method::POST, "/api/v1/connections".to_owned(), json!({ "name": forged, "type": forged, "config": { forged: forged } })),
        (Method::PUT, "/api/v1/datasets/cats".to_owned(), json!({ "default_connection": forged })),
        (Method::GET, format!("/api/v1/connections?{}", query(forged, "1")), Value::Null),
        (Method::GET, format!("/api/v1/audit?{}", query("verb", forged)), Value::Null),
        (Method::GET, format!("/api/v1/objects?{object}"), Value::Null),
    ];
    let before = play.gateway.log().len();
    let mut ids = Vec::new();
    for (method, path, body) in requests {
        let id = format!("forged-{}", ids.len());
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        let headers = [("x-request-id", &*id), ("content-type", "application/json")];
        let answer = play.api.send(method, &path, &headers, body).await;
        assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{path}: {}", answer.text());
        ids.push(id);
    }
    // Any word is a method.
    let mut odd = TcpStream::connect(play.gateway.url().trim_start_matches("http://")).await.unwrap();
    let head = format!("{} /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: odd\r\nconnection: close\r\n\r\n", "BREW".repeat(10_000));
    odd.write_all(head.as_bytes()).await.unwrap();
    odd.read_to_end(&mut Vec::new()).await.unwrap();
    ids.push("odd".to_owned());

    let mut log = String::new();
    for _ in 0..500 {
        log = play.gateway.log().split_off(before);
        if ids.iter().all(|id| log.contains(&format!("request_id={id} "))) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(log.lines().count(), ids.len(), "{log}");
    for id in &ids {
        let of = |line: &&str| line.contains(&format!("request_id={id} ")) && line.len() < 1500;
        assert_eq!(log.lines().filter(of).count(), 1, "{id}: {log}");
    }
    assert!(log.chars().all(|letter| letter == '\n' || !(letter.is_control() || letter == '\u{2028}')), "{log:?}");
    assert!(log.contains("\\n2026-01-01T00:00:00Z ERROR"), "what was sent is in it: {log}");
    assert!(log.contains(" method=PUT ") && log.contains("request_id=odd method=other "), "{log}");
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
    // A URL that is signed is read in the name of the organization that signed it.
    let signed = play.api.post("/api/v1/connections/press/sign", &json!({"source_path": source})).await.expect(201);
    let url = signed["url"].as_str().unwrap().strip_prefix(play.gateway.url()).unwrap();
    for (url, id, status, org) in [(url.to_owned(), "their-id.6", 200, "default"), (format!("{url}x"), "their-id.7", 403, "-")] {
        assert_eq!(get(&nobody, &url, id).await, status);
        let line = line_of(&play.gateway, id).await;
        assert_eq!((&line["route"], &line["org"]), (&json!("/s"), &json!(org)), "{line}");
    }
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
