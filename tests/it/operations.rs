//! What operators are given: every key, metric and alert in the documents is one that there is, every command in them runs, and the files
//! of `examples/operations` name nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portcullis::meter::METRICS;
use portcullis_tests::gateway::{Gateway, Given, binary};
use portcullis_tests::ministack::root;
use serde_json::Value;

use crate::metrics::{busy, metrics};

fn document() -> String {
    fs::read_to_string(root().join("docs/operations.md")).unwrap()
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join("examples/operations").join(name)).unwrap()
}

/// The cells of each row of the table whose head begins with `head`, without their marks.
fn table(text: &str, head: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("| {head} |"))).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    rows.map(cells).collect()
}

/// Every key with its default, as the program prints them.
fn keys() -> BTreeMap<String, Value> {
    fn collect(prefix: &str, value: &Value, keys: &mut BTreeMap<String, Value>) {
        for (name, value) in value.as_object().unwrap() {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Object(_) => collect(&key, value, keys),
                value => _ = keys.insert(key, value.clone()),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(binary()).args(["config", "--output", "json"]).current_dir(&folder).env_clear().output().unwrap();
    let mut keys = BTreeMap::new();
    collect("", &serde_json::from_slice(&ran.stdout).unwrap(), &mut keys);
    keys
}

fn variable(key: &str) -> String {
    format!("PORTCULLIS__{}", key.to_uppercase().replace('.', "__"))
}

/// The metrics that are named in `text`, without what a histogram adds to its name.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let metrics = words.filter(|word| word.starts_with("portcullis_") || word.starts_with("process_"));
    metrics.map(|word| ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()).collect()
}

/// Two that nobody is given who asks for any: they lie below those. Each process begins to look at another place.
fn free_ports() -> (u16, u16) {
    let given = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first: u32 = given.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32768);
    let (from, count) = (first / 2, first / 2);
    let all = (0..count).map(|at| u16::try_from(from + (std::process::id() * 2 + at) % count).unwrap());
    let mut free = all.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().unwrap(), free.next().unwrap())
}

#[test]
fn c02_every_key_of_the_configuration_is_documented_with_its_default() {
    let shown = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let known: Vec<Vec<String>> = keys().iter().map(|(key, value)| vec![key.clone(), variable(key), shown(value)]).collect();
    let mut documented = table(&document(), "key");
    documented.sort();
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn a16_every_metric_is_documented_with_what_it_means() {
    let known: Vec<Vec<String>> = METRICS.iter().map(|(name, meaning)| vec![(*name).to_owned(), (*meaning).to_owned()]).collect();
    assert_eq!(table(&document(), "metric"), known);
}

#[tokio::test]
async fn a16_dashboard_and_alerts_ask_for_metrics_that_there_are() {
    let play = busy().await;
    let text = metrics(&play.gateway).get("/metrics").await.text();
    let live: BTreeSet<String> = text.lines().filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned())).collect();
    let (dashboard, alerts) = (file("dashboard.json"), file("alerts.yml"));
    let board: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let asked: String =
        panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()).map(|target| format!("{}\n", target["expr"].as_str().unwrap())).collect();
    assert!(panels.len() > 10 && !named(&asked).is_empty() && !named(&alerts).is_empty());
    for (what, text) in [("the dashboard", &asked), ("the alerts", &alerts)] {
        let unknown: Vec<_> = named(text).difference(&live).cloned().collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
    // The dashboard shows everything but what says which version it is.
    let mut missing = live;
    missing.retain(|name| !named(&asked).contains(name));
    assert_eq!(missing, BTreeSet::from(["portcullis_build_info".to_owned()]));
    let rules: BTreeSet<String> = alerts.lines().filter_map(|line| Some(line.trim().strip_prefix("- alert: ")?.to_owned())).collect();
    let documented: BTreeSet<String> = table(&document(), "alert").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, rules);
}

#[tokio::test]
async fn c02_the_commands_for_operators_run_as_they_are_written() {
    let text = document();
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    let mut blocks = 0;
    for block in text.split("```sh\n").skip(1) {
        script.push_str(block.split("```").next().unwrap());
        blocks += 1;
    }
    assert!(blocks >= 6);
    let (port, measured) = free_ports();
    let script = script.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}")).replace("127.0.0.1:9464", &format!("127.0.0.1:{measured}"));
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(&folder).env_clear().stdin(Stdio::null());
    command
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("PORTCULLIS__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let log = fs::read_to_string(folder.path().join("gateway.log")).unwrap_or_default();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout).into_owned(), String::from_utf8_lossy(&ran.stderr).into_owned());
    assert_eq!(ran.status.code(), Some(0), "{out}\n{err}\n{log}");
    assert!(out.contains("portcullis_build_info{version=") && out.contains("the one that the records were sealed with"), "{out}");
    assert_eq!(log.matches("listening on http://").count(), 3, "{log}");
    assert_eq!(log.matches("operator token, shown this once").count(), 1, "what was restored is not new: {log}");
    assert!(log.contains("the log's level was read again"), "{log}");
}

