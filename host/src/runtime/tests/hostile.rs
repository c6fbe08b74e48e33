//! The hostile corpus (SECURITY P) that needs more than one call, a remote, or a broken runtime of the component model. After each the sandbox is whole.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;

use super::guest::{Guest, component_with, org, runtime, words};
use crate::broker::{ExternalIdVerdict, Identity};
use crate::model::{Capability, Connection, ConnectionId, ConnectionName, Error, ExternalId, Kind, OrgId, Page, Principal, Region, Result, Timestamp};
use crate::policy::{AddressPolicy, Grant, Permit};
use crate::runtime::{Compiler, Head, Limits, Plugin, Remote, Runtime, RuntimeConfig};

const LOOP: &str = "(loop $forever (br $forever)) i32.const 0";
/// `{}` as settings, at 0x100.
fn settings() -> Vec<(u32, Vec<u8>)> {
    vec![(0x100, words(&[0, 0x200, 2])), (0x200, b"{}".to_vec())]
}

/// One location, `s3://abc/k`, anonymous, at 0x100.
fn plan() -> Vec<(u32, Vec<u8>)> {
    let location = [0, 0, 0x900, 3, 0x904, 1, 0, 0, 0, 0, 0, 0, 0];
    vec![(0x100, words(&[0, 0x200, 1, 0x300, 1])), (0x200, vec![0; 52]), (0x300, words(&location)), (0x900, b"abc\0k".to_vec())]
}

fn quick() -> Limits {
    Limits { cpu: Duration::from_millis(100), ..Limits::default() }
}

async fn locate_for(org: &OrgId, plugin: &Plugin) -> String {
    plugin.locate(org, "{}", &["s3://abc/k"]).await.err().map(|error| error.code().to_owned()).unwrap_or_default()
}

async fn normalizes(org: &OrgId, plugin: &Plugin) -> bool {
    plugin.normalize(org, &json!({})).await.is_ok()
}

/// A remote that takes its time, or never answers.
struct Slow {
    turns: usize,
}

#[async_trait]
impl Remote for Slow {
    async fn acquire(&self, _: Permit) -> Result<u32> {
        for _ in 0..self.turns {
            tokio::task::yield_now().await;
        }
        if self.turns == 0 { std::future::pending().await } else { Ok(3600) }
    }
    async fn caller_identity(&self, _: Permit) -> Result<Identity> {
        Err(not_played())
    }
    async fn probe_external_id(&self, _: Permit) -> Result<ExternalIdVerdict> {
        Err(not_played())
    }
    async fn bucket_region(&self, _: Permit) -> Result<Region> {
        Err(not_played())
    }
    async fn head(&self, _: Permit) -> Result<Head> {
        Err(not_played())
    }
    async fn probe_read(&self, _: Permit) -> Result<()> {
        Err(not_played())
    }
    async fn list(&self, _: Permit, _: Option<&str>, _: u32) -> Result<Page> {
        Err(not_played())
    }
    async fn document(&self, _: Permit, _: usize) -> Result<String> {
        Err(not_played())
    }
}

fn not_played() -> Error {
    Error::internal("not_played", "this remote opens sessions only")
}

/// `aws.acquire` with the gateway's own role; its result lies at 0x600: `tag, 0, 0, 0, kind`.
const ACQUIRE: &str = r#"(import "portcullis:connector/aws@0.1.0" "acquire" (func $acquire (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;

fn acquire() -> String {
    format!("(call $acquire (i32.const 5) {} (i32.const 0x600))", "(i32.const 0)".repeat(12))
}

/// A plugin whose `check` asks `remote` for a session, and whose `normalize` is honest.
async fn asking(remote: Slow, limits: Limits, check: &str) -> Arc<Plugin> {
    let config = RuntimeConfig { limits, compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] };
    let runtime = Runtime::new(config, Some(Arc::new(remote))).unwrap();
    let mut data = settings();
    // One finding, that passed.
    data.extend([(0x500, words(&[0x580, 1])), (0x580, words(&[0x5c0, 4, 1, 0x5c0, 4, 0x5c0, 4, 0, 0, 0])), (0x5c0, b"fine".to_vec())]);
    let guest = Guest { imports: ACQUIRE, check, normalize: "i32.const 0x100", data, ..Guest::default() };
    runtime.load(&guest.component(), &BTreeSet::from([Capability::Aws])).await.unwrap()
}

