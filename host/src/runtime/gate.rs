//! Who may run now. In front of the instance pool, so that the pool itself is never found empty.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::WAIT;
use crate::model::{Error, Result};

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
    _share: SemaphorePermit<'a>,
    _remote: Option<SemaphorePermit<'a>>,
    _slot: SemaphorePermit<'a>,
}

fn half(slots: u32) -> usize {
    (slots as usize).div_ceil(2).max(1)
}

impl Share {
    pub fn new(slots: u32) -> Self {
        Self(Semaphore::new(half(slots)))
    }
}

impl Gate {
    pub fn new(slots: u32) -> Self {
        let all = (slots as usize).max(1);
        Self { slots: Semaphore::new(all), remote: Semaphore::new(half(slots)), queue: Semaphore::new(all.saturating_mul(16)) }
    }

    /// `Unavailable` (`plugins_busy`) after a second without a slot, or at once when too many wait already.
    pub async fn enter<'a>(&'a self, share: &'a Share, remote: bool) -> Result<Pass<'a>> {
        if let Some(pass) = self.try_enter(share, remote) {
            return Ok(pass);
        }
        let Ok(_place) = self.queue.try_acquire() else { return Err(busy()) };
        let all = async {
            // Always in this order, the scarcest last: nobody holds a slot while it waits for its share.
            let share = share.0.acquire().await.ok()?;
            let remote = if remote { Some(self.remote.acquire().await.ok()?) } else { None };
            Some(Pass { _share: share, _remote: remote, _slot: self.slots.acquire().await.ok()? })
        };
        tokio::time::timeout(WAIT, all).await.ok().flatten().ok_or_else(busy)
    }

    fn try_enter<'a>(&'a self, share: &'a Share, remote: bool) -> Option<Pass<'a>> {
        let share = share.0.try_acquire().ok()?;
        let remote = if remote { Some(self.remote.try_acquire().ok()?) } else { None };
        Some(Pass { _share: share, _remote: remote, _slot: self.slots.try_acquire().ok()? })
    }
}

pub fn busy() -> Error {
    Error::unavailable("plugins_busy", "every slot for plugin calls is taken").with_retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn p26_when_all_slots_are_taken_a_call_waits_a_second_and_is_told_busy() {
        let (gate, one, two) = (Gate::new(2), Share::new(2), Share::new(2));
        let first = gate.enter(&one, false).await.unwrap();
        let _second = gate.enter(&two, false).await.unwrap();
        let started = tokio::time::Instant::now();
        let error = gate.enter(&Share::new(2), false).await.err().expect("no third slot");
        assert_eq!((error.code(), error.retry_after()), ("plugins_busy", Some(1)));
        assert_eq!(started.elapsed(), WAIT);
        drop(first);
        assert!(gate.enter(&one, false).await.is_ok(), "a slot that was given back is free");
    }

    #[tokio::test(start_paused = true)]
    async fn b12_one_plugin_gets_half_of_the_slots_and_remote_calls_too() {
        let (gate, greedy, other) = (Gate::new(4), Share::new(4), Share::new(4));
        let _held = (gate.enter(&greedy, false).await.unwrap(), gate.enter(&greedy, false).await.unwrap());
        assert_eq!(gate.enter(&greedy, false).await.err().map(|error| error.code().to_owned()).as_deref(), Some("plugins_busy"));
        assert!(gate.enter(&other, false).await.is_ok(), "another plugin is not held up");

        let (gate, shares) = (Gate::new(4), [Share::new(4), Share::new(4), Share::new(4)]);
        let _held = (gate.enter(&shares[0], true).await.unwrap(), gate.enter(&shares[1], true).await.unwrap());
        assert!(gate.enter(&shares[2], true).await.is_err());
        assert!(gate.enter(&shares[2], false).await.is_ok(), "planning goes on while remotes are slow");
    }

    #[tokio::test]
    async fn p26_the_queue_is_bounded() {
        let (gate, share) = (Gate::new(1), Share::new(1));
        let _held = gate.enter(&share, false).await.unwrap();
        let waiting: Vec<_> = (0..17).map(|_| Box::pin(gate.enter(&share, false))).collect();
        let outcomes = futures_util::future::select_all(waiting).await;
        assert!(outcomes.0.is_err());
        assert_eq!(outcomes.1, 16, "the one that found the queue full is answered first");
    }
}
