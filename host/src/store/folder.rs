//! The data folder: private, ours, on a disk with room. Whether the gateway may start in it, and whether it may go on writing.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use crate::model::{Error, Result};

/// Below this much free space nothing is written: the log must never hit the end of the disk in the middle of a record.
const RESERVE: u64 = 8 * 1024 * 1024;

/// Makes the folder (mode 0700) or checks that it is a folder of ours that nobody else can enter (C14).
pub(super) fn prepare(folder: &Path) -> Result<()> {
    match DirBuilder::new().recursive(false).mode(0o700).create(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync).map_err(|error| unusable(folder, "its parent cannot be written", error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(folder, "it cannot be made", error)),
    }
    examine(folder)
}

/// That the folder, which is there, may be used.
pub fn examine(folder: &Path) -> Result<()> {
    let found = fs::metadata(folder).map_err(|error| unusable(folder, "it cannot be looked at", error))?;
    let shown = folder.display();
    if !found.is_dir() {
        return Err(Error::invalid("data_folder_unusable", format!("{shown} is not a folder")).with_remedy("Remove it, or choose another data_dir."));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::invalid("data_folder_not_ours", format!("the data folder {shown} belongs to another user (uid {})", found.uid()))
            .with_remedy("run the gateway as the folder's owner, or give it a folder of its own"));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::invalid("data_folder_not_private", format!("the data folder {shown} can be entered by others (mode {mode:03o})"))
            .with_remedy(format!("chmod 700 {shown}")));
    }
    probe(folder).map_err(|error| unusable(folder, "it cannot be written", error))
}

/// `Unavailable` (`storage_full`) when the disk below `folder` has too little room left.
pub fn check_space(folder: &Path) -> Result<()> {
    let found = rustix::fs::statvfs(folder)
        .map_err(|error| Error::unavailable("store_failed", "the data folder cannot be looked at").with_source(io::Error::from(error)))?;
    if found.f_bavail.saturating_mul(found.f_frsize) < RESERVE {
        return Err(
            Error::unavailable("storage_full", "the disk that holds the gateway's data is full").with_remedy("make room on the disk of the data folder")
        );
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    // The parent of a relative path of one part is written as "".
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Writes a small file whole: after a crash there is the old one or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync)
}

fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(".probe");
    File::create(&path)?.write_all(b"probe")?;
    fs::remove_file(path)
}

fn unusable(folder: &Path, why: &str, error: io::Error) -> Error {
    Error::invalid("data_folder_unusable", format!("the data folder {} is not usable: {why} ({error})", folder.display()))
        .with_remedy("Make it a folder that the gateway's user owns and can write, or choose another data_dir.")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_a_folder_that_others_can_enter_is_refused() {
        for mode in [0o755, 0o750, 0o701, 0o777] {
            let parent = tempfile::tempdir().expect("a folder");
            let folder = parent.path().join("data");
            fs::create_dir(&folder).expect("made");
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("changed");
            let error = prepare(&folder).expect_err("not private");
            assert_eq!(error.code(), "data_folder_not_private", "{mode:o}");
            assert!(error.remedy().is_some_and(|remedy| remedy.starts_with("chmod 700 ")));
        }
    }

    #[test]
    fn c14_what_is_no_folder_or_has_no_parent_is_refused_with_a_reason() {
        let parent = tempfile::tempdir().expect("a folder");
        let file = parent.path().join("file");
        fs::write(&file, b"x").expect("written");
        for path in [file.clone(), file.join("below"), parent.path().join("none/below")] {
            assert_eq!(prepare(&path).expect_err("unusable").code(), "data_folder_unusable", "{}", path.display());
        }
    }

    #[test]
    fn c14_a_new_folder_is_private() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("data");
        prepare(&folder).expect("made");
        assert_eq!(fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700);
        prepare(&folder).expect("and again");
        assert!(fs::read_dir(&folder).expect("listed").next().is_none(), "nothing is left behind");
    }
}
