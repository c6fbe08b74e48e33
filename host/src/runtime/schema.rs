//! The settings schema of a plugin: a subset of JSON Schema 2020-12 that is cheap to evaluate and that forms and documents can be made from.
//! That it compiles is found out by who compiles it (`connections`).

use serde_json::{Map, Value};

use super::answers::identifier;
use super::lift::contract;
use crate::model::Result;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const PROPERTIES: usize = 64;
const PATTERN: usize = 512;
/// Counted with each reference followed: bounds what evaluating the schema can cost.
const NODES: usize = 4096;
const DEPTH: usize = 24;
/// Other ways to name a schema than `$ref` to `#/$defs/…`, which is enough.
const FORBIDDEN: [&str; 6] = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "patternProperties"];

/// Marks settings that say which connection it is: they never change, and an organization has one connection for each of their values.
/// The general form of what a registration by account and region needs (SPEC P8, P11); a plugin sees one connection only and cannot hold it.
const IDENTITY: &str = "x-identity";

/// The names of the settings, and which of them are secret.
pub struct Settings {
    pub names: Vec<String>,
    pub secrets: Vec<String>,
}

pub fn check(schema: &Value) -> Result<Settings> {
    let Value::Object(root) = schema else { return Err(wrong("it is not an object")) };
    if root.get("type").and_then(Value::as_str) != Some("object") {
        return Err(wrong("its type is not 'object'"));
    }
    if root.get("$schema").is_some_and(|dialect| dialect.as_str() != Some(DIALECT)) {
        return Err(wrong("its dialect is not JSON Schema 2020-12"));
    }
    // Otherwise a misspelt secret would be stored as a plain setting.
    if !["additionalProperties", "unevaluatedProperties"].iter().any(|key| root.get(*key) == Some(&Value::Bool(false))) {
        return Err(wrong("it allows settings that it does not name (additionalProperties: false is missing)"));
    }
    let no_properties = Map::new();
    let properties = match root.get("properties") {
        Some(Value::Object(properties)) => properties,
        None => &no_properties,
        Some(_) => return Err(wrong("its properties are not an object")),
    };
    if properties.len() > PROPERTIES || !properties.keys().all(|name| identifier(name)) {
        return Err(wrong("it has at most 64 properties, named with letters, digits, '_' and '-'"));
    }
    Walk { root, left: NODES }.value(schema, 0)?;
    let mut secrets = Vec::new();
    for (name, property) in properties {
        if property.get("writeOnly") == Some(&Value::Bool(true)) {
            if property.get("type").and_then(Value::as_str) != Some("string") || property.get("default").is_some() {
                return Err(wrong(&format!("the secret '{name}' is not a plain string without a default")));
            }
            secrets.push(name.clone());
        }
        // What never changes and is compared has to be there, and to be seen.
        if property.get(IDENTITY) == Some(&Value::Bool(true)) && (secrets.contains(name) || !required(root, name)) {
            return Err(wrong(&format!("'{name}' is part of the connection's identity (x-identity), so it is required and no secret")));
        }
    }
    if count_secrets(schema) != secrets.len() {
        return Err(wrong("a secret (writeOnly) is a direct property of the settings"));
    }
    Ok(Settings { names: properties.keys().cloned().collect(), secrets })
}

fn required(root: &Map<String, Value>, name: &str) -> bool {
    root.get("required").and_then(Value::as_array).is_some_and(|required| required.iter().any(|one| one == name))
}

fn wrong(why: &str) -> crate::model::Error {
    contract(format!("the settings schema: {why}"))
}

fn count_secrets(value: &Value) -> usize {
    match value {
        Value::Object(map) => usize::from(map.get("writeOnly") == Some(&Value::Bool(true))) + map.values().map(count_secrets).sum::<usize>(),
        Value::Array(list) => list.iter().map(count_secrets).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Visits every node as an evaluation would, references followed: a reference that ends nowhere, or at itself, runs out of depth.
struct Walk<'a> {
    root: &'a Map<String, Value>,
    left: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &'a Value, depth: usize) -> Result<()> {
        self.left = self.left.checked_sub(1).filter(|_| depth <= DEPTH).ok_or_else(|| wrong("it is too large, too deep or refers to itself"))?;
        match value {
            Value::Object(map) => map.iter().try_for_each(|(key, value)| self.keyword(key, value, depth + 1)),
            Value::Array(list) => list.iter().try_for_each(|value| self.value(value, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn keyword(&mut self, key: &'a str, value: &'a Value, depth: usize) -> Result<()> {
        match (key, value) {
            (key, _) if FORBIDDEN.contains(&key) => Err(wrong(&format!("'{key}' is not supported"))),
            ("$ref", Value::String(to)) => {
                let target = to.strip_prefix("#/$defs/").and_then(|name| self.root.get("$defs")?.get(name));
                self.value(target.ok_or_else(|| wrong("a $ref names one of its own $defs"))?, depth)
            }
            ("pattern", Value::String(pattern)) if pattern.len() > PATTERN => Err(wrong("a pattern is at most 512 bytes")),
            (_, value) => self.value(value, depth),
        }
    }
}

#[cfg(test)]
#[path = "tests/schema.rs"]
mod tests;
