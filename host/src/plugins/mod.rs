//! The connectors this gateway has: those it came with, and those an operator installed while it ran.
//!
//! A plugin is a component file, known by its digest. An upload waits (`pending`) until an operator grants it exactly what it asks for; then
//! it is the *active* version of its connector, which new connections use. A connection stays on the version that it was made with until it
//! is moved. Bytes are on disk before the record that names them, and gone after it, so a kill at any moment leaves the old state or the new one.

mod catalogue;
mod files;
mod install;
mod names;
mod powers;
mod records;
mod remove;
mod settings;
mod start;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, RwLock, RwLockReadGuard, Semaphore, SemaphorePermit};

use crate::model::{Clock, Digest, Error, Result};
use crate::runtime::{Plugin, Runtime};
use crate::store::Store;

pub use catalogue::{Connector, Entry, State, Version};
pub use install::Uploaded;
pub use powers::{Difference, Powers, SettingsDifference};
pub use records::Stamp;
pub use remove::Removal;
pub use settings::{Parted, Schema, immutable_external_id, merge};
pub use start::damaged;

use catalogue::Catalogue;
use files::Files;
use records::Records;

/// Installed connectors, uploads that wait for a grant among them.
pub const MAX_PLUGINS: usize = 500;
/// Versions of one connector.
pub const MAX_VERSIONS: usize = 20;
/// Uploads at the same time: each may take its 32 MiB and a compiler.
const UPLOADS: usize = 2;

pub struct Parts {
    pub runtime: Arc<Runtime>,
    pub store: Arc<dyn Store>,
    /// Where the components are kept; made when it is needed.
    pub folder: PathBuf,
    pub clock: Clock,
}

pub struct Plugins {
    runtime: Arc<Runtime>,
    catalogue: Catalogue,
    records: Records,
    files: Files,
    clock: Clock,
    uploads: Semaphore,
    /// Held by whoever changes what is installed: one at a time.
    changes: Mutex<()>,
    /// Read by whoever is about to write a digest into a connection, written by whoever removes one: see `hold`.
    removal: RwLock<()>,
}

/// While it lives, the version that it was taken for is not removed.
pub struct Hold<'a>(#[expect(dead_code, reason = "it is held, not read")] RwLockReadGuard<'a, ()>);

impl Plugins {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            runtime: parts.runtime,
            catalogue: Catalogue::default(),
            records: Records::new(parts.store),
            files: Files::new(parts.folder),
            clock: parts.clock,
            uploads: Semaphore::new(UPLOADS),
            changes: Mutex::new(()),
            removal: RwLock::new(()),
        }
    }

    /// Adds a connector that came with the gateway. A taken id is `Conflict` (`connector_exists`).
    pub fn register(&self, plugin: Arc<Plugin>) -> Result<()> {
        self.catalogue.add_built_in(plugin)
    }

    /// What a new connection of this type uses. `None`: there is no such connector. An error says why its plugin cannot run.
    pub fn connector(&self, id: &str) -> Option<Result<Arc<Connector>>> {
        self.catalogue.active(id)
    }

    /// What a connection that was made with this version uses. A connector that came with the gateway moves with its releases: they are
    /// tested as one. `Conflict` (`connector_not_installed`), or why the plugin cannot run.
    pub fn pinned(&self, id: &str, digest: Digest) -> Result<Arc<Connector>> {
        self.catalogue.pinned(id, digest)
    }

    /// A granted version, to pin a connection to. `NotFound` (`plugin_version_not_found`), `Conflict` (`grant_required`), or why it cannot run.
    pub fn granted(&self, id: &str, digest: Digest) -> Result<Arc<Connector>> {
        self.catalogue.granted(id, digest)
    }

    /// Every connector that can be used now, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Connector>> {
        self.catalogue.all()
    }

    /// Everything, by id: what waits for a grant and what cannot run as well.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.catalogue.entries()
    }

    /// `NotFound` (`plugin_not_found`).
    pub fn entry(&self, id: &str) -> Result<Entry> {
        self.catalogue.entry(id).ok_or_else(no_such_plugin)
    }

    /// Taken before a connection that is pinned to this version is written. `Conflict` (`connector_not_installed`) if it was removed since it was looked up.
    pub async fn hold(&self, connector: &Connector) -> Result<Hold<'_>> {
        let hold = Hold(self.removal.read().await);
        self.pinned(&connector.plugin.description().id, connector.plugin.digest()).map(|_| hold)
    }

    /// A place for one upload, to be taken before its body is read. `Unavailable` (`uploads_busy`).
    pub fn upload_place(&self) -> Result<SemaphorePermit<'_>> {
        self.uploads.try_acquire().map_err(|_| Error::unavailable("uploads_busy", "other plugins are being uploaded").with_retry_after(5))
    }
}

fn no_such_plugin() -> Error {
    Error::not_found("plugin_not_found", "there is no such plugin")
}

fn no_such_version() -> Error {
    Error::not_found("plugin_version_not_found", "the plugin has no such version").with_remedy("`portcullis plugin inspect` lists its versions.")
}
