//! The life of a connection, seen from the API: made, tested, shown, changed, deleted.

use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, MEDIA, PLATFORM, READER_ROLE, SHARED, trust};
use serde_json::{Value, json};

use crate::play::{basic_body, bearer_body, play, ready_role, ready_web, role_body};

#[tokio::test]
async fn c07_c09_what_the_setup_renders_is_what_aws_needs_and_no_more() {
    let play = play().await;
    let acme = play.api.token("acme", "admin").await;
    let documents = |setup: &Value| -> Vec<Value> {
        let steps = setup["steps"].as_array().unwrap();
        let all = steps.iter().flat_map(|step| step["documents"].as_array().unwrap().clone());
        all.filter(|document| document["language"] == "json").map(|document| serde_json::from_str(document["body"].as_str().unwrap()).unwrap()).collect()
    };
    let find = |documents: &[Value], action: &str| documents.iter().find(|document| document.to_string().contains(action)).unwrap().clone();

    let role = format!("arn:aws:iam::{CUSTOMER}:role/made-by-the-book");
    let body = json!({"name": "by_the_book", "type": "aws_iam_role", "config": {"iam_role_arn": role, "bucket_name": MEDIA}, "test_location": format!("s3://{MEDIA}/train/a.jpg")});
    let made = acme.post("/api/v1/connections", &body).await.expect(201);
    let setup = acme.get("/api/v1/connections/by_the_book/setup").await.expect(200);
    for placeholder in ["YOUR", "<bucket", "BUCKET_NAME", "${", "{{", "…"] {
        assert!(!setup.to_string().contains(placeholder), "a placeholder is left: {placeholder}");
    }
    let (trust, policy) = (find(&documents(&setup), "sts:AssumeRole"), find(&documents(&setup), "s3:GetObject"));
    let statements_of = |document: &Value| document["Statement"].as_array().unwrap().clone();
    let actions: Vec<&str> = ["s3:ListBucket", "s3:GetObject"].into_iter().filter(|action| policy.to_string().contains(action)).collect();
    assert_eq!((actions.len(), statements_of(&policy).len()), (2, 2), "least privilege: list and get: {policy:#}");
    assert!(!policy.to_string().contains("s3:*") && !policy.to_string().contains("\"*\""), "{policy:#}");
    let fixture = portcullis_tests::aws::Fixture::new().account(CUSTOMER, |account| account.role("made-by-the-book", trust, Some(policy)));
    play.aws.load(&fixture);
    let tested = acme.post("/api/v1/connections/by_the_book/test", &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
    assert!(made["external_id"].is_string());

    let setup = acme.get(&format!("/api/v1/connections/portcullis/setup?bucket={SHARED}")).await.expect(200);
    let policy = find(&documents(&setup), "s3:GetObject");
    assert_eq!(statements_of(&policy).len(), 2, "list on the bucket, get on its objects: {policy:#}");
    assert!(policy.to_string().contains("aws:PrincipalTag/organization"), "{policy:#}");
    play.aws.bucket_policy(SHARED, Some(&policy));
    assert_eq!(acme.read("portcullis", &format!("s3://{SHARED}/a.txt")).await.text(), "shared a");
    play.api.read("portcullis", &format!("s3://{SHARED}/a.txt")).await.problem(502, "permission_denied");
}

#[tokio::test]
async fn c06_the_gateways_principal_is_shown_where_a_policy_is_rendered() {
    let play = play().await;
    let setup = play.api.get(&format!("/api/v1/connections/portcullis/setup?bucket={SHARED}")).await.expect(200);
    assert_eq!((&setup["principal"]["role_arn"], &setup["principal"]["account_id"]), (&json!(GATEWAY_ROLE), &json!(PLATFORM)), "{setup:#}");
}

#[tokio::test]
async fn c03_c19_c25_h02_basic_and_bearer_reach_their_origin_and_never_show_their_secret() {
    let play = play().await;
    play.origin.put("/basic/a b.txt".replace(' ', "%20").as_str(), "basic a");
    play.origin.put("/bearer/a.txt", "bearer a");
    let settings = play.origin.settings().clone();
    for (body, path, text) in
        [(basic_body("with_basic", &play.origin), "/basic/a%20b.txt", "basic a"), (bearer_body("with_bearer", &play.origin), "/bearer/a.txt", "bearer a")]
    {
        let made = ready_web(&play.api, body.clone(), &play.origin.url(path)).await;
        let name = made["name"].as_str().unwrap();
        let secret = if made["type"] == "https_basic" { "password" } else { "bearer_token" };
        assert_eq!(made["config"][secret], json!({"set": true}));
        let read = play.api.read(name, &play.origin.url(path)).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, text));
        let everything =
            format!("{made} {} {}", play.api.get("/api/v1/connections").await.text(), play.api.get(&format!("/api/v1/connections/{name}")).await.text());
        assert!(!everything.contains(&settings.password) && !everything.contains(&settings.token));
    }
    let seen = play.origin.journal();
    assert!(seen.iter().all(|seen| seen.method == "GET" || seen.method == "HEAD"), "only reads: {seen:?}");
    let basic = seen.iter().find(|seen| seen.target.starts_with("/basic/") && seen.status == 200).unwrap();
    use base64::Engine;
    let exact = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", settings.username, settings.password));
    assert_eq!(basic.authorization.as_deref(), Some(format!("Basic {exact}").as_str()), "UTF-8, byte for byte");
}

