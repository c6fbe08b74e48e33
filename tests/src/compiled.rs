//! What gateways have compiled, kept between tests: an interpreter of megabytes takes half a minute of processor time.
//!
//! A gateway takes only what its own key has signed, so those that share have one master key.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::component::target;

const KEY: &str = "7e57ed0000000000000000000000000000000000000000000000000000c0ffee\n";

fn shared() -> PathBuf {
    target().join("compiled")
}

/// Beside the data folder, as the gateway places it.
fn beside(data: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", data.display()))
}

/// Before the first start on `data`: the key, and what was kept.
pub fn lend(data: &Path) {
    let mut key = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside(data, ".key")).unwrap();
    key.write_all(KEY.as_bytes()).unwrap();
    fs::create_dir_all(shared()).unwrap();
    copy_new(&shared(), &beside(data, "-cache"));
}

pub fn keep(data: &Path) {
    copy_new(&beside(data, "-cache"), &shared());
}

/// Whole files or none: others may be doing the same.
fn copy_new(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let there = to.join(path.file_name().unwrap());
        if path.extension().is_none_or(|extension| extension != "cwasm") || there.exists() {
            continue;
        }
        let part = there.with_extension(format!("{}.part", std::process::id()));
        match fs::hard_link(&path, &part).or_else(|_| fs::copy(&path, &part).map(drop)) {
            Ok(()) => fs::rename(&part, &there).unwrap(),
            // It was forgotten in between.
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{}", path.display()),
        }
    }
}
