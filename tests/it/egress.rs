//! Where bytes go and where they do not: egress, streaming, ranges, and remotes that misbehave.

use std::time::{Duration, Instant};

use http::Method;
use portcullis_tests::gateway::Given;
use portcullis_tests::origin::{Certificate, Fault, Origin, Settings};
use portcullis_tests::scene::{CUSTOMER, MEDIA, trust};
use serde_json::json;

use crate::play::{basic_body, bearer_body, play, play_with, ready_role, ready_web};

#[tokio::test]
async fn b03_e01_e02_e03_e07_e08_e09_e10_e12_e22_sp10_what_lies_outside_is_denied_before_anybody_is_asked() {
    let play = play_with(&[("PORTCULLIS__LOG__LEVEL", "info,portcullis::fetch=trace")]).await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    ready_role(&play.api, &play.aws, "films").await;
    let (asked_aws, asked_origin) = (play.aws.journal().len(), play.origin.journal().len());
    // `fetch` has one way to the resolver, and says so.
    let looked_up = || play.gateway.log().matches("looking up").count();
    let lookups = looked_up();
    assert!(lookups > 0, "the origin's name was resolved");
    let port = play.origin.port();
    for (connection, source) in [
        ("press", "https://evil.example/x".to_owned()),
        ("press", format!("https://localhost.evil.example:{port}/x")),
        ("press", format!("https://evil.example@localhost:{port}/basic/a.txt")),
        ("press", format!("https://localhost:{port}@evil.example/basic/a.txt")),
        ("press", format!("https://evil.example#@localhost:{port}/basic/a.txt")),
        ("press", format!("https://evil.example\\@localhost:{port}/basic/a.txt")),
        ("press", format!("http://localhost:{port}/basic/a.txt")),
        ("press", format!("//evil.example:{port}/x")),
        ("press", "https://localhost:22/x".to_owned()),
        ("press", "https://localhost/x".to_owned()),
        ("press", format!("https://127.0.0.1:{port}/basic/a.txt")),
        ("press", "https://169.254.169.254/latest/meta-data/".to_owned()),
        ("press", "https://2852039166/".to_owned()),
        ("press", "https://[::ffff:169.254.169.254]/".to_owned()),
        ("press", "file:///etc/passwd".to_owned()),
        ("press", "gopher://localhost/x".to_owned()),
        ("press", "data:,x".to_owned()),
        ("press", format!("https://localhost:{port}/basic/a.txt\r\nHost: evil.example")),
        ("press", "s3://customer-media/train/a.jpg".to_owned()),
        ("films", "s3://another-bucket/train/a.jpg".to_owned()),
        ("films", format!("https://{MEDIA}.s3.amazonaws.com.evil.example/train/a.jpg")),
        ("films", format!("https://{MEDIA}.s3-website-us-east-1.amazonaws.com/train/a.jpg")),
        ("films", format!("s3://{MEDIA}/../another-bucket/secret")),
        ("films", format!("https://{MEDIA}.s3.amazonaws.com/train/a.jpg?acl")),
        ("films", "https://evil.example/x".to_owned()),
    ] {
        let answer = play.api.read(connection, &source).await;
        assert!(answer.status.is_client_error() && !answer.code().is_empty(), "{source:?}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("evil.example@"), "{}", answer.text());
    }
    assert_eq!((play.aws.journal().len(), play.origin.journal().len()), (asked_aws, asked_origin), "nobody was asked anything");
    assert_eq!(looked_up(), lookups, "no name was resolved:\n{}", play.gateway.log());
}

#[tokio::test]
async fn e16_u11_u16_e20_a_remote_that_redirects_or_cannot_be_trusted_gets_nothing_more() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "a");
    ready_web(&play.api, bearer_body("wire", &play.origin), &play.origin.url("/bearer/a.txt")).await;
    let source = play.origin.url("/bearer/a.txt");
    for status in [301, 302, 303, 307, 308] {
        for to in ["http://169.254.169.254/", "https://evil.example/", "/public/x"] {
            let before = play.origin.journal().len();
            play.origin.fail(1, Fault::Redirect(status, to.into()));
            let answer = play.api.read("wire", &source).await;
            assert_eq!(answer.code(), "redirect_denied", "{status} {to}: {}", answer.text());
            assert_eq!(play.origin.journal().len(), before + 1, "one request");
        }
    }
    play.origin.fail(2, Fault::Status(403));
    let answer = play.api.read("wire", &source).await;
    assert!(!answer.status.is_success() && ["permission_denied", "upstream_auth_failed"].contains(&answer.code().as_str()), "{}", answer.text());
    let certificates =
        [(Certificate::Expired, "tls_certificate_expired"), (Certificate::WrongName, "tls_wrong_name"), (Certificate::Stranger, "tls_unknown_authority")];
    for (certificate, code) in certificates {
        let origin = Origin::with(Settings { certificate, ..Settings::default() }).await.unwrap();
        origin.put("/bearer/a.txt", "a");
        let gateway = Given::default().origin(&origin).start().await;
        let mut body = bearer_body("wire", &origin);
        body["test_location"] = json!(origin.url("/bearer/a.txt"));
        let made = gateway.api().post("/api/v1/connections", &body).await.expect(201);
        assert_eq!(made["status"], "error", "{certificate:?}: {made:#}");
        assert!(made.to_string().contains(code), "{certificate:?}: {made:#}");
        assert!(origin.journal().is_empty(), "{certificate:?}: the token was never sent");
    }
}

