//! How jobs, items and assets change: pure. Every change of a state or a counter is here, and none happens twice.

use std::time::Duration;

use super::records::ItemRecord;
use crate::model::{Asset, AssetState, Error, ItemError, Job, JobState, Result, Stored, Timestamp};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A remote that asks for more than this is not obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Bytes of a message that is kept with an item.
const MAX_MESSAGE: usize = 512;

/// What came of one try.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Stored(Stored),
    /// Final.
    Failed(ItemError),
    /// To be tried again.
    Again(ItemError),
}

/// An error as the engine needs it: what to write down, and whether to try again.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: ItemError,
    pub(super) temporary: bool,
    pub(super) retry_after: Option<Duration>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut kept = ItemError::from(error);
        kept.message = short(&kept.message);
        kept.remedy = kept.remedy.as_deref().map(short);
        let retry_after = error.retry_after().map(|seconds| Duration::from_secs(seconds.into()).min(LONGEST_RETRY_AFTER));
        Self { error: kept, temporary: error.kind().is_temporary(), retry_after }
    }
}

/// Fit for a record and a terminal.
fn short(text: &str) -> String {
    let kept = text.get(..text.floor_char_boundary(MAX_MESSAGE)).unwrap_or_default();
    let end = if kept.len() < text.len() { "…" } else { "" };
    format!("{}{end}", kept.replace(char::is_control, " "))
}

/// How long to wait before an item is tried again after `tries` of them; `None`: it has failed for good. Waits double from half a
/// second to a minute; of each, the second half is by chance, so that what failed together does not come back together.
pub(super) fn next_try(failure: &Failure, tries: u32, max_tries: u32, chance: u64) -> Option<Duration> {
    if !failure.temporary || tries >= max_tries {
        return None;
    }
    let whole = FIRST_WAIT.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
    let half = whole / 2;
    let jittered = half + half.mul_f64(chance as f64 / u64::MAX as f64);
    Some(failure.retry_after.map_or(jittered, |asked| asked + jittered))
}

/// Work on a job begins, or goes on after a restart.
pub(super) fn begin(job: &mut Job, now: Timestamp) {
    job.state = JobState::InProgress;
    job.started_at.get_or_insert(now);
}

/// Writes one outcome into its item and its job. `Internal` (`item_already_ended`) when the item had one: it is counted once.
pub(super) fn settle(job: &mut Job, record: &mut ItemRecord, outcome: &Outcome, now: Timestamp) -> Result<()> {
    let item = &mut record.item;
    if is_final(item.state) {
        return Err(Error::internal("item_already_ended", format!("item {} of job {} had ended already", item.index, job.id)));
    }
    item.updated_at = now;
    // An item that follows another one was not tried itself.
    item.attempts += u32::from(record.same_as.is_none());
    match outcome {
        Outcome::Stored(stored) => {
            item.state = AssetState::Completed;
            item.error = None;
            job.bytes += if record.same_as.is_none() { stored.size } else { 0 };
            item.stored = Some(stored.clone());
        }
        Outcome::Failed(error) => {
            item.state = AssetState::Error;
            item.error = Some(error.clone());
            job.errored += 1;
        }
        Outcome::Again(error) => item.error = Some(error.clone()),
    }
    job.processed += u32::from(is_final(item.state));
    Ok(())
}

pub(super) fn is_final(state: AssetState) -> bool {
    match state {
        AssetState::Completed | AssetState::Error => true,
        AssetState::Pending | AssetState::Received | AssetState::InProgress => false,
    }
}

/// How an item ended, if it has.
pub(super) fn outcome(record: &ItemRecord) -> Option<Outcome> {
    match record.item.state {
        AssetState::Completed => record.item.stored.clone().map(Outcome::Stored),
        AssetState::Error => record.item.error.clone().map(Outcome::Failed),
        AssetState::Pending | AssetState::Received | AssetState::InProgress => None,
    }
}

