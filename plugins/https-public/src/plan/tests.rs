//! `https_public` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::json;

use super::*;

#[test]
fn c3_the_connector_keeps_the_contract() {
    assert_contract::<HttpsPublic>(r#"{"hostname":"Assets.Example.com.","path_prefix":"/media/"}"#, &["a.jpg", "https://evil.example/", "/other"]);
}

#[test]
fn c14_a_plan_has_no_credential_and_stays_on_its_server() {
    let settings: Settings = serde_json::from_value(json!({ "hostname": "assets.example.com" })).expect("settings");
    let sources = ["https://assets.example.com/a", "https://elsewhere.example/a", "http://assets.example.com/a"].map(str::to_owned);
    let plan = HttpsPublic::locate(&settings, &sources).expect("a plan");
    assert_eq!(plan.credentials, [Credential::Anonymous]);
    let codes: Vec<_> = plan.locations.iter().map(|location| location.as_ref().err().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [None, Some("scope_violation"), Some("unsupported_uri_scheme")]);
}

#[test]
fn l12_the_check_asks_without_a_credential() {
    let settings: Settings = serde_json::from_value(json!({ "hostname": "assets.example.com", "port": 8443 })).expect("settings");
    let (findings, calls) = Host::default().answer("https://assets.example.com:8443/", 200).run(|| HttpsPublic::check(&settings, None));
    assert!(findings.iter().all(|finding| finding.passed));
    assert_eq!(calls, ["http.head https://assets.example.com:8443/"]);
}
