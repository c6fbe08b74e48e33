//! What a hostile guest does while it runs: each is stopped with its own code, and the next call works.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guest::{Guest, org, runtime, words};
use crate::model::{Capability, Error, Kind, Principal, Target};
use crate::runtime::{Limits, Plugin};

const LOOP: &str = "(loop $forever (br $forever)) i32.const 0";

fn quick() -> Limits {
    Limits { cpu: Duration::from_millis(100), ..Limits::default() }
}

async fn located(plugin: &Plugin) -> crate::model::Result<crate::model::Plan> {
    plugin.locate(&org(), "{}", &["s3://abc/k"]).await
}

async fn fault(plugin: &Plugin) -> Error {
    located(plugin).await.expect_err("this call must fail")
}

/// A plan with one credential (anonymous) and one location: `s3://abc/k` with the credential `index`.
fn plan(index: u32) -> Vec<(u32, Vec<u8>)> {
    let location = [0, 0, 0x900, 3, 0x904, 1, 0, 0, 0, 0, 0, 0, index];
    vec![(0x100, words(&[0, 0x200, 1, 0x300, 1])), (0x200, vec![0; 52]), (0x300, words(&location)), (0x900, b"abc\0k".to_vec())]
}

#[tokio::test]
async fn a_plan_is_lifted_as_it_was_written() {
    let plugin = Guest { locate: "i32.const 0x100", data: plan(0), ..Guest::default() }.load(quick()).await;
    let plan = located(&plugin).await.unwrap();
    assert_eq!(plan.credentials, [crate::model::Credential::Anonymous]);
    let location = plan.locations[0].as_ref().unwrap();
    assert!(matches!(&location.target, Target::S3(object) if object.bucket.as_str() == "abc" && object.key.as_str() == "k"), "{location:?}");
}

