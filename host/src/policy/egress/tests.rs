//! Templates and what they become with settings.

use serde_json::{Value, json};

use super::{Egress, EgressRule};
use crate::model::BucketName;
use crate::policy::{AddressPolicy, Template};

fn web(host: &str, port: u16, path_prefix: &str) -> EgressRule {
    EgressRule::Web { plain_http: false, host: host.to_owned(), port, path_prefix: path_prefix.to_owned() }
}

fn s3(bucket: Option<&str>, prefix: &str) -> EgressRule {
    EgressRule::S3 { bucket: bucket.map(|name| BucketName::new(name).expect("a bucket")), prefix: prefix.to_owned() }
}

fn expand(template: &str, settings: &Value) -> Result<Vec<EgressRule>, Vec<(String, String)>> {
    expand_with(template, settings, &AddressPolicy::default())
}

fn expand_with(template: &str, settings: &Value, addresses: &AddressPolicy) -> Result<Vec<EgressRule>, Vec<(String, String)>> {
    Egress::expand(&[template.to_owned()], settings, addresses)
        .map(|egress| egress.0)
        .map_err(|error| error.field_errors().iter().map(|field| (field.pointer.clone(), field.message.clone())).collect())
}

const WEB: &str = "https://{settings.hostname}:{settings.port}/{settings.path_prefix}";

#[test]
fn e24_a_template_that_is_not_well_formed_is_refused_at_install() {
    for (template, why) in [
        ("", "no scheme"),
        ("assets.example", "no scheme"),
        ("ftp://assets.example", "the scheme is"),
        ("https://", "a host is"),
        ("https:///path", "a host is"),
        ("https://*", "a host is"),
        ("https://Assets.example", "a host is"),
        ("https://assets..example", "labels joined"),
        ("https://.example", "labels joined"),
        ("https://user@assets.example", "a host is"),
        ("https://{hostname}", "placeholder"),
        ("https://{settings.}", "name"),
        ("https://{settings.a-b}", "name"),
        ("https://{settings.host|*}", "name"),
        ("https://{settings.host", "without its"),
        ("https://settings.host}", "without its"),
        ("https://{settings.host}:0", "a port"),
        ("https://{settings.host}:70000", "a port"),
        ("https://{settings.host}:+80", "a port"),
        ("https://{settings.host}:8{settings.port}", "either text or one setting"),
        ("https://{settings.host}/../x", "'.' or '..'"),
        ("https://{settings.host}/%2e%2e/x", "'.' or '..'"),
        ("https://{settings.host}/a//b", "segments"),
        ("https://{settings.host}/a?b", "segments"),
        ("https://{settings.host}/{settings.a}/{settings.b}", "segments"),
        ("https://{settings.host}/v{settings.a}", "segments"),
        ("https://assets.example/a b", "visible ASCII"),
        ("s3://", "either text or one setting"),
        ("s3://Bucket", "a bucket name"),
        ("s3://prefix-{settings.bucket}", "either text or one setting"),
    ] {
        let error = Template::parse(template).expect_err(template);
        assert_eq!(error.code(), "invalid_egress_template", "{template}");
        assert!(error.message().contains(why), "{template}: {}", error.message());
    }
    Template::parse(&format!("https://{}", "a".repeat(600))).expect_err("a long template");
}

#[test]
fn b3_a_template_names_its_settings() {
    assert_eq!(Template::parse(WEB).expect("valid").settings(), ["hostname", "port", "path_prefix"]);
    assert_eq!(Template::parse("https://{settings.a}-{settings.b}.example/x").expect("valid").settings(), ["a", "b"]);
    assert_eq!(Template::parse("s3://{settings.bucket_name|*}/{settings.prefix}").expect("valid").settings(), ["prefix", "bucket_name"]);
    assert!(Template::parse("s3://*").expect("valid").settings().is_empty());
}

#[test]
fn b3_settings_fill_their_parts_and_absent_ones_drop_theirs() {
    for (template, settings, rules) in [
        (WEB, json!({"hostname": "assets.example"}), vec![web("assets.example", 443, "")]),
        (WEB, json!({"hostname": "assets.example", "port": null, "path_prefix": ""}), vec![web("assets.example", 443, "")]),
        (WEB, json!({"hostname": "assets.example", "port": 8443, "path_prefix": "media/raw"}), vec![web("assets.example", 8443, "/media/raw")]),
        (WEB, json!({"hostname": "assets.example", "path_prefix": "/media/"}), vec![web("assets.example", 443, "/media")]),
        (WEB, json!({"hostname": "ASSETS.Example."}), vec![web("assets.example", 443, "")]),
        (WEB, json!({"hostname": "bücher.example"}), vec![web("xn--bcher-kva.example", 443, "")]),
        (WEB, json!({"hostname": "localhost"}), vec![web("localhost", 443, "")]),
        (WEB, json!({}), vec![]),
        ("https://{settings.hostname}:8443/v1/{settings.path}", json!({"hostname": "a.example", "path": "x"}), vec![web("a.example", 8443, "/v1/x")]),
        ("https://api.vendor.example/v1", json!({}), vec![web("api.vendor.example", 443, "/v1")]),
        ("https://{settings.account}.blob.core.example/", json!({"account": "acct-1"}), vec![web("acct-1.blob.core.example", 443, "")]),
        ("https://{settings.account}-cdn.example", json!({"account": "acct"}), vec![web("acct-cdn.example", 443, "")]),
        ("https://{settings.account}.blob.core.example/", json!({}), vec![]),
        ("http://{settings.hostname}", json!({"hostname": "assets.example"}), vec![]),
        ("s3://*", json!({}), vec![s3(None, "")]),
        ("s3://{settings.bucket_name}", json!({"bucket_name": "media"}), vec![s3(Some("media"), "")]),
        ("s3://{settings.bucket_name}", json!({"scope": "bedrock"}), vec![]),
        ("s3://{settings.bucket_name|*}", json!({"bucket_name": "media"}), vec![s3(Some("media"), "")]),
        ("s3://{settings.bucket_name|*}", json!({"bucket_name": null}), vec![s3(None, "")]),
        ("s3://{settings.bucket_name}/{settings.prefix}", json!({"bucket_name": "media", "prefix": "train/"}), vec![s3(Some("media"), "train/")]),
        ("s3://media/raw/", json!({}), vec![s3(Some("media"), "raw/")]),
    ] {
        assert_eq!(expand(template, &settings), Ok(rules), "{template} with {settings}");
    }
}

