//! What is installed, in memory: who looks a connector up waits for no disk. Changed after the store has agreed, never before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::powers::Powers;
use super::records::{PluginRecord, Stamp, VersionRecord};
use super::settings::Schema;
use crate::model::{Digest, Error, Result};
use crate::runtime::Plugin;
use crate::store::Row;

/// A plugin that can run, with its settings schema compiled.
pub struct Connector {
    pub plugin: Arc<Plugin>,
    pub schema: Schema,
}

impl Connector {
    /// `PluginFault` (`invalid_schema`).
    pub fn new(plugin: Arc<Plugin>) -> Result<Arc<Self>> {
        let schema = Schema::compile(&plugin.description().settings)?;
        Ok(Arc::new(Self { plugin, schema }))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Uploaded; runs for nobody until an operator grants what it asks for.
    Pending,
    /// What new connections use.
    Active,
    /// Granted, and not the active one: connections that were made with it use it.
    Granted,
    /// Granted, and cannot run: see `fault`.
    Broken,
}

/// One version of an installed connector.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Version {
    pub digest: Digest,
    pub version: String,
    pub title: String,
    pub size: u64,
    pub state: State,
    /// What it asks for.
    pub powers: Powers,
    pub uploaded: Stamp,
    pub granted: Option<Stamp>,
    /// The code that says why it cannot run.
    pub fault: Option<String>,
}

/// A connector as operators see it.
#[derive(Clone)]
pub struct Entry {
    pub id: String,
    pub built_in: bool,
    /// `None`: nothing of it can be used by new connections now.
    pub active: Option<Arc<Connector>>,
    /// Newest first. Empty for what came with the gateway.
    pub versions: Vec<Version>,
    /// Each version that runs: also one that only older connections use.
    pub running: Vec<Arc<Connector>>,
}

/// Why a granted version cannot run. The log has the cause.
#[derive(Clone)]
pub struct Fault {
    pub code: String,
    pub message: String,
}

impl Fault {
    fn error(&self) -> Error {
        Error::conflict(self.code.clone(), format!("this connector's plugin cannot run: {}", self.message))
            .with_remedy("An operator installs the same component again; the gateway's log says what happened to it.")
    }
}

/// The records of one connector, with their versions in the store.
pub struct Installed {
    pub record: Row<PluginRecord>,
    pub versions: BTreeMap<Digest, Row<VersionRecord>>,
}

#[derive(Default)]
pub struct Entries {
    pub built_in: BTreeMap<String, Arc<Connector>>,
    pub installed: BTreeMap<String, Installed>,
    /// Every granted version.
    pub loaded: HashMap<Digest, Result<Arc<Connector>, Fault>>,
}

#[derive(Default)]
pub struct Catalogue(RwLock<Entries>);

impl Catalogue {
    pub fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add_built_in(&self, plugin: Arc<Plugin>) -> Result<()> {
        let id = plugin.description().id.clone();
        let connector = Connector::new(plugin)?;
        let mut entries = self.write();
        if entries.built_in.contains_key(&id) {
            return Err(Error::conflict("connector_exists", format!("there is a connector '{id}' already")));
        }
        entries.built_in.insert(id, connector);
        Ok(())
    }

    pub fn active(&self, id: &str) -> Option<Result<Arc<Connector>>> {
        self.read().active(id)
    }

    pub fn pinned(&self, id: &str, digest: Digest) -> Result<Arc<Connector>> {
        let entries = self.read();
        match entries.loaded.get(&digest).filter(|_| entries.installed.get(id).is_some_and(|plugin| plugin.versions.contains_key(&digest))) {
            Some(Ok(connector)) => Ok(connector.clone()),
            Some(Err(fault)) => Err(fault.error()),
            None => entries.built_in.get(id).cloned().ok_or_else(|| not_installed(id)),
        }
    }

    pub fn granted(&self, id: &str, digest: Digest) -> Result<Arc<Connector>> {
        let entries = self.read();
        if let Some(connector) = entries.built_in.get(id).filter(|connector| connector.plugin.digest() == digest) {
            return Ok(connector.clone());
        }
        let row = entries.installed.get(id).and_then(|plugin| plugin.versions.get(&digest)).ok_or_else(super::no_such_version)?;
        match entries.loaded.get(&digest) {
            Some(Ok(connector)) => Ok(connector.clone()),
            Some(Err(fault)) => Err(fault.error()),
            None if row.value.granted.is_none() => Err(Error::conflict("grant_required", "this version was not granted yet")),
            None => Err(not_installed(id)),
        }
    }

    pub fn knows(&self, digest: Digest) -> bool {
        let entries = self.read();
        entries.installed.values().any(|plugin| plugin.versions.contains_key(&digest))
            || entries.built_in.values().any(|connector| connector.plugin.digest() == digest)
    }

    /// By id.
    pub fn all(&self) -> Vec<Arc<Connector>> {
        let entries = self.read();
        entries.ids().filter_map(|id| entries.active(id)?.ok()).collect()
    }

    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.read();
        entries.ids().filter_map(|id| entries.entry(id)).collect()
    }

    pub fn entry(&self, id: &str) -> Option<Entry> {
        self.read().entry(id)
    }
}

impl Entries {
    /// Of all connectors, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let installed = self.installed.keys().filter(|id| !self.built_in.contains_key(*id));
        let mut ids: Vec<&str> = self.built_in.keys().chain(installed).map(String::as_str).collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    /// A connector that came with the gateway is never shadowed by an installed one of the same name.
    pub fn active(&self, id: &str) -> Option<Result<Arc<Connector>>> {
        if let Some(connector) = self.built_in.get(id) {
            return Some(Ok(connector.clone()));
        }
        let digest = self.installed.get(id)?.record.value.active?;
        Some(match self.loaded.get(&digest) {
            Some(Ok(connector)) => Ok(connector.clone()),
            Some(Err(fault)) => Err(fault.error()),
            None => Err(not_installed(id)),
        })
    }

    fn entry(&self, id: &str) -> Option<Entry> {
        let (built_in, installed) = (self.built_in.contains_key(id), self.installed.get(id));
        if !built_in && installed.is_none() {
            return None;
        }
        let mut versions: Vec<Version> =
            installed.into_iter().flat_map(|plugin| plugin.versions.values().map(|row| self.version(plugin, &row.value))).collect();
        versions.sort_by_key(|version| (std::cmp::Reverse(version.uploaded.at), version.digest));
        let loaded = versions.iter().filter_map(|version| self.loaded.get(&version.digest)?.as_ref().ok());
        let running = self.built_in.get(id).into_iter().chain(loaded).cloned().collect();
        Some(Entry { id: id.to_owned(), built_in, active: self.active(id).and_then(Result::ok), versions, running })
    }

    pub fn version(&self, plugin: &Installed, record: &VersionRecord) -> Version {
        let fault = self.loaded.get(&record.digest).and_then(|loaded| loaded.as_ref().err());
        let state = match &record.granted {
            None => State::Pending,
            Some(_) if fault.is_some() => State::Broken,
            Some(_) if plugin.record.value.active == Some(record.digest) => State::Active,
            Some(_) => State::Granted,
        };
        Version {
            digest: record.digest,
            version: record.version.clone(),
            title: record.title.clone(),
            size: record.size,
            state,
            powers: record.powers.clone(),
            uploaded: record.uploaded.clone(),
            granted: record.granted.clone(),
            fault: fault.map(|fault| fault.code.clone()),
        }
    }
}

fn not_installed(id: &str) -> Error {
    Error::conflict("connector_not_installed", format!("the connector '{id}', or the version of it that is needed, is not installed"))
}
