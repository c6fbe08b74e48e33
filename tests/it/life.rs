//! The life of a connection in full: versions, identity, disabling, deletion; and one of the tree's own connectors installed for it.

use http::Method;
use portcullis_tests::api::{Answer, Api};
use portcullis_tests::component::built;
use portcullis_tests::scene::{AGREED_ROLE, CUSTOMER, GATEWAY_ROLE, MEDIA, MEDIA_REGION, READER_ROLE, trust};
use serde_json::{Value, json};

use crate::play::{Play, basic_body, bearer_body, play, ready_role, ready_web, role_body};
use crate::plugin_install::install;

const FILMS: &str = "/api/v1/connections/films";

async fn if_match(api: &Api, method: Method, path: &str, tag: &str, body: Option<Value>) -> Answer {
    let headers = [("if-match", tag), ("content-type", "application/json")];
    api.send(method, path, if body.is_some() { &headers } else { &headers[..1] }, body.map(|body| body.to_string().into_bytes())).await
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

/// The connector that knows a connection by account and region, and a connection of it.
async fn registered(play: &Play) -> (Value, Value) {
    install(&play.api, built("aws_account_role")).await;
    let body = json!({
        "name": "studio", "type": "aws_account_role", "description": "The studio's account",
        "config": {"account_id": CUSTOMER, "region": MEDIA_REGION}, "test_location": format!("s3://{MEDIA}/train/a.jpg"),
    });
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    (body, made)
}

#[tokio::test]
async fn p02_p03_p05_p07_p08_an_account_and_a_region_are_registered_once() {
    let play = play().await;
    let (body, made) = registered(&play).await;
    assert_eq!((&made["version"], &made["enabled"], &made["description"]), (&json!(1), &json!(true), &body["description"]));
    assert!(made["connection_id"].is_string());
    // The role's name is the convention's, so its ARN follows.
    assert_eq!(made["config"]["iam_role_arn"], format!("arn:aws:iam::{CUSTOMER}:role/{AGREED_ROLE}"), "{made:#}");
    let setup = play.api.get("/api/v1/connections/studio/setup").await.expect(200).to_string();
    assert!(setup.contains("sts:ExternalId") && setup.contains(made["external_id"].as_str().unwrap()) && setup.contains(GATEWAY_ROLE), "{setup}");

    play.aws.trust(CUSTOMER, AGREED_ROLE, &trust(made["external_id"].as_str()));
    assert_eq!(play.api.post("/api/v1/connections/studio/test", &json!({})).await.expect(200)["status"], "ready");
    for source in [format!("s3://{MEDIA}/train/a.jpg"), format!("https://{MEDIA}.s3.{MEDIA_REGION}.amazonaws.com/train/a.jpg")] {
        assert_eq!(play.api.read("studio", &source).await.text(), "jpeg a", "{source}");
    }

    // Each refusal has its own code and words.
    play.api.post("/api/v1/connections", &body).await.problem(409, "name_taken");
    let mut other = body.clone();
    other["name"] = json!("studio_b");
    play.api.post("/api/v1/connections", &other).await.problem(409, "duplicate_connection");
    for account in ["12345678901", "1234567890123", "12345678901a", "1234 5678 9012", ""] {
        other["config"]["account_id"] = json!(account);
        let wrong = play.api.post("/api/v1/connections", &other).await;
        wrong.problem(422, "invalid_field");
        assert!(wrong.pointers().iter().all(|pointer| pointer == "/config/account_id"), "{account}: {}", wrong.text());
    }
    play.api.with_token("pct_nobody").post("/api/v1/connections", &body).await.problem(401, "unauthorized");
    other["config"] = json!({"account_id": CUSTOMER, "region": "us-east-2"});
    play.api.post("/api/v1/connections", &other).await.expect(201);
    let acme = play.api.token("acme", "admin").await;
    acme.post("/api/v1/connections", &body).await.expect(201);
}

#[tokio::test]
async fn p11_an_update_carries_the_version_it_saw_and_what_it_is_known_by_never_changes() {
    let play = play().await;
    let (_, made) = registered(&play).await;
    let path = "/api/v1/connections/studio";
    let answer = play.api.get(path).await;
    assert_eq!((tag(&answer), answer.json()["version"].clone()), ("\"1\"".to_owned(), json!(1)));
    let changed = play.api.patch(path, &json!({"description": "two", "version": 1})).await;
    assert_eq!((tag(&changed), changed.expect(200)["version"].clone()), ("\"2\"".to_owned(), json!(2)));
    play.api.patch(path, &json!({"description": "three", "version": 1})).await.problem(409, "stale_version");
    if_match(&play.api, Method::PATCH, path, "\"1\"", Some(json!({"description": "three"}))).await.problem(412, "stale_version");
    if_match(&play.api, Method::PATCH, path, "W/\"2\"", Some(json!({"description": "three"}))).await.problem(412, "stale_version");
    if_match(&play.api, Method::PATCH, path, "\"1\", \"2\"", Some(json!({"description": "three"}))).await.problem(400, "invalid_if_match");
    if_match(&play.api, Method::PATCH, path, "\"2\"", Some(json!({"description": "three", "version": 1}))).await.problem(400, "invalid_if_match");
    if_match(&play.api, Method::DELETE, path, "\"1\"", None).await.problem(412, "stale_version");
    assert_eq!(play.api.get(path).await.expect(200)["description"], "two", "nothing was changed");
    assert_eq!(if_match(&play.api, Method::PATCH, path, "\"2\"", Some(json!({"description": "three"}))).await.expect(200)["version"], 3);
    assert_eq!(if_match(&play.api, Method::PATCH, path, "*", Some(json!({"description": "four"}))).await.expect(200)["version"], 4);
    // What a test finds is no change.
    play.api.post(&format!("{path}/test"), &json!({})).await.expect(200);
    assert_eq!(play.api.get(path).await.expect(200)["version"], 4);

    for (config, pointer) in [(json!({"account_id": "999988887777"}), "/config/account_id"), (json!({"region": "us-east-2"}), "/config/region")] {
        let refused = play.api.patch(path, &json!({"config": config})).await;
        refused.problem(422, "immutable_field");
        assert_eq!(refused.pointers(), [pointer]);
    }
    for field in ["connection_id", "id"] {
        assert_eq!(play.api.patch(path, &json!({field: made["connection_id"]})).await.pointers(), [format!("/{field}")]);
    }
    play.api.patch(path, &json!({"enabled": false})).await.expect(200);
    assert_eq!(play.api.patch(path, &json!({"description": "five"})).await.expect(200)["enabled"], false, "an omitted 'enabled' is kept");
    // Of many who saw the same version one wins.
    let version = play.api.get(path).await.expect(200)["version"].clone();
    let all = (0..8).map(|number| {
        let (api, body) = (play.api.clone(), json!({"description": format!("by {number}"), "version": version}));
        async move { api.patch(path, &body).await.status.as_u16() }
    });
    let mut statuses = futures_util::future::join_all(all).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    if_match(&play.api, Method::DELETE, path, &format!("\"{}\"", version.as_u64().unwrap() + 1), None).await.expect(200);
}

#[tokio::test]
async fn p12_p13_a_disabled_connection_refuses_use_and_a_deleted_one_says_so() {
    let play = play().await;
    let made = ready_role(&play.api, &play.aws, "films").await;
    let (id, source) = (made["connection_id"].as_str().unwrap(), format!("s3://{MEDIA}/train/a.jpg"));
    let uses = async |named: &str| {
        let one = format!("/api/v1/connections/{named}");
        let assets = json!({"dataset_id": "d", "connection_name": named, "assets": [{"source_path": source}]});
        [
            play.api.read(named, &source).await,
            play.api.post(&format!("{one}/list"), &json!({})).await,
            play.api.post(&format!("{one}/test"), &json!({})).await,
            play.api.post("/api/v1/ingestion/assets", &assets).await,
        ]
    };
    assert_eq!(play.api.patch(FILMS, &json!({"enabled": false})).await.expect(200)["enabled"], false);
    play.aws.forget_journal();
    for used in uses("films").await {
        used.problem(409, "connection_disabled");
    }
    assert!(play.aws.journal().is_empty(), "nobody was asked");
    assert_eq!(play.api.get(FILMS).await.expect(200)["status"], "ready", "what its last test found stays");
    play.api.patch(FILMS, &json!({"enabled": true})).await.expect(200);
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");

    let deleted = play.api.delete(FILMS).await.expect(200);
    assert_eq!((&deleted["connection_id"], &deleted["name"]), (&made["connection_id"], &made["name"]), "what was deleted");
    let stranger = play.api.token("other", "admin").await;
    for named in ["films", id] {
        for used in uses(named).await {
            used.problem(404, "connection_deleted");
        }
        let one = format!("/api/v1/connections/{named}");
        play.api.get(&one).await.problem(404, "connection_deleted");
        play.api.patch(&one, &json!({"enabled": true})).await.problem(404, "connection_deleted");
        play.api.delete(&one).await.problem(404, "connection_deleted");
        stranger.get(&one).await.problem(404, "connection_not_found");
    }
    play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    play.api.get(FILMS).await.expect(200);
    play.api.get(&format!("/api/v1/connections/{id}")).await.problem(404, "connection_deleted");
}

#[tokio::test]
async fn c21_v10_a_change_that_fails_its_test_changes_nothing_where_that_is_asked() {
    let play = play().await;
    let made = ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let require = format!("{FILMS}?validate=require");
    let other = json!({"config": {"iam_role_arn": "arn:aws:iam::444455556666:role/none"}});
    play.api.patch(&require, &other).await.problem(422, "test_failed");
    let now = play.api.get(FILMS).await.expect(200);
    assert_eq!((&now["config"], &now["version"], &now["status"]), (&made["config"], &made["version"], &json!("ready")));
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a", "it still serves");
    let changed = play.api.patch(&require, &json!({"config": {"session_ttl": 900}})).await.expect(200);
    assert_eq!((&changed["status"], changed["revision"].as_u64()), (&json!("ready"), made["revision"].as_u64().map(|revision| revision + 1)));
    assert_eq!(play.api.patch(FILMS, &other).await.expect(200)["status"], "error", "else it is stored, tested, and does not serve");
    play.api.read("films", &source).await.problem(409, "connection_not_ready");
    assert_eq!(play.api.patch(&format!("{FILMS}?validate=maybe"), &other).await.status.as_u16(), 400);
}

#[tokio::test]
async fn c21_another_host_or_bucket_or_role_asks_for_the_secret_again_and_with_it_is_tested_anew() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let path = "/api/v1/connections/press";
    for config in [json!({"hostname": "other.example"}), json!({"port": 444}), json!({"path_prefix": "/basic"})] {
        let refused = play.api.patch(path, &json!({"config": config, "test_location": null})).await;
        refused.problem(422, "secret_required");
        assert_eq!(refused.pointers(), ["/config/password"], "{config}");
    }
    let with_secret = json!({"config": {"path_prefix": "/basic", "password": play.origin.settings().password}});
    let changed = play.api.patch(path, &with_secret).await.expect(200);
    assert_eq!((&changed["status"], &changed["revision"]), (&json!("ready"), &json!(2)), "{changed:#}");
    // A role is no secret: its change is a new revision, which does not serve before it passes.
    let films = ready_role(&play.api, &play.aws, "films").await;
    let changed = play.api.patch(FILMS, &json!({"config": {"iam_role_arn": "arn:aws:iam::444455556666:role/none"}})).await.expect(200);
    assert_eq!((&changed["status"], &changed["external_id"]), (&json!("error"), &films["external_id"]), "{changed:#}");
    play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.problem(409, "connection_not_ready");
}

