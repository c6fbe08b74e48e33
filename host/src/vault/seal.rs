//! The AEAD, and what a ciphertext is bound to: a record cannot be moved to another place and still open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Secret;
use crate::model::{ConnectionId, Error, OrgId, Result};

/// Of the layout of the ciphertext and of what it is bound to.
const VERSION: u8 = 1;

/// Where a ciphertext belongs.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Proof,
    Field { org: &'a OrgId, connection: ConnectionId, field: &'a str, revision: u64 },
}

/// A fresh random nonce of 96 bits for each ciphertext: safe for 2^32 of them under one key, more than connections will ever have.
pub(super) struct Sealer {
    key: RandomizedNonceKey,
    key_id: String,
}

impl Sealer {
    pub(super) fn new(key: &[u8; 32], key_id: String) -> Result<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| Error::internal("crypto_failed", "the sealing key was refused"))?;
        Ok(Self { key, key_id })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Base64 of nonce, ciphertext and tag.
    pub(super) fn seal(&self, place: Place<'_>, secret: &Secret) -> Result<String> {
        // With room for the tag from the start: a vector that grows leaves a copy of the secret behind.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.expose().len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(secret.expose());
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(self.binding(place)), &mut *text)
            .map_err(|_| Error::internal("crypto_failed", "a secret could not be sealed"))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&text);
        Ok(STANDARD.encode(sealed))
    }

    /// `None`: altered, moved, or sealed by another key.
    pub(super) fn open(&self, place: Place<'_>, sealed: &str) -> Option<Secret> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(self.binding(place)), &mut text).ok()?;
        Some(Secret::new(opened.to_vec()))
    }

    /// Each part with its length before it, so that no two places have the same bytes.
    fn binding(&self, place: Place<'_>) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut part = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        part(self.key_id.as_bytes());
        match place {
            Place::Proof => part(b"proof"),
            Place::Field { org, connection, field, revision } => {
                part(b"field");
                part(org.as_str().as_bytes());
                part(connection.0.as_bytes());
                part(field.as_bytes());
                part(&revision.to_be_bytes());
            }
        }
        bytes
    }
}

/// Names a master key without telling anything of it: 8 hex digits of its SHA-256.
pub(super) fn key_id(master: &[u8; 32]) -> String {
    let sum = digest::digest(&digest::SHA256, master);
    sum.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
