//! Sockets that lie idle between two requests. Bounded in number and age; a socket serves one connection only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::exchange::Link;
use crate::model::ConnectionId;

/// Which requests may use a socket. `runtime`: a socket is woken by the runtime that opened it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    connection: ConnectionId,
    pub(super) https: bool,
    pub(super) host: String,
    pub(super) port: u16,
    runtime: tokio::runtime::Id,
}

impl Key {
    pub(super) fn new(connection: ConnectionId, https: bool, host: String, port: u16) -> Self {
        Self { connection, https, host, port, runtime: Handle::current().id() }
    }
}

pub(super) struct Pool {
    idle: Mutex<Idle>,
    limit: usize,
    timeout: Duration,
}

#[derive(Default)]
struct Idle {
    links: HashMap<Key, Vec<(Instant, Box<Link>)>>,
    count: usize,
    swept: Option<Instant>,
}

impl Pool {
    pub(super) fn new(limit: usize, timeout: Duration) -> Self {
        Self { idle: Mutex::default(), limit, timeout }
    }

    /// The socket used last that is still open and silent.
    pub(super) fn take(&self, key: &Key) -> Option<Box<Link>> {
        loop {
            let (since, mut link) = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let found = idle.links.get_mut(key)?.pop()?;
                idle.count -= 1;
                found
            };
            if since.elapsed() < self.timeout && link.is_idle() {
                return Some(link);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Keeps a socket, or closes it where there are enough.
    pub(super) fn put(&self, key: Key, link: Box<Link>) {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Now and then, so that sockets that nobody asks for again are closed too.
        if idle.count >= self.limit || idle.swept.is_none_or(|swept| now - swept > self.timeout / 8) {
            idle.sweep(now, self.timeout);
        }
        if idle.count < self.limit {
            idle.count += 1;
            idle.links.entry(key).or_default().push((now, link));
        }
    }
}

impl Idle {
    fn sweep(&mut self, now: Instant, timeout: Duration) {
        self.swept = Some(now);
        self.links.retain(|_, links| {
            links.retain(|(since, _)| now - *since < timeout);
            !links.is_empty()
        });
        self.count = self.links.values().map(Vec::len).sum();
    }
}
