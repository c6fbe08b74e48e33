//! Durable records behind a small trait: versioned, compare-and-set, in key order. What is acknowledged survives power loss.

mod export;
mod flusher;
mod folder;
mod memory;
mod record;
mod sled;
mod table;

#[cfg(test)]
mod contract;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{Error, Result};

pub use export::export;
pub use folder::{check_space, examine as examine_folder};
pub use memory::MemoryStore;
pub use sled::SledStore;
pub use table::{Row, Table};

/// Bytes of a key.
pub const MAX_KEY: usize = 512;
/// Bytes of a value. A leaf of the embedded store holds 16 of them, and must stay below one of its segments (512 KiB).
pub const MAX_VALUE: usize = 24 * 1024;
/// Operations of one `apply`.
pub const MAX_BATCH: usize = 1000;
/// Records of one `scan`.
pub const MAX_SCAN: usize = 1000;

/// `version` counts the writes of this key, from 1; it starts again after a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub version: u64,
    pub value: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Any,
    Absent,
    Version(u64),
}

#[derive(Clone, Debug)]
pub enum Op {
    Put { key: String, value: Bytes, expect: Expect },
    Delete { key: String, expect: Expect },
}

impl Op {
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }
    #[must_use]
    pub fn expect(&self) -> Expect {
        match self {
            Self::Put { expect, .. } | Self::Delete { expect, .. } => *expect,
        }
    }
}

/// Keys: UTF-8, 1 to 512 bytes. Values: at most 24 KiB (larger ones go to a sink). What crosses a limit is `LimitExceeded`.
///
/// A reader may see a write shortly before it is durable; only `apply` returning promises that it is.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// `Internal` (`store_corrupt`) when the record is not as it was written.
    async fn get(&self, key: &str) -> Result<Option<Record>>;
    /// All or nothing; on disk when it returns. An unmet expectation is `Conflict` (`stale_version`). At most 1,000 operations, each on a key of its own.
    async fn apply(&self, batch: Vec<Op>) -> Result<()>;
    /// At most `limit` (1 to 1000) records whose key begins with `prefix`, in key order, after the key `after`.
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>>;
    /// Whether it can take writes now: for `/readyz`.
    async fn ready(&self) -> Result<()>;
}

/// The limits that every backend holds to.
fn check_batch(batch: &[Op]) -> Result<()> {
    if batch.len() > MAX_BATCH {
        return Err(Error::limit("batch_too_large", format!("a batch has at most {MAX_BATCH} operations")));
    }
    let mut keys = std::collections::HashSet::with_capacity(batch.len());
    for op in batch {
        check_key(op.key())?;
        if let Op::Put { value, .. } = op
            && value.len() > MAX_VALUE
        {
            return Err(Error::limit("value_too_large", format!("a record holds at most {MAX_VALUE} bytes")));
        }
        if !keys.insert(op.key()) {
            return Err(Error::internal("duplicate_key", format!("a batch writes the key {:?} twice", op.key())));
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<()> {
    if (1..=MAX_KEY).contains(&key.len()) { Ok(()) } else { Err(Error::limit("key_too_large", format!("a key is 1 to {MAX_KEY} bytes"))) }
}

fn check_scan(prefix: &str, limit: usize) -> Result<()> {
    if prefix.len() > MAX_KEY {
        return Err(Error::limit("key_too_large", format!("a key is 1 to {MAX_KEY} bytes")));
    }
    if (1..=MAX_SCAN).contains(&limit) { Ok(()) } else { Err(Error::limit("scan_too_large", format!("a scan returns 1 to {MAX_SCAN} records"))) }
}

/// Whether a key whose record has `version` (`None`: it has no record) may be written.
fn check_expectation(expect: Expect, version: Option<u64>) -> Result<()> {
    let met = match expect {
        Expect::Any => true,
        Expect::Absent => version.is_none(),
        Expect::Version(seen) => version == Some(seen),
    };
    if met {
        Ok(())
    } else {
        Err(Error::conflict("stale_version", "it was changed by somebody else in the meantime").with_remedy("read it again and repeat the change"))
    }
}
