//! Who may fetch next: a fixed number of turns, given to organizations in rotation, so that one with a large job does not hold up the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::OrgId;

pub(super) struct Turns(Mutex<Inner>);

struct Inner {
    free: usize,
    /// Empty while there are free turns. An organization is in it once, with those who wait in it.
    ring: VecDeque<(OrgId, VecDeque<oneshot::Sender<Turn>>)>,
}

/// Given back when dropped.
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner { free: count.max(1), ring: VecDeque::new() })))
    }

    /// Resolves when it is this one's turn. Dropping it gives up the place.
    pub(super) fn take(self: &Arc<Self>, org: &OrgId) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if inner.free > 0 {
            inner.free -= 1;
            drop(inner);
            // Fails only if the receiver is gone, which is in our hand.
            let _ = sender.send(Turn(Some(Arc::clone(self))));
        } else if let Some((_, waiting)) = inner.ring.iter_mut().find(|(waiting, _)| waiting == org) {
            waiting.push_back(sender);
        } else {
            inner.ring.push_back((org.clone(), VecDeque::from([sender])));
        }
        receiver
    }

    fn release(self: &Arc<Self>) {
        let mut inner = self.lock();
        while let Some((org, mut waiting)) = inner.ring.pop_front() {
            let next = waiting.pop_front();
            if !waiting.is_empty() {
                inner.ring.push_back((org, waiting));
            }
            match next.map(|next| next.send(Turn(Some(Arc::clone(self))))) {
                Some(Ok(())) => return,
                // Whoever waited there is gone. This turn must not give itself back: that is what we are doing.
                Some(Err(mut refused)) => drop(refused.0.take()),
                None => {}
            }
        }
        inner.free += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::new(name).expect("an organization")
    }

    #[tokio::test]
    async fn o01_organizations_take_turns() {
        let turns = Turns::new(1);
        let first = turns.take(&org("a")).await.expect("free");
        let mut waiting: Vec<(&str, oneshot::Receiver<Turn>)> = ["a", "a", "a", "b", "c", "b"].map(|name| (name, turns.take(&org(name)))).into_iter().collect();
        drop(first);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let next = waiting.iter_mut().position(|(_, receiver)| receiver.try_recv().is_ok()).expect("somebody has the turn");
            order.push(waiting.remove(next).0);
        }
        assert_eq!(order, ["a", "b", "c", "a", "b", "a"]);
    }

    #[tokio::test]
    async fn a_turn_is_never_lost() {
        let turns = Turns::new(2);
        let (one, two) = (turns.take(&org("a")).await.expect("free"), turns.take(&org("a")).await.expect("free"));
        drop((turns.take(&org("a")), turns.take(&org("b"))));
        let unread = turns.take(&org("b"));
        drop(one);
        drop(unread);
        drop(two);
        assert_eq!(turns.lock().free, 2);
        assert!(turns.lock().ring.is_empty());
    }
}
