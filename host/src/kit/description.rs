//! What a plugin says of itself, beyond what the gateway refuses outright: words for people, secrets that are marked, powers that it uses.

use serde_json::Value;

use super::made_up::Schema;
use super::report::{Id, Verdicts};
use crate::model::{Capability, Description};
use crate::runtime::Plugin;

/// The last word of a setting's name that holds a secret.
const SECRET_WORDS: [&str; 10] = ["password", "passwd", "passphrase", "secret", "token", "key", "apikey", "credential", "credentials", "pwd"];
/// Words before it with which it does not.
const PUBLIC_WORDS: [&str; 7] = ["public", "object", "kms", "partition", "sort", "primary", "idempotency"];

pub fn imports(verdicts: &mut Verdicts, plugin: &Plugin) {
    verdicts.reach(Id::Imports);
    let word = |capability: &Capability| format!("{capability:?}").to_ascii_lowercase();
    for declared in &plugin.description().capabilities {
        verdicts.expect(Id::Imports, plugin.imports().contains(declared), || format!("it declares the capability '{}' and does not import it", word(declared)));
    }
    if plugin.imports().contains(&Capability::Wasi) {
        verdicts.fail(Id::Imports, "it imports WASI, which an operator would have to grant and which has nothing in it");
    }
    let imported: Vec<String> = plugin.imports().iter().map(word).collect();
    verdicts.note(Id::Imports, if imported.is_empty() { "log alone".to_owned() } else { imported.join(", ") });
}

pub fn describe(verdicts: &mut Verdicts, description: &Description) {
    let schema = Schema::new(&description.settings);
    for (name, property) in schema.properties() {
        for keyword in ["title", "description"] {
            let words = schema.look(property, keyword).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
            verdicts.expect(Id::Describe, words, || format!("the setting '{name}' has no {keyword}: its field in a form has no words"));
        }
    }
    for required in schema.required() {
        verdicts.expect(Id::Describe, schema.properties().iter().any(|(name, _)| *name == required), || {
            format!("it requires a setting '{required}' that it does not have")
        });
    }
    secrets(verdicts, &schema);
}

fn secrets(verdicts: &mut Verdicts, schema: &Schema<'_>) {
    verdicts.reach(Id::Secrets);
    let mut marked = Vec::new();
    for (name, property) in schema.properties() {
        if Schema::is_secret(property) {
            marked.push(name);
            let shown = ["const", "enum", "examples", "default"].into_iter().find(|keyword| property.get(*keyword).is_some());
            verdicts.expect(Id::Secrets, shown.is_none(), || format!("the secret '{name}' has '{}', which everybody sees", shown.unwrap_or_default()));
        } else {
            let text = schema.look(property, "type").and_then(Value::as_str).is_none_or(|kind| kind == "string");
            verdicts.expect(Id::Secrets, !(text && sounds_secret(name)), || {
                format!("'{name}' sounds like a secret and is not marked `writeOnly`: everybody could read it")
            });
        }
    }
    verdicts.note(Id::Secrets, if marked.is_empty() { "none".to_owned() } else { marked.join(", ") });
}

fn sounds_secret(name: &str) -> bool {
    let words: Vec<String> = name.split(['_', '-', '.']).map(str::to_ascii_lowercase).collect();
    let public = words.iter().any(|word| PUBLIC_WORDS.contains(&word.as_str()));
    !public && words.last().is_some_and(|word| SECRET_WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b09_a_secret_is_known_by_its_name() {
        for name in ["password", "api_key", "bearer_token", "client_secret", "Token", "account-key"] {
            assert!(sounds_secret(name), "{name}");
        }
        for name in ["token_hostname", "token_path", "public_key", "keyword", "access_id", "secretary", "object_key"] {
            assert!(!sounds_secret(name), "{name}");
        }
    }
}