fn grant(plugin: &Plugin) -> Arc<Grant> {
    let now = Timestamp::from_millis(0);
    let connection = Connection::new(
        ConnectionId(uuid::Uuid::nil()),
        org(),
        ConnectionName::new("some_connection").unwrap(),
        plugin.description().id.clone(),
        plugin.digest(),
        ExternalId::new("0123456789abcdef0123456789abcdef").unwrap(),
        now,
    );
    Arc::new(Grant::new(connection, plugin.description(), plugin.imports().clone(), &AddressPolicy::default()).unwrap())
}

/// Polled so often, then dropped: as a client that leaves.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(output) = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap() * 1024
}

#[tokio::test]
async fn p01_p07_a_loop_and_a_trap_end_check_and_list_as_they_end_planning() {
    for (body, code) in [(LOOP, "plugin_deadline"), ("unreachable", "plugin_trap")] {
        let config = RuntimeConfig { limits: quick(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] };
        let runtime = Runtime::new(config, Some(Arc::new(Slow { turns: 0 }))).unwrap();
        let guest = Guest { imports: ACQUIRE, check: body, list: body, normalize: "i32.const 0x100", data: settings(), ..Guest::default() };
        let plugin = runtime.load(&guest.component(), &BTreeSet::from([Capability::Aws])).await.unwrap();
        let grant = grant(&plugin);
        assert_eq!(plugin.check(&grant, None).await.err().unwrap().code(), code);
        assert_eq!(plugin.list(&grant, "", None, 10).await.err().unwrap().code(), code);
        assert!(normalizes(&org(), &plugin).await);
    }
}

#[tokio::test]
async fn p05_ten_mebibytes_of_locals_end_in_a_trap() {
    // A frame of 400 KB (50,000 locals are what a function may have), 27 deep: more than the guest's stack.
    let locals = "i64 ".repeat(49_000);
    let sum: String = (0..49_000).step_by(50).map(|index| format!("(local.set {index} (i64.add (local.get {index}) (i64.const 1)))")).collect();
    let used: String = (0..49_000).step_by(50).map(|index| format!("(drop (local.get {index}))")).collect();
    let fields = format!("(func $deep (local {locals}) {sum} (call $deep) {used})");
    let guest = Guest { fields: &fields, locate: "(call $deep) i32.const 0", normalize: "i32.const 0x100", data: settings(), ..Guest::default() };
    let plugin = guest.load(Limits::default()).await;
    assert_eq!(locate_for(&org(), &plugin).await, "plugin_trap");
    assert!(normalizes(&org(), &plugin).await, "and the next call works");
}

#[tokio::test]
async fn p06_a_list_or_a_string_that_is_not_there_costs_no_memory() {
    let cases = [
        ("a list of 512 MiB", words(&[0, 0x200, 0, 0x400, (512 << 20) / 52])),
        ("10^7 empty strings", words(&[0, 0x200, 0, 0x400, 10_000_000])),
        ("a list of 4 GiB", words(&[0, 0x200, 0, 0x400, u32::MAX])),
        ("a list that wraps around", words(&[0, 0x200, 0, 0xffff_ff00, 0x0500_0000])),
    ];
    let before = resident();
    for (what, answer) in cases {
        let guest = Guest {
            locate: "i32.const 0x100",
            normalize: "i32.const 0x800",
            data: vec![(0x100, answer), (0x800, words(&[0, 0x900, 2])), (0x900, b"{}".to_vec())],
            ..Guest::default()
        };
        let plugin = guest.load(quick()).await;
        let code = locate_for(&org(), &plugin).await;
        assert!(["output_too_large", "plugin_contract"].contains(&code.as_str()), "{what}: {code}");
        assert!(normalizes(&org(), &plugin).await, "after: {what}");
    }
    // Four sandboxes were set up, too: what counts is that none of it is a list.
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "it took {} MiB", grown >> 20);
}

