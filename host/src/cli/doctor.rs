//! `portcullis doctor`: what is wrong with this machine's gateway, and what to do. It needs no running gateway and no token.

use clap::Args;
use serde_json::Value;

use super::failure::{Done, Failure};
use super::output::{Format, Output};
use super::serve::ConfigFile;
use crate::doctor::{self, Finding, Outcome};

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    file: ConfigFile,
}

impl Doctor {
    pub(super) fn run(self, output: Output) -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure::local("cannot start", &error))?;
        let findings = runtime.block_on(doctor::examine(self.file.path()));
        match output.format {
            Format::Json => output.json(&serde_json::to_value(&findings).unwrap_or(Value::Null))?,
            Format::Table => output.text(&findings.iter().map(shown).collect::<String>())?,
        }
        match findings.iter().filter(|finding| finding.outcome == Outcome::Failed).count() {
            0 => Ok(()),
            1 => Err(Failure::Unsuccessful("1 check failed".to_owned())),
            count => Err(Failure::Unsuccessful(format!("{count} checks failed"))),
        }
    }
}

fn shown(finding: &Finding) -> String {
    let word = match finding.outcome {
        Outcome::Ok => "ok",
        Outcome::Warning => "warning",
        Outcome::Failed => "FAILED",
    };
    let code = if finding.outcome == Outcome::Ok { String::new() } else { format!("{}: ", finding.code) };
    let mut text = format!("{word:8} {:13} {code}{}\n", finding.check, finding.seen);
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("{:23}{remedy}\n", ""));
    }
    text
}
