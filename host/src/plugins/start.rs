//! The start: what the store says is installed is loaded, and what a crash left behind is swept. No plugin that cannot be loaded stops the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::Plugins;
use super::catalogue::{Fault, Installed};
use super::files::Files;
use super::records::{Records, Stored, VersionRecord};
use crate::model::{Digest, Error, Result};
use crate::store::Store;

/// Loaded at the same time, each with its component in memory.
const AT_ONCE: usize = 4;

/// The installed versions whose files are not as they were when they were granted, each with why (SECURITY P24). Nothing is loaded.
pub async fn damaged(store: Arc<dyn Store>, folder: PathBuf) -> Result<Vec<(String, Digest, Error)>> {
    let (records, files) = (Records::new(store), Files::new(folder));
    let mut damaged = Vec::new();
    for Stored { id, versions, .. } in records.all().await? {
        for row in versions.iter().filter(|row| row.value.granted.is_some()) {
            if let Err(error) = files.read(row.value.digest).await {
                damaged.push((id.clone(), row.value.digest, error));
            }
        }
    }
    Ok(damaged)
}

impl Plugins {
    /// After the connectors that come with the gateway: an installed one of the same name stays behind them.
    pub async fn start(&self) -> Result<()> {
        let stored = self.records.all().await?;
        let known = stored.iter().flat_map(|plugin| plugin.versions.iter().map(|row| row.value.digest)).collect();
        match self.files.sweep(known).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed files of plugins that were not installed to their end"),
            // They take room, no more.
            Err(error) => tracing::warn!(?error, "files of plugins that are not installed could not be removed"),
        }
        let granted =
            stored.iter().flat_map(|plugin| plugin.versions.iter().map(move |row| (&plugin.id, &row.value)).filter(|(_, record)| record.granted.is_some()));
        stream::iter(granted).for_each_concurrent(AT_ONCE, |(id, record)| self.load_stored(id, record)).await;

        let mut entries = self.catalogue.write();
        for Stored { id, plugin, versions } in stored {
            if entries.built_in.contains_key(&id) {
                tracing::warn!(connector = %id, "the gateway brings this connector itself by now: new connections use that one, and not the one that was installed");
            }
            let versions: BTreeMap<_, _> = versions.into_iter().map(|row| (row.value.digest, row)).collect();
            entries.installed.insert(id, Installed { record: plugin, versions });
        }
        Ok(())
    }

    async fn load_stored(&self, id: &str, record: &VersionRecord) {
        let digest = record.digest;
        let loaded = self.load_installed(digest, &record.powers.capabilities).await.map_err(|error| {
            tracing::error!(connector = id, %digest, ?error, "AN INSTALLED PLUGIN CANNOT BE LOADED: its connector answers with this until it is installed again");
            Fault::from(&error)
        });
        self.catalogue.write().loaded.insert(digest, loaded);
    }
}
