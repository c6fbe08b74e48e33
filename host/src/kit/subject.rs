//! The plugin under the kit's hands: every call goes through here, so that a trap, a broken contract or a crossed limit is found wherever it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::report::{Id, Verdicts};
use super::script::Script;
use super::sources::CANARY;
use crate::model::{Description, Error, Finding, Kind, OrgId, Page, Plan, Principal, Result, SetupStep};
use crate::plugins::Schema;
use crate::policy::Grant;
use crate::runtime::Plugin;

const LIMITS: [&str; 4] = ["plugin_deadline", "plugin_memory", "output_too_large", "host_calls_exceeded"];
const BROKEN: [&str; 2] = ["plugin_trap", "plugin_contract"];
/// An export that crossed its limits this often is not called again: each time may cost seconds.
const ENOUGH: u32 = 3;

pub struct Subject {
    plugin: Arc<Plugin>,
    /// In whose name it is called.
    pub org: OrgId,
    pub schema: Schema,
    pub script: Arc<Script>,
    pub verdicts: Verdicts,
    pub calls: u32,
    crossed: BTreeMap<&'static str, u32>,
    /// Every different error that was answered: export, kind, code, message.
    pub errors: BTreeSet<(&'static str, String, String, String)>,
}

/// Calls an export, a second time where it ran out of time: the machine may have been busy with something else.
macro_rules! call {
    ($subject:ident, $export:literal, $call:expr) => {{
        $subject.may_call($export)?;
        let mut answer = $call.await;
        if answer.as_ref().is_err_and(|error| error.code() == "plugin_deadline") {
            answer = $call.await;
        }
        $subject.noted($export, answer)
    }};
}

impl Subject {
    pub fn new(plugin: Arc<Plugin>, org: OrgId, schema: Schema, script: Arc<Script>, verdicts: Verdicts) -> Self {
        Self { plugin, org, schema, script, verdicts, calls: 1, crossed: BTreeMap::new(), errors: BTreeSet::new() }
    }

    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    pub fn description(&self) -> Description {
        self.plugin.description().clone()
    }

    pub async fn normalize(&mut self, settings: &Value) -> Result<Value> {
        call!(self, "normalize", self.plugin.normalize(&self.org, settings))
    }

    pub async fn setup(&mut self, settings: &Value, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>> {
        call!(self, "setup", self.plugin.setup(&self.org, settings, principal, external_id))
    }

    pub async fn locate(&mut self, settings: &str, sources: &[&str]) -> Result<Plan> {
        let plan = call!(self, "locate", self.plugin.locate(&self.org, settings, sources))?;
        plan.locations.iter().filter_map(|location| location.as_ref().err()).for_each(|error| self.remember("locate", error));
        Ok(plan)
    }

    pub async fn check(&mut self, grant: &Arc<Grant>, test_location: Option<&str>) -> Result<Vec<Finding>> {
        call!(self, "check", self.plugin.check(grant, test_location))
    }

    pub async fn list(&mut self, grant: &Arc<Grant>, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        call!(self, "list", self.plugin.list(grant, prefix, cursor, limit))
    }

    fn may_call(&self, export: &'static str) -> Result<()> {
        match self.crossed.get(export) {
            Some(times) if *times >= ENOUGH => {
                Err(Error::plugin_fault("plugin_deadline", format!("{export} crossed its limits before and is not called again")))
            }
            _ => Ok(()),
        }
    }

    fn noted<T>(&mut self, export: &'static str, answer: Result<T>) -> Result<T> {
        self.calls += 1;
        self.verdicts.reach(Id::Limits);
        self.verdicts.reach(Id::Traps);
        let chatty = self.plugin.logged_too_much();
        self.verdicts.expect(Id::Limits, !chatty, || "a call logs more than half of the 64 KiB that it may".to_owned());
        if let Err(error) = &answer {
            let told = format!("{export}: {error}");
            if LIMITS.contains(&error.code()) {
                self.verdicts.fail(Id::Limits, told);
                *self.crossed.entry(export).or_default() += 1;
            } else if BROKEN.contains(&error.code()) {
                self.verdicts.fail(Id::Traps, told);
            } else if error.field_errors().is_empty() {
                self.remember(export, error);
            }
        }
        answer
    }

    pub fn remember(&mut self, export: &'static str, error: &Error) {
        // A message may name what was asked for: of each code a few are enough.
        let known = self.errors.iter().filter(|(at, _, code, _)| *at == export && code == error.code()).count();
        if known < 8 || error.message().contains(CANARY) {
            self.errors.insert((export, kind(error.kind()).to_owned(), error.code().to_owned(), error.message().to_owned()));
        }
    }
}

/// As the contract and golden files spell it.
pub fn kind(kind: Kind) -> &'static str {
    if kind == Kind::PluginFault { Kind::Internal.as_str() } else { kind.as_str() }
}
