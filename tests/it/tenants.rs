//! Organizations, roles and tokens: who may, who may not, and that another organization's things are as good as none.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::Method;
use portcullis_tests::api::{Answer, Api};
use portcullis_tests::openapi::Described;
use portcullis_tests::scene::{MEDIA, SHARED};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::play::{bearer_body, play, ready_role, role_body};

const ORGANIZATIONS: &str = "/api/v1/organizations";
const TOKENS: &str = "/api/v1/tokens";
const ABSENT_ID: &str = "0b5e6f7c-1111-4222-8333-444455556666";

#[tokio::test]
async fn c05_c39_an_operator_makes_organizations_admins_manage_their_own_and_members_use_them() {
    let play = play().await;
    let operator = &play.api;
    let none = operator.post(TOKENS, &json!({"name": "x", "role": "admin", "organization": "acme"})).await;
    assert_eq!((none.status.as_u16(), none.pointers()), (422, vec!["/organization".to_owned()]), "{}", none.text());
    let made = operator.post(ORGANIZATIONS, &json!({"organization": "acme", "description": "Films"})).await.expect(201);
    assert_eq!((&made["organization"], &made["description"]), (&json!("acme"), &json!("Films")));
    operator.post(ORGANIZATIONS, &json!({"organization": "acme"})).await.problem(409, "organization_exists");
    for wrong in [json!({}), json!({"organization": "A"}), json!({"organization": "../x"}), json!({"organization": 7}), json!({"organization": ""})] {
        assert_eq!(operator.post(ORGANIZATIONS, &wrong).await.pointers(), ["/organization"], "{wrong}");
    }
    let (admin, member) = (operator.token("acme", "admin").await, operator.token("acme", "member").await);
    let listed: Vec<Value> = operator.all(ORGANIZATIONS).await.into_iter().map(|one| one["organization"].clone()).collect();
    assert_eq!(listed, [json!("acme"), json!("default")]);

    ready_role(&admin, &play.aws, "films").await;
    assert_eq!(member.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.text(), "jpeg a", "members use");
    member.get("/api/v1/connections").await.expect(200);
    let admins = [(Method::POST, "/api/v1/connections"), (Method::POST, TOKENS), (Method::GET, TOKENS), (Method::GET, "/api/v1/connections/films/setup")];
    let operators =
        [(Method::POST, ORGANIZATIONS), (Method::GET, ORGANIZATIONS), (Method::DELETE, "/api/v1/organizations/acme"), (Method::POST, "/api/v1/plugins")];
    for (method, path) in admins.iter().chain(&operators) {
        member.send(method.clone(), path, &[("content-type", "application/json")], Some(b"{}".to_vec())).await.problem(403, "role_required");
    }
    for (method, path) in &operators {
        admin.send(method.clone(), path, &[("content-type", "application/json")], Some(b"{}".to_vec())).await.problem(403, "role_required");
    }
    // Nobody makes a token that may do more than their own, or looks at another organization's.
    admin.post(TOKENS, &json!({"name": "x", "role": "operator"})).await.problem(403, "role_required");
    admin.post(TOKENS, &json!({"name": "x", "role": "member", "organization": "default"})).await.problem(403, "role_required");
    admin.get(&format!("{TOKENS}?organization=default")).await.problem(403, "role_required");
    assert_eq!(operator.get(&format!("{TOKENS}?organization=acme")).await.expect(200)["items"].as_array().map(Vec::len), Some(2));

    // Deleted when it is empty: its tokens end at once, its name is not given again.
    operator.delete("/api/v1/organizations/acme").await.problem(409, "organization_not_empty");
    operator.delete("/api/v1/organizations/default").await.problem(409, "own_organization");
    admin.delete("/api/v1/connections/films").await.expect(200);
    assert_eq!(operator.delete("/api/v1/organizations/acme").await.expect(200)["organization"], "acme");
    for token in [&admin, &member] {
        token.get("/api/v1/connections").await.problem(401, "unauthorized");
    }
    for path in ["acme", "nobody", "..x"] {
        operator.delete(&format!("{ORGANIZATIONS}/{path}")).await.problem(404, "organization_not_found");
    }
    operator.post(ORGANIZATIONS, &json!({"organization": "acme"})).await.problem(409, "organization_deleted");
}

