//! `portcullis connection import`: connections from a file of another program's. What cannot be imported is named, with the reason.
//!
//! A secret goes from the file to the gateway and nowhere else: what is shown says that it is set.

mod document;
mod rclone;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::failure::{Done, Failure, Result};
use super::output::{Column, Format, Output};
use super::settings;

const CONNECTIONS: [&str; 3] = ["api", "v1", "connections"];
const CONNECTORS: [&str; 3] = ["api", "v1", "connectors"];
const MAX_LISTED: usize = 100_000;
/// The role that reserves a connection's external id until the real one is there.
const PLACEHOLDER: &str = "arn:aws:iam::000000000000:role/temporary";
const LEFT: &str = "not imported";
const COLUMNS: &[Column] = &[("FROM", "/from"), ("NAME", "/name"), ("TYPE", "/type"), ("CONFIG", "/shown"), ("OUTCOME", "/outcome"), ("WHY", "/why")];

#[derive(Args)]
pub(in crate::cli) struct Import {
    /// An rclone.conf (remotes of S3 and of https), the output of `rclone config dump`, or connections as JSON: {"name", "type", "config", …}, or a list of them.
    file: PathBuf,
    /// Show what would be made, and make nothing.
    #[arg(long)]
    dry_run: bool,
    /// Only these, by their name in the file. Repeatable.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The bucket of an S3 remote: rclone names it on its command line, not in its file. Repeatable.
    #[arg(long, value_name = "REMOTE=BUCKET")]
    bucket: Vec<String>,
    /// The role that lets the gateway in, instead of a remote's keys. Repeatable.
    #[arg(long, value_name = "REMOTE=ARN")]
    role: Vec<String>,
    /// Reserve a connection for each S3 remote without a role: it shows its external id, and waits for the role's ARN.
    #[arg(long)]
    reserve: bool,
    /// Make none that does not pass its test.
    #[arg(long)]
    require_test: bool,
}

/// What a file says of one connection. No `Debug`: `config` may hold secrets.
struct Wanted {
    /// Its name in the file.
    from: String,
    /// Already a connection's name.
    name: String,
    connector: String,
    config: Map<String, Value>,
    secrets: &'static [&'static str],
    more: Map<String, Value>,
    /// What is worth knowing of what was left behind.
    note: Option<String>,
}

/// Either what to make, or the name in the file and why not.
type Found = std::result::Result<Box<Wanted>, (String, String)>;

/// What the command line says of remotes, beside the file.
struct Hints<'a> {
    buckets: Vec<(&'a str, &'a str)>,
    roles: Vec<(&'a str, &'a str)>,
    reserve: bool,
}

impl Hints<'_> {
    fn bucket(&self, remote: &str) -> Option<&str> {
        self.buckets.iter().find(|(name, _)| *name == remote).map(|(_, bucket)| *bucket)
    }
    fn role(&self, remote: &str) -> Option<&str> {
        self.roles.iter().find(|(name, _)| *name == remote).map(|(_, role)| *role)
    }
}

impl Import {
    pub(in crate::cli) async fn run(self, client: &Client, output: Output) -> Done {
        let hints = Hints { buckets: pairs("bucket", &self.bucket)?, roles: pairs("role", &self.role)?, reserve: self.reserve };
        let mut found = read(&settings::file(&self.file)?, &hints)?;
        let from = |found: &Found| match found {
            Ok(wanted) => wanted.from.clone(),
            Err((from, _)) => from.clone(),
        };
        let known: BTreeSet<String> = found.iter().map(from).collect();
        let hinted = hints.buckets.iter().chain(&hints.roles).map(|(name, _)| *name);
        let mut named = self.only.iter().map(String::as_str).chain(hinted);
        if let Some(unknown) = named.find(|name| !known.contains(*name)) {
            return Err(Failure::usage(format!("there is no '{unknown}' in {}", self.file.display())));
        }
        found.retain(|one| self.only.is_empty() || self.only.contains(&from(one)));
        if found.is_empty() {
            return Err(Failure::usage(format!("there is nothing to import in {}", self.file.display())));
        }
        let names = |list: Vec<Value>, key: &str| list.iter().filter_map(|one| one.get(key)?.as_str().map(str::to_owned)).collect::<BTreeSet<_>>();
        let connectors = names(client.list(&CONNECTORS, &[], MAX_LISTED).await?, "id");
        let mut taken = names(client.list(&CONNECTIONS, &[], MAX_LISTED).await?, "name");
        let mut rows = Vec::new();
        for one in found {
            let row = match one {
                Err((from, why)) => json!({"from": from, "outcome": LEFT, "why": why}),
                Ok(wanted) => self.one(*wanted, &connectors, &mut taken, client).await?,
            };
            rows.push(row);
        }
        match output.format {
            Format::Json => output.json(&Value::Array(rows.clone()))?,
            Format::Table => output.rows(COLUMNS, &rows)?,
        }
        let left = rows.iter().filter(|row| row.get("outcome").and_then(Value::as_str) == Some(LEFT)).count();
        if left == 0 { Ok(()) } else { Err(Failure::Unsuccessful(format!("{left} of {} were not imported", rows.len()))) }
    }

