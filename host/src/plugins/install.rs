//! Upload, grant, activation. Nothing an upload says is believed: it is compiled, its imports are read, and it runs for nobody before its grant.
//!
//! Each change is made whole even if the client that asked for it goes away: it runs on a task of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::catalogue::{Connector, Fault, Installed, Version};
use super::names::alike;
use super::powers::{Difference, Powers, SettingsDifference};
use super::records::{PluginRecord, Stamp, VersionRecord};
use super::{MAX_PLUGINS, MAX_VERSIONS, Plugins, no_such_plugin, no_such_version};
use crate::model::{Caller, Capability, Description, Digest, Error, FieldError, Kind, Result};
use crate::runtime::sha256;
use crate::store::{Expect, Row};

/// What an upload is, and what granting it would change.
pub struct Uploaded {
    pub description: Description,
    pub version: Version,
    /// `None`: nothing is active under this id yet, or it is the active version itself.
    pub difference: Option<Difference>,
    /// Whether these bytes were not there before.
    pub new: bool,
}

impl Plugins {
    /// Checks a component and keeps it as `pending`; the same bytes again change nothing (but mend a file that was altered). Errors, after
    /// each of which nothing is stored: those of `Runtime::load`, as the uploader's fault; `invalid_schema`; `Conflict`: `connector_built_in`,
    /// `connector_look_alike`, `too_many_plugins`, `too_many_versions`; and whatever says that the disk cannot take it.
    pub async fn upload(self: &Arc<Self>, caller: &Caller, wasm: Bytes) -> Result<Uploaded> {
        let (this, caller) = (Arc::clone(self), caller.clone());
        detached(async move {
            let digest = sha256(&wasm);
            let taken = this.take_in(&caller, wasm).await;
            if taken.is_err() && !this.catalogue.knows(digest) {
                this.runtime.forget(digest).await;
            }
            taken
        })
        .await
    }

    async fn take_in(&self, caller: &Caller, wasm: Bytes) -> Result<Uploaded> {
        // To see what it asks for, it is loaded with everything linked that it imports. It can do nothing with it: `describe` runs without
        // a connection, so every host function but `log` answers `denied`.
        let candidate = self.load(&wasm, &BTreeSet::from(Capability::ALL)).await.map_err(uploaders_fault)?;
        let description = candidate.plugin.description().clone();
        let (id, digest) = (description.id.as_str(), candidate.plugin.digest());

        let _alone = self.changes.lock().await;
        self.judge_name(id)?;
        if let Some(version) = self.mend(id, digest, &wasm).await? {
            return Ok(Uploaded { difference: self.difference(&candidate), description, version, new: false });
        }
        self.judge_room(id)?;
        self.files.write(digest, wasm.clone()).await?;
        let record = VersionRecord {
            digest,
            version: description.version.clone(),
            title: description.title.clone(),
            size: wasm.len() as u64,
            powers: Powers::of(&candidate.plugin),
            uploaded: Stamp::of(caller, &self.clock),
            granted: None,
        };
        let fresh = !self.catalogue.read().installed.contains_key(id);
        let plugin = PluginRecord::default();
        self.records.write(id, fresh.then_some((&plugin, Expect::Absent)), Some((&record, Expect::Absent))).await?;
        tracing::info!(connector = id, %digest, version = record.version, asks = ?record.powers.words(), by = %caller.token, org = %caller.org, "plugin uploaded");

        let version = {
            let mut entries = self.catalogue.write();
            let none = || Installed { record: Row { version: 1, value: PluginRecord::default() }, versions: std::collections::BTreeMap::new() };
            let installed = entries.installed.entry(id.to_owned()).or_insert_with(none);
            installed.versions.insert(digest, Row { version: 1, value: record.clone() });
            drop(entries);
            self.version(id, digest)?
        };
        Ok(Uploaded { difference: self.difference(&candidate), description, version, new: true })
    }

    /// Grants a version exactly `powers` and makes it the active one. `Invalid` (`grant_mismatch`) when that is not what it asks for.
    pub async fn grant(self: &Arc<Self>, caller: &Caller, id: &str, digest: Digest, powers: Powers) -> Result<Version> {
        let (this, caller, id) = (Arc::clone(self), caller.clone(), id.to_owned());
        detached(async move {
            let _alone = this.changes.lock().await;
            let row = this.row(&id, digest)?;
            exactly(&row.value.powers, &powers)?;
            this.switch(&caller, &id, row).await
        })
        .await
    }

