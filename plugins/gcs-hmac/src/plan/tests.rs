//! `gcs_hmac` natively, against an in-memory host.

use portcullis_plugin::Piece;
use portcullis_plugin::testing::{Host, assert_contract};
use serde_json::{Value, json};

use super::*;

fn settings(change: Value) -> Settings {
    let mut all = json!({ "bucket_name": "acme-media", "access_id": "GOOG1EXAMPLE0123456789" });
    for (name, value) in change.as_object().expect("an object") {
        all[name] = value.clone();
    }
    serde_json::from_value(all).expect("settings")
}

fn locate(settings: &Settings, source: &str) -> Result<String, String> {
    settings.place().and_then(|place| settings.locate(&place, source)).map(|object| object.url).map_err(|error| error.code)
}

#[test]
fn c3_the_connector_keeps_the_contract() {
    assert_contract::<GcsHmac>(
        r#"{"bucket_name":"acme-media","access_id":"GOOG1EXAMPLE0123456789"}"#,
        &["gs://acme-media/a b", "gs://other/a", "https://storage.googleapis.com/acme-media/a%20b", "junk://"],
    );
}

#[test]
fn v08_each_wrong_setting_is_pointed_at() {
    for (change, pointer) in [
        (json!({ "bucket_name": "a" }), "/bucket_name"),
        (json!({ "bucket_name": "a/../b" }), "/bucket_name"),
        (json!({ "bucket_name": "Acme" }), "/bucket_name"),
        (json!({ "bucket_name": "-acme" }), "/bucket_name"),
        (json!({ "access_id": "GOOG1/../x, Signature=0" }), "/access_id"),
    ] {
        let errors = GcsHmac::normalize(settings(change.clone())).expect_err("refused");
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{change}");
    }
    let normal = GcsHmac::normalize(settings(json!({}))).expect("normal settings");
    assert_eq!(normal.hostname.as_ref().map(Hostname::as_str), Some("storage.googleapis.com"));
}

#[test]
fn c14_l16_every_form_of_an_address_is_the_same_object() {
    let settings = settings(json!({}));
    for (source, expected) in [
        ("gs://acme-media/a b#?%41+c.jpg", Ok("https://storage.googleapis.com/acme-media/a%20b%23%3F%2541%2Bc.jpg")),
        ("gs://acme-media//a//日本", Ok("https://storage.googleapis.com/acme-media//a//%E6%97%A5%E6%9C%AC")),
        ("https://storage.googleapis.com/acme-media/a%20b", Ok("https://storage.googleapis.com/acme-media/a%20b")),
        ("/acme-media/a", Ok("https://storage.googleapis.com/acme-media/a")),
        ("a.jpg", Ok("https://storage.googleapis.com/acme-media/a.jpg")),
        ("gs://other/a", Err("scope_violation")),
        ("gs://acme-media", Err("missing_key")),
        ("gs://acme-media/", Err("missing_key")),
        ("gs://acme-media/a/../b", Err("unsupported_key")),
        ("gs://acme-media/a\nb", Err("unsupported_key")),
        ("https://storage.googleapis.com/other/a", Err("scope_violation")),
        ("https://acme-media.storage.googleapis.com/a", Err("scope_violation")),
        ("https://storage.googleapis.com/acme-media/a?X-Goog-Signature=0", Err("presigned_url")),
        ("https://storage.googleapis.com/acme-media/a?generation=1", Err("unsupported_query")),
        ("s3://acme-media/a", Err("unsupported_uri_scheme")),
    ] {
        assert_eq!(locate(&settings, source), expected.map(str::to_owned).map_err(str::to_owned), "{source}");
    }
}

#[test]
fn h01_the_signature_names_its_key_and_covers_the_host() {
    for (change, host) in
        [(json!({}), "\n\nhost:storage.googleapis.com\n"), (json!({ "hostname": "gcs.internal", "port": 8443 }), "\n\nhost:gcs.internal:8443\n")]
    {
        let settings = settings(change);
        let Credential::Headers(headers) = settings.credential(&settings.place().expect("a place")) else { panic!("no headers") };
        assert_eq!(headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>(), ["authorization", "x-amz-content-sha256", "x-amz-date"]);
        let pieces = &headers[0].pieces;
        assert!(pieces.len() <= 32 && pieces.contains(&Piece::Secret("secret".to_owned())), "{}", pieces.len());
        assert!(pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.starts_with(host))), "{host}");
    }
}

#[test]
fn l12_the_check_asks_for_the_object() {
    let url = "https://storage.googleapis.com/acme-media/a%20b";
    let (findings, calls) = Host::default().answer(url, 200).run(|| GcsHmac::check(&settings(json!({})), Some("gs://acme-media/a b")));
    assert!(findings.iter().all(|finding| finding.passed) && calls == [format!("http.head {url}")]);
    let (findings, calls) = Host::default().run(|| GcsHmac::check(&settings(json!({})), Some("gs://other/a")));
    assert_eq!((findings[0].code.as_str(), calls.len()), ("scope_violation", 0));
}
