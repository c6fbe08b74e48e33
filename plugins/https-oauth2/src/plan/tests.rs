//! `https_oauth2` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::{Value, json};

use super::*;

fn settings(change: Value) -> Settings {
    let mut all = json!({ "hostname": "assets.example.com", "token_path": "/oauth2/token", "client_id": "reader" });
    for (name, value) in change.as_object().expect("an object") {
        all[name] = value.clone();
    }
    HttpsOauth2::normalize(serde_json::from_value(all).expect("settings")).expect("normal settings")
}

fn token_url(change: Value) -> String {
    match settings(change).credential() {
        Credential::Oauth2ClientCredentials(oauth2) => oauth2.token_url,
        other => panic!("{other:?}"),
    }
}

#[test]
fn c3_the_connector_keeps_the_contract() {
    assert_contract::<HttpsOauth2>(
        r#"{"hostname":"assets.example.com","port":8443,"path_prefix":"media","token_path":"token","client_id":"reader","scope":"read"}"#,
        &["a.jpg", "https://evil.example/", "/media/b"],
    );
}

#[test]
fn v11_what_would_break_a_form_is_a_wrong_setting() {
    for (name, value) in [("client_id", "a\nb"), ("scope", "a\u{0}"), ("audience", ""), ("client_id", "")] {
        let mut all = json!({ "hostname": "a.example", "token_path": "token", "client_id": "reader" });
        all[name] = json!(value);
        let errors = HttpsOauth2::normalize(serde_json::from_value(all).expect("settings")).expect_err(name);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), [format!("/{name}")]);
    }
}

#[test]
fn b3_the_token_endpoint_is_on_the_server_unless_another_is_named() {
    assert_eq!(token_url(json!({})), "https://assets.example.com/oauth2/token");
    assert_eq!(token_url(json!({ "port": 8443 })), "https://assets.example.com:8443/oauth2/token");
    assert_eq!(token_url(json!({ "port": 8443, "token_port": 9443 })), "https://assets.example.com:9443/oauth2/token");
    assert_eq!(token_url(json!({ "port": 8443, "token_hostname": "Login.Example" })), "https://login.example/oauth2/token");
    let stored = serde_json::to_value(settings(json!({ "port": 8443 }))).expect("json");
    assert_eq!((&stored["token_hostname"], &stored["token_port"]), (&json!("assets.example.com"), &json!(8443)), "the egress is made of these");
}

#[test]
fn c14_a_plan_names_the_secret_and_asks_the_files_server_only() {
    let settings = settings(json!({ "token_hostname": "login.example", "scope": "read write", "audience": "files" }));
    let sources = ["a", "https://login.example/oauth2/token"].map(str::to_owned);
    let plan = HttpsOauth2::locate(&settings, &sources).expect("a plan");
    let expected = Oauth2Credential {
        token_url: "https://login.example/oauth2/token".to_owned(),
        client_id: "reader".to_owned(),
        client_secret: "client_secret".to_owned(),
        scope: Some("read write".to_owned()),
        audience: Some("files".to_owned()),
    };
    assert_eq!(plan.credentials, [Credential::Oauth2ClientCredentials(expected)]);
    let codes: Vec<_> = plan.locations.iter().map(|location| location.as_ref().err().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [None, Some("scope_violation")], "the token endpoint is no place for objects");
    let (findings, calls) = Host::default().answer("https://assets.example.com/a", 200).run(|| HttpsOauth2::check(&settings, Some("a")));
    assert!(findings.iter().all(|finding| finding.passed) && calls == ["http.head https://assets.example.com/a"]);
}