#[tokio::test]
async fn b03_e13_a_private_address_is_refused_unless_an_operator_names_it() {
    let origin = Origin::start().await;
    origin.put("/bearer/a.txt", "a");
    let gateway = Given::default()
        .origin(&origin)
        .variable("PORTCULLIS__EGRESS__ALLOW_NETWORKS", "10.99.0.0/16")
        .variable("PORTCULLIS__EGRESS__ALLOW_HTTP", "false")
        .start()
        .await;
    let mut body = bearer_body("wire", &origin);
    body["test_location"] = json!(origin.url("/bearer/a.txt"));
    let made = gateway.api().post("/api/v1/connections", &body).await.expect(201);
    assert_eq!(made["status"], "error");
    assert!(made.to_string().contains("dns_private_address"), "{made:#}");
    assert!(origin.journal().is_empty());
}

#[tokio::test]
async fn u04_u10_ranges_and_conditions_pass_through_and_a_broken_body_is_never_whole() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "0123456789");
    let source = play.origin.url("/basic/a.txt");
    ready_web(&play.api, basic_body("press", &play.origin), &source).await;
    ready_role(&play.api, &play.aws, "films").await;
    for (connection, source) in [("press", source.clone()), ("films", format!("s3://{MEDIA}/top.txt"))] {
        let get = async |headers: &[(&str, &str)]| play.api.object(Method::GET, connection, &source, headers).await;
        let whole = get(&[]).await;
        let etag = whole.headers["etag"].to_str().unwrap().to_owned();
        for (headers, status, body) in [
            (vec![("range", "bytes=2-4")], 206, "234"),
            (vec![("range", "bytes=-2")], 206, "89"),
            (vec![("range", "bytes=7-")], 206, "789"),
            (vec![("range", "bytes=0-1,4-5")], 200, "0123456789"),
            (vec![("if-none-match", etag.as_str())], 304, ""),
            (vec![("if-match", etag.as_str())], 200, "0123456789"),
        ] {
            let answer = get(&headers).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, body), "{connection} {headers:?}");
        }
        assert_eq!(get(&[("range", "bytes=10-")]).await.status.as_u16(), 416, "{connection}");
        assert_eq!(get(&[("if-match", "\"other\"")]).await.code(), "object_changed", "{connection}");
        let head = play.api.object(Method::HEAD, connection, &source, &[]).await;
        assert_eq!((head.status.as_u16(), head.headers["content-length"].to_str().unwrap(), head.body.len()), (200, "10", 0), "{connection}");
    }
    for fault in [Fault::WrongContentRange, Fault::IgnoreRange] {
        play.origin.fail(1, fault.clone());
        let answer = play.api.object(Method::GET, "press", &source, &[("range", "bytes=2-4")]).await;
        assert!(
            answer.text() == "234" || !answer.status.is_success() || (answer.status.as_u16() == 200 && answer.text() == "0123456789"),
            "{fault:?}: {} {}",
            answer.status,
            answer.text()
        );
    }
    play.origin.fail(1, Fault::Truncate);
    let cut = play.api.read("press", &source).await;
    assert_ne!(cut.text(), "0123456789");
}

#[tokio::test]
async fn b02_memory_does_not_grow_with_the_object() {
    const SIZE: u64 = 256 << 20;
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    play.origin.put_generated("/basic/large.bin", SIZE);
    play.aws.put_generated(MEDIA, "large.bin", SIZE);
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    ready_role(&play.api, &play.aws, "films").await;
    for (connection, source) in [("press", play.origin.url("/basic/large.bin")), ("films", format!("s3://{MEDIA}/large.bin"))] {
        let before = play.gateway.memory();
        let body = play.api.read(connection, &source).await.body;
        assert_eq!(body.len() as u64, SIZE, "{connection}");
        assert!(body.iter().enumerate().step_by(65_537).all(|(at, byte)| *byte as usize == at % 251), "{connection}: byte for byte");
        let grown = play.gateway.memory().saturating_sub(before);
        assert!(grown < 32 << 20, "{connection}: the gateway grew by {} MiB", grown >> 20);
    }
}

