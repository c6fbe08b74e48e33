//! Connections to AWS, as our double and ministack both see them; and what of AWS only the double knows.

use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, MEDIA, NEAR, ODD_KEYS, SHARED, shared_with, trust};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};

use crate::play::{check, gateway_on, on_both, play, ready_role, role_body};

on_both! {
    c01_c10_c18_l02_l04_l05_l12_a_role_serves_once_it_trusts_the_external_id,
    l06_b04_an_insecure_external_id_is_found_by_probing,
    c04_b04_the_default_connection_reads_for_the_organization_that_a_bucket_names,
    l07_l16_c14_any_key_and_every_form_of_its_address_reads_the_same_object,
    c23_a_connection_lists_what_it_may_read,
}

mod bodies {
    use super::*;

    pub async fn c01_c10_c18_l02_l04_l05_l12_a_role_serves_once_it_trusts_the_external_id(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        let made = api.post("/api/v1/connections", &role_body("films")).await.expect(201);
        // The fixture's role wants another external id: what was made is there, tested, and does not serve.
        assert_eq!((&made["status"], &made["name"], &made["type"]), (&json!("error"), &json!("films"), &json!("aws_iam_role")), "{made:#}");
        assert_eq!(made["config"]["session_ttl"], 3600, "the default");
        assert!(made["connection_id"].as_str().unwrap().len() == 36 && made["created_at"].is_string() && made["updated_at"].is_string());
        let refused = check(&made, "assume_role");
        assert_eq!((&refused["passed"], &refused["code"]), (&json!(false), &json!("role_cannot_be_assumed")));
        for word in ["ARN", "external id", "STS"] {
            assert!(refused["remedy"].as_str().unwrap().contains(word), "{refused}");
        }
        assert!(made["last_good_at"].is_null());
        assert!(!api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.status.is_success(), "it does not serve");

        let external_id = made["external_id"].as_str().unwrap();
        assert!(external_id.len() >= 22, "128 bits or more: {external_id}");
        let setup = api.get("/api/v1/connections/films/setup").await.expect(200).to_string();
        assert!(setup.contains("sts:ExternalId") && setup.contains(external_id) && setup.contains(GATEWAY_ROLE), "{setup}");

        aws.trust(CUSTOMER, "media/reader", &trust(Some(external_id))).await;
        let tested = api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
        assert_eq!(tested["status"], "ready", "{tested:#}");
        for name in ["assume_role", "external_id", "caller_identity"] {
            assert_eq!(check(&tested, name)["passed"], true, "{tested:#}");
        }
        let shown = api.get("/api/v1/connections/films").await.expect(200);
        assert_eq!((&shown["status"], shown["last_good_at"].is_string()), (&json!("ready"), true), "{shown:#}");
        let read = api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "jpeg a"));
    }

    pub async fn l06_b04_an_insecure_external_id_is_found_by_probing(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        let made = api.post("/api/v1/connections", &role_body("films")).await.expect(201);
        let mut any = trust(Some("x"));
        any["Statement"][0]["Condition"] = json!({"StringLike": {"sts:ExternalId": "*"}});
        for (sentence, document) in [("no id is asked for", trust(None)), ("any id will do", any)] {
            aws.trust(CUSTOMER, "media/reader", &document).await;
            let tested = api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
            let found = check(&tested, "external_id");
            assert_eq!(
                (&tested["status"], &found["passed"], &found["code"]),
                (&json!("error"), &json!(false), &json!("external_id_configured_insecurely")),
                "{sentence}: {tested:#}"
            );
            assert!(!api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.status.is_success(), "{sentence}: it does not serve");
        }
        aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str())).await;
        let tested = api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
        assert_eq!((&tested["status"], &check(&tested, "external_id")["passed"]), (&json!("ready"), &json!(true)), "{tested:#}");
    }

    pub async fn c04_b04_the_default_connection_reads_for_the_organization_that_a_bucket_names(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let operator = gateway.api();
        let acme = operator.token("acme", "admin").await;
        let source = format!("s3://{NEAR}/a.txt");
        for (sentence, api) in [("the operator's organization", &operator), ("another organization", &operator.token("other", "admin").await)] {
            let answer = api.read("portcullis", &source).await;
            answer.problem(502, "permission_denied");
            assert!(!answer.text().contains("shared a"), "{sentence}");
        }
        let read = acme.read("portcullis", &source).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "shared a"), "the organization that the bucket's policy names");
        let page = acme.post("/api/v1/connections/portcullis/list", &json!({"bucket": NEAR, "prefix": ""})).await.expect(200);
        assert_eq!(page["entries"].as_array().map(Vec::len), Some(2), "{page}");

        let first = acme.get("/api/v1/connections").await.expect(200)["items"][0].clone();
        assert_eq!((&first["name"], &first["type"]), (&json!("portcullis"), &json!("aws_bucket_policy")));
        acme.patch("/api/v1/connections/portcullis", &json!({"description": "mine"})).await.problem(409, "default_connection");
        acme.delete("/api/v1/connections/portcullis").await.problem(409, "default_connection");
    }

    pub async fn l07_l16_c14_any_key_and_every_form_of_its_address_reads_the_same_object(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        let made = ready_role(&api, aws, "films").await;
        for key in ODD_KEYS {
            let read = api.read("films", &format!("s3://{MEDIA}/{key}")).await;
            assert_eq!((read.status.as_u16(), read.text().as_str()), (200, key), "s3://{MEDIA}/{key}");
        }
        let id = made["connection_id"].as_str().unwrap();
        for address in [
            format!("s3://{MEDIA}/odd/a b.jpg"),
            format!("https://{MEDIA}.s3.eu-west-1.amazonaws.com/odd/a%20b.jpg"),
            format!("https://{MEDIA}.s3.amazonaws.com/odd/a%20b.jpg"),
            format!("https://{MEDIA}.s3-eu-west-1.amazonaws.com/odd/a%20b.jpg"),
            format!("https://{MEDIA}.s3.dualstack.eu-west-1.amazonaws.com/odd/a%20b.jpg"),
            format!("https://s3.eu-west-1.amazonaws.com/{MEDIA}/odd/a%20b.jpg"),
            format!("https://s3.amazonaws.com/{MEDIA}/odd/a%20b.jpg"),
        ] {
            for connection in ["films", id] {
                let read = api.read(connection, &address).await;
                assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "odd/a b.jpg"), "{address} through {connection}");
            }
        }
    }

    pub async fn c23_a_connection_lists_what_it_may_read(aws: &dyn AwsStack) {
        let gateway = gateway_on(aws).await;
        let api = gateway.api();
        ready_role(&api, aws, "films").await;
        let names = |page: &Value, list: &str| -> Vec<String> {
            page[list].as_array().unwrap().iter().map(|entry| entry["path"].as_str().or(entry.as_str()).unwrap().to_owned()).collect()
        };
        let page = api.post("/api/v1/connections/films/list", &json!({"prefix": "train/"})).await.expect(200);
        assert_eq!(names(&page, "entries"), [format!("s3://{MEDIA}/train/a.jpg"), format!("s3://{MEDIA}/train/b.jpg")]);
        assert_eq!(names(&page, "prefixes").len(), 1, "{page}");
        let (mut found, mut token) = (0, None::<String>);
        for _ in 0..10 {
            let mut ask = json!({"prefix": "train/", "max_keys": 1});
            if let Some(token) = &token {
                ask["continuation_token"] = json!(token);
            }
            let page = api.post("/api/v1/connections/films/list", &ask).await.expect(200);
            found += names(&page, "entries").len() + names(&page, "prefixes").len();
            token = page["next"].as_str().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!((found, token), (3, None));
        for (ask, pointer) in [(json!({"max_keys": 1001}), "/max_keys"), (json!({"max_keys": 0}), "/max_keys"), (json!({"prefix": 1}), "/prefix")] {
            assert_eq!(api.post("/api/v1/connections/films/list", &ask).await.pointers(), [pointer], "{ask}");
        }
    }
}

