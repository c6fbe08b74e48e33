//! Leaves a plugin alone that keeps failing for an organization (SECURITY P30): five faults within a minute, and it is not called for that
//! organization for a while, longer each time. Then one call tries; when it succeeds all is as before. Other organizations notice nothing.
//!
//! What failed for one organization may well fail for the settings of its connections only, so nobody decides for others.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::orgs::Org;
use crate::meter;
use crate::model::{Digest, Error, Kind, OrgId, Result};

/// Faults are counted within it.
const WINDOW: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(300);
/// So long without a fault, and the next suspension is as short as the first.
const FORGET: Duration = Duration::from_secs(600);
/// Organizations whose faults one plugin is remembered for. Of more, the one that was quiet longest is forgotten.
const MOST: usize = 256;

/// One plugin's.
pub struct Breaker {
    plugin: Digest,
    tolerated: usize,
    /// How many records there are: a plugin that never failed takes no lock.
    count: AtomicUsize,
    records: Mutex<HashMap<OrgId, Record>>,
}

struct Record {
    /// The newest last, no more than are tolerated.
    faults: VecDeque<Instant>,
    state: State,
    /// Suspensions in a row.
    times: u32,
    changed: Instant,
    /// Of the suspension that lasts, where one does.
    since: Instant,
    until: Instant,
    /// What the last fault was.
    code: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nobody calls before then.
    Open(Instant),
    /// One call is under way.
    Trial,
}

/// A plugin that is left alone for an organization now. After `until` the next call tries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    pub plugin: Digest,
    pub org: OrgId,
    pub since: Instant,
    pub until: Instant,
    /// The last fault's.
    pub code: String,
}

/// One call under watch. Dropped without an outcome (its client left), it is a fault if it had used half of its CPU time by then.
pub struct Watch {
    breaker: Arc<Breaker>,
    org: Arc<Org>,
    trial: bool,
    settled: bool,
    pub spent: bool,
}

impl Breaker {
    pub fn new(plugin: Digest, tolerated: u32) -> Arc<Self> {
        Arc::new(Self { plugin, tolerated: tolerated.max(1) as usize, count: AtomicUsize::new(0), records: Mutex::default() })
    }

    /// `Unavailable` (`plugin_suspended`).
    pub fn admit(self: &Arc<Self>, org: &Arc<Org>, now: Instant) -> Result<Watch> {
        let trial = self.count.load(Ordering::Relaxed) > 0 && self.judge(&org.id, now)?;
        Ok(Watch { breaker: Arc::clone(self), org: Arc::clone(org), trial, settled: false, spent: false })
    }

    /// Whether this call is the one that tries.
    fn judge(&self, org: &OrgId, now: Instant) -> Result<bool> {
        let mut records = self.records();
        let Some(record) = records.get_mut(org) else { return Ok(false) };
        match record.state {
            State::Closed => Ok(false),
            State::Open(until) if now >= until => {
                record.state = State::Trial;
                Ok(true)
            }
            State::Open(until) => Err(suspended(until - now)),
            State::Trial => Err(suspended(Duration::ZERO)),
        }
    }

