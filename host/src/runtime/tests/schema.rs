//! Schemas that are refused, and one that is not.

use serde_json::{Value, json};

use super::check;

fn settings(properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

#[test]
fn a_settings_schema_is_a_closed_object_that_is_cheap_to_evaluate() {
    let many: serde_json::Map<_, _> = (0..65).map(|number| (format!("p{number}"), json!({"type": "string"}))).collect();
    let deep = (0..40).fold(json!({"type": "string"}), |inner, _| json!({"not": inner}));
    // Each level doubles the work: 2^20 evaluations from 21 small definitions.
    let doubling: serde_json::Map<_, _> = (0..20)
        .map(|level| (format!("d{level}"), json!({"allOf": [{"$ref": format!("#/$defs/d{}", level + 1)}, {"$ref": format!("#/$defs/d{}", level + 1)}]})))
        .chain([("d20".to_owned(), json!({"type": "string"}))])
        .collect();
    let cases = [
        ("not an object", json!("object")),
        ("true", json!(true)),
        ("another type", json!({"type": "array", "additionalProperties": false})),
        ("no type", json!({"additionalProperties": false})),
        ("open", json!({"type": "object"})),
        ("open by words", json!({"type": "object", "additionalProperties": true})),
        ("another dialect", json!({"type": "object", "additionalProperties": false, "$schema": "http://json-schema.org/draft-07/schema#"})),
        ("properties as a list", settings(json!([]))),
        ("a property that no path can name", settings(json!({"a/b": {"type": "string"}}))),
        ("too many properties", settings(Value::Object(many))),
        ("too deep", settings(json!({"a": deep}))),
        ("a remote reference", settings(json!({"a": {"$ref": "https://evil.example/schema"}}))),
        ("a file reference", settings(json!({"a": {"$ref": "file:///etc/passwd"}}))),
        ("a reference to nothing", settings(json!({"a": {"$ref": "#/$defs/none"}}))),
        ("a reference to the root", settings(json!({"a": {"$ref": "#"}}))),
        (
            "a reference to itself",
            json!({"type": "object", "additionalProperties": false, "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}),
        ),
        ("doubling references", json!({"type": "object", "additionalProperties": false, "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": doubling})),
        ("dynamic references", settings(json!({"a": {"$dynamicRef": "#x"}}))),
        ("ids", settings(json!({"a": {"$id": "https://a.example", "type": "string"}}))),
        ("a pattern that is too long", settings(json!({"a": {"type": "string", "pattern": "a".repeat(513)}}))),
        ("a secret number", settings(json!({"a": {"type": "integer", "writeOnly": true}}))),
        ("a secret with a default", settings(json!({"a": {"type": "string", "writeOnly": true, "default": "hunter2"}}))),
        ("an identity that may be left out", settings(json!({"a": {"type": "string", "x-identity": true}}))),
        ("a secret identity", {
            let mut schema = settings(json!({"a": {"type": "string", "writeOnly": true, "x-identity": true}}));
            schema["required"] = json!(["a"]);
            schema
        }),
        ("a secret below the top", settings(json!({"a": {"type": "object", "properties": {"b": {"type": "string", "writeOnly": true}}}}))),
        (
            "a secret behind a reference",
            json!({"type": "object", "additionalProperties": false, "properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": {"type": "string", "writeOnly": true}}}),
        ),
    ];
    for (what, schema) in cases {
        let error = check(&schema).err().unwrap_or_else(|| panic!("accepted: {what}"));
        assert_eq!(error.code(), "plugin_contract", "{what}");
    }
}

#[test]
fn settings_and_secrets_are_told_apart() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings", "type": "object", "additionalProperties": false, "required": ["hostname", "password"],
        "properties": {
            "hostname": {"type": "string", "pattern": "^[a-z0-9.-]+$", "maxLength": 253},
            "port": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535},
            "scope": {"$ref": "#/$defs/Scope", "default": "s3"},
            "password": {"type": "string", "writeOnly": true, "minLength": 1},
        },
        "$defs": {"Scope": {"oneOf": [{"const": "s3", "description": "Objects"}, {"const": "bedrock"}]}},
    });
    let found = check(&schema).unwrap();
    assert_eq!(found.secrets, ["password"]);
    assert_eq!(found.names.len(), 4);
}
