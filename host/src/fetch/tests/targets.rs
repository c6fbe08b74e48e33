//! Which addresses are dialled.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::rig::{Upstream, addresses, body, fetcher, request, resolving};
use crate::fetch::{FetchConfig, Fetcher, Limits, Lookup, Outbound};
use crate::model::Kind;
use crate::policy::AddressPolicy;

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn named(host: &str, port: u16, https: bool) -> Outbound {
    Outbound { host: host.to_owned(), https, ..request(port, "/") }
}

#[tokio::test]
async fn e13_e15_names_that_resolve_to_closed_addresses_are_denied() {
    let upstream = Upstream::always(EMPTY).await;
    for address in [
        "10.0.0.5",
        "127.0.0.2",
        "172.16.1.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "fc00::1",
        "fe80::1",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ] {
        for https in [true, false] {
            let error = resolving(addresses(), &[address]).send(named("assets.example", upstream.port, https)).await.err().expect(address);
            assert_eq!((error.kind(), error.code()), (Kind::Denied, "address_not_allowed"), "{address}");
        }
    }
    let error = resolving(addresses(), &["1.1.1.1"]).send(named("assets.example", upstream.port, false)).await.err().expect("plain http to a public address");
    assert_eq!(error.code(), "address_not_allowed");
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn e15_only_the_allowed_ones_of_several_addresses_are_dialled() {
    // Listens where an attacker would like us to connect; the allowed address has nobody listening.
    let closed = AddressPolicy { allow_networks: vec!["127.0.0.2/32".parse().expect("a network")], allow_http: true };
    let upstream = Upstream::always(EMPTY).await;
    let fetcher = resolving(closed, &["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
    let error = fetcher.send(named("assets.example", upstream.port, false)).await.err().expect("nobody listens there");
    assert_eq!((error.code(), upstream.accepted()), ("upstream_connect", 0));
    // The next address is tried when one refuses.
    let both = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().expect("a network")], allow_http: true };
    let fetcher = resolving(both, &["127.0.0.2", "127.0.0.1"]);
    assert_eq!(body(fetcher.send(named("assets.example", upstream.port, false)).await).await, Ok(String::new()));
}

#[tokio::test]
async fn e15_each_new_socket_is_judged_on_its_own_answer() {
    let upstream = Upstream::always(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let lookup: Lookup = Arc::new(move |_| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        Box::pin(async move { Ok(vec![if first { [127, 0, 0, 1].into() } else { [10, 0, 0, 1].into() }]) })
    });
    let fetcher = Fetcher::with_lookup(FetchConfig { addresses: addresses(), extra_ca: Vec::new(), limits: Limits::default() }, lookup).expect("a fetcher");
    body(fetcher.send(named("rebinding.example", upstream.port, false)).await).await.expect("the first answer is allowed");
    let error = fetcher.send(named("rebinding.example", upstream.port, false)).await.err().expect("the second is not");
    assert_eq!(error.code(), "address_not_allowed");
}

#[tokio::test]
async fn e02_e19_literals_are_judged_though_nothing_is_resolved() {
    let lookup: Lookup = Arc::new(|host| panic!("{host} was looked up"));
    let fetcher =
        Fetcher::with_lookup(FetchConfig { addresses: AddressPolicy::default(), extra_ca: Vec::new(), limits: Limits::default() }, lookup).expect("a fetcher");
    for host in ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]"] {
        let error = fetcher.send(named(host, 443, true)).await.err().expect(host);
        assert_eq!(error.code(), "address_not_allowed", "{host}");
        let url = url::Url::parse(&format!("https://{host}/token")).expect("a URL");
        let error = fetcher.post_form(&url, http::HeaderMap::new(), &[]).await.expect_err(host);
        assert_eq!(error.code(), "address_not_allowed", "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn e23_names_that_do_not_resolve_are_said_to_within_five_seconds() {
    let answers: [(&str, Lookup); 3] = [
        ("an error", Arc::new(|_| Box::pin(async { Err(std::io::Error::other("NXDOMAIN")) }))),
        ("no address", Arc::new(|_| Box::pin(async { Ok(Vec::new()) }))),
        ("silence", Arc::new(|_| Box::pin(std::future::pending()))),
    ];
    for (what, lookup) in answers {
        let fetcher = Fetcher::with_lookup(FetchConfig { addresses: addresses(), extra_ca: Vec::new(), limits: Limits::default() }, lookup).expect("a fetcher");
        let before = Instant::now();
        let error = fetcher.send(named("assets.example", 443, true)).await.err().expect(what);
        assert_eq!(error.code(), "upstream_dns", "{what}");
        assert!(before.elapsed() <= Duration::from_secs(5), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn e23_many_answers_are_cut_and_the_rest_never_looked_at() {
    let public: Vec<String> = (0..500).map(|number| format!("10.0.{}.{}", number / 250, number % 250)).chain(["127.0.0.1".to_owned()]).collect();
    let public: Vec<&str> = public.iter().map(String::as_str).collect();
    let error = resolving(addresses(), &public).send(named("assets.example", 443, true)).await.err().expect("the 501st is not looked at");
    assert_eq!(error.code(), "address_not_allowed");
}

#[tokio::test]
async fn nobody_listening_is_told_as_such() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let error = fetcher().send(request(unused, "/")).await.err().expect("nobody listens");
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "upstream_connect"));
}

#[tokio::test]
async fn a_form_is_posted_once_and_its_answer_is_bounded() {
    let upstream = Upstream::scripted(|mut socket, requests| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let Some(head) = super::rig::read_head(&mut socket).await else { return };
        let mut form = vec![0; 27];
        socket.read_exact(&mut form).await.expect("a form");
        let large = head.contains("/large");
        requests.lock().expect("not poisoned").push(head + &String::from_utf8(form).expect("ASCII"));
        let body = if large { "x".repeat((64 << 10) + 1) } else { "{}".to_owned() };
        socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.ok();
    })
    .await;
    let fetcher = fetcher();
    let url = |path: &str| url::Url::parse(&format!("http://127.0.0.1:{}{path}", upstream.port)).expect("a URL");
    let form = [("grant_type", "a b&c"), ("id", "x=y")];
    let (status, bytes) = fetcher.post_form(&url("/token?a=b"), http::HeaderMap::new(), &form).await.expect("an answer");
    assert_eq!((status.as_u16(), bytes.as_ref()), (200, b"{}".as_slice()));
    let request = upstream.requests().pop().expect("one request");
    assert!(request.starts_with("POST /token?a=b HTTP/1.1\r\n") && request.ends_with("\r\n\r\ngrant_type=a+b%26c&id=x%3Dy"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n") && request.contains("content-length: 27\r\n"), "{request}");
    let error = fetcher.post_form(&url("/large"), http::HeaderMap::new(), &form).await.expect_err("too large");
    assert_eq!((error.code(), upstream.accepted()), ("response_too_large", 2));
    let absolute = url::Url::parse(&format!("http://Login.example.:{}/token", upstream.port)).expect("a URL");
    resolving(addresses(), &["127.0.0.1"]).post_form(&absolute, http::HeaderMap::new(), &form).await.expect("an answer");
    let request = upstream.requests().pop().expect("a request");
    assert!(request.contains(&format!("\r\nhost: login.example:{}\r\n", upstream.port)), "{request}");
}

/// The environment of a process is shared by its tests: the test runs itself again with the variables set.
#[tokio::test]
async fn e18_proxies_of_the_environment_are_ignored() {
    if std::env::var_os("PORTCULLIS_TEST_PROXY").is_some() {
        let upstream = Upstream::always(EMPTY).await;
        body(fetcher().send(request(upstream.port, "/")).await).await.expect("reached directly");
        let url = url::Url::parse(&format!("http://127.0.0.1:{}/", upstream.port)).expect("a URL");
        fetcher().post_form(&url, http::HeaderMap::new(), &[]).await.expect("reached directly");
        return;
    }
    let proxy = Upstream::always(EMPTY).await;
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let mut again = std::process::Command::new(std::env::current_exe().expect("this test"));
    again.args(["--exact", "fetch::tests::targets::e18_proxies_of_the_environment_are_ignored"]).env("PORTCULLIS_TEST_PROXY", "1");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, &address);
    }
    let output = tokio::task::spawn_blocking(move || again.env_remove("NO_PROXY").env_remove("no_proxy").output()).await.expect("joined").expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.accepted(), 0);
}
