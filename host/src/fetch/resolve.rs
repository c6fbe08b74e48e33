//! From a name to the addresses that may be dialled. What is dialled is what was judged: there is no second resolution.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::cause::{self, Cause};
use crate::model::{Error, Result};
use crate::policy::AddressPolicy;

/// Turns a name into addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

const MAX_ANSWERS: usize = 32;
/// Each lookup of the system holds a thread until it ends, however long ago we stopped waiting.
const MAX_LOOKUPS: usize = 64;

/// The system's resolver.
pub(super) fn system() -> Lookup {
    Arc::new(|host| Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).take(MAX_ANSWERS).collect()) }))
}

pub(super) struct Resolver {
    addresses: AddressPolicy,
    lookup: Lookup,
    lookups: Arc<Semaphore>,
    limit: Duration,
}

impl Resolver {
    pub(super) fn new(addresses: AddressPolicy, lookup: Lookup, limit: Duration) -> Self {
        Self { addresses, lookup, lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)), limit }
    }

    /// The allowed ones of a host's addresses, at least one. `Denied` (`address_not_allowed`) if there are only others.
    pub(super) async fn resolve(&self, https: bool, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let found = match literal(host) {
            Some(address) => vec![address],
            None => self.look_up(host).await?,
        };
        let mut allowed = Vec::with_capacity(found.len());
        let mut denial = None;
        for address in found.into_iter().take(MAX_ANSWERS) {
            match if https { self.addresses.judge(address) } else { self.addresses.judge_plain_http(address) } {
                Ok(()) => allowed.push(SocketAddr::new(address, port)),
                Err(reason) => denial = denial.or(Some(reason)),
            }
        }
        match denial {
            _ if !allowed.is_empty() => Ok(allowed),
            // A name that leads inside is another thing to mend than an address that was written down.
            Some(denial) if literal(host).is_none() => Err(denial.because("dns_private_address")),
            Some(denial) => Err(denial),
            None => Err(unresolved(host, cause::no_address())),
        }
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>> {
        let answer = tokio::time::timeout(self.limit, async {
            let slot = Arc::clone(&self.lookups).acquire_owned().await.map_err(std::io::Error::other)?;
            tracing::trace!(host, "looking up");
            let lookup = (self.lookup)(host.to_owned());
            let held = tokio::spawn(async move {
                let answer = lookup.await;
                drop(slot);
                answer
            });
            held.await.map_err(std::io::Error::other)?
        });
        match answer.await {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(unresolved(host, cause::of_lookup(&error)).with_source(error)),
            Err(_) => Err(unresolved(host, cause::lookup_timeout())),
        }
    }
}

pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn unresolved(host: &str, cause: Cause) -> Error {
    Error::unavailable("upstream_dns", format!("no address was found for {host}: {}", cause.words)).because(cause.name).with_remedy(cause.remedy)
}
