//! The S rows: each public form of an object's address, and each that only looks like one.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn code(source: &str) -> String {
    match parse(source) {
        Ok(object) => format!("{object:?}"),
        Err(error) => error.code,
    }
}

fn found(source: &str) -> (String, String, Option<String>) {
    let object = parse(source).unwrap_or_else(|error| panic!("{source}: {}", error.message));
    assert_eq!(object.version_id, None);
    (object.bucket, object.key, object.region)
}

#[test]
fn s04_s05_s06_s21_s25_what_only_looks_like_s3_is_told_apart() {
    for (id, source, expected) in [
        ("S04", "https://bkt.s3.amazonaws.com.evil.example/k", "not_s3"),
        ("S04", "https://bkt.s3.us-east-1.amazonaws.com.co/k", "not_s3"),
        ("S04", "https://s3.evilamazonaws.com/bkt/k", "not_s3"),
        ("S04", "https://bkt.s3.evilamazonaws.com/k", "not_s3"),
        ("S04", "https://bkt.s3.amazonaws.com:8443/k", "not_s3"),
        ("S04", "https://bkt.s3.amazonaws.com:/k", "not_s3"),
        ("S04", "http://bkt.s3.amazonaws.com/k", "not_s3"),
        ("S04", "https://amazonaws.com/bkt/k", "not_s3"),
        ("S04", "https://us-west-2.amazonaws.com/bkt/k", "not_s3"),
        ("S04", "https://bkt.ec2.us-west-2.amazonaws.com/k", "not_s3"),
        ("S04", "https://bkt.s3evil.amazonaws.com/k", "not_s3"),
        ("S04", "https://bkt.s3%2eamazonaws.com/k", "not_s3"),
        ("S04", "https://ｓ3.amazonaws.com/bkt/k", "not_s3"),
        ("S04", "https://u:p@bkt.s3.amazonaws.com/k", "broken_url"),
        ("S04", "https://evil.example\\@bkt.s3.amazonaws.com/k", "broken_url"),
        ("S04", "https:bkt.s3.amazonaws.com/k", "unsupported_uri_scheme"),
        ("S04", "//bkt.s3.amazonaws.com/k", "unsupported_uri_scheme"),
        ("S04", "gs://bkt/k", "unsupported_uri_scheme"),
        ("S04", "s3a://bkt/k", "unsupported_uri_scheme"),
        ("S04", "/bkt/k", "unsupported_uri_scheme"),
        ("S04", "", "unsupported_uri_scheme"),
        ("S02", "https://bkt.s3.cn-north-1.amazonaws.com/k", "not_s3"),
        ("S02", "https://bkt.s3.us-east-1.amazonaws.com.cn/k", "not_s3"),
        ("S02", "https://bkt.s3.amazonaws.com.cn/k", "not_s3"),
        ("S02", "https://bkt.s3.dualstack.amazonaws.com/k", "not_s3"),
        ("S02", "https://s3-accelerate.amazonaws.com/bkt/k", "not_s3"),
        ("S05", "https://bkt.s3-website-us-east-1.amazonaws.com/k", "website_endpoint"),
        ("S05", "https://bkt.s3-website.eu-central-1.amazonaws.com/k", "website_endpoint"),
        ("S06", "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/k", "unsupported_s3_form"),
        ("S06", "arn:aws:s3:::bkt/k", "unsupported_s3_form"),
        ("S06", "s3://ap-abc-s3alias/k", "unsupported_s3_form"),
        ("S06", "https://ap-abc-s3alias.s3.us-west-2.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "https://ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "https://ap-123456789012.s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "https://abc.mrap.accesspoint.s3-global.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "s3://abc.mrap/k", "unsupported_s3_form"),
        ("S06", "https://ap-123456789012.op-1.s3-outposts.us-west-2.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "https://ol-123456789012.s3-object-lambda.us-west-2.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "https://b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com/k", "unsupported_s3_form"),
        ("S06", "s3://b--usw2-az1--x-s3/k", "unsupported_s3_form"),
        ("S06", "https://bucket.vpce-1-2.s3.us-east-1.vpce.amazonaws.com/bkt/k", "unsupported_s3_form"),
        ("S21", "s3://BKT/k", "invalid_bucket"),
        ("S21", "s3://a_b/k", "invalid_bucket"),
        ("S21", "s3://192.168.5.4/k", "invalid_bucket"),
        ("S21", "https://s3.amazonaws.com/BKT/k", "invalid_bucket"),
        ("S21", "https://s3.amazonaws.com/%62kt/k", "invalid_bucket"),
        ("S21", "https://bkt.s3.xx-fake-9.amazonaws.com/k", "unknown_region"),
        ("S21", "https://s3.xx-fake-9.amazonaws.com/bkt/k", "unknown_region"),
        ("S21", "https://bkt.s3-xx-fake-9.amazonaws.com/k", "unknown_region"),
        ("S21", "https://bkt.s3.dualstack.xx-fake-9.amazonaws.com/k", "unknown_region"),
        ("S25", "https://minio.internal/bkt/k", "not_s3"),
        ("no key", "s3://bkt", "missing_key"),
        ("no key", "s3://bkt/", "missing_key"),
        ("no key", "https://bkt.s3.amazonaws.com", "missing_key"),
        ("no key", "https://bkt.s3.amazonaws.com/", "missing_key"),
        ("no key", "https://s3.amazonaws.com/bkt", "missing_key"),
        ("no bucket", "s3:///k", "invalid_bucket"),
    ] {
        assert_eq!(code(source), expected, "{id} {source}");
    }
}

#[test]
fn s07_a_presigned_url_is_refused_and_never_repeated() {
    for query in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=c0ffee&X-Amz-Security-Token=canary",
        "x-amz-signature=canary",
        "X%2DAmz-Signature=canary",
        "versionId=1&X-Amz-Security-Token=canary",
        "AWSAccessKeyId=canary&Signature=canary&Expires=1",
    ] {
        let error = parse(&format!("https://bkt.s3.amazonaws.com/k?{query}")).expect_err(query);
        assert_eq!(error.code, "presigned_url", "{query}");
        assert!(!format!("{error:?}").contains("canary"), "{query}");
    }
}

#[test]
fn s22_sub_resources_are_refused() {
    for query in ["acl", "policy", "uploads", "list-type=2", "select&select-type=2", "versionId=v1", "response-content-type=text/html", "x-id=GetObject", "%zz"]
    {
        let source = format!("https://bkt.s3.amazonaws.com/k?{query}");
        assert_eq!(code(&source), "unsupported_query", "{query}");
    }
    assert_eq!(found("https://bkt.s3.amazonaws.com/k?").1, "k", "an empty query asks for nothing");
}

#[test]
fn s12_s17_s18_keys_that_cannot_be_kept_exact_are_refused() {
    for (id, key, url) in [
        ("S12", ".", "."),
        ("S12", "..", ".."),
        ("S12", "a/./b", "a/./b"),
        ("S12", "a/../b", "a/../b"),
        ("S12", "../other-bucket/secret", "../other-bucket/secret"),
        ("S12, escaped", "a/../b", "a/%2e%2E/b"),
        ("S12, slashes escaped too", "a/../b", "a%2f..%2Fb"),
        ("S17", "a\0b", "a%00b"),
        ("S18", &"k".repeat(1025), &"k".repeat(1025)),
        ("S18, bytes", &"🧪".repeat(300), &"%F0%9F%A7%AA".repeat(300)),
    ] {
        assert_eq!(code(&format!("s3://bkt/{key}")), "unsupported_key", "{id}");
        assert_eq!(code(&format!("https://bkt.s3.amazonaws.com/{url}")), "unsupported_key", "{id}");
        assert_eq!(code(&format!("https://s3.amazonaws.com/bkt/{url}")), "unsupported_key", "{id}");
    }
    for (why, path) in [
        ("S08: a raw space", "a b"),
        ("S17: a raw line break", "a\nb"),
        ("S17: a raw DEL", "a\x7fb"),
        ("S16: a raw backslash", "x\\y"),
        ("S16: a raw fragment", "x#y"),
        ("S10: an escape that is none", "100%.txt"),
        ("S10: a cut escape", "100%2"),
        ("not UTF-8", "%ff%fe"),
    ] {
        assert_eq!(code(&format!("https://bkt.s3.amazonaws.com/{path}")), "broken_url", "{why}");
    }
}

#[test]
fn s01_s02_s03_every_public_form_is_the_same_object() {
    for (id, source, bucket, region) in [
        ("S01", "s3://bkt/a/b", "bkt", None),
        ("S01", "S3://bkt/a/b", "bkt", None),
        ("S01", "https://bkt.s3.us-west-2.amazonaws.com/a/b", "bkt", Some("us-west-2")),
        ("S01", "https://s3.us-west-2.amazonaws.com/bkt/a/b", "bkt", Some("us-west-2")),
        ("S01", "https://bkt.s3.amazonaws.com/a/b", "bkt", None),
        ("S01", "https://s3.amazonaws.com/bkt/a/b", "bkt", None),
        ("S01", "https://bkt.s3-us-west-2.amazonaws.com/a/b", "bkt", Some("us-west-2")),
        ("S01", "https://s3-us-west-2.amazonaws.com/bkt/a/b", "bkt", Some("us-west-2")),
        ("S01", "https://s3-external-1.amazonaws.com/bkt/a/b", "bkt", Some("us-east-1")),
        ("S01", "https://bkt.s3.amazonaws.com:443/a/b", "bkt", None),
        ("S01", "HTTPS://BKT.S3.AMAZONAWS.COM./a/b", "bkt", None),
        ("S01", "https://us-west-2.s3.amazonaws.com/a/b", "us-west-2", None),
        ("S01", "https://s3.us-west-2.s3.amazonaws.com/a/b", "s3.us-west-2", None),
        ("S02", "https://bkt.s3.dualstack.eu-west-1.amazonaws.com/a/b", "bkt", Some("eu-west-1")),
        ("S02", "https://s3.dualstack.eu-west-1.amazonaws.com/bkt/a/b", "bkt", Some("eu-west-1")),
        ("S02", "https://bkt.s3-fips.us-gov-west-1.amazonaws.com/a/b", "bkt", Some("us-gov-west-1")),
        ("S02", "https://s3-fips-us-gov-west-1.amazonaws.com/bkt/a/b", "bkt", Some("us-gov-west-1")),
        ("S02", "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com/a/b", "bkt", Some("us-east-1")),
        ("S02", "https://bkt.s3-accelerate.amazonaws.com/a/b", "bkt", None),
        ("S02", "https://bkt.s3-accelerate.dualstack.amazonaws.com/a/b", "bkt", None),
        ("S02", "https://bkt.s3.cn-north-1.amazonaws.com.cn/a/b", "bkt", Some("cn-north-1")),
        ("S02", "https://s3.eusc-de-east-1.amazonaws.eu/bkt/a/b", "bkt", Some("eusc-de-east-1")),
        ("S03", "https://my.bkt.v1.s3.us-east-1.amazonaws.com/a/b", "my.bkt.v1", Some("us-east-1")),
        ("S03", "https://my.bkt.v1.s3.amazonaws.com/a/b", "my.bkt.v1", None),
    ] {
        assert_eq!(found(source), (bucket.to_owned(), "a/b".to_owned(), region.map(str::to_owned)), "{id} {source}");
    }
}

#[test]
fn s08_s09_s10_s11_s15_s16_keys_are_exact() {
    let many = "/".repeat(1000);
    for (id, key, path) in [
        ("S08", "a b.jpg", "a%20b.jpg"),
        ("S09", "a+b.jpg", "a+b.jpg"),
        ("S09", "a+b.jpg", "a%2Bb.jpg"),
        ("S10", "100%.txt", "100%25.txt"),
        ("S10", "a%2Fb", "a%252Fb"),
        ("S10", "a/b", "a%2Fb"),
        ("S11", "a//b", "a//b"),
        ("S11", "/a", "/a"),
        ("S11", "a/", "a/"),
        ("S11", "//", "//"),
        ("S11", &many, &many),
        ("S15", "日本語/🧪.png", "%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%A7%AA.png"),
        ("S15", "日本語/🧪.png", "日本語/🧪.png"),
        ("S15", "a\u{202e}b\u{200b}", "a%E2%80%AEb%E2%80%8B"),
        ("S17", "a\nb", "a%0Ab"),
        ("S17", "a\x7fb", "a%7Fb"),
        ("S18", &"k".repeat(1024), &"k".repeat(1024)),
        ("dots that are no dot segment", ".../.a/a..b/a.", ".../.a/a..b/a."),
        ("S16", "x?y x#y x\\y x[y] x\"y x<y> x^y", "x%3Fy%20x%23y%20x%5Cy%20x%5By%5D%20x%22y%20x%3Cy%3E%20x%5Ey"),
        ("S16", "x&y=x;y:x@y,x$y!x*y'x(y)~", "x&y=x;y:x@y,x$y!x*y'x(y)~"),
    ] {
        assert_eq!(found(&format!("s3://bkt/{key}")).1, *key, "{id} as s3://");
        assert_eq!(found(&format!("https://bkt.s3.amazonaws.com/{path}")).1, *key, "{id} {path}");
        assert_eq!(found(&format!("https://s3.us-west-2.amazonaws.com/bkt/{path}")).1, *key, "{id} {path}");
    }
}

/// Any key that S3 and this gateway take.
fn any_key() -> impl Strategy<Value = String> {
    "[^\\x00]{1,255}".prop_filter("dot segments are refused", |key| key.len() <= 1024 && !key.split('/').any(|segment| segment == "." || segment == ".."))
}

proptest! {
    #[test]
    fn s16_any_key_survives_an_s3_uri(key in any_key()) {
        prop_assert_eq!(found(&format!("s3://bkt/{key}")).1, key);
    }

    #[test]
    fn s16_any_key_survives_each_kind_of_url(key in any_key()) {
        let path = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
        prop_assert_eq!(&found(&format!("https://bkt.s3.eu-west-1.amazonaws.com/{path}")).1, &key);
        prop_assert_eq!(&found(&format!("https://s3.amazonaws.com/bkt/{path}")).1, &key);
    }

    #[test]
    fn s04_nothing_that_is_parsed_panics_or_invents_a_bucket(host in "[a-z0-9.-]{0,40}(\\.s3)?[a-z0-9.-]{0,12}\\.amazonaws\\.com", path in "[ -~]{0,60}") {
        if let Ok(object) = parse(&format!("https://{host}/{path}")) {
            prop_assert!(check_bucket_name(&object.bucket).is_ok());
            let named = host.starts_with(&format!("{}.", object.bucket)) || path.starts_with(&format!("{}/", object.bucket));
            prop_assert!(named, "{}", object.bucket);
        }
    }
}
