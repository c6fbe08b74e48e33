//! An in-memory host for native tests: imports go to the one that a test runs in. It answers as the gateway would, and keeps
//! a list of what was asked.

pub(crate) mod aws;
pub(crate) mod contract;
pub(crate) mod http;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use contract::assert_contract;

use crate::aws::ExternalIdVerdict;
use crate::http::Answer;
use crate::log::Level;
use crate::{Error, ErrorKind};

/// What a test lets exist: roles that can be assumed, buckets with objects, URLs that answer.
#[derive(Default)]
pub struct Host {
    roles: BTreeMap<String, ExternalIdVerdict>,
    buckets: BTreeMap<String, Bucket>,
    answers: BTreeMap<String, Answer>,
    documents: BTreeMap<String, String>,
    failures: BTreeMap<String, Error>,
    calls: Vec<String>,
    lines: Vec<(Level, String)>,
}

#[derive(Default)]
struct Bucket {
    region: String,
    objects: BTreeMap<String, u64>,
}

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

impl Host {
    /// A role that trusts the gateway, and how well it looks at the external id.
    #[must_use]
    pub fn role(mut self, arn: &str, verdict: ExternalIdVerdict) -> Self {
        self.roles.insert(arn.to_owned(), verdict);
        self
    }

    #[must_use]
    pub fn bucket(mut self, name: &str, region: &str) -> Self {
        self.buckets.insert(name.to_owned(), Bucket { region: region.to_owned(), objects: BTreeMap::new() });
        self
    }

    /// Puts an object of `size` bytes into a bucket that is there.
    #[must_use]
    pub fn object(mut self, bucket: &str, key: &str, size: u64) -> Self {
        self.buckets.entry(bucket.to_owned()).or_default().objects.insert(key.to_owned(), size);
        self
    }

    #[must_use]
    pub fn answer(mut self, url: &str, status: u16) -> Self {
        self.answers.insert(url.to_owned(), Answer { status, content_type: None, content_length: None, accepts_ranges: true });
        self
    }

    #[must_use]
    pub fn document(mut self, url: &str, body: &str) -> Self {
        self.documents.insert(url.to_owned(), body.to_owned());
        self
    }

    /// Makes an import, such as `aws.list`, fail.
    #[must_use]
    pub fn fails(mut self, import: &str, error: Error) -> Self {
        self.failures.insert(import.to_owned(), error);
        self
    }

    /// Runs `work` in this host; returns its result and what it asked for, in order.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> (T, Vec<String>) {
        let outer = HOST.replace(Some(self));
        let result = work();
        let host = HOST.replace(outer).unwrap_or_default();
        (result, host.calls)
    }
}

/// One call of an import: noted, then failed or answered.
fn call<T>(import: &str, about: &str, answer: impl FnOnce(&mut Host) -> Result<T, Error>) -> Result<T, Error> {
    HOST.with_borrow_mut(|host| {
        let host = host.as_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "no_host", "an import was called outside Host::run"))?;
        host.calls.push(format!("{import} {about}").trim_end().to_owned());
        match host.failures.get(import) {
            Some(error) => Err(error.clone()),
            None => answer(host),
        }
    })
}

/// `log.write`. The lines are there to be read back with [`log_lines`].
pub fn log_write(level: Level, message: &str) {
    HOST.with_borrow_mut(|host| {
        if let Some(host) = host {
            host.lines.push((level, message.to_owned()));
        }
    });
}

/// What was logged so far in this run.
#[must_use]
pub fn log_lines() -> Vec<(Level, String)> {
    HOST.with_borrow(|host| host.as_ref().map(|host| host.lines.clone()).unwrap_or_default())
}