/// What our double knows of AWS and the referee does not: a bucket policy with a condition, over accounts.
#[tokio::test]
async fn c04_b04_the_default_connection_reaches_a_customers_bucket_only_for_its_organization() {
    let play = play().await;
    let acme = play.api.token("acme", "member").await;
    let source = format!("s3://{SHARED}/a.txt");
    play.api.read("portcullis", &source).await.problem(502, "permission_denied");
    assert_eq!(acme.read("portcullis", &source).await.text(), "shared a");
    play.aws.bucket_policy(SHARED, Some(&shared_with(SHARED, "default")));
    assert_eq!(play.api.read("portcullis", &source).await.text(), "shared a");
    acme.read("portcullis", &source).await.problem(502, "permission_denied");
}

#[tokio::test]
async fn l06_an_unclear_answer_is_unverified_and_never_ready() {
    use portcullis_tests::aws::{Fault, Service};
    let play = play().await;
    let made = play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    // Whatever it asks first, everything after that is throttled, retries and all.
    let tested = play.api.post("/api/v1/connections/films/test", &json!({"update_state": false})).await.expect(200);
    assert!(tested["passed"] == true, "{tested:#}");
    play.aws.forget_journal();
    play.aws.fail(Service::Sts, 200, Fault::Throttle);
    let tested = play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    assert_ne!(tested["status"], "ready", "{tested:#}");
}
