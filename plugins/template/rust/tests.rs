//! The connector natively, against an in-memory gateway: `cargo test`.

use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::json;

use super::*;

fn settings() -> Settings {
    serde_json::from_value(json!({ "hostname": "assets.example.com", "path_prefix": "media" })).expect("settings")
}

#[test]
fn the_connector_keeps_the_contract() {
    assert_contract::<HttpsBearer>(r#"{"hostname":"Assets.Example.com.","port":8443}"#, &["a.jpg", "https://evil.example/", "/media/b c"]);
}

#[test]
fn a_plan_names_each_url_or_says_why_not() {
    for (source, expected) in [
        ("a%20b.jpg", "https://assets.example.com/media/a%20b.jpg"),
        ("https://assets.example.com/media/c.jpg", "https://assets.example.com/media/c.jpg"),
        ("https://evil.example/c.jpg", "scope_violation"),
    ] {
        let plan = HttpsBearer::locate(&settings(), &[source.to_owned()]).expect("a plan");
        let found = plan.locations.iter().map(|location| match location {
            Ok(location) => match &location.target {
                Target::Http(object) => object.url.clone(),
                Target::S3(object) => object.key.clone(),
            },
            Err(error) => error.code.clone(),
        });
        assert_eq!(found.collect::<Vec<_>>(), [expected], "{source}");
    }
}

#[test]
fn a_check_asks_for_the_test_location() {
    let url = "https://assets.example.com/media/a.jpg";
    let (findings, calls) = Host::default().answer(url, 200).run(|| HttpsBearer::check(&settings(), Some("a.jpg")));
    assert!(findings.iter().all(|finding| finding.passed), "{findings:?}");
    assert_eq!(calls, [format!("http.head {url}")]);
}
