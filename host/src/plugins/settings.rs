//! Settings as a customer gives them: judged by the connector's schema, then parted into what may be shown and what is secret.
//!
//! No value of a setting ever appears in a message: where a setting is wrong, its pointer and the rule are told.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::model::{Error, FieldError, Result, pointer};
use crate::vault::Secret;

const MAX_SECRET: usize = 8 << 10;
const MAX_ERRORS: usize = 32;
const MAX_MESSAGE: usize = 300;
/// Stands in for a secret that is kept as it is: its value is sealed, and was judged when it was given.
const KEPT: &str = "kept";

/// A connector's settings schema, compiled once. `hints`: what fits a setting's pattern, in words (`x-hint`, or else its description), by pointer.
pub struct Schema {
    validator: Validator,
    secrets: BTreeSet<String>,
    integers: BTreeSet<String>,
    identity: BTreeSet<String>,
    hints: BTreeMap<String, String>,
}

/// Settings that passed.
pub struct Parted {
    pub plain: Map<String, Value>,
    pub secrets: BTreeMap<String, Secret>,
}

impl Schema {
    /// `PluginFault` (`invalid_schema`) when it is not JSON Schema 2020-12, refers to something outside, or has a pattern that
    /// a linear-time engine cannot match.
    pub fn compile(schema: &Value) -> Result<Self> {
        let patterns = PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20);
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .offline()
            .build(schema)
            .map_err(|error| Error::plugin_fault("invalid_schema", format!("the connector's settings schema is invalid: {}", shortened(&error.to_string()))))?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let named = |test: fn(&Value) -> bool| -> BTreeSet<String> {
            properties.into_iter().flatten().filter(|(_, property)| test(property)).map(|(name, _)| name.clone()).collect()
        };
        let hint = |property: &Value| ["x-hint", "description"].iter().find_map(|key| property.get(key)?.as_str()).map(shortened);
        Ok(Self {
            validator,
            hints: properties.into_iter().flatten().filter_map(|(name, property)| Some((pointer(name), hint(property)?))).collect(),
            secrets: named(|property| property.get("writeOnly") == Some(&Value::Bool(true))),
            integers: named(|property| property.get("type").and_then(Value::as_str) == Some("integer")),
            identity: named(|property| property.get("x-identity") == Some(&Value::Bool(true))),
        })
    }

    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(name)
    }

    /// The settings that say which connection it is (`x-identity`): they never change, and no other of the organization has the same.
    pub fn identity(&self) -> impl Iterator<Item = &str> {
        self.identity.iter().map(String::as_str)
    }

    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// Judges `given` and parts it. `kept`: secrets that are stored already and stay as they are. Every wrong field is named;
    /// pointers are relative to the settings.
    pub fn part(&self, mut given: Map<String, Value>, kept: &BTreeSet<&str>) -> Result<Parted> {
        if given.contains_key("external_id") {
            return Err(immutable_external_id("/external_id"));
        }
        for name in kept {
            given.insert((*name).to_owned(), KEPT.into());
        }
        let whole = Value::Object(given);
        let mut errors = self.schema_errors(&whole, kept);
        let Value::Object(mut plain) = whole else { return Err(Error::internal("settings_not_an_object", "settings are an object")) };
        for name in &self.integers {
            if plain.get(name).is_some_and(Value::is_f64) {
                errors.push(FieldError::new(pointer(name), "write it as a whole number, without a fraction or an exponent"));
            }
        }
        let mut secrets = BTreeMap::new();
        for name in &self.secrets {
            match plain.remove(name) {
                Some(Value::String(text)) if !kept.contains(name.as_str()) => {
                    if let Some(message) = unfit_secret(&text) {
                        errors.push(FieldError::new(pointer(name), message));
                    }
                    secrets.insert(name.clone(), Secret::new(text.into_bytes()));
                }
                Some(_) | None => {}
            }
        }
        if errors.is_empty() { Ok(Parted { plain, secrets }) } else { Err(Error::fields(errors)) }
    }

    fn schema_errors(&self, whole: &Value, kept: &BTreeSet<&str>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for error in self.validator.iter_errors(whole).take(MAX_ERRORS) {
            let at = error.instance_path().as_str();
            if kept.iter().any(|name| at == pointer(name)) {
                continue;
            }
            match error.kind() {
                ValidationErrorKind::Required { property } => {
                    errors.push(FieldError::new(format!("{at}{}", pointer(property.as_str().unwrap_or_default())), "is required"));
                }
                ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                    errors.extend(
                        unexpected.iter().take(MAX_ERRORS).map(|name| FieldError::new(format!("{at}{}", pointer(name)), "this connector has no such setting")),
                    );
                }
                // An expression is no sentence.
                ValidationErrorKind::Pattern { .. } => {
                    let hint = self.hints.get(at).map_or("it has another form than this setting wants", String::as_str);
                    errors.push(FieldError::new(at, hint));
                }
                _ => errors.push(FieldError::new(at, shortened(&error.masked().to_string()))),
            }
        }
        errors.truncate(MAX_ERRORS);
        errors
    }
}

