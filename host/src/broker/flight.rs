//! Values that are obtained by an exchange and perish: one exchange however many wait, refreshed ahead, ridden out while the remote is down.
//!
//! An exchange runs in its own task, so that a caller who goes away neither stops it nor starts a second one.
//! What it must never do: hand out a value past its life.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use crate::meter;
use crate::model::{Clock, Connection, ConnectionId, Credential, Error, OrgId, Result, Timestamp};

/// A failure is answered to everybody for this long before the remote is asked again.
const FAILURE_LIFE: Duration = Duration::from_secs(1);
/// A refresh that keeps failing, while the old value still serves, is tried this seldom.
const LONGEST_REST: Duration = Duration::from_secs(60);
const ALWAYS: Timestamp = Timestamp::from_millis(i64::MIN);
/// The whole exchange, waiting in line included. The remote's own timeouts are shorter.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Slots of one connection: its revisions and recipes in use at a time.
const SLOTS_PER_OWNER: usize = 8;

pub(super) trait Perishable: Send + Sync + 'static {
    fn obtained(&self) -> Timestamp;
    /// Never used at or after this.
    fn usable_until(&self) -> Timestamp;
    /// From here on the next caller starts a refresh.
    fn refresh_at(&self) -> Timestamp;
}

/// One value and whoever is fetching it.
pub(super) struct Slot<V> {
    /// Held by the one exchange that runs.
    flight: Arc<Mutex<()>>,
    state: RwLock<State<V>>,
}

struct State<V> {
    value: Option<Arc<V>>,
    failure: Option<Failure>,
}

struct Failure {
    began: Timestamp,
    at: Timestamp,
    error: Error,
    /// Failures in a row.
    count: u32,
}

impl<V: Perishable> Slot<V> {
    pub fn new() -> Self {
        Self { flight: Arc::default(), state: RwLock::new(State { value: None, failure: None }) }
    }

    /// The value, if it may still be used. `exchange` is called only where one is started. `since`: what was learnt earlier is left
    /// to others; a failure then leaves the old value to them.
    pub async fn get<F, Exchange>(self: &Arc<Self>, clock: &Clock, since: Option<Timestamp>, exchange: F) -> Result<Arc<V>>
    where
        F: FnOnce() -> Exchange,
        Exchange: Future<Output = Result<V>> + Send + 'static,
    {
        let now = clock();
        let since = since.unwrap_or(ALWAYS);
        if let Some(value) = self.usable(now, since) {
            if now >= value.refresh_at()
                && let Ok(flight) = self.flight.clone().try_lock_owned()
                && self.wants_refresh(now)
            {
                self.start(flight, clock, exchange(), true);
            }
            if let Some(meter) = meter::get() {
                meter.lease_held.increment(1);
            }
            return Ok(value);
        }
        let outcome = self.exchange_once(clock, since, exchange).await;
        if let Some(meter) = meter::get() {
            match &outcome {
                Ok((_, true)) => meter.lease_opened.increment(1),
                Ok((_, false)) => meter.lease_shared.increment(1),
                Err(_) => meter.lease_failed.increment(1),
            }
        }
        outcome.map(|(value, _)| value)
    }

    /// And whether it was this caller's exchange that brought it.
    async fn exchange_once<F, Exchange>(self: &Arc<Self>, clock: &Clock, since: Timestamp, exchange: F) -> Result<(Arc<V>, bool)>
    where
        F: FnOnce() -> Exchange,
        Exchange: Future<Output = Result<V>> + Send + 'static,
    {
        if let Some(error) = self.recent_failure(clock(), since) {
            return Err(error);
        }
        let flight = self.flight.clone().lock_owned().await;
        // Whoever held the lock may have brought it, or learnt that it cannot be had.
        let now = clock();
        if let Some(value) = self.usable(now, since) {
            return Ok((value, false));
        }
        if let Some(error) = self.recent_failure(now, since) {
            return Err(error);
        }
        match self.start(flight, clock, exchange(), false).await {
            Ok(outcome) => outcome.map(|value| (value, true)),
            Err(stopped) => Err(Error::internal("exchange_stopped", "obtaining a credential was interrupted").with_source(stopped)),
        }
    }

    /// Forgets `value`, if it is still the one held: the remote has refused it.
    pub fn drop_value(&self, value: &Arc<V>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.value.as_ref().is_some_and(|held| Arc::ptr_eq(held, value)) {
            state.value = None;
        }
    }

