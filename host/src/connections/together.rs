//! Requests that arrive together are planned together: the ones that a thread finds ready in a few turns, for one connection.
//!
//! The plugin plans each source path of them; a fresh instance costs as much for one path as for twenty. Where a plan for all
//! fails, each is planned alone, so that one bad path is nobody else's trouble.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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

/// One connection's, by the runtime that serves the requests: nobody waits for another thread.
#[derive(Default)]
pub struct Together(Mutex<HashMap<Id, Vec<Follower>>>);

struct Follower {
    source: String,
    answer: oneshot::Sender<Located>,
}

/// Gathers followers until it is asked for them, or gone.
struct Leader<'a> {
    /// `None` once it has them.
    all: Option<&'a Together>,
    runtime: Id,
}

enum Role<'a> {
    Leads(Leader<'a>),
    Follows(oneshot::Receiver<Located>),
    Alone,
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
            Role::Alone => {}
        }
        let Plan { credentials, locations } = Box::pin(plugin.locate(org, settings, &[source])).await?;
        let location = locations.into_iter().next().ok_or_else(|| Error::plugin_fault("plan_incomplete", "the plugin left out a source path"))?;
        Ok((Arc::new(credentials), location))
    }

    fn role(&self, source: &str) -> Role<'_> {
        let runtime = Handle::current().id();
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match gathering.get_mut(&runtime) {
            None => {
                gathering.insert(runtime, Vec::new());
                Role::Leads(Leader { all: Some(self), runtime })
            }
            Some(followers) if followers.len() + 1 < MOST => {
                let (answer, located) = oneshot::channel();
                followers.push(Follower { source: source.to_owned(), answer });
                Role::Follows(located)
            }
            Some(_) => Role::Alone,
        }
    }
}

impl Leader<'_> {
    async fn gather(&self) {
        let mut before = 0;
        for _ in 0..TURNS {
            // Whoever else is ready now comes before us.
            tokio::task::yield_now().await;
            let now = self.gathered();
            if now == before {
                return;
            }
            before = now;
        }
    }

    fn gathered(&self) -> usize {
        let Some(all) = self.all else { return 0 };
        all.0.lock().unwrap_or_else(PoisonError::into_inner).get(&self.runtime).map_or(0, Vec::len)
    }

    /// Nobody follows any more.
    fn followers(mut self) -> Vec<Follower> {
        self.end()
    }

    fn end(&mut self) -> Vec<Follower> {
        let Some(all) = self.all.take() else { return Vec::new() };
        all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.runtime).unwrap_or_default()
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.end();
    }
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
