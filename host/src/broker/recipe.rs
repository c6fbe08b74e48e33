//! Evaluates a credential recipe into headers: here a secret meets a web request.
//!
//! Intermediate bytes are zeroed; a header that a secret went into is marked sensitive, so that it shows in no log.
//!
//! Why a recipe may look at the request: Azure's SharedKey signs the method, the path and the range, AWS's signature (which Google's HMAC
//! keys use as well) a digest of such lines. With steps for a part of the request, SHA-256 and hex, a plugin writes down the signature of
//! a store that the host has never heard of, and one recipe signs every object of a plan. A plugin learns nothing: it wrote the recipe
//! before there was a request, and what comes out goes to the remote alone.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use zeroize::Zeroizing;

use crate::model::{Connection, Credential, Error, Header, Piece, RequestPart, Result, Timestamp, TimestampFormat};
use crate::vault::Vault;

/// Steps of one recipe, and bytes of each step and of the header that comes out.
const MOST_PIECES: usize = 32;
const LONGEST: usize = 16 << 10;

type Bytes = Zeroizing<Vec<u8>>;

/// The request that is to carry the headers, as it will be sent.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    pub headers: &'a HeaderMap,
    pub now: Timestamp,
}

/// What authenticates one request.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The headers of a web request. OAuth2 tokens are obtained elsewhere and end in `bearer`.
pub(super) fn headers(credential: &Credential, connection: &Connection, vault: &Vault, asked: Asked<'_>) -> Result<Headers> {
    let secret = |name: &str| vault.unseal(connection, name).map(|secret| Zeroizing::new(secret.expose().to_vec()));
    evaluate(credential, &secret, asked)
}

fn evaluate(credential: &Credential, secret: &impl Fn(&str) -> Result<Bytes>, asked: Asked<'_>) -> Result<Headers> {
    Ok(match credential {
        Credential::Anonymous => Vec::new(),
        Credential::Basic { username, password } => vec![(header::AUTHORIZATION, basic(username.as_bytes(), &secret(password)?)?)],
        Credential::Bearer { token } => vec![(header::AUTHORIZATION, bearer(&secret(token)?)?)],
        Credential::Headers(headers) => headers.iter().map(|header| assembled(header, secret, asked)).collect::<Result<_>>()?,
        Credential::OAuth2ClientCredentials(_) | Credential::AwsGatewayRole | Credential::AwsAssumeRole(_) => {
            return Err(Error::internal("credential_kind", "this credential is not a header by itself"));
        }
    })
}

/// Which names a recipe may write is judged where the permit is made.
fn assembled(header: &Header, secret: &impl Fn(&str) -> Result<Bytes>, asked: Asked<'_>) -> Result<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| unusable("the credential's header has no valid name"))?;
    let mut value = sensitive(&assemble(&header.pieces, secret, asked)?)?;
    // A version or the time is no secret: a remote's document may hold it.
    value.set_sensitive(header.pieces.iter().any(|piece| piece.secret().is_some()));
    Ok((name, value))
}

/// RFC 7617, in UTF-8. The user's name ends at the first ':', so it holds none; neither part holds control characters.
pub(super) fn basic(username: &[u8], password: &[u8]) -> Result<HeaderValue> {
    if username.contains(&b':') {
        return Err(unusable("a user name for basic authentication has no ':'"));
    }
    if username.iter().chain(password).any(u8::is_ascii_control) {
        return Err(unusable("a user name and a password for basic authentication have no control characters"));
    }
    let mut pair: Bytes = Zeroizing::new(Vec::with_capacity(username.len() + password.len() + 1));
    pair.extend_from_slice(username);
    pair.push(b':');
    pair.extend_from_slice(password);
    prefixed(b"Basic ", &encode(&pair)?)
}

/// RFC 6750: visible ASCII without spaces.
pub(super) fn bearer(token: &[u8]) -> Result<HeaderValue> {
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(unusable("a bearer token is visible ASCII without spaces, and not empty"));
    }
    prefixed(b"Bearer ", token)
}

fn prefixed(scheme: &[u8], rest: &[u8]) -> Result<HeaderValue> {
    let mut value: Bytes = Zeroizing::new(Vec::with_capacity(scheme.len() + rest.len()));
    value.extend_from_slice(scheme);
    value.extend_from_slice(rest);
    sensitive(&value)
}

