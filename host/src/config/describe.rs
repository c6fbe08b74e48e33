//! Printing what is in force: each key with its meaning and its value, as a file that could be used. Secrets are hidden.

use std::fmt::Write as _;

use confique::Config as _;
use confique::meta::{Field, FieldKind, LeafKind, Meta};
use serde_json::Value;

use super::{BOOTSTRAP_TOKEN, Config, Settings};

impl Config {
    /// TOML with a comment for each key.
    #[must_use]
    pub fn describe(&self) -> String {
        let values = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut text = String::new();
        section(&mut text, &Settings::META, "", &values);
        let _ = writeln!(text, "\n# key file in force: {}", self.key_file().display());
        let _ = writeln!(text, "# assets are written to: {}", self.sink_path().display());
        let _ = writeln!(text, "# {BOOTSTRAP_TOKEN}: {}", if self.bootstrap_token.is_some() { "set (hidden)" } else { "not set" });
        text
    }
}

fn section(text: &mut String, meta: &Meta, name: &str, values: &Value) {
    if !name.is_empty() {
        let _ = writeln!(text, "\n[{name}]");
    }
    for field in meta.fields {
        let value = values.get(field.name).unwrap_or(&Value::Null);
        match &field.kind {
            FieldKind::Leaf { .. } => leaf(text, field, value),
            FieldKind::Nested { .. } => {}
        }
    }
    for field in meta.fields {
        if let FieldKind::Nested { meta } = &field.kind {
            let below = if name.is_empty() { field.name.to_owned() } else { format!("{name}.{}", field.name) };
            section(text, meta, &below, values.get(field.name).unwrap_or(&Value::Null));
        }
    }
}

fn leaf(text: &mut String, field: &Field, value: &Value) {
    for line in field.doc {
        let _ = writeln!(text, "#{line}");
    }
    // A TOML value of these kinds is written as JSON writes it.
    let _ = match value {
        Value::Null => writeln!(text, "# {} =", field.name),
        value => writeln!(text, "{} = {value}", field.name),
    };
}

/// The name of every environment variable that is a key.
pub fn variables() -> Vec<&'static str> {
    let mut names = Vec::new();
    collect(&Settings::META, &mut names);
    names
}

fn collect(meta: &'static Meta, names: &mut Vec<&'static str>) {
    for field in meta.fields {
        match &field.kind {
            FieldKind::Leaf { env, kind: LeafKind::Required { .. } | LeafKind::Optional } => names.extend(*env),
            FieldKind::Nested { meta } => collect(meta, names),
        }
    }
}
