//! Who may run now. In front of the instance pool, so that the pool itself is never found empty.
//!
//! Nobody gets all of it: a plugin has three quarters of the slots, an organization half of them, and calls that may wait for a remote half of
//! either. So one organization never holds a plugin, nor the gateway, from others; and planning goes on while remotes are slow.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::WAIT;
use super::orgs::{Held, Org};
use crate::model::{Error, Result};

/// Calls that wait, for each slot.
pub const WAITING: usize = 16;

pub struct Gate {
    slots: Semaphore,
    /// Calls that may wait for a remote: with every slot in their hands nothing could be planned while a remote is slow.
    remote: Semaphore,
    /// Calls that wait for a slot.
    queue: Semaphore,
}

/// One plugin's part of the slots: with every slot in the hands of one that loops, no other could run.
pub struct Share(Semaphore);

/// Permission to run one call; given back when dropped.
pub struct Pass<'a> {
    _org: Option<Held>,
    _share: SemaphorePermit<'a>,
    _remote: Option<SemaphorePermit<'a>>,
    _slot: SemaphorePermit<'a>,
}

/// Rounded up: of one slot, everybody's part is one.
pub fn half(slots: usize) -> usize {
    slots.div_ceil(2).max(1)
}

impl Share {
    pub fn new(slots: u32) -> Self {
        let slots = slots as usize;
        Self(Semaphore::new(slots.saturating_sub(slots / 4).max(1)))
    }
}

impl Gate {
    pub fn new(slots: u32) -> Self {
        let all = (slots as usize).max(1);
        Self { slots: Semaphore::new(all), remote: Semaphore::new(half(all)), queue: Semaphore::new(all.saturating_mul(WAITING)) }
    }

    /// `org`: in whose name; nobody's only while a plugin is loaded. `Unavailable` (`plugins_busy`) after a second without a slot, or at once when
    /// too many wait already.
    pub async fn enter<'a>(&'a self, share: &'a Share, org: Option<&Arc<Org>>, remote: bool) -> Result<Pass<'a>> {
        if let Some(pass) = self.try_enter(share, org, remote) {
            return Ok(pass);
        }
        // One organization's queue first: the whole queue is never full of it.
        let _own_place = match org {
            Some(org) => Some(org.queue.try_acquire().map_err(|_| busy())?),
            None => None,
        };
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let all = async {
            // Always in this order, the scarcest last: nobody holds a slot while it waits for its share.
            let org = match org {
                Some(org) => Some(org.hold(remote).await?),
                None => None,
            };
            let share = share.0.acquire().await.ok()?;
            let remote = if remote { Some(self.remote.acquire().await.ok()?) } else { None };
            Some(Pass { _org: org, _share: share, _remote: remote, _slot: self.slots.acquire().await.ok()? })
        };
        tokio::time::timeout(WAIT, all).await.ok().flatten().ok_or_else(busy)
    }

    fn try_enter<'a>(&'a self, share: &'a Share, org: Option<&Arc<Org>>, remote: bool) -> Option<Pass<'a>> {
        let org = match org {
            Some(org) => Some(org.try_hold(remote)?),
            None => None,
        };
        let share = share.0.try_acquire().ok()?;
        let remote = if remote { Some(self.remote.try_acquire().ok()?) } else { None };
        Some(Pass { _org: org, _share: share, _remote: remote, _slot: self.slots.try_acquire().ok()? })
    }
}

pub fn busy() -> Error {
    Error::unavailable("plugins_busy", "every slot for plugin calls is taken").with_retry_after(1)
}

#[cfg(test)]
#[path = "tests/gate.rs"]
mod tests;
