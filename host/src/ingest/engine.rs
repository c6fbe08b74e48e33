//! Which jobs run, and who looks after them. A job that fails to run is run again from what the store says; one that breaks its
//! worker again and again is given up, and the others go on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::records::Records;
use super::run::Run;
use super::source::Source;
use super::turns::Turns;
use super::{IngestConfig, Sink, state};
use crate::meter;
use crate::model::{AssetState, Clock, Error, Item, ItemError, Job, JobId, OrgId, Random, Result};
use crate::store::Store;

/// Jobs of one organization that run at the same time: one that waits for a slow remote does not hold up the next.
const JOBS_AT_ONCE: usize = 2;
/// A job that fails this often for a reason that does not pass is given up.
const MAX_BREAKDOWNS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) struct Engine<S> {
    pub(super) source: S,
    pub(super) records: Records,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) config: IngestConfig,
    pub(super) turns: Arc<Turns>,
    queues: Mutex<HashMap<OrgId, Queue>>,
    /// Items that are fetched just now, or whose end is not written yet.
    in_flight: Mutex<HashMap<JobId, HashSet<u32>>>,
    pub(super) tasks: TaskTracker,
    /// Take no more work.
    pub(super) stopping: CancellationToken,
    /// Leave what is in flight.
    pub(super) aborting: CancellationToken,
}

#[derive(Default)]
struct Queue {
    /// Jobs that are submitted, wait or run.
    unfinished: usize,
    running: usize,
    waiting: VecDeque<JobId>,
}

/// A job's place among its organization's unfinished ones; given back when dropped.
pub(super) struct Place<S: Source> {
    /// `None`: the queue has it.
    engine: Option<Arc<Engine<S>>>,
    org: OrgId,
}

impl<S: Source> Drop for Place<S> {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        if let Some(meter) = meter::get() {
            meter.jobs_unfinished.decrement(1);
        }
        let mut queues = engine.queues();
        if let Some(queue) = queues.get_mut(&self.org) {
            queue.unfinished = queue.unfinished.saturating_sub(1);
            if queue.unfinished == 0 {
                queues.remove(&self.org);
            }
        }
    }
}

impl<S: Source> Engine<S> {
    pub(super) async fn start(source: S, store: Arc<dyn Store>, sink: Arc<dyn Sink>, clock: Clock, random: Random, config: IngestConfig) -> Result<Arc<Self>> {
        let engine = Arc::new(Self {
            source,
            records: Records::new(store),
            sink,
            clock,
            random,
            turns: Turns::new(config.concurrency),
            config,
            queues: Mutex::default(),
            in_flight: Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
        });
        engine.records.sweep_drafts().await?;
        let open = engine.records.open_jobs().await?;
        if !open.is_empty() {
            tracing::info!(jobs = open.len(), "going on with unfinished jobs");
        }
        for (org, job) in open {
            // However many there are: they were accepted.
            let place = engine.place(&org, usize::MAX)?;
            engine.enqueue(place, job);
        }
        Ok(engine)
    }

    /// `LimitExceeded` (`too_many_jobs`) when the organization has `most` unfinished jobs.
    pub(super) fn place(self: &Arc<Self>, org: &OrgId, most: usize) -> Result<Place<S>> {
        let mut queues = self.queues();
        let queue = queues.entry(org.clone()).or_default();
        if queue.unfinished >= most {
            return Err(Error::limit("too_many_jobs", format!("an organization has at most {most} unfinished jobs"))
                .with_remedy("wait until one has ended")
                .with_retry_after(10));
        }
        queue.unfinished += 1;
        if let Some(meter) = meter::get() {
            meter.jobs_unfinished.increment(1);
        }
        Ok(Place { engine: Some(Arc::clone(self)), org: org.clone() })
    }

    /// The job's record is in the store.
    pub(super) fn enqueue(self: &Arc<Self>, mut place: Place<S>, job: JobId) {
        if let Some(queue) = self.queues().get_mut(&place.org) {
            queue.waiting.push_back(job);
        }
        // It is given back when the job has ended.
        place.engine = None;
        self.pump(&place.org);
    }

    fn pump(self: &Arc<Self>, org: &OrgId) {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(org) else { return };
        while queue.running < JOBS_AT_ONCE
            && !self.stopping.is_cancelled()
            && let Some(job) = queue.waiting.pop_front()
        {
            queue.running += 1;
            let (engine, org) = (Arc::clone(self), org.clone());
            self.tasks.spawn(async move {
                let place = Place { engine: Some(Arc::clone(&engine)), org: org.clone() };
                tokio::select! {
                    () = engine.look_after(&org, job) => {}
                    () = engine.aborting.cancelled() => {}
                }
                engine.lock_in_flight().remove(&job);
                if let Some(queue) = engine.queues().get_mut(&org) {
                    queue.running -= 1;
                }
                drop(place);
                engine.pump(&org);
            });
        }
    }

    /// Runs a job until it has ended or the engine stops.
    async fn look_after(self: &Arc<Self>, org: &OrgId, id: JobId) {
        let (mut breakdowns, mut pause) = (0, FIRST_PAUSE);
        loop {
            let error = match AssertUnwindSafe(Run::run(Arc::clone(self), org, id)).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(_) => Error::internal("job_panicked", "the gateway broke off while it worked on this job"),
            };
            breakdowns += u32::from(!error.kind().is_temporary());
            tracing::error!(%org, job = %id, ?error, "a job does not run");
            if breakdowns >= MAX_BREAKDOWNS {
                match self.give_up(org, id, &error).await {
                    Ok(()) => return,
                    Err(error) => tracing::error!(%org, job = %id, ?error, "a job that was given up could not be marked so"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.stopping.cancelled() => return,
            }
        }
    }

    async fn give_up(&self, org: &OrgId, id: JobId, error: &Error) -> Result<()> {
        let mut row = self.records.job(org, id).await?;
        let mut job: Job = row.value.clone();
        state::fail(&mut job, ItemError::from(error), (self.clock)());
        self.records.write_job(&mut row, job).await?;
        if let Some(meter) = meter::get() {
            meter.jobs.note(&Err::<(), _>(error));
        }
        Ok(())
    }

    pub(super) async fn items(&self, org: &OrgId, job: JobId, state: Option<AssetState>, after: Option<u32>, limit: usize) -> Result<Vec<Item>> {
        let in_flight = self.lock_in_flight().get(&job).cloned().unwrap_or_default();
        let overlay = |item: &mut Item| {
            if item.state == AssetState::Pending && in_flight.contains(&item.index) {
                item.state = AssetState::InProgress;
            }
        };
        self.records.listed_items(org, job, state, after, limit, overlay).await
    }

    pub(super) fn takes_off(&self, job: JobId, index: u32) {
        self.lock_in_flight().entry(job).or_default().insert(index);
    }

    pub(super) fn has_landed(&self, job: JobId, indexes: impl Iterator<Item = u32>) {
        if let Some(flying) = self.lock_in_flight().get_mut(&job) {
            for index in indexes {
                flying.remove(&index);
            }
        }
    }

    pub(super) async fn drain(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) async fn stop(&self) {
        self.aborting.cancel();
        self.drain().await;
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<OrgId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn lock_in_flight(&self) -> MutexGuard<'_, HashMap<JobId, HashSet<u32>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
