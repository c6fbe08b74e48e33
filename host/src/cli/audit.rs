//! `portcullis audit …`: the log of each use of a credential, read through the gateway or verified without one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::failure::{Done, Failure};
use super::output::{Column, Format, Output};
use super::serve::{ConfigFile, ours};
use crate::app::random;
use crate::audit::{self, Broken, Verified};
use crate::vault::Vault;

const ROUTE: [&str; 3] = ["api", "v1", "audit"];
const COLUMNS: &[Column] = &[
    ("NUMBER", "/seq"),
    ("TIME", "/time"),
    ("ORGANIZATION", "/org"),
    ("ACTOR", "/actor"),
    ("VERB", "/verb"),
    ("HOW", "/how"),
    ("TARGET", "/target"),
    ("COUNT", "/count"),
    ("OUTCOME", "/outcome"),
    ("SUBJECT", "/subject"),
    ("NAME", "/name"),
];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List uses of credentials and changes, the newest first.
    #[command(
        after_help = "Examples:\n  portcullis audit list --connection media --since 2030-01-31T00:00:00Z\n  portcullis audit list --verb fetch --output json"
    )]
    List(List),
    /// Check the whole log against its chain, on the gateway's machine: it need not run. Exit code 1 if a line was changed or is missing.
    #[command(after_help = "Example:\n  portcullis audit verify --data-dir /var/lib/portcullis/data")]
    Verify(Verify),
}

#[derive(Args)]
pub(super) struct List {
    /// Nothing older than this time, as 2030-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// A connection's name or id.
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// token:ID, job:ID or gateway.
    #[arg(long)]
    actor: Option<String>,
    /// What was done, as fetch, ingest, test, create or grant.
    #[arg(long)]
    verb: Option<String>,
    /// The most lines.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    file: ConfigFile,
    /// The gateway's data folder. Default: the one that is configured. Its master key is read, too.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::List(verb) => {
                let asked = [("since", &verb.since), ("connection", &verb.connection), ("actor", &verb.actor), ("verb", &verb.verb)];
                let query: Vec<(&str, &str)> = asked.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
                let mut lines = client.list(&ROUTE, &query, verb.limit).await?;
                if output.format == Format::Table {
                    lines.iter_mut().for_each(named);
                }
                output.rows(COLUMNS, &lines)
            }
            Self::Verify(verb) => verb.run(output),
        }
    }
}

impl Verify {
    fn run(self, output: Output) -> Done {
        let mut config = self.file.load()?;
        if let Some(folder) = self.data_dir {
            config.settings.data_dir = folder;
        }
        let folder = config.settings.data_dir.join(audit::FOLDER);
        if !folder.is_dir() {
            return Err(Failure::Local {
                code: "no_audit_log".to_owned(),
                message: format!("there is no audit log in {}", folder.display()),
                remedy: Some("Name the gateway's data folder with --data-dir, or its configuration with --config.".to_owned()),
            });
        }
        let vault = Vault::open(&config.key_file(), false, &random()).map_err(|error| ours(&error))?;
        let verified = audit::verify(&folder, vault.derive(audit::KEY)).map_err(|error| ours(&error))?;
        if output.format == Format::Json {
            let verified = serde_json::to_value(&verified).map_err(|error| Failure::local("cannot write JSON", &error))?;
            output.json(&verified)?;
        }
        match &verified.broken {
            Some(broken) => Err(refused(broken)),
            None if output.format == Format::Table => output.text(&said(&verified)),
            None => Ok(()),
        }
    }
}

/// What has no name is known by its id: an organization, a plugin.
fn named(line: &mut Value) {
    if let Some(fields) = line.as_object_mut()
        && fields.get("name").is_none_or(Value::is_null)
        && let Some(id) = fields.get("id").cloned()
    {
        fields.insert("name".to_owned(), id);
    }
}

fn refused(broken: &Broken) -> Failure {
    let Broken { file, line, why } = broken;
    let place = line.map_or_else(|| file.clone(), |line| format!("{file} line {line}"));
    Failure::Local {
        code: "audit_broken".to_owned(),
        message: format!("{place}: {why}"),
        remedy: Some("Keep the folder as it is, and find out who could write to it. A backup shows what was there.".to_owned()),
    }
}

fn said(verified: &Verified) -> String {
    let Verified { files, lines, from, to, unfinished, .. } = verified;
    let times = from.zip(*to).map(|(from, to)| format!(", from {from} to {to}")).unwrap_or_default();
    let end = if *unfinished { "; the last line is still being written" } else { "" };
    format!("whole: {lines} lines in {files} files{times}{end}\n")
}
