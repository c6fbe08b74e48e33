//! Jobs from beginning to end, on paused time: what fails, what is tried again, what a crash leaves.

mod fakes;

use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;

use super::IngestConfig;
use super::records::ItemRecord;
use crate::model::{AssetId, AssetState, DatasetId, Error, Item, Job, JobId, JobState, Metadata, SourcePath, Timestamp};
use crate::store::{Expect, Op, Store};
use fakes::{Answer, CONNECTION, World, org, submission};

pub(super) fn job(total: u32) -> Job {
    Job {
        id: JobId(uuid::Uuid::from_u128(1)),
        org: org("acme"),
        dataset: DatasetId::new("d1").unwrap(),
        connection: CONNECTION,
        connection_revision: 1,
        state: JobState::Pending,
        total,
        processed: 0,
        errored: 0,
        bytes: 0,
        created_at: Timestamp::from_millis(0),
        started_at: None,
        finished_at: None,
        error: None,
    }
}

pub(super) fn item(index: u32) -> ItemRecord {
    let source_path = SourcePath::new(format!("s3://b/{index}")).unwrap();
    let item = Item {
        job: JobId(uuid::Uuid::from_u128(1)),
        index,
        asset: AssetId::of(&org("acme"), &DatasetId::new("d1").unwrap(), &source_path),
        source_path,
        metadata: Metadata::new(),
        state: AssetState::Pending,
        attempts: 0,
        error: None,
        stored: None,
        updated_at: Timestamp::from_millis(0),
    };
    ItemRecord { item, same_as: None }
}

