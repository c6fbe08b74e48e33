//! Wrong tokens, counted by address: whoever guesses is told to wait (SECURITY A12). A right token is never throttled here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Error, Result, Timestamp};

const WINDOW: Duration = Duration::from_secs(60);
const MOST: u32 = 60;
/// More addresses than this in one window: they are forgotten together.
const MAX_ADDRESSES: usize = 10_000;

#[derive(Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

struct Failures {
    since: Timestamp,
    count: u32,
}

impl Throttle {
    /// Notes a failure; `LimitExceeded` (`too_many_failures`) when there were too many within a minute.
    pub fn note(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= MAX_ADDRESSES && !addresses.contains_key(&address) {
            addresses.clear();
        }
        let failures = addresses.entry(address).or_insert(Failures { since: now, count: 0 });
        if now.since(failures.since) >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
        if failures.count <= MOST {
            return Ok(());
        }
        let wait = WINDOW.saturating_sub(now.since(failures.since)).as_secs().max(1);
        Err(Error::limit("too_many_failures", "too many wrong tokens from this address")
            .with_remedy("Correct the token, and wait as long as Retry-After says.")
            .with_retry_after(u32::try_from(wait).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a12_guessing_is_slowed_for_one_address_only() {
        let throttle = Throttle::default();
        let (guesser, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert!((0..60).all(|_| throttle.note(guesser, at(0)).is_ok()));
        let error = throttle.note(guesser, at(20)).expect_err("the 61st");
        assert_eq!((error.code(), error.retry_after()), ("too_many_failures", Some(40)));
        assert!(throttle.note(other, at(20)).is_ok());
        assert!(throttle.note(guesser, at(60)).is_ok(), "a new minute");
    }
}
