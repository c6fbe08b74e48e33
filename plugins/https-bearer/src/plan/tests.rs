//! `https_bearer` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use portcullis_plugin::{Error, ErrorKind, Target, describe};
use serde_json::{Value, json};

use super::*;

fn settings() -> Settings {
    serde_json::from_value(json!({ "hostname": "assets.example.com", "path_prefix": "media" })).expect("settings")
}

#[test]
fn c19_the_connector_keeps_the_contract() {
    assert_contract::<HttpsBearer>(
        r#"{"hostname":"Assets.Example.com.","port":8443,"path_prefix":"/media/"}"#,
        &["a.jpg", "https://evil.example/", "/media/b c"],
    );
}

#[test]
fn c19_h01_h04_h09_the_schema_says_what_a_token_is() {
    let described: Value = serde_json::from_str(&describe::<HttpsBearer>()).expect("json");
    let schema = &described["settings"];
    assert_eq!(schema["required"], json!(["hostname", "bearer_token"]));
    let token = &schema["properties"]["bearer_token"];
    assert_eq!((&token["type"], &token["writeOnly"]), (&json!("string"), &json!(true)));
    assert_eq!((&token["minLength"], &token["maxLength"], &token["pattern"]), (&json!(1), &json!(8192), &json!("^[!-~]+$")));
    assert_eq!(schema["properties"]["port"]["minimum"], 1);
    assert_eq!(schema["properties"]["port"]["maximum"], 65535);
}

#[test]
fn c14_a_plan_names_the_token_and_each_url() {
    let sources = ["a%20b.jpg", "https://assets.example.com/media/c.jpg", "https://evil.example/c.jpg"].map(str::to_owned);
    let plan = HttpsBearer::locate(&settings(), &sources).expect("a plan");
    assert_eq!(plan.credentials, [Credential::Bearer("bearer_token".to_owned())]);
    let seen: Vec<_> = plan
        .locations
        .iter()
        .map(|location| match location {
            Ok(location) => match &location.target {
                Target::Http(object) => object.url.as_str(),
                Target::S3(_) => "s3",
            },
            Err(error) => error.code.as_str(),
        })
        .collect();
    assert_eq!(seen, ["https://assets.example.com/media/a%20b.jpg", "https://assets.example.com/media/c.jpg", "scope_violation"]);
}

#[test]
fn l12_c22_the_check_names_what_the_server_answered() {
    for (status, test_location, code) in [
        (401, None, "upstream_auth_failed"),
        (403, Some("a.jpg"), "upstream_auth_failed"),
        (404, Some("a.jpg"), "file_not_found"),
        (302, None, "redirect_denied"),
        (405, None, "head_not_supported"),
        (418, None, "upstream_refused"),
        (429, None, "upstream_throttled"),
        (503, None, "upstream_unavailable"),
        (404, None, "ok"),
        (200, None, "ok"),
        (200, Some("a.jpg"), "ok"),
    ] {
        let url = if test_location.is_some() { "https://assets.example.com/media/a.jpg" } else { "https://assets.example.com/media/" };
        let (findings, calls) = Host::default().answer(url, status).run(|| HttpsBearer::check(&settings(), test_location));
        let codes: Vec<_> = findings.iter().map(|finding| (finding.check.as_str(), finding.code.as_str(), finding.passed)).collect();
        let arrived = ["name_resolution", "connection", "tls"].map(|check| (check, "ok", true));
        assert_eq!(codes, [&arrived[..], &[("request", code, code == "ok")]].concat(), "{status} {test_location:?}");
        assert_eq!(calls, [format!("http.head {url}")]);
    }
}

#[test]
fn l12_what_the_host_could_not_ask_is_passed_on() {
    let failing = Host::default().fails("http.head", Error::new(ErrorKind::Unavailable, "upstream_dns", "no such host"));
    let (findings, _) = failing.run(|| HttpsBearer::check(&settings(), None));
    assert_eq!(findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["upstream_dns"]);
    let (findings, calls) = Host::default().run(|| HttpsBearer::check(&settings(), Some("https://evil.example/")));
    assert_eq!(findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), ["scope_violation"]);
    assert!(calls.is_empty(), "nothing is asked of another host");
}
