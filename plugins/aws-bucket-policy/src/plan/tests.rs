//! `aws_bucket_policy` natively, against an in-memory AWS.

use portcullis_plugin::ErrorKind;
use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::{Value, json};

use super::*;

fn settings(bucket: Option<&str>) -> Settings {
    Settings { bucket_name: bucket.map(str::to_owned), prefix: None }
}

fn principal() -> Principal {
    Principal {
        platform_name: "Acme".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/gateway".to_owned(),
        organization: "studio".to_owned(),
    }
}

fn codes(findings: &[Finding]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding.check.as_str(), finding.code.as_str())).collect()
}

#[test]
fn c1_the_connector_keeps_the_contract() {
    assert_contract::<AwsBucketPolicy>(r#"{"bucket_name":"media"}"#, &["s3://media/a", "s3://other/a", "https://media.s3.amazonaws.com/a%20b"]);
}

#[test]
fn v08_a_wrong_bucket_is_a_field_error() {
    for bucket in ["ab", "A_B", "192.168.5.4", "a..b", "x--x-s3"] {
        let errors = AwsBucketPolicy::normalize(settings(Some(bucket))).expect_err(bucket);
        assert_eq!(errors.first().map(|error| error.pointer.as_str()), Some("/bucket_name"), "{bucket}");
    }
    AwsBucketPolicy::normalize(settings(None)).expect("the default connection names no bucket");
    let errors = AwsBucketPolicy::normalize(Settings { prefix: Some("..".to_owned()), ..settings(None) }).expect_err("a dot segment");
    assert_eq!(errors.first().map(|error| error.pointer.as_str()), Some("/prefix"));
    let folder = AwsBucketPolicy::normalize(Settings { prefix: Some("train".to_owned()), ..settings(None) }).expect("a folder");
    assert_eq!(folder.prefix.as_deref(), Some("train/"));
}

#[test]
fn c7_c9_the_bucket_policy_is_ready_to_paste() {
    let steps = AwsBucketPolicy::setup(&settings(Some("media")), &principal(), "unused").expect("steps");
    let body: Value = serde_json::from_str(&steps[0].documents[0].body).expect("json");
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/organization": "studio" } });
    let who = json!({ "AWS": "arn:aws:iam::111122223333:role/gateway" });
    let expected = json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "ListBucket", "Effect": "Allow", "Principal": who, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::media", "Condition": condition },
        { "Sid": "GetObjects", "Effect": "Allow", "Principal": who, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::media/*", "Condition": condition },
    ] });
    assert_eq!(body, expected);
    let languages: Vec<_> = steps.iter().flat_map(|step| &step.documents).map(|document| document.language.as_str()).collect();
    assert_eq!(languages, ["json", "hcl", "sh", "json", "hcl", "sh"], "the policy, and CORS");
    let below = Settings { prefix: Some("train/".to_owned()), ..settings(Some("media")) };
    let steps = AwsBucketPolicy::setup(&below, &principal(), "unused").expect("steps");
    let body: Value = serde_json::from_str(&steps[0].documents[0].body).expect("json");
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/organization": "studio" }, "StringLike": { "s3:prefix": "train/*" } });
    assert_eq!((&body["Statement"][0]["Condition"], &body["Statement"][1]["Resource"]), (&condition, &json!("arn:aws:s3:::media/train/*")));
    let nameless = AwsBucketPolicy::setup(&settings(None), &principal(), "unused").expect_err("no placeholder is rendered");
    assert_eq!(nameless.code, "bucket_name_required");
}

#[test]
fn c4_c14_the_default_connection_reads_any_bucket_and_a_bound_one_its_own() {
    let sources = ["s3://media/a b", "https://other.s3.eu-west-1.amazonaws.com/c+d"].map(str::to_owned);
    let any = AwsBucketPolicy::locate(&settings(None), &sources).expect("a plan");
    assert_eq!(any.credentials, [Credential::AwsGatewayRole]);
    let object = |bucket: &str, key: &str, region: Option<&str>| {
        Target::S3(S3Object { bucket: bucket.to_owned(), key: key.to_owned(), region: region.map(str::to_owned), version_id: None })
    };
    let targets: Vec<_> = any.locations.into_iter().map(|location| location.expect("a location").target).collect();
    assert_eq!(targets, [object("media", "a b", None), object("other", "c+d", Some("eu-west-1"))]);
    let bound = AwsBucketPolicy::locate(&settings(Some("media")), &sources).expect("a plan");
    assert_eq!(
        bound.locations.iter().map(|location| location.as_ref().err().map(|error| error.code.as_str())).collect::<Vec<_>>(),
        [None, Some("scope_violation")]
    );
}

#[test]
fn l8_l12_checks_are_named_and_stop_where_nothing_more_can_be_learned() {
    let aws = || Host::default().bucket("media", "us-west-2").object("media", "a", 3);
    let denied = || Error::new(ErrorKind::Rejected, "access_denied", "denied");
    for (why, host, settings, test, expected) in [
        ("the test location is elsewhere", aws(), settings(Some("media")), Some("s3://other/a"), vec![("test_location", "scope_violation")]),
        ("the gateway has no session", aws().fails("aws.acquire", denied()), settings(None), Some("s3://media/a"), vec![("gateway_role", "access_denied")]),
        ("no such bucket", aws(), settings(Some("nowhere")), None, vec![("gateway_role", "ok"), ("bucket_region", "bucket_not_found")]),
        (
            "the policy has no list statement",
            aws().fails("aws.list", denied()),
            settings(Some("media")),
            Some("s3://media/a"),
            vec![
                ("gateway_role", "ok"),
                ("bucket_region", "ok"),
                ("list", "list_denied"),
                ("head", "ok"),
                ("read", "ok"),
                ("kms", "ok"),
                ("clock", "ok"),
                ("sign", "ok"),
            ],
        ),
        (
            "the policy has no get statement",
            aws().fails("aws.head", denied()).fails("aws.probe-read", denied()),
            settings(None),
            Some("s3://media/a"),
            vec![("gateway_role", "ok"), ("bucket_region", "ok"), ("list", "ok"), ("head", "read_denied")],
        ),
        ("nothing to look at", aws(), settings(None), None, vec![("gateway_role", "ok")]),
        (
            "all is well",
            aws(),
            settings(None),
            Some("s3://media/a"),
            vec![
                ("gateway_role", "ok"),
                ("bucket_region", "ok"),
                ("list", "ok"),
                ("head", "ok"),
                ("read", "ok"),
                ("kms", "ok"),
                ("clock", "ok"),
                ("sign", "ok"),
            ],
        ),
    ] {
        let (findings, _) = host.run(|| AwsBucketPolicy::check(&settings, test));
        assert_eq!(codes(&findings), expected, "{why}");
    }
}

#[test]
fn c23_the_default_connection_lists_the_bucket_that_is_named() {
    let aws = || Host::default().bucket("media", "us-west-2").object("media", "a/b", 3);
    let (page, calls) = aws().run(|| AwsBucketPolicy::list(&settings(None), "s3://media/a/", None, 10));
    assert_eq!((page.map(|page| page.entries.len()), calls), (Ok(1), vec!["aws.list media/a/".to_owned()]));
    let (page, _) = aws().run(|| AwsBucketPolicy::list(&settings(None), "a/", None, 10));
    assert_eq!(page.expect_err("no bucket").code, "bucket_name_required");
}
