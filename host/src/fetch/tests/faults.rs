//! What a broken or hostile upstream does to a body.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::rig::{Upstream, body, fetcher, fetcher_with, get, read_head, request};
use crate::fetch::Limits;

#[tokio::test]
async fn u05_u07_u20_each_framing_fault_has_its_code() {
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101)).into_bytes();
    let large_header = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(70_000)).into_bytes();
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3000);
    let cases: &[(&str, &[u8], Result<&str, &str>)] = &[
        ("nothing at all", b"", Err("upstream_connect")),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le", Err("upstream_connect")),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Err("upstream_protocol")),
        ("HTTP/2 unasked", b"PRI * HTTP/2.0\r\n\r\n", Err("upstream_protocol")),
        ("a negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Err("upstream_protocol")),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", Err("upstream_protocol")),
        ("too many headers", &many_headers, Err("upstream_protocol")),
        ("a header that is too large", &large_header, Err("upstream_protocol")),
        ("a folded header", b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n", Err("upstream_protocol")),
        ("fewer bytes than promised", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", Err("truncated")),
        ("no last chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", Err("truncated")),
        ("a chunk that ends early", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello", Err("truncated")),
        ("a chunk size that is none", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello", Err("truncated")),
        ("a coding that nobody asked for", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Err("upstream_protocol")),
        ("chunks in HTTP/1.0", b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Err("upstream_protocol")),
        ("another protocol, as if asked for", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", Err("upstream_protocol")),
        ("interim answers without end", &interim, Err("upstream_protocol")),
        ("an empty line where a chunk's size is", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n\r\n\r\n", Err("truncated")),
        ("a length and chunks", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Ok("hello")),
        ("HTTP/1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", Ok("hello")),
        ("lines that end in a line feed alone", b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", Ok("hello")),
        ("no reason phrase", b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", Ok("hello")),
        ("a body that ends with the socket", b"HTTP/1.1 200 OK\r\n\r\nhello", Ok("hello")),
        ("an empty body", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Ok("")),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", Ok("")),
        ("an interim answer first", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Ok("hello")),
        ("a compressed body, as it is", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n\x1f\x8bxyz", Ok("\x1f\u{fffd}xyz")),
    ];
    for (what, answer, expected) in cases {
        let upstream = Upstream::answering(&[answer]).await;
        let found = body(get(&fetcher(), upstream.port).await).await;
        assert_eq!(found.as_deref().map_err(String::as_str), *expected, "{what}");
    }
}

#[tokio::test]
async fn u07_a_body_that_broke_off_has_no_good_end() {
    for answer in
        [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".as_slice(), b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"]
    {
        let upstream = Upstream::answering(&[answer]).await;
        let mut body = get(&fetcher(), upstream.port).await.expect("an answer").body;
        body.frame().await.expect("a frame").expect("data");
        for _ in 0..3 {
            assert_eq!(body.frame().await.expect("no end").expect_err("broken off").code(), "truncated");
        }
    }
}

#[tokio::test]
async fn e16_u11_a_redirect_is_an_answer_and_nothing_more() {
    let elsewhere = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let location = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.port);
    let upstream = Upstream::answering(&[location.as_bytes()]).await;
    let answer = get(&fetcher(), upstream.port).await.expect("an answer");
    assert_eq!((answer.status.as_u16(), upstream.requests().len(), elsewhere.accepted()), (302, 1, 0));
}

#[tokio::test]
async fn e27_the_request_is_sent_as_it_was_judged() {
    let upstream = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut outbound = request(upstream.port, "/a%0d%0aHost:%20evil/%2F//..%2f?x=%00&y=|{}");
    outbound.headers.insert("authorization", "Bearer token".parse().expect("a value"));
    outbound.headers.insert("accept-encoding", "gzip".parse().expect("a value"));
    fetcher().send(outbound).await.expect("an answer");
    let head = upstream.requests().pop().expect("one request");
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /a%0d%0aHost:%20evil/%2F//..%2f?x=%00&y=|{} HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", upstream.port);
    let agent = concat!("user-agent: portcullis/", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines, ["accept-encoding: identity", "accept: */*", "authorization: Bearer token", &host, agent]);
}

#[tokio::test]
async fn e08_what_cannot_be_sent_unchanged_is_not_sent() {
    let upstream = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for name in ["content-length", "transfer-encoding", "expect", "upgrade"] {
        let mut outbound = request(upstream.port, "/");
        outbound.headers.insert(name, "0".parse().expect("a value"));
        assert_eq!(fetcher().send(outbound).await.err().map(|error| error.code().to_owned()).as_deref(), Some("unsendable_request"), "{name}");
    }
    for path in ["", "x", "/a#b", "/a b", "/a\r\nb", "http://evil.example/", "*"] {
        let error = fetcher().send(request(upstream.port, path)).await.err().unwrap_or_else(|| panic!("{path:?} was sent"));
        assert_eq!(error.code(), "unsendable_request", "{path:?}");
    }
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test(start_paused = true)]
async fn u06_headers_that_never_end_are_given_up_after_ten_seconds() {
    let upstream = Upstream::scripted(|mut socket, _| async move {
        loop {
            if socket.write_all(b"H").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    })
    .await;
    let before = Instant::now();
    assert_eq!(body(get(&fetcher(), upstream.port).await).await, Err("upstream_timeout".to_owned()));
    assert_eq!(before.elapsed().as_secs(), 10);
}

/// An upstream that sends `bytes` at a time, with `pause` between.
async fn dripping(bytes: usize, pause: Duration) -> Upstream {
    Upstream::scripted(move |mut socket, _| async move {
        let Some(_) = read_head(&mut socket).await else { return };
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 400000\r\n\r\n").await.expect("written");
        while socket.write_all(&vec![b'x'; bytes]).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn u06_a_body_slower_than_a_kilobyte_a_second_is_given_up() {
    for bytes in [0, 1, 900] {
        let upstream = dripping(bytes, Duration::from_secs(1)).await;
        let before = Instant::now();
        assert_eq!(body(get(&fetcher(), upstream.port).await).await, Err("too_slow".to_owned()), "{bytes} a second");
        assert!((29..=33).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    }
    let upstream = dripping(1200, Duration::from_secs(1)).await;
    assert_eq!(body(get(&fetcher(), upstream.port).await).await.map(|body| body.len()), Ok(400_000), "fast enough");
}

#[tokio::test(start_paused = true)]
async fn u06_a_slow_reader_is_no_fault_of_the_remote() {
    let upstream = dripping(4096, Duration::from_millis(1)).await;
    let mut answer = get(&fetcher(), upstream.port).await.expect("an answer");
    let mut read = 0;
    while let Some(frame) = answer.body.frame().await {
        read += frame.expect("data").into_data().expect("data").len();
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    assert_eq!(read, 400_000);
}

#[tokio::test]
async fn u08_an_endless_body_is_cut_at_the_limit() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5000000000000\r\n\r\n"] {
        let upstream = Upstream::scripted(move |mut socket, _| async move {
            let Some(_) = read_head(&mut socket).await else { return };
            socket.write_all(head.as_bytes()).await.expect("written");
            while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
        .await;
        assert_eq!(body(get(&fetcher(), upstream.port).await).await, Err("response_too_large".to_owned()));
    }
}

#[tokio::test]
async fn b2_reads_stay_small_for_a_slow_reader_and_grow_for_a_fast_one() {
    let upstream = Upstream::scripted(|mut socket, _| async move {
        let Some(_) = read_head(&mut socket).await else { return };
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000000000\r\n\r\n").await.expect("written");
        while socket.write_all(&vec![b'x'; 1 << 20]).await.is_ok() {}
    })
    .await;
    for (pause, range) in [(Some(Duration::from_millis(15)), 1..=32 << 10), (None, (64 << 10)..=256 << 10)] {
        let fetcher = fetcher_with(Limits::default());
        let mut answer = get(&fetcher, upstream.port).await.expect("an answer");
        let mut largest = 0;
        for _ in 0..60 {
            largest = largest.max(answer.body.frame().await.expect("a frame").expect("data").into_data().expect("data").len());
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        assert!(range.contains(&largest), "{largest} bytes at once with {pause:?} between");
    }
}
