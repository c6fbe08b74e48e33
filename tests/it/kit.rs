//! The conformance kit on what was built: every good connector passes, every seeded bug is found by the check that is there for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use portcullis::kit::{self, Case, Given, Outcome, Report};
use portcullis_tests::component::{FIFTH, built, named};
use portcullis_tests::gateway::binary;
use portcullis_tests::ministack::root;
use portcullis_tests::seeded::{self, BUGS, Bug};
use serde_json::Value;

/// The connectors of `plugins/`, and where their golden files are.
const CONNECTORS: [&str; 10] = [
    "aws_account_role",
    "aws_bucket_policy",
    "aws_iam_role",
    "azure_blob",
    "gcs_hmac",
    "https_basic",
    "https_bearer",
    "https_header",
    "https_oauth2",
    "https_public",
];

fn golden(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let case = |path: &PathBuf| Case::parse(&path.file_name().unwrap().to_string_lossy(), &fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().map(case).collect()
}

fn golden_of(connector: &str) -> PathBuf {
    root().join("plugins").join(connector.replace('_', "-")).join("golden")
}

/// `<target>/<profile>/deps/it-…` is this binary.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap()
}

fn checked(wasm: &[u8], given: &Given) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(kit::check(wasm, given)).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Why it did not pass.
fn complaints(report: &Report) -> String {
    let not_passed = report.checks.iter().filter(|check| check.outcome != Outcome::Passed);
    not_passed.map(|check| format!("{} {:?}: {}", check.id, check.outcome, check.evidence.join(" | "))).collect::<Vec<_>>().join("\n")
}

/// Each of the things in one of two threads: the compiler takes what is left of the machine.
fn two_at_a_time<T: Sync>(things: &[T], work: impl Fn(&T) + Sync) {
    let next = Mutex::new(things.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(thing) = next.lock().unwrap().next() else { break };
                    work(thing);
                }
            });
        }
    });
}