#[tokio::test]
async fn p15_a_plan_that_does_not_add_up_is_a_broken_contract() {
    let patched = |offset: u32, bytes: &[u8]| {
        let mut data = plan(0);
        data.push((offset, bytes.to_vec()));
        data
    };
    let cases = [
        ("a credential that is not there", plan(1), "plugin_contract"),
        ("two locations for one path", patched(0x110, &words(&[2])), "plugin_contract"),
        ("no location", patched(0x110, &words(&[0])), "plugin_contract"),
        ("invalid UTF-8", patched(0x900, &[0xff, 0xfe]), "plugin_contract"),
        ("an unknown case of the result", patched(0x100, &[2]), "plugin_contract"),
        ("an unknown kind of credential", patched(0x200, &[7]), "plugin_contract"),
        ("an unknown kind of target", patched(0x304, &[9]), "plugin_contract"),
        ("a string of 4 GiB", patched(0x30c, &words(&[u32::MAX])), "plugin_contract"),
        ("a list outside of memory", patched(0x104, &words(&[0xffff_fff0])), "plugin_contract"),
        ("an unaligned list", patched(0x104, &words(&[0x201])), "plugin_contract"),
        ("65 credentials", patched(0x108, &words(&[65])), "plugin_contract"),
    ];
    for (what, data, code) in cases {
        let plugin = Guest { locate: "i32.const 0x100", data, ..Guest::default() }.load(quick()).await;
        let error = fault(&plugin).await;
        assert_eq!((error.kind(), error.code()), (Kind::PluginFault, code), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn s12_a_location_that_cannot_be_is_the_error_of_its_path_alone() {
    for (at, bytes, code) in [(0x904, &b"."[..], "unsupported_key"), (0x904, b"\0", "unsupported_key"), (0x900, b"A", "invalid_location")] {
        let mut data = plan(0);
        data.push((at, bytes.to_vec()));
        let plugin = Guest { locate: "i32.const 0x100", data, ..Guest::default() }.load(quick()).await;
        let plan = located(&plugin).await.unwrap();
        let error = plan.locations[0].as_ref().expect_err("the location is refused");
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, code));
    }
}

#[tokio::test]
async fn p01_a_loop_ends_within_its_cpu_time_in_each_export() {
    let looping = Guest { normalize: LOOP, setup: LOOP, locate: LOOP, ..Guest::default() };
    let plugin = looping.load(quick()).await;
    let principal = Principal { platform_name: String::new(), account_id: String::new(), role_arn: String::new(), organization: String::new() };
    let empty = serde_json::json!({});
    let started = Instant::now();
    let errors =
        [fault(&plugin).await, plugin.normalize(&org(), &empty).await.err().unwrap(), plugin.setup(&org(), &empty, &principal, "id").await.err().unwrap()];
    assert!(errors.iter().all(|error| error.kind() == Kind::PluginFault && error.code() == "plugin_deadline"), "{errors:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "three loops of 0.1 s took {:?}", started.elapsed());
}

#[tokio::test]
async fn p01_while_one_guest_loops_the_thread_serves_others() {
    let limits = Limits { cpu: Duration::from_millis(300), ..Limits::default() };
    let plugin = Guest { locate: LOOP, ..Guest::default() }.load(limits).await;
    let looping = tokio::spawn({
        let plugin = Arc::clone(&plugin);
        async move { fault(&plugin).await.code().to_owned() }
    });
    let mut turns = 0;
    while !looping.is_finished() {
        tokio::task::yield_now().await;
        turns += 1;
    }
    assert_eq!(looping.await.unwrap(), "plugin_deadline");
    assert!(turns >= 10, "this task had {turns} turns beside a loop of 30 ticks");
}

#[tokio::test]
async fn p01_a_start_function_is_limited_too() {
    let fields = "(func $start (loop $forever (br $forever))) (start $start)";
    let error = super::guest::load(&Guest { fields, ..Guest::default() }.component(), quick()).await.err().unwrap();
    assert_eq!(error.code(), "plugin_deadline");
}

#[tokio::test]
async fn p03_growing_beyond_the_limit_is_refused_and_dying_of_it_is_named() {
    for (what, locate, fields, code) in [
        ("memory, and dies", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable", "", "plugin_memory"),
        ("memory at once", "(if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1)) (then unreachable)) i32.const 0", "", "plugin_memory"),
        (
            "a table",
            "(if (i32.eq (table.grow 0 (ref.null func) (i32.const 1000000000)) (i32.const -1)) (then unreachable)) i32.const 0",
            "(table 1 funcref)",
            "plugin_memory",
        ),
        ("copes, and traps for another reason it cannot hide", "(drop (memory.grow (i32.const 65000))) i32.const 0x100", "", ""),
    ] {
        let plugin = Guest { locate, fields, data: plan(0), ..Guest::default() }.load(quick()).await;
        let outcome = located(&plugin).await.err().map(|error| error.code().to_owned());
        assert_eq!(outcome.unwrap_or_default(), code, "{what}");
    }
}

#[tokio::test]
async fn p05_p07_traps_are_the_plugins_fault_and_the_next_call_is_fresh() {
    for (what, locate, fields) in [
        ("unreachable", "unreachable", ""),
        ("division by zero", "(i32.div_u (i32.const 1) (i32.const 0))", ""),
        ("out of bounds", "(i32.load (i32.const 0xffff_fff0))", ""),
        ("endless recursion", "(call $deeper)", "(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))"),
    ] {
        let fields = format!("{fields} (global $calls (mut i32) (i32.const 0))");
        let plugin = Guest {
            locate,
            fields: &fields,
            normalize: "(global.set $calls (i32.const 1)) i32.const 0x100",
            data: vec![(0x100, words(&[0, 0x200, 2])), (0x200, b"{}".to_vec())],
            ..Guest::default()
        }
        .load(quick())
        .await;
        for _ in 0..3 {
            let error = fault(&plugin).await;
            assert_eq!((error.kind(), error.code()), (Kind::PluginFault, "plugin_trap"), "{what}");
            assert_eq!(plugin.normalize(&org(), &serde_json::json!({})).await.unwrap(), serde_json::json!({}), "after: {what}");
        }
    }
}

#[tokio::test]
async fn p08_nothing_survives_from_one_call_to_the_next() {
    // The first word of memory at 0x700 counts calls; the answer is an error when it was not 0.
    let locate =
        "(if (i32.load (i32.const 0x700)) (then unreachable)) (i32.store (i32.const 0x700) (i32.const 1)) (drop (memory.grow (i32.const 1))) i32.const 0x100";
    let plugin = Guest { locate, data: plan(0), ..Guest::default() }.load(quick()).await;
    for _ in 0..200 {
        located(&plugin).await.unwrap();
    }
}

#[tokio::test]
async fn p06_an_answer_that_is_too_large_is_refused() {
    // A list of 400,000 empty locations fits the guest's memory, not what the host lifts.
    let locate = "(drop (memory.grow (i32.const 900))) i32.const 0x100";
    let data = vec![(0x100, words(&[0, 0x200, 0, 0x10000, 400_000]))];
    let error = fault(&*Guest { locate, data, ..Guest::default() }.load(quick()).await).await;
    assert_eq!((error.kind(), error.code()), (Kind::PluginFault, "output_too_large"));

    let normalize = "(drop (memory.grow (i32.const 900))) i32.const 0x100";
    let data = vec![(0x100, words(&[0, 0x10000, 5 << 20]))];
    let plugin = Guest { normalize, data, ..Guest::default() }.load(quick()).await;
    assert_eq!(plugin.normalize(&org(), &serde_json::json!({})).await.err().unwrap().code(), "output_too_large");
}

#[tokio::test]
async fn p09_a_flood_of_log_lines_ends_in_a_good_answer() {
    let imports = r#"(import "portcullis:connector/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
    let locate = "(local $i i32) (loop $more (call $log (i32.const 1) (i32.const 0x1000) (i32.const 0xE000)) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $more (i32.lt_u (local.get $i) (i32.const 200)))) i32.const 0x100";
    let plugin = Guest { imports, locate, data: plan(0), ..Guest::default() }.load(Limits::default()).await;
    assert!(located(&plugin).await.is_ok());
    let too_long = Guest {
        imports,
        locate: "(drop (memory.grow (i32.const 900))) (call $log (i32.const 1) (i32.const 0x2_0000) (i32.const 0x500000)) i32.const 0x100",
        data: plan(0),
        ..Guest::default()
    };
    assert_eq!(fault(&*too_long.load(quick()).await).await.code(), "output_too_large", "a line of 5 MiB");
}

/// `aws.acquire` with the anonymous credential; its result lies at 0x600: `tag, 0, 0, 0, kind`.
const ACQUIRE: &str = r#"(import "portcullis:connector/aws@0.1.0" "acquire" (func $acquire (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;

fn acquire() -> String {
    format!("(call $acquire {} (i32.const 0x600))", "(i32.const 0)".repeat(13))
}

async fn load_with_aws(guest: &Guest<'_>) -> Arc<Plugin> {
    runtime(quick()).load(&guest.component(), &BTreeSet::from([Capability::Aws])).await.unwrap()
}

#[tokio::test]
async fn b01_nobody_reaches_the_broker_while_it_plans() {
    let (error, denied) = (1, 2);
    let acquire = acquire();
    let locate = format!(
        "{acquire} (if (i32.ne (i32.load8_u (i32.const 0x600)) (i32.const {error})) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 0x604)) (i32.const {denied})) (then unreachable)) i32.const 0x100"
    );
    let plugin = load_with_aws(&Guest { imports: ACQUIRE, locate: &locate, data: plan(0), ..Guest::default() }).await;
    located(&plugin).await.expect("the guest is told 'denied' and goes on");
}

#[tokio::test]
async fn p09_host_calls_are_counted() {
    for (calls, code) in [(64, ""), (65, "host_calls_exceeded")] {
        let locate = format!("{} i32.const 0x100", acquire().repeat(calls));
        let plugin = load_with_aws(&Guest { imports: ACQUIRE, locate: &locate, data: plan(0), ..Guest::default() }).await;
        assert_eq!(located(&plugin).await.err().map(|error| error.code().to_owned()).unwrap_or_default(), code, "{calls} calls");
    }
}

#[tokio::test]
async fn p26_calls_beyond_the_slots_wait_and_are_then_told_busy() {
    let limits = Limits { cpu: Duration::from_millis(1800), concurrency: 1, ..Limits::default() };
    let plugin = Guest { locate: LOOP, ..Guest::default() }.load(limits).await;
    let calls: Vec<_> = (0..2).map(|_| fault(&plugin)).collect();
    let mut codes: Vec<_> = futures_util::future::join_all(calls).await.iter().map(|error| error.code().to_owned()).collect();
    codes.sort();
    assert_eq!(codes, ["plugin_deadline", "plugins_busy"]);
}

#[tokio::test]
async fn p29_a_call_that_is_given_up_leaves_its_slot() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let plugin = Guest { locate: LOOP, normalize: "i32.const 0x100", data: vec![(0x100, words(&[0, 0x200, 2])), (0x200, b"{}".to_vec())], ..Guest::default() }
        .load(limits)
        .await;
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_millis(15), located(&plugin)).await;
        assert!(given_up.is_err());
        assert!(plugin.normalize(&org(), &serde_json::json!({})).await.is_ok());
    }
}

#[tokio::test]
async fn batches_are_bounded() {
    let plugin = Guest { locate: "i32.const 0x100", data: plan(0), ..Guest::default() }.load(quick()).await;
    for sources in [Vec::new(), vec!["s3://abc/k"; 1001]] {
        assert_eq!(plugin.locate(&org(), "{}", &sources).await.err().unwrap().code(), "invalid_batch");
    }
}
