//! The components on disk: `<folder>/<digest in hex>.wasm`. A file that has its name is whole; what it holds is compared with its name at each load.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::{Digest, Error, Result};
use crate::runtime::{MAX_COMPONENT, sha256};

pub struct Files {
    folder: PathBuf,
}

impl Files {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// On disk when it returns, under the digest of `wasm`. `Unavailable` (`storage_full`, `plugin_store_failed`).
    pub async fn write(&self, digest: Digest, wasm: bytes::Bytes) -> Result<()> {
        let (folder, path) = (self.folder.clone(), self.path(digest));
        blocking(move || write(&folder, &path, &wasm).map_err(unwritable)).await
    }

    /// `Conflict` (`plugin_file_missing`, `plugin_file_altered`): somebody else was at the folder. SECURITY P24: what is not as it was
    /// installed is never loaded.
    pub async fn read(&self, digest: Digest) -> Result<Vec<u8>> {
        let path = self.path(digest);
        blocking(move || {
            let bytes = read(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => wrong("plugin_file_missing", "the plugin's file is gone").with_source(error),
                _ => Error::unavailable("plugin_store_failed", "the plugin's file cannot be read").with_source(error),
            })?;
            if sha256(&bytes) == digest { Ok(bytes) } else { Err(wrong("plugin_file_altered", "the plugin's file is not the one that was installed")) }
        })
        .await
    }

    /// That it is gone already is as good.
    pub async fn remove(&self, digest: Digest) -> Result<()> {
        let (folder, path) = (self.folder.clone(), self.path(digest));
        blocking(move || match fs::remove_file(&path).and_then(|()| sync(&folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Removes whatever is not one of `wanted`: uploads that were cut off, versions that were being removed. Answers how many.
    pub async fn sweep(&self, wanted: Vec<Digest>) -> Result<usize> {
        let (folder, wanted) = (self.folder.clone(), wanted.into_iter().map(|digest| self.path(digest)).collect::<Vec<_>>());
        blocking(move || sweep(&folder, &wanted).map_err(unwritable)).await
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{}.wasm", hex::encode(digest.0)))
    }
}

fn write(folder: &Path, path: &Path, wasm: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let unfinished = path.with_extension("new");
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(wasm)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        sync(folder)
    };
    written().inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed is read, so that a longer file is not taken for its beginning.
    File::open(path)?.take(MAX_COMPONENT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sweep(folder: &Path, wanted: &[PathBuf]) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry?.path();
        // What we never write is not ours to remove.
        let ours = path.extension().is_some_and(|extension| extension == "wasm" || extension == "new");
        if ours && !wanted.contains(&path) {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

fn wrong(code: &'static str, message: &str) -> Error {
    Error::conflict(code, message).with_remedy("An operator installs the same component again, and finds out who changed the gateway's data folder.")
}

fn unwritable(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return Error::unavailable("storage_full", "the disk that holds the gateway's data is full").with_remedy("make room on the disk of the data folder");
    }
    Error::unavailable("plugin_store_failed", "the folder of the plugins cannot be written").with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("plugin_store_failed", "the work on a plugin's file broke off").with_source(error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sp24_a_file_that_is_gone_or_not_what_was_written_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().join("plugins"));
        let digest = sha256(b"component");
        assert_eq!(files.read(digest).await.expect_err("gone").code(), "plugin_file_missing");
        files.write(digest, bytes::Bytes::from_static(b"component")).await.expect("written");
        assert_eq!(files.read(digest).await.expect("as written"), b"component");
        for other in [b"".as_slice(), b"componenT", b"component\0"] {
            fs::write(files.path(digest), other).unwrap();
            assert_eq!(files.read(digest).await.expect_err("altered").code(), "plugin_file_altered");
        }
    }

    #[tokio::test]
    async fn sp24_what_nobody_knows_is_swept_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned());
        assert_eq!(Files::new(folder.path().join("none")).sweep(Vec::new()).await.expect("no folder, nothing to do"), 0);
        let (kept, orphan) = (sha256(b"kept"), sha256(b"orphan"));
        files.write(kept, bytes::Bytes::from_static(b"kept")).await.unwrap();
        files.write(orphan, bytes::Bytes::from_static(b"orphan")).await.unwrap();
        fs::write(folder.path().join("half.new"), b"ha").unwrap();
        fs::write(folder.path().join("README"), b"notes").unwrap();
        assert_eq!(files.sweep(vec![kept]).await.expect("swept"), 2);
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        assert_eq!(
            names,
            [files.path(kept), folder.path().join("README")].into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
        files.remove(kept).await.expect("removed");
        files.remove(kept).await.expect("gone already");
    }
}
