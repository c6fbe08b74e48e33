//! A line of the log: what it says, and the keyed hash that ties it to the line before. Who has not the key makes no line that fits.

use serde::{Deserialize, Serialize};

use crate::model::{Actor, ConnectionId, Digest, Error, OrgId, Purpose, Result, Timestamp, TokenRecord};

/// Before the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const HASH: usize = GENESIS.len();
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";

/// How a credential was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// AWS's STS was asked for a session.
    AssumeRole,
    /// A request of S3 or STS was signed with a session.
    SignRequest,
    /// A secret of the connection, or what is made of it, was sent in a header.
    SendSecret,
    /// An OAuth 2 token was sent in a header.
    SendToken,
    /// The client's secret was sent to its token endpoint.
    TokenExchange,
}

/// Uses of one credential that differ in nothing but the object and the moment, within a second or so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    pub org: OrgId,
    pub actor: Actor,
    pub verb: Purpose,
    pub how: How,
    /// `None`: the gateway's own session, which serves all of the organization's connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Digest>,
    /// A bucket, a scheme with its host, or a role.
    pub target: String,
    /// Keys or paths, never a query: each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// Uses that came when there was no more room for their objects.
    #[serde(skip_serializing_if = "is_zero")]
    pub unlisted: u64,
    pub count: u64,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// When the first of them ended.
    pub since: Timestamp,
}

/// A change of what decides about credentials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// `None`: the gateway's own affair, for operators to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    pub actor: Actor,
    pub verb: &'static str,
    /// `connection`, `token`, `organization`, `plugin` or `dataset`.
    pub subject: &'static str,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the record, sealed secrets included; of a plugin, the version's own. Left out where there is none, or where another change
    /// came between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
    /// What was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<String>,
}

impl Changed {
    /// The gateway's first token.
    #[must_use]
    pub fn token_at_start(record: &TokenRecord) -> Self {
        let (org, id, name) = (Some(record.org.clone()), record.id.to_string(), Some(record.name.clone()));
        let (connection, before, after, powers) = (None, None, None, Vec::new());
        Self { org, actor: Actor::Gateway, verb: "create", subject: "token", id, connection, name, before, after, powers }
    }
}

/// What happened to the log itself: `started`, `stopped`, `repaired`, `damaged`, `resumed`, `dropped`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    pub verb: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    Use(Used),
    Change(Changed),
    Log(Note),
}

/// Where a line stands in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    pub seq: u64,
    pub time: Timestamp,
    pub prev: String,
    #[serde(skip)]
    pub hash: String,
}

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    time: Timestamp,
    #[serde(flatten)]
    what: &'a What,
    prev: &'a str,
}

/// Derived from the master key.
#[derive(Clone, Copy)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The line after the one with the number and hash in `last`, which it becomes. Ends with a line feed.
    pub fn line(&self, last: &mut (u64, String), time: Timestamp, what: &What) -> Result<Vec<u8>> {
        let seq = last.0 + 1;
        let mut line = serde_json::to_vec(&Written { seq, time, what, prev: &last.1 })
            .map_err(|error| Error::internal("audit_unwritable", "a line of the audit log cannot be written").with_source(error))?;
        // Its closing brace comes after the hash.
        line.pop();
        let hash = self.hash(&line);
        line.extend_from_slice(BEFORE_HASH);
        line.extend_from_slice(hash.as_bytes());
        line.extend_from_slice(AFTER_HASH);
        line.push(b'\n');
        *last = (seq, hash);
        Ok(line)
    }

    /// `None`: it is no line of ours, or was changed. Without its line feed.
    pub fn read(&self, line: &[u8]) -> Option<Place> {
        let (rest, hash) = line.strip_suffix(AFTER_HASH)?.split_last_chunk::<HASH>()?;
        let signed = rest.strip_suffix(BEFORE_HASH)?;
        if blake3::keyed_hash(&self.0, signed) != blake3::Hash::from_hex(hash).ok()? {
            return None;
        }
        let mut place: Place = serde_json::from_slice(&[signed, b"}"].concat()).ok()?;
        place.hash = String::from_utf8(hash.to_vec()).ok()?;
        Some(place)
    }

    pub fn hash(&self, bytes: &[u8]) -> String {
        blake3::keyed_hash(&self.0, bytes).to_hex().to_string()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
