//! Removing a version, or all of a connector. In two steps, since who uses it is known above: look what would go, then let it go.

use tokio::sync::{MutexGuard, RwLockWriteGuard};

use super::{Plugins, no_such_plugin, no_such_version};
use crate::model::{Caller, Digest, Error, Result};

/// While it lives, nothing else is installed, and no connection is pinned to anything.
pub struct Removal<'a> {
    plugins: &'a Plugins,
    id: String,
    /// All of the connector's versions, and with them the connector.
    whole: bool,
    digests: Vec<Digest>,
    _alone: MutexGuard<'a, ()>,
    _unheld: RwLockWriteGuard<'a, ()>,
}

impl Plugins {
    /// `digest`: one version, else all. `NotFound` (`plugin_not_found`, `plugin_version_not_found`), `Conflict` (`connector_built_in`,
    /// `plugin_active`: the active version goes last).
    pub async fn removal(&self, id: &str, digest: Option<Digest>) -> Result<Removal<'_>> {
        let (alone, unheld) = (self.changes.lock().await, self.removal.write().await);
        let entries = self.catalogue.read();
        let Some(installed) = entries.installed.get(id) else {
            return Err(match entries.built_in.contains_key(id) {
                true => Error::conflict("connector_built_in", format!("'{id}' came with the gateway and goes with it")),
                false => no_such_plugin(),
            });
        };
        let digests: Vec<Digest> = match digest {
            None => installed.versions.keys().copied().collect(),
            Some(digest) if !installed.versions.contains_key(&digest) => return Err(no_such_version()),
            Some(digest) if installed.record.value.active == Some(digest) && installed.versions.len() > 1 => {
                return Err(Error::conflict("plugin_active", "this is the version that new connections use")
                    .with_remedy("Activate another version first, or remove the whole plugin."));
            }
            Some(digest) => vec![digest],
        };
        let whole = digests.len() == installed.versions.len();
        drop(entries);
        Ok(Removal { plugins: self, id: id.to_owned(), whole, digests, _alone: alone, _unheld: unheld })
    }
}

impl Removal<'_> {
    /// What would go.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// To be called when nobody uses any of it. The records go first: a file without one is swept at the next start.
    pub async fn finish(self, caller: &Caller) -> Result<()> {
        let Self { plugins, id, whole, digests, .. } = &self;
        plugins.records.remove(id, *whole, digests).await?;
        tracing::info!(connector = %id, ?digests, whole, by = %caller.token, org = %caller.org, "plugin removed");
        {
            let mut entries = plugins.catalogue.write();
            for digest in digests {
                entries.loaded.remove(digest);
                if let Some(installed) = entries.installed.get_mut(id) {
                    installed.versions.remove(digest);
                }
            }
            if *whole {
                entries.installed.remove(id);
            }
        }
        for digest in digests {
            plugins.runtime.forget(*digest).await;
            if let Err(error) = plugins.files.remove(*digest).await {
                tracing::warn!(%digest, ?error, "the file of a plugin that was removed is still there; the next start removes it");
            }
        }
        Ok(())
    }
}
