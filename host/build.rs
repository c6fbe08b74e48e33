//! Embeds the connectors: the components that `scripts/components` built become part of the binary.
//!
//! Where they are missing, a release build fails; a debug build warns and makes a gateway that refuses to start.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const CONNECTORS: [&str; 4] = ["aws_iam_role", "aws_bucket_policy", "https_basic", "https_bearer"];
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
    fs::write(out.join("embedded.rs"), code)
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