#[tokio::test]
async fn p08_one_organization_sees_nothing_of_another_ones_call() {
    // The first word of memory counts calls, a global too: the answer is an error when either is not 0.
    let locate = "(if (i32.or (i32.load (i32.const 0x700)) (global.get $calls)) (then unreachable))
        (i32.store (i32.const 0x700) (i32.const 1)) (global.set $calls (i32.const 1)) i32.const 0x100";
    let plugin = Guest { fields: "(global $calls (mut i32) (i32.const 0))", locate, data: plan(), ..Guest::default() }.load(quick()).await;
    for name in ["one", "two", "one", "two"] {
        assert_eq!(locate_for(&OrgId::new(name).unwrap(), &plugin).await, "", "{name}");
    }
}

#[tokio::test]
async fn p11_an_index_that_was_not_given_names_nothing() {
    let runtime = runtime(quick());
    for index in [1, 2, 3, 255, 256, 10_000, 0x7fff_ffff, u32::MAX] {
        let mut data = plan();
        data.push((0x330, words(&[index])));
        let guest = Guest { locate: "i32.const 0x100", data, ..Guest::default() };
        let plugin = runtime.load(&guest.component(), &BTreeSet::new()).await.unwrap();
        assert_eq!(locate_for(&org(), &plugin).await, "plugin_contract", "{index}");
    }
}

#[tokio::test(start_paused = true)]
async fn p14_a_remote_that_never_answers_ends_the_host_call_and_the_guest_goes_on() {
    let (error, unavailable) = (1, 4);
    let check = format!(
        "{} (if (i32.ne (i32.load8_u (i32.const 0x600)) (i32.const {error})) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 0x604)) (i32.const {unavailable})) (then unreachable)) i32.const 0x500",
        acquire()
    );
    let plugin = asking(Slow { turns: 0 }, Limits::default(), &check).await;
    let started = tokio::time::Instant::now();
    plugin.check(&grant(&plugin), None).await.expect("the guest is told, and answers");
    assert_eq!(started.elapsed().as_secs(), 10, "one host call");

    let patient = acquire().repeat(64) + "i32.const 0x500";
    let plugin = asking(Slow { turns: 0 }, Limits::default(), &patient).await;
    for _ in 0..6 {
        let started = tokio::time::Instant::now();
        let error = plugin.check(&grant(&plugin), None).await.expect_err("the whole call has its time, too");
        assert_eq!((error.code(), started.elapsed().as_secs()), ("plugin_deadline", 30));
    }
    assert!(normalizes(&org(), &plugin).await, "waiting for a remote is no fault of the plugin");
}

/// A world with a resource of its own, and the functions that make and drop handles of it.
fn with_resource(locate: &str) -> Vec<u8> {
    let imports = r#"
        (import "[export]test:mine/things@1.0.0" "[resource-new]thing" (func $new (param i32) (result i32)))
        (import "[export]test:mine/things@1.0.0" "[resource-drop]thing" (func $drop (param i32)))
        (import "[export]test:mine/things@1.0.0" "[resource-rep]thing" (func $rep (param i32) (result i32)))"#;
    let guest = Guest { imports, locate, normalize: "i32.const 0x100", data: settings(), ..Guest::default() };
    component_with(&guest.text(), &["package test:mine@1.0.0; interface things { resource thing; }"], "export test:mine/things@1.0.0;")
}

