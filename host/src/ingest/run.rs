//! One job at work: pages of items are planned, fetched when it is this organization's turn, and their ends written in groups.
//!
//! Holds nothing that the store does not: it may be dropped at any moment and begun again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::AssetPlace;
use super::engine::Engine;
use super::item::Try;
use super::records::Ended;
use super::source::Source;
use super::state::{self, Failure, Outcome};
use super::turns::Turn;
use crate::meter;
use crate::model::{Error, Item, Job, JobId, OrgId, Result, Stored};
use crate::store::Row;

/// Items of one call of the plugin.
const PAGE: usize = 500;
/// Ends that are written as one batch, and how long the first of them waits for others.
const GROUP: usize = 100;
const GROUP_WAIT: Duration = Duration::from_millis(100);
/// Assets of two jobs may meet in a batch; whoever comes second reads again.
const MAX_MEETINGS: u32 = 10;

pub(super) struct Run<S: Source> {
    engine: Arc<Engine<S>>,
    job: Row<Job>,
    /// The last item that was read, and whether it was the job's last.
    read_to: Option<u32>,
    all_read: bool,
    planned: VecDeque<(Item, S::Permit)>,
    fetching: JoinSet<(Item, Result<Stored, Failure>)>,
    turn: Option<oneshot::Receiver<Turn>>,
    /// Items to be tried again, and when.
    retries: BinaryHeap<Reverse<(Instant, u32)>>,
    /// Items that end as another one will.
    followers: HashMap<u32, Vec<u32>>,
    /// A remote asked us not to come back before.
    parked_until: Option<Instant>,
    ended: Vec<Ended>,
    write_at: Option<Instant>,
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Event {
    Turn(Option<Turn>),
    Fetched(Item, Result<Stored, Failure>),
    Time,
    Stop,
}

impl<S: Source> Run<S> {
    /// Works on the job until it has ended or the engine stops.
    pub(super) async fn run(engine: Arc<Engine<S>>, org: &OrgId, id: JobId) -> Result<()> {
        let mut row = engine.records.job(org, id).await?;
        if row.value.state.is_final() {
            return Ok(());
        }
        let mut job = row.value.clone();
        state::begin(&mut job, (engine.clock)());
        engine.records.write_job(&mut row, job).await?;
        tracing::info!(%org, job = %id, assets = row.value.total, processed = row.value.processed, "job started");
        let mut run = Self {
            engine,
            job: row,
            read_to: None,
            all_read: false,
            planned: VecDeque::new(),
            fetching: JoinSet::new(),
            turn: None,
            retries: BinaryHeap::new(),
            followers: HashMap::new(),
            parked_until: None,
            ended: Vec::new(),
            write_at: None,
        };
        run.work().await
    }

    async fn work(&mut self) -> Result<()> {
        loop {
            let stopping = self.engine.stopping.is_cancelled();
            if !stopping {
                self.refill().await?;
            }
            if self.ended.len() >= GROUP || self.write_at.is_some_and(|at| at <= Instant::now()) {
                self.write().await?;
            }
            let idle = self.planned.is_empty() && self.retries.is_empty() && self.all_read;
            if self.fetching.is_empty() && (stopping || idle) {
                self.write().await?;
                return if stopping { Ok(()) } else { self.finish().await };
            }
            match self.next(stopping).await? {
                Event::Turn(turn) => self.launch(turn),
                Event::Fetched(item, result) => self.landed(&item, result),
                Event::Time | Event::Stop => {}
            }
        }
    }

    async fn next(&mut self, stopping: bool) -> Result<Event> {
        let now = Instant::now();
        let parked = self.parked_until.filter(|until| *until > now);
        if self.turn.is_none() && !self.planned.is_empty() && !stopping && parked.is_none() {
            self.turn = Some(self.engine.turns.take(&self.job.value.org));
        }
        let retry_at = self.retries.peek().map(|Reverse((at, _))| *at).filter(|_| self.planned.is_empty() && !stopping);
        let wake_at = [self.write_at, retry_at, parked].into_iter().flatten().min();
        // What ended comes first: it may say that the remote wants to be left alone, and a turn that it gave back may be ours.
        Ok(tokio::select! {
            biased;
            fetched = self.fetching.join_next(), if !self.fetching.is_empty() => {
                // A fetch catches its own panics.
                let broken = || Error::internal("job_panicked", "the gateway broke off while it worked on this job");
                let (item, result) = fetched.ok_or_else(broken)?.map_err(|error| broken().with_source(error))?;
                Event::Fetched(item, result)
            }
            turn = granted(&mut self.turn) => Event::Turn(turn),
            () = sleep_until(wake_at) => Event::Time,
            () = self.engine.stopping.cancelled(), if !stopping => Event::Stop,
        })
    }

