//! Changing a connection. New settings are a new revision: sealed anew, tested anew, and never served before they pass.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::create::{Wrong, judge_description};
use super::{Change, Connections, Found, is_placeholder, records, still_at};
use crate::model::{Asker, Connection, ConnectionName, ConnectionState, Error, FieldError, Result, SourcePath, pointer};
use crate::plugins::{Connector, Parted, merge};

impl Connections {
    /// A change of settings or secrets makes a new revision, tested at once. SECURITY M06: one that changes what the connection may
    /// reach asks for its secrets again (`secret_required`), or they could be sent to a host their owner never saw.
    pub async fn change<'a>(&self, asker: impl Into<Asker<'a>>, name_or_id: &str, change: Change) -> Result<Connection> {
        let Asker { org, actor } = asker.into();
        self.not_default(org, name_or_id, "changed")?;
        let found = self.records.find(org, name_or_id).await?;
        still_at(change.version, &found.connection)?;
        let connector = self.connector_of(&found.connection)?;
        let mut after = found.connection.clone();
        let mut wrong = Wrong::default();
        if let Some(name) = change.name
            && let Some(name) = wrong.keep(ConnectionName::new(name), "/name")
        {
            after.name = name;
        }
        if let Some(description) = change.description
            && wrong.keep(judge_description(&description), "/description").is_some()
        {
            after.description = description;
        }
        if let Some(location) = change.test_location
            && let Some(location) = wrong.keep(location.map(SourcePath::new).transpose(), "/test_location")
        {
            after.test_location = location.map(String::from);
        }
        after.enabled = change.enabled.unwrap_or(after.enabled);
        let parted = match change.settings {
            Some(patch) => wrong.keep(patched(&connector, &found.connection, patch), "/config"),
            None => None,
        };
        wrong.into_result()?;
        if after.name == self.platform.default_connection {
            return Err(records::name_taken());
        }

        let revised = match parted {
            Some(patch) => self.revise(&connector, &found.connection, &mut after, patch).await?,
            None => false,
        };
        // One that was made or changed while it was disabled has not been tested yet.
        let enabled = after.enabled && !found.connection.enabled && after.state == ConnectionState::Pending;
        let test = (revised || enabled) && after.enabled && !is_placeholder(&after.settings);
        if revised || after.test_location != found.connection.test_location {
            self.judge_test_location(&connector, &self.grant_for(&connector, &after)?).await?;
        }
        if test && change.require_test {
            let grant = self.grant_for(&connector, &after)?;
            self.pass_or_refuse(&connector, &grant, actor, &mut after, "it was not changed").await?;
        }
        after.version += 1;
        after.updated_at = (self.clock)();
        let stored = self.replace(&found, after, revised).await?;
        self.forget_both(&found, &stored);
        if test && !change.require_test { self.settle(stored, actor).await } else { Ok(stored.connection) }
    }

    /// A test that ended meanwhile is no conflict: what it found stays, unless it was about other settings.
    async fn replace(&self, before: &Found, mut after: Connection, revised: bool) -> Result<Found> {
        match self.records.replace(before, after.clone()).await {
            Ok(stored) => Ok(stored),
            Err(error) => {
                let now = self.same_but_tested(before, error).await?;
                if !revised {
                    let Connection { state, last_test, last_good_at, .. } = &now.connection;
                    (after.state, after.last_test, after.last_good_at) = (*state, last_test.clone(), *last_good_at);
                }
                self.records.replace(&now, after).await
            }
        }
    }

    /// Whether anything was different: the settings, a secret, or the version of the plugin.
    pub(super) async fn revise(&self, connector: &Connector, before: &Connection, after: &mut Connection, patch: Patched) -> Result<bool> {
        let settings = self.normalized(&before.org, connector, patch.parted.plain).await?;
        let same = settings == before.settings && patch.parted.secrets.is_empty() && patch.kept.len() == before.secrets.len();
        if same && before.plugin == connector.plugin.digest() {
            return Ok(false);
        }
        after.settings = settings;
        after.revision += 1;
        after.plugin = connector.plugin.digest();
        after.state = ConnectionState::Pending;
        after.last_test = None;
        after.secrets = BTreeMap::new();
        // What it could reach until now follows from the version that it was on.
        let reach_before = self.connector_of(before).and_then(|earlier| Ok(self.grant_for(&earlier, before)?.egress.clone()));
        let reach_after = self.grant_for(connector, after)?.egress.clone();
        if !reach_before.is_ok_and(|before| before == reach_after) {
            secrets_again(&patch.kept)?;
        }
        for name in &patch.kept {
            // The revision is part of what a seal is bound to.
            let secret = self.vault.unseal(before, name)?;
            let sealed = self.vault.seal(&after.org, after.id, name, after.revision, &secret)?;
            after.secrets.insert(name.clone(), sealed);
        }
        self.seal(after, patch.parted.secrets)?;
        Ok(true)
    }

    pub(super) fn forget_both(&self, before: &Found, after: &Found) {
        self.served.forget(&before.connection);
        if before.connection.revision == after.connection.revision && after.connection.enabled {
            self.served.forget(&after.connection);
        } else {
            self.forget(&after.connection);
        }
    }
}

pub(super) struct Patched {
    parted: Parted,
    /// Secrets that stay as they are.
    kept: BTreeSet<String>,
}

pub(super) fn patched(connector: &Connector, before: &Connection, patch: Map<String, Value>) -> Result<Patched> {
    let kept: BTreeSet<String> = before.secrets.keys().filter(|name| connector.schema.is_secret(name) && !patch.contains_key(*name)).cloned().collect();
    let mut settings = before.settings.as_object().cloned().unwrap_or_default();
    merge(&mut settings, patch);
    let changed = connector.schema.identity().filter(|name| settings.get(*name) != before.settings.get(*name));
    let fields: Vec<FieldError> = changed.map(|name| FieldError::new(pointer(name), "cannot be changed")).collect();
    if !fields.is_empty() {
        return Err(Error::invalid("immutable_field", "these settings say which connection this is: they never change")
            .with_fields(fields)
            .with_remedy("Create another connection."));
    }
    let parted = connector.schema.part(settings, &kept.iter().map(String::as_str).collect())?;
    Ok(Patched { parted, kept })
}

fn secrets_again(kept: &BTreeSet<String>) -> Result<()> {
    if kept.is_empty() {
        return Ok(());
    }
    let message = "give this secret again: the change lets the connection reach something else";
    let fields = kept.iter().map(|name| FieldError::new(format!("/config{}", pointer(name)), message)).collect();
    Err(Error::invalid("secret_required", "a change of what a connection may reach asks for its secrets again")
        .with_fields(fields)
        .with_remedy("Send the secrets that are named with the change."))
}
