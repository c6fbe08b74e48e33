//! Uses of credentials, counted in memory until the log takes them: the way of an object must not wait for a disk. What differs in nothing
//! but the object and the moment is one tally.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use super::line::{How, Used, What};
use crate::model::{Actor, By, Clock, Connection, ConnectionId, Credential, Digest, Error, OrgId, Purpose, Result, Timestamp};
use crate::policy::{Permit, Resource, S3Read};

/// Different tallies that wait to be written. Of more, the log is woken, and who comes meanwhile is asked to come again.
const MOST: usize = 4096;
/// Objects that one tally names, and bytes of each: an S3 key fits.
const OBJECTS: usize = 32;
const OBJECT: usize = 1024;
/// Bytes of objects that all tallies together name, and those of one organization: whoever reads many long paths must push neither what
/// others did out of the log nor the names of what they read out of its lines.
const NAMED: usize = 1 << 20;
const NAMED_BY_ONE: usize = NAMED / 8;

pub struct Uses {
    counted: Mutex<Counted>,
    /// How many tallies there are.
    count: AtomicUsize,
    /// The log cannot be written: no credential is used (SECURITY A22).
    closed: AtomicBool,
    /// There are as many tallies as there may be.
    pub(super) full: Notify,
    clock: Clock,
}

#[derive(Default)]
struct Counted {
    tallies: HashMap<Whose, Vec<Tally>>,
    named: Named,
}

/// Bytes of objects that tallies name.
#[derive(Default)]
struct Named {
    all: usize,
    by: HashMap<OrgId, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Whose {
    connection: ConnectionId,
    version: u64,
    actor: Actor,
}

struct Tally {
    org: OrgId,
    plugin: Option<Digest>,
    purpose: Purpose,
    how: How,
    scheme: &'static str,
    host: String,
    port: u16,
    outcome: String,
    since: Timestamp,
    count: u64,
    objects: Vec<String>,
    unlisted: u64,
}

/// One use, borrowed from whoever makes it.
struct Seen<'a> {
    org: &'a OrgId,
    connection: Option<&'a Connection>,
    by: By,
    how: How,
    target: Target<'a>,
    object: Option<&'a str>,
    outcome: &'a str,
}

#[derive(Clone, Copy)]
struct Target<'a> {
    scheme: &'static str,
    host: &'a str,
    port: u16,
}

/// A use that has begun. Whoever leaves before its end has used the credential, too.
pub struct Using<'a> {
    uses: &'a Uses,
    permit: &'a Permit,
    by: By,
    /// `None`: nothing is sent that anybody must not see.
    how: Option<How>,
    outcome: Option<Cow<'static, str>>,
}

impl Uses {
    #[must_use]
    pub fn new(clock: Clock) -> Arc<Self> {
        let (counted, count, closed) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { counted, count, closed, full: Notify::new(), clock })
    }

    /// `Unavailable` (`audit_unavailable`) while the log takes nothing.
    pub fn ready(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::unavailable("audit_unavailable", "the audit log cannot be written, so no credential is used and nothing is changed")
                .with_remedy("An operator looks at the gateway's log and the disk of its data folder."));
        }
        if self.count.load(Ordering::Relaxed) >= MOST {
            self.full.notify_one();
            return Err(Error::unavailable("audit_unavailable", "the audit log is behind").with_retry_after(1));
        }
        Ok(())
    }

    /// Before the credential of `permit` is used. `by`: where it is another than the grant's.
    pub fn begin<'a>(&'a self, permit: &'a Permit, by: Option<By>) -> Result<Using<'a>> {
        let how = how(permit.credential());
        if how.is_some() {
            self.ready()?;
        }
        Ok(Using { uses: self, permit, by: by.unwrap_or(permit.grant().by), how, outcome: None })
    }

    /// A role that was asked for. `connection`: `None` for the gateway's own session.
    pub fn assumed<T>(&self, org: &OrgId, connection: Option<&Connection>, by: By, role: &str, outcome: &Result<T>) {
        let target = Target { scheme: "", host: role, port: 0 };
        self.add(&Seen { org, connection, by, how: How::AssumeRole, target, object: None, outcome: code(outcome) });
    }

    /// A token that was asked for at `url`.
    pub fn exchanged<T>(&self, connection: &Connection, by: By, url: &url::Url, outcome: &Result<T>) {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let target = Target { scheme: scheme(url), host, port };
        let (org, object) = (&connection.org, Some(url.path()));
        self.add(&Seen { org, connection: Some(connection), by, how: How::TokenExchange, target, object, outcome: code(outcome) });
    }

    fn add(&self, seen: &Seen<'_>) {
        let (id, version) = seen.connection.map_or((ConnectionId(Uuid::nil()), 0), |connection| (connection.id, connection.version));
        let whose = Whose { connection: id, version, actor: seen.by.actor };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let Counted { tallies, named } = &mut *counted;
        let tallies = tallies.entry(whose).or_default();
        if let Some(tally) = tallies.iter_mut().find(|tally| tally.is_of(seen)) {
            tally.add(seen.object, named);
            return;
        }
        let mut tally = Tally::of(seen, (self.clock)());
        tally.add(seen.object, named);
        tallies.push(tally);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// All that was counted since the last time.
    pub(super) fn take(&self) -> Vec<What> {
        let taken = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            self.count.store(0, Ordering::Relaxed);
            std::mem::take(&mut *counted).tallies
        };
        let mut uses: Vec<Used> = taken.into_iter().flat_map(|(whose, tallies)| tallies.into_iter().map(move |tally| tally.written(whose))).collect();
        uses.sort_by_key(|used| used.since);
        uses.into_iter().map(What::Use).collect()
    }

    pub(super) fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }
}