#[tokio::test]
async fn l04_p11_a_change_and_a_test_at_the_same_time_lose_neither() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    for round in 0..5 {
        let body = json!({"description": format!("round {round}")});
        let empty = json!({});
        let test = format!("{FILMS}/test");
        let (tested, changed) = tokio::join!(play.api.post(&test, &empty), play.api.patch(FILMS, &body));
        assert_eq!((tested.expect(200)["status"].clone(), changed.expect(200)["description"].clone()), (json!("ready"), body["description"].clone()));
        let now = play.api.get(FILMS).await.expect(200);
        assert_eq!((&now["description"], &now["status"]), (&body["description"], &json!("ready")));
    }
}

#[tokio::test]
async fn c40_a19_a_repeated_create_makes_one_connection() {
    let play = play().await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let send = async |api: &Api, body: &Value| api.send(Method::POST, "/api/v1/connections", &headers, Some(body.to_string().into_bytes())).await;
    let body = bearer_body("wire", &play.origin);
    let answers = futures_util::future::join_all((0..6).map(|_| send(&play.api, &body))).await;
    let ids: std::collections::BTreeSet<String> = answers.into_iter().map(|answer| answer.expect(201)["connection_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "the same connection for each");
    send(&play.api, &bearer_body("wire_b", &play.origin)).await.problem(409, "idempotency_key_reused");
    let acme = play.api.token("acme", "admin").await;
    assert!(!ids.contains(&send(&acme, &body).await.expect(201)["connection_id"].to_string()), "another organization's is its own");
    assert_eq!(play.api.all("/api/v1/connections").await.len(), 2);
}

#[tokio::test]
async fn c24_no_answer_hands_out_a_session() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let mut seen = String::new();
    for answer in [
        play.api.get(FILMS).await,
        play.api.get("/api/v1/connections").await,
        play.api.get(&format!("{FILMS}/setup")).await,
        play.api.post(&format!("{FILMS}/test"), &json!({})).await,
        play.api.post(&format!("{FILMS}/list"), &json!({})).await,
        play.api.post("/api/v1/plan", &json!({"connection": "films", "source_paths": [source]})).await,
        play.api.read("films", &source).await,
    ] {
        assert!(answer.status.is_success(), "{}", answer.text());
        seen.push_str(&format!("{:?}\n{}\n", answer.headers, answer.text()));
    }
    let sessions = play.aws.sessions();
    assert!(sessions.len() >= 2, "sessions were opened");
    for secret in sessions.iter().flat_map(|(secret, token)| [secret, token]) {
        assert!(!seen.contains(secret.as_str()), "a session's key is shown");
    }
    assert!(seen.contains(READER_ROLE), "the role's name is no secret");
}
