//! Organizations that are calling plugins: the part of the slots that each has.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use super::gate::{WAITING, half};
use crate::model::OrgId;

/// More than this many: those that call nothing now are forgotten. Those that do are bounded by the slots and the queue.
const MOST: usize = 4096;

/// One organization.
pub struct Org {
    pub id: OrgId,
    slots: Semaphore,
    remote: Semaphore,
    pub queue: Semaphore,
    /// For calls that run long.
    pub long: Arc<Semaphore>,
}

/// What a call of an organization holds; given back when dropped. Counted by hand, for a permit that outlives a borrow takes more than this.
pub struct Held {
    org: Arc<Org>,
    remote: bool,
}

impl Org {
    fn new(id: OrgId, slots: usize) -> Self {
        let part = half(slots);
        let (slots, remote, queue) = (Semaphore::new(part), Semaphore::new(half(part)), Semaphore::new(part.saturating_mul(WAITING)));
        Self { id, slots, remote, queue, long: Arc::new(Semaphore::new(1)) }
    }

    pub fn try_hold(self: &Arc<Self>, remote: bool) -> Option<Held> {
        let asked = if remote { Some(self.remote.try_acquire().ok()?) } else { None };
        self.slots.try_acquire().ok()?.forget();
        asked.into_iter().for_each(tokio::sync::SemaphorePermit::forget);
        Some(Held { org: Arc::clone(self), remote })
    }

    /// `None`: never, for nobody closes a semaphore.
    pub async fn hold(self: &Arc<Self>, remote: bool) -> Option<Held> {
        let asked = if remote { Some(self.remote.acquire().await.ok()?) } else { None };
        self.slots.acquire().await.ok()?.forget();
        asked.into_iter().for_each(tokio::sync::SemaphorePermit::forget);
        Some(Held { org: Arc::clone(self), remote })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.org.slots.add_permits(1);
        if self.remote {
            self.org.remote.add_permits(1);
        }
    }
}

/// Each by its id, made when it first calls.
pub struct Orgs {
    slots: usize,
    known: RwLock<HashMap<OrgId, Arc<Org>>>,
}

impl Orgs {
    pub fn new(slots: u32) -> Self {
        Self { slots: slots as usize, known: RwLock::default() }
    }

    pub fn get(&self, id: &OrgId) -> Arc<Org> {
        if let Some(org) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Arc::clone(org);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, org| Arc::strong_count(org) > 1);
        }
        Arc::clone(known.entry(id.clone()).or_insert_with(|| Arc::new(Org::new(id.clone(), self.slots))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b12_organizations_are_bounded_and_one_that_calls_is_not_forgotten() {
        let orgs = Orgs::new(4);
        let id = |number: usize| OrgId::new(format!("org-{number}")).unwrap();
        let calling = orgs.get(&id(0));
        let held = calling.try_hold(false).unwrap();
        for number in 1..3 * MOST {
            let _ = orgs.get(&id(number));
        }
        assert!(orgs.known.read().unwrap().len() <= MOST);
        assert!(Arc::ptr_eq(&orgs.get(&id(0)), &calling), "its part would be counted twice");
        drop(held);
    }
}
