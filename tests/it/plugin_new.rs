//! `plugin new` and `plugin build`, as somebody uses them who has nothing yet: outside the repository, with the language's ordinary tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portcullis_tests::gateway::binary;
use portcullis_tests::ministack::root;
use tempfile::TempDir;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// In `folder`, without a gateway.
fn portcullis(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    // What a build of several plugins shares: the standard library for wasm32, where Debian's rustc builds it.
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target().join("new")).env_remove("PORTCULLIS_TOKEN");
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    Ran { code: status.code().unwrap(), out: String::from_utf8_lossy(&stdout).into_owned(), err: String::from_utf8_lossy(&stderr).into_owned() }
}

/// `<target>/<profile>/deps/it-…` is this binary.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap()
}

fn component(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("connector.wasm")).unwrap()
}

/// A new plugin of the language, built.
fn built(language: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = portcullis(folder.path(), &["plugin", "new", "my_store", "--lang", language]);
    assert_eq!(made.code, 0, "{language}: {}", made.err);
    assert!(made.out.contains("portcullis plugin build my_store"), "{}", made.out);
    let build = portcullis(folder.path(), &["plugin", "build", "my_store", "--output", "json"]);
    assert_eq!(build.code, 0, "{language}: {}{}", build.out, build.err);
    let told: serde_json::Value = serde_json::from_str(&build.out).unwrap_or_else(|error| panic!("{error}: {}", build.out));
    let wasm = component(&folder.path().join("my_store"));
    assert_eq!((told["bytes"].as_u64(), told["component"].as_str()), (Some(wasm.len() as u64), Some("my_store/connector.wasm")));
    assert!(wasm.starts_with(b"\0asm\x0d\0\x01\0"), "{language}: a component");
    assert!(wasm.windows(8).any(|window| window == b"my_store"), "{language}: under its own name");
    folder
}

#[test]
fn c19_a_new_plugin_in_c_builds() {
    built("c");
}

#[test]
fn c19_a_new_plugin_in_python_builds() {
    built("python");
}

#[test]
fn c19_a_new_plugin_in_javascript_builds() {
    built("javascript");
}

#[test]
fn nothing_is_overwritten_and_no_name_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("taken/mine"), "mine").unwrap();
    for (arguments, code, says) in [
        (vec!["taken", "--lang", "c"], 1, "already_exists"),
        (vec!["../elsewhere", "--lang", "c"], 2, "not a connector's id"),
        (vec!["My-Store", "--lang", "c"], 2, "not a connector's id"),
        (vec!["my_store", "--lang", "cobol"], 2, "possible values: rust, javascript, python, c"),
        (vec!["my_store"], 2, "--lang"),
    ] {
        let ran = portcullis(folder.path(), &[vec!["plugin", "new"], arguments.clone()].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was left behind");
    assert_eq!(fs::read_to_string(folder.path().join("taken/mine")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_built_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["empty", "broken", "core", "nothing"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("broken/Makefile"), "all:\n\tfalse\n").unwrap();
    fs::write(at("core/Makefile"), "all:\n\tprintf nonsense > connector.core.wasm\n").unwrap();
    fs::write(at("nothing/Makefile"), "all:\n\tprintf '\\0asm\\1\\0\\0\\0' > connector.core.wasm\n").unwrap();
    for (name, code) in
        [("empty", "not_a_plugin"), ("nowhere", "not_a_plugin"), ("broken", "build_failed"), ("core", "not_a_component"), ("nothing", "not_a_component")]
    {
        let ran = portcullis(folder.path(), &["plugin", "build", name]);
        assert_eq!(ran.code, 1, "{name}: {}", ran.err);
        assert!(ran.err.contains(code) && ran.err.contains("remedy: "), "{name}: {}", ran.err);
        assert!(!at(name).join("connector.wasm").exists());
    }
}

/// The dependencies of a new Rust plugin, and the SDK in it, are those of this repository.
#[test]
fn the_manifest_of_a_new_rust_plugin_names_the_versions_of_this_repository() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (theirs, ours) = (read("plugins/template/rust/Cargo.toml"), read("Cargo.toml"));
    let (_, listed) = theirs.split_once("[workspace.dependencies]\n").unwrap();
    let lines: Vec<&str> = listed.lines().take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 4);
    for line in lines {
        assert!(ours.lines().any(|own| own == line), "{line} is not in the workspace's Cargo.toml");
    }
    for inherited in ["edition = ", "rust-version = ", "license = "] {
        let line = ours.lines().find(|line| line.starts_with(inherited)).unwrap();
        assert!(theirs.contains(line), "{line}");
    }
}
