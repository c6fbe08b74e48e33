//! Requests that arrive together are planned together: the ones that a thread finds ready in a few turns, for one connection.
//!
//! The plugin plans each source path of them; a fresh instance costs as much for one path as for twenty. Where a plan for all
//! fails, each is planned alone, so that one bad path is nobody else's trouble.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use crate::model::{Credential, Error, Location, OrgId, Plan, Result};
use crate::runtime::Plugin;

/// As many as one call plans without its deadline coming near.
const MOST: usize = 64;
/// Turns of its thread that the first of them waits for others, as long as each brings some.
const TURNS: usize = 3;

/// The plan's credentials, and the location that names one of them.
pub type Located = (Arc<Vec<Credential>>, Result<Location>);

/// One connection's bunches that are open, by the runtime that serves the requests: nobody waits for another thread.
#[derive(Default)]
pub struct Together(Mutex<HashMap<Id, Arc<Bunch>>>);

/// Who follows one leader.
type Bunch = Mutex<Vec<Follower>>;

struct Follower {
    source: String,
    answer: oneshot::Sender<Located>,
}

/// Gathers followers until it is asked for them, or gone.
struct Leader<'a> {
    all: &'a Together,
    runtime: Id,
    bunch: Arc<Bunch>,
}

enum Role<'a> {
    Leads(Leader<'a>),
    Follows(oneshot::Receiver<Located>),
}

impl Together {
    pub async fn locate(&self, plugin: &Plugin, org: &OrgId, settings: &str, source: &str) -> Result<Located> {
        match self.role(source) {
            Role::Follows(answer) => {
                // A leader that failed, or whose client left, drops it.
                if let Ok(located) = answer.await {
                    return Ok(located);
                }
            }
            Role::Leads(leader) => {
                leader.gather().await;
                if let Some(located) = Box::pin(plan_all(plugin, org, settings, source, leader.followers())).await {
                    return Ok(located);
                }
            }
        }
        let Plan { credentials, locations } = Box::pin(plugin.locate(org, settings, &[source])).await?;
        let location = locations.into_iter().next().ok_or_else(|| Error::plugin_fault("plan_incomplete", "the plugin left out a source path"))?;
        Ok((Arc::new(credentials), location))
    }

    fn role(&self, source: &str) -> Role<'_> {
        let runtime = Handle::current().id();
        let mut open = lock(&self.0);
        if let Some(bunch) = open.get(&runtime) {
            let mut followers = lock(bunch);
            if followers.len() + 1 < MOST {
                let (answer, located) = oneshot::channel();
                followers.push(Follower { source: source.to_owned(), answer });
                return Role::Follows(located);
            }
        }
        // One that is full is its leader's alone from now on.
        let bunch = Arc::default();
        open.insert(runtime, Arc::clone(&bunch));
        Role::Leads(Leader { all: self, runtime, bunch })
    }
}

impl Leader<'_> {
    async fn gather(&self) {
        let mut before = 0;
        for _ in 0..TURNS {
            // Whoever else is ready now comes before us.
            tokio::task::yield_now().await;
            let now = lock(&self.bunch).len();
            if now == before || now + 1 == MOST {
                return;
            }
            before = now;
        }
    }

    /// Nobody follows any more.
    fn followers(self) -> Vec<Follower> {
        self.close();
        std::mem::take(&mut lock(&self.bunch))
    }

    fn close(&self) {
        let mut open = lock(&self.all.0);
        if open.get(&self.runtime).is_some_and(|bunch| Arc::ptr_eq(bunch, &self.bunch)) {
            open.remove(&self.runtime);
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` where there is nobody else, or no plan for all.
async fn plan_all(plugin: &Plugin, org: &OrgId, settings: &str, source: &str, followers: Vec<Follower>) -> Option<Located> {
    if followers.is_empty() {
        return None;
    }
    let sources: Vec<&str> = std::iter::once(source).chain(followers.iter().map(|follower| follower.source.as_str())).collect();
    let Plan { credentials, locations } = plugin.locate(org, settings, &sources).await.ok()?;
    let (credentials, mut locations) = (Arc::new(credentials), locations.into_iter());
    let own = locations.next()?;
    for (follower, location) in followers.into_iter().zip(locations) {
        // One whose client left does not want it any more.
        let _ = follower.answer.send((Arc::clone(&credentials), location));
    }
    Some((credentials, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows after so many turns.
    async fn late(together: &Together, turns: usize) -> Role<'_> {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        together.role("s3://b/late")
    }

    #[tokio::test]
    async fn the_first_waits_for_three_turns_at_most_and_no_longer_than_others_come() {
        let together = Together::default();
        let gathered = async || {
            let Role::Leads(leader) = together.role("s3://b/leads") else { panic!("it follows") };
            leader.gather().await;
            leader.followers().len()
        };
        assert_eq!(gathered().await, 0);
        let (early, ..) = tokio::join!(biased; gathered(), late(&together, 1));
        assert_eq!(early, 0, "nobody came in its first turn");
        let (most, ..) = tokio::join!(biased; gathered(), late(&together, 0), late(&together, 0), late(&together, 1), late(&together, 2), late(&together, 3));
        assert_eq!(most, 4, "the last came too late");
    }

    #[tokio::test]
    async fn a_full_bunch_is_followed_by_another_and_a_leader_that_leaves_closes_its_own_only() {
        let together = Together::default();
        let lead = || match together.role("s3://b/leads") {
            Role::Leads(leader) => leader,
            Role::Follows(_) => panic!("it follows"),
        };
        let follow = || match together.role("s3://b/follows") {
            Role::Leads(_) => panic!("it leads"),
            Role::Follows(located) => located,
        };
        let full = lead();
        let first: Vec<_> = (1..MOST).map(|_| follow()).collect();
        let open = lead();
        let mut second = follow();
        // The leader of the full one leaves with its followers; the other goes on gathering.
        assert_eq!(full.followers().len(), first.len());
        assert!(first.into_iter().all(|mut located| matches!(located.try_recv(), Err(oneshot::error::TryRecvError::Closed))));
        let _third = follow();
        assert_eq!(lock(&open.bunch).len(), 2);
        drop(open);
        assert!(second.try_recv().is_err(), "nobody answers for it: it plans alone");
        let _new = lead();
    }
}