#[tokio::test]
async fn h08_l04_a_wrong_secret_is_told_by_the_test_and_tried_once() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let mut body = bearer_body("with_bearer", &play.origin);
    body["config"]["bearer_token"] = json!("not-the-token");
    body["test_location"] = json!(play.origin.url("/bearer/a.txt"));
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    assert_eq!(made["status"], "error", "{made:#}");
    assert!(made["last_test"]["findings"].to_string().contains("upstream_auth_failed"), "{made:#}");
    assert!(play.origin.journal().len() <= 2, "{:?}", play.origin.journal());
}

#[tokio::test]
async fn v10_what_fails_its_test_is_not_made_where_that_is_asked() {
    let play = play().await;
    let answer = play.api.post("/api/v1/connections?validate=require", &role_body("films")).await;
    assert!(answer.status.is_client_error() || answer.status.as_u16() == 502, "{}", answer.text());
    play.api.get("/api/v1/connections/films").await.problem(404, "connection_not_found");
}

#[tokio::test]
async fn c12_c14_c16_c18_c21_a_connection_lives_from_create_to_delete() {
    let play = play().await;
    let seed = json!({
        "name": "my_s3_connection",
        "config": {"iam_role_arn": READER_ROLE, "bucket_name": MEDIA},
        "test_location": format!("s3://{MEDIA}/example_file.mp4"),
        "type": "aws_iam_role",
    });
    let made = play.api.post("/api/v1/connections", &seed).await.expect(201);
    let id = made["connection_id"].as_str().unwrap();
    play.api.post("/api/v1/connections", &seed).await.problem(409, "name_taken");
    for path in [format!("/api/v1/connections/{id}"), "/api/v1/connections/my_s3_connection".into(), "/api/v0/connections/my_s3_connection".into()] {
        assert_eq!(play.api.get(&path).await.expect(200)["connection_id"], id, "{path}");
    }
    let (external_id, revision) = (made["external_id"].clone(), made["revision"].as_u64().unwrap());
    let renamed = play.api.patch(&format!("/api/v1/connections/{id}"), &json!({"name": "films", "description": "of the winter"})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["description"], &renamed["revision"]), (&json!("films"), &json!("of the winter"), &json!(revision)));
    play.api.get("/api/v1/connections/my_s3_connection").await.problem(404, "connection_not_found");
    let changed = play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 900}})).await.expect(200);
    assert_eq!((&changed["config"]["session_ttl"], changed["revision"].as_u64() > Some(revision)), (&json!(900), true), "{changed:#}");
    assert_eq!(changed["external_id"], external_id, "never changed");
    let deleted = play.api.delete("/api/v0/connections/films").await.expect(200);
    assert_eq!(deleted["connection_id"], id);
    for answer in
        [play.api.get(&format!("/api/v1/connections/{id}")).await, play.api.delete("/api/v1/connections/films").await, play.api.read("films", "s3://x/y").await]
    {
        assert_eq!(answer.status.as_u16(), 404, "{}", answer.text());
    }
    let again = play.api.post("/api/v1/connections", &seed).await.expect(201);
    assert_ne!(again["external_id"], external_id, "a new connection has a new one");
}

