//! WIT to `model`, what a plugin tells people: errors, findings, pages, setup steps, settings.
//!
//! Names that programs match are refused when they are malformed; text that people read is escaped and cut, so that one path with
//! a newline in it does not spoil the answer about a thousand others.

use serde_json::Value;

use super::bindings::portcullis::connector::types;
use super::host_log::escape;
use super::lift::contract;
use crate::model::{Document, Entry, Error, FieldError, Finding, Kind, Page, Result, SetupStep, SourcePath};

const MESSAGE: usize = 1024;
const TITLE: usize = 200;
const PROSE: usize = 8 << 10;
const BODY: usize = 64 << 10;
const STEPS: usize = 32;
const DOCUMENTS: usize = 16;
const FINDINGS: usize = 64;
const FIELDS: usize = 64;
const CURSOR: usize = 4096;
pub const SETTINGS: usize = 64 << 10;

/// `[a-z][a-z0-9_]{2,63}`: codes, names of checks, connector ids.
pub fn code(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=64).contains(&text.len()) && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(rest)
}

/// A property of the settings: letters, digits, `_` and `-`.
pub fn identifier(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn checked_code(text: String) -> Result<String> {
    if code(&text) { Ok(text) } else { Err(contract("a code is 3 to 64 lower-case letters, digits and '_', beginning with a letter")) }
}

/// One line for people.
fn message(text: String) -> String {
    if text.len() <= MESSAGE && text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\') { text } else { escape(&text, MESSAGE) }
}

/// Several lines for people or to paste. Refused rather than changed: a policy that was cut would be a different policy.
fn lines(what: &str, text: String, limit: usize) -> Result<String> {
    if text.len() <= limit && !text.chars().any(|character| character.is_control() && character != '\n' && character != '\t') {
        Ok(text)
    } else {
        Err(contract(format!("{what} is at most {limit} bytes without control characters")))
    }
}

fn at_most<T>(what: &str, list: &[T], limit: usize) -> Result<()> {
    if list.len() <= limit { Ok(()) } else { Err(contract(format!("more than {limit} {what}"))) }
}

fn kind(kind: types::ErrorKind) -> Kind {
    match kind {
        types::ErrorKind::Invalid => Kind::Invalid,
        types::ErrorKind::NotFound => Kind::NotFound,
        types::ErrorKind::Denied => Kind::Denied,
        types::ErrorKind::Rejected => Kind::Rejected,
        types::ErrorKind::Unavailable => Kind::Unavailable,
        types::ErrorKind::LimitExceeded => Kind::LimitExceeded,
        types::ErrorKind::Internal => Kind::PluginFault,
    }
}

/// The plugin's own error; `Err` when it is malformed.
pub fn error(error: types::Error) -> Result<Error> {
    let lifted = Error::new(kind(error.kind), checked_code(error.code)?, message(error.message));
    Ok(match error.remedy {
        Some(remedy) => lifted.with_remedy(message(remedy)),
        None => lifted,
    })
}

/// `invalid_field` with a pointer to each wrong setting.
pub fn field_errors(errors: Vec<types::FieldError>) -> Error {
    let pointer = |text: &str| text.len() <= 512 && (text.is_empty() || text.starts_with('/')) && !text.chars().any(char::is_control);
    if errors.is_empty() || errors.len() > FIELDS || !errors.iter().all(|error| pointer(&error.pointer)) {
        return contract(format!("1 to {FIELDS} field errors, each with a JSON Pointer"));
    }
    Error::fields(errors.into_iter().map(|error| FieldError::new(error.pointer, message(error.message))).collect())
}

/// Normalized settings: an object without any of the secrets.
pub fn settings(text: &str, secrets: &[String]) -> Result<Value> {
    if text.len() > SETTINGS {
        return Err(contract("normalized settings are at most 64 KiB"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(settings)) if !secrets.iter().any(|name| settings.contains_key(name)) => Ok(Value::Object(settings)),
        _ => Err(contract("normalized settings are a JSON object without secrets")),
    }
}

pub fn findings(findings: Vec<types::Finding>) -> Result<Vec<Finding>> {
    at_most("findings", &findings, FINDINGS)?;
    if findings.is_empty() {
        return Err(contract("a check finds something"));
    }
    let finding = |finding: types::Finding| {
        Ok(Finding {
            check: checked_code(finding.check)?,
            passed: finding.passed,
            // `ok` is the one code that is shorter than the others.
            code: if finding.code == "ok" { finding.code } else { checked_code(finding.code)? },
            message: message(finding.message),
            remedy: finding.remedy.map(message),
        })
    };
    findings.into_iter().map(finding).collect()
}

pub fn page(page: types::Page, limit: u32) -> Result<Page> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    at_most("entries and prefixes", &page.entries, limit)?;
    at_most("entries and prefixes", &page.prefixes, limit)?;
    if page.next.as_ref().is_some_and(|next| next.is_empty() || next.len() > CURSOR || next.chars().any(char::is_control)) {
        return Err(contract(format!("a cursor is 1 to {CURSOR} bytes without control characters")));
    }
    let path = |path: String| SourcePath::new(path).map(String::from).map_err(|error| contract(error.message()));
    let short = |text: Option<String>| match text {
        Some(text) if text.len() > 1024 || text.chars().any(char::is_control) => {
            Err(contract("an entry's fields are at most 1024 bytes without control characters"))
        }
        other => Ok(other),
    };
    let entry =
        |entry: types::Entry| Ok(Entry { path: path(entry.path)?, size: entry.size, etag: short(entry.etag)?, last_modified: short(entry.last_modified)? });
    Ok(Page {
        entries: page.entries.into_iter().map(entry).collect::<Result<_>>()?,
        prefixes: page.prefixes.into_iter().map(path).collect::<Result<_>>()?,
        next: page.next,
    })
}

pub fn setup(steps: Vec<types::SetupStep>) -> Result<Vec<SetupStep>> {
    at_most("setup steps", &steps, STEPS)?;
    let document = |document: types::Document| {
        if !["json", "hcl", "sh", "text"].contains(&document.language.as_str()) {
            return Err(contract("a document's language is json, hcl, sh or text"));
        }
        Ok(Document { title: lines("a title", document.title, TITLE)?, language: document.language, body: lines("a document", document.body, BODY)? })
    };
    let step = |step: types::SetupStep| {
        at_most("documents in a step", &step.documents, DOCUMENTS)?;
        Ok(SetupStep {
            title: lines("a title", step.title, TITLE)?,
            text: lines("a step's text", step.text, PROSE)?,
            documents: step.documents.into_iter().map(document).collect::<Result<_>>()?,
        })
    };
    steps.into_iter().map(step).collect()
}

#[cfg(test)]
#[path = "tests/answers.rs"]
mod tests;