fn bytes(path: &str) -> Answer {
    Answer::Bytes(path.chars().rev().take(5).collect())
}
fn busy() -> Error {
    Error::unavailable("upstream_unavailable", "503")
}
fn ok() -> (AssetState, Option<String>) {
    (AssetState::Completed, None)
}
fn error(code: &str) -> (AssetState, Option<String>) {
    (AssetState::Error, Some(code.to_owned()))
}
fn paths(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("s3://b/{n}")).collect()
}
fn strs(paths: &[String]) -> Vec<&str> {
    paths.iter().map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn c13_what_cannot_be_accepted_is_not_stored() {
    let world = World::new(|path, _| bytes(path)).await;
    let too_many = paths(10_001);
    let other = super::Submission { connection: Some("none".to_owned()), ..submission(&["s3://b/1"]) };
    for (what, request, code) in [
        ("no assets", submission(&[]), "invalid_field"),
        ("10,001 assets", submission(&strs(&too_many)), "too_many_assets"),
        ("an unknown connection", other, "connection_not_found"),
    ] {
        assert_eq!(world.engine.submit(&world.acme, request).await.expect_err(what).code(), code, "{what}");
    }
    assert!(world.store.scan("", None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn o01_an_organization_has_a_limited_number_of_unfinished_jobs() {
    let world = World::new(|path, _| if path.ends_with("hang") { Answer::Hang } else { bytes(path) }).await;
    for _ in 0..3 {
        world.submit(&["s3://b/hang"]).await;
    }
    let refused = world.engine.submit(&world.acme, submission(&["s3://b/1"])).await.expect_err("the fourth");
    assert_eq!((refused.code(), refused.retry_after()), ("too_many_jobs", Some(10)));
    world.engine.submit(&org("rival"), submission(&["s3://b/1"])).await.expect("another organization's is accepted");
    let world = World::new(|path, _| bytes(path)).await;
    for _ in 0..5 {
        let job = world.submit(&["s3://b/1"]).await;
        world.ended(job.id).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn c35_each_failed_item_says_why_and_the_others_complete() {
    let world = World::new(|path, _| match path {
        "s3://b/gone" => Answer::Fail(Error::not_found("file_not_found", "no such key")),
        "s3://b/denied" => Answer::Fail(Error::rejected("permission_denied", "403")),
        "ftp://b/x" => Answer::FailToPlan(Error::invalid("unsupported_uri_scheme", "ftp is not spoken here")),
        "https://other/x" => Answer::FailToPlan(Error::denied("scope_violation", "outside")),
        "s3://b/huge" => Answer::Promised(11),
        "s3://b/endless" => Answer::Bytes("12345678901".to_owned()),
        "s3://b/panics" => Answer::Panic,
        "s3://b/limit" => Answer::Bytes("1234567890".to_owned()),
        path => bytes(path),
    })
    .await;
    let job = world
        .submit(&["s3://b/1", "s3://b/gone", "s3://b/denied", "ftp://b/x", "https://other/x", "s3://b/huge", "s3://b/endless", "s3://b/panics", "s3://b/limit"])
        .await;
    let ended = world.ended(job.id).await;
    let expected = [
        ok(),
        error("file_not_found"),
        error("permission_denied"),
        error("unsupported_uri_scheme"),
        error("scope_violation"),
        error("file_too_large"),
        error("file_too_large"),
        error("item_panicked"),
        ok(),
    ];
    assert_eq!(world.outcomes(job.id).await, expected);
    assert_eq!((ended.state, ended.processed, ended.errored, ended.bytes), (JobState::Completed, 9, 7, 15));
    assert_eq!((world.asked("s3://b/gone"), world.sink.puts.lock().unwrap().len()), (1, 2));
    world.agrees(job.id).await;
}

#[tokio::test(start_paused = true)]
async fn c36_u01_temporary_failures_are_tried_again() {
    let world = World::new(|path, before| match path {
        "s3://b/twice" if before < 2 => Answer::Fail(busy()),
        "s3://b/always" => Answer::Fail(busy()),
        "s3://b/unplannable" => Answer::FailToPlan(busy()),
        path => bytes(path),
    })
    .await;
    let job = world.submit(&["s3://b/twice", "s3://b/always", "s3://b/unplannable", "s3://b/1"]).await;
    world.ended(job.id).await;
    assert_eq!(world.outcomes(job.id).await, [ok(), error("upstream_unavailable"), error("upstream_unavailable"), ok()]);
    assert_eq!((world.asked("s3://b/twice"), world.asked("s3://b/always")), (3, 3));
    let items = world.engine.items(&world.acme, job.id, None, None, 10).await.unwrap();
    assert_eq!(items.iter().map(|item| item.attempts).collect::<Vec<_>>(), [3, 3, 3, 1]);
    world.agrees(job.id).await;
}

#[tokio::test(start_paused = true)]
async fn u02_a_remote_that_asks_for_time_gets_it() {
    let world = World::with(IngestConfig { concurrency: 1, ..IngestConfig::default() }, |path, before| match path {
        "s3://b/0" if before == 0 => Answer::Fail(busy().with_retry_after(7)),
        path => bytes(path),
    })
    .await;
    let job = world.submit(&strs(&paths(5))).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.source.asked.lock().unwrap().values().sum::<u32>(), 1, "nothing else is asked of it meanwhile");
    let item = world.engine.items(&world.acme, job.id, None, None, 1).await.unwrap().remove(0);
    assert_eq!((item.state, item.attempts, item.error.map(|error| error.code)), (AssetState::Pending, 1, Some("upstream_unavailable".to_owned())));
    assert_eq!(world.ended(job.id).await.errored, 0);
}

#[tokio::test(start_paused = true)]
async fn a08_a_connection_that_changed_serves_no_job_that_was_accepted_before() {
    let world = World::new(|path, _| if path.ends_with("/0") { Answer::Fail(busy()) } else { bytes(path) }).await;
    let job = world.submit(&strs(&paths(3))).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.source.revision.store(2, Ordering::SeqCst);
    world.ended(job.id).await;
    assert_eq!(world.outcomes(job.id).await, [error("connection_changed"), ok(), ok()]);
    let job = world.submit(&["s3://b/1"]).await;
    assert_eq!((world.ended(job.id).await.errored, job.connection_revision), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn o08_one_asset_10000_times_is_fetched_once() {
    let world = World::new(|path, before| if before == 0 { Answer::Fail(busy()) } else { bytes(path) }).await;
    let job = world.submit(&["s3://b/1"; 10_000]).await;
    let ended = world.ended(job.id).await;
    assert_eq!((ended.processed, ended.errored, ended.bytes, world.asked("s3://b/1")), (10_000, 0, 5, 2));
    world.agrees(job.id).await;
    let world = World::new(|path, _| if path.ends_with('1') { Answer::Fail(Error::not_found("file_not_found", "gone")) } else { bytes(path) }).await;
    let job = world.submit(&["s3://b/1", "s3://b/2", "s3://b/1", "s3://b/2"]).await;
    world.ended(job.id).await;
    assert_eq!(world.outcomes(job.id).await, [error("file_not_found"), ok(), error("file_not_found"), ok()]);
}

#[tokio::test(start_paused = true)]
async fn c38_unchanged_content_is_not_fetched_again() {
    let world = World::new(|path, _| bytes(path)).await;
    for (puts, records) in [(1, 0), (1, 1)] {
        let job = world.submit(&["s3://b/1"]).await;
        assert_eq!(world.ended(job.id).await.errored, 0);
        let asset = world.engine.items(&world.acme, job.id, None, None, 1).await.unwrap().remove(0).asset;
        assert_eq!((world.sink.puts.lock().unwrap()[&asset], world.sink.records.load(Ordering::SeqCst)), (puts, records));
        let asset = world.engine.records.known_asset(&world.acme, asset).await.unwrap();
        assert_eq!((asset.version, asset.job, asset.state), (1, job.id, AssetState::Completed));
    }
    world.sink.lost.store(true, Ordering::SeqCst);
    let job = world.submit(&["s3://b/1"]).await;
    world.ended(job.id).await;
    assert_eq!(world.sink.puts.lock().unwrap().values().sum::<u32>(), 2, "what the sink lost is fetched again");
}

#[tokio::test(start_paused = true)]
async fn c05_a19_an_id_names_one_job() {
    let mut world = World::new(|path, _| bytes(path)).await;
    for count in [1, 2000] {
        let paths = paths(count);
        let request = submission(&strs(&paths));
        let again = || world.engine.submit(&world.acme, request.clone());
        let (one, two) = tokio::join!(again(), again());
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.code().to_owned()).collect();
        assert_eq!(refused, ["job_exists"], "{count} assets");
        assert_eq!(world.ended(request.id).await.processed as usize, count);
        world.kill_and_restart().await;
        assert_eq!(world.engine.submit(&world.acme, request.clone()).await.expect_err("taken").code(), "job_exists");
        assert_eq!(world.engine.submit(&org("rival"), request.clone()).await.expect("their own").id, request.id);
        world.agrees(request.id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn c04_a_submission_that_was_cut_off_leaves_nothing() {
    let paths = paths(3000);
    for cut in 1..=5 {
        let mut world = World::new(|path, _| bytes(path)).await;
        world.store.fail_at.store(cut, Ordering::SeqCst);
        assert_eq!(world.engine.submit(&world.acme, submission(&strs(&paths))).await.expect_err("cut off").code(), "store_failed", "write {cut}");
        world.kill_and_restart().await;
        // An odd write is lost, an even one is done though its writer was told otherwise; only the last one makes the job.
        let keys: Vec<String> = world.store.scan("", None, 10).await.unwrap().into_iter().map(|(key, _)| key).collect();
        assert!(keys.is_empty(), "write {cut}: {keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c04_items_without_a_job_are_swept_at_a_start() {
    let mut world = World::new(|path, _| bytes(path)).await;
    let id = JobId(uuid::Uuid::from_u128(9));
    let put = |key: String, value: &'static str| Op::Put { key, value: value.into(), expect: Expect::Absent };
    let orphans = (0..999).map(|index| put(format!("items/acme/{id}/{index:05}"), "null")).collect();
    world.store.apply(orphans).await.unwrap();
    world.store.apply(vec![put(format!("jobs-draft/acme/{id}"), "null"), put(format!("items/acme-2/{id}/00000"), "null")]).await.unwrap();
    world.kill_and_restart().await;
    let left = world.store.scan("", None, 10).await.unwrap();
    assert_eq!(left.len(), 1, "and nobody else's are: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn c13_a_stop_waits_for_what_is_in_flight_and_a_start_goes_on() {
    let mut world = World::with(IngestConfig { concurrency: 4, ..IngestConfig::default() }, |path, _| bytes(path)).await;
    let job = world.submit(&strs(&paths(100))).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.engine.drain().await;
    let stopped = world.job(job.id).await;
    let asked = world.source.asked.lock().unwrap().len();
    assert!(stopped.state == JobState::InProgress && (4..100).contains(&asked), "{asked}");
    assert_eq!(stopped.processed as usize, asked, "all that was begun was written down");
    assert_eq!(world.engine.submit(&world.acme, submission(&["s3://b/1"])).await.expect_err("stopped").code(), "shutting_down");
    world.kill_and_restart().await;
    assert_eq!(world.ended(job.id).await.processed, 100);
    assert_eq!(world.source.asked.lock().unwrap().values().sum::<u32>(), 100, "nothing was fetched twice");
    world.agrees(job.id).await;
}

#[tokio::test(start_paused = true)]
async fn c13_a_stop_leaves_what_hangs_and_a_drain_waits_for_it() {
    let world = World::new(|_, _| Answer::Hang).await;
    world.submit(&["s3://b/1"]).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(tokio::time::timeout(Duration::from_secs(30), world.engine.drain()).await.is_err());
    let begun = tokio::time::Instant::now();
    world.engine.stop().await;
    assert!(begun.elapsed().as_secs() < 1);
}

#[tokio::test(start_paused = true)]
async fn c19_a_job_that_cannot_be_worked_on_is_given_up_and_the_next_goes_on() {
    let world = World::new(|path, _| bytes(path)).await;
    let job = world.submit(&["s3://b/1", "s3://b/2"]).await;
    // Before anybody has worked on it.
    let key = format!("items/acme/{}/00001", job.id);
    world.store.apply(vec![Op::Put { key, value: "damaged".into(), expect: Expect::Any }]).await.unwrap();
    let ended = world.ended(job.id).await;
    assert_eq!((ended.state, ended.error.map(|error| error.code).as_deref()), (JobState::Failed, Some("store_corrupt")));
    let next = world.submit(&["s3://b/1"]).await;
    assert_eq!(world.ended(next.id).await.state, JobState::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_items_costs_one_plan_and_fetches_are_bounded() {
    let world = World::with(IngestConfig { concurrency: 7, ..IngestConfig::default() }, |path, _| bytes(path)).await;
    let job = world.submit(&strs(&paths(1200))).await;
    world.ended(job.id).await;
    assert_eq!((world.source.plans.load(Ordering::SeqCst), world.source.open_most.load(Ordering::SeqCst)), (3, 7));
    assert!(world.store.writes.load(Ordering::SeqCst) < 60, "ends are written in groups");
}

#[tokio::test(start_paused = true)]
async fn o01_a_large_job_does_not_hold_up_another_organization() {
    let world = World::with(IngestConfig { concurrency: 2, ..IngestConfig::default() }, |path, _| bytes(path)).await;
    world.submit(&strs(&paths(500))).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    let before = world.source.order.lock().unwrap().len();
    world.engine.submit(&org("rival"), submission(&strs(&paths(20)))).await.expect("accepted");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let order = world.source.order.lock().unwrap().clone();
    let last = order.iter().rposition(|org| org == "rival").expect("served");
    let (theirs, all) = (order.iter().filter(|org| *org == "rival").count(), last - before);
    assert_eq!(theirs, 20);
    assert!(all <= 2 * 20 + 4, "every second turn is theirs: {all}");
}

#[tokio::test(start_paused = true)]
async fn o01_a_job_that_waits_does_not_hold_up_the_next() {
    let world = World::new(|path, _| if path.ends_with("busy") { Answer::Fail(busy().with_retry_after(600)) } else { bytes(path) }).await;
    world.submit(&["s3://b/busy"]).await;
    let next = world.submit(&["s3://b/1"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.job(next.id).await.state, JobState::Completed);
}

#[tokio::test(start_paused = true)]
async fn c34_items_and_jobs_are_listed_in_pages_and_by_state() {
    let world = World::new(|path, _| match path {
        path if path.ends_with('3') => Answer::Fail(Error::not_found("file_not_found", "gone")),
        path if path.ends_with("hang") => Answer::Hang,
        path => bytes(path),
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let job = world.submit(&strs(&paths(20))).await;
        world.ended(job.id).await;
        ids.push(job.id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hangs = world.submit(&["s3://b/hang"]).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let items = |state, after, limit| world.engine.items(&world.acme, ids[0], state, after, limit);
    let indexes = |items: Vec<Item>| items.into_iter().map(|item| item.index).collect::<Vec<_>>();
    assert_eq!(indexes(items(Some(AssetState::Error), None, 10).await.unwrap()), [3, 13]);
    assert_eq!(indexes(items(Some(AssetState::Error), Some(3), 10).await.unwrap()), [13]);
    assert_eq!(indexes(items(None, Some(17), 10).await.unwrap()), [18, 19]);
    assert!(items(Some(AssetState::Pending), None, 10).await.unwrap().is_empty());
    let flying = world.engine.items(&world.acme, hangs.id, Some(AssetState::InProgress), None, 10).await.unwrap();
    assert_eq!(flying.len(), 1, "an item that is fetched just now is in progress");

    let jobs = |state, after| world.engine.records.jobs(&world.acme, state, after, 2);
    let (newest, next) = jobs(None, None).await.unwrap();
    assert_eq!(newest.iter().map(|job| job.id).collect::<Vec<_>>(), [hangs.id, ids[2]]);
    let (oldest, end) = jobs(None, next.as_deref()).await.unwrap();
    assert_eq!(oldest.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert!(jobs(None, end.as_deref()).await.unwrap().0.is_empty());
    let (completed, next) = jobs(Some(JobState::Completed), None).await.unwrap();
    assert_eq!(completed.len(), 2);
    assert_eq!(jobs(Some(JobState::Completed), next.as_deref()).await.unwrap().0.len(), 1);
    assert_eq!(jobs(None, Some("x")).await.expect_err("no cursor").code(), "invalid_cursor");
}

#[tokio::test(start_paused = true)]
async fn a04_another_organizations_jobs_and_assets_are_not_found() {
    let world = World::new(|path, _| bytes(path)).await;
    let job = world.submit(&["s3://b/1"]).await;
    world.ended(job.id).await;
    let asset = world.engine.items(&world.acme, job.id, None, None, 1).await.unwrap().remove(0).asset;
    for rival in [org("rival"), org("acm"), org("acme-2")] {
        assert_eq!(world.engine.records.job(&rival, job.id).await.expect_err("not theirs").code(), "job_not_found");
        assert_eq!(world.engine.items(&rival, job.id, None, None, 1).await.expect_err("not theirs").code(), "job_not_found");
        assert_eq!(world.engine.records.known_asset(&rival, asset).await.expect_err("not theirs").code(), "asset_not_found");
        assert!(world.engine.records.jobs(&rival, None, None, 10).await.unwrap().0.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Kills at random moments, remotes that fail at random, a store that fails now and then: each item ends once, all counters agree.
    #[test]
    fn c04_m29_each_item_ends_exactly_once(
        seed in any::<u64>(),
        count in 1_usize..600,
        kills in proptest::collection::vec(0_u64..400, 0..6),
        fail_every in prop_oneof![Just(0_u64), 3_u64..20],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let script = move |path: &str, before: u32| {
                let chance = blake3::hash(format!("{seed} {path} {before}").as_bytes()).as_bytes()[0];
                match chance {
                    0..40 => Answer::Fail(busy()),
                    40..45 => Answer::Fail(busy().with_retry_after(2)),
                    45..60 => Answer::Fail(Error::not_found("file_not_found", "gone")),
                    60..65 => Answer::FailToPlan(busy()),
                    65..70 => Answer::Panic,
                    _ => bytes(path),
                }
            };
            let mut world = World::with(IngestConfig { concurrency: 8, ..IngestConfig::default() }, script).await;
            let mut paths = paths(count);
            paths.extend(paths.iter().step_by(7).cloned().collect::<Vec<_>>());
            let (one, two) = (world.submit(&strs(&paths)).await, world.submit(&strs(&paths[..count])).await);
            world.store.fail_every.store(fail_every, Ordering::SeqCst);
            for wait in kills {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                world.kill_and_restart().await;
                for id in [one.id, two.id] {
                    let job = world.job(id).await;
                    assert!(job.processed <= job.total && job.errored <= job.processed);
                }
            }
            for id in [one.id, two.id] {
                let job = world.ended(id).await;
                assert_eq!((job.state, job.processed), (JobState::Completed, job.total));
            }
            // Both jobs name the same assets, so an asset says what the later end was: only counters are compared.
            for id in [one.id, two.id] {
                let job = world.job(id).await;
                let errored = world.outcomes_all(id).await;
                assert_eq!(errored, (job.processed, job.errored));
            }
        });
    }
}

impl World {
    /// How many items have ended, and how many of them in error.
    async fn outcomes_all(&self, id: JobId) -> (u32, u32) {
        let mut counts = (0, 0);
        let mut after = None;
        loop {
            let page = self.engine.items(&self.acme, id, None, after, 1000).await.unwrap();
            let Some(last) = page.last() else { return counts };
            after = Some(last.index);
            for item in page {
                counts.0 += u32::from(matches!(item.state, AssetState::Completed | AssetState::Error));
                counts.1 += u32::from(item.state == AssetState::Error);
            }
        }
    }
}