    /// Sees to it that something is planned, if there is anything to plan now.
    async fn refill(&mut self) -> Result<()> {
        while self.planned.is_empty() {
            let mut batch = self.due().await?;
            if batch.is_empty() && !self.all_read {
                batch = self.read_page().await?;
            } else if batch.is_empty() {
                return Ok(());
            }
            if self.ended.len() >= GROUP {
                self.write().await?;
            }
            if !batch.is_empty() {
                self.plan(batch).await;
            }
        }
        Ok(())
    }

    /// Items whose time to be tried again has come.
    async fn due(&mut self) -> Result<Vec<Item>> {
        let now = Instant::now();
        let mut batch = Vec::new();
        while batch.len() < PAGE
            && let Some(Reverse((at, index))) = self.retries.peek().copied()
            && at <= now
        {
            // Their last try is written before they are tried again: an item ends once in a batch.
            self.write().await?;
            self.retries.pop();
            batch.push(self.engine.records.item(&self.job.value.org, self.job.value.id, index).await?.value.item);
        }
        Ok(batch)
    }

    async fn read_page(&mut self) -> Result<Vec<Item>> {
        let page = self.engine.records.items(&self.job.value.org, self.job.value.id, self.read_to, PAGE).await?;
        self.all_read = page.len() < PAGE;
        self.read_to = page.last().map(|record| record.item.index).or(self.read_to);
        let mut batch = Vec::with_capacity(page.len());
        for record in page {
            match record.same_as {
                _ if state::is_final(record.item.state) => {}
                None => batch.push(record.item),
                Some(leader) => self.follow(leader, record.item.index).await?,
            }
        }
        Ok(batch)
    }

    async fn follow(&mut self, leader: u32, index: u32) -> Result<()> {
        // If the leader has just ended, the store must know.
        if self.ended.iter().any(|ended| ended.index == leader) {
            self.write().await?;
        }
        let record = self.engine.records.item(&self.job.value.org, self.job.value.id, leader).await?.value;
        match state::outcome(&record) {
            Some(outcome) => self.end(index, outcome),
            None => self.followers.entry(leader).or_default().push(index),
        }
        Ok(())
    }

    async fn plan(&mut self, batch: Vec<Item>) {
        let job = &self.job.value;
        let sources: Vec<&str> = batch.iter().map(|item| item.source_path.as_str()).collect();
        let span = tracing::trace_span!(target: "trace", "page", job = %job.id, sources = sources.len());
        let planned = match self.engine.source.plan(&job.org, job.connection, job.connection_revision, &sources).instrument(span).await {
            Ok(permits) if permits.len() == batch.len() => permits,
            Ok(_) => return self.all_failed(&batch, &Error::plugin_fault("plan_incomplete", "the plugin left out a source path")),
            Err(error) => return self.all_failed(&batch, &error),
        };
        for (item, permit) in batch.into_iter().zip(planned) {
            match permit {
                Ok(permit) => self.planned.push_back((item, permit)),
                Err(error) => self.landed(&item, Err(Failure::from(&error))),
            }
        }
    }

    fn all_failed(&mut self, batch: &[Item], error: &Error) {
        let failure = Failure::from(error);
        for item in batch {
            self.landed(item, Err(failure.clone()));
        }
    }