    /// Makes a version the active one: a granted one (an earlier one is a roll back), or one that asks for nothing that the active one has not.
    /// `Conflict` (`grant_required`) otherwise, naming what is new.
    pub async fn activate(self: &Arc<Self>, caller: &Caller, id: &str, digest: Digest) -> Result<Version> {
        let (this, caller, id) = (Arc::clone(self), caller.clone(), id.to_owned());
        detached(async move {
            let _alone = this.changes.lock().await;
            let row = this.row(&id, digest)?;
            if row.value.granted.is_none() {
                let granted = this.active_powers(&id);
                let new = row.value.powers.beyond(&granted.clone().unwrap_or_default());
                if granted.is_none() || !new.is_empty() {
                    let message = format!("this version asks for what was not granted: {}", new.words().join(", "));
                    return Err(Error::conflict("grant_required", message).with_remedy("Grant it exactly what it asks for, if you trust it with that."));
                }
            }
            this.switch(&caller, &id, row).await
        })
        .await
    }

    /// From the active version to this one.
    #[must_use]
    pub fn difference(&self, candidate: &Connector) -> Option<Difference> {
        let entries = self.catalogue.read();
        let installed = entries.installed.get(&candidate.plugin.description().id)?;
        let active = &installed.versions.get(&installed.record.value.active?)?.value;
        if active.digest == candidate.plugin.digest() {
            return None;
        }
        let asked = Powers::of(&candidate.plugin);
        let settings = match entries.loaded.get(&active.digest) {
            Some(Ok(before)) => SettingsDifference::between(&before.plugin.description().settings, &candidate.plugin.description().settings),
            // What cannot run cannot be asked for its schema.
            _ => SettingsDifference::default(),
        };
        Some(Difference {
            from_version: active.version.clone(),
            from: active.digest,
            new: asked.beyond(&active.powers),
            dropped: active.powers.beyond(&asked),
            settings,
        })
    }

    /// From the file as it was installed. `granted`: exactly what it gets.
    pub(super) async fn load_installed(&self, digest: Digest, granted: &BTreeSet<Capability>) -> Result<Arc<Connector>> {
        let wasm = self.files.read(digest).await?;
        self.load(&wasm, granted).await
    }

    async fn load(&self, wasm: &[u8], granted: &BTreeSet<Capability>) -> Result<Arc<Connector>> {
        Connector::new(self.runtime.load(wasm, granted).await?)
    }

    async fn switch(&self, caller: &Caller, id: &str, row: Row<VersionRecord>) -> Result<Version> {
        let digest = row.value.digest;
        let connector = self.load_installed(digest, &row.value.powers.capabilities).await?;
        let (before, written) = {
            let entries = self.catalogue.read();
            let installed = entries.installed.get(id).ok_or_else(no_such_plugin)?;
            (installed.record.value.active, installed.record.version)
        };
        let plugin = PluginRecord { active: Some(digest) };
        let granted = row.value.granted.is_none().then(|| VersionRecord { granted: Some(Stamp::of(caller, &self.clock)), ..row.value.clone() });
        let version = granted.as_ref().map(|record| (record, Expect::Version(row.version)));
        self.records.write(id, Some((&plugin, Expect::Version(written))), version).await?;
        let powers = row.value.powers.words();
        tracing::info!(connector = id, %digest, ?before, ?powers, newly_granted = granted.is_some(), by = %caller.token, org = %caller.org, "plugin activated");

        {
            let mut entries = self.catalogue.write();
            entries.loaded.insert(digest, Ok(connector));
            let installed = entries.installed.get_mut(id).ok_or_else(no_such_plugin)?;
            installed.record = Row { version: written + 1, value: plugin };
            if let Some(record) = granted {
                installed.versions.insert(digest, Row { version: row.version + 1, value: record });
            }
        }
        self.version(id, digest)
    }

    /// What was installed before, installed again: its file is written anew if it is not as it was. `None`: it was not.
    async fn mend(&self, id: &str, digest: Digest, wasm: &Bytes) -> Result<Option<Version>> {
        let Ok(row) = self.row(id, digest) else { return Ok(None) };
        if self.files.read(digest).await.is_err() {
            self.files.write(digest, wasm.clone()).await?;
            tracing::warn!(connector = id, %digest, "the file of a plugin was not as it was installed; it was written again");
        }
        let broken = self.catalogue.read().loaded.get(&digest).is_some_and(Result::is_err);
        if broken {
            let connector = self.load_installed(digest, &row.value.powers.capabilities).await?;
            self.catalogue.write().loaded.insert(digest, Ok(connector));
        }
        self.version(id, digest).map(Some)
    }

    fn judge_name(&self, id: &str) -> Result<()> {
        let entries = self.catalogue.read();
        if entries.built_in.contains_key(id) {
            return Err(Error::conflict("connector_built_in", format!("'{id}' came with the gateway; no upload takes its place"))
                .with_remedy("Give the connector an id of its own."));
        }
        match entries.ids().find(|other| *other != id && alike(other, id)) {
            Some(other) => Err(Error::conflict("connector_look_alike", format!("the id '{id}' could be taken for '{other}', which is there already"))
                .with_remedy("Give the connector an id that differs by more than a letter, a digit or an underscore.")),
            None => Ok(()),
        }
    }

