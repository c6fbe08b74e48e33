//! The audit log: each use of a credential, and each change of what decides about credentials, as lines of a chain that nobody without the
//! master key can continue, change or shorten unseen.
//!
//! Uses are counted in memory and written every second, many as one line; a change is on disk before it is acknowledged. It never holds a
//! secret, a query or a signed URL. While it cannot be written no credential is used.

mod files;
mod line;
mod read;
mod uses;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::model::{Clock, Error, Result};

pub use files::Keep;
use files::{Log, unwritable};
pub use line::{Changed, How, Used};
use line::{Key, Note, What};
pub use read::{Filter, Page};
pub use uses::{Uses, Using};
pub use verify::{Broken, Verified, verify};

/// The folder's name in the data folder.
pub const FOLDER: &str = "audit";
/// What its key is derived for.
pub const KEY: &str = "audit";
/// How long a use may wait to be written.
const INTERVAL: Duration = Duration::from_secs(1);
/// Changes that wait to be written at the same time; more wait for a place.
const QUEUE: usize = 1024;

pub struct Audit {
    pub uses: Arc<Uses>,
    queue: mpsc::Sender<Order>,
    folder: PathBuf,
}

enum Order {
    Write(Box<What>, oneshot::Sender<Result<()>>),
    /// Everything that was counted until now.
    Flush(oneshot::Sender<Result<()>>),
}

impl Audit {
    /// Opens the log in `folder`, or begins it. `Unavailable` (`audit_unavailable`).
    pub async fn start(folder: &Path, key: [u8; 32], keep: Keep, clock: Clock) -> Result<Arc<Self>> {
        let (opened, now) = (folder.to_owned(), clock());
        let (log, note) = blocking(move || {
            let (mut log, note) = Log::open(&opened, Key(key), keep)?;
            let notes: Vec<What> = note.clone().into_iter().chain([Note { verb: "started", detail: None }]).map(What::Log).collect();
            log.append(&notes, now)?;
            log.anchor(now)?;
            Ok((log, note))
        })
        .await?;
        match note {
            Some(Note { verb: "damaged", detail }) => tracing::error!(detail, "THE AUDIT LOG IS DAMAGED; it goes on in a new file"),
            Some(Note { detail, .. }) => tracing::warn!(detail, "the audit log was repaired"),
            None => {}
        }
        let (queue, orders) = mpsc::channel(QUEUE);
        let uses = Uses::new(Arc::clone(&clock));
        let writer = Writer { log: Some(log), uses: Arc::clone(&uses), waiting: Vec::new(), failed: false, ahead: false, clock };
        tokio::spawn(writer.run(orders));
        Ok(Arc::new(Self { uses, queue, folder: folder.to_owned() }))
    }

    /// On disk when it returns. `Unavailable` (`audit_unavailable`).
    pub async fn change(&self, changed: Changed) -> Result<()> {
        self.write(What::Change(changed)).await
    }

    /// Everything that was counted until now is on disk when it returns.
    pub async fn flush(&self) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Flush(done), answer).await
    }

    /// The last line of this run.
    pub async fn stop(&self) -> Result<()> {
        self.flush().await?;
        self.write(What::Log(Note { verb: "stopped", detail: None })).await?;
        self.flush().await
    }

    /// The newest first, what was counted until now included.
    pub async fn page(&self, filter: Filter, before: Option<u64>, limit: usize) -> Result<Page> {
        self.flush().await?;
        let folder = self.folder.clone();
        blocking(move || read::page(&folder, &filter, before, limit).map_err(|error| unwritable("the audit log cannot be read", error))).await
    }

    async fn write(&self, what: What) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Write(Box::new(what), done), answer).await
    }

    async fn order(&self, order: Order, answer: oneshot::Receiver<Result<()>>) -> Result<()> {
        let stopped = || Error::internal("audit_stopped", "the audit log is closed");
        self.queue.send(order).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// The one that writes. Changes that come while it does wait for the next turn, and share its sync.
struct Writer {
    /// `None`: a write broke off, and nothing more is written.
    log: Option<Log>,
    uses: Arc<Uses>,
    /// Uses that could not be written yet.
    waiting: Vec<What>,
    failed: bool,
    /// Lines were written that the anchor does not know of.
    ahead: bool,
    clock: Clock,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        let uses = Arc::clone(&self.uses);
        loop {
            let (mut flush, mut ended) = (true, false);
            tokio::select! {
                got = orders.recv_many(&mut batch, QUEUE) => (flush, ended) = (false, got == 0),
                _ = ticks.tick() => {}
                () = uses.full.notified() => {}
            }
            let (mut changes, mut answers) = (Vec::new(), Vec::new());
            for order in batch.drain(..) {
                match order {
                    Order::Write(what, answer) => {
                        changes.push(*what);
                        answers.push(answer);
                    }
                    Order::Flush(answer) => {
                        flush = true;
                        answers.push(answer);
                    }
                }
            }
            let outcome = self.write(changes, flush || ended).await;
            for answer in answers {
                // Whoever gave up waiting needs no answer.
                let _ = answer.send(outcome.as_ref().copied().map_err(again));
            }
            if ended {
                return;
            }
        }
    }

    /// `flush`: with the uses, and the anchor moved. A change that could not be written is told to whoever made it; a use is kept.
    async fn write(&mut self, changes: Vec<What>, flush: bool) -> Result<()> {
        if flush {
            self.waiting.append(&mut self.uses.take());
        }
        let idle = changes.is_empty() && self.waiting.is_empty() && !self.failed;
        if idle && !(flush && self.ahead) {
            return Ok(());
        }
        let Some(mut log) = self.log.take() else { return Err(Error::unavailable("audit_unavailable", "the audit log broke off")) };
        let (now, mut uses) = ((self.clock)(), std::mem::take(&mut self.waiting));
        if self.failed {
            // That something can be written is seen by writing something.
            uses.push(What::Log(Note { verb: "resumed", detail: None }));
        }
        let written = tokio::task::spawn_blocking(move || {
            let count = uses.len();
            uses.extend(changes);
            let appended = log.append(&uses, now);
            uses.truncate(if appended.is_ok() { 0 } else { count });
            let outcome = appended.and_then(|()| if flush { log.anchor(now) } else { Ok(()) });
            (log, uses, outcome)
        })
        .await;
        let outcome = match written {
            Ok((log, mut kept, outcome)) => {
                kept.retain(|what| matches!(what, What::Use(_)));
                (self.waiting, self.log) = (kept, Some(log));
                outcome
            }
            Err(error) => Err(Error::internal("audit_stopped", "writing the audit log broke off").with_source(error)),
        };
        (self.failed, self.ahead) = (outcome.is_err(), !flush || outcome.is_err());
        if let Err(error) = &outcome {
            tracing::error!(?error, "THE AUDIT LOG CANNOT BE WRITTEN: no credential is used until it can");
        }
        self.uses.close(outcome.is_err());
        outcome
    }
}

/// The same for each who waited.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.code().to_owned(), error.message());
    match error.remedy() {
        Some(remedy) => same.with_remedy(remedy),
        None => same,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("audit_stopped", "the work on the audit log broke off").with_source(error))?
}

#[cfg(test)]
mod tests;
