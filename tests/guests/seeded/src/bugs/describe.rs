//! Bugs in what it says of itself.

use serde_json::{Value, json};

/// Both connectors are in the component, and so are both of their imports.
pub fn describe(bug: &str, good: &str) -> String {
    let mut said: Value = serde_json::from_str(good).unwrap_or_default();
    let mut set = |pointer: &str, value: Value| {
        if let Some((parent, name)) = pointer.rsplit_once('/')
            && let Some(parent) = said.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            if value.is_null() {
                parent.remove(name);
            } else {
                parent.insert(name.to_owned(), value);
            }
        }
    };
    set("/capabilities", json!(["aws", "http"]));
    match bug {
        "web:secret_plain" => set("/settings/properties/password/writeOnly", Value::Null),
        "web:secret_default" => set("/settings/properties/password/default", json!("letmein")),
        "web:secret_example" => set("/settings/properties/password/examples", json!(["letmein"])),
        "web:no_words" => set("/settings/properties/port/description", Value::Null),
        "web:open_schema" => set("/settings/additionalProperties", Value::Null),
        "web:bad_schema" => set("/settings/properties/username/minLength", json!("one")),
        "web:phantom" => set("/settings/required", json!(["hostname", "username", "password", "realm"])),
        "web:undeclared" => set("/capabilities", json!([])),
        "web:overdeclared" => set("/capabilities", json!(["aws", "http", "wasi"])),
        "web:wide_egress" => set("/egress", json!(["https://{settings.hostname}:{settings.port}"])),
        "web:narrow_egress" => set("/egress", json!(["https://{settings.hostname}/{settings.path_prefix}"])),
        "web:egress_secret" => set("/egress", json!(["https://{settings.password}"])),
        "web:claims_more" => set("/source_schemes", json!(["https", "ftp"])),
        "aws:any_bucket" => set("/egress", json!(["s3://*"])),
        _ => {}
    }
    said.to_string()
}
