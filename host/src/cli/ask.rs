//! Asks whoever sits at the terminal for the settings that a connector requires and nobody gave. Its schema says which: the gateway's, as it is now.

use std::io::{IsTerminal, Write};

use console::Term;
use serde_json::{Map, Value};

use super::client::Client;
use super::failure::{Failure, Result};
use super::output::printable;

const CONNECTORS: [&str; 3] = ["api", "v1", "connectors"];
const MAX_CONNECTORS: usize = 1000;

/// A setting to ask for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    name: String,
    title: String,
    description: String,
    secret: bool,
    /// Whether the answer is JSON, as a number is, and not text.
    json: bool,
}

/// Completes the `config` of `body`. Where nobody can be asked it does nothing: the gateway names what is missing.
pub(super) async fn missing(client: &Client, connector: &str, body: &mut Value) -> Result<()> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(());
    }
    let connectors = client.list(&CONNECTORS, &[], MAX_CONNECTORS).await?;
    let Some(schema) = connectors.iter().find(|found| found.get("id").and_then(Value::as_str) == Some(connector)).and_then(|found| found.get("settings"))
    else {
        return Ok(());
    };
    let Some(config) = body.get_mut("config").and_then(Value::as_object_mut) else { return Ok(()) };
    for question in questions(schema, config) {
        let answer = ask(&question).map_err(|error| Failure::local("cannot ask for the settings", &error))?;
        let value = if question.json { serde_json::from_str(&answer).unwrap_or(Value::String(answer)) } else { Value::String(answer) };
        config.insert(question.name, value);
    }
    Ok(())
}

/// What is required and not given, in the schema's order of requiring.
fn questions(schema: &Value, given: &Map<String, Value>) -> Vec<Question> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let question = |name: &str| {
        let property = schema.pointer(&format!("/properties/{}", name.replace('~', "~0").replace('/', "~1")))?;
        // What it refers to says the rest.
        let referred = property.get("$ref").and_then(Value::as_str).and_then(|at| schema.pointer(at.strip_prefix('#')?));
        let look = |key: &str| property.get(key).or_else(|| referred?.get(key));
        let text = |key: &str| look(key).and_then(Value::as_str).map(printable).unwrap_or_default();
        let title = text("title");
        Some(Question {
            name: name.to_owned(),
            title: if title.is_empty() { printable(name) } else { title },
            description: text("description"),
            secret: look("writeOnly") == Some(&Value::Bool(true)),
            json: matches!(look("type").and_then(Value::as_str), Some("integer" | "number" | "boolean" | "array" | "object")),
        })
    };
    required.filter(|name| !given.contains_key(*name)).filter_map(question).collect()
}

fn ask(question: &Question) -> std::io::Result<String> {
    let mut out = std::io::stderr().lock();
    if !question.description.is_empty() {
        writeln!(out, "{}", question.description)?;
    }
    write!(out, "{}{}: ", question.title, if question.secret { " (not shown)" } else { "" })?;
    out.flush()?;
    drop(out);
    let term = Term::stderr();
    if question.secret { term.read_secure_line() } else { term.read_line() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_required_and_was_not_given_is_asked_for_and_secrets_are_known() {
        let schema = json!({
            "properties": {
                "hostname": {"title": "Host name", "$ref": "#/$defs/Host"},
                "port": {"type": "integer"},
                "token": {"$ref": "#/$defs/Secret"},
                "path": {"type": "string"},
                "optional": {"type": "string"},
            },
            "required": ["hostname", "port", "token", "path", "nowhere"],
            "$defs": {"Host": {"type": "string", "description": "The server's name.\u{1b}[2J"}, "Secret": {"type": "string", "writeOnly": true, "title": "Token"}},
        });
        let Value::Object(given) = json!({"path": "x"}) else { panic!("an object") };
        let asked = questions(&schema, &given);
        assert_eq!(
            asked.iter().map(|question| (question.name.as_str(), question.title.as_str(), question.secret, question.json)).collect::<Vec<_>>(),
            [("hostname", "Host name", false, false), ("port", "port", false, true), ("token", "Token", true, false)]
        );
        assert!(!asked[0].description.contains('\u{1b}') && asked[0].description.starts_with("The server's name."));
    }
}