/// SECURITY V06: what the gateway makes is never taken from input. `at`: where it was given.
#[must_use]
pub fn immutable_external_id(at: &str) -> Error {
    let message = "the gateway makes the external id itself, once for each connection; it cannot be given or changed";
    Error::invalid("immutable_field", message).with_fields(vec![FieldError::new(at, message)])
}

/// SECURITY H03, H04: every secret ends up in a header some day, so it fits into one.
fn unfit_secret(text: &str) -> Option<&'static str> {
    if text.len() > MAX_SECRET {
        Some("a secret is at most 8 KiB")
    } else if text.chars().any(|character| character.is_ascii_control()) {
        Some("a secret has no line breaks or control characters; was it pasted with one at the end?")
    } else if text.starts_with(' ') || text.ends_with(' ') {
        Some("a secret neither begins nor ends with a space")
    } else {
        None
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(MAX_MESSAGE).collect()
}

/// JSON Merge Patch (RFC 7396).
pub fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(&name);
            }
            Value::Object(inner) => {
                let slot = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(object) = slot {
                    merge(object, inner);
                }
            }
            other => {
                target.insert(name, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::compile(&json!({
            "type": "object",
            "properties": {
                "hostname": {"type": "string", "minLength": 1, "maxLength": 253},
                "username": {"type": "string", "pattern": "^[^:]*$"},
                "ttl": {"type": "integer", "minimum": 60, "maximum": 3600},
                "password": {"type": "string", "writeOnly": true},
                "token": {"type": "string", "writeOnly": true, "pattern": "^[!-~]+$"},
            },
            "required": ["hostname", "password"],
            "additionalProperties": false,
        }))
        .expect("a valid schema")
    }

    fn part(given: Value) -> Result<Parted> {
        let Value::Object(given) = given else { panic!("an object") };
        schema().part(given, &BTreeSet::new())
    }

    #[test]
    fn c40_every_wrong_setting_is_named_and_no_value_is_told() {
        let good = json!({"hostname": "assets.example", "username": "al", "password": "p:w:d", "ttl": 900});
        let long = "s".repeat(MAX_SECRET + 1);
        let cases = [
            ("a missing setting", json!({"hostname": null}), vec!["/hostname"]),
            ("an unknown setting", json!({"org_id": "x"}), vec!["/org_id"]),
            ("a wrong type", json!({"hostname": 7}), vec!["/hostname"]),
            ("h01: a colon in a user name", json!({"username": "al:ice"}), vec!["/username"]),
            ("v05: below the range", json!({"ttl": 59}), vec!["/ttl"]),
            ("v05: above the range", json!({"ttl": 3601}), vec!["/ttl"]),
            ("v05: a string for a number", json!({"ttl": "900"}), vec!["/ttl"]),
            ("v05: a fraction", json!({"ttl": 900.5}), vec!["/ttl"]),
            ("v05: an exponent", json!({"ttl": 1e3}), vec!["/ttl"]),
            ("v05: beyond 64 bits", json!({"ttl": 9_223_372_036_854_775_808_u64}), vec!["/ttl"]),
            ("h03: a header in a secret", json!({"password": "canary\r\nX-Evil: 1"}), vec!["/password"]),
            ("h03: a newline at the end", json!({"password": "canary\n"}), vec!["/password"]),
            ("h03: NUL", json!({"password": "canary\0"}), vec!["/password"]),
            ("h03: DEL", json!({"password": "canary\u{7f}"}), vec!["/password"]),
            ("h03: a leading space", json!({"password": " canary"}), vec!["/password"]),
            ("h03: a trailing space", json!({"password": "canary "}), vec!["/password"]),
            ("h04: over 8 KiB", json!({"password": long}), vec!["/password"]),
            ("h01: an empty token", json!({"token": ""}), vec!["/token"]),
            ("h09: a space inside a token", json!({"token": "can ary"}), vec!["/token"]),
            ("a secret that is no string", json!({"password": {"set": true}}), vec!["/password"]),
            ("two at once", json!({"hostname": "", "ttl": 1}), vec!["/hostname", "/ttl"]),
        ];
        for (what, patch, pointers) in cases {
            let (Value::Object(mut settings), Value::Object(patch)) = (good.clone(), patch) else { panic!("objects") };
            merge(&mut settings, patch);
            let Err(error) = part(Value::Object(settings)) else { panic!("{what} is accepted") };
            let named: Vec<&str> = error.field_errors().iter().map(|field| field.pointer.as_str()).collect();
            assert!(pointers.iter().all(|pointer| named.contains(pointer)), "{what}: {named:?}");
            let told = format!("{error:?} {:?}", error.field_errors());
            assert!(!told.contains("canary") && !told.contains("al:ice"), "{what}: {told}");
        }
    }

    #[test]
    fn c40_a_setting_of_the_wrong_form_is_told_in_words() {
        let schema = Schema::compile(&json!({"type": "object", "additionalProperties": false, "properties": {
            "account": {"type": "string", "pattern": "^[0-9]{12}$", "x-hint": "exactly 12 digits", "description": "Whose."},
            "name": {"type": "string", "pattern": "^[a-z]+$", "description": "Lower-case letters."},
            "other": {"type": "string", "pattern": "^[a-z]+$"},
            "list": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        }}))
        .expect("a valid schema");
        let Value::Object(given) = json!({"account": "1", "name": "A", "other": "A", "list": ["A"]}) else { panic!("an object") };
        let Err(error) = schema.part(given, &BTreeSet::new()) else { panic!("accepted") };
        let mut told: Vec<(&str, &str)> = error.field_errors().iter().map(|field| (field.pointer.as_str(), field.message.as_str())).collect();
        told.sort_unstable();
        let unnamed = "it has another form than this setting wants";
        assert_eq!(told, [("/account", "exactly 12 digits"), ("/list/0", unnamed), ("/name", "Lower-case letters."), ("/other", unnamed)]);
    }

    #[test]
    fn h01_h02_h04_secrets_are_parted_from_what_may_be_shown() {
        let longest = "s".repeat(MAX_SECRET);
        for secret in ["", "p:w:d", "пароль", longest.as_str()] {
            let parted = part(json!({"hostname": "a.example", "password": secret})).expect("accepted");
            assert_eq!(Value::Object(parted.plain), json!({"hostname": "a.example"}));
            assert_eq!(parted.secrets.keys().collect::<Vec<_>>(), ["password"]);
        }
    }

    #[test]
    fn v06_an_external_id_is_never_taken_from_input() {
        let Err(error) = part(json!({"hostname": "a.example", "password": "", "external_id": "mine"})) else { panic!("accepted") };
        assert_eq!((error.code(), error.field_errors()[0].pointer.as_str()), ("immutable_field", "/external_id"));
    }

    #[test]
    fn c21_a_kept_secret_counts_as_given_and_is_not_judged_again() {
        let Value::Object(given) = json!({"hostname": "b.example"}) else { panic!("an object") };
        let parted = schema().part(given, &BTreeSet::from(["password"])).expect("accepted");
        assert!(parted.secrets.is_empty() && !parted.plain.contains_key("password"));
    }

    #[test]
    fn a_schema_that_reaches_out_or_needs_backtracking_is_refused() {
        for schema in [json!({"$ref": "https://example.com/schema.json"}), json!({"properties": {"a": {"pattern": "(?=a)b"}}}), json!({"type": "nonsense"})] {
            assert!(Schema::compile(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn rfc7396_merge_patch() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [1]}), json!({"a": {"b": null}}), json!({"a": {}})),
        ] {
            let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else { panic!("objects") };
            merge(&mut target, patch);
            assert_eq!(Value::Object(target), result);
        }
    }
}
