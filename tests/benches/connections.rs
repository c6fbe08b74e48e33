//! What a connection costs among 100,000: create, find by name, test and list, the last thousand beside the first. Against the real gateway
//! in a process of its own, and our double of an https origin.
//!
//! Memory grows until the cache of the store is full (some tens of thousands of connections), and then by the store's table of pages: so it is told for
//! the second half, too. `CONNECTIONS=5000` makes fewer.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made stops, and what it found is printed")]

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::stream::{StreamExt as _, iter};
use portcullis_tests::api::Api;
use portcullis_tests::gateway::Given;
use portcullis_tests::origin::Origin;
use serde_json::{Value, json};

const THOUSAND: usize = 1000;
/// The writers share one fsync.
const AT_ONCE: usize = 32;
const MOST: f64 = 1.5;
const CONNECTIONS: &str = "/api/v1/connections";

fn name(number: usize) -> String {
    format!("connection_{number:06}")
}

/// A thousand, beginning with `from`: how long they took.
async fn thousand<Work: Future<Output = ()>>(from: usize, work: impl Fn(usize) -> Work) -> Duration {
    let started = Instant::now();
    iter(from..from + THOUSAND).map(work).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    started.elapsed()
}

struct Costs {
    find: Duration,
    test: Duration,
    page: Duration,
    memory: u64,
}

/// Of the thousand that begin with `from`, among as many as there are.
async fn costs(api: &Api, from: usize, memory: u64) -> Costs {
    let find = thousand(from, |number| async move {
        api.get(&format!("{CONNECTIONS}/{}", name(number))).await.expect(200);
    });
    let find = find.await;
    let test = thousand(from, |number| async move {
        let tested = api.post(&format!("{CONNECTIONS}/{}/test", name(number)), &json!({})).await.expect(200);
        assert_eq!(tested["status"], "ready", "{tested}");
    });
    let test = test.await;
    // The pages that hold them: everything before is passed over.
    let (mut cursor, mut last) = (None::<String>, Vec::new());
    loop {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let started = Instant::now();
        let page = api.get(&format!("{CONNECTIONS}?type=https_bearer&limit=500{more}")).await.expect(200);
        last.push(started.elapsed());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let page = last.iter().rev().take(2).sum();
    Costs { find, test, page, memory }
}

fn main() -> ExitCode {
    let count: usize = std::env::var("CONNECTIONS").ok().map_or(100_000, |text| text.parse().unwrap());
    assert!(count >= 2 * THOUSAND && count.is_multiple_of(THOUSAND), "CONNECTIONS is a number of thousands, two or more");
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(count))
}

/// Ends by returning, so that the gateway ends with it.
async fn run(count: usize) -> ExitCode {
    let origin = Origin::start().await;
    origin.put("/bearer/a.txt", "a");
    let gateway = Given::default().origin(&origin).start().await;
    let api = gateway.api();
    let body = |number: usize| -> Value {
        let config = json!({"hostname": "localhost", "port": origin.port(), "bearer_token": origin.settings().token});
        json!({"name": name(number), "type": "https_bearer", "config": config, "test_location": origin.url("/bearer/a.txt")})
    };
    let create = async |from: usize| {
        let made = thousand(from, |number| {
            let (api, body) = (&api, body(number));
            async move {
                let made = api.post(CONNECTIONS, &body).await.expect(201);
                assert_eq!(made["status"], "ready", "{made}");
            }
        });
        made.await
    };
    let empty = gateway.memory();
    let started = Instant::now();
    let first = create(0).await;
    let before = costs(&api, 0, gateway.memory()).await;
    let middle = count / 2 / THOUSAND * THOUSAND;
    let (mut last, mut half) = (first, before.memory);
    for from in (THOUSAND..count).step_by(THOUSAND) {
        last = create(from).await;
        if from == middle {
            half = gateway.memory();
        }
        if from % (count / 10) == 0 {
            println!("  {from:>7} made, {:>4} s, the last thousand in {last:.2?}, {} MiB", started.elapsed().as_secs(), gateway.memory() >> 20);
        }
    }
    let after = costs(&api, count - THOUSAND, gateway.memory()).await;
    println!("{count} connections, {AT_ONCE} requests at once: the first thousand, and the last");
    let mut met = true;
    for (what, first, last) in [
        ("create and test", first, last),
        ("find by name", before.find, after.find),
        ("test", before.test, after.test),
        ("list, by pages of 500", before.page, after.page),
    ] {
        let ratio = last.as_secs_f64() / first.as_secs_f64();
        met = met && ratio <= MOST;
        println!("  {what:<22} {:>8.0} ms {:>8.0} ms   {ratio:>5.2} x   bar {MOST} x: {}", ms(first), ms(last), if ratio <= MOST { "met" } else { "MISSED" });
    }
    let each = (after.memory.saturating_sub(before.memory)) / u64::try_from(count - THOUSAND).unwrap();
    let later = (after.memory.saturating_sub(half)) / u64::try_from(count - middle).unwrap();
    let [empty, thousand, half, all] = [empty, before.memory, half, after.memory].map(|bytes| bytes >> 20);
    println!(
        "  memory: {empty} MiB empty, {thousand} MiB with a thousand, {half} MiB with half, {all} MiB with all: {each} bytes each, {later} in the second half"
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
