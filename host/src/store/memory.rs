//! A store in memory, for tests of what is built on one. It keeps nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Op, Record, Store, check_batch, check_expectation, check_key, check_scan};
use crate::model::Result;

#[derive(Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, Record>>);

impl MemoryStore {
    fn records(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Record>> {
        check_key(key)?;
        Ok(self.records().get(key).cloned())
    }

    async fn apply(&self, batch: Vec<Op>) -> Result<()> {
        check_batch(&batch)?;
        let mut records = self.records();
        let version = |records: &BTreeMap<String, Record>, key: &str| records.get(key).map(|record| record.version);
        for op in &batch {
            check_expectation(op.expect(), version(&records, op.key()))?;
        }
        for op in batch {
            match op {
                Op::Put { key, value, .. } => {
                    let version = version(&records, &key).unwrap_or(0) + 1;
                    records.insert(key, Record { version, value });
                }
                Op::Delete { key, .. } => drop(records.remove(&key)),
            }
        }
        Ok(())
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>> {
        check_scan(prefix, limit)?;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let records = self.records();
        let inside = records.range::<str, _>((start, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        Ok(inside.take(limit).map(|(key, record)| (key.clone(), record.clone())).collect())
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}
