use serde_json::json;

use super::{Context, Named, Place, Policy, Request};
use crate::aws::principal::Principal;

fn session() -> Principal {
    Principal::Session { partition: "aws", account: "111122223333".into(), role: "gateway".into(), session: "s1".into() }
}

fn context(pairs: &[(&str, &[&str])]) -> Context {
    pairs.iter().map(|(key, values)| (key.to_ascii_lowercase(), values.iter().map(ToString::to_string).collect())).collect()
}

#[test]
fn a_document_that_aws_would_not_save_is_refused() {
    let allow = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    let with = |key: &str, value: serde_json::Value| {
        let mut statement = allow.clone();
        statement[key] = value;
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    for (sentence, place, document) in [
        ("no statement", Place::Identity, json!({"Version": "2012-10-17"})),
        ("an empty list", Place::Identity, json!({"Statement": []})),
        ("another version", Place::Identity, json!({"Version": "2020-01-01", "Statement": [allow]})),
        ("an unknown element", Place::Identity, with("Where", json!("x"))),
        ("an unknown effect", Place::Identity, with("Effect", json!("allow"))),
        ("Action and NotAction", Place::Identity, with("NotAction", json!("s3:PutObject"))),
        ("an action without a service", Place::Identity, with("Action", json!("GetObject"))),
        ("an unknown operator", Place::Identity, with("Condition", json!({"StringResembles": {"aws:PrincipalTag/x": "y"}}))),
        ("an unknown quantifier", Place::Identity, with("Condition", json!({"ForSomeValues:StringEquals": {"aws:TagKeys": "y"}}))),
        ("a key without a service", Place::Identity, with("Condition", json!({"StringEquals": {"externalId": "y"}}))),
        ("an identity policy that names a principal", Place::Identity, with("Principal", json!("*"))),
        ("a bucket policy without one", Place::Bucket, with("Sid", json!("x"))),
        ("a trust policy with a resource", Place::Trust, with("Principal", json!("*"))),
        ("a wildcard in a principal", Place::Bucket, with("Principal", json!({"AWS": "arn:aws:iam::111122223333:role/*"}))),
        ("a principal that is no ARN", Place::Bucket, with("Principal", json!({"AWS": "gateway"}))),
        ("a service principal, which nothing here is", Place::Bucket, with("Principal", json!({"Service": "ec2.amazonaws.com"}))),
    ] {
        assert!(Policy::parse(place, &document).is_err(), "{sentence}");
    }
    Policy::parse(Place::Identity, &with("Sid", json!("Fine"))).unwrap();
}

#[test]
fn principals_are_named_as_aws_documents_it() {
    let empty = Context::new();
    for (sentence, principal, named) in [
        ("another account", json!({"AWS": "arn:aws:iam::999988887777:root"}), None),
        ("the same number in another partition", json!({"AWS": "arn:aws-cn:iam::111122223333:root"}), None),
        ("the same role in another partition", json!({"AWS": "arn:aws-cn:iam::111122223333:role/gateway"}), None),
        ("another role", json!({"AWS": "arn:aws:iam::111122223333:role/other"}), None),
        ("another session of the role", json!({"AWS": "arn:aws:sts::111122223333:assumed-role/gateway/s2"}), None),
        ("a user of the same name", json!({"AWS": "arn:aws:iam::111122223333:user/gateway"}), None),
        ("the account's root", json!({"AWS": "arn:aws:iam::111122223333:root"}), Some(Named::Account)),
        ("the account's number", json!({"AWS": "111122223333"}), Some(Named::Account)),
        ("the role", json!({"AWS": "arn:aws:iam::111122223333:role/gateway"}), Some(Named::Itself)),
        ("everyone", json!("*"), Some(Named::Itself)),
        ("everyone, the long way", json!({"AWS": "*"}), Some(Named::Itself)),
        ("the session", json!({"AWS": ["arn:aws:sts::111122223333:assumed-role/gateway/s1"]}), Some(Named::Session)),
    ] {
        let policy = Policy::parse(Place::Trust, &json!({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}})).unwrap();
        let request = Request { principal: &session(), action: "sts:AssumeRole", resource: "arn:aws:iam::444455556666:role/x", context: &empty };
        assert_eq!(policy.allows(&request), named, "{sentence}");
    }
}

