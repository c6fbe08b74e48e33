//! Descriptions that are refused, each for one reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check;
use crate::model::Capability;

fn good() -> Value {
    json!({
        "id": "https_basic", "title": "HTTPS", "version": "1.0.0", "summary": "Objects behind a password.",
        "settings": {
            "type": "object", "additionalProperties": false,
            "properties": {"hostname": {"type": "string"}, "port": {"type": "integer"}, "password": {"type": "string", "writeOnly": true}},
        },
        "source_schemes": ["https"], "egress": ["https://{settings.hostname}:{settings.port}/"], "capabilities": ["http"],
    })
}

#[test]
fn a_good_description_is_taken_as_it_is() {
    let (description, secrets) = check(&good().to_string(), &BTreeSet::from([Capability::Http, Capability::Wasi])).unwrap();
    assert_eq!((description.id.as_str(), secrets), ("https_basic", vec!["password".to_owned()]));
}

#[test]
fn a_description_is_refused_for_each_of_these() {
    let cases = [
        ("/id", json!("x")),
        ("/id", json!("Https")),
        ("/id", json!("a-b-c")),
        ("/id", json!("../../etc")),
        ("/id", json!("a".repeat(65))),
        ("/title", json!("")),
        ("/title", json!("two\nlines")),
        ("/title", json!("x".repeat(121))),
        ("/version", json!("")),
        ("/summary", json!("x".repeat(1025))),
        ("/settings", json!({"type": "object"})),
        ("/settings/properties/password/type", json!("integer")),
        ("/source_schemes", json!([])),
        ("/source_schemes", json!(["HTTPS"])),
        ("/source_schemes", json!(["https://"])),
        ("/egress", json!([])),
        ("/egress", json!(vec!["https://a.example"; 17])),
        ("/egress/0", json!("file:///etc/passwd")),
        ("/egress/0", json!("https://{settings.hostname")),
        ("/egress/0", json!("https://settings.hostname}")),
        ("/egress/0", json!("https://{hostname}")),
        ("/egress/0", json!("https://{settings.other}")),
        ("/egress/0", json!("https://{settings.password}")),
        ("/egress/0", json!("https://{settings.{settings.hostname}}")),
        ("/egress/0", json!("https://a b")),
        ("/capabilities", json!(["root"])),
        ("/capabilities", json!([])),
        ("/capabilities", json!(["aws"])),
    ];
    for (pointer, value) in cases {
        let mut description = good();
        *description.pointer_mut(pointer).unwrap() = value.clone();
        let error = check(&description.to_string(), &BTreeSet::from([Capability::Http])).err().unwrap_or_else(|| panic!("accepted: {pointer} = {value}"));
        assert!(["plugin_contract", "invalid_egress_template"].contains(&error.code()), "{pointer}: {value}: {error}");
    }
    let mut extra = good();
    extra["trusted"] = json!(true);
    let deep = "[".repeat(10_000);
    let large = json!("x".repeat(256 << 10)).to_string();
    for text in [extra.to_string(), good().to_string().replacen("{", r#"{"id":"twice","#, 1), deep, large, String::new()] {
        assert!(check(&text, &BTreeSet::new()).is_err(), "{}", &text[..text.len().min(40)]);
    }
}
