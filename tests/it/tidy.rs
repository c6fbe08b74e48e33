//! The house rules, held by reading the source: levels, doors, secrets, the first line of a file, its length. A failure says the rule and why.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_tests::ministack::root;

/// A module may import what is below it. `config` and `app` are the composition root, `http` and `cli` its two faces.
const LEVELS: [(&str, u8); 20] = [
    ("model", 0),
    ("policy", 1),
    ("meter", 1),
    ("store", 2),
    ("vault", 2),
    ("fetch", 2),
    ("audit", 2),
    ("broker", 3),
    ("tokens", 3),
    ("runtime", 4),
    ("plugins", 5),
    ("kit", 6),
    ("connections", 6),
    ("ingest", 7),
    ("config", 8),
    ("app", 9),
    ("doctor", 10),
    ("http", 10),
    ("cli", 11),
    ("main", 12),
];

/// An outside crate, and the modules whose door it is.
const DOORS: [(&str, &[&str]); 34] = [
    ("sled", &["store"]),
    ("aws_lc_rs::aead", &["vault"]),
    ("aws_lc_rs", &["vault", "broker", "tokens", "runtime", "http"]),
    ("zeroize", &["vault", "broker", "config", "http", "tokens", "fetch", "cli"]),
    ("subtle", &["tokens", "http", "vault"]),
    ("reqwest", &["cli"]),
    ("httparse", &["fetch"]),
    ("tokio_rustls", &["fetch", "http"]),
    ("rustls", &["fetch", "app", "main"]),
    ("rustls_native_certs", &["fetch"]),
    ("aws_config", &["broker"]),
    ("aws_credential_types", &["broker"]),
    ("aws_sdk_s3", &["broker"]),
    ("aws_sdk_sts", &["broker"]),
    ("aws_smithy_http_client", &["broker"]),
    ("aws_smithy_runtime_api", &["broker"]),
    ("aws_smithy_types", &["broker"]),
    ("quick_xml", &["broker"]),
    ("wasmtime", &["runtime"]),
    ("wasmtime_wasi", &["runtime"]),
    ("axum", &["http"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("confique", &["config"]),
    ("console", &["cli"]),
    ("indicatif", &["cli"]),
    ("metrics", &["meter"]),
    ("metrics_exporter_prometheus", &["meter"]),
    ("mimalloc", &["main"]),
    ("opentelemetry", &["app"]),
    ("opentelemetry_sdk", &["app"]),
    ("tracing_opentelemetry", &["app"]),
    ("wit_component", &["cli"]),
];

const LONGEST: usize = 500;

/// Native code is loaded from the compile cache; a guest's allocator is one.
const UNSAFE: [&str; 2] = ["host/src/runtime/cache.rs", "plugins/sdk/src/memory.rs"];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Relative to the repository.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    fn is_test(&self) -> bool {
        let name = self.name();
        name.starts_with("tests/") || name.ends_with("/tests.rs") || name.contains("/tests/") || name.contains("/benches/") || name.ends_with("/contract.rs")
    }

    /// The module of `host/src` that it belongs to.
    fn module(&self) -> Option<String> {
        let name = self.name();
        let rest = name.strip_prefix("host/src/")?;
        Some(rest.split(['/', '.']).next()?.to_owned())
    }

    /// Numbered lines of code: without comments and without the tests at its end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests =
            self.text.lines().collect::<Vec<_>>().windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod "));
        let code = self.text.lines().enumerate().take(tests.unwrap_or(usize::MAX));
        code.map(|(index, line)| (index + 1, line.split_once("//").map_or(line, |(code, _)| code))).filter(|(_, line)| !line.trim().is_empty())
    }
}

fn sources(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(Source { text: fs::read_to_string(&path).unwrap(), path });
        }
    }
}

fn all() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["host", "plugins", "tests"] {
        sources(&root().join(folder), &mut found);
    }
    assert!(found.len() > 100, "the source is not where it is looked for");
    found
}

/// Fails with all of them at once.
fn report(rule: &str, why: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "\nrule: {rule}\nwhy:  {why}\n{}\n", broken.join("\n"));
}

