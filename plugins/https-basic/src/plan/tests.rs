//! `https_basic` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use portcullis_plugin::{Target, describe};
use serde_json::{Value, json};

use super::*;

fn settings(username: &str) -> Settings {
    serde_json::from_value(json!({ "hostname": "assets.example.com", "username": username })).expect("settings")
}

#[test]
fn c19_the_connector_keeps_the_contract() {
    assert_contract::<HttpsBasic>(r#"{"hostname":"assets.example.com","username":"al"}"#, &["a.jpg", "https://evil.example/"]);
}

#[test]
fn h01_h02_user_names_are_what_rfc_7617_can_carry() {
    for name in ["al:ice", ":", "", "al\nice", "al\0", &"n".repeat(256)] {
        let errors = HttpsBasic::normalize(settings(name)).expect_err(name);
        assert_eq!(errors.first().map(|error| error.pointer.as_str()), Some("/username"), "{name:?}");
    }
    for name in ["alice", "üser", "al ice", "a@b"] {
        assert_eq!(HttpsBasic::normalize(settings(name)).expect(name).username, name);
    }
}

#[test]
fn c19_h01_h03_h04_the_schema_says_what_a_password_is() {
    let described: Value = serde_json::from_str(&describe::<HttpsBasic>()).expect("json");
    let schema = &described["settings"];
    assert_eq!(schema["required"], json!(["hostname", "username", "password"]));
    let password = &schema["properties"]["password"];
    assert_eq!((&password["writeOnly"], &password["maxLength"]), (&json!(true), &json!(8192)));
    assert_eq!(password.get("minLength"), None, "an empty password is one");
    assert!(password["pattern"].is_string());
}

#[test]
fn c14_a_plan_names_the_user_and_not_the_password() {
    let plan = HttpsBasic::locate(&settings("al"), &["/a.jpg".to_owned()]).expect("a plan");
    assert_eq!(plan.credentials, [Credential::basic("al", "password")]);
    let urls: Vec<_> = plan.locations.into_iter().map(|location| location.expect("a location").target).collect();
    assert_eq!(urls, [Target::Http(portcullis_plugin::HttpObject::new("https://assets.example.com/a.jpg"))]);
}

#[test]
fn l12_a_check_asks_for_the_test_location() {
    let (findings, calls) = Host::default().answer("https://assets.example.com/a.jpg", 401).run(|| HttpsBasic::check(&settings("al"), Some("a.jpg")));
    assert_eq!(findings.last().map(|finding| finding.code.as_str()), Some("upstream_auth_failed"));
    assert_eq!(calls, ["http.head https://assets.example.com/a.jpg"]);
}