    fn start(
        self: &Arc<Self>,
        flight: OwnedMutexGuard<()>,
        clock: &Clock,
        exchange: impl Future<Output = Result<V>> + Send + 'static,
        ahead: bool,
    ) -> JoinHandle<Result<Arc<V>>> {
        let (slot, clock, began) = (self.clone(), clock.clone(), clock());
        tokio::spawn(async move {
            let _flight = flight;
            let outcome = match tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::unavailable("credential_exchange_timeout", "obtaining a credential took too long")),
            };
            let outcome = outcome.map(Arc::new);
            if let Some(meter) = meter::get() {
                meter.exchanges.note(&outcome);
            }
            let mut state = slot.state.write().unwrap_or_else(PoisonError::into_inner);
            match &outcome {
                Ok(value) => *state = State { value: Some(value.clone()), failure: None },
                Err(error) => {
                    if ahead {
                        // Nobody waits for this one: it is handled here.
                        tracing::warn!(?error, "a credential could not be refreshed ahead of its expiry; the old one still serves");
                    }
                    let count = state.failure.as_ref().map_or(1, |failure| failure.count.saturating_add(1));
                    state.failure = Some(Failure { began, at: clock(), error: repeat(error), count });
                }
            }
            outcome
        })
    }

    fn usable(&self, now: Timestamp, since: Timestamp) -> Option<Arc<V>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.value.as_ref().filter(|value| now < value.usable_until() && value.obtained() >= since).cloned()
    }

    fn recent_failure(&self, now: Timestamp, since: Timestamp) -> Option<Error> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.failure.as_ref().filter(|failure| now.since(failure.at) < FAILURE_LIFE && failure.began >= since).map(|failure| repeat(&failure.error))
    }

    fn wants_refresh(&self, now: Timestamp) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let rested = state.failure.as_ref().is_none_or(|failure| {
            let rest = FAILURE_LIFE.saturating_mul(1 << failure.count.min(6)).min(LONGEST_REST);
            now.since(failure.at) >= rest
        });
        rested && state.value.as_ref().is_some_and(|value| now >= value.refresh_at())
    }
}

/// The same answer for everybody who waited. Causes stay with the first, which is the one that gets logged.
fn repeat(error: &Error) -> Error {
    let mut same = Error::new(error.kind(), error.code().to_owned(), error.message()).because_of(error);
    if let Some(remedy) = error.remedy() {
        same = same.with_remedy(remedy);
    }
    if let Some(seconds) = error.retry_after() {
        same = same.with_retry_after(seconds);
    }
    same
}

/// Whose slot it is. The default connection answers for several organizations: none sees another's.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Owner {
    connection: ConnectionId,
    org: OrgId,
}

/// Slots by connection, revision and recipe. Bounded: the oldest connection's go first.
pub(super) struct Slots<V> {
    capacity: usize,
    inner: RwLock<Inner<V>>,
}

struct Inner<V> {
    owners: HashMap<Owner, Owned<V>>,
    /// By when they came; each owner is here once.
    oldest_first: BTreeMap<u64, Owner>,
    came: u64,
}

struct Owned<V> {
    came: u64,
    slots: Vec<Keyed<V>>,
}

struct Keyed<V> {
    revision: u64,
    credential: Credential,
    slot: Arc<Slot<V>>,
}

impl<V: Perishable> Slots<V> {
    /// `capacity`: how many connections.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, inner: RwLock::new(Inner { owners: HashMap::new(), oldest_first: BTreeMap::new(), came: 0 }) }
    }

    pub fn of_connection(&self, connection: &Connection, credential: &Credential) -> Arc<Slot<V>> {
        self.slot(Owner { connection: connection.id, org: connection.org.clone() }, connection.revision, credential)
    }

    /// A slot of the organization itself.
    pub fn of_org(&self, org: &OrgId, credential: &Credential) -> Arc<Slot<V>> {
        self.slot(Owner { connection: ConnectionId(uuid::Uuid::nil()), org: org.clone() }, 0, credential)
    }

    fn slot(&self, owner: Owner, revision: u64, credential: &Credential) -> Arc<Slot<V>> {
        let fits = |keyed: &&Keyed<V>| keyed.revision == revision && keyed.credential == *credential;
        {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = inner.owners.get(&owner).and_then(|owned| owned.slots.iter().find(fits)) {
                return found.slot.clone();
            }
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        if !inner.owners.contains_key(&owner) {
            if inner.owners.len() >= self.capacity
                && let Some((_, oldest)) = inner.oldest_first.pop_first()
            {
                inner.owners.remove(&oldest);
            }
            inner.came += 1;
            inner.oldest_first.insert(inner.came, owner.clone());
        }
        let came = inner.came;
        let slots = &mut inner.owners.entry(owner).or_insert_with(|| Owned { came, slots: Vec::new() }).slots;
        if let Some(found) = slots.iter().find(fits) {
            return found.slot.clone();
        }
        if slots.len() >= SLOTS_PER_OWNER {
            slots.remove(0);
        }
        let slot = Arc::new(Slot::new());
        slots.push(Keyed { revision, credential: credential.clone(), slot: slot.clone() });
        slot
    }

    /// Forgets failures, not values: somebody is looking into it, and the next caller asks again.
    pub fn forgive(&self, org: &OrgId, connection: ConnectionId) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        for keyed in inner.owners.get(&Owner { connection, org: org.clone() }).into_iter().flat_map(|owned| &owned.slots) {
            keyed.slot.state.write().unwrap_or_else(PoisonError::into_inner).failure = None;
        }
    }

    pub fn forget(&self, org: &OrgId, connection: ConnectionId) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owned) = inner.owners.remove(&Owner { connection, org: org.clone() }) {
            inner.oldest_first.remove(&owned.came);
        }
    }
}

#[cfg(test)]
mod tests;