fn sensitive(value: &[u8]) -> Result<HeaderValue> {
    let edges = value.first() != Some(&b' ') && value.last() != Some(&b' ');
    if value.is_empty() || value.len() > LONGEST || !edges || !value.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
        return Err(unusable("the credential does not make a header: it has to be printable ASCII of at most 16 KiB without spaces at its ends"));
    }
    let mut header = HeaderValue::from_bytes(value).map_err(|_| unusable("the credential does not make a header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The last piece's bytes. Each piece may name earlier ones only, so that it ends.
fn assemble(pieces: &[Piece], secret: &impl Fn(&str) -> Result<Bytes>, asked: Asked<'_>) -> Result<Bytes> {
    if pieces.is_empty() || pieces.len() > MOST_PIECES {
        return Err(unusable("a header is built from 1 to 32 pieces"));
    }
    let mut made: Vec<Bytes> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let earlier = |index: usize| made.get(index).ok_or_else(|| unusable("a piece names one that does not come before it"));
        let bytes = match piece {
            Piece::Text(text) => Zeroizing::new(text.as_bytes().to_vec()),
            Piece::Secret(name) => secret(name)?,
            Piece::Concat(indexes) => {
                let parts = indexes.iter().map(|index| earlier(*index)).collect::<Result<Vec<_>>>()?;
                let length = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
                let mut joined: Bytes = Zeroizing::new(Vec::with_capacity(bounded(length)?));
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                joined
            }
            Piece::Base64Encode(index) => encode(earlier(*index)?)?,
            Piece::Base64Decode(index) => {
                Zeroizing::new(STANDARD.decode(earlier(*index)?.as_slice()).map_err(|_| unusable("a piece that is to be decoded is not base64"))?)
            }
            Piece::HexEncode(index) => Zeroizing::new(hex::encode(earlier(*index)?.as_slice()).into_bytes()),
            Piece::Sha256(index) => Zeroizing::new(digest::digest(&digest::SHA256, earlier(*index)?).as_ref().to_vec()),
            Piece::HmacSha256 { key, message } => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, earlier(*key)?);
                Zeroizing::new(hmac::sign(&key, earlier(*message)?).as_ref().to_vec())
            }
            Piece::Timestamp(format) => Zeroizing::new(timestamp(*format, asked.now)?.into_bytes()),
            Piece::Request(part) => Zeroizing::new(requested(*part, asked).to_vec()),
        };
        bounded(bytes.len())?;
        made.push(bytes);
    }
    made.pop().ok_or_else(|| unusable("a header is built from 1 to 32 pieces"))
}

fn requested(part: RequestPart, asked: Asked<'_>) -> &[u8] {
    let header = |name: HeaderName| asked.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    match part {
        RequestPart::Method => asked.method.as_bytes(),
        RequestPart::Path => asked.path.as_bytes(),
        RequestPart::Range => header(header::RANGE),
        RequestPart::IfMatch => header(header::IF_MATCH),
        RequestPart::IfNoneMatch => header(header::IF_NONE_MATCH),
    }
}

fn bounded(length: usize) -> Result<usize> {
    if length <= LONGEST { Ok(length) } else { Err(unusable("a piece is longer than 16 KiB")) }
}

fn encode(bytes: &[u8]) -> Result<Bytes> {
    let mut text: Bytes = Zeroizing::new(vec![0; bytes.len().div_ceil(3).saturating_mul(4)]);
    match STANDARD.encode_slice(bytes, &mut text) {
        Ok(written) if written == text.len() => Ok(text),
        _ => Err(Error::internal("base64", "bytes could not be encoded")),
    }
}

fn timestamp(format: TimestampFormat, now: Timestamp) -> Result<String> {
    let moment = now.to_date_time().replace_nanosecond(0).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let http_date = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let text = match format {
        TimestampFormat::HttpDate => moment.format(http_date),
        TimestampFormat::Rfc3339 => moment.format(&Rfc3339),
        TimestampFormat::Basic => moment.format(format_description!("[year][month][day]T[hour][minute][second]Z")),
        TimestampFormat::BasicDate => moment.format(format_description!("[year][month][day]")),
        TimestampFormat::UnixSeconds => return Ok(now.seconds().to_string()),
    };
    text.map_err(|error| Error::internal("timestamp", "the time could not be written").with_source(error))
}

fn unusable(message: &str) -> Error {
    Error::rejected("credential_unusable", message).with_remedy("Correct the connection's settings or secret, or the connector.")
}

#[cfg(test)]
mod tests;
