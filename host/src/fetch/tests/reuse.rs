//! Sockets are used again by the connection that opened them, and by nobody else.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use super::rig::{Upstream, body, connection, fetcher, fetcher_with, get, read_head, request};
use crate::fetch::Limits;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-trailer: a\r\n\r\n";

#[tokio::test]
async fn a_socket_is_used_again() {
    for answer in [HELLO, CHUNKED] {
        let upstream = Upstream::always(answer).await;
        let fetcher = fetcher();
        for _ in 0..5 {
            assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
        }
        assert_eq!((upstream.accepted(), upstream.requests().len()), (1, 5));
    }
}

#[tokio::test]
async fn a_socket_is_used_again_when_the_reader_stops_at_the_length() {
    let upstream = Upstream::always(HELLO).await;
    let fetcher = fetcher();
    for _ in 0..3 {
        let mut answer = get(&fetcher, upstream.port).await.expect("an answer");
        let mut read = 0;
        while read < 5 {
            read += answer.body.frame().await.expect("a frame").expect("data").into_data().expect("data").len();
        }
    }
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn a_socket_is_used_again_after_head_and_empty_answers() {
    let upstream = Upstream::always(b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n").await;
    let fetcher = fetcher();
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let answer = fetcher.send(crate::fetch::Outbound { method, ..request(upstream.port, "/") }).await.expect("an answer");
        assert_eq!(answer.status, 304);
    }
    let heads = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000000000\r\n\r\n").await;
    for _ in 0..3 {
        let answer = fetcher.send(crate::fetch::Outbound { method: Method::HEAD, ..request(heads.port, "/") }).await.expect("an answer");
        assert_eq!(answer.headers["content-length"], "5000000000000");
    }
    assert_eq!((upstream.accepted(), heads.accepted()), (1, 1));
}

#[tokio::test]
async fn two_connections_never_share_a_socket() {
    let upstream = Upstream::always(HELLO).await;
    let fetcher = fetcher();
    for number in [1, 2, 1, 2] {
        let request = crate::fetch::Outbound { connection: connection(number), ..request(upstream.port, "/") };
        body(fetcher.send(request).await).await.expect("an answer");
    }
    assert_eq!(upstream.accepted(), 2);
}

#[tokio::test]
async fn u05_a_socket_with_more_bytes_than_promised_is_not_used_again() {
    let upstream = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
    let fetcher = fetcher();
    for _ in 0..3 {
        assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
    }
    assert_eq!(upstream.accepted(), 3);
}

#[tokio::test]
async fn u05_a_socket_is_not_used_again_where_the_remote_says_so_or_its_framing_is_in_doubt() {
    for answer in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello".as_slice(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, Close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\nconnection: close\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let upstream = Upstream::always(answer).await;
        let fetcher = fetcher();
        for _ in 0..2 {
            assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
        }
        assert_eq!((upstream.accepted(), fetcher.pool.len()), (2, 0), "{}", String::from_utf8_lossy(answer));
    }
    let upstream = Upstream::always(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: Keep-Alive\r\n\r\nhello").await;
    let fetcher = fetcher();
    for _ in 0..2 {
        assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
    }
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn u05_a_body_that_is_dropped_closes_its_socket() {
    let upstream = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let fetcher = fetcher();
    for _ in 0..2 {
        let mut answer = get(&fetcher, upstream.port).await.expect("an answer");
        answer.body.frame().await.expect("a frame").expect("data");
    }
    assert_eq!(upstream.accepted(), 2);
}

#[tokio::test]
async fn u01_a_socket_that_was_closed_while_idle_is_replaced() {
    let upstream = Upstream::answering(&[HELLO]).await;
    let fetcher = fetcher();
    for _ in 0..3 {
        assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
    }
    assert_eq!((upstream.accepted(), upstream.requests().len()), (3, 3));
}

#[tokio::test]
async fn u01_a_read_is_asked_again_when_the_idle_socket_dies_under_it() {
    // The first answer is good; the second request on a socket is read, and never answered.
    let upstream = Upstream::scripted(|mut socket, requests| async move {
        for answer in [HELLO, b""] {
            let Some(head) = read_head(&mut socket).await else { return };
            requests.lock().expect("not poisoned").push(head);
            socket.write_all(answer).await.expect("written");
        }
    })
    .await;
    let fetcher = fetcher();
    for _ in 0..2 {
        assert_eq!(body(get(&fetcher, upstream.port).await).await, Ok("hello".to_owned()));
    }
    assert_eq!((upstream.accepted(), upstream.requests().len()), (2, 3));
}

#[tokio::test]
async fn u01_a_fresh_socket_that_dies_is_an_error() {
    let upstream = Upstream::answering(&[b""]).await;
    assert_eq!(body(get(&fetcher(), upstream.port).await).await, Err("upstream_connect".to_owned()));
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn m30_idle_sockets_are_bounded_in_number_and_age() {
    let upstream = Upstream::always(HELLO).await;
    let fetcher = fetcher_with(Limits { idle_connections: 2, idle_timeout: Duration::from_millis(50), ..Limits::default() });
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(get(&fetcher, upstream.port).await.expect("an answer"));
    }
    for answer in answers {
        answer.body.bytes(10).await.expect("a body");
    }
    assert_eq!((upstream.accepted(), fetcher.pool.len()), (4, 2));
    tokio::time::sleep(Duration::from_millis(60)).await;
    body(get(&fetcher, upstream.port).await).await.expect("an answer");
    assert_eq!((upstream.accepted(), fetcher.pool.len()), (5, 1));
}

/// The socket of a form is used once, though the remote would keep it.
#[tokio::test]
async fn the_socket_of_a_form_is_not_kept() {
    let upstream = Upstream::always(HELLO).await;
    let fetcher = fetcher();
    let url = url::Url::parse(&format!("http://127.0.0.1:{}/token", upstream.port)).expect("a URL");
    for _ in 0..2 {
        fetcher.post_form(&url, http::HeaderMap::new(), &[]).await.expect("an answer");
    }
    assert_eq!((upstream.accepted(), fetcher.pool.len()), (2, 0));
    assert!(upstream.requests().iter().all(|request| request.contains("\r\ncontent-length: 0\r\n") && request.contains("\r\nconnection: close\r\n")));
}

/// One turn to ask, one to read the answer: nothing on the way wakes the task that is running.
#[tokio::test]
async fn a_small_object_takes_two_turns_of_the_task() {
    let upstream = Upstream::always(HELLO).await;
    let fetcher = fetcher();
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        let mut turns = 0;
        let mut whole = std::pin::pin!(async { body(get(&fetcher, upstream.port).await).await });
        let read = std::future::poll_fn(|context| {
            turns += 1;
            whole.as_mut().poll(context)
        });
        assert_eq!(read.await, Ok("hello".to_owned()));
        fewest = fewest.min(turns);
    }
    assert_eq!(fewest, 2);
}