#[test]
fn c02_the_unit_is_hardened_and_starts_what_there_is() {
    // As who wants TLS makes it.
    let unit = file("portcullis.service").replace("\n#LoadCredential=", "\nLoadCredential=").replace("\n#Environment=", "\nEnvironment=");
    let handed: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential=")?.split_once(':')).map(|(name, _)| format!("%d/{name}")).collect();
    let tls = ["CERT", "KEY"].map(|what| format!("Environment=PORTCULLIS__SERVER__TLS__{what}="));
    let used: Vec<_> = tls.iter().filter_map(|start| unit.lines().find_map(|line| line.strip_prefix(start.as_str()))).collect();
    assert_eq!(handed, used);
    assert_eq!(used.len(), 2);
    let settings: BTreeMap<&str, &str> = unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    for (name, value) in [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "portcullis"),
        ("DynamicUser", "yes"),
        ("CapabilityBoundingSet", ""),
        // Plugins are machine code that the gateway writes.
        ("MemoryDenyWriteExecute", "no"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("LimitCORE", "0"),
    ] {
        assert_eq!(settings.get(name), Some(&value), "{name}");
    }
    let known: BTreeSet<String> = keys().keys().map(|key| variable(key)).collect();
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    assert!(set.clone().count() > 0 && set.map(|(name, _)| name).all(|name| known.contains(name)));
    let mut words = settings["ExecStart"].split(' ');
    assert_eq!(words.next(), Some("/usr/bin/portcullis"));
    assert!(Command::new(binary()).args(words).arg("--help").output().unwrap().status.success());
    // systemd's own judgement, where it is.
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("portcullis.service");
    fs::write(&here, unit.replace("/usr/bin/portcullis", &binary().display().to_string())).unwrap();
    if let Ok(judged) = Command::new("systemd-analyze").arg("verify").arg(&here).output() {
        let said = String::from_utf8_lossy(&judged.stderr).into_owned();
        assert!(judged.status.success() && !said.contains("portcullis.service"), "{said}");
    }
}

/// Instruction and arguments, continued lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(instruction, rest)| (instruction.to_owned(), rest.trim().to_owned())).collect()
}

#[tokio::test]
async fn c02_the_image_copies_what_there_is_runs_as_nobody_and_sees_whether_it_is_well() {
    let all = instructions(&file("Dockerfile"));
    let of = |wanted: &str| all.iter().filter(|(name, _)| name == wanted).map(|(_, rest)| rest.clone()).collect::<Vec<_>>();
    assert_eq!(of("FROM"), ["rust:1.95-bookworm AS build", "debian:bookworm-slim"], "two stages, no registry");
    let copied: Vec<PathBuf> = of("COPY")
        .iter()
        .filter(|rest| !rest.starts_with("--from"))
        .flat_map(|rest| {
            let words: Vec<&str> = rest.split_whitespace().collect();
            words[..words.len() - 1].iter().map(|word| root().join(word)).collect::<Vec<_>>()
        })
        .collect();
    assert!(copied.len() > 8 && copied.iter().all(|path| path.exists()), "{copied:?}");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(copied.contains(&root().join(member.split('/').next().unwrap())), "{member} is not in the image's build");
    }
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for command in of("RUN").iter().flat_map(|rest| rest.split("&&").map(str::trim)) {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap();
        assert!(Command::new("bash").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success(), "{program} is not there");
        if program == "make" {
            assert!(makefile.contains(&format!("\n{}:", words.next().unwrap())), "{command}");
        }
    }
    assert_eq!(of("USER"), ["10001:10001"]);
    let known: BTreeSet<String> = keys().keys().map(|key| variable(key)).collect();
    let environment = of("ENV").join(" ");
    let names: Vec<&str> = environment.split_whitespace().filter_map(|pair| pair.split('=').next()).collect();
    assert!(names.len() > 2 && names.iter().all(|name| known.contains(*name) || *name == "PORTCULLIS_URL"), "{names:?}");
    assert_eq!((of("ENTRYPOINT"), of("CMD")), (vec!["[\"/usr/bin/portcullis\"]".to_owned()], vec!["[\"serve\"]".to_owned()]));

    let checks = of("HEALTHCHECK");
    let (_, check) = checks[0].split_once("CMD ").unwrap();
    let well = async |gateway: &Gateway| {
        let mut command = Command::new("bash");
        command.args(["-c", check]).env("PORTCULLIS_URL", gateway.url());
        tokio::task::spawn_blocking(move || command.output().unwrap().status.success()).await.unwrap()
    };
    let mut gateway = Given::default().start().await;
    assert!(well(&gateway).await);
    gateway.kill();
    assert!(!well(&gateway).await);
}
