//! Faults on demand: what the next requests meet.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    S3,
    Sts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// S3: 503 `SlowDown`. STS: 400 `Throttling`.
    Throttle,
    /// 500 `InternalError` (STS: `InternalFailure`).
    InternalError,
    /// As if the session had just expired.
    ExpiredToken,
    /// S3 only: 301 to another region, whatever the request was signed for.
    WrongRegion,
    /// Right, but only after this long.
    Late(Duration),
    /// The body in pieces of `bytes`, each after `pause`.
    SlowBody { bytes: usize, pause: Duration },
    /// The head promises all, the body ends half-way.
    TruncatedBody,
    /// The connection closes without an answer.
    Hangup,
    /// 200 with something that is not XML.
    Garbage,
}

#[derive(Default)]
pub struct Faults(Mutex<VecDeque<(Service, u32, Fault)>>);

impl Faults {
    pub fn add(&self, service: Service, times: u32, fault: Fault) {
        if times > 0 {
            self.0.lock().unwrap().push_back((service, times, fault));
        }
    }

    /// Each request takes at most one, in the order they were added.
    pub fn take(&self, service: Service) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let at = faults.iter().position(|(of, ..)| *of == service)?;
        let (_, left, fault) = faults.get_mut(at)?;
        let fault = *fault;
        *left -= 1;
        if *left == 0 {
            faults.remove(at);
        }
        Some(fault)
    }
}
