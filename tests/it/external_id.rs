//! The external id (SPEC L6, SECURITY T01-T06): which trust policies are found insecure, what a probe leaves behind, and the daily look.

use std::time::Duration;

use portcullis::store::{Expect, Op, SledStore, Store};
use portcullis_tests::aws::{AwsDouble, Fault, Service};
use portcullis_tests::gateway::{Gateway, Given};
use portcullis_tests::ministack::Ministack;
use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, GATEWAY_USER, MEDIA, PLATFORM, READER_ROLE, fixture, statements, trust};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::play::{check, gateway_on, play, ready_role, role_body};

const READY: &str = "ready";
/// L5: *Role cannot be assumed*.
const CLOSED: &str = "role_cannot_be_assumed";
/// L6, and what the message adds: without one, with a different one.
const WITHOUT: &str = "external_id_configured_insecurely: without one";
const ANY: &str = "external_id_configured_insecurely: with a different one";
const UNCLEAR: &str = "external_id_unverified";

fn allow(principal: &Value, condition: &Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    statement
}

/// What a customer may have pasted, by what is wrong with it: the policy's statements, and what the gateway makes of them.
fn matrix(id: &str) -> Vec<(&'static str, Value, &'static str)> {
    let gateway = json!({"AWS": GATEWAY_ROLE});
    let by = |condition: Value| json!([allow(&gateway, &condition)]);
    let equals = |id: &str| json!({"StringEquals": {"sts:ExternalId": id}});
    let like = |pattern: &str| json!({"StringLike": {"sts:ExternalId": pattern}});
    let to = |principal: Value| json!([allow(&principal, &equals(id))]);
    let other_case: String =
        id.chars().map(|character| if character.is_ascii_lowercase() { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() }).collect();
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition});
    let and = |condition: Value| {
        let mut both = condition;
        both["StringEquals"]["sts:ExternalId"] = json!(id);
        json!([allow(&gateway, &both)])
    };
    let (past, future) = ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    vec![
        ("exactly ours", by(equals(id)), READY),
        ("no condition", by(Value::Null), WITHOUT),
        ("an empty condition", by(json!({})), WITHOUT),
        ("StringLike with a star", by(like("*")), ANY),
        ("StringLike with question marks", by(like(&"?".repeat(id.len()))), ANY),
        ("StringLike with the beginning that every id has", by(like("pc-*")), ANY),
        ("StringLike with most of ours and a star", by(like(&format!("{}*", &id[..20]))), ANY),
        ("StringLike with all of ours but one character", by(like(&format!("{}?", &id[..id.len() - 1]))), ANY),
        ("StringLike without a wildcard", by(like(id)), READY),
        ("StringLike with ours or a star", by(json!({"StringLike": {"sts:ExternalId": [id, "*"]}})), ANY),
        ("StringEquals with a star, which is a star", by(equals("*")), CLOSED),
        ("two ids, one of them ours", by(json!({"StringEquals": {"sts:ExternalId": [id, "somebody-elses"]}})), READY),
        ("two ids, none of them ours", by(json!({"StringEquals": {"sts:ExternalId": ["mine", "somebody-elses"]}})), CLOSED),
        ("another id", by(equals("somebody-elses")), CLOSED),
        ("ours in another case", by(equals(&other_case)), CLOSED),
        ("StringEqualsIgnoreCase with ours in another case", by(json!({"StringEqualsIgnoreCase": {"sts:ExternalId": other_case}})), READY),
        ("ours and a space", by(equals(&format!("{id} "))), CLOSED),
        ("StringEqualsIfExists", by(json!({"StringEqualsIfExists": {"sts:ExternalId": id}})), WITHOUT),
        ("StringLikeIfExists", by(json!({"StringLikeIfExists": {"sts:ExternalId": "*"}})), WITHOUT),
        ("ForAllValues, which holds for no value at all", by(json!({"ForAllValues:StringEquals": {"sts:ExternalId": id}})), WITHOUT),
        ("ForAnyValue", by(json!({"ForAnyValue:StringEquals": {"sts:ExternalId": id}})), READY),
        ("StringNotEquals with another", by(json!({"StringNotEquals": {"sts:ExternalId": "somebody-elses"}})), WITHOUT),
        ("StringNotEquals with ours", by(json!({"StringNotEquals": {"sts:ExternalId": id}})), CLOSED),
        ("Null: some id is asked for", by(json!({"Null": {"sts:ExternalId": "false"}})), ANY),
        ("Null: no id may be sent", by(json!({"Null": {"sts:ExternalId": "true"}})), CLOSED),
        ("Null and ours", and(json!({"Null": {"sts:ExternalId": "false"}})), READY),
        ("the name of the key in another case", by(json!({"StringEquals": {"STS:EXTERNALID": id}})), READY),
        ("another account", to(json!({"AWS": "arn:aws:iam::999988887777:root"})), CLOSED),
        ("another role of the gateway's account", to(json!({"AWS": format!("arn:aws:iam::{PLATFORM}:role/other")})), CLOSED),
        ("the user behind the gateway's role", to(json!({"AWS": format!("arn:aws:iam::{PLATFORM}:user/{GATEWAY_USER}")})), CLOSED),
        ("the gateway's whole account, and ours", to(json!({"AWS": format!("arn:aws:iam::{PLATFORM}:root")})), READY),
        ("two principals, and ours", to(json!({"AWS": ["arn:aws:iam::999988887777:root", GATEWAY_ROLE]})), READY),
        ("everybody, and ours", to(json!({"AWS": "*"})), READY),
        ("everybody", json!([allow(&json!({"AWS": "*"}), &Value::Null)]), WITHOUT),
        ("a right statement beside an open one", json!([allow(&gateway, &equals(id)), allow(&gateway, &Value::Null)]), WITHOUT),
        ("a right statement beside one for another id", json!([allow(&gateway, &equals(id)), allow(&gateway, &equals("somebody-elses"))]), READY),
        ("open, and denied to whoever has not ours", json!([allow(&gateway, &Value::Null), deny(json!({"StringNotEquals": {"sts:ExternalId": id}}))]), READY),
        ("open, and denied to whoever has none", json!([allow(&gateway, &Value::Null), deny(json!({"Null": {"sts:ExternalId": "true"}}))]), ANY),
        ("ours, and denied to everybody", json!([allow(&gateway, &equals(id)), deny(json!({"StringLike": {"sts:ExternalId": "*"}}))]), CLOSED),
        ("ours, until a date that is past", and(json!({"DateLessThan": {"aws:CurrentTime": past}})), CLOSED),
        ("ours, until a date to come", and(json!({"DateLessThan": {"aws:CurrentTime": future}})), READY),
        (
            "ours, and without until a date that is past",
            json!([allow(&gateway, &equals(id)), allow(&gateway, &json!({"DateLessThan": {"aws:CurrentTime": past}}))]),
            READY,
        ),
        (
            "ours, and without until a date to come",
            json!([allow(&gateway, &equals(id)), allow(&gateway, &json!({"DateLessThan": {"aws:CurrentTime": future}}))]),
            WITHOUT,
        ),
        ("ours, from another network", and(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), CLOSED),
        ("ours, for the organization's sessions", and(json!({"StringEquals": {"aws:PrincipalTag/organization": "default"}})), READY),
        ("only for the organization's sessions", by(json!({"StringEquals": {"aws:PrincipalTag/organization": "default"}})), WITHOUT),
        ("only for sessions of a certain name, which a probe has not", by(json!({"StringLike": {"sts:RoleSessionName": "portcullis-*"}})), UNCLEAR),
        ("another action", json!([{"Effect": "Allow", "Principal": gateway, "Action": "sts:TagSession", "Condition": equals(id)}]), CLOSED),
        ("every action of STS, and ours", json!([{"Effect": "Allow", "Principal": gateway, "Action": "sts:*", "Condition": equals(id)}]), READY),
    ]
}

