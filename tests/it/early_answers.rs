//! A client that is refused before it has sent everything: it sees why, however slowly it sends and however late it reads.

use std::time::{Duration, Instant};

use portcullis_tests::gateway::{Gateway, Given};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PIECE: usize = 1 << 20;

/// What a client sends after its head.
#[derive(Clone, Copy)]
enum Rest {
    /// So many pieces, as declared.
    Declared(usize),
    /// So many pieces, each a chunk.
    Chunked(usize),
}

async fn connected(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.url().strip_prefix("http://").unwrap()).await.unwrap()
}

fn head(path: &str, token: &str, kind: &str, rest: Rest) -> String {
    let framing = match rest {
        Rest::Declared(pieces) => format!("content-length: {}", pieces * PIECE),
        Rest::Chunked(_) => "transfer-encoding: chunked".to_owned(),
    };
    format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n")
}

/// Sends all of it, with pauses, and only then reads what there is to read.
async fn sent_slowly(mut stream: TcpStream, head: &str, rest: Rest, pause: Duration) -> String {
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; PIECE];
    let (pieces, before, after, end) = match rest {
        Rest::Declared(pieces) => (pieces, String::new(), "", ""),
        Rest::Chunked(pieces) => (pieces, format!("{PIECE:x}\r\n"), "\r\n", "0\r\n\r\n"),
    };
    for number in 0..pieces {
        let sent = stream.write_all(&[before.as_bytes(), &piece, after.as_bytes()].concat()).await;
        sent.unwrap_or_else(|error| panic!("piece {number} of {pieces}: {error}"));
        tokio::time::sleep(pause).await;
    }
    stream.write_all(end.as_bytes()).await.unwrap();
    read(&mut stream).await
}

/// To its end.
async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the answer has an end");
    ended.unwrap_or_else(|error| panic!("the answer is lost: {error}"));
    String::from_utf8(answer).unwrap()
}

#[track_caller]
fn is_refusal(what: &str, answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(&format!("\"code\":\"{code}\"")), "{what}: {answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{what}: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: one answer");
}

#[tokio::test]
async fn sp16_o05_a_client_that_sends_slowly_and_reads_late_sees_why_it_was_refused() {
    let gateway = Given::default().start().await;
    let (api, operator) = (gateway.api(), gateway.token());
    let minted = api.post("/api/v1/tokens", &serde_json::json!({"name": "member", "role": "member"})).await.expect(201);
    let member = minted["token"].as_str().unwrap();
    let (plugins, wasm) = ("/api/v1/plugins", "application/wasm");
    let cases = [
        ("a component that is too large", plugins, operator, wasm, Rest::Declared(33), 413, "component_too_large"),
        ("the same, not declared", plugins, operator, wasm, Rest::Chunked(36), 413, "component_too_large"),
        ("JSON that is too large", "/api/v1/connections", operator, "application/json", Rest::Declared(12), 413, "body_too_large"),
        ("the same, not declared", "/api/v1/connections", operator, "application/json", Rest::Chunked(12), 413, "body_too_large"),
        ("a component of somebody who may not", plugins, member, wasm, Rest::Declared(20), 403, "role_required"),
        ("a component of nobody", plugins, "", wasm, Rest::Declared(20), 401, "unauthorized"),
        ("no component", plugins, operator, "text/plain", Rest::Declared(20), 415, "unsupported_media_type"),
        ("to nowhere", "/api/v1/nowhere", operator, wasm, Rest::Declared(20), 404, "no_such_route"),
    ];
    let clients = cases.into_iter().map(|(what, path, token, kind, rest, status, code)| {
        let (gateway, head) = (&gateway, head(path, token, kind, rest));
        // All of it takes four seconds or more.
        let pieces = match rest {
            Rest::Declared(pieces) | Rest::Chunked(pieces) => pieces,
        };
        let pause = Duration::from_secs(4) / u32::try_from(pieces).unwrap();
        async move { is_refusal(what, &sent_slowly(connected(gateway).await, &head, rest, pause).await, status, code) }
    });
    futures_util::future::join_all(clients).await;
    assert!(api.get("/healthz").await.status.is_success() && !gateway.log().contains("panicked"));
}

#[tokio::test]
async fn a_refusal_comes_at_once_and_a_request_that_was_read_keeps_its_connection() {
    let gateway = Given::default().start().await;
    let mut stream = connected(&gateway).await;
    stream.write_all(head("/api/v1/plugins", gateway.token(), "application/wasm", Rest::Declared(33)).as_bytes()).await.unwrap();
    let start = Instant::now();
    is_refusal("nothing of it was sent", &read(&mut stream).await, 413, "component_too_large");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());

    let mut stream = connected(&gateway).await;
    let request = format!(
        "POST /api/v1/connections HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]",
        gateway.token()
    );
    for round in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "round {round}: closed after {answer}");
            answer.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.to_lowercase().contains("connection: close"), "round {round}: {answer}");
    }
}
