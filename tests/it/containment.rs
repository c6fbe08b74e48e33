//! One plugin's misbehaviour in a whole gateway: what its neighbours notice of it, what is left alone, and what a compiler may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portcullis_tests::api::Api;
use portcullis_tests::component::{built, version};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::origin::Origin;
use serde_json::{Value, json};

use crate::cli::portcullis;
use crate::play::{Play, bearer_body, play, ready_web};
use crate::plugin_install::{files, install, upload};

/// A connection whose plugin breaks `mode` whenever it plans.
async fn hostile(api: &Api, origin: &Origin, name: &str, mode: Option<&str>) {
    // What its honest check asks for.
    origin.put("/", "root");
    let mut config = json!({"hostname": "localhost", "port": origin.port(), "token": origin.settings().token});
    if let Some(mode) = mode {
        config["mode"] = json!(mode);
        config["on"] = json!("locate");
    }
    let made = api.post("/api/v1/connections", &json!({"name": name, "type": "hostile", "config": config})).await.expect(201);
    assert_eq!(made["status"], "ready", "{made}");
}

#[tokio::test]
async fn b12_sp30_a_plugin_that_keeps_failing_is_suspended_for_that_organization_and_the_log_says_so_once() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    install(&play.api, built("hostile")).await;
    let (one, other) = (play.api.token("one", "admin").await, play.api.token("other", "admin").await);
    hostile(&one, &play.origin, "traps", Some("trap")).await;
    hostile(&other, &play.origin, "honest", None).await;
    ready_web(&one, bearer_body("press", &play.origin), &source).await;

    hostile(&one, &play.origin, "good", None).await;
    for _ in 0..5 {
        one.read("traps", &source).await.problem(502, "plugin_trap");
    }
    let started = Instant::now();
    let refused = one.read("traps", &source).await;
    refused.problem(503, "plugin_suspended");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert!(started.elapsed() < Duration::from_secs(1), "it was not run");
    assert!(refused.json()["remedy"].is_string(), "{}", refused.text());
    suspension_is_shown(&play, &one, &other).await;
    assert_eq!(one.read("press", &source).await.text(), "bearer a", "its other plugins serve");
    assert_eq!(other.read("honest", &source).await.text(), "bearer a", "the same plugin serves others");
    let told = |words: &str| play.gateway.log().lines().filter(|line| line.contains(words)).map(str::to_owned).collect::<Vec<_>>();
    let lines = told("A PLUGIN KEEPS FAILING");
    assert!(lines.len() == 1 && lines[0].contains("org=one") && lines[0].contains("plugin_trap"), "{lines:?}");

    // That it was not called says nothing of a connection: it keeps its state.
    one.post("/api/v1/connections/good/test", &json!({})).await.problem(503, "plugin_suspended");
    assert_eq!(one.get("/api/v1/connections/good").await.expect(200)["status"], "ready");

    // The settings are mended, the time is over: the next call tries, and all is as before.
    one.patch("/api/v1/connections/traps", &json!({"config": {"mode": null}})).await.problem(503, "plugin_suspended");
    tokio::time::sleep(Duration::from_secs(seconds + 1)).await;
    let mended = one.patch("/api/v1/connections/traps", &json!({"config": {"mode": null}})).await.expect(200);
    assert_eq!(mended["status"], "ready", "{mended}");
    for _ in 0..3 {
        assert_eq!(one.read("traps", &source).await.text(), "bearer a");
    }
    assert_eq!(told("works again for this organization").len(), 1);
}

/// To the organization itself and to operators, over the API and the command line; to nobody else.
async fn suspension_is_shown(play: &Play, one: &Api, other: &Api) {
    let shown = one.get("/api/v1/plugins/hostile").await.expect(200);
    let found = shown["suspensions"].as_array().unwrap();
    assert!(found.len() == 1 && found[0]["organization"] == "one" && found[0]["code"] == "plugin_trap", "{shown}");
    assert_eq!(found[0]["digest"], shown["digest"]);
    let moment = |name: &str| found[0][name].as_str().unwrap().to_owned();
    assert!(moment("since") < moment("until"), "{shown}");
    assert_eq!(other.get("/api/v1/plugins/hostile").await.expect(200)["suspensions"], json!([]));
    let listed = play.api.get("/api/v1/plugins").await.expect(200);
    let of = |id: &str| listed["items"].as_array().unwrap().iter().find(|plugin| plugin["id"] == id).unwrap()["suspensions"].clone();
    assert_eq!((of("hostile")[0]["organization"].as_str(), of("https_bearer")), (Some("one"), json!([])));
    let inspected = String::from_utf8(portcullis(&play.gateway, &["plugin", "inspect", "hostile"]).await.out).unwrap();
    assert!(inspected.contains("SUSPENDED FOR") && inspected.contains("plugin_trap"), "{inspected}");
}

