//! The embedded store: sled 0.34, made durable. Its own flush ends in `sync_file_range`, which promises nothing after power loss:
//! here every acknowledged write is followed by an fdatasync on a second handle of its log, and that one's error counts.
//!
//! Never deletes or moves a store that it cannot read: it refuses to start and says which folder to look at.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};

use super::flusher::Flusher;
use super::{Op, Record, Store, check_batch, check_expectation, check_key, check_scan, folder, record};
use crate::model::{Error, Result};

/// Of the layout of keys and records; a store with a higher one was written by a newer gateway.
const FORMAT: u32 = 1;
/// In a tree of its own: no caller of the trait can touch it.
const META: &str = "meta";
const FORMAT_KEY: &str = "meta/format_version";
/// Of pages as they lie on disk; in memory they take about twice as much. sled's default is 1 GiB. Once it is full, a record more costs its place in
/// the table of pages: some 300 bytes for a connection, however large that is.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// sled gives its lock back a moment after the last handle is gone: a quick restart must not fail on it.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Holds `<data folder>/store`. One process at a time.
pub struct SledStore {
    // First: it joins its thread, which holds a handle, before the last handle goes.
    flusher: Flusher,
    db: sled::Db,
    folder: PathBuf,
}

impl SledStore {
    /// Opens the store below the data folder, or makes both. Errors say what to do: `store_in_use`, `store_corrupt`,
    /// `store_format_newer`, `data_folder_not_private`, `data_folder_not_ours`, `data_folder_unusable`.
    pub async fn open(data_folder: &Path) -> Result<Self> {
        let data_folder = data_folder.to_owned();
        // sled panics on some damaged files: on a thread of its own that is an error like any other.
        let shown = data_folder.display().to_string();
        tokio::task::spawn_blocking(move || Self::open_blocking(&data_folder))
            .await
            .map_err(|error| damaged(&shown, "the storage engine panicked").with_source(error))?
    }

    fn open_blocking(data_folder: &Path) -> Result<Self> {
        folder::prepare(data_folder)?;
        folder::check_space(data_folder)?;
        let path = data_folder.join("store");
        let shown = path.display().to_string();
        remove_unfinished_snapshots(&path).map_err(|error| unreadable(&shown, error))?;
        let db = open_locked(&path, &shown)?;
        let log = File::open(path.join("db")).map_err(|error| unreadable(&shown, error))?;
        folder::sync(&path).and_then(|()| folder::sync(data_folder)).map_err(|error| unreadable(&shown, error))?;
        let flushed = db.clone();
        let mut sync = move || {
            flushed.flush().map_err(io::Error::other)?;
            log.sync_data()
        };
        check_format(&db, data_folder, &shown, &mut sync)?;
        Ok(Self { flusher: Flusher::start(sync)?, db, folder: data_folder.to_owned() })
    }

    /// How often the log was made durable since it was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.flusher.syncs()
    }
}

#[async_trait]
impl Store for SledStore {
    /// On the caller's thread: nearly always a look into memory, and a hop to another thread costs ten times as much.
    async fn get(&self, key: &str) -> Result<Option<Record>> {
        check_key(key)?;
        self.db.get(key).map_err(read_failed)?.map(|bytes| record::decode(key, &bytes)).transpose()
    }