/// Whether `line` uses the crate or path `name` as code: `name::…`, not as a part of another word.
fn uses(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        !before.is_some_and(|character| character.is_alphanumeric() || character == '_' || character == ':') && after.starts_with("::")
    }) || (line.trim_start().starts_with("use ") && line.trim_start().trim_start_matches("use ").trim_end_matches([';', ' ']) == name)
}

#[test]
fn the_reader_of_the_source_reads_it() {
    assert!(uses("use sled::Db;", "sled") && uses("let x: sled::Db = y;", "sled") && uses("use sled;", "sled"));
    assert!(!uses("use portcullis::sled::X;", "sled") && !uses("unsled::x()", "sled") && !uses("use crate::sled::Db;", "sled"));
    let source = Source { path: root().join("host/src/policy/x.rs"), text: "//! x\nuse a; // b\n#[cfg(test)]\nmod tests {\nuse c;\n}".into() };
    assert_eq!(source.module().as_deref(), Some("policy"));
    assert_eq!(source.code().collect::<Vec<_>>(), [(2, "use a; ")]);
}

#[test]
fn a_module_imports_lower_levels_only() {
    let level = |module: &str| LEVELS.iter().find(|(name, _)| *name == module).map(|(_, level)| *level);
    let mut broken = Vec::new();
    for source in all() {
        let Some(module) = source.module().filter(|module| module != "lib" && !source.is_test()) else { continue };
        let Some(own) = level(&module) else {
            broken.push(format!("{}: the module {module} has no level", source.name()));
            continue;
        };
        for (number, line) in source.code() {
            let imported =
                line.split("crate::").skip(1).filter_map(|rest| rest.split(|character: char| !character.is_alphanumeric() && character != '_').next());
            for other in imported.filter(|other| *other != module) {
                if let Some(theirs) = level(other)
                    && theirs >= own
                {
                    broken.push(format!("{}:{number}: {module} (level {own}) imports {other} (level {theirs})", source.name()));
                }
            }
        }
    }
    report(
        "a module imports strictly lower levels only",
        "what decides can be read, tested and trusted without what does; a cycle makes one of everything",
        broken,
    );
}

#[test]
fn an_outside_crate_has_one_door() {
    let mut broken = Vec::new();
    for source in all() {
        let Some(module) = source.module().filter(|_| !source.is_test()) else { continue };
        for (number, line) in source.code() {
            for (name, doors) in DOORS {
                if uses(line, name) && !doors.contains(&module.as_str()) {
                    broken.push(format!("{}:{number}: {name} is used in {module}; its door is {}", source.name(), doors.join(", ")));
                }
            }
        }
    }
    report("an outside crate is imported by the module whose door it is", "it can be replaced, limited and audited in one place", broken);
}

#[test]
fn a_secret_is_exposed_in_vault_and_broker_only() {
    let sources = all();
    let broken = sources.iter().filter(|source| !source.is_test()).flat_map(|source| {
        let inside = source.module().is_some_and(|module| module == "vault" || module == "broker");
        let lines = source.code().filter(|(_, line)| !inside && line.contains(".expose("));
        lines.map(|(number, _)| format!("{}:{number}", source.name())).collect::<Vec<_>>()
    });
    report(
        "Secret::expose is called in vault and broker only",
        "whoever holds the bytes of a secret can leak them: only who seals and who signs must",
        broken.collect(),
    );
}

#[test]
fn what_holds_a_secret_has_no_debug() {
    let holds = |item: &str| [": Secret,", ": Zeroizing<", "<Secret>", "SealedSecret"].iter().any(|mark| item.contains(mark));
    let mut broken = Vec::new();
    for source in all().iter().filter(|source| !source.is_test() && source.module().is_some()) {
        // An item with its attributes ends at an empty line.
        for item in source.text.split("\n\n").filter(|item| item.contains("#[derive(") && holds(item)) {
            if item.lines().any(|line| line.starts_with("#[derive(") && line.contains("Debug")) {
                broken.push(format!("{}: {}", source.name(), item.lines().find(|line| line.contains("struct ") || line.contains("enum ")).unwrap_or(item)));
            }
        }
    }
    report("no Debug on what holds a secret", "a Debug ends in a log sooner or later", broken);
}