#[test]
fn b09_every_connector_of_the_tree_passes_with_and_without_its_golden_files() {
    let wrong = Mutex::new(Vec::new());
    two_at_a_time(&CONNECTORS, |connector| {
        let wasm = built(connector);
        for golden in [Vec::new(), golden(&golden_of(connector))] {
            let (start, given) = (Instant::now(), Given { golden, ..Given::default() });
            let report = checked(&wasm, &given);
            println!("{connector:18} {} golden files, {:4} calls, {:5} ms", given.golden.len(), report.calls, start.elapsed().as_millis());
            if !report.passed {
                wrong.lock().unwrap().push(format!("{connector} with {} golden files:\n{}", given.golden.len(), complaints(&report)));
            }
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn b09_b15_the_connectors_in_other_languages_pass() {
    for (connector, folder) in [("sha256_store", "connector-c"), ("gitlab_repository", "connector-javascript"), ("https_index", "connector-python")] {
        let path = target().join(format!("plugins/{connector}.wasm"));
        let wasm = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make examples`", path.display()));
        let given =
            Given { golden: golden(&root().join("examples").join(folder).join("golden")), cache: Some(target().join("plugins/compiled")), ..Given::default() };
        let start = Instant::now();
        let report = checked(&wasm, &given);
        println!("{connector:18} {:4} calls, {:5} ms", report.calls, start.elapsed().as_millis());
        assert!(report.passed, "{connector}:\n{}", complaints(&report));
    }
}

/// Where a plugin begins is a plugin that passes: its settings and paths are those of the connector that it is made of.
#[test]
fn b09_what_plugin_new_writes_passes() {
    let given = Given { golden: golden(&root().join("plugins/template/rust/golden")), ..Given::default() };
    let report = checked(&named(FIFTH), &given);
    assert!(report.passed, "{}", complaints(&report));
}

fn seeded_golden() -> Vec<Case> {
    let text = r#"{"settings": {"hostname": "assets.example.com", "username": "reader", "password": "made up"}, "sources": ["golden.jpg"],
        "plan": {"credentials": [{"basic": {"username": "reader", "password": "password"}}],
                 "locations": [{"target": {"http": {"url": "https://assets.example.com/golden.jpg", "headers": []}}, "credential": 0}]}}"#;
    vec![Case::parse("golden.json", text).unwrap()]
}

#[test]
fn b09_seeded_bugs_are_rejected_each_by_the_check_that_is_there_for_it() {
    assert!(BUGS.len() >= 40, "{}", BUGS.len());
    for (name, golden) in [("web:none", seeded_golden()), ("aws:none", Vec::new())] {
        let report = checked(&seeded::component(name), &Given { golden, ..Given::default() });
        assert!(report.passed, "{name} has no bug:\n{}", complaints(&report));
    }
    let (lines, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    two_at_a_time(BUGS, |Bug { name, sentence, check }| {
        let golden = if name.starts_with("web:") { seeded_golden() } else { Vec::new() };
        let start = Instant::now();
        let report = checked(&seeded::component(name), &Given { golden, ..Given::default() });
        let failed = report.failed();
        lines.lock().unwrap().push(format!("{name:22} {:5} ms  {sentence:70} {}", start.elapsed().as_millis(), failed.join(", ")));
        if !failed.contains(check) {
            wrong.lock().unwrap().push(format!("{name}: {sentence} It is for '{check}' to find.\n{}", complaints(&report)));
        }
    });
    let mut lines = lines.into_inner().unwrap();
    lines.sort();
    println!("{}", lines.join("\n"));
    let wrong = wrong.into_inner().unwrap();
    println!("{} of {} seeded bugs rejected by their check", BUGS.len() - wrong.len(), BUGS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn b09_what_is_no_component_is_told_so_and_nothing_is_called() {
    let good = built("https_bearer");
    let mut larger = good.clone();
    larger.resize((32 << 20) + 1, 0);
    for (what, wasm, failed) in [
        ("nothing", Vec::new(), "form"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), "form"),
        ("half of a component", good[..good.len() / 2].to_vec(), "form"),
        ("an empty component", b"\0asm\x0d\0\x01\0".to_vec(), "world"),
        ("33 MiB", larger, "size"),
    ] {
        let report = checked(&wasm, &Given::default());
        assert_eq!((report.failed(), report.passed), (vec![failed], false), "{what}");
        assert!(report.checks.iter().any(|check| check.outcome == Outcome::Skipped), "{what}: what was not looked at did not pass");
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Without a gateway, a token or an environment.
fn plugin_check(arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(["plugin", "check"]).args(arguments).env_clear().stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran { code: status.code().unwrap(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
}

#[test]
fn b09_plugin_check_says_what_it_found_to_people_and_to_programs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (write("good.wasm", &built("https_basic")), write("bad.wasm", &seeded::component("web:takes_http")));
    let settings = write("settings.json", br#"{"hostname": "files.example.com", "port": 444, "username": "me", "password": "x"}"#);
    let wrong = write("wrong.json", br#"{"hostname": "files.example.com/", "username": "me", "password": "x"}"#);

    let passed = plugin_check(&[&good, "--settings", &settings, "--golden", &golden_of("https_basic").display().to_string()]);
    assert_eq!(passed.code, 0, "{}{}", passed.out, passed.err);
    assert!(passed.out.lines().filter(|line| line.starts_with("ok ")).count() == kit::Id::ALL.len() && passed.err.is_empty(), "{}", passed.out);

    let failed = plugin_check(&[&bad]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.out.contains("FAILED  hostile_paths") && failed.out.contains("do: ") && failed.err.contains("hostile_paths"),
        "{}{}",
        failed.out,
        failed.err
    );

    let refused = plugin_check(&[&good, "--settings", &wrong]);
    assert!(refused.code == 1 && refused.out.contains("FAILED  settings") && refused.out.contains("/hostname"), "{}", refused.out);

    for (file, code) in [(&good, 0), (&bad, 1)] {
        let told = plugin_check(&[file, "--output", "json"]);
        let report: Value = serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {}", told.out));
        assert_eq!((told.code, report["passed"].as_bool(), report["connector"].as_str()), (code, Some(code == 0), Some("https_basic")));
        let checks = report["checks"].as_array().unwrap();
        assert_eq!(checks.len(), kit::Id::ALL.len());
        assert!(
            checks
                .iter()
                .all(|check| check["about"].is_string() && check["evidence"].is_array() && ["passed", "failed"].contains(&check["outcome"].as_str().unwrap()))
        );
        assert_eq!(checks.iter().any(|check| check["outcome"] == "failed" && check["remedy"].is_string()), code == 1);
    }
    for (arguments, code) in [(vec!["nowhere.wasm"], 1), (vec![&good, "--golden", "nowhere"], 1), (vec![&good, "--bless"], 2), (vec![], 2)] {
        assert_eq!(plugin_check(&arguments).code, code, "{arguments:?}");
    }
}

#[test]
fn b09_bless_writes_the_plans_of_now_and_a_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (wasm, cases) = (folder.path().join("x.wasm"), folder.path().join("golden"));
    fs::write(&wasm, built("https_basic")).unwrap();
    fs::create_dir(&cases).unwrap();
    let case = cases.join("case.json");
    fs::write(&case, r#"{"settings": {"hostname": "a.example", "username": "me", "password": "x"}, "sources": ["a", "http://a.example/b"]}"#).unwrap();
    let check = |bless: &[&str]| plugin_check(&[&[wasm.to_str().unwrap(), "--golden", cases.to_str().unwrap()], bless].concat());
    let unblessed = check(&[]);
    assert!(unblessed.code == 1 && unblessed.out.contains("FAILED  golden") && unblessed.out.contains("--bless"), "{}", unblessed.out);
    let blessed = check(&["--bless"]);
    assert_eq!(blessed.code, 0, "{}", blessed.err);
    let written = fs::read_to_string(&case).unwrap();
    assert!(written.contains("https://a.example/a") && written.contains("unsupported_uri_scheme"), "{written}");
    assert_eq!(check(&[]).code, 0);
    check(&["--bless"]);
    assert_eq!(fs::read_to_string(&case).unwrap(), written, "once more changes nothing");
    fs::write(&case, written.replace("https://a.example/a", "https://a.example/z")).unwrap();
    let changed = check(&[]);
    assert!(changed.code == 1 && changed.out.contains("at /locations/0/target/http/url"), "{}", changed.out);
}