impl Named {
    /// Whether as many bytes more may be named for `org`, which takes them.
    fn has_room(&mut self, org: &OrgId, bytes: usize) -> bool {
        let by = match self.by.get_mut(org) {
            Some(by) => by,
            None => self.by.entry(org.clone()).or_default(),
        };
        let room = *by + bytes <= NAMED_BY_ONE && self.all + bytes <= NAMED;
        if room {
            *by += bytes;
            self.all += bytes;
        }
        room
    }
}

impl Tally {
    fn of(seen: &Seen<'_>, since: Timestamp) -> Self {
        Self {
            org: seen.org.clone(),
            plugin: seen.connection.map(|connection| connection.plugin),
            purpose: seen.by.purpose,
            how: seen.how,
            scheme: seen.target.scheme,
            host: seen.target.host.to_owned(),
            port: seen.target.port,
            outcome: seen.outcome.to_owned(),
            since,
            count: 0,
            objects: Vec::new(),
            unlisted: 0,
        }
    }

    fn is_of(&self, seen: &Seen<'_>) -> bool {
        let Target { scheme, host, port } = seen.target;
        self.purpose == seen.by.purpose
            && self.how == seen.how
            && self.port == port
            && self.scheme == scheme
            && self.host == host
            && self.outcome == seen.outcome
            && self.org == *seen.org
    }

    fn add(&mut self, object: Option<&str>, named: &mut Named) {
        self.count += 1;
        let Some(object) = object else { return };
        if self.objects.len() >= OBJECTS {
            self.unlisted += 1;
            return;
        }
        let object = object.get(..object.floor_char_boundary(OBJECT)).unwrap_or_default();
        if self.objects.iter().any(|known| known == object) {
            return;
        }
        if !named.has_room(&self.org, object.len()) {
            self.unlisted += 1;
            return;
        }
        self.objects.push(object.to_owned());
    }

    fn written(self, whose: Whose) -> Used {
        let own = self.plugin.is_none();
        let Self { scheme, host, port, .. } = self;
        let target = match (scheme, port) {
            ("", _) => host,
            ("https", 443) | ("http", 80) | (_, 0) => format!("{scheme}://{host}"),
            _ => format!("{scheme}://{host}:{port}"),
        };
        Used {
            org: self.org,
            actor: whose.actor,
            verb: self.purpose,
            how: self.how,
            connection: (!own).then_some(whose.connection),
            version: (!own).then_some(whose.version),
            plugin: self.plugin,
            target,
            objects: self.objects,
            unlisted: self.unlisted,
            count: self.count,
            outcome: self.outcome,
            since: self.since,
        }
    }
}

impl Using<'_> {
    /// What came of it.
    pub fn end<T>(mut self, outcome: Result<T>) -> Result<T> {
        self.outcome = Some(match &outcome {
            Ok(_) => Cow::Borrowed("ok"),
            Err(error) => Cow::Owned(error.code().to_owned()),
        });
        outcome
    }
}

impl Drop for Using<'_> {
    fn drop(&mut self) {
        let Some(how) = self.how else { return };
        let connection = &self.permit.grant().connection;
        let (target, object) = match self.permit.resource() {
            Resource::S3(S3Read::Object(object)) => (Target { scheme: "s3", host: object.bucket.as_str(), port: 0 }, Some(object.key.as_str())),
            Resource::S3(S3Read::Bucket { bucket, prefix }) => (Target { scheme: "s3", host: bucket.as_str(), port: 0 }, Some(prefix.as_str())),
            Resource::Web(request) => (Target { scheme: scheme(&request.url), host: request.host(), port: request.port() }, Some(request.url.path())),
            Resource::Session => (Target { scheme: "", host: "sts", port: 0 }, None),
        };
        let outcome = self.outcome.as_deref().unwrap_or("given_up");
        self.uses.add(&Seen {
            org: &connection.org,
            connection: Some(connection),
            by: self.by,
            how,
            target,
            object: object.filter(|path| !path.is_empty()),
            outcome,
        });
    }
}

fn how(credential: &Credential) -> Option<How> {
    match credential {
        Credential::Anonymous => None,
        Credential::Basic { .. } | Credential::Bearer { .. } | Credential::Headers(_) => Some(How::SendSecret),
        Credential::OAuth2ClientCredentials(_) => Some(How::SendToken),
        Credential::AwsGatewayRole | Credential::AwsAssumeRole(_) => Some(How::SignRequest),
    }
}

fn code<T>(outcome: &Result<T>) -> &str {
    outcome.as_ref().err().map_or("ok", Error::code)
}

fn scheme(url: &url::Url) -> &'static str {
    if url.scheme() == "http" { "http" } else { "https" }
}
