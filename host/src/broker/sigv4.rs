//! Signs reads of S3 (AWS Signature Version 4, a request without a body). Its signing keys are as short-lived as the session that holds them.
//!
//! The SDK's signer costs 3.9 us for each request, this one about 0.5 us: the key is derived once a day and session,
//! and the request is hashed without its token being copied.

use std::cell::Cell;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{Error, Region, Result, Timestamp};
use crate::vault::Secret;

/// SHA-256 of nothing: every request here is without a body.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Days and regions that one session signs for at a time; more than this is a bug, not a load.
const KEPT_KEYS: usize = 8;

/// What SigV4 leaves as it is (RFC 3986 unreserved); everything else is `%XX`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// A key as the path of a request: encoded once, never normalized. It is signed exactly as it is sent.
pub(super) fn push_path(path: &mut String, key: &str) {
    path.extend(utf8_percent_encode(key, PATH));
}

pub(super) fn push_query_value(query: &mut String, value: &str) {
    query.extend(utf8_percent_encode(value, QUERY));
}

/// An AWS session's keys, and the signing keys derived from them. No `Debug`.
pub(super) struct Signer {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<HeaderValue>,
    derived: RwLock<Vec<Arc<Derived>>>,
}

/// Good for one day in one region.
struct Derived {
    day: [u8; 8],
    region: Region,
    key: hmac::Key,
    /// `20130524/us-east-1/s3/aws4_request`
    scope: String,
    /// The `Authorization` header up to the signature.
    preamble: String,
}

/// The request, in wire form. `authority` is the `Host` header as it is sent.
pub(super) struct ToSign<'a> {
    pub method: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    /// Canonical (sorted, encoded) and without the '?'; "" if there is none.
    pub query: &'a str,
}

impl Signer {
    pub fn new(access_key_id: String, secret_access_key: Secret, session_token: Option<&str>) -> Result<Self> {
        let session_token = session_token
            .map(|token| {
                let mut value = HeaderValue::from_str(token).map_err(|_| Error::unavailable("sts_bad_answer", "the session token is not text"))?;
                value.set_sensitive(true);
                Ok::<_, Error>(value)
            })
            .transpose()?;
        Ok(Self { access_key_id, secret_access_key, session_token, derived: RwLock::new(Vec::new()) })
    }

    /// The keys for the SDK's own clients (control plane).
    pub fn for_sdk(&self) -> aws_credential_types::Credentials {
        let token = self.session_token.as_ref().map(|token| String::from_utf8_lossy(token.as_bytes()).into_owned());
        let secret = String::from_utf8_lossy(self.secret_access_key.expose());
        aws_credential_types::Credentials::new(&self.access_key_id, secret, token, None, "portcullis")
    }

    /// Adds the headers that authenticate the request.
    pub fn sign(&self, request: &ToSign<'_>, headers: &mut HeaderMap, region: &Region, now: Timestamp) -> Result<()> {
        let date = amz_date(now);
        let derived = self.derived(&date, region);

        let ToSign { method, authority, path, query } = *request;
        let token = self.session_token.as_ref();
        let signed = signed_headers(token.is_some()).as_bytes();
        let newline = &b"\n"[..];
        // In few pieces, since each costs a call into the library; the token is not copied.
        let (method, path, query, host) = (method.as_bytes(), path.as_bytes(), query.as_bytes(), authority.as_bytes());
        let empty = EMPTY_SHA256.as_bytes();
        let mut canonical = digest::Context::new(&digest::SHA256);
        canonical.update(&[method, newline, path, newline, query, b"\nhost:", host, b"\nx-amz-content-sha256:", empty, b"\nx-amz-date:", &date].concat());
        if let Some(token) = token {
            canonical.update(b"\nx-amz-security-token:");
            canonical.update(token.as_bytes());
        }
        canonical.update(&[b"\n\n", signed, newline, empty].concat());
        let canonical = hex_digest(canonical.finish().as_ref());

        let to_sign = [ALGORITHM.as_bytes(), newline, &date, newline, derived.scope.as_bytes(), newline, &canonical].concat();
        let signature = hex_digest(hmac::sign(&derived.key, &to_sign).as_ref());
        let mut authorization = header_value([derived.preamble.as_bytes(), &signature].concat())?;
        authorization.set_sensitive(true);

        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(X_AMZ_DATE, header_value(date.to_vec())?);
        headers.insert(X_AMZ_CONTENT_SHA256, HeaderValue::from_static(EMPTY_SHA256));
        if let Some(token) = token {
            headers.insert(X_AMZ_SECURITY_TOKEN, token.clone());
        }
        Ok(())
    }

    fn derived(&self, date: &[u8; 16], region: &Region) -> Arc<Derived> {
        let day = date.first_chunk::<8>().copied().unwrap_or_default();
        let fits = |derived: &&Arc<Derived>| derived.day == day && derived.region == *region;
        if let Some(found) = self.derived.read().unwrap_or_else(PoisonError::into_inner).iter().find(fits) {
            return found.clone();
        }
        let day_text: String = day.iter().copied().map(char::from).collect();
        let scope = format!("{day_text}/{region}/s3/aws4_request");
        let signed = signed_headers(self.session_token.is_some());
        let made = Arc::new(Derived {
            day,
            region: region.clone(),
            key: derive_key(self.secret_access_key.expose(), &day, region.as_str(), "s3"),
            preamble: format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature=", self.access_key_id),
            scope,
        });
        let mut kept = self.derived.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_KEYS {
            kept.remove(0);
        }
        kept.push(made.clone());
        made
    }
}

fn signed_headers(with_token: bool) -> &'static str {
    if with_token { "host;x-amz-content-sha256;x-amz-date;x-amz-security-token" } else { "host;x-amz-content-sha256;x-amz-date" }
}

fn derive_key(secret: &[u8], day: &[u8], region: &str, service: &str) -> hmac::Key {
    let mut first = zeroize::Zeroizing::new(Vec::with_capacity(4 + secret.len()));
    first.extend_from_slice(b"AWS4");
    first.extend_from_slice(secret);
    let step = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let dated = step(&first, day);
    let regional = step(dated.as_ref(), region.as_bytes());
    let serving = step(regional.as_ref(), service.as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, step(serving.as_ref(), b"aws4_request").as_ref())
}

fn header_value(bytes: Vec<u8>) -> Result<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(bytes)).map_err(|_| Error::internal("signature_not_text", "a signature could not be written as a header"))
}

/// 32 bytes as 64 lower-case hex digits.
fn hex_digest(bytes: &[u8]) -> [u8; 64] {
    let mut text = [b'0'; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
        }
    }
    text
}

/// `20130524T000000Z`. Requests of one second share it: each thread keeps the last one.
fn amz_date(now: Timestamp) -> [u8; 16] {
    thread_local! {
        static LAST: Cell<(i64, [u8; 16])> = const { Cell::new((i64::MIN, [b'0'; 16])) };
    }
    let seconds = now.seconds();
    let (last, text) = LAST.get();
    if last == seconds {
        return text;
    }
    let moment = now.to_date_time();
    let mut text = *b"00000000T000000Z";
    let mut write = |at: usize, width: usize, mut number: u32| {
        for digit in text.iter_mut().skip(at).take(width).rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    };
    write(0, 4, moment.year().unsigned_abs());
    write(4, 2, u32::from(u8::from(moment.month())));
    write(6, 2, u32::from(moment.day()));
    write(9, 2, u32::from(moment.hour()));
    write(11, 2, u32::from(moment.minute()));
    write(13, 2, u32::from(moment.second()));
    LAST.set((seconds, text));
    text
}

#[cfg(test)]
mod tests;
