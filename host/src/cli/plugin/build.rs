//! `portcullis plugin build`: calls the language's ordinary tools, and makes a component of a core module where they leave one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use wit_component::ComponentEncoder;

use super::language::Tool;
use crate::cli::failure::{Done, Failure, Result};
use crate::cli::output::{Column, Output};

const CONTRACT: &[u8] = b"portcullis:connector/connector@";
const TRIPLE: &str = "wasm32-unknown-unknown";
const SHOWN: &[Column] = &[("component", "/component"), ("bytes", "/bytes")];

#[derive(Args)]
pub(in crate::cli) struct Build {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes; connector.wasm in the folder unless given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Build {
    pub(super) fn run(self, output: Output) -> Done {
        let folder = &self.folder;
        let tool = Tool::of(folder).ok_or_else(|| {
            failure("not_a_plugin", format!("{} has no Cargo.toml, package.json or Makefile", folder.display()), "begin one with `portcullis plugin new`")
        })?;
        let (built, is_core) = match tool {
            Tool::Cargo => (cargo(folder)?, true),
            Tool::Npm => (npm(folder)?, false),
            Tool::Make => make(folder)?,
        };
        let out = self.out.unwrap_or_else(|| folder.join("connector.wasm"));
        let read = std::fs::read(&built).map_err(|error| Failure::local(format!("{} was not built", built.display()), &error))?;
        let component = if is_core { componentize(&read)? } else { read };
        if is_core || out != built {
            std::fs::write(&out, &component).map_err(|error| Failure::local(format!("{} cannot be written", out.display()), &error))?;
        }
        output.record(SHOWN, &json!({"component": out, "bytes": component.len()}))
    }
}

fn failure(code: &str, message: String, remedy: &str) -> Failure {
    Failure::Local { code: code.to_owned(), message, remedy: Some(remedy.to_owned()) }
}

/// The module carries its world in a custom section, as the bindings left it there. Without one it would become a component of nothing.
fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    let not_one =
        |why: &str| failure("not_a_component", format!("the module is not a plugin: {why}"), "does it export what its world says? See plugins/README.md");
    let encoded = ComponentEncoder::default().module(module).and_then(|encoder| encoder.validate(true).encode());
    let component = encoded.map_err(|error| not_one(format!("{error:#}").lines().next().unwrap_or_default()))?;
    let exports = component.windows(CONTRACT.len()).any(|window| window == CONTRACT);
    if exports { Ok(component) } else { Err(not_one("it carries no world of portcullis:connector")) }
}

/// What a tool prints goes to standard error: standard output holds results only.
fn run(folder: &Path, command: &mut Command, install: &str) -> Done {
    let shown = shown(command);
    let status = command.current_dir(folder).stdin(Stdio::null()).stdout(io::stderr()).status().map_err(|error| missing(command, install, &error))?;
    if status.success() { Ok(()) } else { Err(failure("build_failed", format!("`{shown}` failed: {status}"), "what it printed says why")) }
}

fn missing(command: &Command, install: &str, error: &io::Error) -> Failure {
    let program = command.get_program().to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound => failure("tool_missing", format!("'{program}' is not installed"), install),
        _ => Failure::local(format!("'{program}' cannot be run"), error),
    }
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn make(folder: &Path) -> Result<(PathBuf, bool)> {
    run(folder, &mut Command::new("make"), "install make: apt-get install make")?;
    let (core, component) = (folder.join("connector.core.wasm"), folder.join("connector.wasm"));
    Ok(if core.is_file() { (core, true) } else { (component, false) })
}

const NODE: &str = "install Node.js 18 or newer: apt-get install nodejs npm";

/// No package's own script runs: none that a plugin is built with needs to.
fn npm(folder: &Path) -> Result<PathBuf> {
    let changed = |file: &str| std::fs::metadata(folder.join(file)).and_then(|file| file.modified()).ok();
    let (locked, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    if installed.is_none() || installed < locked {
        let verb = if locked.is_some() { "ci" } else { "install" };
        run(folder, Command::new("npm").args([verb, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]), NODE)?;
    }
    run(folder, Command::new("npm").args(["run", "--silent", "build"]), NODE)?;
    Ok(folder.join("connector.wasm"))
}

const RUST: &str = "install Rust: https://rustup.rs";

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

fn cargo(folder: &Path) -> Result<PathBuf> {
    let library = library(folder)?;
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--target", TRIPLE]);
    toolchain(folder, &mut build)?;
    run(folder, &mut build, RUST)?;
    Ok(library)
}

/// Where cargo leaves the folder's own cdylib.
fn library(folder: &Path) -> Result<PathBuf> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    let answer = metadata.output().map_err(|error| missing(&metadata, RUST, &error))?;
    let read: Option<Metadata> =
        answer.status.success().then(|| serde_json::from_slice::<Value>(&answer.stdout).and_then(serde_json::from_value).ok()).flatten();
    let read = read.ok_or_else(|| failure("build_failed", format!("`{}` failed", shown(&metadata)), "what it printed says why"))?;
    let own = folder.join("Cargo.toml").canonicalize().ok();
    let package = read.packages.into_iter().find(|package| package.manifest_path.canonicalize().ok() == own);
    let target = package.into_iter().flat_map(|package| package.targets).find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
    let target =
        target.ok_or_else(|| failure("not_a_plugin", "the package has no cdylib".to_owned(), "add `crate-type = [\"cdylib\", \"rlib\"]` to its [lib]"))?;
    Ok(read.target_directory.join(TRIPLE).join("release").join(format!("{}.wasm", target.name.replace('-', "_"))))
}

/// The installed wasm target, else Debian's rustc building its own library, as scripts/components does it.
fn toolchain(folder: &Path, build: &mut Command) -> Done {
    let sysroot = |rustc: &str| {
        let answer = Command::new(rustc).args(["--print", "sysroot"]).current_dir(folder).output().ok()?;
        answer.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()))
    };
    if sysroot("rustc").is_some_and(|root| root.join("lib/rustlib").join(TRIPLE).join("lib").is_dir()) {
        return Ok(());
    }
    let source = Path::new("/usr/lib/rustlib/src/rust/library/Cargo.lock").is_file();
    let linker = Path::new("/usr/bin/wasm-ld-19").is_file();
    if !source || !linker || sysroot("/usr/bin/rustc").as_deref() != Some(Path::new("/usr")) {
        let remedy = format!("`rustup target add {TRIPLE}`, or on Debian `apt-get install --no-install-recommends rustc-web rust-web-src lld-19`");
        return Err(failure("tool_missing", format!("Rust's {TRIPLE} target is not installed"), &remedy));
    }
    build.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Clinker-flavor=wasm-ld -Clink-arg=-zstack-size=65536");
    Ok(())
}
