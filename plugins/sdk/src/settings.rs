//! Typed settings: their JSON Schema, and their way in and out as JSON. No secret is among them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, FieldError};

/// A secret setting. The gateway keeps its value and never sends it, so there is nothing in here: a plan names it.
/// Absent is how it arrives; whether it has been set is the gateway's to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secret;

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Absent;
        impl Visitor<'_> for Absent {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no value: secrets stay with the gateway")
            }
            fn visit_none<E>(self) -> Result<Secret, E> {
                Ok(Secret)
            }
            fn visit_unit<E>(self) -> Result<Secret, E> {
                Ok(Secret)
            }
        }
        // As an option, so that a missing property needs no attribute on the field.
        deserializer.deserialize_option(Absent)
    }
}

/// JSON Schema 2020-12, without references: what is in it is all there is.
pub(crate) fn schema<T: JsonSchema>() -> Schema {
    let inline = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = inline.with_transform(RecursiveTransform(absent_is_not_null)).into_generator().into_root_schema_for::<T>();
    // Otherwise a misspelt secret would be kept as a plain setting; the gateway takes no schema that allows it.
    schema.ensure_object().entry("additionalProperties").or_insert(false.into());
    schema
}

/// An optional setting is left out, never `null`: one way to say it, and a simpler form.
fn absent_is_not_null(schema: &mut Schema) {
    let null = Value::String("null".to_owned());
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|one| *one != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = object.get_mut("anyOf") {
        alternatives.retain(|one| one.get("type") != Some(&null));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (name, value) in only {
                object.entry(name).or_insert(value);
            }
        }
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
}

/// On every call but `normalize`: the host sends what `normalize` returned, so a mistake here is not the customer's.
pub(crate) fn parse<T: DeserializeOwned>(settings: &str) -> Result<T, Error> {
    serde_json::from_str(settings)
        .map_err(|error| Error::new(ErrorKind::Invalid, "invalid_settings", format!("the settings do not fit this connector: {error}")))
}

/// Like [`parse`], and tells which field is wrong.
pub(crate) fn parse_each<T: DeserializeOwned>(settings: &str) -> Result<T, Vec<FieldError>> {
    let object: Map<String, Value> = serde_json::from_str(settings).map_err(|error| vec![FieldError::new("", error.to_string())])?;
    let at = RefCell::new(String::new());
    let fields = object.into_iter().inspect(|(name, _)| at.borrow_mut().clone_from(name));
    // After the last field what can be wrong is a missing one, and that is about the whole.
    let end = std::iter::from_fn(|| {
        at.borrow_mut().clear();
        None
    });
    T::deserialize(MapDeserializer::new(fields.chain(end))).map_err(|error: serde_json::Error| {
        let pointer = match at.borrow().as_str() {
            "" => String::new(),
            name => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        vec![FieldError::new(pointer, error.to_string())]
    })
}

/// Without what is absent: neither unset options nor secrets.
pub(crate) fn to_json<T: Serialize>(settings: &T) -> Result<String, Vec<FieldError>> {
    let whole = |error: serde_json::Error| vec![FieldError::new("", error.to_string())];
    let mut value = serde_json::to_value(settings).map_err(whole)?;
    if let Value::Object(object) = &mut value {
        object.retain(|_, value| !value.is_null());
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Fast,
        Slow,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        /// Where.
        #[schemars(length(min = 1, max = 9))]
        place: String,
        size: Option<u16>,
        mode: Option<Mode>,
        #[schemars(length(min = 1, max = 8192))]
        token: Secret,
        spare: Option<Secret>,
    }

    #[test]
    fn a_schema_says_what_is_required_and_which_are_secrets() {
        let schema = schema::<Settings>().to_value();
        let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(at("/$schema"), "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(at("/additionalProperties"), false);
        assert_eq!(at("/required"), serde_json::json!(["place", "token"]));
        assert_eq!(at("/properties/token"), serde_json::json!({ "type": "string", "writeOnly": true, "minLength": 1, "maxLength": 8192 }));
        assert_eq!(at("/properties/spare"), serde_json::json!({ "type": "string", "writeOnly": true }));
        assert_eq!(at("/properties/size/type"), "integer");
        assert_eq!(at("/properties/mode"), serde_json::json!({ "type": "string", "enum": ["fast", "slow"] }));
        assert_eq!(at("/properties/place/description"), "Where.");
    }

    #[test]
    fn a_wrong_field_is_pointed_at() {
        for (what, settings, pointer) in [
            ("not an object", "[]", ""),
            ("a field of the wrong type", r#"{"place":"x","size":1.5}"#, "/size"),
            ("an exponent is not an integer", r#"{"place":"x","size":1e3}"#, "/size"),
            ("an unknown field", r#"{"place":"x","a/b":1}"#, "/a~1b"),
            ("a secret that reached the plugin", r#"{"place":"x","token":"t"}"#, "/token"),
            ("a missing field", r#"{"size":1}"#, ""),
        ] {
            let errors = parse_each::<Settings>(settings).expect_err(what);
            assert_eq!(errors.first().map(|error| error.pointer.as_str()), Some(pointer), "{what}");
        }
    }

    #[test]
    fn settings_travel_without_their_secrets() {
        let settings: Settings = parse(r#"{"place":"x"}"#).expect("secrets are absent");
        assert_eq!(to_json(&settings).expect("serializes"), r#"{"place":"x"}"#);
    }
}
