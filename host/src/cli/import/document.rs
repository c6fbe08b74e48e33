//! Connections as JSON: as `POST /connections` takes them (SPEC C12), alone, in a list, or as a list of another gateway answers them.
//! And the output of `rclone config dump`, which is remotes by name.

use serde_json::{Map, Value};

use super::{Found, Hints, Wanted, fitting, rclone};
use crate::cli::failure::{Failure, Result};

/// What a request to create may hold beside name, type and config.
const TAKEN: &[&str] = &["test_location", "description", "enabled"];
/// What a list answers and nobody gives: made anew here.
const MADE_HERE: &[&str] = &[
    "id",
    "connection_id",
    "status",
    "state",
    "version",
    "revision",
    "created_at",
    "updated_at",
    "external_id",
    "plugin",
    "last_test",
    "last_good_at",
    "organization",
    "org_id",
];

pub(super) fn read(text: &str, hints: &Hints<'_>) -> Result<Vec<Found>> {
    // The parser's message would quote what it met: it may be a secret.
    let value: Value =
        serde_json::from_str(text).map_err(|error| Failure::usage(format!("the file is not JSON: line {}, column {}", error.line(), error.column())))?;
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut map) => {
            match ["connections", "items", "data"].iter().find_map(|name| map.get_mut(*name).filter(|list| list.is_array()).map(Value::take)) {
                Some(Value::Array(list)) => list,
                _ if map.contains_key("name") && map.contains_key("config") => vec![Value::Object(map)],
                _ if !map.is_empty() && map.values().all(|remote| remote.get("type").is_some_and(Value::is_string)) => return Ok(dump(&map, hints)),
                _ => return Err(Failure::usage("the file holds no connection: {\"name\", \"type\", \"config\", …}, or a list of them")),
            }
        }
        _ => return Err(Failure::usage("the file holds no connection: {\"name\", \"type\", \"config\", …}, or a list of them")),
    };
    Ok((1..).zip(list).map(|(number, one)| connection(number, one)).collect())
}

fn connection(number: usize, value: Value) -> Found {
    let Value::Object(mut map) = value else { return Err((format!("#{number}"), "it is not an object".to_owned())) };
    let mut text = |name: &str| match map.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let Some(from) = text("name") else { return Err((format!("#{number}"), "it has no name".to_owned())) };
    let Some(connector) = text("type") else { return Err((from, "it has no type".to_owned())) };
    let Some(Value::Object(mut config)) = map.remove("config") else { return Err((from, "it has no config".to_owned())) };
    config.retain(|_, value| !value.is_null());
    if connector == "aws_bucket_policy" {
        return Err((from, "the connection of this type always exists here: see the first one of `portcullis connection list`".to_owned()));
    }
    // As this gateway and others show a secret that they keep.
    let hidden =
        |value: &Value| value.get("set").is_some() || value.as_str().is_some_and(|text| !text.is_empty() && text.chars().all(|c| matches!(c, '*' | '•')));
    let secret = config.iter().find(|(_, value)| hidden(value)).map(|(name, _)| name.clone());
    if let Some(secret) = secret {
        return Err((from, format!("the file does not hold its secret '{secret}': write it into the file, or create the connection with --secret")));
    }
    let more: Map<String, Value> = TAKEN.iter().filter_map(|name| Some(((*name).to_owned(), map.remove(*name).filter(|value| !value.is_null())?))).collect();
    let had_external_id = map.contains_key("external_id") || config.remove("external_id").is_some();
    map.retain(|name, _| !MADE_HERE.contains(&name.as_str()));
    let mut notes = Vec::new();
    if had_external_id {
        notes.push("its external id is made anew: the role's trust policy must name the new one".to_owned());
    }
    if !map.is_empty() {
        notes.push(format!("left out: {}", map.keys().map(String::as_str).collect::<Vec<_>>().join(", ")));
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Box::new(Wanted { name: fitting(&from), from, connector, config, secrets: &[], more, note }))
}

fn dump(map: &Map<String, Value>, hints: &Hints<'_>) -> Vec<Found> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let remotes = map.iter().map(|(name, options)| {
        let options = options.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
        rclone::Remote { name: name.clone(), options }
    });
    rclone::all(&remotes.collect::<Vec<_>>(), hints)
}