/// The asset after an item of it has ended. What was stored before stays when a later try fails.
pub(super) fn asset_after(before: Option<Asset>, job: &Job, record: &ItemRecord, now: Timestamp) -> Asset {
    let item = &record.item;
    let created_at = before.as_ref().map_or(now, |asset| asset.created_at);
    let (stored_before, version_before) = before.map_or((None, 0), |asset| (asset.stored, asset.version));
    let same = |stored: &Stored| stored_before.as_ref().is_some_and(|before| before.blake3 == stored.blake3);
    let version = match &item.stored {
        Some(stored) if !same(stored) => version_before + 1,
        _ => version_before,
    };
    Asset {
        id: item.asset,
        org: job.org.clone(),
        dataset: job.dataset.clone(),
        connection: job.connection,
        source_path: item.source_path.clone(),
        metadata: item.metadata.clone(),
        state: item.state,
        error: item.error.clone(),
        stored: item.stored.clone().or(stored_before),
        version,
        job: job.id,
        created_at,
        updated_at: now,
    }
}

/// `Internal` (`job_incomplete`) unless each item has ended.
pub(super) fn complete(job: &mut Job, now: Timestamp) -> Result<()> {
    if job.processed != job.total {
        return Err(Error::internal("job_incomplete", format!("{} of {} items of job {} have ended", job.processed, job.total, job.id)));
    }
    job.state = JobState::Completed;
    job.finished_at = Some(now);
    Ok(())
}

