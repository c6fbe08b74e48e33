//! `azure_blob` natively, against an in-memory host.

use portcullis_plugin::testing::{Host, assert_contract};
use portcullis_plugin::{HttpObject, Piece};
use serde_json::{Value, json};

use super::*;

fn settings(change: Value) -> Settings {
    let mut all = json!({ "account_name": "acmemedia", "container": "media" });
    for (name, value) in change.as_object().expect("an object") {
        all[name] = value.clone();
    }
    AzureBlob::normalize(serde_json::from_value(all).expect("settings")).expect("normal settings")
}

fn locate(settings: &Settings, source: &str) -> Result<String, String> {
    let plan = AzureBlob::locate(settings, &[source.to_owned()]).expect("a plan");
    match plan.locations.into_iter().next().expect("a location") {
        Ok(location) => match location.target {
            Target::Http(HttpObject { url, .. }) => Ok(url),
            Target::S3(_) => panic!("no S3"),
        },
        Err(error) => Err(error.code),
    }
}

#[test]
fn c3_the_connector_keeps_the_contract() {
    assert_contract::<AzureBlob>(
        r#"{"account_name":"acmemedia","container":"/media/2024/"}"#,
        &["a.jpg", "https://acmemedia.blob.core.windows.net/media/2024/b", "https://evil.example/", "a?sig=x"],
    );
}

#[test]
fn v08_an_account_is_one_label() {
    for account in ["ab", "Acme", "acme.evil", "a_b_c", "a/../b", &"a".repeat(25)] {
        let all = json!({ "account_name": account, "container": "media" });
        let errors = AzureBlob::normalize(serde_json::from_value(all).expect("settings")).expect_err(account);
        assert_eq!(errors[0].pointer, "/account_name");
    }
}

#[test]
fn c14_source_paths_stay_in_the_container() {
    let cloud = settings(json!({}));
    for (source, expected) in [
        ("a b.jpg", Err("broken_url")),
        ("a%20b.jpg", Ok("https://acmemedia.blob.core.windows.net/media/a%20b.jpg")),
        ("https://ACMEMEDIA.blob.core.windows.net/media/a", Ok("https://acmemedia.blob.core.windows.net/media/a")),
        ("/media/a", Ok("https://acmemedia.blob.core.windows.net/media/a")),
        ("/mediaevil/a", Err("scope_violation")),
        ("https://other.blob.core.windows.net/media/a", Err("scope_violation")),
        ("https://acmemedia.blob.core.windows.net/media/a?sv=2021&SIG=x%3D", Err("presigned_url")),
        ("a?snapshot=2024", Err("unsupported_query")),
        ("a?", Err("unsupported_query")),
        ("wasbs://media@acmemedia.blob.core.windows.net/a", Err("unsupported_uri_scheme")),
        ("../other/a", Err("unsupported_key")),
    ] {
        assert_eq!(locate(&cloud, source), expected.map(str::to_owned).map_err(str::to_owned), "{source}");
    }
    let local = settings(json!({ "hostname": "localhost", "port": 10000, "container": "acmemedia/media" }));
    assert_eq!(locate(&local, "a").as_deref(), Ok("https://localhost:10000/acmemedia/media/a"));
}

#[test]
fn h01_the_signature_names_its_key_and_covers_the_request() {
    let Credential::Headers(headers) = settings(json!({})).credential() else { panic!("no headers") };
    assert_eq!(headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>(), ["authorization", "x-ms-date", "x-ms-version"]);
    let pieces = &headers[0].pieces;
    assert!(pieces.len() <= 32 && pieces.contains(&Piece::Secret("account_key".to_owned())), "{pieces:?}");
    // What is written down as text, joined: Azure's own order of lines, with the request's parts left out.
    let lines: String = pieces.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None }).collect();
    assert!(lines.ends_with("\nx-ms-date:\nx-ms-version:2021-12-02\n/acmemediaSharedKey acmemedia:"), "{lines:?}");
}

#[test]
fn l12_the_check_asks_for_the_blob() {
    let url = "https://acmemedia.blob.core.windows.net/media/a.jpg";
    let (findings, calls) = Host::default().answer(url, 200).run(|| AzureBlob::check(&settings(json!({})), Some("a.jpg")));
    assert!(findings.iter().all(|finding| finding.passed) && calls == [format!("http.head {url}")]);
    let (findings, calls) = Host::default().run(|| AzureBlob::check(&settings(json!({})), Some("a?sig=x")));
    assert_eq!((findings[0].code.as_str(), calls.len()), ("presigned_url", 0));
}
