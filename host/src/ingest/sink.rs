//! The local sink, a folder: each content once, under its hash, and a record for each asset.
//!
//! `<root>/<organization>/blobs/<2 digits>/<blake3>` and `<root>/<organization>/datasets/<dataset>/<asset id>.json`. Nothing in a
//! path is a customer's text but the dataset's id, whose letters cannot leave its folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use http_body_util::BodyExt;
use serde_json::json;

use super::{AssetPlace, Sink};
use crate::fetch::Body;
use crate::model::{Error, ObjectMeta, OrgId, Result, Stored};

/// Bytes held in memory before they are written; an object of at most this many costs one hop to a blocking thread.
const CHUNK: usize = 256 * 1024;
/// An organization's name begins with a letter or digit: this is no organization's.
const TEMPORARY: &str = ".tmp";
/// What a remote may say of an object and we keep.
const MAX_HEADER: usize = 255;

pub struct LocalSink(Arc<Folder>);

struct Folder {
    root: PathBuf,
    /// Names temporary files.
    count: AtomicU64,
}

impl LocalSink {
    /// Makes the folder if it is absent, and removes what an earlier run left half written.
    pub async fn open(root: PathBuf) -> Result<Self> {
        let folder = Folder { root, count: AtomicU64::new(0) };
        blocking(move || {
            let temporary = folder.root.join(TEMPORARY);
            if temporary.exists() {
                fs::remove_dir_all(&temporary).map_err(failed)?;
            }
            fs::create_dir_all(&temporary).map_err(failed)?;
            Ok(Self(Arc::new(folder)))
        })
        .await
    }
}

#[async_trait]
impl Sink for LocalSink {
    async fn put(&self, asset: &AssetPlace, meta: &ObjectMeta, mut body: Body) -> Result<Stored> {
        let mut draft = Draft::new(&self.0);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            draft.held.extend_from_slice(&data);
            if draft.held.len() >= CHUNK {
                draft = blocking(move || draft.write().map(|()| draft).map_err(failed)).await?;
            }
        }
        let (folder, asset, meta) = (Arc::clone(&self.0), asset.clone(), meta.clone());
        blocking(move || {
            let stored = draft.finish(&folder, &asset.org, &meta)?;
            folder.record(&asset, &stored).map_err(failed)?;
            Ok(stored)
        })
        .await
    }

    async fn holds(&self, org: &OrgId, stored: &Stored) -> bool {
        let Ok(hash) = blake3::Hash::from_hex(&stored.blake3) else { return false };
        let (path, size) = (self.0.root.join(blob(org, &hash)), stored.size);
        blocking(move || Ok(fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == size))).await.unwrap_or(false)
    }

    async fn record(&self, asset: &AssetPlace, stored: &Stored) -> Result<()> {
        let (folder, asset, stored) = (Arc::clone(&self.0), asset.clone(), stored.clone());
        blocking(move || folder.record(&asset, &stored).map_err(failed)).await
    }

    async fn ready(&self) -> Result<()> {
        let folder = Arc::clone(&self.0);
        blocking(move || {
            let path = folder.temporary();
            File::create(&path).and_then(|mut file| file.write_all(b"probe")).and_then(|()| fs::remove_file(path)).map_err(failed)
        })
        .await
    }
}

impl Folder {
    fn temporary(&self) -> PathBuf {
        self.root.join(TEMPORARY).join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// The asset's record, whole: a reader sees the old one or the new one.
    fn record(&self, asset: &AssetPlace, stored: &Stored) -> io::Result<()> {
        let text = json!({
            "asset_id": asset.asset,
            "organization": asset.org,
            "dataset_id": asset.dataset,
            "source_path": asset.source_path,
            "metadata": asset.metadata,
            "blob": stored,
        });
        let folder = Path::new(asset.org.as_str()).join("datasets").join(asset.dataset.as_str());
        self.make(&folder)?;
        let temporary = self.temporary();
        let mut file = File::create(&temporary)?;
        file.write_all(format!("{text:#}\n").as_bytes())?;
        file.sync_all()?;
        self.place(&temporary, &folder.join(format!("{}.json", asset.asset)))
    }

    /// Gives a finished file its name, durably. `to` is below the root.
    fn place(&self, temporary: &Path, to: &Path) -> io::Result<()> {
        fs::rename(temporary, self.root.join(to))?;
        self.sync(to.parent().unwrap_or(Path::new("")))
    }

    /// Makes a folder below the root, and each on the way to it, durably.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if self.root.join(folder).is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
        }
        match fs::create_dir(self.root.join(folder)) {
            Ok(()) => self.sync(folder.parent().unwrap_or(Path::new(""))),
            // Somebody else was faster; whoever writes there syncs the folder's own entries, so its parent must be durable too.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.sync(folder.parent().unwrap_or(Path::new(""))),
            Err(error) => Err(error),
        }
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        File::open(self.root.join(folder))?.sync_all()
    }
}

/// A content that is being written. Its temporary file goes when it does.
struct Draft {
    path: PathBuf,
    file: Option<File>,
    held: Vec<u8>,
    hasher: blake3::Hasher,
    size: u64,
}

impl Draft {
    fn new(folder: &Folder) -> Self {
        Self { path: folder.temporary(), file: None, held: Vec::new(), hasher: blake3::Hasher::new(), size: 0 }
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create_new(&self.path)?),
        };
        file.write_all(&self.held)?;
        self.hasher.update(&self.held);
        self.size += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    fn finish(mut self, folder: &Folder, org: &OrgId, meta: &ObjectMeta) -> Result<Stored> {
        self.write().map_err(failed)?;
        if meta.content_length.is_some_and(|promised| promised != self.size) {
            return Err(Error::unavailable("truncated", "the remote sent less or more than it said it would"));
        }
        let hash = self.hasher.finalize();
        let to = blob(org, &hash);
        self.keep(folder, &to).map_err(failed)?;
        let short = |header: &Option<String>| header.clone().filter(|value| value.len() <= MAX_HEADER);
        Ok(Stored {
            blake3: hash.to_hex().to_string(),
            size: self.size,
            content_type: short(&meta.content_type),
            etag: short(&meta.etag),
            location: to.to_string_lossy().into_owned(),
        })
    }

    fn keep(&mut self, folder: &Folder, to: &Path) -> io::Result<()> {
        let shelf = to.parent().unwrap_or(Path::new(""));
        folder.make(shelf)?;
        if fs::metadata(folder.root.join(to)).is_ok_and(|found| found.len() == self.size) {
            // The same bytes are there, but perhaps from just now: their name must be as durable as ours would be.
            return folder.sync(shelf);
        }
        if let Some(file) = self.file.take() {
            file.sync_all()?;
        }
        folder.place(&self.path, to)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Mostly it has its name by now, or was never made.
        let _ = fs::remove_file(&self.path);
    }
}

fn blob(org: &OrgId, hash: &blake3::Hash) -> PathBuf {
    let hex = hash.to_hex();
    Path::new(org.as_str()).join("blobs").join(hex.as_str().get(..2).unwrap_or_default()).join(hex.as_str())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("sink_failed", "writing to the sink broke off").with_source(error))?
}

fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::unavailable("storage_full", "the disk that assets are written to is full")
            .with_remedy("make room on the disk of the sink")
            .with_source(error),
        _ => Error::unavailable("sink_failed", "the asset could not be written to the sink").with_source(error),
    }
}

#[cfg(test)]
mod tests;
