//! What a plugin says of itself, checked: an operator reads it, forms are made from it, egress is granted by it.

use std::collections::BTreeSet;

use super::answers::code;
use super::lift::contract;
use super::schema::{self, Settings};
use crate::model::{Capability, Description, Result};

const JSON: usize = 256 << 10;
const TEMPLATES: usize = 16;
const TEMPLATE: usize = 512;

/// The description and the names of the secret settings. `imports`: what the component really asks for.
pub fn check(json: &str, imports: &BTreeSet<Capability>) -> Result<(Description, Vec<String>)> {
    if json.len() > JSON {
        return Err(contract("its description is larger than 256 KiB"));
    }
    let description: Description =
        serde_json::from_str(json).map_err(|error| contract("its description is not the JSON that the contract names").with_source(error))?;
    if !code(&description.id) {
        return Err(contract("its id is 3 to 64 lower-case letters, digits and '_', beginning with a letter"));
    }
    for (what, text, limit) in [("title", &description.title, 120), ("version", &description.version, 64), ("summary", &description.summary, 1024)] {
        if text.is_empty() || text.len() > limit || text.chars().any(char::is_control) {
            return Err(contract(format!("its {what} is 1 to {limit} bytes on one line")));
        }
    }
    if description.source_schemes.is_empty() || description.source_schemes.len() > 8 || !description.source_schemes.iter().all(|scheme| is_scheme(scheme)) {
        return Err(contract("it understands 1 to 8 schemes of source paths, in lower case"));
    }
    let undeclared = imports.iter().find(|import| **import != Capability::Wasi && !description.capabilities.contains(import));
    if let Some(undeclared) = undeclared {
        return Err(contract(format!("it imports a capability that it does not declare: {undeclared:?}")));
    }
    let settings = schema::check(&description.settings)?;
    if description.egress.is_empty() || description.egress.len() > TEMPLATES {
        return Err(contract("it has 1 to 16 egress templates"));
    }
    description.egress.iter().try_for_each(|template| egress(template, &settings))?;
    Ok((description, settings.secrets))
}

fn is_scheme(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
}

/// A template's form is for `policy` to read; that its placeholders are public settings of this plugin is checked here.
fn egress(template: &str, settings: &Settings) -> Result<()> {
    let wrong = |why: &str| Err(contract(format!("an egress template {why}")));
    if template.len() > TEMPLATE || !template.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("is at most 512 printable ASCII characters without spaces");
    }
    if !template.starts_with("s3://") && !template.starts_with("https://") {
        return wrong("begins with 's3://' or 'https://'");
    }
    let mut rest = template;
    while let Some((_, from)) = rest.split_once('{') {
        let Some((placeholder, after)) = from.split_once('}') else { return wrong("has a '{' without a '}'") };
        let Some(name) = placeholder.strip_prefix("settings.").map(|name| name.strip_suffix("|*").unwrap_or(name)) else {
            return wrong("has placeholders of the form {settings.name}");
        };
        if !settings.names.iter().any(|known| known == name) || settings.secrets.iter().any(|secret| secret == name) {
            return wrong("names a setting that is not there or is secret");
        }
        rest = after;
    }
    if rest.contains('}') { wrong("has a '}' without a '{'") } else { Ok(()) }
}

#[cfg(test)]
#[path = "tests/describe.rs"]
mod tests;
