//! Typed records: JSON values of one type below one prefix of a store.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Expect, Op, Record, Store, record};
use crate::model::{Error, Result};

/// A value and the version to expect when it is written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<T> {
    pub version: u64,
    pub value: T,
}

/// Keys here are without the table's prefix. Several tables are changed together by applying the `Op`s of each in one batch.
pub struct Table<T> {
    store: Arc<dyn Store>,
    /// Ends in '/'.
    prefix: &'static str,
    holds: PhantomData<fn() -> T>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), prefix: self.prefix, holds: PhantomData }
    }
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    /// `prefix` ends in '/' and is no other table's prefix.
    pub fn new(store: Arc<dyn Store>, prefix: &'static str) -> Self {
        Self { store, prefix, holds: PhantomData }
    }

    pub async fn get(&self, key: &str) -> Result<Option<Row<T>>> {
        let key = self.key(key);
        self.store.get(&key).await?.map(|found| parse(&key, &found)).transpose()
    }

    /// Writes one record; see `Store::apply`.
    pub async fn put(&self, key: &str, value: &T, expect: Expect) -> Result<()> {
        self.store.apply(vec![self.putting(key, value, expect)?]).await
    }

    /// The operation of a `put`, for a batch.
    pub fn putting(&self, key: &str, value: &T, expect: Expect) -> Result<Op> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::internal("unwritable_record", "a record has no JSON form").with_source(error))?;
        Ok(Op::Put { key: self.key(key), value: bytes.into(), expect })
    }

    pub async fn delete(&self, key: &str, expect: Expect) -> Result<()> {
        self.store.apply(vec![self.deleting(key, expect)]).await
    }

    /// The operation of a `delete`, for a batch.
    #[must_use]
    pub fn deleting(&self, key: &str, expect: Expect) -> Op {
        Op::Delete { key: self.key(key), expect }
    }

    /// As `Store::scan`; the keys that come back are without the table's prefix, but with `prefix`.
    pub async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Row<T>)>> {
        let after = after.map(|after| self.key(after));
        let found = self.store.scan(&self.key(prefix), after.as_deref(), limit).await?;
        found
            .into_iter()
            .map(|(key, found)| {
                let row = parse(&key, &found)?;
                Ok((key.strip_prefix(self.prefix).unwrap_or(&key).to_owned(), row))
            })
            .collect()
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

fn parse<T: DeserializeOwned>(key: &str, found: &Record) -> Result<Row<T>> {
    // The parser's message would quote the record: it may hold what does not belong in a log.
    let value = serde_json::from_slice(&found.value)
        .map_err(|error| record::corrupt(key, &format!("it is not what belongs there (line {}, column {})", error.line(), error.column())))?;
    Ok(Row { version: found.version, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn m28_a_record_that_does_not_parse_is_corrupt_and_named() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let table: Table<u32> = Table::new(Arc::clone(&store), "numbers/");
        store.apply(vec![Op::Put { key: "numbers/one".to_owned(), value: "\"hunter2\"".into(), expect: Expect::Any }]).await.expect("written");
        for error in [table.get("one").await.expect_err("not a number"), table.scan("", None, 10).await.expect_err("not a number")] {
            assert_eq!(error.code(), "store_corrupt");
            assert!(error.message().contains("numbers/one") && !format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn rows_keep_their_versions_and_short_keys() {
        let table: Table<u32> = Table::new(Arc::new(MemoryStore::default()), "numbers/");
        assert_eq!(table.get("one").await.expect("read"), None);
        table.put("one", &1, Expect::Absent).await.expect("written");
        assert_eq!(table.put("one", &2, Expect::Version(9)).await.expect_err("stale").code(), "stale_version");
        table.put("one", &2, Expect::Version(1)).await.expect("written");
        table.put("two", &3, Expect::Any).await.expect("written");
        let rows = table.scan("", None, 10).await.expect("read");
        assert_eq!(rows, vec![("one".to_owned(), Row { version: 2, value: 2 }), ("two".to_owned(), Row { version: 1, value: 3 })]);
        assert_eq!(table.scan("", Some("one"), 10).await.expect("read").len(), 1);
        table.delete("one", Expect::Version(2)).await.expect("deleted");
        assert_eq!(table.get("one").await.expect("read"), None);
    }
}