#[tokio::test]
async fn b13_a_plan_is_shown_before_anything_is_sent() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    ready_role(&play.api, &play.aws, "films").await;
    let (asked_aws, asked_origin) = (play.aws.journal().len(), play.origin.journal().len());
    let source = play.origin.url("/basic/x%20y.txt");
    let plan = play.api.post("/api/v1/plan", &json!({"connection": "press", "source_paths": [source, "https://evil.example/x"]})).await.expect(200);
    let request = &plan["items"][0]["request"];
    assert_eq!((&request["method"], &request["url"]), (&json!("GET"), &json!(source)), "{plan:#}");
    assert!(request["credential"].to_string().contains("password") && !plan.to_string().contains(&play.origin.settings().password), "{plan:#}");
    assert!(plan["items"][1]["error"]["code"].is_string(), "{plan:#}");
    let plan = play.api.post("/api/v1/plan", &json!({"connection": "films", "source_paths": [format!("s3://{MEDIA}/a b")]})).await.expect(200);
    let url = format!("{}/{MEDIA}/a%20b", play.aws.endpoint().as_str().trim_end_matches('/'));
    assert_eq!(plan["items"][0]["request"]["url"], json!(url), "where it would really go: {plan:#}");
    assert_eq!((play.aws.journal().len(), play.origin.journal().len()), (asked_aws, asked_origin), "nothing was sent");
}

#[tokio::test]
async fn t07_many_at_once_open_one_session() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let made = play.api.get("/api/v1/connections/films").await.expect(200);
    // A change makes the session start anew.
    play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200);
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    assert_eq!(play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200)["status"], "ready");
    play.aws.forget_journal();
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let reads = (0..64).map(|_| play.api.read("films", &source));
    assert!(futures_util::future::join_all(reads).await.iter().all(|answer| answer.text() == "jpeg a"));
    let opened = play.aws.journal().iter().filter(|entry| entry.action.as_deref() == Some("sts:AssumeRole")).count();
    assert!(opened <= 1, "{opened} sessions for 64 reads");
}

#[tokio::test]
async fn requests_that_arrive_together_each_get_their_own() {
    let play = play().await;
    let path = |number: usize| format!("/basic/{number}.txt");
    (0..200).for_each(|number| play.origin.put(&path(number), format!("text {number}")));
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url(&path(0))).await;
    let (none, outside) = (play.origin.url("/basic/none.txt"), "https://evil.example/x".to_owned());
    let reads = (0..200).map(|number| {
        let source = match number % 10 {
            7 => none.clone(),
            8 => outside.clone(),
            _ => play.origin.url(&path(number)),
        };
        let api = &play.api;
        async move { (number, api.read("press", &source).await) }
    });
    for (number, answer) in futures_util::future::join_all(reads).await {
        match number % 10 {
            7 => answer.problem(404, "file_not_found"),
            8 => assert!(answer.status.is_client_error(), "{number}: {}", answer.text()),
            _ => assert_eq!(answer.text(), format!("text {number}")),
        }
    }
}

#[tokio::test]
async fn u14_an_expired_session_is_replaced_once() {
    use portcullis_tests::aws::{Fault, Service};
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");
    play.aws.fail(Service::S3, 1, Fault::ExpiredToken);
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");
}

#[tokio::test]
async fn u13_the_buckets_region_is_found_once() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    play.api.read("films", &source).await;
    play.aws.forget_journal();
    for _ in 0..5 {
        assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");
    }
    let redirects = play.aws.journal().iter().filter(|entry| entry.status == 301).count();
    assert_eq!(redirects, 0, "the region is remembered");
}

#[tokio::test]
async fn u06_a_remote_that_says_nothing_is_given_up() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    play.origin.fail(4, Fault::Late(Duration::from_secs(60)));
    let start = Instant::now();
    let answer = play.api.read("press", &play.origin.url("/basic/a.txt")).await;
    assert!(!answer.status.is_success() && start.elapsed() < Duration::from_secs(45), "{} after {:?}", answer.text(), start.elapsed());
    play.api.get("/healthz").await.expect(200);
}
