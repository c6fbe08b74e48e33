//! A call that runs long does so beside the others, not before them: one at a time for each organization, a few in all, and after each tick
//! it leaves the thread for as long as it had it. What plans in microseconds never waits behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::TICK;
use super::orgs::Org;

/// Of all calls that run long: half as many as there are processors, and one for somebody else.
pub struct Lanes(Arc<Semaphore>);

impl Lanes {
    pub fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(2))))
    }
}

/// One call's way through the lanes.
pub struct Pace {
    lanes: Arc<Semaphore>,
    org: Option<Arc<Org>>,
    /// Filled while the guest waits for its next turn, which borrows nothing of the call.
    place: Option<Arc<OnceLock<Place>>>,
}

/// In the organization's own lane, and in the gateway's.
struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _lane: OwnedSemaphorePermit,
}

impl Pace {
    pub fn new(lanes: &Lanes, org: Option<Arc<Org>>) -> Self {
        Self { lanes: Arc::clone(&lanes.0), org, place: None }
    }

    /// When it may go on. Keeps its place until the call ends or asks the host: the one that is ahead ends first.
    pub fn turn(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let place = Arc::clone(self.place.get_or_insert_default());
        let (lanes, org) = (Arc::clone(&self.lanes), self.org.clone());
        Box::pin(async move {
            if place.get().is_none()
                && let Some(taken) = take(lanes, org).await
            {
                let _ = place.set(taken);
            }
            tokio::time::sleep(TICK).await;
        })
    }

    /// What waits for a remote leaves its place to others.
    pub fn leave(&mut self) {
        self.place = None;
    }
}

/// Always in this order: nobody holds a lane while it waits for its own organization.
async fn take(lanes: Arc<Semaphore>, org: Option<Arc<Org>>) -> Option<Place> {
    let own = match org {
        Some(org) => Some(Arc::clone(&org.long).acquire_owned().await.ok()?),
        None => None,
    };
    Some(Place { _own: own, _lane: lanes.acquire_owned().await.ok()? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::OrgId;
    use crate::runtime::orgs::Orgs;

    #[tokio::test(start_paused = true)]
    async fn o13_long_calls_of_one_organization_run_one_at_a_time_and_leave_a_lane_to_others() {
        let (lanes, orgs) = (Lanes(Arc::new(Semaphore::new(2))), Orgs::new(8));
        let pace = |org: &str| Pace::new(&lanes, Some(orgs.get(&OrgId::new(org).unwrap())));
        let (mut first, mut second, mut other) = (pace("one"), pace("one"), pace("two"));
        let at_once = Duration::from_millis(50);
        assert!(tokio::time::timeout(at_once, first.turn()).await.is_ok());
        assert!(tokio::time::timeout(at_once, first.turn()).await.is_ok(), "it has its place");
        assert!(tokio::time::timeout(at_once, second.turn()).await.is_err(), "the first goes on until it ends");
        assert!(tokio::time::timeout(at_once, other.turn()).await.is_ok(), "another organization");
        first.leave();
        assert!(tokio::time::timeout(at_once, second.turn()).await.is_ok(), "it asks the host");
        drop(second);
        assert!(tokio::time::timeout(at_once, first.turn()).await.is_ok());
    }
}