#[test]
fn e24_m03_a_value_is_one_part_and_never_more() {
    let account = "https://{settings.account}.vendor.example/";
    for value in ["evil.example/#", "evil.example?", "x@evil", "a.b", "..", ".", "%2e", "-a", "a-", "A", "a_b", "é", "a b", "a\n", &"a".repeat(64), ""] {
        let fields = expand(account, &json!({"account": value})).expect_err(value);
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/account"), "{value:?}");
    }
    for value in [
        "evil.example/",
        "evil.example/#",
        "evil.example?",
        "evil.example#",
        "user@evil.example",
        "evil.example:8443",
        "https://evil.example",
        "evil.example\\",
        "a..b",
        ".a",
        "a..",
        "-a.example",
        "a b",
        "a\tb",
        "a\r\nb",
        "a%2eb",
        "a_b.example",
        "*.example",
        &format!("{}.example", "a".repeat(64)),
        &"a.".repeat(130),
        "",
        " ",
        ".",
        "é\u{0}.example",
        "[::1",
        "[v1.x]",
        "a,b",
    ] {
        let fields = expand(WEB, &json!({"hostname": value})).expect_err(value);
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/hostname"), "{value:?}");
    }
    for value in [json!(0), json!(65536), json!(-1), json!(443.5), json!("443"), json!(true)] {
        let fields = expand(WEB, &json!({"hostname": "a.example", "port": value})).expect_err("a port");
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/port"), "{value}");
    }
    for value in ["..", "a/../b", "a/%2e%2e/b", "a%2f..%2fb", "a//b", "a b", "a?b", "a#b", "é", "a\\b", &"a".repeat(1025)] {
        let fields = expand(WEB, &json!({"hostname": "a.example", "path_prefix": value})).expect_err(value);
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/path_prefix"), "{value:?}");
    }
    for value in ["BKT", "a/b", "*", "", "b..c"] {
        let fields = expand("s3://{settings.bucket_name|*}", &json!({"bucket_name": value})).expect_err(value);
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/bucket_name"), "{value:?}");
    }
    for value in ["..", "a/../b", "a\0", &"p".repeat(1025)] {
        let fields = expand("s3://media/{settings.prefix}", &json!({"prefix": value})).expect_err(value);
        assert_eq!(fields.first().map(|field| field.0.as_str()), Some("/prefix"), "{value:?}");
    }
    assert!(expand(WEB, &json!({"hostname": 7})).is_err(), "a hostname that is no text");
    assert!(expand(WEB, &json!({"hostname": {"a": 1}})).is_err(), "a hostname that is no text");
}

#[test]
fn e02_e03_e06_a_hostname_is_no_ip_address_however_it_is_written() {
    for value in [
        "169.254.169.254",
        "127.0.0.1",
        "1.1.1.1",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "127.1",
        "0",
        "0x7f.1",
        "①⑥⑨。②⑤④。①⑥⑨。②⑤④",
        "１２７．０．０．１",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00:ec2::254]",
        "[fe80::1%25eth0]",
        "::1",
    ] {
        expand(WEB, &json!({"hostname": value})).expect_err(value);
    }
    let opened = AddressPolicy {
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network"), "169.254.0.0/16".parse().expect("a network")],
        allow_http: true,
    };
    assert_eq!(expand_with(WEB, &json!({"hostname": "127.1"}), &opened), Ok(vec![web("127.0.0.1", 443, "")]));
    assert_eq!(expand_with(WEB, &json!({"hostname": "[::1]"}), &opened), Ok(vec![web("[::1]", 443, "")]));
    expand_with(WEB, &json!({"hostname": "10.0.0.1"}), &opened).expect_err("another network");
    expand_with(WEB, &json!({"hostname": "169.254.169.254"}), &opened).expect_err("a metadata service");
}

#[test]
fn e01_plain_http_has_a_rule_only_where_the_operator_allows_it() {
    let templates = ["https://{settings.hostname}".to_owned(), "http://{settings.hostname}:{settings.port}".to_owned()];
    let settings = json!({"hostname": "assets.example", "port": 8080});
    let rules = |allow_http| Egress::expand(&templates, &settings, &AddressPolicy { allow_networks: Vec::new(), allow_http }).expect("valid").to_string();
    assert_eq!(rules(false), "https://assets.example:443");
    assert_eq!(rules(true), "https://assets.example:443, http://assets.example:8080");
}

#[test]
fn every_wrong_setting_is_named() {
    let fields = expand("https://{settings.hostname}", &json!({"hostname": "a b"})).expect_err("wrong").len();
    let both = Egress::expand(
        &["https://{settings.hostname}".to_owned(), "s3://{settings.bucket_name}".to_owned(), "https://{settings.hostname}/x".to_owned()],
        &json!({"hostname": "a b", "bucket_name": "B"}),
        &AddressPolicy::default(),
    );
    assert_eq!((fields, both.expect_err("both are wrong").field_errors().len()), (1, 2));
}