    async fn one(&self, wanted: Wanted, connectors: &BTreeSet<String>, taken: &mut BTreeSet<String>, client: &Client) -> Result<Value> {
        let mut why = wanted.note.clone();
        let mut refuse = |reason: String| {
            why = Some(reason);
            LEFT.to_owned()
        };
        let outcome = if !connectors.contains(&wanted.connector) {
            let known: Vec<&str> = connectors.iter().map(String::as_str).collect();
            refuse(format!("no connector '{}' is installed here; there are: {}", wanted.connector, known.join(", ")))
        } else if !taken.insert(wanted.name.clone()) {
            refuse("a connection of this name is there already".to_owned())
        } else if self.dry_run {
            "would be made".to_owned()
        } else {
            let query: &[_] = if self.require_test { &[("validate", "require")] } else { &[] };
            match client.post(&CONNECTIONS, query, &wanted.body()).await {
                Ok(made) => format!("made: {}", made.get("status").and_then(Value::as_str).unwrap_or("?")),
                Err(Failure::Refused(problem)) => {
                    let fields: Vec<String> = problem.errors.iter().map(|field| format!("{}: {}", field.pointer, field.detail)).collect();
                    refuse(if fields.is_empty() { format!("{}: {}", problem.code, problem.detail) } else { fields.join("; ") })
                }
                Err(failure) => return Err(failure),
            }
        };
        Ok(json!({
            "from": wanted.from, "name": wanted.name, "type": wanted.connector, "config": wanted.config_shown(), "shown": wanted.shown(),
            "outcome": outcome, "why": why,
        }))
    }
}

impl Wanted {
    fn body(&self) -> Value {
        let mut body = json!({"name": self.name, "type": self.connector, "config": self.config});
        if let Value::Object(body) = &mut body {
            body.extend(self.more.clone());
        }
        body
    }

    /// Of every setting that could be a secret, that it is set.
    fn config_shown(&self) -> Map<String, Value> {
        let hidden = |name: &str| self.secrets.contains(&name) || !PLAIN.contains(&name);
        self.config.iter().map(|(name, value)| (name.clone(), if hidden(name) { json!({"set": true}) } else { value.clone() })).collect()
    }

    fn shown(&self) -> String {
        let one = |(name, value): (String, Value)| match value {
            Value::String(text) => format!("{name}={text}"),
            Value::Object(_) => format!("{name}=(set)"),
            other => format!("{name}={other}"),
        };
        self.config_shown().into_iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// The settings that are shown: whatever a file calls otherwise may be a secret.
const PLAIN: &[&str] = &[
    "iam_role_arn",
    "bucket_name",
    "session_ttl",
    "scope",
    "region",
    "hostname",
    "port",
    "path_prefix",
    "username",
    "header_name",
    "access_id",
    "account_id",
    "account_name",
    "container",
];

fn pairs<'a>(option: &str, given: &'a [String]) -> Result<Vec<(&'a str, &'a str)>> {
    let split = |text: &'a String| text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    given.iter().map(|text| split(text).ok_or_else(|| Failure::usage(format!("--{option} takes REMOTE=VALUE")))).collect()
}

/// By what is in it. An rclone.conf may begin with a bracket, too, but no remote's name begins with a brace.
fn read(text: &str, hints: &Hints<'_>) -> Result<Vec<Found>> {
    let text = text.trim_start_matches('\u{feff}');
    let begins = text.trim_start();
    let is_json = begins.strip_prefix('[').map_or(begins, str::trim_start).starts_with('{');
    if is_json { document::read(text, hints) } else { rclone::read(text, hints) }
}

/// A name that fits here, as near to the file's as can be.
fn fitting(name: &str) -> String {
    let mapped: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let trimmed = mapped.trim_matches('_');
    let mut fitting: String = trimmed.chars().take(255).collect();
    fitting.truncate(fitting.trim_end_matches('_').len());
    if fitting.len() < 3 { format!("imported_{}", if fitting.is_empty() { "1" } else { &fitting }) } else { fitting }
}

#[cfg(test)]
mod tests;