#[test]
fn a_file_begins_with_what_it_owns() {
    let begins = |source: &&Source| source.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 15);
    // A module of tests is introduced by the module it tests.
    let sources = all();
    let broken = sources
        .iter()
        .filter(|source| !source.is_test() || source.name().starts_with("tests/it/"))
        .filter(|source| !begins(source))
        .map(Source::name)
        .collect();
    report("the first line of a file is `//!` and says what it owns", "whoever looks for something reads first lines", broken);
}

#[test]
fn a_file_is_short() {
    let long = |source: &&Source| source.text.lines().count() > LONGEST && !source.is_test();
    let sources = all();
    let broken = sources.iter().filter(long).map(|source| format!("{}: {} lines", source.name(), source.text.lines().count())).collect();
    report("no file over 500 lines, tests apart", "a file that long has two owners: ask which half decides and which does", broken);
}

#[test]
fn nothing_is_allowed_without_a_reason_or_left_for_later() {
    // Put together, so that this file does not find itself.
    let marks = [["#[", "allow("], ["#![", "allow("], ["todo", "!("], ["unimplemented", "!("], ["#[", "ignore"], ["FIX", "ME"], ["unsafe", " {"]]
        .map(|parts| parts.concat());
    let mut broken = Vec::new();
    for source in all() {
        for (number, line) in source.text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(mark.as_str())) {
                // The one exception: a compiled component that the gateway itself wrote and authenticated.
                if mark.starts_with("unsafe") && UNSAFE.contains(&source.name().as_str()) {
                    continue;
                }
                broken.push(format!("{}:{}: {mark}", source.name(), number + 1));
            }
        }
    }
    report(
        "no bare allow, no stub, no ignored test, no unsafe but where code is loaded and where a guest's memory is given out",
        "use #[expect(…, reason)]; what is not there yet is not in the tree",
        broken,
    );
}

#[test]
fn a_plugin_knows_the_sdk_alone() {
    let mut broken = Vec::new();
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        if let Ok(text) = fs::read_to_string(&manifest) {
            broken.extend(
                text.lines()
                    .filter(|line| line.contains("../host") || line.starts_with("portcullis.") || line.starts_with("portcullis ="))
                    .map(|line| format!("{}: {line}", manifest.display())),
            );
        }
    }
    report("plugins know plugins/sdk alone", "a plugin and the host share the contract in wit/ and nothing else", broken);
}

/// SECURITY P31. What a plugin may have the host do, by name: a verb that writes would be a new one here.
#[test]
fn sp31_m26_the_contract_has_no_verb_but_reading() {
    const READS: [&str; 10] =
        ["write", "acquire", "caller-identity", "probe-external-id", "bucket-region", "head", "probe-read", "%list", "head", "get-document"];
    let text = fs::read_to_string(root().join("wit/connector.wit")).unwrap();
    let imported = text.split("\ninterface ").filter(|interface| ["log {", "aws {", "http {"].iter().any(|name| interface.starts_with(name)));
    let verbs: Vec<(&str, &str)> = imported.flat_map(str::lines).filter_map(|line| line.trim().split_once(": func(")).collect();
    let names: Vec<&str> = verbs.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, READS, "'write' is of lines to the log");
    for (name, rest) in verbs {
        assert!(!["method", "body", "content:"].iter().any(|word| rest.contains(word)), "{name}: the host alone chooses the method, and sends no body: {rest}");
    }
}

#[test]
fn a_source_of_time_or_chance_is_an_argument() {
    let mut broken = Vec::new();
    for source in all().iter().filter(|source| !source.is_test()) {
        let Some(module) = source.module().filter(|module| !["app", "main", "cli"].contains(&module.as_str())) else { continue };
        for (number, line) in source.code() {
            if ["SystemTime::now", "now_utc()", "getrandom::", "Uuid::new_v4"].iter().any(|call| line.contains(call)) {
                broken.push(format!("{}:{number} ({module}): {}", source.name(), line.trim()));
            }
        }
    }
    report("time and randomness come in as arguments; app makes the real ones", "a test can then stop the clock and repeat the dice", broken);
}
