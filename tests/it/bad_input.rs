//! Every field of the requests that make something, wrong in every way: 4xx, a code, a pointer, and nothing stored.

use portcullis_tests::scene::MEDIA;
use serde_json::{Value, json};

use crate::play::{basic_body, bearer_body, play, role_body};

/// `at`: a JSON pointer into the body; the value is put there, or taken away with `None`.
fn changed(mut body: Value, at: &str, value: Option<Value>) -> Value {
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    body
}

#[tokio::test]
async fn c12_c17_c19_c40_sv02_sv05_sv06_sv08_sv10_sv11_h01_h03_every_field_of_create_has_its_error() {
    let play = play().await;
    let (role, basic, bearer) = (role_body("films"), basic_body("press", &play.origin), bearer_body("wire", &play.origin));
    let long = |length: usize| json!("a".repeat(length));
    let mut cases: Vec<(&Value, &str, Option<Value>, &str)> = Vec::new();
    for name in [
        json!(""),
        json!("ab"),
        long(256),
        json!("Films"),
        json!("_films"),
        json!("films_"),
        json!("fi lms"),
        json!("fi-lms"),
        json!("../../x"),
        json!("<script>"),
        json!("films\n"),
        json!(7),
        json!(null),
    ] {
        cases.push((&role, "/name", Some(name), "/name"));
    }
    cases.push((&role, "/name", None, "/name"));
    for kind in [json!("ftp"), json!(""), json!(1)] {
        cases.push((&role, "/type", Some(kind), "/type"));
    }
    cases.push((&role, "/type", None, "/type"));
    for field in ["org_id", "is_admin", "state", "status", "connection_id", "external_id"] {
        cases.push((
            &role,
            if field == "external_id" { "/external_id" } else { "/unknown" },
            Some(json!("x")),
            if field == "external_id" { "/external_id" } else { "/unknown" },
        ));
    }
    for arn in [
        "arn:aws:iam::12345678901:role/x",
        "arn:aws:iam::1234567890123:role/x",
        "arn:aws:iam:eu-west-1:444455556666:role/x",
        "arn:aws:iam::444455556666:user/x",
        "arn:aws:iam::444455556666:root",
        "arn:aws:sts::444455556666:assumed-role/x/y",
        "arn:aws:iam::444455556666:role/",
        "arn:aws:iam::444455556666:role/a b",
        "arn:aws:iam::444455556666:role/x\n",
        "role/x",
        "",
        // V02: any role of the gateway's own account.
        "arn:aws:iam::111122223333:role/anything",
    ] {
        cases.push((&role, "/config/iam_role_arn", Some(json!(arn)), "/config/iam_role_arn"));
    }
    cases.push((&role, "/config/iam_role_arn", Some(json!(format!("arn:aws:iam::444455556666:role/{}", "x".repeat(65)))), "/config/iam_role_arn"));
    cases.push((&role, "/config/iam_role_arn", Some(json!(7)), "/config/iam_role_arn"));
    cases.push((&role, "/config/iam_role_arn", None, "/config/iam_role_arn"));
    for bucket in ["ab", "A-bucket", "a_b", "-ab", "ab-", "a..b", "192.168.5.4", "xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", "abc--x-s3", ""] {
        cases.push((&role, "/config/bucket_name", Some(json!(bucket)), "/config/bucket_name"));
    }
    cases.push((&role, "/config/bucket_name", Some(long(64)), "/config/bucket_name"));
    cases.push((&role, "/config/bucket_name", None, "/config/bucket_name"));
    for ttl in [json!(59), json!(0), json!(-1), json!(3601), json!(43_201), json!("900"), json!(900.5), json!(9_223_372_036_854_775_808_u64)] {
        cases.push((&role, "/config/session_ttl", Some(ttl), "/config/session_ttl"));
    }
    cases.push((&role, "/config/scope", Some(json!("ec2")), "/config/scope"));
    cases.push((&role, "/config/region", Some(json!("xx-fake-9")), "/config/region"));
    cases.push((&role, "/config/secret_access_key", Some(json!("x")), "/config/secret_access_key"));
    cases.push((&role, "/config", Some(json!("x")), "/config"));
    cases.push((&role, "/test_location", Some(json!(7)), "/test_location"));
    cases.push((&role, "/test_location", Some(json!("a\0b")), "/test_location"));
    cases.push((&role, "/description", Some(json!(7)), "/description"));
    cases.push((&role, "/description", Some(long(100_000)), "/description"));
    for host in [
        "",
        "evil.example/#",
        "evil.example?",
        "x@evil",
        "..",
        "%2e",
        "https://x",
        "localhost:443",
        "169.254.169.254",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "a b",
        "a\tb",
        "①⑥⑨。②⑤④。①⑥⑨。②⑤④",
        "-a.example",
    ] {
        cases.push((&basic, "/config/hostname", Some(json!(host)), "/config/hostname"));
    }
    cases.push((&basic, "/config/hostname", None, "/config/hostname"));
    cases.push((&basic, "/config/hostname", Some(json!(format!("{}.example", "a".repeat(64)))), "/config/hostname"));
    for port in [json!(0), json!(65_536), json!("443"), json!(-1)] {
        cases.push((&basic, "/config/port", Some(port), "/config/port"));
    }
    for prefix in ["../x", "/a/../b", "/%2e%2e/", "/a?b", "/a#b", "/a\r\nHost: x"] {
        cases.push((&basic, "/config/path_prefix", Some(json!(prefix)), "/config/path_prefix"));
    }
    for name in ["al:ice", "", "a\nb"] {
        cases.push((&basic, "/config/username", Some(json!(name)), "/config/username"));
    }
    for secret in ["abc\r\nX-Evil: 1", "abc\n", "a\0b", "a\u{7f}b", " abc", "abc "] {
        cases.push((&basic, "/config/password", Some(json!(secret)), "/config/password"));
    }
    cases.push((&basic, "/config/password", Some(long(8193)), "/config/password"));
    cases.push((&basic, "/config/password", Some(json!({"set": true})), "/config/password"));
    cases.push((&basic, "/config/password", None, "/config/password"));
    for token in ["", "a b", "tök", "a\r\nb"] {
        cases.push((&bearer, "/config/bearer_token", Some(json!(token)), "/config/bearer_token"));
    }
    cases.push((&bearer, "/config/bearer_token", None, "/config/bearer_token"));
    let mut wrong = Vec::new();
    for (body, at, value, pointer) in &cases {
        let answer = play.api.post("/api/v1/connections", &changed((*body).clone(), at, value.clone())).await;
        let shown = format!("{at} = {}", value.as_ref().map_or("(absent)".into(), |value| value.to_string().chars().take(80).collect::<String>()));
        let fits = answer.status.is_client_error() && !answer.code().is_empty() && answer.pointers().iter().any(|found| found == pointer);
        // Told in words: neither a type's name nor an expression.
        if !fits || !answer.json()["remedy"].is_string() || answer.text().contains("[a-z") || answer.text().contains(r#"$\""#) {
            wrong.push(format!("{shown}: {} {}", answer.status, answer.text()));
        }
        if let Some(Value::String(secret)) = value.as_ref().filter(|_| at.ends_with("password") || at.ends_with("token"))
            && secret.trim().len() > 4
            && answer.text().contains(secret.trim())
        {
            wrong.push(format!("{shown}: the answer quotes the secret"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let left = play.api.all("/api/v1/connections").await;
    assert_eq!(left.len(), 1, "only the default connection is there: {left:#?}");
    assert!(play.aws.journal().is_empty() && play.origin.journal().is_empty(), "nobody was asked anything");
}

#[tokio::test]
async fn c13_c40_every_field_of_ingest_has_its_error() {
    let play = play().await;
    let good = json!({"dataset_id": "winter", "connection_name": "portcullis", "assets": [{"source_path": format!("s3://{MEDIA}/a.jpg"), "metadata": {"label": "x"}}]});
    let mut cases: Vec<(&str, Option<Value>, &str)> = vec![
        ("/dataset_id", None, "/dataset_id"),
        ("/dataset_id", Some(json!("")), "/dataset_id"),
        ("/dataset_id", Some(json!("../x")), "/dataset_id"),
        ("/dataset_id", Some(json!(7)), "/dataset_id"),
        ("/connection_name", None, "/connection_name"),
        ("/connection_name", Some(json!(7)), "/connection_name"),
        ("/connection_id", Some(json!("x")), "/connection_id"),
        ("/assets", None, "/assets"),
        ("/assets", Some(json!([])), "/assets"),
        ("/assets", Some(json!({})), "/assets"),
        ("/assets", Some(json!(["s3://a/b"])), "/assets/0"),
        ("/assets", Some(json!([{"source_path": "s3://a/b"}, {}])), "/assets/1/source_path"),
        ("/assets", Some(json!([{"source_path": ""}])), "/assets/0/source_path"),
        ("/assets", Some(json!([{"source_path": 7}])), "/assets/0/source_path"),
        ("/assets", Some(json!([{"source_path": "a\0b"}])), "/assets/0/source_path"),
        ("/assets", Some(json!([{"source_path": "a".repeat(5000)}])), "/assets/0/source_path"),
        ("/assets", Some(json!([{"source_path": "s3://a/b", "status": "completed"}])), "/assets/0/status"),
        ("/org_id", Some(json!("other")), "/org_id"),
        ("/priority", Some(json!(1)), "/priority"),
    ];
    for metadata in [json!({"a": {}}), json!({"a": []}), json!({"a": null})] {
        cases.push(("/assets", Some(json!([{"source_path": "s3://a/b", "metadata": metadata}])), "/assets/0/metadata/a"));
    }
    cases.push(("/assets", Some(json!([{"source_path": "s3://a/b", "metadata": "x"}])), "/assets/0/metadata"));
    let mut wrong = Vec::new();
    for (at, value, pointer) in &cases {
        let answer = play.api.post("/api/v1/ingestion/assets", &changed(good.clone(), at, value.clone())).await;
        if !(answer.status.is_client_error() && !answer.code().is_empty() && answer.pointers().iter().any(|found| found == pointer)) {
            wrong.push(format!("{at} = {value:?}: {} {}", answer.status, answer.text().chars().take(300).collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    play.api.post("/api/v1/ingestion/assets", &changed(good, "/connection_name", Some(json!("nobody")))).await.problem(404, "connection_not_found");
    assert_eq!(play.api.get("/api/v1/ingestion/jobs").await.expect(200)["items"], json!([]), "nothing is stored");
}

#[tokio::test]
async fn o05_o07_o09_o10_a03_a14_what_is_no_request_is_refused_as_such() {
    use http::Method;
    let play = play().await;
    let nested = |open: &str, depth: usize| open.repeat(depth).into_bytes();
    let plain = ("content-type", "application/json");
    for (sentence, headers, body, statuses) in [
        ("no JSON", vec![plain], b"{".to_vec(), &[400][..]),
        ("a list", vec![plain], b"[]".to_vec(), &[400, 422][..]),
        ("NaN", vec![plain], b"{\"name\": NaN}".to_vec(), &[400][..]),
        ("a number without end", vec![plain], b"{\"name\": 1e999999}".to_vec(), &[400, 422][..]),
        ("a lone surrogate", vec![plain], b"{\"name\": \"\\ud800\"}".to_vec(), &[400][..]),
        ("bytes that are no UTF-8", vec![plain], b"{\"name\": \"\xff\"}".to_vec(), &[400][..]),
        ("the same name twice", vec![plain], b"{\"name\": \"aaa\", \"name\": \"bbb\"}".to_vec(), &[400][..]),
        ("brackets without end", vec![plain], nested("[", 100_000), &[400][..]),
        ("objects without end", vec![plain], nested("{\"a\":", 100_000), &[400][..]),
        ("a form", vec![("content-type", "application/x-www-form-urlencoded")], b"name=x".to_vec(), &[415][..]),
        ("plain text", vec![("content-type", "text/plain")], b"{}".to_vec(), &[415][..]),
        ("compressed", vec![plain, ("content-encoding", "gzip")], b"{}".to_vec(), &[415][..]),
    ] {
        let answer = play.api.send(Method::POST, "/api/v1/connections", &headers, Some(body)).await;
        assert!(statuses.contains(&answer.status.as_u16()), "{sentence}: {} {}", answer.status, answer.text());
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{sentence}");
    }
    // Refused before it is read: whoever still sends may see the answer or a closed connection.
    let large = play.api.try_send(Method::POST, "/api/v1/connections", &[plain], Some(vec![b' '; (1 << 20) + 1])).await;
    assert!(large.is_none_or(|answer| answer.status.as_u16() == 413), "more than a mebibyte");
    for (sentence, method, headers, status) in [
        ("another scheme", Method::GET, vec![("authorization", "Basic dTpw")], 401),
        ("TRACE", Method::TRACE, vec![], 405),
        ("a method in a header", Method::POST, vec![("x-http-method-override", "DELETE")], 415),
    ] {
        let api = if headers.iter().any(|(name, _)| *name == "authorization") { play.api.with_token("") } else { play.api.clone() };
        let answer = api.send(method, "/api/v1/connections", &headers, None).await;
        assert!(answer.status.as_u16() == status || (status == 415 && answer.status.is_client_error()), "{sentence}: {} {}", answer.status, answer.text());
    }
    assert_eq!(play.api.all("/api/v1/connections").await.len(), 1);
    play.api.get("/healthz").await.expect(200);
}

/// No failpoint is needed: a record of the store is damaged while the gateway is down.
#[tokio::test]
async fn a21_what_is_the_gateways_own_fault_says_nothing_but_the_requests_id() {
    use portcullis::store::{Expect, Op, SledStore, Store};
    let mut play = play().await;
    let made = play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    let id = made["connection_id"].as_str().unwrap().to_owned();
    play.gateway.kill();
    let data = play.gateway.folder().join("data");
    {
        let store = SledStore::open(&data).await.unwrap();
        let keys = [format!("connection/default/{id}"), "connection-name/default/films".to_owned()];
        for key in &keys {
            assert!(store.get(key).await.unwrap().is_some(), "{key}");
        }
        let damaged = |key: &String| Op::Put { key: key.clone(), value: "{\"iam_role_arn\": \"arn:aws:iam::1:role/canary\"".into(), expect: Expect::Any };
        store.apply(keys.iter().map(damaged).collect()).await.unwrap();
    }
    play.gateway.restart().await;
    let api = play.gateway.api();
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let plan = json!({"connection": id, "source_paths": [source]});
    let submission = json!({"dataset_id": "d", "connection_id": id, "assets": [{"source_path": source}]});
    for answer in [
        api.get("/api/v1/connections/films").await,
        api.get(&format!("/api/v1/connections/{id}")).await,
        api.get("/api/v1/connections").await,
        api.patch(&format!("/api/v1/connections/{id}"), &json!({"description": "x"})).await,
        api.delete("/api/v1/connections/films").await,
        api.post(&format!("/api/v1/connections/{id}/test"), &json!({})).await,
        api.read(&id, &source).await,
        api.post("/api/v1/plan", &plan).await,
        api.post("/api/v1/ingestion/assets", &submission).await,
    ] {
        answer.problem(500, "internal_error");
        let (text, problem) = (answer.text(), answer.json());
        for canary in ["canary", "arn:", "connection/", "connection-name", "store", "record", "sled", data.to_str().unwrap()] {
            assert!(!text.contains(canary), "{canary}: {text}");
        }
        let request = problem["request_id"].as_str().unwrap();
        assert!(play.gateway.log().lines().any(|line| line.contains(request) && line.contains("record_unreadable")), "the log names {request}");
    }
    assert!(!play.gateway.log().contains("canary"), "nor is a record quoted in the log");
}
