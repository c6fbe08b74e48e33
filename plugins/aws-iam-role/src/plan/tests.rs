//! `aws_iam_role` natively, against an in-memory AWS.

use portcullis_plugin::ErrorKind;
use portcullis_plugin::aws::ExternalIdVerdict;
use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::{Value, json};

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/media-reader";

fn settings(change: Value) -> Settings {
    let mut all = json!({ "iam_role_arn": ROLE, "bucket_name": "media" });
    for (name, value) in change.as_object().expect("an object") {
        all[name] = value.clone();
    }
    all.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    serde_json::from_value(all).expect("settings")
}

fn bedrock() -> Settings {
    settings(json!({ "scope": "bedrock", "bucket_name": null }))
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
fn c3_c10_the_connector_keeps_the_contract() {
    let sources = ["s3://media/a", "https://media.s3.us-west-2.amazonaws.com/a%20b", "s3://other/a", "junk"];
    assert_contract::<AwsIamRole>(&json!({ "iam_role_arn": ROLE, "bucket_name": "media" }).to_string(), &sources);
}

#[test]
fn c10_c11_v02_v05_v08_each_wrong_setting_is_pointed_at() {
    for (why, change, pointer) in [
        ("an ARN of a user", json!({ "iam_role_arn": "arn:aws:iam::123456789012:user/x" }), "/iam_role_arn"),
        ("an account of 11 digits", json!({ "iam_role_arn": "arn:aws:iam::12345678901:role/x" }), "/iam_role_arn"),
        ("a line break", json!({ "iam_role_arn": format!("{ROLE}\n") }), "/iam_role_arn"),
        ("no bucket", json!({ "bucket_name": null }), "/bucket_name"),
        ("no bucket's name", json!({ "bucket_name": "192.168.5.4" }), "/bucket_name"),
        ("an access point", json!({ "bucket_name": "ap-s3alias" }), "/bucket_name"),
        ("bedrock with a bucket", json!({ "scope": "bedrock" }), "/bucket_name"),
        ("bedrock with a prefix", json!({ "scope": "bedrock", "bucket_name": null, "prefix": "a/" }), "/prefix"),
        ("a TTL of 59", json!({ "session_ttl": 59 }), "/session_ttl"),
        ("a TTL of 3601", json!({ "session_ttl": 3601 }), "/session_ttl"),
        ("a region that is none", json!({ "region": "xx-fake-9" }), "/region"),
        ("a prefix that no policy can name", json!({ "prefix": "日本語/" }), "/prefix"),
        ("a prefix with a dot segment", json!({ "prefix": "a/../b" }), "/prefix"),
        ("a region of another partition", json!({ "region": "cn-north-1" }), "/region"),
    ] {
        let errors = AwsIamRole::normalize(settings(change)).expect_err(why);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{why}");
    }
    for change in [json!({}), json!({ "session_ttl": 60 }), json!({ "session_ttl": 900 }), json!({ "region": "us-west-2" }), json!({ "bucket_name": "a.b-c" })]
    {
        AwsIamRole::normalize(settings(change.clone())).unwrap_or_else(|errors| panic!("{change}: {errors:?}"));
    }
    assert_eq!(AwsIamRole::normalize(bedrock()).expect("bedrock").session_ttl, 3600);
}

#[test]
fn v05_a_ttl_is_an_integer() {
    for ttl in ["\"900\"", "900.5", "1e3", "9223372036854775808", "-1"] {
        let text = format!(r#"{{"iam_role_arn":"{ROLE}","bucket_name":"media","session_ttl":{ttl}}}"#);
        assert!(serde_json::from_str::<Settings>(&text).is_err(), "{ttl}");
    }
}

#[test]
fn c13_c14_s21_a_plan_assumes_the_role_and_keeps_to_the_bucket() {
    let sources = [
        "s3://media/a b#?.jpg",
        "https://media.s3.eu-west-1.amazonaws.com/c%2Bd",
        "s3://other/a",
        "https://media.s3.cn-north-1.amazonaws.com.cn/a",
        "https://media.s3.amazonaws.com/a?X-Amz-Signature=canary",
        "https://evil.example/a",
    ];
    let plan = AwsIamRole::locate(&settings(json!({ "session_ttl": 900, "region": "us-west-2" })), &sources.map(str::to_owned)).expect("a plan");
    let recipe = AssumeRoleCredential { role_arn: ROLE.to_owned(), duration_seconds: 900, region: Some("us-west-2".to_owned()) };
    assert_eq!(plan.credentials, [Credential::AwsAssumeRole(recipe)]);
    let object = |key: &str, region: &str| S3Object { bucket: "media".to_owned(), key: key.to_owned(), region: Some(region.to_owned()), version_id: None };
    let answers: Vec<_> = plan.locations.into_iter().map(|location| location.map(|location| location.target).map_err(|error| error.code)).collect();
    let refused = |code: &str| Err(code.to_owned());
    assert_eq!(
        answers,
        [
            Ok(Target::S3(object("a b#?.jpg", "us-west-2"))),
            Ok(Target::S3(object("c+d", "eu-west-1"))),
            refused("scope_violation"),
            refused("partition_mismatch"),
            refused("presigned_url"),
            refused("not_s3"),
        ]
    );
}

#[test]
fn c11_v03_bedrock_and_a_reserved_role_read_nothing() {
    let reserved = settings(json!({ "iam_role_arn": "arn:aws:iam::000000000000:role/temporary" }));
    for (settings, code) in [(bedrock(), "scope_has_no_objects"), (reserved, "role_not_set")] {
        let error = AwsIamRole::locate(&settings, &["s3://media/a".to_owned()]).expect_err(code);
        assert_eq!(error.code, code);
    }
    let (page, calls) = Host::default().run(|| AwsIamRole::list(&bedrock(), "", None, 10));
    assert_eq!((page.expect_err("no bucket").code.as_str(), calls), ("scope_has_no_objects", vec![]));
}

#[test]
fn c7_l1_l2_p5_the_policies_are_ready_to_paste() {
    let steps = AwsIamRole::setup(&settings(json!({})), &principal(), "ext-0123456789abcdef").expect("steps");
    let document = |step: usize| serde_json::from_str::<Value>(&steps[step].documents[0].body).expect("json");
    let languages = |step: usize| steps[step].documents.iter().map(|document| document.language.as_str()).collect::<Vec<_>>();
    assert_eq!((languages(0), languages(1), languages(3)), (vec!["json", "hcl", "sh"], vec!["json", "hcl", "sh"], vec!["json", "hcl", "sh"]));
    let permission = json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "ListBucket", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::media" },
        { "Sid": "GetObjects", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::media/*" },
    ] });
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "AssumeWithExternalId", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:role/gateway" }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": "ext-0123456789abcdef" } },
    }] });
    assert_eq!((document(0), document(1)), (trust, permission));
    let all = format!("{steps:?}").to_lowercase();
    assert!(!["your-", "<bucket", "placeholder", "example", "todo"].iter().any(|left| all.contains(left)), "nothing is left to fill in: {all}");
    let china = AwsIamRole::setup(&settings(json!({ "iam_role_arn": "arn:aws-cn:iam::123456789012:role/r" })), &principal(), "id").expect("steps");
    assert!(china[1].documents[0].body.contains("arn:aws-cn:s3:::media/*"));
    let bedrock = AwsIamRole::setup(&bedrock(), &principal(), "id").expect("steps");
    assert!(bedrock[1].documents[0].body.contains("bedrock:InvokeModel") && !format!("{bedrock:?}").contains("s3:"));
    // The role's name and path as the connection has them; one that is only reserved gets a name.
    let nested = AwsIamRole::setup(&settings(json!({ "iam_role_arn": "arn:aws:iam::123456789012:role/a/b/r" })), &principal(), "id").expect("steps");
    assert!(nested[0].documents[2].body.contains("--path='/a/b/' --role-name='r'"));
    let reserved = settings(json!({ "iam_role_arn": "arn:aws:iam::000000000000:role/temporary" }));
    let reserved = AwsIamRole::setup(&reserved, &principal(), "pc-0123456789").expect("steps");
    assert!(!format!("{reserved:?}").contains("temporary") && reserved[0].documents[2].body.contains("--role-name='Acme-reader-98765432'"));
}

#[test]
fn c7_s19_a_prefix_bounds_the_plan_and_the_permission_policy() {
    let normal = AwsIamRole::normalize(settings(json!({ "prefix": "train" }))).expect("a folder");
    assert_eq!(normal.prefix.as_deref(), Some("train/"));
    let plan = AwsIamRole::locate(&normal, &["s3://media/train/a", "s3://media/training/a", "s3://media/train"].map(str::to_owned)).expect("a plan");
    let codes: Vec<_> = plan.locations.iter().map(|location| location.as_ref().err().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [None, Some("scope_violation"), Some("scope_violation")]);
    let steps = AwsIamRole::setup(&normal, &principal(), "id").expect("steps");
    let policy: Value = serde_json::from_str(&steps[1].documents[0].body).expect("json");
    assert_eq!(policy["Statement"][0]["Condition"], json!({ "StringLike": { "s3:prefix": "train/*" } }));
    assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::media/train/*");
    let (findings, calls) = aws(ExternalIdVerdict::Secure).run(|| AwsIamRole::check(&normal, None));
    assert!(findings.iter().all(|finding| finding.passed), "{findings:?}");
    assert!(calls.contains(&"aws.list media/train/".to_owned()), "{calls:?}");
}

/// `check code` of each finding.
fn check(host: Host, settings: &Settings, test: Option<&str>) -> (Vec<String>, Vec<String>) {
    let (findings, calls) = host.run(|| AwsIamRole::check(settings, test));
    for finding in &findings {
        assert_eq!(finding.passed, finding.code == "ok", "{finding:?}");
        assert!(finding.passed || finding.remedy.is_some(), "{finding:?}");
    }
    (findings.into_iter().map(|finding| format!("{} {}", finding.check, finding.code)).collect(), calls)
}

fn aws(verdict: ExternalIdVerdict) -> Host {
    Host::default().role(ROLE, verdict).bucket("media", "us-west-2").object("media", "a", 3)
}

#[test]
fn l5_l6_l8_c11_v03_checks_come_in_order_and_stop_where_nothing_more_can_be_learned() {
    use ExternalIdVerdict::{AnyAccepted, NotRequired, Secure, Unverified};
    let plain = || settings(json!({}));
    let rejected = || Error::new(ErrorKind::Rejected, "access_denied", "denied");
    let reserved = settings(json!({ "iam_role_arn": "arn:aws:iam::000000000000:role/temporary" }));
    let head = ["settings ok", "sts_region ok", "assume_role ok"];
    for (why, host, settings, test, expected) in [
        ("a reserved role is never called", aws(Secure), reserved, None, vec!["settings role_not_set"]),
        ("bedrock has no test location", aws(Secure), bedrock(), Some("s3://media/a"), vec!["settings test_location_not_supported"]),
        ("the test location is elsewhere", aws(Secure), plain(), Some("s3://other/a"), vec!["settings scope_violation"]),
        ("L5", Host::default(), plain(), None, vec!["settings ok", "assume_role role_cannot_be_assumed"]),
        (
            "STS does not answer",
            aws(Secure).fails("aws.acquire", Error::new(ErrorKind::Unavailable, "sts_unavailable", "no answer").with_remedy("Test again later.")),
            plain(),
            None,
            vec!["settings ok", "assume_role sts_unavailable"],
        ),
        (
            "L6, no id needed",
            aws(NotRequired),
            plain(),
            None,
            [&head[..], &["external_id external_id_configured_insecurely", "caller_identity ok", "bucket_region ok", "list ok", "clock ok", "sign ok"]]
                .concat(),
        ),
        (
            "L6, any id taken",
            aws(AnyAccepted),
            plain(),
            None,
            [&head[..], &["external_id external_id_configured_insecurely", "caller_identity ok", "bucket_region ok", "list ok", "clock ok", "sign ok"]]
                .concat(),
        ),
        (
            "L6, no clear answer",
            aws(Unverified),
            plain(),
            None,
            [&head[..], &["external_id external_id_unverified", "caller_identity ok", "bucket_region ok", "list ok", "clock ok", "sign ok"]].concat(),
        ),
        (
            "the bucket is not there",
            aws(Secure),
            settings(json!({ "bucket_name": "nowhere" })),
            None,
            [&head[..], &["external_id ok", "caller_identity ok", "bucket_region bucket_not_found"]].concat(),
        ),
        (
            "L8, cannot list, can read",
            aws(Secure).fails("aws.list", rejected()),
            plain(),
            Some("s3://media/a"),
            [
                &head[..],
                &["external_id ok", "caller_identity ok", "bucket_region ok", "list list_denied", "head ok", "read ok", "kms ok", "clock ok", "sign ok"],
            ]
            .concat(),
        ),
        (
            "L8, can list, cannot read",
            aws(Secure).fails("aws.probe-read", rejected()),
            plain(),
            Some("s3://media/a"),
            [&head[..], &["external_id ok", "caller_identity ok", "bucket_region ok", "list ok", "head ok", "read read_denied"]].concat(),
        ),
        (
            "the test object is not there",
            aws(Secure),
            plain(),
            Some("s3://media/b"),
            [&head[..], &["external_id ok", "caller_identity ok", "bucket_region ok", "list ok", "head file_not_found"]].concat(),
        ),
        ("C11", aws(Secure), bedrock(), None, [&head[..], &["external_id ok", "caller_identity ok"]].concat()),
        (
            "all is well",
            aws(Secure),
            plain(),
            Some("https://media.s3.amazonaws.com/a"),
            [&head[..], &["external_id ok", "caller_identity ok", "bucket_region ok", "list ok", "head ok", "read ok", "kms ok", "clock ok", "sign ok"]]
                .concat(),
        ),
    ] {
        let (findings, calls) = check(host, &settings, test);
        assert_eq!(findings, expected, "{why}");
        if expected.len() == 1 {
            assert!(calls.is_empty(), "{why}: nothing is asked");
        }
    }
}
