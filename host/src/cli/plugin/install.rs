//! `portcullis plugin install`: uploads a component, shows what it asks for, and grants it that when the operator says yes.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::ROUTE;
use crate::cli::client::Client;
use crate::cli::failure::{Done, Failure, Result};
use crate::cli::output::{Column, Format, Output, cell};

const MAX_COMPONENT: u64 = 32 << 20;
const ASKS: &[Column] = &[
    ("connector", "/id"),
    ("title", "/title"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("digest", "/digest"),
    ("may call", "/imports"),
    ("may reach", "/egress"),
    ("replaces version", "/change/from_version"),
    ("NEW: may call", "/change/new/capabilities"),
    ("NEW: may reach", "/change/new/egress"),
    ("no longer: may call", "/change/dropped/capabilities"),
    ("no longer: may reach", "/change/dropped/egress"),
    ("settings added", "/change/settings/added"),
    ("settings removed", "/change/settings/removed"),
    ("settings changed", "/change/settings/changed"),
    ("settings now required", "/change/settings/now_required"),
];

/// Upload a connector, or another version of one; see what it asks for; grant it that.
#[derive(Args)]
pub(in crate::cli) struct Install {
    /// The component, at most 32 MiB.
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// Grant whatever it asks for, without a question.
    #[arg(long, short, conflicts_with = "grant")]
    yes: bool,
    /// Grant it without a question if it asks for nothing else: a capability (aws, http, wasi) or an egress template. Repeatable.
    #[arg(long, value_name = "POWER")]
    grant: Vec<String>,
}

impl Install {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let offered = client.upload(&ROUTE, "application/wasm", component(&self.file)?).await?;
        let text = |name: &str| offered.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, digest, state) = (text("id"), text("digest"), text("state"));
        show(output, &offered);
        if state == "active" {
            output.note("This version is installed and active already.");
            return done(output, &offered);
        }
        if offered.get("grant_required") != Some(&Value::Bool(true)) {
            output.note("It asks for nothing that was not granted before.");
            return done(output, &client.post(&part(id, "activate"), &[], &json!({"digest": digest})).await?);
        }
        self.allow(output, &offered, id)?;
        let body = json!({"digest": digest, "capabilities": offered.get("imports"), "egress": offered.get("egress")});
        done(output, &client.post(&part(id, "grant"), &[], &body).await?)
    }

    /// Whether it gets what it asks for: by a flag, or by asking whoever sits there.
    fn allow(&self, output: Output, offered: &Value, id: &str) -> Done {
        if self.yes {
            return Ok(());
        }
        let asked = ["/imports", "/egress"].iter().flat_map(|at| offered.pointer(at).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str));
        let kept = format!("nothing was granted; '{id}' waits as pending: run this again to decide, or `portcullis plugin remove {id}`");
        if !self.grant.is_empty() {
            let given: BTreeSet<&str> = self.grant.iter().map(String::as_str).collect();
            let beyond: Vec<&str> = asked.filter(|power| !given.contains(power)).collect();
            return if beyond.is_empty() { Ok(()) } else { Err(Failure::Unsuccessful(format!("it also asks for {}: {kept}", beyond.join(", ")))) };
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Unsuccessful(format!("nobody is here to ask (--yes or --grant decide in a script): {kept}")));
        }
        if confirmed(output, "Grant it this?") { Ok(()) } else { Err(Failure::Unsuccessful(kept)) }
    }
}

/// For people on standard error: standard output holds the result alone.
fn show(output: Output, offered: &Value) {
    if output.format == Format::Json {
        return;
    }
    for (head, at) in ASKS {
        let value = offered.pointer(at).filter(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        if let Some(value) = value {
            output.note(&format!("{head:22}{}", cell(Some(value))));
        }
    }
}

fn done(output: Output, version: &Value) -> Done {
    output.record(&[("version", "/version"), ("digest", "/digest"), ("state", "/state")], version)
}

/// Anything but a yes is a no.
fn confirmed(output: Output, question: &str) -> bool {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_err() {
        output.note("");
    }
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

pub(super) fn component(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::local(path.display().to_string(), &error);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(MAX_COMPONENT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT {
        return Err(Failure::usage(format!("{} is larger than 32 MiB, the most that a component may have", path.display())));
    }
    Ok(bytes)
}

pub(super) fn part<'a>(id: &'a str, part: &'a str) -> Vec<&'a str> {
    ROUTE.into_iter().chain([id, part]).collect()
}