/// LEB128, as WebAssembly writes its numbers.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len()), bytes].concat()
}

fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id], &*sized(bytes)].concat()
}

/// `count` items that are all the same.
fn items(count: usize, item: &[u8]) -> Vec<u8> {
    [number(count), item.repeat(count)].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [&b"\0asm\x0d\0\x01\0"[..], &sections.concat()].concat()
}

/// A component with one core module of `count` functions from an `i32` to an `i32`, each with this body.
fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let code = sized(&[&[0], body, &[0x0b]].concat());
    let sections = [section(1, b"\x01\x60\x01\x7f\x01\x7f"), section(3, &items(count, &[0])), section(10, &items(count, &code))];
    component(&[section(1, &[&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat())])
}

/// What no compiler likes, each by itself. Written in bytes: their text would take longer to read than they take to compile.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    // local.get 0, add, local.get 0, rotl, local.get 0, xor
    let long = [b"\x20\0".to_vec(), b"\x20\0\x6a\x20\0\x77\x20\0\x73".repeat(800_000)].concat();
    let nested = [b"\x02\x40".repeat(50_000), b"\x0b".repeat(50_000), b"\x20\0".to_vec()].concat();
    let table = [b"\x02\x40\x20\0\x0e".to_vec(), items(1_000_000, &[0]), b"\0\x0b\x20\0".to_vec()].concat();
    let doubling: Vec<u8> = (0..40).flat_map(|before| [0x6f, 2, before, before]).collect();
    let imports: Vec<u8> = (0..100_000).flat_map(|n: u32| [&[0][..], &sized(format!("a{n}").as_bytes()), &[1, 0]].concat()).collect();
    vec![
        ("one function of 7 MiB", functions(1, &long), &["component_too_complex"][..]),
        ("50,000 nested blocks", functions(1, &nested), &["component_too_complex", "incompatible_world"][..]),
        ("br_table with a million entries", functions(1, &table), &["component_too_complex"][..]),
        (
            "types that double 40 times",
            component(&[section(7, &[&[41, 0x6f, 2, 0x7d, 0x7d], &*doubling].concat())]),
            &["component_too_complex", "invalid_component", "incompatible_world"][..],
        ),
        (
            "100,000 types",
            component(&[section(7, &items(100_000, b"\x6f\x02\x7d\x7d"))]),
            &["component_too_complex", "invalid_component", "incompatible_world"][..],
        ),
        (
            "100,000 imports",
            component(&[section(7, b"\x01\x40\0\x01\0"), section(10, &[number(100_000), imports].concat())]),
            &["component_too_complex", "invalid_component", "forbidden_import"][..],
        ),
        ("900,000 functions", functions(900_000, b"\x20\0"), &["component_too_complex", "invalid_component", "incompatible_world"][..]),
    ]
}

/// The children of a process that run now, by their arguments.
fn compilers(gateway: &Gateway) -> Vec<String> {
    let own = gateway.id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let status = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // pid (name) state ppid …: the name may hold anything, its last bracket does not.
        let parent = status.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default();
        if parent == own {
            found.push(String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default()).replace('\0', " "));
        }
    }
    found
}

