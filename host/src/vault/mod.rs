//! Seals and opens secrets: AES-256-GCM under a master key that lies outside the data folder. With `broker`, the only place where a secret is exposed.

use std::path::Path;

use zeroize::Zeroizing;

use crate::model::{Connection, ConnectionId, OrgId, Random, Result, SealedSecret};

/// A secret in the clear. No `Debug`, no `Display`, no `Serialize`; zeroed when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
    /// The only way to the bytes; `tests/it/tidy` names who may call it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

pub struct Vault;

impl Vault {
    /// Reads the master key (32 bytes as hex, mode 0600, owned by us). With `create`, makes it if the file is absent.
    pub fn open(_key_file: &Path, _create: bool, _random: &Random) -> Result<Self> {
        todo!()
    }
    /// A value that only this master key opens: written into a new store, opened at each start (`proves`).
    pub fn proof(&self) -> Result<String> {
        todo!()
    }
    /// `Err` (`wrong_master_key`) unless `proof` was made by this master key.
    pub fn proves(&self, _proof: &str) -> Result<()> {
        todo!()
    }
    pub fn seal(&self, _org: &OrgId, _connection: ConnectionId, _field: &str, _revision: u64, _secret: &Secret) -> Result<SealedSecret> {
        todo!()
    }
    /// Opens one secret of a connection, by name. `Internal` (`secret_unreadable`) when it was moved, altered or sealed by another key.
    pub fn unseal(&self, _connection: &Connection, _name: &str) -> Result<Secret> {
        todo!()
    }
    /// A key for another use, derived (HKDF-SHA256) from the master key and `purpose`: cache authentication, cursors.
    #[must_use]
    pub fn derive(&self, _purpose: &str) -> [u8; 32] {
        todo!()
    }
}
