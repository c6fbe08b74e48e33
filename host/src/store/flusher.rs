//! Group commit: one thread makes the log durable for all who wait, so that many writers share one fsync.
//!
//! After a failed fsync nobody can say what is on disk (the kernel drops the dirty pages): from then on every write is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::meter;
use crate::model::{Error, Result};

/// Writers that may wait at the same time; more wait for a place.
const QUEUE: usize = 4096;

/// Joins its thread when dropped.
pub(super) struct Flusher {
    waiting: Option<mpsc::Sender<oneshot::Sender<()>>>,
    thread: Option<JoinHandle<()>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    failed: AtomicBool,
    syncs: AtomicU64,
}

impl Flusher {
    /// `sync` makes durable whatever was written before it was called.
    pub(super) fn start(sync: impl FnMut() -> std::io::Result<()> + Send + 'static) -> Result<Self> {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("store-flush".to_owned())
            .spawn(move || run(queue, sync, &shared))
            .map_err(|error| Error::internal("store_failed", "the store's thread did not start").with_source(error))?;
        Ok(Self { waiting: Some(waiting), thread: Some(thread), state })
    }

    /// Returns once everything written before the call is durable.
    pub(super) async fn flushed(&self) -> Result<()> {
        let (done, answer) = oneshot::channel();
        let waiting = self.waiting.as_ref().ok_or_else(failed)?;
        waiting.send(done).await.map_err(|_| failed())?;
        answer.await.map_err(|_| failed())
    }

    /// `Unavailable` (`store_failed`) once a flush has failed.
    pub(super) fn check(&self) -> Result<()> {
        if self.state.failed.load(Ordering::Acquire) { Err(failed()) } else { Ok(()) }
    }

    /// How often the log was made durable.
    pub(super) fn syncs(&self) -> u64 {
        self.state.syncs.load(Ordering::Acquire)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was already answered to whoever waited.
            let _ = thread.join();
        }
    }
}

fn run(mut queue: mpsc::Receiver<oneshot::Sender<()>>, mut sync: impl FnMut() -> std::io::Result<()>, state: &State) {
    let mut group = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while let Ok(next) = queue.try_recv() {
            group.push(next);
        }
        let started = Instant::now();
        let synced = sync();
        if let Some(meter) = meter::get() {
            meter.flushes.note(&synced);
            meter.flush_duration.record(started.elapsed());
            meter.writes.increment(group.len() as u64);
        }
        match synced {
            Ok(()) => {
                state.syncs.fetch_add(1, Ordering::AcqRel);
                for done in group.drain(..) {
                    // Whoever gave up waiting needs no answer.
                    let _ = done.send(());
                }
            }
            Err(error) => {
                state.failed.store(true, Ordering::Release);
                tracing::error!(%error, "the store could not be made durable; it takes no writes until a restart");
                // Dropping the senders, here and in the queue, tells everybody.
                return;
            }
        }
    }
}

fn failed() -> Error {
    Error::unavailable("store_failed", "the store takes no writes since one could not be made durable")
        .with_remedy("look at the gateway's log and the disk, then restart the gateway")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn m27_a_failed_flush_is_told_to_every_waiter_and_stops_all_later_writes() {
        let flusher = Flusher::start(|| Err(std::io::Error::other("EIO"))).expect("a thread");
        let answers = futures_util::future::join_all((0..5).map(|_| flusher.flushed())).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.code() == "store_failed")));
        assert!(flusher.check().is_err());
        assert_eq!(flusher.syncs(), 0);
        assert!(flusher.flushed().await.is_err());
    }

    #[tokio::test]
    async fn m27_many_writers_share_one_flush() {
        let (started, entered) = std::sync::mpsc::channel();
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let flusher = Arc::new(
            Flusher::start(move || {
                started.send(()).expect("the test listens");
                gate.recv().map_err(std::io::Error::other)
            })
            .expect("a thread"),
        );
        let first = tokio::spawn({
            let flusher = Arc::clone(&flusher);
            async move { flusher.flushed().await }
        });
        let _entered = tokio::task::spawn_blocking(move || entered.recv().map(|()| entered)).await.expect("no panic").expect("the first flush runs");
        let others: Vec<_> = (0..100)
            .map(|_| {
                let flusher = Arc::clone(&flusher);
                tokio::spawn(async move { flusher.flushed().await })
            })
            .collect();
        while flusher.waiting.as_ref().expect("running").capacity() > QUEUE - 100 {
            tokio::task::yield_now().await;
        }
        release.send(()).expect("the flusher waits");
        release.send(()).expect("the flusher waits");
        first.await.expect("no panic").expect("flushed");
        for other in others {
            other.await.expect("no panic").expect("flushed");
        }
        assert_eq!(flusher.syncs(), 2, "one for the first, one for the hundred who came meanwhile");
    }
}
