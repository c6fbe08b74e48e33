//! Durable records behind a small trait: versioned, compare-and-set, in key order. What is acknowledged survives power loss.

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::Result;

/// `version` counts the writes of this key, from 1.
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

/// Keys: UTF-8, 1 to 512 bytes. Values: at most 24 KiB (larger ones go to a sink).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    async fn get(&self, key: &str) -> Result<Option<Record>>;
    /// All or nothing; on disk when it returns. An unmet expectation is `Conflict` (`stale_version`). At most 1,000 operations.
    async fn apply(&self, batch: Vec<Op>) -> Result<()>;
    /// At most `limit` (1 to 1000) records whose key begins with `prefix`, in key order, after the key `after`.
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>>;
    /// Whether it can take writes now: for `/readyz`.
    async fn ready(&self) -> Result<()>;
}
