//! The conformance kit: holds a component to the contract, hostile cases included, without a gateway and without a network.
//!
//! It loads the component into a sandbox of its own that is tighter than the gateway's, makes settings up from the schema, plays the remote,
//! and judges every plan by the gateway's own policy. What it must never do: call anything outside, or pass what it did not look at.

mod description;
mod errors;
mod example;
mod golden;
mod listed;
mod locate;
mod made_up;
mod places;
mod recipes;
mod refusals;
mod report;
mod script;
mod setup;
mod sources;
mod subject;
mod tested;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::{Capability, Error, OrgId, Result};
use crate::plugins::Schema;
use crate::runtime::{Compiler, Limits, MAX_COMPONENT, Runtime, RuntimeConfig, sha256};

pub use golden::Case;
pub use report::{Check, Id, Outcome, Report};

use locate::Planned;
use report::Verdicts;
use script::Script;
use subject::Subject;

/// What comes with a component.
#[derive(Default)]
pub struct Given {
    /// Whole settings, secrets included.
    pub settings: Vec<Map<String, Value>>,
    pub golden: Vec<Case>,
    /// A folder for compiled components; without one each is compiled anew.
    pub cache: Option<std::path::PathBuf>,
}

/// Settings that a schema accepts, for its document: what has no default, a secret by a word that says so. `None`: nothing that came to mind fits.
#[must_use]
pub fn made_up_settings(schema: &Value) -> Option<Map<String, Value>> {
    made_up::Schema::new(schema).settings()
}

/// Half of what a call may use in the gateway, three quarters of its memory: what fits here fits there on a busy day.
fn tight() -> Limits {
    let all = Limits::default();
    Limits {
        cpu: all.cpu / 2,
        wall: Duration::from_secs(15),
        memory_bytes: all.memory_bytes / 4 * 3,
        output_bytes: all.output_bytes / 2,
        host_calls: all.host_calls / 2,
        log_bytes: all.log_bytes / 2,
        component_bytes: MAX_COMPONENT,
        concurrency: 4,
        // Each fault is found out by itself.
        faults: u32::MAX,
    }
}

fn runtime(script: &Arc<Script>, cache: Option<std::path::PathBuf>) -> Result<Arc<Runtime>> {
    let remote: Arc<dyn crate::runtime::Remote> = script.clone();
    Runtime::new(RuntimeConfig { limits: tight(), compiler: Compiler::InProcess, cache_dir: cache, cache_key: [0; 32] }, Some(remote))
}

/// Holds a component to every check. `Internal` (`sandbox_unavailable`): this machine has no sandbox; whatever the component does is in the report.
pub async fn check(wasm: &[u8], given: &Given) -> Result<Report> {
    let mut verdicts = Verdicts::default();
    let digest = sha256(wasm);
    let mut subject = match load(wasm, given, &mut verdicts).await? {
        Some(subject) => subject,
        None => return Ok(report(digest, None, 1, verdicts)),
    };
    let examples = example::all(&mut subject, &given.settings, &given.golden).await;
    for (number, example) in examples.iter().enumerate() {
        one_example(&mut subject, example, number == 0).await;
    }
    golden::replay(&mut subject, &given.golden).await;
    errors::errors(&mut subject);
    let description = subject.description();
    Ok(report(digest, Some((description.id, description.version)), subject.calls, std::mem::take(&mut subject.verdicts)))
}

/// The golden cases with the plans of now.
pub async fn bless(wasm: &[u8], given: &Given) -> Result<Vec<Case>> {
    let mut verdicts = Verdicts::default();
    match load(wasm, given, &mut verdicts).await? {
        Some(mut subject) => golden::blessed(&mut subject, &given.golden).await,
        None => Err(Error::invalid("invalid_component", "the component cannot be loaded: run the check without --bless")),
    }
}

/// `None`: it cannot be loaded, and the verdicts say why.
async fn load(wasm: &[u8], given: &Given, verdicts: &mut Verdicts) -> Result<Option<Subject>> {
    let script = Arc::new(Script::default());
    let runtime = runtime(&script, given.cache.clone())?;
    // Everything is granted: what it asks for is told, and an operator's to judge.
    let granted = Capability::ALL.into_iter().collect();
    let plugin = match runtime.load(wasm, &granted).await {
        Ok(plugin) => plugin,
        Err(error) => {
            refused(verdicts, &error);
            return Ok(None);
        }
    };
    for id in [Id::Size, Id::Form, Id::World, Id::Describe] {
        verdicts.reach(id);
    }
    verdicts.note(Id::Size, format!("{} KiB", wasm.len().div_ceil(1024)));
    description::imports(verdicts, &plugin);
    match (plugin.describe().await, plugin.describe().await) {
        (Ok(once), Ok(again)) => verdicts.expect(Id::Describe, once == again, || "it describes itself differently the second time".to_owned()),
        (Err(error), _) | (_, Err(error)) => verdicts.fail(Id::Describe, format!("the second time: {error}")),
    }
    description::describe(verdicts, plugin.description());
    match Schema::compile(&plugin.description().settings) {
        Ok(schema) => Ok(Some(Subject::new(plugin, OrgId::new("kit")?, schema, script, std::mem::take(verdicts)))),
        Err(error) => {
            verdicts.fail(Id::Describe, error.to_string());
            Ok(None)
        }
    }
}

/// Everything before what failed was passed.
fn refused(verdicts: &mut Verdicts, error: &Error) {
    let stages = [Id::Size, Id::Form, Id::Imports, Id::World, Id::Describe];
    let failed = match error.code() {
        "component_too_large" => Id::Size,
        "invalid_component" | "feature_disabled" | "component_too_complex" | "plugin_memory" => Id::Form,
        "forbidden_import" | "capability_not_granted" => Id::Imports,
        "incompatible_world" => Id::World,
        _ => Id::Describe,
    };
    stages.into_iter().take_while(|stage| *stage != failed).for_each(|stage| verdicts.reach(stage));
    verdicts.fail(failed, error.to_string());
}

async fn one_example(subject: &mut Subject, example: &example::Example, is_fullest: bool) {
    let mut planned = Planned::default();
    normalized_again(subject, example).await;
    let good = locate::look(subject, example, &mut planned).await;
    if !good.is_empty() {
        locate::batches(subject, example, &mut planned, &good).await;
        locate::one_bad(subject, example, &mut planned, &good).await;
        places::forms(subject, example, &mut planned, &good).await;
        places::hostile(subject, example, &mut planned).await;
        places::inside(subject, example, &planned);
    }
    recipes::recipes(subject, example, &planned, is_fullest);
    recipes::steady(subject, example, &planned);
    setup::setup(subject, example, &planned).await;
    tested::check(subject, example, &good).await;
    listed::list(subject, example).await;
    if is_fullest {
        refusals::settings(subject, example).await;
    }
}

async fn normalized_again(subject: &mut Subject, example: &example::Example) {
    let again = subject.normalize(&example.settings).await;
    subject.verdicts.expect(Id::Normalize, again.as_ref().is_ok_and(|again| *again == example.settings), || {
        let now = again.as_ref().map_or_else(example::fields, ToString::to_string);
        format!("{}: {} becomes {now}", example.from, example.text)
    });
}

fn report(digest: crate::model::Digest, described: Option<(String, String)>, calls: u32, verdicts: Verdicts) -> Report {
    let checks = verdicts.checks();
    let (connector, version) = described.unzip();
    Report { passed: checks.iter().all(|check| check.outcome == Outcome::Passed), digest, connector, version, calls, checks }
}
