//! `portcullis plugin check`: the conformance kit on a component. Local: no gateway, no token, no network.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::{Map, Value};

use super::install::component;
use crate::cli::failure::{Done, Failure, Result};
use crate::cli::output::{Format, Output, printable};
use crate::kit::{self, Case, Given, Outcome, Report};
use crate::model::Error;

const LARGEST_FILE: u64 = 4 << 20;
const MOST_FILES: usize = 200;

/// Hold a component to the contract, hostile cases included: what an author runs after each change.
#[derive(Args)]
pub(in crate::cli) struct Check {
    /// The component.
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// A folder of golden plans: CASE.json with settings, sources and the plan that comes of them.
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Settings to try, secrets included: a JSON object, or a list of them.
    #[arg(long, value_name = "FILE.json")]
    settings: Option<PathBuf>,
    /// Write what is planned now into the golden files, and check nothing. Read what it wrote.
    #[arg(long, requires = "golden")]
    bless: bool,
}

impl Check {
    pub(super) async fn run(self, output: Output) -> Done {
        let wasm = component(&self.file)?;
        let golden = self.golden.as_deref().map(cases).transpose()?.unwrap_or_default();
        let settings = self.settings.as_deref().map(settings).transpose()?.unwrap_or_default();
        let given = Given { settings, golden, cache: None };
        if self.bless {
            return bless(&wasm, &given, self.golden.as_deref(), output).await;
        }
        let start = Instant::now();
        let report = kit::check(&wasm, &given).await.map_err(failed)?;
        match output.format {
            Format::Json => output.json(&serde_json::to_value(&report).map_err(|error| Failure::local("cannot write JSON", &error))?)?,
            Format::Table => output.text(&text(&report, start.elapsed().as_millis()))?,
        }
        let failed = report.failed();
        if report.passed { Ok(()) } else { Err(Failure::Unsuccessful(format!("the component does not keep the contract: {}", failed.join(", ")))) }
    }
}

async fn bless(wasm: &[u8], given: &Given, folder: Option<&Path>, output: Output) -> Done {
    let folder = folder.unwrap_or(Path::new("."));
    for case in kit::bless(wasm, given).await.map_err(failed)? {
        let path = folder.join(&case.name);
        std::fs::write(&path, case.text()).map_err(|error| Failure::local(format!("{} cannot be written", path.display()), &error))?;
        output.note(&format!("{} holds what is planned now", printable(&path.display().to_string())));
    }
    Ok(())
}

fn failed(error: Error) -> Failure {
    Failure::Local { code: error.code().to_owned(), message: error.message().to_owned(), remedy: error.remedy().map(str::to_owned) }
}

/// A line for each check; why and what to do below those that failed.
fn text(report: &Report, milliseconds: u128) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let word = match check.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        let _ = writeln!(text, "{word:8}{:18}{}", check.id, check.about);
        if check.outcome == Outcome::Failed {
            for why in &check.evidence {
                let _ = writeln!(text, "        - {}", printable(why));
            }
            let _ = writeln!(text, "        do: {}", check.remedy.unwrap_or_default());
        }
    }
    let count = |outcome: Outcome| report.checks.iter().filter(|check| check.outcome == outcome).count();
    let name = report
        .connector
        .as_deref()
        .zip(report.version.as_deref())
        .map_or_else(String::new, |(id, version)| format!("{} {}: ", printable(id), printable(version)));
    let (passed, failed, skipped) = (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Skipped));
    let _ = writeln!(text, "\n{name}{passed} passed, {failed} failed, {skipped} skipped; {} calls, {milliseconds} ms", report.calls);
    text
}

fn read(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| Failure::local(path.display().to_string(), &error);
    let mut text = String::new();
    std::fs::File::open(path).map_err(failed)?.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST_FILE { Err(Failure::usage(format!("{} is larger than 4 MiB", path.display()))) } else { Ok(text) }
}

fn settings(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let wrong = || Failure::usage(format!("{} holds no JSON object of settings, and no list of them", path.display()));
    let read: Value = serde_json::from_str(&read(path)?).map_err(|error| Failure::local(path.display().to_string(), &error))?;
    let list = if let Value::Array(list) = read { list } else { vec![read] };
    list.into_iter().map(|one| if let Value::Object(one) = one { Ok(one) } else { Err(wrong()) }).collect()
}

/// Every `.json` of the folder, by name.
fn cases(folder: &Path) -> Result<Vec<Case>> {
    let unreadable = |error: std::io::Error| Failure::local(folder.display().to_string(), &error);
    let entries = std::fs::read_dir(folder).map_err(unreadable)?.collect::<std::io::Result<Vec<_>>>().map_err(unreadable)?;
    let mut paths: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    paths.sort_unstable();
    if paths.is_empty() || paths.len() > MOST_FILES {
        return Err(Failure::usage(format!("{} holds {} golden files: 1 to {MOST_FILES} are needed", folder.display(), paths.len())));
    }
    let case = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Case::parse(&name, &read(path)?).map_err(failed)
    };
    paths.iter().map(case).collect()
}
