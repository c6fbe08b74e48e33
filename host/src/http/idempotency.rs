//! `Idempotency-Key`: the same request sent twice makes one thing (SPEC C40, SECURITY A19).
//!
//! The key is given an id, on disk, before anything is made, and what is made gets that id. So a repetition finds what the first
//! request made, even if the gateway died between making it and saying so.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Clock, Error, Kind, OrgId, Random, Result, Timestamp};
use crate::store::{Expect, Op, Store};

const HEADER: &str = "idempotency-key";
pub const LONGEST: usize = 255;
const KEPT: Duration = Duration::from_secs(24 * 3600);
const SWEEP: Duration = Duration::from_secs(3600);
const SWEEP_PAGE: usize = 500;
const PREFIX: &str = "idempotency/";

/// The id for what a request makes. `repeated`: it may have been made already.
pub struct Ticket {
    pub id: Uuid,
    pub repeated: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: Uuid,
    /// Keyed hash of the body: it may hold secrets.
    body: String,
    at: Timestamp,
}

pub struct Idempotency {
    pub store: Arc<dyn Store>,
    /// Derived from the master key: what is hashed with it is found again after a restart.
    pub key: [u8; 32],
    pub clock: Clock,
    pub random: Random,
}

impl Idempotency {
    /// 409 (`idempotency_key_reused`) when the key came with another body before.
    pub async fn ticket(&self, org: &OrgId, route: &str, headers: &HeaderMap, body: &[u8]) -> Result<Ticket> {
        let fresh = self.fresh_id();
        let Some(given) = key_of(headers)? else { return Ok(Ticket { id: fresh, repeated: false }) };
        let place = self.hash(&[b"idempotency", org.as_str().as_bytes(), route.as_bytes(), given.as_bytes()]);
        let key = format!("{PREFIX}{org}/{place}");
        let body = self.hash(&[b"body", body]);
        let now = (self.clock)();
        if let Some(known) = self.known(&key, now).await? {
            return known.ticket(&body);
        }
        let record = Record { id: fresh, body: body.clone(), at: now };
        let value =
            serde_json::to_vec(&record).map_err(|error| Error::internal("record_unwritable", "an idempotency record cannot be written").with_source(error))?;
        match self.store.apply(vec![Op::Put { key: key.clone(), value: Bytes::from(value), expect: Expect::Absent }]).await {
            Ok(()) => Ok(Ticket { id: fresh, repeated: false }),
            // The same request at the same time was faster.
            Err(error) if error.kind() == Kind::Conflict => self.known(&key, now).await?.ok_or(error)?.ticket(&body),
            Err(error) => Err(error),
        }
    }

    async fn known(&self, key: &str, now: Timestamp) -> Result<Option<Record>> {
        let Some(found) = self.store.get(key).await? else { return Ok(None) };
        let record: Record = serde_json::from_slice(&found.value)
            .map_err(|error| Error::internal("record_unreadable", "an idempotency record cannot be read").with_source(error))?;
        if now.since(record.at) > KEPT {
            self.store.apply(vec![Op::Delete { key: key.to_owned(), expect: Expect::Version(found.version) }]).await?;
            return Ok(None);
        }
        Ok(Some(record))
    }

    fn fresh_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn hash(&self, parts: &[&[u8]]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Forgets keys older than a day.
    async fn sweep(&self) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let page = self.store.scan(PREFIX, after.as_deref(), SWEEP_PAGE).await?;
            let now = (self.clock)();
            let old = page.iter().filter(|(_, found)| serde_json::from_slice::<Record>(&found.value).is_ok_and(|record| now.since(record.at) > KEPT));
            let batch: Vec<Op> = old.map(|(key, found)| Op::Delete { key: key.clone(), expect: Expect::Version(found.version) }).collect();
            if !batch.is_empty() {
                self.store.apply(batch).await?;
            }
            match page.last() {
                Some((key, _)) if page.len() == SWEEP_PAGE => after = Some(key.clone()),
                _ => return Ok(()),
            }
        }
    }
}

