//! Spans, as a collector gets them: OTLP over HTTP, with their parents and without what nobody may know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use http::Method;
use portcullis_tests::scene::{MEDIA, READER_ROLE};
use serde_json::json;
use tokio::net::TcpListener;

use crate::play::{play_with, ready_role};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[derive(Clone, Debug, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    attributes: BTreeMap<String, String>,
    started: u64,
    ended: u64,
}

/// Takes what is posted to `/v1/traces`, and nothing else.
#[derive(Clone, Default)]
struct Collector {
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let bodies = collector.bodies.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            bodies.lock().unwrap().push(body);
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/v1/traces", post(take))).await.unwrap() });
        (collector, url)
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        // ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span.
        let below = |all: Vec<Vec<u8>>, field: u64| -> Vec<Vec<u8>> { all.iter().flat_map(|message| parts(message, field)).collect() };
        let resources = below(bodies.iter().map(|body| body.to_vec()).collect(), 1);
        below(below(resources, 2), 2).iter().map(|span| read(span)).collect()
    }

    /// Once there is a span of that name for which `wanted` is true.
    async fn wait(&self, name: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        for _ in 0..1500 {
            if let Some(span) = self.spans().into_iter().find(|span| span.name == name && wanted(span)) {
                return span;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no such {name} among {:#?}", self.spans());
    }
}

/// Protobuf's wire format: numbers as they are, bytes with their length.
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

fn fields(mut message: &[u8]) -> Vec<(u64, Value)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = message[0];
            *message = &message[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut message)),
            1 => {
                let (number, rest) = message.split_at(8);
                message = rest;
                Value::Number(u64::from_le_bytes(number.try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Value::Bytes(bytes.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn parts(message: &[u8], field: u64) -> Vec<Vec<u8>> {
    let found = fields(message).into_iter().filter(|(number, _)| *number == field);
    found.filter_map(|(_, value)| if let Value::Bytes(bytes) = value { Some(bytes) } else { None }).collect()
}

fn read(message: &[u8]) -> Span {
    let mut span = Span::default();
    for (field, value) in fields(message) {
        match (field, value) {
            (1, Value::Bytes(id)) => span.trace = hex::encode(id),
            (2, Value::Bytes(id)) => span.id = hex::encode(id),
            (4, Value::Bytes(id)) => span.parent = hex::encode(id),
            (5, Value::Bytes(name)) => span.name = String::from_utf8(name).unwrap(),
            (6, Value::Number(kind)) => span.kind = kind,
            (7, Value::Number(time)) => span.started = time,
            (8, Value::Number(time)) => span.ended = time,
            (9, Value::Bytes(attribute)) => {
                let key = String::from_utf8(parts(&attribute, 1).remove(0)).unwrap();
                let value = match fields(&parts(&attribute, 2)[0]).remove(0).1 {
                    Value::Bytes(text) => String::from_utf8(text).unwrap(),
                    Value::Number(number) => number.to_string(),
                };
                span.attributes.insert(key, value);
            }
            _ => {}
        }
    }
    span
}

#[tokio::test]
async fn m23_a_requests_spans_arrive_under_its_clients_and_say_nothing_of_secrets() {
    let (collector, url) = Collector::start().await;
    let play = play_with(&[("PORTCULLIS__TRACE__OTLP_ENDPOINT", url.as_str())]).await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    let read = play.api.object(Method::GET, "films", &source, &[("traceparent", &parent), ("x-request-id", "traced-1")]).await;
    assert_eq!(read.text(), "jpeg a");

    let request = collector.wait("request", |span| span.trace == TRACE).await;
    assert_eq!((request.parent.as_str(), request.kind), (CLIENT, 2));
    let shown = ["http.request.method", "http.route", "http.response.status_code", "request.id"].map(|name| request.attributes[name].as_str());
    assert_eq!(shown, ["GET", "/api/v1/objects", "200", "traced-1"]);
    for name in ["plan", "judge", "lease", "fetch"] {
        let span = collector.wait(name, |span| span.trace == TRACE).await;
        assert_eq!(span.parent, request.id, "{name}");
        assert!(request.started <= span.started && span.started <= span.ended && span.ended <= request.ended, "{name}: {span:?} in {request:?}");
    }
    let of_trace: Vec<Span> = collector.spans().into_iter().filter(|span| span.trace == TRACE).collect();
    assert_eq!(of_trace.len(), 5, "one of each: {of_trace:#?}");
    let fetch = of_trace.iter().find(|span| span.name == "fetch").unwrap();
    assert_eq!((fetch.kind, fetch.attributes["http.response.status_code"].as_str(), fetch.attributes["server.address"].as_str()), (3, "200", "127.0.0.1"));
    assert_eq!(of_trace.iter().find(|span| span.name == "plan").unwrap().attributes["connector"], "aws_iam_role");

    // A client that asks not to be traced is not.
    let unsampled = TRACE.replace("4bf9", "5bf9");
    play.api.object(Method::GET, "films", &source, &[("traceparent", &format!("00-{unsampled}-{CLIENT}-00"))]).await;
    let own = play.api.object(Method::GET, "films", &source, &[("traceparent", "nonsense"), ("x-request-id", "traced-2")]).await;
    assert_eq!(own.status.as_u16(), 200);
    let own = collector.wait("request", |span| span.attributes["request.id"] == "traced-2").await;
    assert_eq!(own.parent, "");

    // An asset has a trace of its own.
    let assets = json!({"dataset_id": "set", "connection_name": "films", "assets": [{"source_path": source}]});
    let job = play.api.post("/api/v1/ingestion/assets", &assets).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    play.api.finished(&job).await;
    let asset = collector.wait("asset", |span| span.attributes["job"] == job).await;
    for name in ["lease", "fetch", "sink"] {
        assert_eq!(collector.wait(name, |span| span.trace == asset.trace).await.parent, asset.id, "{name}");
    }
    let page = collector.wait("page", |span| span.attributes["job"] == job).await;
    for name in ["plan", "judge"] {
        assert_eq!(collector.wait(name, |span| span.trace == page.trace).await.parent, page.id, "{name}");
    }

    assert!(collector.spans().iter().all(|span| span.trace != unsampled));
    let all = collector.bodies.lock().unwrap().concat();
    let contains = |word: &str| all.windows(word.len()).any(|window| window == word.as_bytes());
    for word in ["train/a.jpg", "source_path", "X-Amz", "Signature", READER_ROLE, play.gateway.token()] {
        assert!(!contains(word), "{word} is in a span");
    }
    for (secret, token) in play.aws.sessions() {
        assert!(!contains(&secret) && !contains(&token), "a session's key is in a span");
    }
    assert!(contains("service.name") && contains("portcullis"));
}

#[tokio::test]
async fn m23_a_collector_that_is_gone_costs_spans_and_no_request() {
    let mut play = play_with(&[("PORTCULLIS__TRACE__OTLP_ENDPOINT", "http://127.0.0.1:1")]).await;
    for _ in 0..20 {
        play.api.get("/api/v1/connections").await.expect(200);
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &play.gateway.id().to_string()]).status().unwrap().success());
    assert_eq!(play.gateway.ended().await, Some(0));
    assert!(play.gateway.log().contains("spans were lost on their way to the collector"), "{}", play.gateway.log());
}
