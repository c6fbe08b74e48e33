//! What a plugin tells people: refused where programs match it, cleaned where people read it.

use serde_json::json;

use super::*;
use crate::runtime::bindings::portcullis::connector::types as wit;

fn wit_error(code: &str, message: &str) -> wit::Error {
    wit::Error { kind: wit::ErrorKind::NotFound, code: code.into(), message: message.into(), remedy: Some("a\nb".into()) }
}
fn finding(check: &str, code: &str) -> wit::Finding {
    wit::Finding { check: check.into(), passed: true, code: code.into(), message: "m".into(), remedy: None }
}
fn entry(path: &str) -> wit::Entry {
    wit::Entry { path: path.into(), size: None, etag: None, last_modified: None }
}

#[test]
fn an_error_has_a_stable_code_and_a_clean_message() {
    for bad in ["", "ab", "Not_Found", "not found", "1st", "a\nbc", &"a".repeat(65)] {
        assert_eq!(error(wit_error(bad, "m")).expect_err(bad).code(), "plugin_contract");
    }
    let lifted = error(wit_error("file_not_found", "no \u{1b}[31mfile\n")).unwrap();
    assert_eq!((lifted.kind(), lifted.code(), lifted.message(), lifted.remedy()), (Kind::NotFound, "file_not_found", "no \\u{1b}[31mfile\\n", Some("a\\nb")));
    assert_eq!(error(wit_error("file_not_found", &"x".repeat(1 << 20))).unwrap().message().len(), 1024);
}

#[test]
fn kinds_map_both_ways() {
    for (there, back) in [
        (Kind::Invalid, Kind::Invalid),
        (Kind::Conflict, Kind::Invalid),
        (Kind::NotFound, Kind::NotFound),
        (Kind::Denied, Kind::Denied),
        (Kind::Rejected, Kind::Rejected),
        (Kind::Unavailable, Kind::Unavailable),
        (Kind::LimitExceeded, Kind::LimitExceeded),
        (Kind::PluginFault, Kind::PluginFault),
        (Kind::Internal, Kind::PluginFault),
    ] {
        assert_eq!(kind(crate::runtime::lower::kind(there)), back);
    }
}

#[test]
fn field_errors_point_into_the_settings() {
    let field = |pointer: &str| wit::FieldError { pointer: pointer.into(), message: "wrong\u{7}".into() };
    for bad in [vec![], vec![field("hostname")], vec![field("/a\n")], (0..65).map(|_| field("/a")).collect()] {
        assert_eq!(field_errors(bad).code(), "plugin_contract");
    }
    let error = field_errors(vec![field("/hostname"), field("")]);
    assert_eq!(
        (error.code(), error.field_errors()[0].pointer.as_str(), error.field_errors()[0].message.as_str()),
        ("invalid_field", "/hostname", "wrong\\u{7}")
    );
}

#[test]
fn b01_normalized_settings_are_an_object_without_secrets() {
    let secrets = vec!["password".to_owned()];
    for bad in ["", "[]", "null", "{", r#"{"password":"x"}"#, r#"{"password":null}"#, &format!(r#"{{"a":"{}"}}"#, "x".repeat(SETTINGS))] {
        assert!(settings(bad, &secrets).is_err(), "{}", &bad[..bad.len().min(30)]);
    }
    assert_eq!(settings(r#"{"hostname":"a.example"}"#, &secrets).unwrap(), json!({"hostname": "a.example"}));
}

#[test]
fn findings_are_named() {
    for bad in [
        vec![],
        vec![finding("Assume Role", "ok")],
        vec![finding("assume_role", "OK")],
        vec![finding("assume_role", "")],
        (0..65).map(|_| finding("abc", "ok")).collect(),
    ] {
        assert_eq!(findings(bad).err().unwrap().code(), "plugin_contract");
    }
    let found = findings(vec![finding("assume_role", "ok"), finding("list", "access_denied")]).unwrap();
    assert_eq!((found[0].code.as_str(), found[1].code.as_str()), ("ok", "access_denied"));
}

#[test]
fn pages_are_bounded_by_what_was_asked_for() {
    let page_of = |entries: Vec<wit::Entry>, prefixes: Vec<String>, next: Option<&str>| page(wit::Page { entries, prefixes, next: next.map(Into::into) }, 2);
    assert!(page_of(vec![entry("s3://abc/k"); 3], vec![], None).is_err());
    assert!(page_of(vec![], vec!["a/".to_owned(); 3], None).is_err());
    assert!(page_of(vec![entry("")], vec![], None).is_err());
    assert!(page_of(vec![entry("a\0b")], vec![], None).is_err());
    assert!(page_of(vec![wit::Entry { etag: Some("\r\n".into()), ..entry("a") }], vec![], None).is_err());
    assert!(page_of(vec![], vec![], Some("")).is_err());
    assert!(page_of(vec![], vec![], Some(&"x".repeat(4097))).is_err());
    assert_eq!(page_of(vec![entry("s3://abc/a\nb")], vec!["p/".into()], Some("n")).unwrap().entries[0].path, "s3://abc/a\nb", "a key is kept exact");
}

#[test]
fn setup_documents_are_kept_exact_or_refused() {
    let step = |language: &str, body: &str| wit::SetupStep {
        title: "t".into(),
        text: "a\nb".into(),
        documents: vec![wit::Document { title: "d".into(), language: language.into(), body: body.into() }],
    };
    for bad in [step("html", "x"), step("json", "\u{1b}[0m"), step("json", &"x".repeat(BODY + 1))] {
        assert_eq!(setup(vec![bad]).err().unwrap().code(), "plugin_contract");
    }
    assert!(setup((0..33).map(|_| step("json", "{}")).collect()).is_err());
    let body = "{\n\t\"Version\": \"2012-10-17\"\n}";
    assert_eq!(setup(vec![step("json", body)]).unwrap()[0].documents[0].body, body);
}
