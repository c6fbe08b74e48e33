//! `aws_account_role` natively, against an in-memory AWS.

use portcullis_plugin::aws::ExternalIdVerdict;
use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::{Value, json};

use super::*;

const ROLE: &str = "arn:aws:iam::222222222222:role/PortcullisReader-us-west-2";

fn settings(change: Value) -> Settings {
    let mut all = json!({ "account_id": "222222222222", "region": "us-west-2" });
    for (name, value) in change.as_object().expect("an object") {
        all[name] = value.clone();
    }
    serde_json::from_value(all).expect("settings")
}

fn principal() -> Principal {
    Principal {
        platform_name: "Acme".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/gateway".to_owned(),
        organization: "studio".to_owned(),
    }
}

#[test]
fn p2_the_connector_keeps_the_contract() {
    let sources = ["s3://media/a", "https://media.s3.us-west-2.amazonaws.com/a%20b", "https://media.s3.eu-west-1.amazonaws.com/a", "junk"];
    assert_contract::<AwsAccountRole>(r#"{"account_id":"222222222222","region":"us-west-2"}"#, &sources);
}

#[test]
fn p8_each_wrong_setting_is_pointed_at() {
    for (why, change, pointer) in [
        ("11 digits", json!({ "account_id": "22222222222" }), "/account_id"),
        ("13 digits", json!({ "account_id": "2222222222222" }), "/account_id"),
        ("a letter", json!({ "account_id": "22222222222a" }), "/account_id"),
        ("other digits", json!({ "account_id": "２２２２" }), "/account_id"),
        ("no region of AWS", json!({ "region": "mars-north-1" }), "/region"),
        ("no bucket's name", json!({ "bucket_name": "192.168.5.4" }), "/bucket_name"),
        ("no folder", json!({ "prefix": "a/../b" }), "/prefix"),
        ("a role of somebody's choice", json!({ "iam_role_arn": "arn:aws:iam::222222222222:role/Admin" }), "/iam_role_arn"),
    ] {
        let errors = AwsAccountRole::normalize(settings(change)).expect_err(why);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{why}");
    }
}

#[test]
fn p2_the_role_follows_from_account_and_region() {
    for (region, arn) in [
        ("us-west-2", ROLE),
        ("cn-north-1", "arn:aws-cn:iam::222222222222:role/PortcullisReader-cn-north-1"),
        ("us-gov-west-1", "arn:aws-us-gov:iam::222222222222:role/PortcullisReader-us-gov-west-1"),
    ] {
        let normal = AwsAccountRole::normalize(settings(json!({ "region": region }))).expect(region);
        assert_eq!(normal.iam_role_arn.as_deref(), Some(arn));
    }
}

#[test]
fn p7_the_registered_region_is_the_one_that_is_read() {
    let sources = [
        "s3://media/a b",
        "https://media.s3.us-west-2.amazonaws.com/a%20b",
        "https://media.s3.amazonaws.com/c",
        "https://media.s3.eu-west-1.amazonaws.com/c",
        "s3://media/",
    ]
    .map(str::to_owned);
    let plan = AwsAccountRole::locate(&settings(json!({})), &sources).expect("a plan");
    let role = AssumeRoleCredential { role_arn: ROLE.to_owned(), duration_seconds: 3600, region: Some("us-west-2".to_owned()) };
    assert_eq!(plan.credentials, [Credential::AwsAssumeRole(role)]);
    let object =
        |key: &str| Ok(Target::S3(S3Object { bucket: "media".to_owned(), key: key.to_owned(), region: Some("us-west-2".to_owned()), version_id: None }));
    let targets: Vec<_> = plan.locations.into_iter().map(|location| location.map(|location| location.target).map_err(|error| error.code)).collect();
    let code = |code: &str| Err(code.to_owned());
    assert_eq!(targets[..4], [object("a b"), object("a b"), object("c"), code("scope_violation")]);
    for change in [json!({ "bucket_name": "other" }), json!({ "prefix": "train/" })] {
        let bound = AwsAccountRole::locate(&settings(change), &sources).expect("a plan");
        assert!(bound.locations.iter().all(Result::is_err));
    }
}

#[test]
fn p5_the_trust_policy_holds_the_external_id() {
    for (change, documents) in [(json!({}), 1), (json!({ "bucket_name": "media", "prefix": "train/" }), 3)] {
        let steps = AwsAccountRole::setup(&settings(change), &principal(), "pc-1").expect("steps");
        let all = || steps.iter().flat_map(|step| &step.documents);
        for language in ["json", "hcl", "sh"] {
            assert_eq!(all().filter(|document| document.language == language).count(), documents, "{language}");
        }
        let bodies: Vec<Value> =
            all().filter(|document| document.language == "json").map(|document| serde_json::from_str(&document.body).expect("json")).collect();
        assert!(documents == 1 || bodies[1]["Statement"][1]["Resource"] == "arn:aws:s3:::media/train/*");
        let statement = &bodies[0]["Statement"][0];
        assert_eq!(statement["Principal"]["AWS"], "arn:aws:iam::111122223333:role/gateway");
        assert_eq!(statement["Condition"], json!({ "StringEquals": { "sts:ExternalId": "pc-1" } }));
        assert!(steps[0].text.contains("PortcullisReader-us-west-2") && steps[0].text.contains("222222222222"));
    }
}

#[test]
fn p9_what_to_look_at_comes_most_likely_first() {
    let aws = || Host::default().role(ROLE, ExternalIdVerdict::Secure).bucket("media", "us-west-2").object("media", "a", 3);
    let codes = |findings: &[Finding]| findings.iter().map(|finding| format!("{} {}", finding.check, finding.code)).collect::<Vec<_>>();
    let (findings, _) = Host::default().run(|| AwsAccountRole::check(&settings(json!({})), None));
    assert_eq!(codes(&findings), ["settings ok", "assume_role role_cannot_be_assumed"]);
    let remedy = findings[1].remedy.as_deref().expect("a remedy");
    let order = ["role of exactly this name", "trust policy", "account id", "STS"].map(|word| remedy.find(word).expect(word));
    assert!(order.is_sorted(), "{remedy}");
    let head = ["settings ok", "sts_region ok", "assume_role ok", "external_id ok", "caller_identity ok"];
    let (findings, _) = aws().run(|| AwsAccountRole::check(&settings(json!({})), None));
    assert_eq!(codes(&findings), head);
    let (findings, _) = aws().run(|| AwsAccountRole::check(&settings(json!({})), Some("s3://media/a")));
    assert_eq!(codes(&findings), [&head[..], &["bucket_region ok", "list ok", "head ok", "read ok", "kms ok", "clock ok", "sign ok"]].concat());
    let (findings, calls) = aws().run(|| AwsAccountRole::check(&settings(json!({})), Some("https://media.s3.eu-west-1.amazonaws.com/a")));
    assert_eq!((codes(&findings), calls.len()), (vec!["settings scope_violation".to_owned()], 0));
}
