//! What a plugin says of itself, checked: an operator reads it, forms are made from it, egress is granted by it.

use std::collections::BTreeSet;

use super::answers::code;
use super::lift::contract;
use super::schema::{self, Settings};
use crate::model::{Capability, Description, Result};
use crate::policy::Template;

const JSON: usize = 256 << 10;
const TEMPLATES: usize = 16;

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

/// `policy` knows the grammar; that a template names public settings of this plugin is checked here.
fn egress(template: &str, settings: &Settings) -> Result<()> {
    let public = |name: &&str| settings.names.iter().any(|known| known == name) && !settings.secrets.iter().any(|secret| secret == name);
    if Template::parse(template)?.settings().iter().all(public) {
        Ok(())
    } else {
        Err(contract("an egress template names a setting that is not there or is secret"))
    }
}

#[cfg(test)]
#[path = "tests/describe.rs"]
mod tests;
