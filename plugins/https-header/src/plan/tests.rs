//! `https_header` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use portcullis_plugin::{Piece, Target};
use serde_json::{Value, json};

use super::*;

fn settings(header: &str) -> Settings {
    serde_json::from_value(json!({ "hostname": "assets.example.com", "path_prefix": "media", "header_name": header })).expect("settings")
}

#[test]
fn c3_the_connector_keeps_the_contract() {
    assert_contract::<HttpsHeader>(
        r#"{"hostname":"Assets.Example.com.","port":8443,"path_prefix":"/media/","header_name":"X-Api-Key"}"#,
        &["a.jpg", "https://evil.example/", "/media/b c"],
    );
}

#[test]
fn e27_a_header_of_the_gateways_own_is_a_wrong_setting() {
    for header in ["host", "Cookie", "x\r\ny", "range", "content-length", ""] {
        let settings: Result<Settings, _> = serde_json::from_value(json!({ "hostname": "a.example", "header_name": header }));
        assert!(settings.is_err(), "{header:?}");
    }
}

#[test]
fn h01_the_schema_says_what_a_key_is() {
    let described: Value = serde_json::from_str(&portcullis_plugin::describe::<HttpsHeader>()).expect("json");
    let schema = &described["settings"];
    assert_eq!(schema["required"], json!(["hostname", "header_name", "api_key"]));
    assert_eq!(schema["properties"]["api_key"]["writeOnly"], true);
}

#[test]
fn c14_a_plan_names_the_key_and_each_url() {
    let sources = ["a%20b.jpg", "https://evil.example/c.jpg"].map(str::to_owned);
    let plan = HttpsHeader::locate(&settings("X-Api-Key"), &sources).expect("a plan");
    let header = HeaderCredential { name: "x-api-key".to_owned(), pieces: vec![Piece::Secret("api_key".to_owned())] };
    assert_eq!(plan.credentials, [Credential::Headers(vec![header])]);
    let urls: Vec<_> = plan.locations.into_iter().map(|location| location.map(|location| location.target).map_err(|error| error.code)).collect();
    let object = portcullis_plugin::HttpObject::new("https://assets.example.com/media/a%20b.jpg");
    assert_eq!(urls, [Ok(Target::Http(object)), Err("scope_violation".to_owned())]);
}

#[test]
fn l12_the_check_asks_for_the_test_location() {
    let url = "https://assets.example.com/media/a.jpg";
    for (status, code) in [(200, "ok"), (401, "upstream_auth_failed"), (404, "file_not_found")] {
        let (findings, calls) = Host::default().answer(url, status).run(|| HttpsHeader::check(&settings("x-key"), Some("a.jpg")));
        assert_eq!(findings.last().map(|finding| finding.code.as_str()), Some(code));
        assert_eq!(calls, [format!("http.head {url}")]);
    }
}
