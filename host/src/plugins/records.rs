//! What is installed, as stored: a record for each connector (which version is active) and one for each version (who granted what).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::powers::Powers;
use crate::model::{Caller, Clock, Digest, OrgId, Result, Timestamp, TokenId};
use crate::store::{Expect, MAX_SCAN, Op, Row, Store, Table};

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub at: Timestamp,
    pub by: TokenId,
    pub organization: OrgId,
}

impl Stamp {
    pub(super) fn of(caller: &Caller, clock: &Clock) -> Self {
        Self { at: clock(), by: caller.token, organization: caller.org.clone() }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// `None`: nothing was granted yet.
    pub active: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    pub digest: Digest,
    /// As its author calls it.
    pub version: String,
    pub title: String,
    /// Bytes of the component.
    pub size: u64,
    /// What it asks for; from `granted` on also what it has.
    pub powers: Powers,
    pub uploaded: Stamp,
    /// `None`: it waits for a grant and is never run.
    pub granted: Option<Stamp>,
}

/// One connector with its versions, as read.
pub struct Stored {
    pub id: String,
    pub plugin: Row<PluginRecord>,
    pub versions: Vec<Row<VersionRecord>>,
}

pub struct Records {
    store: Arc<dyn Store>,
    plugins: Table<PluginRecord>,
    versions: Table<VersionRecord>,
}

impl Records {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { plugins: Table::new(store.clone(), "plugin/"), versions: Table::new(store.clone(), "plugin-version/"), store }
    }

    /// All of them: there are at most `MAX_PLUGINS`, each with `MAX_VERSIONS`.
    pub async fn all(&self) -> Result<Vec<Stored>> {
        let mut all = Vec::new();
        for (id, plugin) in everything(&self.plugins, "").await? {
            let versions = everything(&self.versions, &format!("{id}/")).await?.into_iter().map(|(_, row)| row).collect();
            all.push(Stored { id, plugin, versions });
        }
        Ok(all)
    }

    /// Changes what is given, in one batch: all of it is on disk when it returns, or nothing is.
    pub async fn write(&self, id: &str, plugin: Option<(&PluginRecord, Expect)>, version: Option<(&VersionRecord, Expect)>) -> Result<()> {
        let mut batch = Vec::new();
        if let Some((record, expect)) = plugin {
            batch.push(self.plugins.putting(id, record, expect)?);
        }
        if let Some((record, expect)) = version {
            batch.push(self.versions.putting(&key(id, record.digest), record, expect)?);
        }
        self.store.apply(batch).await
    }

    /// `plugin`: the whole connector goes.
    pub async fn remove(&self, id: &str, plugin: bool, versions: &[Digest]) -> Result<()> {
        let mut batch: Vec<Op> = versions.iter().map(|digest| self.versions.deleting(&key(id, *digest), Expect::Any)).collect();
        if plugin {
            batch.push(self.plugins.deleting(id, Expect::Any));
        }
        self.store.apply(batch).await
    }
}

async fn everything<T: Serialize + serde::de::DeserializeOwned>(table: &Table<T>, prefix: &str) -> Result<Vec<(String, Row<T>)>> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = table.scan(prefix, after.as_deref(), MAX_SCAN).await?;
        let ended = page.len() < MAX_SCAN;
        after = page.last().map(|(key, _)| key.clone());
        all.extend(page);
        if ended {
            return Ok(all);
        }
    }
}

fn key(id: &str, digest: Digest) -> String {
    format!("{id}/{}", hex::encode(digest.0))
}