#[tokio::test]
async fn a09_c39_the_last_token_that_manages_stays_and_a_revoked_one_ends_at_once() {
    let play = play().await;
    let admin = play.api.token("acme", "admin").await;
    let ids = |list: Value| list["items"].as_array().unwrap().iter().map(|one| one["token_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let own = ids(admin.get(TOKENS).await.expect(200)).remove(0);
    admin.delete(&format!("{TOKENS}/{own}")).await.problem(409, "last_admin");
    play.api.delete(&format!("{TOKENS}/{own}?organization=acme")).await.problem(409, "last_admin");
    let second = admin.post(TOKENS, &json!({"name": "second", "role": "admin"})).await.expect(201);
    let with_second = admin.with_token(second["token"].as_str().unwrap());
    with_second.get(TOKENS).await.expect(200);
    play.api.delete(&format!("{TOKENS}/{own}?organization=acme")).await.expect(200);
    admin.get("/api/v1/connections").await.problem(401, "unauthorized");
    with_second.get("/api/v1/connections").await.expect(200);
}

#[tokio::test]
async fn c39_a_token_ends_when_it_says() {
    let play = play().await;
    let soon = (OffsetDateTime::now_utc() + Duration::from_millis(1500)).format(&Rfc3339).unwrap();
    let minted = play.api.post(TOKENS, &json!({"name": "short", "role": "member", "expires_at": soon})).await.expect(201);
    let theirs = play.api.with_token(minted["token"].as_str().unwrap());
    theirs.get("/api/v1/connections").await.expect(200);
    let started = Instant::now();
    while theirs.get("/api/v1/connections").await.status == 200 {
        assert!(started.elapsed() < Duration::from_secs(10), "it does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    theirs.get("/api/v1/connections").await.problem(401, "unauthorized");
}

/// Status and body, without the request's id, which is another each time.
fn told(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    if let Value::Object(body) = &mut body {
        body.remove("request_id");
    }
    (answer.status.as_u16(), body)
}

#[tokio::test]
async fn a04_a05_what_belongs_to_another_organization_is_as_good_as_none_on_every_route() {
    let play = play().await;
    let (theirs, mine) = (play.api.token("org_b", "admin").await, play.api.token("org_a", "admin").await);
    let made = ready_role(&theirs, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let submission = |connection: &str| json!({"dataset_id": "d", "connection_name": connection, "assets": [{"source_path": source}]});
    theirs.put("/api/v1/datasets/d", &json!({"default_connection": "films"})).await.expect(200);
    let job = theirs.post("/api/v1/ingestion/assets", &submission("films")).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    theirs.finished(&job).await;
    let asset = theirs.get(&format!("/api/v1/ingestion/jobs/{job}/assets")).await.expect(200)["items"][0]["asset_id"].as_str().unwrap().to_owned();
    let token = theirs.get(TOKENS).await.expect(200)["items"][0]["token_id"].as_str().unwrap().to_owned();
    let id = made["connection_id"].as_str().unwrap().to_owned();
    let pairs: Vec<(&str, Vec<(String, String)>)> = vec![
        ("/connections/", vec![("films".into(), "never".into()), (id.clone(), ABSENT_ID.into())]),
        ("/tokens/", vec![(token, ABSENT_ID.into())]),
        ("/jobs/", vec![(job, ABSENT_ID.into())]),
        ("/assets/", vec![(asset, ABSENT_ID.into())]),
        ("/datasets/", vec![("d".into(), "e".into())]),
        // An operator's: an admin learns nothing of either.
        ("/organizations/", vec![("org_b".into(), "nobody".into())]),
        ("/plugins/", vec![("https_basic".into(), "none".into())]),
    ];
    let described = Described::by(&play.api).await;
    let mut compared = 0;
    for operation in described.operations.iter().filter(|operation| operation.path.contains('{') && operation.needs_token()) {
        let (_, values) = pairs.iter().find(|(part, _)| operation.path.contains(&format!("{part}{{"))).unwrap_or_else(|| {
            panic!("{}: say here what another organization has at this route", operation.path);
        });
        let operators = operation.described["x-role"] == "operator";
        if operation.method == Method::PUT {
            continue; // Makes what it names, in the caller's own organization: see `datasets`.
        }
        if operation.path.contains("/plugins/") && !operators {
            continue; // Connectors are everybody's.
        }
        let body = operation.described["requestBody"].is_object().then(|| match operation.path.rsplit('/').next() {
            Some("sign") => json!({"source_path": source}),
            _ if operation.method == Method::PATCH => json!({"description": "x"}),
            _ => json!({}),
        });
        for (foreign, absent) in values {
            let ask = async |value: &str| described.call_as(&mine, operation.method.clone(), &operation.filled(value), &[], body.as_ref()).await;
            let (foreign_answer, absent_answer) = (ask(foreign).await, ask(absent).await);
            assert_eq!(told(&foreign_answer), told(&absent_answer), "{}", operation.id());
            assert_eq!(foreign_answer.status.as_u16(), if operators { 403 } else { 404 }, "{}: {}", operation.id(), foreign_answer.text());
            assert!(!foreign_answer.text().contains(foreign.as_str()) || foreign.len() < 6, "{}: it is named", operation.id());
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared} pairs");
    // Where a body or a query names a connection.
    for (foreign, absent) in [("films", "never"), (id.as_str(), ABSENT_ID)] {
        let plan = |connection: &str| json!({"connection": connection, "source_paths": [source]});
        for (foreign_answer, absent_answer) in [
            (mine.read(foreign, &source).await, mine.read(absent, &source).await),
            (mine.post("/api/v1/plan", &plan(foreign)).await, mine.post("/api/v1/plan", &plan(absent)).await),
            (mine.post("/api/v1/ingestion/assets", &submission(foreign)).await, mine.post("/api/v1/ingestion/assets", &submission(absent)).await),
        ] {
            assert_eq!((told(&foreign_answer), foreign_answer.status.as_u16()), (told(&absent_answer), 404));
        }
    }
    let head = |connection: &'static str| mine.object(Method::HEAD, connection, &source, &[]);
    assert_eq!(head("films").await.status, head("never").await.status);
    // Neither does the time tell: the median of many, asked in turn.
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (took, named) in took.iter_mut().zip([id.as_str(), ABSENT_ID]) {
            let path = format!("/api/v1/connections/{named}");
            let started = Instant::now();
            mine.get(&path).await.problem(404, "connection_not_found");
            took.push(started.elapsed());
        }
    }
    let [theirs_took, none_took] = took.map(|mut took| {
        took.sort_unstable();
        took[took.len() / 2]
    });
    assert!(theirs_took.abs_diff(none_took) < Duration::from_millis(1), "{theirs_took:?} and {none_took:?}");
    let now = theirs.get("/api/v1/connections/films").await.expect(200);
    assert_eq!((&now["version"], &now["status"]), (&made["version"], &json!("ready")), "and nothing was done to it");
}

/// SPEC C4, where organizations share the gateway's role: what tells them apart is the tag of the session that asks.
#[tokio::test]
async fn c04_b04_a_bucket_that_one_organization_opened_is_closed_to_every_other_in_every_way() {
    let play = play().await;
    let (acme, other) = (play.api.token("acme", "member").await, play.api.token("other", "admin").await);
    let source = format!("s3://{SHARED}/a.txt");
    let list = json!({"bucket": SHARED, "prefix": ""});
    let submission = json!({"dataset_id": "d", "connection_name": "portcullis", "assets": [{"source_path": source}]});
    let ingested = async |api: &Api| {
        let job = api.post("/api/v1/ingestion/assets", &submission).await.expect(202)["job_id"].as_str().unwrap().to_owned();
        api.finished(&job).await;
        let item = api.get(&format!("/api/v1/ingestion/jobs/{job}/assets")).await.expect(200)["items"][0].clone();
        (item["status"].as_str().unwrap().to_owned(), item["error"]["code"].as_str().map(str::to_owned))
    };
    // First whoever may, so that whatever the gateway remembers of the bucket is there for the other.
    assert_eq!(acme.read("portcullis", &source).await.text(), "shared a");
    assert_eq!(acme.object(Method::HEAD, "portcullis", &source, &[]).await.status, 200);
    assert_eq!(acme.post("/api/v1/connections/portcullis/list", &list).await.expect(200)["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(ingested(&acme).await, ("completed".to_owned(), None));

    play.aws.forget_journal();
    other.read("portcullis", &source).await.problem(502, "permission_denied");
    other.object(Method::GET, "portcullis", &source, &[("range", "bytes=0-0")]).await.problem(502, "permission_denied");
    assert_eq!(other.object(Method::HEAD, "portcullis", &source, &[]).await.status, 502);
    other.post("/api/v1/connections/portcullis/list", &list).await.problem(502, "permission_denied");
    assert_eq!(ingested(&other).await, ("error".to_owned(), Some("permission_denied".to_owned())));
    let tested = other.post("/api/v1/connections/portcullis/test", &json!({"location": source})).await.expect(200);
    assert_eq!(tested["passed"], false, "{tested:#}");

    // It was AWS that refused, each time: the gateway asked as the organization that it was asked by.
    let judged: Vec<_> = play.aws.journal().into_iter().filter(|entry| entry.action.as_deref().is_some_and(|action| action.starts_with("s3:"))).collect();
    let refused: BTreeSet<(&str, &str)> =
        judged.iter().filter(|entry| entry.allowed == Some(false)).map(|entry| (entry.method.as_str(), entry.action.as_deref().unwrap())).collect();
    assert_eq!(
        refused,
        BTreeSet::from([("GET", "s3:GetObject"), ("HEAD", "s3:GetObject"), ("GET", "s3:ListBucket"), ("HEAD", "s3:ListBucket")]),
        "{judged:#?}"
    );
    assert!(judged.iter().all(|entry| entry.allowed == Some(false)), "{judged:#?}");
}

#[tokio::test]
async fn a07_a08_a13_a14_what_nobody_may_say_of_a_connection_is_refused() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let films = "/api/v1/connections/films";
    let before = play.api.get(films).await.expect(200);
    for field in ["org_id", "organization", "role", "created_at", "kind", "state", "status", "revision", "connection_id", "last_good_at", "plugin"] {
        assert_eq!(play.api.patch(films, &json!({field: "x"})).await.pointers(), [format!("/{field}")]);
    }
    for field in ["external_id", "type"] {
        play.api.patch(films, &json!({field: "x"})).await.problem(422, "immutable_field");
    }
    let member = play.api.token("default", "member").await;
    for api in [&member, &play.api] {
        for answer in [
            api.patch("/api/v1/connections/portcullis", &json!({"enabled": false})).await,
            api.delete("/api/v1/connections/portcullis").await,
            api.post("/api/v1/connections/portcullis/plugin", &json!({})).await,
        ] {
            let (status, code) = if answer.status == 403 { (403, "role_required") } else { (409, "default_connection") };
            answer.problem(status, code);
        }
    }
    let mut taken = bearer_body("portcullis", &play.origin);
    play.api.post("/api/v1/connections", &taken).await.problem(409, "name_taken");
    taken["name"] = json!("wire");
    play.api.post("/api/v1/connections", &taken).await.expect(201);
    play.api.patch("/api/v1/connections/wire", &json!({"name": "portcullis"})).await.problem(409, "name_taken");

    // From another origin: no preflight passes, no answer is for it, and what needs no preflight is no JSON.
    for origin in ["https://evil.example", "null"] {
        let simple = play.api.send(Method::POST, "/api/v1/connections", &[("content-type", "text/plain"), ("origin", origin)], Some(b"{}".to_vec())).await;
        simple.problem(415, "unsupported_media_type");
        let preflight = play.api.send(Method::OPTIONS, "/api/v1/connections", &[("origin", origin), ("access-control-request-method", "POST")], None).await;
        assert!(preflight.status.is_client_error(), "{}", preflight.text());
        let read = play.api.send(Method::GET, films, &[("origin", origin)], None).await;
        for answer in [simple, preflight, read] {
            assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{:?}", answer.headers);
        }
    }
    // A method is what it is.
    for headers in [[("x-http-method-override", "DELETE")], [("x-method-override", "DELETE")], [("x-forwarded-for", "10.0.0.1")]] {
        play.api.send(Method::GET, films, &headers, None).await.expect(200);
    }
    assert_eq!(play.api.get(&format!("{films}?_method=DELETE")).await.status.as_u16() / 100, 2, "a parameter is no method");
    assert_eq!(play.api.delete(&format!("{films}?force=true")).await.status.as_u16(), 400, "nor is there one that deletes more");
    assert_eq!(play.api.get(films).await.expect(200), before, "nothing was changed");
}

#[tokio::test]
async fn a12_a_spoofed_address_does_not_help_a_guesser() {
    let play = play().await;
    let nobody = play.api.with_token("pct_nobody");
    let mut slowed = false;
    for guess in 0..100 {
        let address = format!("198.51.100.{guess}");
        let forwarded = format!("for={address}");
        let headers = [("x-forwarded-for", address.as_str()), ("forwarded", forwarded.as_str())];
        let answer = nobody.send(Method::GET, "/api/v1/connections", &headers, None).await;
        slowed = slowed || answer.status == 429;
    }
    assert!(slowed, "each guess counts for the address it really comes from");
    play.api.get("/api/v1/connections").await.expect(200);
}

#[tokio::test]
async fn a20_a_cursor_of_another_organization_or_list_or_a_broken_one_is_refused() {
    let play = play().await;
    let (acme, other) = (play.api.token("acme", "admin").await, play.api.token("other", "admin").await);
    for name in ["one", "two", "three"] {
        acme.post("/api/v1/connections", &role_body(name)).await.expect(201);
        other.post("/api/v1/connections", &role_body(name)).await.expect(201);
    }
    let cursor = acme.get("/api/v1/connections?limit=2").await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
    acme.get(&format!("/api/v1/connections?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(other.get(&format!("/api/v1/connections?limit=2&cursor={cursor}")).await.status.as_u16(), 400);
    for path in ["/api/v1/connections?status=ready&cursor=", "/api/v1/tokens?cursor=", "/api/v1/ingestion/jobs?cursor="] {
        assert_eq!(acme.get(&format!("{path}{cursor}")).await.status.as_u16(), 400, "{path}");
    }
    for at in (0..cursor.len()).step_by(7) {
        let mut flipped = cursor.clone().into_bytes();
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        assert_eq!(acme.get(&format!("/api/v1/connections?limit=2&cursor={flipped}")).await.status.as_u16(), 400, "flipped at {at}");
    }
    let long = acme.try_send(Method::GET, &format!("/api/v1/connections?cursor={}", "A".repeat(1 << 20)), &[], None).await;
    assert!(long.is_none_or(|answer| answer.status.is_client_error()), "a mebibyte");
    acme.get("/api/v1/connections").await.expect(200);
}

#[tokio::test]
async fn a04_a06_who_may_not_manage_may_not_and_strangers_see_nothing() {
    let play = play().await;
    let made = ready_role(&play.api, &play.aws, "films").await;
    let id = made["connection_id"].as_str().unwrap();
    let member = play.api.token("default", "member").await;
    for answer in [
        member.post("/api/v1/connections", &role_body("mine")).await,
        member.patch("/api/v1/connections/films", &json!({"description": "x"})).await,
        member.delete("/api/v1/connections/films").await,
        member.post("/api/v1/connections/films/test", &json!({})).await,
        member.get("/api/v1/connections/films/setup").await,
        member.post("/api/v1/tokens", &json!({"name": "more", "role": "admin"})).await,
    ] {
        answer.problem(403, "role_required");
    }
    assert_eq!(member.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.text(), "jpeg a", "members use connections");
    let stranger = play.api.token("other", "admin").await;
    for name in ["films", id] {
        let theirs = stranger.get(&format!("/api/v1/connections/{name}")).await;
        theirs.problem(404, "connection_not_found");
        assert_eq!(stranger.read(name, &format!("s3://{MEDIA}/train/a.jpg")).await.status.as_u16(), 404);
        assert_eq!(stranger.delete(&format!("/api/v1/connections/{name}")).await.status.as_u16(), 404);
    }
    let nobody = play.api.with_token("");
    for (method, path) in [
        (Method::GET, "/api/v1/connections"),
        (Method::POST, "/api/v1/connections"),
        (Method::GET, "/api/v1/objects?connection=films&source_path=s3://a/b"),
        (Method::POST, "/api/v1/ingestion/assets"),
        (Method::GET, "/api/v1/tokens"),
        (Method::GET, "/api/v1/plugins"),
    ] {
        assert_eq!(nobody.send(method, path, &[], None).await.status.as_u16(), 401, "a01: {path}");
    }
    assert_eq!(nobody.get(&format!("/api/v1/connections?token={}", play.gateway.token())).await.status.as_u16(), 401, "a02: a token in a URL");
}

#[tokio::test]
async fn c39_a_token_is_shown_once_and_dies_at_once() {
    let play = play().await;
    let minted = play.api.post("/api/v1/tokens", &json!({"name": "ci", "role": "member"})).await.expect(201);
    let text = minted["token"].as_str().unwrap();
    let theirs = play.api.with_token(text);
    theirs.get("/api/v1/connections").await.expect(200);
    let listed = play.api.get("/api/v1/tokens").await.text();
    assert!(listed.contains("\"ci\"") && !listed.contains(text), "{listed}");
    play.api.delete(&format!("/api/v1/tokens/{}", minted["token_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(theirs.get("/api/v1/connections").await.status.as_u16(), 401);
    let past = play.api.post("/api/v1/tokens", &json!({"name": "past", "role": "member", "expires_at": "2020-01-01T00:00:00Z"})).await;
    assert!(past.status.is_client_error(), "{}", past.text());
}

#[tokio::test]
async fn c40_a12_who_guesses_tokens_is_slowed_down() {
    let play = play().await;
    let mut last = None;
    for guess in 0..2000 {
        let answer = play.api.with_token(&format!("pct_{guess:043}")).get("/api/v1/connections").await;
        if answer.status.as_u16() == 429 {
            last = Some(answer);
            break;
        }
        assert_eq!(answer.status.as_u16(), 401);
    }
    let slowed = last.expect("a guesser is slowed down");
    assert!(slowed.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1, "{:?}", slowed.headers);
    assert_eq!(slowed.headers["content-type"], "application/problem+json");
}
