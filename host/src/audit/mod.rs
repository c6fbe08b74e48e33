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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::model::{Clock, Error, OrgId, Result};

pub use files::{Found, Keep, look};
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
/// Pages that are read at the same time, and of those for one organization.
const PAGES: usize = 4;
const PAGES_OF_ONE: usize = 2;

pub struct Audit {
    pub uses: Arc<Uses>,
    queue: mpsc::Sender<Order>,
    folder: PathBuf,
    readers: Readers,
}

/// For whom pages are being read.
#[derive(Clone, Default)]
struct Readers(Arc<Mutex<Vec<OrgId>>>);

/// One of them, until it is dropped: the reading itself holds it, as that goes on when its client is gone.
struct Reader(Readers, OrgId);

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
        Ok(Arc::new(Self { uses, queue, folder: folder.to_owned(), readers: Readers::default() }))
    }

    /// What was changed already: on disk when it returns. `Unavailable`: it is written as soon as that can be done (`audit_unavailable`), or
    /// never (`audit_stopped`).
    pub async fn change(&self, changed: Changed) -> Result<()> {
        self.write(What::Change(changed)).await.map_err(|error| {
            let (follows, remedy) = if error.code() == "audit_unavailable" {
                ("its line in the audit log follows when that can be written", "An operator looks at the gateway's log and the disk of its data folder.")
            } else {
                ("the audit log has no line of it", "An operator looks at the gateway's log and starts it again.")
            };
            let told = Error::unavailable(error.code().to_owned(), format!("the change is made, and {follows}: {}", error.message()));
            told.with_remedy(format!("Do not send it again: look at how things are now. {remedy}")).with_source(error)
        })
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

    /// The newest first, and in the first page what was counted until now. `asker`: for whose sake. `Unavailable` (`audit_busy`).
    pub async fn page(&self, asker: &OrgId, filter: Filter, before: Option<u64>, limit: usize) -> Result<Page> {
        let reader = self.readers.enter(asker)?;
        if before.is_none() {
            // What is there can be read while nothing can be written; why it cannot is in the gateway's log.
            let _ = self.flush().await;
        }
        let folder = self.folder.clone();
        blocking(move || {
            let page = read::page(&folder, &filter, before, limit).map_err(|error| unwritable("the audit log cannot be read", error));
            drop(reader);
            page
        })
        .await
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

impl Readers {
    fn enter(&self, org: &OrgId) -> Result<Reader> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PAGES || all.iter().filter(|one| *one == org).count() >= PAGES_OF_ONE {
            return Err(Error::unavailable("audit_busy", "other pages of the audit log are being read").with_retry_after(1));
        }
        all.push(org.clone());
        Ok(Reader(self.clone(), org.clone()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|one| *one == self.1) {
            all.swap_remove(at);
        }
    }
}

/// The one that writes. Changes that come while it does wait for the next turn, and share its sync.
struct Writer {
    /// `None`: a write broke off, and nothing more is written.
    log: Option<Log>,
    uses: Arc<Uses>,
    /// Uses and changes that could not be written yet. They are no more than were on their way: while something fails, nothing begins.
    waiting: Vec<What>,
    failed: bool,
    /// Lines were written that the anchor does not know of.
    ahead: bool,
    clock: Clock,
}

/// What came of a turn: of its lines, and of all of it.
struct Turn {
    written: Result<()>,
    anchored: Result<()>,
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
            let (mut changes, mut writes, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
            for order in batch.drain(..) {
                match order {
                    Order::Write(what, answer) => {
                        changes.push(*what);
                        writes.push(answer);
                    }
                    Order::Flush(answer) => {
                        flush = true;
                        flushes.push(answer);
                    }
                }
            }
            let turn = self.turn(changes, flush || ended).await;
            for (answers, outcome) in [(writes, &turn.written), (flushes, &turn.anchored)] {
                for answer in answers {
                    // Whoever gave up waiting needs no answer.
                    let _ = answer.send(outcome.as_ref().copied().map_err(again));
                }
            }
            if ended {
                return;
            }
        }
    }

    /// `flush`: with the uses, and the anchor moved. Uses and changes that could not be written are kept.
    async fn turn(&mut self, changes: Vec<What>, flush: bool) -> Turn {
        if flush {
            self.waiting.append(&mut self.uses.take());
        }
        let idle = changes.is_empty() && self.waiting.is_empty() && !self.failed;
        if idle && !(flush && self.ahead) {
            return Turn { written: Ok(()), anchored: Ok(()) };
        }
        let broke_off = || Error::internal("audit_stopped", "writing the audit log broke off");
        let Some(mut log) = self.log.take() else { return Turn { written: Err(broke_off()), anchored: Err(broke_off()) } };
        let (now, failed, mut lines) = ((self.clock)(), self.failed, std::mem::take(&mut self.waiting));
        if failed {
            // That something can be written is seen by writing something.
            lines.push(What::Log(Note { verb: "resumed", detail: None }));
        }
        lines.extend(changes);
        let done = tokio::task::spawn_blocking(move || {
            // If it was the anchor that failed, no line is written for nothing.
            let mended = if failed { log.anchor(now) } else { Ok(()) };
            let written = mended.and_then(|()| log.append(&lines, now));
            let anchored = if written.is_ok() && flush { log.anchor(now) } else { written.as_ref().copied().map_err(again) };
            if written.is_ok() {
                lines.clear();
            }
            lines.retain(|what| !matches!(what, What::Log(_)));
            (log, lines, Turn { written, anchored })
        })
        .await;
        let turn = match done {
            Ok((log, kept, turn)) => {
                (self.waiting, self.log) = (kept, Some(log));
                turn
            }
            Err(error) => Turn { written: Err(broke_off().with_source(error)), anchored: Err(broke_off()) },
        };
        self.failed = turn.anchored.is_err();
        self.ahead = !flush || self.failed;
        if let Err(error) = turn.written.as_ref().and(turn.anchored.as_ref()) {
            tracing::error!(?error, "THE AUDIT LOG CANNOT BE WRITTEN: no credential is used until it can");
        }
        self.uses.close(self.failed);
        turn
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
