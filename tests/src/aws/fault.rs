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
    /// Refused with this status, code and sentence, as AWS documents them.
    Says(u16, &'static str, &'static str),
    /// As if the asker's clock were this many seconds behind. The answer's `Date` agrees.
    Skewed(i64),
    /// S3: the object has a delete marker.
    Deleted,
}

/// Until the double ends, for every request that holds all of `words` in its method, target or form.
struct Standing {
    service: Service,
    words: Vec<String>,
    fault: Fault,
}

#[derive(Default)]
pub struct Faults {
    next: Mutex<VecDeque<(Service, u32, Fault)>>,
    standing: Mutex<Vec<Standing>>,
}

impl Faults {
    pub fn add(&self, service: Service, times: u32, fault: Fault) {
        if times > 0 {
            self.next.lock().unwrap().push_back((service, times, fault));
        }
    }

    pub fn clear(&self, service: Service) {
        self.next.lock().unwrap().retain(|(of, ..)| *of != service);
        self.standing.lock().unwrap().retain(|fault| fault.service != service);
    }

    pub fn stand(&self, service: Service, words: &[&str], fault: Fault) {
        let words = words.iter().map(ToString::to_string).collect();
        self.standing.lock().unwrap().push(Standing { service, words, fault });
    }

    /// Each request takes at most one, in the order they were added; `text`: what it looks like.
    pub fn take(&self, service: Service, text: &str) -> Option<Fault> {
        self.take_next(service).or_else(|| {
            let standing = self.standing.lock().unwrap();
            standing.iter().find(|fault| fault.service == service && fault.words.iter().all(|word| text.contains(word))).map(|standing| standing.fault)
        })
    }

    fn take_next(&self, service: Service) -> Option<Fault> {
        let mut faults = self.next.lock().unwrap();
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