    fn judge_room(&self, id: &str) -> Result<()> {
        let entries = self.catalogue.read();
        match entries.installed.get(id) {
            Some(plugin) if plugin.versions.len() >= MAX_VERSIONS => {
                Err(Error::conflict("too_many_versions", format!("a connector has at most {MAX_VERSIONS} versions installed"))
                    .with_remedy("Remove a version that no connection uses."))
            }
            None if entries.installed.len() >= MAX_PLUGINS => {
                Err(Error::conflict("too_many_plugins", format!("at most {MAX_PLUGINS} connectors are installed")).with_remedy("Remove one that nobody uses."))
            }
            _ => Ok(()),
        }
    }

    fn active_powers(&self, id: &str) -> Option<Powers> {
        let entries = self.catalogue.read();
        let installed = entries.installed.get(id)?;
        installed.versions.get(&installed.record.value.active?).map(|row| row.value.powers.clone())
    }

    fn row(&self, id: &str, digest: Digest) -> Result<Row<VersionRecord>> {
        let entries = self.catalogue.read();
        let installed = entries.installed.get(id).ok_or_else(no_such_plugin)?;
        installed.versions.get(&digest).cloned().ok_or_else(no_such_version)
    }

    fn version(&self, id: &str, digest: Digest) -> Result<Version> {
        let entries = self.catalogue.read();
        let installed = entries.installed.get(id).ok_or_else(no_such_plugin)?;
        let row = installed.versions.get(&digest).ok_or_else(no_such_version)?;
        Ok(entries.version(installed, &row.value))
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        // Our own defects are opaque to callers, here as everywhere.
        match error.kind() {
            Kind::Internal => Self { code: "plugin_load_failed".to_owned(), message: "it could not be loaded".to_owned() },
            _ => Self { code: error.code().to_owned(), message: error.message().to_owned() },
        }
    }
}

/// A plugin that breaks its contract is a bad gateway's other side when it runs, and a bad request when it is sent in.
fn uploaders_fault(error: Error) -> Error {
    if error.kind() == Kind::PluginFault { Error::invalid(error.code().to_owned(), error.message().to_owned()).with_source(error) } else { error }
}

fn exactly(asked: &Powers, given: &Powers) -> Result<()> {
    let mut wrong = Vec::new();
    let mut compare = |at: &str, missing: Vec<String>, surplus: Vec<String>| {
        wrong.extend(missing.into_iter().map(|power| FieldError::new(at, format!("it asks for '{power}', which is not granted"))));
        wrong.extend(surplus.into_iter().map(|power| FieldError::new(at, format!("it does not ask for '{}'", power.chars().take(128).collect::<String>()))));
    };
    let only = |powers: Powers| {
        let egress = Powers { capabilities: BTreeSet::new(), ..powers.clone() };
        (Powers { egress: BTreeSet::new(), ..powers }.words(), egress.words())
    };
    let (missing, surplus) = (only(asked.beyond(given)), only(given.beyond(asked)));
    compare("/capabilities", missing.0, surplus.0);
    compare("/egress", missing.1, surplus.1);
    wrong.truncate(32);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::invalid("grant_mismatch", "a grant names exactly what the version asks for").with_fields(wrong))
}

async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let done = tokio::spawn(work).await;
    done.map_err(|error| Error::internal("plugin_change_failed", "the change of what is installed broke off").with_source(error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_that_is_not_exactly_what_is_asked_for_is_refused_at_its_field() {
        let powers = |capabilities: &[Capability], egress: &[&str]| Powers {
            capabilities: capabilities.iter().copied().collect(),
            egress: egress.iter().map(|&template| template.to_owned()).collect(),
        };
        let asked = powers(&[Capability::Http], &["https://{settings.hostname}"]);
        for (what, given, pointers) in [
            ("nothing", Powers::default(), vec!["/capabilities", "/egress"]),
            ("too little", powers(&[Capability::Http], &[]), vec!["/egress"]),
            ("too much", powers(&[Capability::Http, Capability::Aws], &["https://{settings.hostname}"]), vec!["/capabilities"]),
            ("something else", powers(&[Capability::Http], &["https://*"]), vec!["/egress", "/egress"]),
        ] {
            let error = exactly(&asked, &given).expect_err(what);
            assert_eq!(error.code(), "grant_mismatch", "{what}");
            assert_eq!(error.field_errors().iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), pointers, "{what}");
        }
        assert!(exactly(&asked, &asked.clone()).is_ok());
    }

    #[test]
    fn a_broken_contract_is_the_uploaders_fault_and_our_own_defect_is_not_told() {
        assert_eq!(uploaders_fault(Error::plugin_fault("plugin_contract", "x")).kind(), Kind::Invalid);
        assert_eq!(uploaders_fault(Error::denied("forbidden_import", "x")).kind(), Kind::Denied);
        assert_eq!(Fault::from(&Error::internal("host_functions", "/secret/path")).code, "plugin_load_failed");
        assert_eq!(Fault::from(&Error::conflict("plugin_file_altered", "x")).code, "plugin_file_altered");
    }
}
