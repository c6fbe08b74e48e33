//! Two hundred installed plugins: what each takes of the gateway's memory while nobody calls it, and how long a start with all of them takes.
//! The gateway is the binary of the same profile, with a data folder of its own.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made stops, and what it found is printed")]

use std::time::{Duration, Instant};

use http::Method;
use portcullis_tests::component::named;
use portcullis_tests::gateway::{Gateway, Given};
use serde_json::json;

const PLUGINS: u64 = 200;
const STARTS: usize = 5;
const BAR: Duration = Duration::from_secs(2);
/// None of them looks like another one of them.
const LETTERS: &[u8] = b"abdefghjkmpqstuz";

/// Twelve letters: two of them, over and over, say which it is.
fn id(number: usize) -> String {
    let pick = |at: usize| LETTERS.get(at % LETTERS.len()).copied().map(char::from).unwrap();
    let (one, two) = (pick(number), pick(number / LETTERS.len()));
    format!("plug_{}{one}", format!("{one}{two}").repeat(3))
}

/// `how`: kills and starts it again. Milliseconds until it is healthy, the median of some starts, and the resident bytes after the last.
async fn start(gateway: &mut Gateway) -> (Duration, u64) {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        gateway.kill();
        let started = Instant::now();
        gateway.restart().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    (times.get(STARTS / 2).copied().unwrap(), gateway.memory())
}

async fn install(gateway: &Gateway) {
    let api = gateway.api();
    for number in 0..usize::try_from(PLUGINS).unwrap() {
        let id = id(number);
        let offered = api.send(Method::POST, "/api/v1/plugins", &[("content-type", "application/wasm")], Some(named(&id))).await.expect(201);
        let grant = json!({"digest": offered["digest"], "capabilities": offered["imports"], "egress": offered["egress"]});
        api.post(&format!("/api/v1/plugins/{id}/grant"), &grant).await.expect(200);
    }
}

#[tokio::main]
async fn main() {
    let mut gateway = Given::default().start().await;
    let (bare_time, bare_memory) = start(&mut gateway).await;
    let installing = Instant::now();
    install(&gateway).await;
    let installed = installing.elapsed() / u32::try_from(PLUGINS).unwrap();
    let (time, memory) = start(&mut gateway).await;
    let each = memory.saturating_sub(bare_memory) / PLUGINS;
    println!("{PLUGINS} installed plugins, each as large as https_bearer; medians of {STARTS} starts");
    println!("  install (upload, compile, grant)   {:>8} ms each", installed.as_millis());
    println!("  idle memory                        {:>8} KiB each   ({} MiB with them, {} MiB without)", each >> 10, memory >> 20, bare_memory >> 20);
    let met = if time <= BAR { "met" } else { "MISSED" };
    println!("  start until it is healthy          {:>8} ms        ({} ms without)   bar 2000 ms: {met}", time.as_millis(), bare_time.as_millis());
}
