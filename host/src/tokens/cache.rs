//! Valid tokens in memory, so that a request costs a hash and a look into a map. It never keeps a token that was revoked.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::text::Hash;
use crate::model::{Caller, Timestamp, TokenId};

/// Only valid tokens are kept, so strangers cannot fill it.
const MAX: usize = 10_000;

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) caller: Caller,
    pub(super) expires_at: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Cache(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    entries: HashMap<Hash, Entry>,
    /// Counts revocations.
    generation: u64,
}

impl Cache {
    pub(super) fn get(&self, hash: &Hash) -> Option<Entry> {
        self.read().entries.get(hash).cloned()
    }

    /// To be asked before the store is read, and handed to `put`.
    pub(super) fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Does nothing if a token was revoked since `seen`: what was read from the store may be that one.
    pub(super) fn put(&self, seen: u64, hash: Hash, entry: Entry) {
        let mut inner = self.write();
        if inner.generation != seen {
            return;
        }
        if inner.entries.len() >= MAX {
            inner.entries.clear();
        }
        inner.entries.insert(hash, entry);
    }

    /// After it is gone from the store.
    pub(super) fn forget(&self, id: TokenId) {
        let mut inner = self.write();
        inner.generation += 1;
        inner.entries.retain(|_, entry| entry.caller.token != id);
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