    async fn apply(&self, batch: Vec<Op>) -> Result<()> {
        check_batch(&batch)?;
        self.flusher.check()?;
        if batch.is_empty() {
            return Ok(());
        }
        let (db, folder) = (self.db.clone(), self.folder.clone());
        blocking(move || {
            folder::check_space(&folder)?;
            db.transaction(|view| batch.iter().try_for_each(|op| write(view, op))).map_err(|error| match error {
                TransactionError::Abort(refusal) => refusal,
                TransactionError::Storage(error) => write_failed(error),
            })
        })
        .await?;
        self.flusher.flushed().await
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>> {
        check_scan(prefix, limit)?;
        let (db, prefix, after) = (self.db.clone(), prefix.to_owned(), after.map(str::to_owned));
        blocking(move || {
            // The key that follows `after` directly, or the first that has the prefix, whichever is later.
            let start = after.map(|after| after + "\0").filter(|after| *after > prefix).unwrap_or_else(|| prefix.clone());
            let found = db.range(start.as_bytes()..).map(|pair| pair.map_err(read_failed));
            let inside = found.take_while(|pair| pair.as_ref().map_or(true, |(key, _)| key.starts_with(prefix.as_bytes())));
            inside
                .take(limit)
                .map(|pair| {
                    let (key, bytes) = pair?;
                    let key = std::str::from_utf8(&key).map_err(|_| record::corrupt(&String::from_utf8_lossy(&key), "its key is not text"))?;
                    Ok((key.to_owned(), record::decode(key, &bytes)?))
                })
                .collect()
        })
        .await
    }

    async fn ready(&self) -> Result<()> {
        self.flusher.check()?;
        let folder = self.folder.clone();
        blocking(move || folder::check_space(&folder)).await
    }
}

/// One operation inside a transaction. May run more than once.
fn write(view: &TransactionalTree, op: &Op) -> Result<(), ConflictableTransactionError<Error>> {
    let refuse = ConflictableTransactionError::Abort;
    let key = op.key();
    let current = view.get(key)?;
    let version = match (op, &current) {
        // A damaged record can still be deleted.
        (Op::Delete { expect: super::Expect::Any, .. }, _) | (_, None) => None,
        (_, Some(bytes)) => Some(record::version(key, bytes).map_err(refuse)?),
    };
    check_expectation(op.expect(), version).map_err(refuse)?;
    match op {
        Op::Put { value, .. } => drop(view.insert(key, record::encode(key, version.unwrap_or(0) + 1, value))?),
        Op::Delete { .. } => drop(view.remove(key)?),
    }
    Ok(())
}

/// sled writes `snap.<n>.generating` and renames it when it is whole, but takes an unfinished one for the newest snapshot when it
/// starts, and then reports corruption. It is always disposable.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %entry.path().display(), "removing an unfinished snapshot of the store");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn open_locked(path: &Path, shown: &str) -> Result<sled::Db> {
    let mut tries = 0;
    loop {
        match sled::Config::new().path(path).cache_capacity(CACHE_BYTES).open() {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                tries += 1;
                if tries == LOCK_TRIES {
                    return Err(Error::conflict("store_in_use", format!("another gateway is running on this data folder ({shown})"))
                        .with_remedy("stop the other gateway, or give this one a data folder of its own")
                        .with_source(error));
                }
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(sled::Error::Io(error)) => return Err(unreadable(shown, error)),
            Err(error) => return Err(damaged(shown, "the storage engine cannot read it").with_source(error)),
        }
    }
}

/// The format is written twice: in the store, and in a file beside it. A store that lost its log opens as an empty one; the file tells.
fn check_format(db: &sled::Db, data_folder: &Path, shown: &str, sync: &mut impl FnMut() -> io::Result<()>) -> Result<()> {
    let marker = data_folder.join("store-format");
    let marked = match fs::read_to_string(&marker) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(shown, error)),
    };
    let meta = db.open_tree(META).map_err(read_failed)?;
    let found = match meta.get(FORMAT_KEY).map_err(read_failed)? {
        Some(bytes) => Some(record::decode(FORMAT_KEY, &bytes)?.value),
        None if marked.is_some() => return Err(damaged(shown, "it is empty, but was in use before")),
        None if !db.is_empty() => return Err(damaged(shown, "its format is not recorded")),
        None => None,
    };
    match found.map(|value| std::str::from_utf8(&value).ok().and_then(|text| text.parse::<u32>().ok())) {
        Some(Some(format)) if format > FORMAT => {
            return Err(Error::conflict("store_format_newer", format!("the store in {shown} has format {format}; this gateway knows formats up to {FORMAT}"))
                .with_remedy("run the newer gateway that wrote it, or restore a backup made by this version"));
        }
        Some(Some(_)) => {}
        Some(None) => return Err(record::corrupt(FORMAT_KEY, "it is not a number")),
        None => {
            meta.insert(FORMAT_KEY, record::encode(FORMAT_KEY, 1, FORMAT.to_string().as_bytes())).map_err(write_failed)?;
            sync().map_err(|error| unreadable(shown, error))?;
        }
    }
    if marked.is_none() {
        folder::write_whole(&marker, format!("{FORMAT}\n").as_bytes()).map_err(|error| unreadable(shown, error))?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("store_failed", "the storage engine broke off").with_source(error))?
}

fn damaged(shown: &str, why: &str) -> Error {
    Error::internal("store_corrupt", format!("the store in {shown} is damaged: {why}"))
        .with_remedy("nothing was changed: keep a copy of the folder, then restore a backup into an empty one")
}

fn unreadable(shown: &str, error: io::Error) -> Error {
    Error::unavailable("store_unreadable", format!("the store in {shown} cannot be opened: {error}")).with_source(error)
}

fn read_failed(error: sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } => {
            Error::internal("store_corrupt", "the store is damaged").with_remedy("stop the gateway, keep a copy of its data folder, then restore a backup")
        }
        other => Error::unavailable("store_failed", "the store cannot be read").with_source(other),
    }
}

fn write_failed(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(io) if io.kind() == io::ErrorKind::StorageFull => Error::unavailable("storage_full", "the disk that holds the gateway's data is full")
            .with_remedy("make room on the disk of the data folder, then restart the gateway")
            .with_source(io),
        sled::Error::Corruption { .. } => read_failed(error),
        other => Error::unavailable("store_failed", "the store cannot be written").with_source(other),
    }
}

#[cfg(test)]
mod tests;
