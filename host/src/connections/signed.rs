//! Signed URLs (SPEC L9, B5): the token in one says what it opens, in whose name and until when, and nobody but the gateway can write one.
//!
//! It holds no secret, and nothing of it is stored. It ends with its time, with any change of its connection, and with the API token in
//! whose name it was made. What is forged is told from nothing: whether the connection exists shows in no refusal before the MAC is right.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Connections;
use crate::broker::{Object, Read};
use crate::model::{Actor, Caller, ConnectionId, Error, Kind, OrgId, Result, SourcePath, Timestamp, TokenId};
use crate::policy::Action;

/// Of the layout below.
const FORMAT: u8 = 1;
const MAC: usize = 32;
/// Of a token's text: room for the longest source path and organization.
pub const MAX_SIGNED: usize = 6000;

/// What a URL opens: one object, one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub org: OrgId,
    /// The API token in whose name it was made: a URL may do no more than that still may.
    pub token: TokenId,
    connection: ConnectionId,
    /// Of the connection. Every change makes another.
    version: u64,
    /// `HEAD`; otherwise `GET`.
    head: bool,
    expires_at: Timestamp,
    source: SourcePath,
}

/// No `Debug`: it holds a key.
pub(super) struct Signer(pub(super) [u8; 32]);

/// The one answer for what ended before its time, whatever the reason: who holds a URL is a stranger to the connection.
#[must_use]
pub fn revoked() -> Error {
    Error::denied(
        "signed_url_revoked",
        "what this URL was signed for is not as it was: its connection was changed, disabled or deleted, or fails its test; or the token that signed it ended",
    )
    .with_remedy("Ask whoever gave you this URL for another.")
}

impl Connections {
    /// A token for the URL of one object, if the connection serves and may read it. Whether the object is there is not asked.
    pub async fn sign(&self, caller: &Caller, name_or_id: &str, source: SourcePath, head: bool, expires_at: Timestamp) -> Result<String> {
        let served = self.served(&caller.org, name_or_id).await?;
        let (credentials, location) = served.together.locate(&served.connector.plugin, &caller.org, &served.settings, source.as_str()).await?;
        served.grant.permit(if head { Action::Head } else { Action::Read }, &location?, &credentials)?;
        let connection = &served.grant.connection;
        let (connection, version) = (connection.id, connection.version);
        Ok(self.signer.seal(&Signed { org: caller.org.clone(), token: caller.token, connection, version, head, expires_at, source }))
    }

    /// What a token opens, if the gateway wrote it, for this method, and its time is not over. `Denied`: `invalid_signature`,
    /// `signed_url_expired`, `method_not_signed`.
    pub fn signed(&self, text: &str, head: bool) -> Result<Signed> {
        self.signer.judge(text, head, (self.clock)())
    }

    /// Reads the object; `signed_url_revoked` once the connection is not as it was.
    pub async fn open_signed(&self, signed: &Signed, read: Read) -> Result<Object> {
        let served = match self.served(&signed.org, &signed.connection.to_string()).await {
            Ok(served) if served.grant.connection.version == signed.version => served,
            Ok(_) => return Err(revoked()),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => return Err(revoked().with_source(error)),
            Err(error) => return Err(error),
        };
        self.open_through(&served, Actor::Token(signed.token), signed.source.as_str(), read).await.map_err(for_a_stranger)
    }
}

/// Why a remote or a policy refuses is for the connection's organization: who holds a URL learns the code alone.
fn for_a_stranger(error: Error) -> Error {
    let told = Error::new(error.kind(), error.code().to_owned(), "the object cannot be read by this URL")
        .with_remedy("Whoever gave you this URL sees the reason when they read the object themselves.");
    match error.retry_after() {
        Some(seconds) => told.with_retry_after(seconds),
        None => told,
    }
    .with_source(error)
}

impl Signer {
    fn seal(&self, signed: &Signed) -> String {
        let (org, source) = (signed.org.as_str().as_bytes(), signed.source.as_str().as_bytes());
        let mut bytes = Vec::with_capacity(MAC + 51 + org.len() + source.len());
        bytes.extend_from_slice(&[0; MAC]);
        bytes.extend_from_slice(&[FORMAT, u8::from(signed.head)]);
        bytes.extend_from_slice(&signed.expires_at.millis().to_be_bytes());
        bytes.extend_from_slice(&signed.version.to_be_bytes());
        bytes.extend_from_slice(signed.connection.0.as_bytes());
        bytes.extend_from_slice(signed.token.0.as_bytes());
        // The one length that is not fixed; the source path is the rest. An organization has at most 64 bytes.
        bytes.push(u8::try_from(org.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(org);
        bytes.extend_from_slice(source);
        if let Some((mac, text)) = bytes.split_first_chunk_mut::<MAC>() {
            *mac = *blake3::keyed_hash(&self.0, text).as_bytes();
        }
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn judge(&self, text: &str, head: bool, now: Timestamp) -> Result<Signed> {
        let refuse = |code: &'static str, message: &str| Error::denied(code, message).with_remedy("Ask whoever gave you this URL for another.");
        let signed = self.open(text).ok_or_else(|| refuse("invalid_signature", "this gateway did not sign this URL, or it was altered"))?;
        if signed.expires_at <= now {
            return Err(refuse("signed_url_expired", "the time of this URL is over"));
        }
        if signed.head != head {
            return Err(refuse("method_not_signed", if head { "this URL is for GET, not for HEAD" } else { "this URL is for HEAD, not for GET" }));
        }
        Ok(signed)
    }

    /// `None`: it is none of ours, whatever is wrong with it.
    fn open(&self, text: &str) -> Option<Signed> {
        if text.len() > MAX_SIGNED {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, rest) = bytes.split_first_chunk::<MAC>()?;
        // Compares in constant time.
        if blake3::keyed_hash(&self.0, rest) != blake3::Hash::from_bytes(*mac) {
            return None;
        }
        let ([FORMAT, head], rest) = rest.split_first_chunk()? else { return None };
        let (expires_at, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (connection, rest) = rest.split_first_chunk()?;
        let (token, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (org, source) = rest.split_at_checked(usize::from(*length))?;
        Some(Signed {
            org: OrgId::new(std::str::from_utf8(org).ok()?).ok()?,
            token: TokenId(uuid::Uuid::from_bytes(*token)),
            connection: ConnectionId(uuid::Uuid::from_bytes(*connection)),
            version: u64::from_be_bytes(*version),
            head: *head == 1,
            expires_at: Timestamp::from_millis(i64::from_be_bytes(*expires_at)),
            source: SourcePath::new(std::str::from_utf8(source).ok()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
