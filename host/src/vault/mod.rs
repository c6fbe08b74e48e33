//! Seals and opens secrets: AES-256-GCM under a master key that lies outside the data folder. With `broker`, the only place where a secret is exposed.

mod key_file;
mod seal;

use std::path::Path;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::model::{Connection, ConnectionId, Error, OrgId, Random, Result, SealedSecret};

use seal::{Place, Sealer};

/// Bytes of a secret (H04).
pub const MAX_SECRET: usize = 8 * 1024;

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

/// No `Debug`: it holds the master key.
pub struct Vault {
    derivation: hmac::Key,
    sealer: Sealer,
}

impl Vault {
    /// Reads the master key (32 bytes as hex, mode 0600, owned by us). With `create`, makes it if the file is absent; without,
    /// an absent file is `NotFound` (`no_master_key`): a new key would open nothing of what an existing store holds.
    pub fn open(key_file: &Path, create: bool, random: &Random) -> Result<Self> {
        match key_file::read(key_file)? {
            Some(key) => Self::new(&key),
            None if create => Self::new(&*key_file::create(key_file, random)?),
            None => {
                Err(Error::not_found("no_master_key", format!("there is no master key in {}, but the data folder was sealed with one", key_file.display()))
                    .with_remedy("put the key file back; without it the stored secrets are lost"))
            }
        }
    }

    fn new(master: &[u8; 32]) -> Result<Self> {
        let derivation = extract(master);
        let sealer = Sealer::new(&expand(&derivation, "seal secrets"), seal::key_id(master))?;
        Ok(Self { derivation, sealer })
    }

    /// A value that only this master key opens: written into a new store, opened at each start (`proves`).
    pub fn proof(&self) -> Result<String> {
        self.sealer.seal(Place::Proof, &Secret::new(PROOF.to_vec())).map(|sealed| format!("{}:{sealed}", self.sealer.key_id()))
    }

    /// `Err` (`wrong_master_key`) unless `proof` was made by this master key.
    pub fn proves(&self, proof: &str) -> Result<()> {
        let wrong = |key_id: &str| {
            Error::invalid("wrong_master_key", format!("the master key is {}, but the data folder was sealed with {key_id:?}", self.sealer.key_id()))
                .with_remedy("start with the key file that belongs to this data folder")
        };
        let (key_id, sealed) = proof.split_once(':').ok_or_else(|| wrong("no key known here"))?;
        match self.sealer.open(Place::Proof, sealed) {
            Some(secret) if key_id == self.sealer.key_id() && secret.expose() == PROOF => Ok(()),
            _ => Err(wrong(key_id)),
        }
    }

    /// Binds the ciphertext to where it belongs. More than 8 KiB is `LimitExceeded` (`secret_too_large`).
    pub fn seal(&self, org: &OrgId, connection: ConnectionId, field: &str, revision: u64, secret: &Secret) -> Result<SealedSecret> {
        if secret.expose().len() > MAX_SECRET {
            return Err(Error::limit("secret_too_large", format!("a secret is at most {MAX_SECRET} bytes")));
        }
        let sealed = self.sealer.seal(Place::Field { org, connection, field, revision }, secret)?;
        Ok(SealedSecret { key_id: self.sealer.key_id().to_owned(), revision, sealed })
    }

    /// Opens one secret of a connection, by name. `NotFound` (`no_such_secret`) when it has none of that name, `Internal`
    /// (`secret_unreadable`) when it was moved, altered or sealed by another key.
    pub fn unseal(&self, connection: &Connection, name: &str) -> Result<Secret> {
        let Some(found) = connection.secrets.get(name) else {
            return Err(Error::not_found("no_such_secret", format!("the connection has no secret {name:?}")));
        };
        let place = Place::Field { org: &connection.org, connection: connection.id, field: name, revision: found.revision };
        // A revision from the future was not written by us for this state of the connection.
        let opened = if found.revision <= connection.revision && found.key_id == self.sealer.key_id() { self.sealer.open(place, &found.sealed) } else { None };
        opened.ok_or_else(|| {
            Error::internal("secret_unreadable", format!("the secret {name:?} of connection {} cannot be opened", connection.name))
                .with_remedy("set the secret of this connection again")
        })
    }

    /// A key for another use, derived (HKDF-SHA256) from the master key and `purpose`: cache authentication, cursors.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // Under a prefix of its own: no purpose is the same as a use in here.
        *expand(&self.derivation, &format!("derive:{purpose}"))
    }
}

const PROOF: &[u8] = b"portcullis";

/// HKDF-SHA256 (RFC 5869) for one block of output: written out because the library's own can fail, and a key must not.
fn extract(master: &[u8]) -> hmac::Key {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, b"portcullis master key");
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&salt, master).as_ref())
}

fn expand(derivation: &hmac::Key, purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(derivation);
    context.update(purpose.as_bytes());
    context.update(&[1]);
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(context.sign().as_ref());
    key
}

#[cfg(test)]
mod tests;