/// Of a test: the first thing that did not pass.
fn verdict(tested: &Value) -> String {
    let wrong = tested["checks"].as_array().unwrap().iter().find(|finding| finding["passed"] == false);
    let Some(wrong) = wrong else { return tested["status"].as_str().unwrap().to_owned() };
    assert_ne!(tested["status"], "ready", "{tested:#}");
    let (code, message) = (wrong["code"].as_str().unwrap(), wrong["message"].as_str().unwrap());
    match message.split_once("can be assumed ") {
        Some((_, how)) => format!("{code}: {how}"),
        None => code.to_owned(),
    }
}

/// The sentences whose verdict was another.
async fn differing(aws: &dyn AwsStack) -> (usize, Vec<String>) {
    let gateway = gateway_on(aws).await;
    let api = gateway.api();
    let made = api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    let matrix = matrix(made["external_id"].as_str().unwrap());
    let mut wrong = Vec::new();
    for (sentence, document, expected) in &matrix {
        aws.trust(CUSTOMER, "media/reader", &statements(document.clone())).await;
        let tested = api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
        let found = verdict(&tested);
        if found != *expected {
            wrong.push(format!("{sentence}: {found}, not {expected}"));
        }
        let read = api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await;
        assert_eq!(read.status.is_success(), found == READY, "{sentence}: only what is ready serves: {}", read.text());
    }
    (matrix.len(), wrong)
}