/// What `locate` may not answer is in `calls`; the other exports have results of their own, which lie at 0x100.
#[tokio::test]
async fn p15_what_no_type_of_the_contract_has_is_refused_from_every_export() {
    let outside = 0xffff_fff0;
    let finding = |option: u32| (0x300, words(&[0x500, 4, 1, 0x500, 4, 0x500, 4, option, 0, 0]));
    let (good, bad) = ((0x500, b"fine".to_vec()), (0x500, vec![0xff, 0xfe, 0xff, 0xfe]));
    let cases = [
        ("normalize", "invalid UTF-8", vec![(0x100, words(&[0, 0x500, 4])), bad.clone()]),
        ("normalize", "an unknown case of the result", vec![(0x100, words(&[2, 0x500, 4])), good.clone()]),
        ("normalize", "a field error outside of memory", vec![(0x100, words(&[1, 0x300, 1])), (0x300, words(&[outside, 8, 0x500, 4])), good.clone()]),
        ("setup", "an unknown case of the result", vec![(0x100, words(&[2]))]),
        ("setup", "steps outside of memory", vec![(0x100, words(&[0, outside, 1]))]),
        ("check", "invalid UTF-8", vec![(0x100, words(&[0x300, 1])), finding(0), bad]),
        ("check", "an unknown case of an option", vec![(0x100, words(&[0x300, 1])), finding(2), good.clone()]),
        ("check", "findings outside of memory", vec![(0x100, words(&[outside, 1]))]),
        ("list", "an unknown case of the result", vec![(0x100, words(&[2]))]),
        ("list", "an unknown kind of error", vec![(0x100, words(&[1, 99, 0x500, 4, 0x500, 4, 0])), good]),
        ("list", "entries outside of memory", vec![(0x100, words(&[0, outside, 1]))]),
    ];
    for (export, what, data) in cases {
        let body = "i32.const 0x100";
        let plugin = Guest { normalize: body, setup: body, check: body, list: body, data, ..Guest::default() }.load(quick()).await;
        let principal = Principal { platform_name: String::new(), account_id: String::new(), role_arn: String::new(), organization: String::new() };
        let error = match export {
            "normalize" => plugin.normalize(&org(), &json!({})).await.err(),
            "setup" => plugin.setup(&org(), &json!({}), &principal, "").await.err(),
            "check" => plugin.check(&grant(&plugin), None).await.err(),
            _ => plugin.list(&grant(&plugin), "", None, 10).await.err(),
        };
        let error = error.unwrap_or_else(|| panic!("{export}, {what}: it was taken"));
        assert_eq!((error.kind(), error.code()), (Kind::PluginFault, "plugin_contract"), "{export}, {what}: {error:?}");
    }
}

