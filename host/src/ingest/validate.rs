//! What may be submitted. Pure; every refusal names the field.

use std::collections::HashMap;

use serde_json::Value;

use super::{MAX_ASSETS, Submission};
use crate::model::{AssetId, Error, FieldError, Metadata, OrgId, Result, SourcePath};

const MAX_KEYS: usize = 64;
const MAX_KEY_BYTES: usize = 128;
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// All of an asset's metadata as JSON: an item is one record of the store, with room for its outcome.
pub(super) const MAX_METADATA_BYTES: usize = 10 * 1024;
/// A source path of control characters takes six times its length as JSON.
pub(super) const MAX_PATH_BYTES: usize = 6 * 1024;
/// More wrong fields than this are not listed.
const MAX_ERRORS: usize = 100;

/// One item of a job to be.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) asset: AssetId,
    pub(super) source_path: SourcePath,
    pub(super) metadata: Metadata,
    /// The item of the same asset that came first.
    pub(super) same_as: Option<u32>,
}

pub(super) fn check(org: &OrgId, submission: &Submission) -> Result<Vec<Accepted>> {
    if submission.assets.len() > MAX_ASSETS {
        return Err(Error::limit("too_many_assets", format!("a request holds at most {MAX_ASSETS} assets")).with_remedy("send the rest in further requests"));
    }
    if submission.assets.is_empty() {
        return Err(Error::field("/assets", "there must be at least one asset"));
    }
    let mut errors = Vec::new();
    for (index, (path, metadata)) in submission.assets.iter().enumerate() {
        if json_bytes(path) > MAX_PATH_BYTES {
            errors.push(FieldError::new(format!("/assets/{index}/source_path"), "it has too many control characters"));
        }
        check_metadata(metadata, &format!("/assets/{index}/metadata"), &mut errors);
        if errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if !errors.is_empty() {
        errors.truncate(MAX_ERRORS);
        return Err(Error::fields(errors));
    }
    merge(org, submission)
}

/// Flat, and of a size that a record holds.
fn check_metadata(metadata: &Metadata, pointer: &str, errors: &mut Vec<FieldError>) {
    if metadata.len() > MAX_KEYS {
        errors.push(FieldError::new(pointer, format!("there are at most {MAX_KEYS} metadata keys")));
        return;
    }
    if json_bytes(metadata) > MAX_METADATA_BYTES {
        errors.push(FieldError::new(pointer, format!("an asset's metadata take at most {MAX_METADATA_BYTES} bytes as JSON")));
        return;
    }
    for (key, value) in metadata {
        let wrong = match value {
            _ if key.is_empty() || key.len() > MAX_KEY_BYTES => Some(format!("a metadata key is 1 to {MAX_KEY_BYTES} bytes")),
            Value::Bool(_) | Value::Number(_) => None,
            Value::String(text) if text.len() <= MAX_TEXT_BYTES => None,
            Value::String(_) => Some(format!("a metadata string is at most {MAX_TEXT_BYTES} bytes")),
            Value::Null => Some("a metadata value is a bool, number or string, not null".to_owned()),
            Value::Array(_) | Value::Object(_) => Some("metadata are flat: a value is a bool, number or string".to_owned()),
        };
        if let Some(message) = wrong {
            errors.push(FieldError::new(format!("{pointer}/{}", escaped(key)), message));
        }
    }
}

/// One asset for each distinct source path.
fn merge(org: &OrgId, submission: &Submission) -> Result<Vec<Accepted>> {
    let mut accepted: Vec<Accepted> = Vec::with_capacity(submission.assets.len());
    let mut first: HashMap<AssetId, usize> = HashMap::with_capacity(submission.assets.len());
    for (index, (path, metadata)) in submission.assets.iter().enumerate() {
        let asset = AssetId::of(org, &submission.dataset, path);
        let earlier = *first.entry(asset).or_insert(index);
        if let Some(leader) = accepted.get_mut(earlier) {
            leader.metadata.extend(metadata.clone());
            if leader.metadata.len() > MAX_KEYS || json_bytes(&leader.metadata) > MAX_METADATA_BYTES {
                return Err(Error::field(
                    format!("/assets/{index}/metadata"),
                    format!(
                        "together with those of asset {earlier}, which has the same source path, they are more than {MAX_KEYS} keys or {MAX_METADATA_BYTES} bytes"
                    ),
                ));
            }
        }
        let same_as = if earlier == index { None } else { u32::try_from(earlier).ok() };
        accepted.push(Accepted { asset, source_path: path.clone(), metadata: metadata.clone(), same_as });
    }
    Ok(accepted)
}

fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

/// RFC 6901, and short: a pointer is part of an answer.
fn escaped(key: &str) -> String {
    key.chars().take(MAX_KEY_BYTES).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DatasetId;
    use serde_json::json;

    fn submission(assets: Vec<(&str, Value)>) -> Submission {
        let metadata = |value: Value| serde_json::from_value(value).expect("an object");
        Submission {
            id: crate::model::JobId(uuid::Uuid::nil()),
            dataset: DatasetId::new("d1").expect("a dataset"),
            connection: Some("one".to_owned()),
            assets: assets.into_iter().map(|(path, value)| (SourcePath::new(path).expect("a path"), metadata(value))).collect(),
        }
    }
    fn acme() -> OrgId {
        OrgId::new("acme").expect("an organization")
    }

    #[test]
    fn c29_o08_a_request_holds_1_to_10000_assets() {
        let paths: Vec<String> = (0..10_001).map(|n| format!("s3://b/{n}")).collect();
        let all = submission(paths.iter().map(|path| (path.as_str(), json!({}))).collect());
        assert_eq!(check(&acme(), &all).expect_err("too many").code(), "too_many_assets");
        assert_eq!(check(&acme(), &submission(vec![])).expect_err("none").field_errors()[0].pointer, "/assets");
        let most = Submission { assets: all.assets[1..].to_vec(), ..all };
        assert_eq!(check(&acme(), &most).expect("the most").len(), 10_000);
    }

    #[test]
    fn c31_metadata_are_flat_and_small_and_the_wrong_field_is_named() {
        let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("k{n}"), json!(n))).collect();
        let large: serde_json::Map<String, Value> = (0..4).map(|n| (format!("k{n}"), json!("v".repeat(4000)))).collect();
        let (long_key, long_text) = ("k".repeat(129), "v".repeat(4097));
        let cases = vec![
            ("a list", json!({"ok": 1, "x": [1]}), "/assets/1/metadata/x"),
            ("an object", json!({"x": {}}), "/assets/1/metadata/x"),
            ("null", json!({"x": null}), "/assets/1/metadata/x"),
            ("an empty key", json!({"": 1}), "/assets/1/metadata/"),
            ("a key to be escaped", json!({"a/b~c": []}), "/assets/1/metadata/a~1b~0c"),
            ("a long string", json!({"x": long_text}), "/assets/1/metadata/x"),
            ("too many keys", json!(many), "/assets/1/metadata"),
            ("too much of it", json!(large), "/assets/1/metadata"),
        ];
        for (what, metadata, pointer) in cases {
            let error = check(&acme(), &submission(vec![("s3://b/0", json!({})), ("s3://b/1", metadata)])).expect_err(what);
            assert_eq!((error.code(), error.field_errors()[0].pointer.as_str()), ("invalid_field", pointer), "{what}");
        }
        let error = check(&acme(), &submission(vec![("s3://b/0", json!({ long_key.as_str(): 1 }))])).expect_err("a long key");
        assert!(error.field_errors()[0].pointer.len() < 200);
        let fine = json!({"b": true, "i": 1, "n": 1.5, "s": "v".repeat(4096), "t": "2026-01-01T00:00:00Z", "k".repeat(128): ""});
        check(&acme(), &submission(vec![("s3://b/0", fine)])).expect("flat");
    }

    #[test]
    fn many_wrong_fields_are_listed_up_to_a_limit() {
        let request = submission((0..500).map(|_| ("s3://b/0", json!({"x": null}))).collect());
        assert_eq!(check(&acme(), &request).expect_err("wrong").field_errors().len(), MAX_ERRORS);
    }

    #[test]
    fn o08_a_path_named_again_is_one_asset_with_merged_metadata() {
        let request =
            submission(vec![("s3://b/a", json!({"x": 1, "y": 1})), ("s3://b/b", json!({})), ("s3://b/a", json!({"y": 2})), ("s3://b/a", json!({"z": 3}))]);
        let accepted = check(&acme(), &request).expect("fine");
        assert_eq!(accepted.iter().map(|item| item.same_as).collect::<Vec<_>>(), [None, None, Some(0), Some(0)]);
        assert_eq!(json!(accepted[0].metadata), json!({"x": 1, "y": 2, "z": 3}));
        assert!(accepted[0].asset == accepted[3].asset && accepted[0].asset != accepted[1].asset);
        let large = |n: u8| json!({ format!("k{n}"): "v".repeat(3000) });
        let request = submission((0..4).map(|n| ("s3://b/a", large(n))).collect());
        assert_eq!(check(&acme(), &request).expect_err("too much together").field_errors()[0].pointer, "/assets/3/metadata");
    }
}
