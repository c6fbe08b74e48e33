//! A loaded plugin and its calls, one method for each export. Each call is a fresh instance: nothing survives from one to the next.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::time::Instant;

use super::bindings::portcullis::connector::types;
use super::breaker::Suspension;
use super::limits::SOURCES;
use super::session::{Guest, call};
use super::{answers, lift, lower};
use crate::meter;
use crate::model::{Capability, Description, Digest, Error, Finding, OrgId, Page, Plan, Principal, Result, SetupStep};
use crate::policy::Grant;

/// A loaded component. Cheap to share; each call runs in a fresh instance. `org`: in whose name, for its part of the slots and its faults.
pub struct Plugin {
    pub(super) guest: Guest,
    pub(super) description: Description,
    pub(super) imports: BTreeSet<Capability>,
    /// The settings that no answer may hold.
    pub(super) secrets: Vec<String>,
    pub(super) measured: OnceLock<meter::Plugin>,
}

impl Plugin {
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.guest.digest
    }
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }
    /// What the component's import list asks for: read, not believed.
    #[must_use]
    pub fn imports(&self) -> &BTreeSet<Capability> {
        &self.imports
    }

    /// For which organizations it is left alone now, because it kept failing.
    #[must_use]
    pub fn suspensions(&self, now: Instant) -> Vec<Suspension> {
        self.guest.suspensions(now)
    }

    /// Whether any call so far has logged more than it may: what was too much was dropped.
    #[must_use]
    pub fn logged_too_much(&self) -> bool {
        self.guest.logged_too_much()
    }

    /// What it says of itself, asked again: `description` is what it said when it was loaded, checked.
    pub async fn describe(&self) -> Result<String> {
        self.guest.describe().await
    }

    /// Counts and times a call, if anybody asked for that.
    async fn measured<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(meter) = meter::get() else { return call.await };
        let started = Instant::now();
        let outcome = call.await;
        self.measured.get_or_init(|| meter.plugin(&self.description.id)).note(&outcome, started.elapsed());
        outcome
    }

    /// Settings (without secrets) that passed the schema in, normalized ones out. `Invalid` (`invalid_field`) with pointers into the settings.
    pub async fn normalize(&self, org: &OrgId, settings: &Value) -> Result<Value> {
        let settings = text(settings)?;
        self.measured(async {
            let mut session = self.guest.session(Some(org), None).await?;
            match call!(session, call_normalize, &settings)? {
                Ok(normalized) => answers::settings(&normalized, &self.secrets),
                Err(errors) => Err(answers::field_errors(errors)),
            }
        })
        .await
    }

    /// How to grant access: steps in order, documents to paste.
    pub async fn setup(&self, org: &OrgId, settings: &Value, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>> {
        let settings = text(settings)?;
        self.measured(async {
            let mut session = self.guest.session(Some(org), None).await?;
            let answer = call!(session, call_setup, &settings, lower::principal(principal), external_id)?;
            answered(answer).and_then(answers::setup)
        })
        .await
    }

    /// `settings`: the canonical JSON without secrets. 1 to 1000 sources; the answer has one entry for each.
    pub async fn locate(&self, org: &OrgId, settings: &str, sources: &[&str]) -> Result<Plan> {
        if sources.is_empty() || sources.len() > SOURCES {
            return Err(Error::invalid("invalid_batch", format!("1 to {SOURCES} source paths are planned at once")));
        }
        self.measured(async {
            let mut session = self.guest.session(Some(org), None).await?;
            let answer = session.locate(settings, sources).await?;
            answered(answer).and_then(|plan| lift::plan(plan, sources.len()))
        })
        .await
    }

    /// Tests the connection. The plugin may ask the broker for what the grant allows.
    pub async fn check(&self, grant: &Arc<Grant>, test_location: Option<&str>) -> Result<Vec<Finding>> {
        let settings = text(&grant.connection.settings)?;
        self.measured(async {
            let mut session = self.guest.session(Some(&grant.connection.org), Some(grant)).await?;
            answers::findings(call!(session, call_check, &settings, test_location)?)
        })
        .await
    }

    /// Browses the connection, 1 to 1000 entries a page. The plugin may ask the broker for what the grant allows.
    pub async fn list(&self, grant: &Arc<Grant>, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        lift::page_limit(limit)?;
        let settings = text(&grant.connection.settings)?;
        self.measured(async {
            let mut session = self.guest.session(Some(&grant.connection.org), Some(grant)).await?;
            let answer = call!(session, call_list, &settings, prefix, cursor, limit)?;
            answered(answer).and_then(|page| answers::page(page, limit))
        })
        .await
    }
}

fn text(settings: &Value) -> Result<String> {
    serde_json::to_string(settings).map_err(|error| Error::internal("settings_not_json", "the settings cannot be written as JSON").with_source(error))
}

/// The plugin's own error, lifted.
fn answered<T>(answer: Result<T, types::Error>) -> Result<T> {
    answer.map_err(|error| answers::error(error).unwrap_or_else(|malformed| malformed))
}
