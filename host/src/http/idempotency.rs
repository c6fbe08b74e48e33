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

use super::Gateway;
use crate::model::{Caller, Error, Kind, Result, Timestamp};
use crate::store::{Expect, Op};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;
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

impl Gateway {
    /// 409 (`idempotency_key_reused`) when the key came with another body before.
    pub async fn ticket(&self, caller: &Caller, route: &str, headers: &HeaderMap, body: &[u8]) -> Result<Ticket> {
        let fresh = self.fresh_id();
        let Some(given) = key_of(headers)? else { return Ok(Ticket { id: fresh, repeated: false }) };
        let place = self.hash(&[b"idempotency", caller.org.as_str().as_bytes(), route.as_bytes(), given.as_bytes()]);
        let key = format!("{PREFIX}{}/{place}", caller.org);
        let body = self.hash(&[b"body", body]);
        let now = (self.app.clock)();
        if let Some(known) = self.known(&key, now).await? {
            return known.ticket(&body);
        }
        let record = Record { id: fresh, body: body.clone(), at: now };
        let value =
            serde_json::to_vec(&record).map_err(|error| Error::internal("record_unwritable", "an idempotency record cannot be written").with_source(error))?;
        match self.app.store.apply(vec![Op::Put { key: key.clone(), value: Bytes::from(value), expect: Expect::Absent }]).await {
            Ok(()) => Ok(Ticket { id: fresh, repeated: false }),
            // The same request at the same time was faster.
            Err(error) if error.kind() == Kind::Conflict => self.known(&key, now).await?.ok_or(error)?.ticket(&body),
            Err(error) => Err(error),
        }
    }

    async fn known(&self, key: &str, now: Timestamp) -> Result<Option<Record>> {
        let Some(found) = self.app.store.get(key).await? else { return Ok(None) };
        let record: Record = serde_json::from_slice(&found.value)
            .map_err(|error| Error::internal("record_unreadable", "an idempotency record cannot be read").with_source(error))?;
        if now.since(record.at) > KEPT {
            self.app.store.apply(vec![Op::Delete { key: key.to_owned(), expect: Expect::Version(found.version) }]).await?;
            return Ok(None);
        }
        Ok(Some(record))
    }

    fn fresh_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        (self.app.random)(&mut bytes);
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
            let page = self.app.store.scan(PREFIX, after.as_deref(), SWEEP_PAGE).await?;
            let now = (self.app.clock)();
            let old = page.iter().filter(|(_, found)| serde_json::from_slice::<Record>(&found.value).is_ok_and(|record| now.since(record.at) > KEPT));
            let batch: Vec<Op> = old.map(|(key, found)| Op::Delete { key: key.clone(), expect: Expect::Version(found.version) }).collect();
            if !batch.is_empty() {
                self.app.store.apply(batch).await?;
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
pub fn keep_clean(gateway: Arc<Gateway>) {
    tokio::spawn(async move {
        let mut hours = tokio::time::interval(SWEEP);
        loop {
            hours.tick().await;
            if let Err(error) = gateway.sweep().await {
                tracing::warn!(?error, "old idempotency keys could not be removed");
            }
        }
    });
}
