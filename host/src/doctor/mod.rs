//! Looks at everything that a gateway needs before it serves, and says what is wrong and what to do. It changes nothing but for a probe file
//! that it removes, and may run beside the gateway.

mod aws;
mod egress;
mod files;
mod listen;
mod state;
mod tls;

use std::path::Path;

use serde::Serialize;

use crate::app::logging;
use crate::config::{self, Config};
use crate::model::Error;

use state::Data;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// It works, and may not be meant.
    Warning,
    /// The gateway does not start, or cannot do its work.
    Failed,
}

/// What one look showed.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    /// Exactly what is wrong; `ok` where nothing is.
    pub code: String,
    pub outcome: Outcome,
    pub seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, code: "ok".to_owned(), outcome: Outcome::Ok, seen: seen.into(), remedy: None }
    }

    fn warning(check: &'static str, code: &str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, code: code.to_owned(), outcome: Outcome::Warning, seen: seen.into(), remedy: Some(remedy.into()) }
    }

    fn failed(check: &'static str, error: &Error) -> Self {
        Self { check, code: error.cause().to_owned(), outcome: Outcome::Failed, seen: error.message().to_owned(), remedy: error.remedy().map(str::to_owned) }
    }

    /// What a check found, or that all is well.
    fn of(check: &'static str, outcome: Result<String, Error>) -> Self {
        match outcome {
            Ok(seen) => Self::ok(check, seen),
            Err(error) => Self::failed(check, &error),
        }
    }
}

/// Every check, in the order in which a gateway starts. A configuration that cannot be read ends it: nothing else is known then.
pub async fn examine(file: Option<&Path>) -> Vec<Finding> {
    let mut findings = environment();
    let config = match Config::load(file).and_then(|config| logging::filter(&config.settings.log.level).map(|_| config)) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::failed("configuration", &error));
            return findings;
        }
    };
    let from = config.file.as_ref().map_or("defaults and the environment".to_owned(), |file| file.display().to_string());
    findings.push(Finding::ok("configuration", from));
    let (data, seen) = state::data(&config).await;
    findings.extend(seen);
    findings.extend(listen::addresses(&config, matches!(data, Data::InUse)).await);
    findings.extend(tls::tls(&config));
    findings.extend(egress::egress(&config));
    findings.push(files::sink(&config));
    findings.push(files::cache(&config));
    findings.push(state::plugins(&config, &data).await);
    findings.push(aws::aws(&config).await);
    findings
}

fn environment() -> Vec<Finding> {
    let ignored = config::ignored_variables();
    if ignored.is_empty() {
        return vec![Finding::ok("environment", "nothing in it is ignored that was perhaps meant for the gateway")];
    }
    let told = |(name, why): (String, String)| Finding::warning("environment", "ignored_variable", format!("{name} is set, and ignored"), why);
    ignored.into_iter().map(told).collect()
}
