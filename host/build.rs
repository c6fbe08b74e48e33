//! Embeds the connectors: the components that `scripts/components` built become part of the binary.
//!
//! Where they are missing, a release build fails; a debug build warns and makes a gateway that refuses to start.
//! Embeds what `plugin new` writes, too: the examples, the SDK and the contract as they are here, so that no copy of them can rot.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const CONNECTORS: [&str; 4] = ["aws_iam_role", "aws_bucket_policy", "https_basic", "https_bearer"];
/// For each language what a new plugin's folder is made of: from the repository, and where it goes.
const STARTERS: [(&str, &[(&str, &str)]); 4] = [
    (
        "RUST",
        &[
            ("plugins/template/rust/Cargo.toml", "Cargo.toml"),
            ("plugins/template/rust/cargo-config.toml", ".cargo/config.toml"),
            ("plugins/template/rust/README.md", "README.md"),
            ("plugins/template/rust/golden", "golden"),
            ("plugins/template/rust/tests.rs", "src/plan/tests.rs"),
            ("plugins/https-bearer/src/lib.rs", "src/lib.rs"),
            ("plugins/https-bearer/src/plan.rs", "src/plan.rs"),
            ("plugins/sdk", "vendor/sdk"),
            // The versions that were tried; cargo drops what the plugin does not use.
            ("Cargo.lock", "Cargo.lock"),
        ],
    ),
    ("JAVASCRIPT", &[("examples/connector-javascript", "")]),
    ("PYTHON", &[("examples/connector-python", "")]),
    ("C", &[("examples/connector-c", "")]),
];
const EVERY_STARTER: [(&str, &str); 2] = [("wit", "wit"), ("plugins/template/gitignore", ".gitignore")];
const ADVICE: &str = "the connectors are not built: run `make components`";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    let folder = components_folder(&out)?;
    // The folder is watched whether the components are there yet or not.
    fs::create_dir_all(&folder)?;
    println!("cargo::rerun-if-changed={}", folder.display());

    let missing = CONNECTORS.iter().any(|name| !component(&folder, name).is_file());
    if missing && env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        return Err(io::Error::other(format!("{ADVICE} (looked in {})", folder.display())));
    }
    let mut code = String::from("/// Connector id and component.\npub const EMBEDDED: &[(&str, &[u8])] = &[\n");
    if missing {
        println!("cargo::warning={ADVICE}");
    } else {
        for name in CONNECTORS {
            let _ = writeln!(code, "    ({name:?}, include_bytes!({:?})),", component(&folder, name));
        }
    }
    code.push_str("];\n");
    fs::write(out.join("embedded.rs"), code)?;
    fs::write(out.join("starters.rs"), starters()?)
}

fn starters() -> io::Result<String> {
    let mut code = String::new();
    for (language, parts) in STARTERS {
        let _ = writeln!(code, "/// Path in a new plugin's folder, and content.\npub const {language}: &[(&str, &[u8])] = &[");
        for (from, to) in parts.iter().chain(&EVERY_STARTER) {
            embed(&Path::new("..").join(from), to, &mut code)?;
        }
        code.push_str("];\n");
    }
    Ok(code)
}

/// A file, or what a folder holds; without links and without what a build left there. Watched file by file: `node_modules` is large.
fn embed(from: &Path, to: &str, code: &mut String) -> io::Result<()> {
    if from.is_file() {
        println!("cargo::rerun-if-changed={}", from.display());
        let _ = writeln!(code, "    ({to:?}, include_bytes!({:?})),", from.canonicalize()?);
        return Ok(());
    }
    let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let built = name.starts_with('.') || name.ends_with(".wasm") || ["node_modules", "target", "__pycache__"].contains(&name.as_str());
        if !built && !entry.file_type()?.is_symlink() {
            let to = if to.is_empty() { name } else { format!("{to}/{name}") };
            embed(&entry.path(), &to, code)?;
        }
    }
    Ok(())
}

fn component(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

/// `<target>/components`, where OUT_DIR is `<target>[/<triple>]/<profile>/build/<package>/out`.
fn components_folder(out: &Path) -> io::Result<PathBuf> {
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        let target = PathBuf::from(target);
        // Relative to where cargo was called, which for this workspace is its root: the folder above `host`.
        let root = env::current_dir()?.parent().map(Path::to_path_buf).unwrap_or_default();
        return Ok(if target.is_absolute() { target } else { root.join(target) }.join("components"));
    }
    let profile = out.ancestors().nth(3).ok_or_else(|| io::Error::other("OUT_DIR is not below a target folder"))?;
    let cross = env::var("HOST") != env::var("TARGET");
    let target = if cross { profile.parent().and_then(Path::parent) } else { profile.parent() };
    Ok(target.ok_or_else(|| io::Error::other("OUT_DIR is not below a target folder"))?.join("components"))
}