#[tokio::test]
async fn c21_a08_another_host_asks_for_the_secret_again() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "basic a");
    ready_web(&play.api, basic_body("press", &play.origin), &play.origin.url("/basic/a.txt")).await;
    let moved = play.api.patch("/api/v1/connections/press", &json!({"config": {"hostname": "evil.example"}})).await;
    assert_eq!((moved.status.as_u16(), moved.pointers()), (422, vec!["/config/password".to_owned()]), "{}", moved.text());
    assert!(play.origin.journal().iter().all(|seen| seen.host.starts_with("localhost")));
    assert_eq!(play.api.get("/api/v1/connections/press").await.expect(200)["config"]["hostname"], "localhost");
}

#[tokio::test]
async fn c22_a_test_may_leave_the_state_alone() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    play.aws.trust(CUSTOMER, "media/reader", &trust(Some("somebody-elses")));
    let tested = play.api.post("/api/v1/connections/films/test", &json!({"update_state": false})).await.expect(200);
    assert_eq!((&tested["status"], &tested["passed"]), (&json!("ready"), &json!(false)), "{tested:#}");
    assert_eq!(play.api.get("/api/v1/connections/films").await.expect(200)["status"], "ready");
    let tested = play.api.post("/api/v1/connections/films/test", &json!({"location": format!("s3://{MEDIA}/train/b.jpg")})).await.expect(200);
    assert_eq!((&tested["status"], &tested["passed"]), (&json!("error"), &json!(false)), "{tested:#}");
    play.api.post("/api/v1/connections/films/test", &json!({"location": 7})).await.problem(422, "invalid_field");
}

#[tokio::test]
async fn c26_lists_are_filtered_and_paged() {
    let play = play().await;
    play.origin.put("/basic/a.txt", "a");
    for name in ["press_a", "press_b"] {
        ready_web(&play.api, basic_body(name, &play.origin), &play.origin.url("/basic/a.txt")).await;
    }
    play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    let names = |items: Vec<Value>| items.into_iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(play.api.all("/api/v1/connections?limit=1").await), ["portcullis", "films", "press_a", "press_b"]);
    assert_eq!(names(play.api.all("/api/v1/connections?type=https_basic&limit=1").await), ["press_a", "press_b"]);
    assert_eq!(names(play.api.all("/api/v1/connections?status=error").await), ["films"]);
    for query in ["limit=0", "limit=501", "status=well", "cursor=AAAA", "sort=name"] {
        assert_eq!(play.api.get(&format!("/api/v1/connections?{query}")).await.status.as_u16(), 400, "{query}");
    }
    let page = play.api.get("/api/v1/connections?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let stranger = play.api.token("other", "admin").await;
    assert_eq!(stranger.get(&format!("/api/v1/connections?limit=1&cursor={cursor}")).await.status.as_u16(), 400, "a20: another organization's cursor");
}

#[tokio::test]
async fn c11_a_bedrock_scope_is_tested_by_the_identity_alone() {
    let play = play().await;
    let body = json!({"name": "models", "type": "aws_iam_role", "config": {"iam_role_arn": READER_ROLE, "scope": "bedrock"}});
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    play.aws.forget_journal();
    let tested = play.api.post("/api/v1/connections/models/test", &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
    let actions: Vec<String> = play.aws.journal().into_iter().filter_map(|entry| entry.action).collect();
    assert!(actions.iter().all(|action| action.starts_with("sts:")) && actions.contains(&"sts:GetCallerIdentity".to_owned()), "{actions:?}");
    let with_bucket = json!({"name": "models_b", "type": "aws_iam_role", "config": {"iam_role_arn": READER_ROLE, "scope": "bedrock", "bucket_name": MEDIA}});
    assert_eq!(play.api.post("/api/v1/connections", &with_bucket).await.pointers(), ["/config/bucket_name"]);
}

#[tokio::test]
async fn t11_what_is_asked_of_sts_is_bounded_to_the_connection() {
    let play = play().await;
    let mut body = role_body("films");
    body["config"]["session_ttl"] = json!(60);
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    assert_eq!(play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200)["status"], "ready");
    let journal = play.aws.journal();
    let (probes, sessions): (Vec<_>, Vec<_>) = journal
        .iter()
        .filter(|entry| entry.resource.as_deref() == Some(READER_ROLE))
        .partition(|entry| entry.params.get("RoleSessionName").is_some_and(|name| name == "gw-extid-probe"));
    let asked = sessions.iter().rfind(|entry| entry.allowed == Some(true)).unwrap();
    assert_eq!(asked.params["DurationSeconds"], "900", "STS grants nothing shorter");
    assert_eq!(asked.params["ExternalId"], made["external_id"].as_str().unwrap());
    let policy: Value = serde_json::from_str(&asked.params["Policy"]).unwrap();
    let text = policy.to_string();
    assert!(text.contains(MEDIA) && !text.contains("s3:*") && !text.contains("Put") && !text.contains("Delete"), "{policy:#}");
    assert!(asked.params["RoleSessionName"].len() <= 64);
    let ours = made["external_id"].as_str();
    let (control, others): (Vec<_>, Vec<_>) = probes.into_iter().partition(|probe| probe.params.get("ExternalId").map(String::as_str) == ours);
    assert!(others.iter().all(|probe| probe.allowed == Some(false)) && others.len() >= 2, "t02: refused without and with another id");
    assert!(control.iter().all(|probe| probe.params["Policy"].contains("Deny")), "t02: a session that was opened to compare may do nothing");
    assert!(journal.iter().all(|entry| entry.method == "GET" || entry.method == "HEAD" || entry.path == "/"), "s23: nothing but reads");
}

