//! The file of the master key: 32 bytes as hex, ours alone. It is made once and never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::model::{Error, Random, Result};

type Key = Zeroizing<[u8; 32]>;

/// `None` if there is no such file. The checks are of the file that was opened, not of its name.
pub(super) fn read(path: &Path) -> Result<Option<Key>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, "cannot be opened", error)),
    };
    let found = file.metadata().map_err(|error| unusable(path, "cannot be looked at", error))?;
    let shown = path.display();
    if !found.is_file() {
        return Err(Error::invalid("master_key_unusable", format!("{shown} is not a file")).with_remedy("let vault.key_file name the file of the master key"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::invalid("master_key_not_ours", format!("the master key {shown} belongs to another user (uid {})", found.uid()))
            .with_remedy("make the gateway's user its owner"));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::invalid("master_key_not_private", format!("the master key {shown} is open to others (mode {mode:03o})"))
            .with_remedy(format!("chmod 600 {shown}")));
    }
    // 64 digits, a line end, and one byte more to see that there is no more.
    let mut text = Zeroizing::new(Vec::with_capacity(67));
    file.take(67).read_to_end(&mut text).map_err(|error| unusable(path, "cannot be read", error))?;
    let mut key = Key::default();
    hex::decode_to_slice(text.trim_ascii_end(), &mut *key).map_err(|_| {
        Error::invalid("master_key_unusable", format!("the master key {shown} is not 64 hex digits")).with_remedy("put the right key file back")
    })?;
    Ok(Some(key))
}

/// Makes the file whole or not at all, and never replaces one: of two gateways that start together, one makes it and the other reads it.
pub(super) fn create(path: &Path, random: &Random) -> Result<Key> {
    let mut key = Key::default();
    random(&mut *key);
    if key.iter().all(|byte| *byte == 0) {
        return Err(Error::internal("no_randomness", "the source of randomness gave nothing"));
    }
    let mut text = Zeroizing::new(vec![0; 65]);
    if let Some((end, digits)) = text.split_last_mut() {
        hex::encode_to_slice(key.as_slice(), digits)
            .map_err(|error| Error::internal("master_key_unusable", "the master key has no text form").with_source(error))?;
        *end = b'\n';
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = Path::new(&name);
    let written = write(temporary, &text).and_then(|()| fs::hard_link(temporary, path));
    let removed = fs::remove_file(temporary);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => {
            return read(path)?.ok_or_else(|| unusable(path, "came and went", io::ErrorKind::NotFound.into()));
        }
        written => written.and(removed).and_then(|()| sync_parent(path)).map_err(|error| unusable(path, "cannot be made", error))?,
    }
    Ok(key)
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn unusable(path: &Path, why: &str, error: io::Error) -> Error {
    Error::invalid("master_key_unusable", format!("the master key {} {why}: {error}", path.display()))
        .with_remedy("let vault.key_file name a file that the gateway's user can read, in a folder where it can be made")
        .with_source(error)
}