/// The job as a whole cannot go on.
pub(super) fn fail(job: &mut Job, error: ItemError, now: Timestamp) {
    job.state = JobState::Failed;
    job.finished_at = Some(now);
    job.error = Some(error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::tests::{item, job};
    use proptest::prelude::*;

    fn stored(blake3: &str) -> Stored {
        Stored { blake3: blake3.to_owned(), size: 7, content_type: None, etag: None, location: String::new() }
    }
    fn failure(error: Error) -> Failure {
        Failure::from(&error)
    }
    fn refusal() -> ItemError {
        failure(Error::not_found("file_not_found", "gone")).error
    }

    #[test]
    fn c36_u01_only_temporary_failures_are_tried_again_and_not_for_ever() {
        let temporary = failure(Error::unavailable("upstream_unavailable", "503"));
        let throttled = failure(Error::unavailable("throttled", "429").with_retry_after(7));
        let greedy = failure(Error::unavailable("throttled", "429").with_retry_after(u32::MAX));
        let seconds = Duration::from_secs_f64;
        let cases = [
            ("a refusal is final", &failure(Error::rejected("permission_denied", "403")), 1, 3, None),
            ("a denial is final", &failure(Error::denied("scope_violation", "no")), 1, 3, None),
            ("a fault is final", &failure(Error::plugin_fault("plugin_trapped", "no")), 1, 3, None),
            ("the last try is the last", &temporary, 3, 3, None),
            ("one try is one", &temporary, 1, 1, None),
            ("the first wait", &temporary, 1, 3, Some((0.25, 0.5))),
            ("the second wait", &temporary, 2, 3, Some((0.5, 1.0))),
            ("waits have a bound", &temporary, 40, 100, Some((30.0, 60.0))),
            ("a remote's wish is kept", &throttled, 1, 3, Some((7.25, 7.5))),
            ("within reason", &greedy, 1, 3, Some((3600.25, 3600.5))),
        ];
        for (what, failure, tries, most, expected) in cases {
            let waits = [0, u64::MAX].map(|chance| next_try(failure, tries, most, chance));
            assert_eq!(waits, expected.map_or([None; 2], |(least, longest)| [Some(seconds(least)), Some(seconds(longest))]), "{what}");
        }
    }

    #[test]
    fn messages_that_are_kept_are_short() {
        let long = failure(Error::rejected("x", "ü".repeat(5000)).with_remedy("y".repeat(5000))).error;
        assert!(long.message.len() <= MAX_MESSAGE + 3 && long.remedy.is_some_and(|remedy| remedy.len() <= MAX_MESSAGE + 3));
        let wild = failure(Error::rejected("x", "a\u{1b}[31m\nb")).error;
        assert_eq!((wild.message.as_str(), wild.remedy.is_some()), ("a [31m b", true), "without one of its own it has the one of its kind");
    }

    #[test]
    fn m29_an_item_ends_once() {
        let now = Timestamp::from_millis(5);
        for first in [Outcome::Stored(stored("a")), Outcome::Failed(refusal())] {
            for second in [Outcome::Stored(stored("b")), Outcome::Failed(refusal()), Outcome::Again(refusal())] {
                let (mut job, mut record) = (job(1), item(0));
                settle(&mut job, &mut record, &first, now).expect("the first");
                let (job_before, record_before) = (format!("{job:?}"), format!("{record:?}"));
                assert_eq!(settle(&mut job, &mut record, &second, now).expect_err("the second").code(), "item_already_ended");
                assert_eq!((format!("{job:?}"), format!("{record:?}")), (job_before, record_before), "nothing changed");
                assert_eq!(outcome(&record), Some(first.clone()));
            }
        }
    }

    #[test]
    fn c38_an_asset_has_a_version_for_each_content() {
        let now = Timestamp::from_millis(5);
        let mut asset = None;
        for (what, outcome, state, version, kept) in [
            ("it was never there", Outcome::Failed(refusal()), AssetState::Error, 0, None),
            ("the first content", Outcome::Stored(stored("a")), AssetState::Completed, 1, Some("a")),
            ("the same again", Outcome::Stored(stored("a")), AssetState::Completed, 1, Some("a")),
            ("it is gone now", Outcome::Failed(refusal()), AssetState::Error, 1, Some("a")),
            ("another content", Outcome::Stored(stored("b")), AssetState::Completed, 2, Some("b")),
        ] {
            let (mut job, mut record) = (job(1), item(0));
            settle(&mut job, &mut record, &outcome, now).expect("an end");
            let after = asset_after(asset, &job, &record, now);
            assert_eq!((after.state, after.version, after.stored.as_ref().map(|stored| stored.blake3.as_str())), (state, version, kept), "{what}");
            assert_eq!(after.error.is_some(), state == AssetState::Error, "{what}");
            asset = Some(after);
        }
    }

    #[test]
    fn the_largest_item_and_asset_that_are_accepted_fit_a_record() {
        use crate::ingest::validate::{MAX_METADATA_BYTES, MAX_PATH_BYTES};
        let name = |length| "d".repeat(length);
        let (mut job, mut record) = (job(1), item(0));
        job.org = crate::model::OrgId::new(name(64)).expect("the longest");
        job.dataset = crate::model::DatasetId::new(name(255)).expect("the longest");
        record.item.source_path = crate::model::SourcePath::new("\u{1}".repeat(MAX_PATH_BYTES / 6)).expect("a path");
        record.item.metadata = (0..MAX_METADATA_BYTES / 160).map(|n| (format!("{n:02}"), serde_json::Value::from("\u{1}".repeat(25)))).collect();
        let quotes = |length: usize| "\"".repeat(length);
        let refusal = failure(Error::rejected("permission_denied", quotes(9999)).with_remedy(quotes(9999))).error;
        settle(&mut job, &mut record, &Outcome::Failed(refusal), Timestamp::from_millis(5)).expect("an end");
        let stored = Stored { content_type: Some(quotes(255)), etag: Some(quotes(255)), location: name(150), ..stored(&name(64)) };
        record.item.stored = Some(stored);
        let asset = asset_after(None, &job, &record, Timestamp::from_millis(5));
        for bytes in [serde_json::to_vec(&record).expect("JSON"), serde_json::to_vec(&asset).expect("JSON")] {
            assert!((MAX_METADATA_BYTES..crate::store::MAX_VALUE).contains(&bytes.len()), "{}", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn c04_m29_counters_agree_with_items_whatever_happens(events in proptest::collection::vec((0_usize..6, 0_u8..3), 0..60)) {
            let mut job = job(6);
            let mut records: Vec<_> = (0..6).map(item).collect();
            records[5].same_as = Some(0);
            begin(&mut job, Timestamp::from_millis(1));
            for (index, kind) in events {
                let outcome = match kind { 0 => Outcome::Stored(stored("a")), 1 => Outcome::Failed(refusal()), _ => Outcome::Again(refusal()) };
                let ended = is_final(records[index].item.state);
                prop_assert_eq!(settle(&mut job, &mut records[index], &outcome, Timestamp::from_millis(2)).is_err(), ended);
            }
            let count = |state| u32::try_from(records.iter().filter(|record| record.item.state == state).count()).unwrap();
            prop_assert_eq!(job.processed, count(AssetState::Completed) + count(AssetState::Error));
            prop_assert_eq!(job.errored, count(AssetState::Error));
            let sizes: u64 = records.iter().filter(|record| record.same_as.is_none()).filter_map(|record| record.item.stored.as_ref()).map(|stored| stored.size).sum();
            prop_assert_eq!(job.bytes, sizes);
            prop_assert_eq!(complete(&mut job, Timestamp::from_millis(3)).is_ok(), records.iter().all(|record| is_final(record.item.state)));
        }
    }
}
