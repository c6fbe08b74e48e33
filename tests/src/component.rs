//! Components to install: the tree's own, under other names. A name is changed in the component's data, where it has the same length.

use std::path::PathBuf;

/// The connector that tests install: reads as `https_bearer` does, and is not embedded in the gateway.
pub const FIFTH: &str = "files_bearer";

const ID: &str = "https_bearer";
const TITLE: &str = "HTTPS with a bearer token";
const EGRESS: &str = "https://{settings.hostname}:{settings.port}/{settings.path_prefix}";

/// The target folder: this test runs from `<target>/<profile>/deps`.
#[must_use]
pub fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

/// What `scripts/components` built: `target/components`.
#[must_use]
pub fn built(id: &str) -> Vec<u8> {
    let path = target().join("components").join(format!("{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make components`", path.display()))
}

/// What `scripts/examples` built of `examples/`: `target/plugins`.
#[must_use]
pub fn example(id: &str) -> Vec<u8> {
    let path = target().join("plugins").join(format!("{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make examples`", path.display()))
}

/// Each occurrence of a text as another of the same length.
#[must_use]
pub fn patched(mut wasm: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "'{from}' and '{to}' differ in length");
    let places: Vec<usize> = wasm.windows(from.len()).enumerate().filter(|(_, window)| *window == from.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "'{from}' is not in the component");
    for at in places {
        wasm[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    wasm
}

/// `https_bearer` under another id of twelve letters.
#[must_use]
pub fn named(id: &str) -> Vec<u8> {
    patched(built(ID), ID, id)
}

/// One of many versions of `FIFTH`, each with a digest of its own and the same powers.
#[must_use]
pub fn version(number: u32) -> Vec<u8> {
    patched(named(FIFTH), TITLE, &format!("Files, the version {number:<6}"))
}

/// A version of `FIFTH` that would send what it reads to somebody else's host as well.
#[must_use]
pub fn greedy(host: &str) -> (Vec<u8>, String) {
    let start = format!("https://{host}/");
    let egress = format!("{start}{}", "x".repeat(EGRESS.len() - start.len()));
    (patched(version(0), EGRESS, &egress), egress)
}

/// A version whose settings read otherwise.
#[must_use]
pub fn renamed_setting(number: u32) -> Vec<u8> {
    patched(version(number), "Host name", "Host-name")
}