    /// Whether calls that began before it was suspended should end.
    fn is_open(&self, org: &OrgId) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.records().get(org).is_some_and(|record| record.state != State::Closed)
    }

    fn fault(&self, org: &OrgId, trial: bool, code: &str, now: Instant) {
        let mut records = self.records();
        if !records.contains_key(org) {
            make_room(&mut records, now);
            let record = Record { faults: VecDeque::new(), state: State::Closed, times: 0, changed: now, since: now, until: now, code: String::new() };
            records.insert(org.clone(), record);
        }
        self.count.store(records.len(), Ordering::Relaxed);
        let Some(record) = records.get_mut(org) else { return };
        // Calls that were under way when it was suspended end one after the other: they are not counted again.
        if record.state != State::Closed && !trial {
            return;
        }
        if now.saturating_duration_since(record.changed) >= FORGET {
            record.times = 0;
        }
        record.changed = now;
        record.faults.push_back(now);
        while record.faults.len() > self.tolerated || record.faults.front().is_some_and(|first| now.saturating_duration_since(*first) >= WINDOW) {
            record.faults.pop_front();
        }
        if trial || record.faults.len() >= self.tolerated {
            let pause = FIRST.saturating_mul(1 << record.times.min(8)).min(LONGEST);
            record.times = record.times.saturating_add(1);
            if record.state == State::Closed {
                record.since = now;
            }
            record.state = State::Open(now + pause);
            record.until = now + pause;
            code.clone_into(&mut record.code);
            record.faults.clear();
            drop(records);
            if let Some(meter) = meter::get() {
                meter.suspensions.increment(1);
            }
            let (plugin, seconds) = (self.plugin, pause.as_secs());
            warn!(%plugin, %org, code, seconds, "A PLUGIN KEEPS FAILING: it is suspended for this organization, and tried again after this time");
        }
    }

    fn success(&self, org: &OrgId, trial: bool, now: Instant) {
        if !trial {
            return;
        }
        if let Some(record) = self.records().get_mut(org) {
            record.state = State::Closed;
            record.changed = now;
        }
        info!(plugin = %self.plugin, %org, "a plugin that was suspended works again for this organization");
    }

    /// The next call tries instead.
    fn give_back(&self, org: &OrgId, now: Instant) {
        if let Some(record) = self.records().get_mut(org) {
            record.state = State::Open(now);
        }
    }

    /// Whom it is left alone for at `now`, by organization.
    pub fn suspensions(&self, now: Instant) -> Vec<Suspension> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let records = self.records();
        // Of one whose time is over nobody can say whether it still fails, until a call tries.
        let suspended = records.iter().filter(|(_, record)| record.state != State::Closed && record.until > now);
        let mut found: Vec<_> = suspended
            .map(|(org, record)| Suspension { plugin: self.plugin, org: org.clone(), since: record.since, until: record.until, code: record.code.clone() })
            .collect();
        found.sort_by(|one, other| one.org.cmp(&other.org));
        found
    }

    fn records(&self) -> MutexGuard<'_, HashMap<OrgId, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(records: &mut HashMap<OrgId, Record>, now: Instant) {
    if records.len() >= MOST {
        records.retain(|_, record| record.state != State::Closed || now.saturating_duration_since(record.changed) < FORGET);
    }
    if records.len() >= MOST
        && let Some(quiet) = records.iter().min_by_key(|(_, record)| record.changed).map(|(org, _)| org.clone())
    {
        records.remove(&quiet);
    }
}

impl Watch {
    /// `outcome`: of the call. A fault of the plugin counts, and anything that is not the plugin's doing does not.
    pub fn settle<T>(&mut self, outcome: &Result<T>, now: Instant) {
        match outcome {
            Ok(_) => self.breaker.success(&self.org.id, self.trial, now),
            Err(error) if error.kind() == Kind::PluginFault => self.breaker.fault(&self.org.id, self.trial, error.code(), now),
            // Left to `drop`.
            Err(_) => return,
        }
        self.settled = true;
    }

    /// Suspended since it began; the one that tries goes on.
    pub fn is_over(&self) -> bool {
        !self.trial && self.breaker.is_open(&self.org.id)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        if self.spent {
            self.breaker.fault(&self.org.id, self.trial, "given_up", Instant::now());
        } else if self.trial {
            self.breaker.give_back(&self.org.id, Instant::now());
        }
    }
}

pub fn suspended(left: Duration) -> Error {
    let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
    Error::unavailable("plugin_suspended", "the connector's plugin failed too often for this organization; it is left alone for a while")
        .with_remedy("See which settings or source paths it fails for. The gateway's log names the plugin and the faults.")
        .with_retry_after(seconds)
}

#[cfg(test)]
#[path = "tests/breaker.rs"]
mod tests;
