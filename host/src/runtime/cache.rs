//! Compiled components: kept on disk, so that a start need not compile, and made runnable. Each file is authenticated: native code that we did not
//! write is never run.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use tracing::warn;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::LARGEST;
use crate::model::Digest;

const MAGIC: &[u8; 16] = b"portcullis cwasm";
const TAG: usize = 32;

/// A compiled form that our own compiler has just made, or that was found here with our MAC on it.
pub fn runnable(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "these bytes are the compiler's, straight from it or under a MAC with a key that only the gateway has")]
    unsafe {
        Component::deserialize(engine, compiled)
    }
}

/// A file is: what it is of (magic, digest of the component, engine), the compiled form, HMAC-SHA256 over both.
pub struct Cache {
    dir: PathBuf,
    key: hmac::Key,
}

impl Cache {
    pub fn new(dir: PathBuf, key: &[u8; 32]) -> Self {
        Self { dir, key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The compiled form, if it is there and ours. Anything else is as good as absent: it is compiled anew and replaced.
    pub fn get(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let (path, head) = self.place(engine, digest);
        let file = match read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(%digest, %error, "a compiled plugin cannot be read; compiling it again");
                return None;
            }
        };
        let Some(compiled) = self.authentic(&head, &file) else {
            warn!(%digest, path = %path.display(), "a compiled plugin was altered or is another's; compiling it again");
            return None;
        };
        runnable(engine, compiled).inspect_err(|error| warn!(%digest, %error, "a compiled plugin does not fit this engine; compiling it again")).ok()
    }

    fn authentic<'a>(&self, head: &[u8], file: &'a [u8]) -> Option<&'a [u8]> {
        let (signed, tag) = file.split_at_checked(file.len().checked_sub(TAG)?)?;
        hmac::verify(&self.key, signed, tag).ok()?;
        signed.strip_prefix(head)
    }

    /// Keeps the compiled form. Failing that costs the next start some time and nothing else.
    pub fn put(&self, engine: &Engine, digest: Digest, compiled: &[u8]) {
        let (path, head) = self.place(engine, digest);
        let mut file = [&head, compiled].concat();
        let tag = hmac::sign(&self.key, &file);
        file.extend_from_slice(tag.as_ref());
        if let Err(error) = self.write(&path, &file) {
            warn!(%digest, %error, "a compiled plugin cannot be kept; it will be compiled again at the next start");
        }
    }

    /// That it is not there is as good.
    pub fn remove(&self, engine: &Engine, digest: Digest) {
        let (path, _) = self.place(engine, digest);
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => warn!(%digest, %error, "the compiled form of a plugin cannot be removed"),
            _ => {}
        }
    }

    /// Whole or not at all. Not synced: a torn file fails its MAC.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).and_then(|mut file| file.write_all(bytes));
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    fn place(&self, engine: &Engine, digest: Digest) -> (PathBuf, Vec<u8>) {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let hash = hasher.finish();
        let head = [MAGIC.as_slice(), &digest.0, &hash.to_be_bytes()].concat();
        (self.dir.join(format!("{}-{hash:016x}.cwasm", hex::encode(digest.0))), head)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
