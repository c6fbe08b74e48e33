//! What the sandbox costs: `locate` of `aws_iam_role` in a fresh instance for each call, and for each path of a batch, beside the same
//! function run natively. All in one interleaved run, since only ratios of one run can be compared.
//!
//! The function alone is what the bar is about. What it takes to judge its answer natively is a line of its own, since the sandboxed side ends with
//! a plan in the host's own nouns, each of them valid: the rest is what the boundary costs, mostly a string's way in and out again.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made stops, and what it found is printed")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use connector_aws_iam_role::plan::{AwsIamRole, Settings};
use mimalloc::MiMalloc;
use portcullis::model::{self, BucketName, Capability, Location, ObjectKey, OrgId, Region, S3Object};
use portcullis::runtime::{Compiler, Limits, Plugin, Runtime, RuntimeConfig};
use portcullis_plugin::{Connector, Plan, Target};

/// As the gateway has it.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

const ROUNDS: usize = 9;
const SLICE: Duration = Duration::from_millis(80);
const BATCH: usize = 1000;
const SETTINGS: &str =
    r#"{"bucket_name":"customer-assets","iam_role_arn":"arn:aws:iam::123456789012:role/PortcullisRead","region":"eu-west-1","scope":"s3","session_ttl":3600}"#;

/// How often `work` runs in a slice: calls a second.
fn rate(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < SLICE {
        work();
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

/// The same on `threads` threads at once, each with a runtime of its own: calls a second, together.
fn rate_on(threads: usize, plugin: &Arc<Plugin>, sources: &[String]) -> f64 {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| sandboxed(plugin, sources, || _ = start.wait()))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    })
}

fn sandboxed(plugin: &Plugin, sources: &[String], ready: impl FnOnce()) -> f64 {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sources: Vec<_> = sources.iter().map(String::as_str).collect();
    let org = OrgId::new("studio").unwrap();
    ready();
    rate(|| assert_eq!(tokio.block_on(plugin.locate(&org, SETTINGS, &sources)).unwrap().locations.len(), sources.len()))
}

/// Settings parsed once for each call, as in the guest.
fn planned(sources: &[String]) -> Plan {
    let settings: Settings = serde_json::from_str(black_box(SETTINGS)).unwrap();
    AwsIamRole::locate(&settings, black_box(sources)).unwrap()
}

/// What `runtime` makes of a guest's answer, of an answer that is here already.
fn judged(plan: Plan) -> Vec<Location> {
    let lifted = plan.locations.into_iter().map(|location| {
        let location = location.unwrap();
        let Target::S3(object) = location.target else { unreachable!("an object of S3") };
        let target = model::Target::S3(S3Object {
            bucket: BucketName::new(object.bucket).unwrap(),
            key: ObjectKey::new(object.key).unwrap(),
            region: object.region.map(Region::new).transpose().unwrap(),
            version_id: object.version_id,
        });
        Location { target, credential: usize::try_from(location.credential).unwrap() }
    });
    lifted.collect()
}

fn load() -> Arc<Plugin> {
    // <target>/<profile>/deps/<this>
    let target = std::env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap();
    let component = target.join("components/aws_iam_role.wasm");
    let wasm = std::fs::read(&component).unwrap_or_else(|error| {
        println!("{}: {error}; run `make components`", component.display());
        std::process::exit(1)
    });
    let runtime = Runtime::new(RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] }, None).unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(runtime.load(&wasm, &BTreeSet::from([Capability::Aws, Capability::Http]))).unwrap()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap()
}

fn main() {
    let plugin = load();
    let batch: Vec<_> = (0..BATCH).map(|number| format!("s3://customer-assets/videos/2026/11/21/clip {number:06}.mp4")).collect();
    let (one, _) = batch.split_at(1);
    let mut rates: [Vec<f64>; 7] = Default::default();
    for round in 0..=ROUNDS {
        let found = [
            rate(|| assert_eq!(planned(one).locations.len(), one.len())),
            rate(|| assert_eq!(judged(planned(one)).len(), one.len())),
            rate_on(1, &plugin, one),
            rate(|| assert_eq!(planned(&batch).locations.len(), batch.len())),
            rate(|| assert_eq!(judged(planned(&batch)).len(), batch.len())),
            rate_on(1, &plugin, &batch),
            rate_on(2, &plugin, one),
        ];
        // The first round warms up.
        if round > 0 {
            rates.iter_mut().zip(found).for_each(|(all, rate)| all.push(rate));
        }
    }
    let [sdk_one, native_one, fresh, sdk_batch, native_batch, in_batch, fresh_on_two] = rates.map(|mut rates| median(&mut rates));
    let bar = |met: bool| if met { "met" } else { "MISSED" };
    let line = |what: &str, rate: f64, paths: usize, native: f64, note: &str| {
        let nanoseconds = 1e9 / rate / f64::from(u32::try_from(paths).unwrap());
        println!("  {what:34} {nanoseconds:>8.0} ns   {:>6.2} x native{note}", native / rate);
    };

    println!("locate of aws_iam_role, medians of {ROUNDS} interleaved rounds of {} ms", SLICE.as_millis());
    println!(" one path, for each call");
    line("native", sdk_one, 1, sdk_one, "");
    line("native, and its plan judged", native_one, 1, sdk_one, "");
    let met = bar(1e9 / fresh <= 20_000.0);
    line("in the sandbox, fresh instance", fresh, 1, sdk_one, &format!("   bar 20 us: {met}"));
    println!(" {BATCH} paths in a call, for each path");
    line("native", sdk_batch, BATCH, sdk_batch, "");
    line("native, and its plan judged", native_batch, BATCH, sdk_batch, "");
    let met = bar(sdk_batch / in_batch <= 2.0);
    line("in the sandbox, fresh instance", in_batch, BATCH, sdk_batch, &format!("   bar 2 x: {met}"));
    println!(" one path, fresh instance, 2 threads: {fresh_on_two:.0} calls/s, {:.2} x one thread", fresh_on_two / fresh);
}