#[test]
fn conditions_hold_as_aws_documents_them() {
    for (sentence, condition, keys, expected) in [
        ("no external id was sent", json!({"StringEquals": {"sts:ExternalId": "abc"}}), context(&[]), false),
        ("another was sent", json!({"StringEquals": {"sts:ExternalId": "abc"}}), context(&[("sts:ExternalId", &["abd"])]), false),
        ("the case differs", json!({"StringEquals": {"sts:ExternalId": "abc"}}), context(&[("sts:ExternalId", &["ABC"])]), false),
        ("the right one", json!({"StringEquals": {"sts:ExternalId": "abc"}}), context(&[("sts:ExternalId", &["abc"])]), true),
        ("a star is a star for StringEquals", json!({"StringEquals": {"sts:ExternalId": "*"}}), context(&[("sts:ExternalId", &["abc"])]), false),
        ("StringLike * needs a value", json!({"StringLike": {"sts:ExternalId": "*"}}), context(&[]), false),
        ("StringLike * takes any", json!({"StringLike": {"sts:ExternalId": "*"}}), context(&[("sts:ExternalId", &["x"])]), true),
        ("IfExists lets an absent key pass", json!({"StringEqualsIfExists": {"sts:ExternalId": "abc"}}), context(&[]), true),
        ("IfExists still compares", json!({"StringEqualsIfExists": {"sts:ExternalId": "abc"}}), context(&[("sts:ExternalId", &["x"])]), false),
        ("a negated operator holds for an absent key", json!({"StringNotEquals": {"sts:ExternalId": "abc"}}), context(&[]), true),
        ("negated, no alternative may match", json!({"StringNotEquals": {"sts:ExternalId": ["a", "b"]}}), context(&[("sts:ExternalId", &["b"])]), false),
        ("Null true: must be absent", json!({"Null": {"sts:ExternalId": "true"}}), context(&[("sts:ExternalId", &["b"])]), false),
        ("Null false: must be there", json!({"Null": {"sts:ExternalId": "false"}}), context(&[("sts:ExternalId", &["b"])]), true),
        (
            "two operators both count",
            json!({"StringEquals": {"sts:ExternalId": "a"}, "Bool": {"aws:SecureTransport": "true"}}),
            context(&[("sts:ExternalId", &["a"]), ("aws:SecureTransport", &["false"])]),
            false,
        ),
        ("keys' names have no case", json!({"StringEquals": {"AWS:principaltag/Org": "acme"}}), context(&[("aws:PrincipalTag/org", &["acme"])]), true),
        ("several values without a quantifier", json!({"StringEquals": {"aws:TagKeys": ["a", "b"]}}), context(&[("aws:TagKeys", &["a", "b"])]), false),
        ("ForAllValues: one is not listed", json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), context(&[("aws:TagKeys", &["a", "b"])]), false),
        ("ForAllValues: none at all", json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), context(&[]), true),
        ("ForAnyValue: none at all", json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}), context(&[]), false),
        ("ForAnyValue: one is listed", json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}), context(&[("aws:TagKeys", &["a", "b"])]), true),
        (
            "a variable is replaced",
            json!({"StringEquals": {"s3:prefix": "${aws:PrincipalTag/org}/"}}),
            context(&[("s3:prefix", &["acme/"]), ("aws:PrincipalTag/org", &["acme"])]),
            true,
        ),
        ("a variable without a value", json!({"StringLike": {"s3:prefix": "${aws:PrincipalTag/org}*"}}), context(&[("s3:prefix", &["acme/"])]), false),
        ("numbers, not texts", json!({"NumericLessThanEquals": {"s3:max-keys": "100"}}), context(&[("s3:max-keys", &["20"])]), true),
        ("an address outside", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), context(&[("aws:SourceIp", &["127.0.0.1"])]), false),
        (
            "a date gone by",
            json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            context(&[("aws:CurrentTime", &["2026-01-01T00:00:00Z"])]),
            false,
        ),
        (
            "an ARN's star stays in its part",
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:*:role/gateway"}}),
            context(&[("aws:PrincipalArn", &["arn:aws:iam::111122223333:role/gateway"])]),
            false,
        ),
        (
            "an ARN's last part may have colons",
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
            context(&[("aws:PrincipalArn", &["arn:aws:iam::111122223333:role/gateway"])]),
            true,
        ),
    ] {
        let policy =
            Policy::parse(Place::Identity, &json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}})).unwrap();
        let request = Request { principal: &session(), action: "sts:AssumeRole", resource: "arn:aws:iam::444455556666:role/x", context: &keys };
        assert_eq!(policy.allows(&request).is_some(), expected, "{sentence}");
    }
}

#[test]
fn actions_and_resources_match_as_aws_documents_it() {
    let empty = Context::new();
    for (sentence, statement, action, resource, expected) in [
        ("another action", json!({"Action": "s3:GetObject", "Resource": "*"}), "s3:ListBucket", "arn:aws:s3:::b", false),
        ("get on the bucket is not get on objects", json!({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b"}), "s3:GetObject", "arn:aws:s3:::b/k", false),
        ("a bucket with a longer name", json!({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}), "s3:GetObject", "arn:aws:s3:::bb/k", false),
        ("resources have case", json!({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/K"}), "s3:GetObject", "arn:aws:s3:::b/k", false),
        ("actions have none", json!({"Action": "S3:getobject", "Resource": "*"}), "s3:GetObject", "arn:aws:s3:::b/k", true),
        ("NotAction", json!({"NotAction": "s3:Put*", "Resource": "*"}), "s3:PutObject", "arn:aws:s3:::b/k", false),
        ("NotResource", json!({"Action": "s3:*", "NotResource": "arn:aws:s3:::b/private/*"}), "s3:GetObject", "arn:aws:s3:::b/private/x", false),
        ("a star goes over slashes", json!({"Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}), "s3:GetObject", "arn:aws:s3:::b/x/y", true),
    ] {
        let mut statement = statement;
        statement["Effect"] = json!("Allow");
        let policy = Policy::parse(Place::Identity, &json!({"Statement": [statement]})).unwrap();
        let request = Request { principal: &session(), action, resource, context: &empty };
        assert_eq!(policy.allows(&request).is_some(), expected, "{sentence}");
    }
}