#[tokio::test]
async fn p27_handles_are_capped_and_a_wrong_one_is_a_trap() {
    let runtime = runtime(Limits::default());
    for (what, locate, code) in [
        ("a million", "(loop $more (drop (call $new (i32.const 7))) (br $more)) i32.const 0", "plugin_trap"),
        (
            "a million, one at a time",
            "(local $i i32) (loop $more (call $drop (call $new (i32.const 7))) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $more (i32.lt_u (local.get $i) (i32.const 100000)))) unreachable",
            "plugin_trap",
        ),
        (
            "dropped twice",
            "(local $h i32) (local.set $h (call $new (i32.const 7))) (call $drop (local.get $h)) (call $drop (local.get $h)) i32.const 0",
            "plugin_trap",
        ),
        (
            "used after it was dropped",
            "(local $h i32) (local.set $h (call $new (i32.const 7))) (call $drop (local.get $h)) (drop (call $rep (local.get $h))) i32.const 0",
            "plugin_trap",
        ),
        ("one that never was", "(drop (call $rep (i32.const 10000))) i32.const 0", "plugin_trap"),
    ] {
        let plugin = runtime.load(&with_resource(locate), &BTreeSet::new()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let before = resident();
        let started = Instant::now();
        assert_eq!(locate_for(&org(), &plugin).await, code, "{what}");
        let grown = resident().saturating_sub(before);
        assert!(grown < 16 << 20, "{what}: {} MiB of ours", grown >> 20);
        assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", started.elapsed());
        assert!(normalizes(&org(), &plugin).await, "after: {what}");
    }
}

#[tokio::test]
async fn p29_ten_thousand_clients_that_leave_at_any_point_leave_nothing_behind() {
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let check = acquire().repeat(3) + "i32.const 0x500";
    let plugin = asking(Slow { turns: 2 }, limits.clone(), &check).await;
    let grant = grant(&plugin);
    let mut ended = 0_u32;
    for round in 0..10_000_usize {
        match polled(plugin.check(&grant, None), round % 12).await {
            Some(Ok(_)) => ended += 1,
            Some(Err(error)) => panic!("round {round}: {error:?}"),
            None => {}
        }
    }
    assert!(ended > 1000 && ended < 9000, "{ended} of 10,000 stayed to the end");
    // As many as there are slots, at once: none is lost. They wait for each other, for one of two slots may wait for a remote.
    let together = futures_util::future::join_all((0..4).map(|_| plugin.check(&grant, None))).await;
    assert!(together.iter().all(Result::is_ok), "{together:?}");
    assert!(normalizes(&org(), &plugin).await);
}

#[tokio::test]
async fn p29_a_client_that_leaves_a_loop_leaves_its_place_to_the_next_one() {
    let limits = Limits { concurrency: 1, cpu: Duration::from_secs(20), ..Limits::default() };
    let plugin = Guest { locate: LOOP, normalize: "i32.const 0x100", data: settings(), ..Guest::default() }.load(limits).await;
    for _ in 0..10 {
        // Long enough to be paced.
        assert!(tokio::time::timeout(Duration::from_millis(300), locate_for(&org(), &plugin)).await.is_err());
        assert!(normalizes(&org(), &plugin).await);
    }
}

#[tokio::test]
async fn p30_b12_a_plugin_that_keeps_failing_is_left_alone_for_that_organization_alone() {
    let guest = Guest { locate: "unreachable", normalize: "i32.const 0x100", data: settings(), ..Guest::default() };
    let plugin = guest.load(quick()).await;
    for _ in 0..5 {
        assert_eq!(locate_for(&org(), &plugin).await, "plugin_trap");
    }
    let error = plugin.locate(&org(), "{}", &["s3://abc/k"]).await.err().unwrap();
    assert_eq!((error.kind(), error.code(), error.retry_after()), (Kind::Unavailable, "plugin_suspended", Some(10)));
    let refused = plugin.normalize(&org(), &json!({})).await.err().unwrap();
    assert_eq!(refused.code(), "plugin_suspended", "whatever it is asked");
    let other = OrgId::new("other").unwrap();
    assert!(normalizes(&other, &plugin).await);
    assert_eq!(locate_for(&other, &plugin).await, "plugin_trap");
}

#[tokio::test]
async fn p30_o13_what_loops_in_many_places_ends_when_it_is_suspended() {
    let limits = Limits { cpu: Duration::from_millis(400), ..Limits::default() };
    let plugin = Guest { locate: LOOP, ..Guest::default() }.load(limits).await;
    let (org, plugin) = (&org(), &*plugin);
    let mut codes = futures_util::future::join_all((0..30).map(|_| locate_for(org, plugin))).await;
    codes.sort();
    let deadlines = codes.iter().filter(|code| *code == "plugin_deadline").count();
    assert!((5..10).contains(&deadlines), "{codes:?}");
    assert!(codes[deadlines..].iter().all(|code| code == "plugin_suspended"), "{codes:?}");
}

#[tokio::test]
async fn p03_p30_memory_bombs_and_answers_that_are_too_large_count_and_wrong_settings_do_not() {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let plugin = Guest { locate: grow, ..Guest::default() }.load(quick()).await;
    for _ in 0..5 {
        assert_eq!(locate_for(&org(), &plugin).await, "plugin_memory");
    }
    assert_eq!(locate_for(&org(), &plugin).await, "plugin_suspended");

    // `normalize` says that a field is wrong: the plugin does its work.
    let wrong = Guest { normalize: "i32.const 0x100", data: vec![(0x100, words(&[1, 0x200, 0]))], ..Guest::default() };
    let plugin = wrong.load(quick()).await;
    for _ in 0..20 {
        assert_ne!(plugin.normalize(&org(), &json!({})).await.err().unwrap().code(), "plugin_suspended");
    }
}