#[tokio::test]
async fn l06_t01_t02_b04_each_trust_policy_gets_its_exact_verdict() {
    let aws = AwsDouble::with(&fixture()).await;
    let (policies, wrong) = differing(&aws).await;
    assert_eq!(wrong, Vec::<String>::new());
    assert!(policies >= 25, "{policies}");
    // M04, T02: what a probe opened, where it was let in, was never used for anything.
    let journal = aws.journal();
    let probes: Vec<_> = journal.iter().filter(|entry| entry.params.get("RoleSessionName").is_some_and(|name| name == "gw-extid-probe")).collect();
    assert!(probes.iter().filter(|probe| probe.allowed == Some(true)).count() >= policies / 2, "some probes were let in");
    assert!(probes.iter().all(|probe| probe.params["Policy"].contains("\"Deny\"")), "and could have done nothing");
    let used = journal.iter().filter(|entry| entry.principal.as_deref().is_some_and(|principal| principal.contains("gw-extid-probe")));
    assert_eq!(used.count(), 0, "a probe's session signs nothing");
}

#[tokio::test]
async fn l06_t01_b04_the_referee_gives_the_same_verdicts() {
    let aws = Ministack::with(&fixture()).await;
    let (policies, wrong) = differing(&aws).await;
    let known: Vec<String> = wrong.iter().filter(|sentence| !REFEREE_DIFFERS.iter().any(|known| sentence.starts_with(known))).cloned().collect();
    assert_eq!(known, Vec::<String>::new(), "of {policies}, in all {wrong:#?}");
    assert!(policies - wrong.len() >= 25, "{wrong:#?}");
}

/// Where the referee does not evaluate as AWS documents it, by the sentence's beginning.
const REFEREE_DIFFERS: &[&str] = &[];

#[tokio::test]
async fn t06_another_organizations_role_is_refused_in_the_same_words_as_one_that_is_not_there() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let thief = play.api.token("thief", "admin").await;
    let mut words = Vec::new();
    for (name, role) in [("theirs", READER_ROLE), ("nobodys", "arn:aws:iam::444455556666:role/media/nobody")] {
        let mut body = role_body(name);
        body["config"]["iam_role_arn"] = json!(role);
        let made = thief.post("/api/v1/connections", &body).await.expect(201);
        assert_eq!(made["status"], "error", "{made:#}");
        let found = check(&made, "assume_role");
        words.push((found["code"].clone(), found["message"].clone(), found["remedy"].clone()));
        assert!(!thief.read(name, &format!("s3://{MEDIA}/train/a.jpg")).await.status.is_success());
    }
    assert_eq!(words[0], words[1], "whether the role is there is not told");
    assert_eq!(words[0].0, CLOSED);
}

#[tokio::test]
async fn sv06_v07_m02_an_external_id_is_never_taken_from_input_and_is_new_for_a_new_connection() {
    let play = play().await;
    let given = json!({"external_id": "chosen-by-somebody-else-0001"});
    for place in ["", "config"] {
        let mut body = role_body("films");
        if place.is_empty() {
            body["external_id"] = given["external_id"].clone()
        } else {
            body["config"]["external_id"] = given["external_id"].clone()
        }
        let refused = play.api.post("/api/v1/connections", &body).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "immutable_field"), "{}", refused.text());
    }
    let first = play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    for patch in [given.clone(), json!({"config": given})] {
        let refused = play.api.patch("/api/v1/connections/films", &patch).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "immutable_field"), "{}", refused.text());
    }
    let changed = play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 900}, "description": "x"})).await.expect(200);
    assert_eq!(changed["external_id"], first["external_id"], "it stays");
    play.api.delete("/api/v1/connections/films").await.expect(200);
    let second = play.api.post("/api/v1/connections", &role_body("films")).await.expect(201);
    assert_ne!(second["external_id"], first["external_id"], "a new connection, a new id");
    let id = second["external_id"].as_str().unwrap();
    assert!(id.len() >= 25 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
}

#[tokio::test]
async fn t01_m25_whoever_is_blocked_is_told_the_exact_policy_to_paste() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    play.aws.trust(CUSTOMER, "media/reader", &trust(None));
    let tested = play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    let remedy = check(&tested, "external_id")["remedy"].as_str().unwrap().to_owned();
    let refused = play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await;
    refused.problem(409, "connection_not_ready");
    assert!(refused.text().contains("sts:ExternalId"), "{}", refused.text());
    // As it is told, so it is pasted.
    let policy: Value = serde_json::from_str(&remedy[remedy.find('{').unwrap()..]).unwrap_or_else(|error| panic!("{error}: {remedy}"));
    play.aws.trust(CUSTOMER, "media/reader", &policy);
    let tested = play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
}