impl Record {
    fn ticket(&self, body: &str) -> Result<Ticket> {
        if self.body == body {
            Ok(Ticket { id: self.id, repeated: true })
        } else {
            Err(Error::conflict("idempotency_key_reused", "this Idempotency-Key came with another body before").with_remedy("Use a new key for a new request."))
        }
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=LONGEST).contains(&key.len()) && given.next().is_none());
    key.map(Some).ok_or_else(|| Error::invalid("invalid_idempotency_key", "an Idempotency-Key is one header of 1 to 255 visible ASCII characters"))
}

/// For as long as the process lives.
pub fn keep_clean(idempotency: Arc<Idempotency>) {
    tokio::spawn(async move {
        let mut hours = tokio::time::interval(SWEEP);
        loop {
            hours.tick().await;
            if let Err(error) = idempotency.sweep().await {
                tracing::warn!(?error, "old idempotency keys could not be removed");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

    use axum::http::HeaderValue;

    use super::*;
    use crate::store::MemoryStore;

    fn idempotency() -> (Idempotency, Arc<AtomicI64>) {
        let (now, count) = (Arc::new(AtomicI64::new(0)), AtomicU8::new(0));
        let clock = {
            let now = now.clone();
            Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)))
        };
        let random = Arc::new(move |buffer: &mut [u8]| buffer.fill(count.fetch_add(1, Ordering::Relaxed)));
        (Idempotency { store: Arc::new(MemoryStore::default()), key: [7; 32], clock, random }, now)
    }

    fn headers(key: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(axum::http::HeaderName::from_static(HEADER), HeaderValue::from_static(key))])
    }

    #[tokio::test]
    async fn a19_the_same_key_makes_one_thing() {
        let (idempotency, now) = idempotency();
        let (acme, evil) = (OrgId::new("acme").unwrap(), OrgId::new("evil").unwrap());
        let first = idempotency.ticket(&acme, "jobs", &headers("k"), b"{}").await.unwrap();
        assert!(!first.repeated);
        let again = idempotency.ticket(&acme, "jobs", &headers("k"), b"{}").await.unwrap();
        assert!(again.repeated && again.id == first.id, "the same body: the same thing");
        let Err(error) = idempotency.ticket(&acme, "jobs", &headers("k"), b"{ }").await else { panic!("another body is accepted") };
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "idempotency_key_reused"));
        for (what, org, route, key) in
            [("another organization", &evil, "jobs", "k"), ("another route", &acme, "tokens", "k"), ("another key", &acme, "jobs", "l")]
        {
            let other = idempotency.ticket(org, route, &headers(key), b"{}").await.unwrap();
            assert!(!other.repeated && other.id != first.id, "{what}");
        }
        assert!(!idempotency.ticket(&acme, "jobs", &HeaderMap::new(), b"{}").await.unwrap().repeated, "no key, no memory");
        now.store(25 * 3600 * 1000, Ordering::Relaxed);
        assert!(!idempotency.ticket(&acme, "jobs", &headers("k"), b"{ }").await.unwrap().repeated, "after a day the key is new");
        idempotency.sweep().await.unwrap();
        assert_eq!(idempotency.store.scan(PREFIX, None, 10).await.unwrap().len(), 1, "what is old is removed");
    }

    #[tokio::test]
    async fn c40_a_key_is_one_short_header() {
        let (idempotency, _) = idempotency();
        let acme = OrgId::new("acme").unwrap();
        let mut twice = headers("a");
        twice.append(HEADER, HeaderValue::from_static("b"));
        let long = HeaderMap::from_iter([(axum::http::HeaderName::from_static(HEADER), HeaderValue::from_str(&"k".repeat(256)).unwrap())]);
        for (what, headers) in [("empty", headers("")), ("twice", twice), ("long", long)] {
            assert!(idempotency.ticket(&acme, "jobs", &headers, b"").await.is_err(), "{what}");
        }
    }
}