    fn launch(&mut self, turn: Option<Turn>) {
        let parked = self.parked_until.is_some_and(|until| until > Instant::now());
        if parked || self.engine.stopping.is_cancelled() {
            return;
        }
        let (Some(turn), Some((item, permit))) = (turn, self.planned.pop_front()) else { return };
        let engine = Arc::clone(&self.engine);
        let job = &self.job.value;
        let (connection, id) = (job.connection, job.id);
        let place = AssetPlace {
            org: job.org.clone(),
            dataset: job.dataset.clone(),
            asset: item.asset,
            source_path: item.source_path.clone(),
            metadata: item.metadata.clone(),
        };
        engine.takes_off(job.id, item.index);
        let span = tracing::trace_span!(target: "trace", "asset", job = %job.id, index = item.index);
        self.fetching.spawn(
            async move {
                let _flying = meter::hold(|meter| &meter.assets_in_flight);
                let Engine { source, records, sink, config, .. } = &*engine;
                let attempt = Try { source, records, sink: &**sink, connection, job: id, max_bytes: config.max_object_bytes };
                let result = AssertUnwindSafe(attempt.run(&place, permit)).catch_unwind().await;
                let result = result.unwrap_or_else(|_| Err(Error::internal("item_panicked", "the gateway broke off while it worked on this item")));
                let result = result.map_err(|error| {
                    tracing::debug!(org = %place.org, asset = %place.asset, ?error, "an item failed");
                    Failure::from(&error)
                });
                drop(turn);
                (item, result)
            }
            .instrument(span),
        );
    }

    fn landed(&mut self, item: &Item, result: Result<Stored, Failure>) {
        let failure = match result {
            Ok(stored) => return self.ended_with_followers(item.index, Outcome::Stored(stored)),
            Err(failure) => failure,
        };
        let mut chance = [0; 8];
        (self.engine.random)(&mut chance);
        match state::next_try(&failure, item.attempts + 1, self.engine.config.max_attempts, u64::from_ne_bytes(chance)) {
            None => self.ended_with_followers(item.index, Outcome::Failed(failure.error)),
            Some(wait) => {
                let at = Instant::now() + wait;
                if failure.retry_after.is_some() {
                    self.parked_until = self.parked_until.max(Some(at));
                }
                self.retries.push(Reverse((at, item.index)));
                self.end(item.index, Outcome::Again(failure.error));
            }
        }
    }

    fn ended_with_followers(&mut self, index: u32, outcome: Outcome) {
        for follower in self.followers.remove(&index).unwrap_or_default() {
            self.end(follower, outcome.clone());
        }
        self.end(index, outcome);
    }

    fn end(&mut self, index: u32, outcome: Outcome) {
        if let Some(meter) = meter::get() {
            match &outcome {
                Outcome::Stored(_) => meter.assets_stored.increment(1),
                Outcome::Failed(_) => meter.assets_failed.increment(1),
                Outcome::Again(_) => meter.assets_again.increment(1),
            }
        }
        self.write_at.get_or_insert_with(|| Instant::now() + GROUP_WAIT);
        self.ended.push(Ended { index, outcome });
    }

    async fn write(&mut self) -> Result<()> {
        while !self.ended.is_empty() {
            let group: Vec<Ended> = self.ended.drain(..self.ended.len().min(GROUP)).collect();
            let mut meetings = 0;
            while let Err(error) = self.engine.records.settle(&mut self.job, &group, (self.engine.clock)()).await {
                meetings += 1;
                if error.code() != "stale_version" || meetings == MAX_MEETINGS {
                    return Err(error);
                }
            }
            self.engine.has_landed(self.job.value.id, group.iter().map(|ended| ended.index));
        }
        self.write_at = None;
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        let mut job = self.job.value.clone();
        state::complete(&mut job, (self.engine.clock)())?;
        self.engine.records.write_job(&mut self.job, job).await?;
        if let Some(meter) = meter::get() {
            meter.jobs.note(&Ok::<_, Error>(()));
        }
        let job = &self.job.value;
        tracing::info!(org = %job.org, job = %job.id, assets = job.total, errored = job.errored, bytes = job.bytes, "job completed");
        Ok(())
    }
}

/// Waits for ever if none was asked for. `None`: whoever gives turns is gone.
async fn granted(turn: &mut Option<oneshot::Receiver<Turn>>) -> Option<Turn> {
    match turn {
        Some(receiver) => {
            let granted = receiver.await.ok();
            *turn = None;
            granted
        }
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