#[tokio::test]
async fn l01_c18_a_connection_is_reserved_before_its_role_exists() {
    let play = play().await;
    let mut body =
        json!({"name": "films", "type": "aws_iam_role", "config": {"iam_role_arn": "arn:aws:iam::000000000000:role/temporary", "bucket_name": MEDIA}});
    body["test_location"] = json!(format!("s3://{MEDIA}/train/a.jpg"));
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    assert_eq!(made["status"], "pending", "{made:#}");
    assert!(play.aws.journal().is_empty(), "STS is not called for a role that is not there");
    let setup = play.api.get("/api/v1/connections/films/setup").await.expect(200);
    assert_eq!((&setup["principal"]["account_id"], &setup["external_id"]), (&json!(PLATFORM), &made["external_id"]));
    assert_eq!(play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.status.as_u16(), 409, "it does not serve");
    // The customer makes the role with the external id shown, then adds its ARN.
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    let changed = play.api.patch("/api/v1/connections/films", &json!({"config": {"iam_role_arn": READER_ROLE}})).await.expect(200);
    assert_eq!((&changed["status"], &changed["external_id"]), (&json!("ready"), &made["external_id"]), "{changed:#}");
    assert_eq!(play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.text(), "jpeg a");
}

#[tokio::test]
async fn c04_the_default_connections_name_is_configured() {
    let gateway = portcullis_tests::gateway::Given::default().variable("PORTCULLIS__PLATFORM__DEFAULT_CONNECTION", "coactive").start().await;
    let first = gateway.api().get("/api/v1/connections").await.expect(200)["items"][0].clone();
    assert_eq!((&first["name"], &first["type"]), (&json!("coactive"), &json!("aws_bucket_policy")));
}

#[tokio::test]
async fn c19_b03_a_path_prefix_bounds_what_is_read() {
    let play = play().await;
    for path in ["/basic/in/a.txt", "/basic/out/a.txt", "/basic/inside/a.txt"] {
        play.origin.put(path, "a");
    }
    let mut body = basic_body("press", &play.origin);
    body["config"]["path_prefix"] = json!("/basic/in");
    ready_web(&play.api, body, &play.origin.url("/basic/in/a.txt")).await;
    let asked = play.origin.journal().len();
    for path in ["/basic/out/a.txt", "/basic/inside/a.txt", "/basic/in/../out/a.txt", "/basic/in/%2e%2e/out/a.txt", "/"] {
        let answer = play.api.read("press", &play.origin.url(path)).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.text());
    }
    assert_eq!(play.origin.journal().len(), asked, "nobody was asked");
    assert_eq!(play.api.read("press", &play.origin.url("/basic/in/a.txt")).await.text(), "a");
}

#[tokio::test]
async fn c21_changed_settings_must_pass_their_test_before_they_serve() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    play.aws.trust(CUSTOMER, "media/reader", &trust(Some("somebody-elses")));
    let changed = play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200);
    assert_eq!(changed["status"], "error", "{changed:#}");
    play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.problem(409, "connection_not_ready");
}
