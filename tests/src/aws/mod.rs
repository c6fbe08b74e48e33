//! A double of AWS: STS and S3 on one loopback port, as strict as AWS where a gateway's safety depends on it.
//!
//! It verifies signatures, session tokens and clocks, and evaluates trust, identity, session and bucket policies. It must
//! never be kinder than AWS: what it does not know it refuses. `ministack` referees it: the same tests run against both.

mod access;
mod auth;
mod condition;
mod error;
mod fault;
pub mod fixture;
mod glob;
mod journal;
mod list;
mod partition;
mod policy;
mod principal;
mod s3;
mod server;
pub(crate) mod sigv4;
mod sts;
mod world;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub use access::{Attached, allowed, may_assume};
pub use fault::{Fault, Service};
pub use fixture::{Fixture, Keys};
pub use journal::Entry;
pub use policy::{Context, Place, Policy, Request};
pub use principal::Principal;
use server::Shared;
pub use sigv4::sha256_hex;
use world::Content;

/// Runs until it is dropped.
pub struct AwsDouble {
    shared: Arc<Shared>,
    endpoint: Url,
    server: JoinHandle<()>,
}

impl AwsDouble {
    /// Empty, on a free loopback port.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0").await.expect("a free loopback port")
    }

    pub async fn listen(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let endpoint = Url::parse(&format!("http://{}", listener.local_addr()?)).map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(server::run(listener, Arc::clone(&shared)));
        Ok(Self { shared, endpoint, server })
    }

    pub async fn with(fixture: &Fixture) -> Self {
        let double = Self::start().await;
        double.load(fixture);
        double
    }

    /// Adds to what is there. Panics on a document that AWS would not save: a fixture is part of its test.
    pub fn load(&self, fixture: &Fixture) {
        self.shared.world().load(fixture).unwrap_or_else(|problem| panic!("the fixture: {problem}"));
    }

    /// Puts a fixture in the place of what is there; open sessions and made-up keys stay.
    pub fn replace(&self, fixture: &Fixture) -> Result<(), String> {
        self.shared.world().replace(fixture)
    }

    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The access key of a user of the fixture.
    #[must_use]
    pub fn user_credentials(&self, account: &str, user: &str) -> Keys {
        self.shared.world().keys_of(account, user).unwrap_or_else(|| panic!("no user {user} in {account}"))
    }

    /// Secret and token of every session that was opened.
    #[must_use]
    pub fn sessions(&self) -> Vec<(String, String)> {
        self.shared.world().sessions()
    }

    /// Replaces an object or adds one. Its ETag follows from its bytes.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<bytes::Bytes>) {
        self.shared.world().put(bucket, key, Content::Bytes(bytes.into()), None).unwrap_or_else(|problem| panic!("put: {problem}"));
    }

    /// An object of `size` bytes that takes no memory: byte `i` is `i % 251`.
    pub fn put_generated(&self, bucket: &str, key: &str, size: u64) {
        self.shared.world().put(bucket, key, Content::Generated(size), None).unwrap_or_else(|problem| panic!("put: {problem}"));
    }

    pub fn remove(&self, bucket: &str, key: &str) {
        self.shared.world().remove(bucket, key);
    }

    /// Replaces a role's trust policy.
    pub fn trust(&self, account: &str, role: &str, document: &serde_json::Value) {
        self.shared.world().set_trust(account, role, document).unwrap_or_else(|problem| panic!("trust: {problem}"));
    }

    /// The next sessions of a role end so soon, whatever was asked for; with `None` as AWS has it.
    pub fn sessions_end_after(&self, account: &str, role: &str, seconds: Option<i64>) {
        self.shared.world().set_ends_after(account, role, seconds).unwrap_or_else(|problem| panic!("sessions: {problem}"));
    }

    /// Takes back the faults that nobody has met yet.
    pub fn mend(&self, service: Service) {
        self.shared.faults.clear(service);
    }

    /// Replaces, or with `None` deletes, a bucket's policy.
    pub fn bucket_policy(&self, bucket: &str, document: Option<&serde_json::Value>) {
        self.shared.world().set_bucket_policy(bucket, document).unwrap_or_else(|problem| panic!("bucket policy: {problem}"));
    }

    /// The next `times` requests to `service` meet `fault`.
    pub fn fail(&self, service: Service, times: u32, fault: Fault) {
        self.shared.faults.add(service, times, fault);
    }

    /// Every request to `service` whose method, target or form holds all of `words` meets `fault`, from now on.
    pub fn fail_where(&self, service: Service, words: &[&str], fault: Fault) {
        self.shared.faults.stand(service, words, fault);
    }

    /// Moves the double's clock: sessions age, signatures become skewed.
    pub fn advance(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Every request since the start (the last 100,000), oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.journal.entries()
    }

    pub fn forget_journal(&self) {
        self.shared.journal.clear();
    }
}

impl Drop for AwsDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}