/// A gateway of its own data folder whose connection `films` passed its test `hours` ago, as far as its records say. Not started.
async fn aged(aws: &AwsDouble, required: bool, hours: u64) -> (Gateway, Value) {
    let given = Given::default().aws(aws).variable("PORTCULLIS__PLATFORM__EXTERNAL_ID_REQUIRED", required.to_string());
    let mut gateway = given.start().await;
    ready_role(&gateway.api(), aws, "films").await;
    gateway.kill();
    let store = SledStore::open(&gateway.folder().join("data")).await.unwrap();
    let (key, record) = store.scan("connection/", None, 10).await.unwrap().into_iter().next().unwrap();
    let mut connection: Value = serde_json::from_slice(&record.value).unwrap();
    let then = OffsetDateTime::now_utc() - Duration::from_secs(hours * 3600);
    for time in ["last_good_at", "created_at"] {
        assert!(connection[time].is_string(), "{connection}");
        connection[time] = json!(then.format(&Rfc3339).unwrap());
    }
    let value = serde_json::to_vec(&connection).unwrap().into();
    store.apply(vec![Op::Put { key, value, expect: Expect::Any }]).await.unwrap();
    drop(store);
    aws.forget_journal();
    (gateway, connection)
}

fn probes(aws: &AwsDouble) -> usize {
    aws.journal().iter().filter(|entry| entry.params.get("RoleSessionName").is_some_and(|name| name == "gw-extid-probe")).count()
}

/// Waits until so many probes were made, and a little for what comes of them.
async fn probed(aws: &AwsDouble, at_least: usize) {
    for _ in 0..600 {
        if probes(aws) >= at_least {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(probes(aws) >= at_least, "{} probes", probes(aws));
}

#[tokio::test]
async fn t05_l06_b04_a_trust_policy_that_is_loosened_later_blocks_the_connection_within_a_day() {
    let aws = AwsDouble::with(&fixture()).await;
    let (mut gateway, _) = aged(&aws, true, 25).await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    // Nothing was loosened: it serves, and is not looked at again today.
    gateway.restart().await;
    probed(&aws, 4).await;
    assert_eq!(gateway.api().read("films", &source).await.text(), "jpeg a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.kill();
    gateway.restart().await;
    assert_eq!(gateway.api().read("films", &source).await.text(), "jpeg a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(probes(&aws), 4, "once a day");
    drop(gateway);

    let (mut gateway, connection) = aged(&aws, true, 25).await;
    let id = connection["external_id"].as_str().unwrap();
    aws.trust(CUSTOMER, "media/reader", &trust(None));
    gateway.restart().await;
    let api = gateway.api();
    let mut shown = Value::Null;
    for _ in 0..600 {
        shown = api.get("/api/v1/connections/films").await.expect(200);
        if shown["status"] == "error" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shown["status"], "error", "{shown:#}");
    let refused = api.read("films", &source).await;
    refused.problem(409, "connection_not_ready");
    let text = refused.text();
    assert!(text.contains("external_id_configured_insecurely") && text.contains(id) && text.contains(GATEWAY_ROLE), "what to paste: {text}");
    // Mended, it serves after a test.
    aws.trust(CUSTOMER, "media/reader", &trust(Some(id)));
    assert_eq!(api.post("/api/v1/connections/films/test", &json!({})).await.expect(200)["status"], "ready");
    assert_eq!(api.read("films", &source).await.text(), "jpeg a");
}

#[tokio::test]
async fn t05_an_unclear_answer_blocks_nobody_at_once_and_an_operator_may_do_without() {
    let aws = AwsDouble::with(&fixture()).await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    let (mut gateway, _) = aged(&aws, true, 25).await;
    aws.fail(Service::Sts, 60, Fault::Throttle);
    gateway.restart().await;
    for _ in 0..600 {
        if aws.journal().iter().any(|entry| entry.code.as_deref() == Some("Throttling")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.api().get("/api/v1/connections/films").await.expect(200)["status"], "ready");
    drop(gateway);

    let aws = AwsDouble::with(&fixture()).await;
    let (mut gateway, _) = aged(&aws, false, 25).await;
    aws.trust(CUSTOMER, "media/reader", &trust(None));
    gateway.restart().await;
    assert_eq!(gateway.api().read("films", &source).await.text(), "jpeg a");
    assert_eq!(probes(&aws), 0, "nobody asks for what nobody requires");
    let tested = gateway.api().post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
    assert!(check(&tested, "external_id")["message"].as_str().unwrap().contains("external_id_required"), "it is said all the same");
}