#[tokio::test]
async fn sp21_what_is_hard_to_compile_ends_in_a_child_and_the_gateway_serves_meanwhile() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    ready_web(&play.api, bearer_body("press", &play.origin), &source).await;
    let before = play.gateway.memory();
    let mut seen = false;
    for (what, wasm, codes) in bombs() {
        let api = play.api.clone();
        let started = Instant::now();
        let uploading = tokio::spawn(async move { upload(&api, wasm).await });
        while !uploading.is_finished() {
            assert_eq!(play.api.read("press", &source).await.text(), "bearer a", "while it compiles {what}");
            seen |= compilers(&play.gateway).iter().any(|arguments| arguments.contains("compile-plugin"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = uploading.await.unwrap();
        println!("{what}: {} after {:?}", refused.code(), started.elapsed());
        assert!((400..500).contains(&refused.status.as_u16()) && codes.contains(&refused.code().as_str()), "{what}: {}", refused.text());
        assert!(started.elapsed() < Duration::from_secs(90), "{what}: {:?}", started.elapsed());
    }
    assert!(seen, "no child was ever seen");
    assert!(compilers(&play.gateway).is_empty(), "none is left");
    // The bodies of the uploads, not the compiler's gibibyte.
    let grown = play.gateway.memory().saturating_sub(before);
    assert!(grown < 256 << 20, "the gateway grew by {} MiB", grown >> 20);
    assert!(files(&play.gateway).is_empty());
    assert!(!play.gateway.log().contains("panicked"));
    install(&play.api, version(1)).await;
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What a neighbour's fetches take while others read through `theirs`, in turn, each as often in every window.
async fn window(neighbour: &Api, source: &str, others: &Api, theirs: &[String]) -> Vec<Duration> {
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|number| {
            let (api, stop, source, names) = (others.clone(), stop.clone(), source.to_owned(), theirs.to_vec());
            tokio::spawn(async move {
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    api.read(&names[turn % names.len()], &source).await;
                    turn += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        })
        .collect();
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < Duration::from_millis(2500) {
        let sent = Instant::now();
        let answer = neighbour.read("press", source).await;
        times.push(sent.elapsed());
        assert_eq!(answer.text(), "bearer a");
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    times
}

/// SECURITY O13. Baseline and attack in turn, under the same number of requests; a machine that others use is given three attempts.
#[tokio::test]
async fn b12_so13_while_a_plugin_loops_and_bombs_on_every_call_a_neighbours_p99_stays_within_twice() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    install(&play.api, built("hostile")).await;
    let neighbour = play.api.token("neighbour", "admin").await;
    ready_web(&neighbour, bearer_body("press", &play.origin), &source).await;
    let mut ratios = Vec::new();
    for attempt in 0..3 {
        // An organization of its own each time: nothing is suspended yet.
        let attacker = play.api.token(&format!("attacker-{attempt}"), "admin").await;
        for (name, mode) in [("honest", None), ("loops", Some("loop")), ("grows", Some("grow"))] {
            hostile(&attacker, &play.origin, name, mode).await;
        }
        let (honest, attack) = (["honest".to_owned()], ["loops".to_owned(), "grows".to_owned()]);
        let (mut calm, mut attacked) = (Vec::new(), Vec::new());
        let mut medians = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let mut times = window(&neighbour, &source, &attacker, &honest).await;
            calm.push(p99(&mut times));
            medians.0.push(median(&mut times));
            let mut times = window(&neighbour, &source, &attacker, &attack).await;
            attacked.push(p99(&mut times));
            medians.1.push(median(&mut times));
        }
        println!("p99 calm {calm:?}, attacked {attacked:?}; p50 calm {:?}, attacked {:?}", medians.0, medians.1);
        let ratio = median(&mut attacked).as_secs_f64() / median(&mut calm).as_secs_f64();
        println!("a neighbour's p99 under attack: {ratio:.2} x");
        ratios.push(ratio);
        if ratio <= 2.0 {
            break;
        }
    }
    assert!(ratios.iter().any(|ratio| *ratio <= 2.0), "{ratios:?}");
    let suspended = play.gateway.log().lines().filter(|line| line.contains("A PLUGIN KEEPS FAILING")).count();
    assert!(suspended >= 1, "the attack was never suspended");
}

#[tokio::test]
async fn sp29_clients_that_leave_while_a_plugin_runs_leave_no_place_taken() {
    let play = play().await;
    play.origin.put("/bearer/a.txt", "bearer a");
    let source = play.origin.url("/bearer/a.txt");
    install(&play.api, built("hostile")).await;
    let api = play.api.token("studio", "admin").await;
    hostile(&api, &play.origin, "loops", Some("loop")).await;
    hostile(&api, &play.origin, "honest", None).await;
    let before = api.read("honest", &source).await.text();
    // More than there are slots, each gone before half of its CPU time is used: none of them is a fault.
    for round in 0_u64..100 {
        let leaving = tokio::time::timeout(Duration::from_millis(1 + round % 40), api.read("loops", &source)).await;
        assert!(leaving.is_err(), "round {round}: it answered within 40 ms");
    }
    let statuses: Vec<Value> = futures_util::future::join_all((0..20).map(|_| async { json!(api.read("honest", &source).await.text()) })).await;
    assert!(statuses.iter().all(|text| *text == before), "{statuses:?}");
    assert!(!play.gateway.log().contains("panicked") && !play.gateway.log().contains("A PLUGIN KEEPS FAILING"));
}
