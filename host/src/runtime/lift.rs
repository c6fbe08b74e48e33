//! WIT to `model`, plans and credentials: total and strict. Whatever a plugin says is either a valid noun of the gateway or an error.
//!
//! A location that cannot be is the error of its one source path; a plan that does not add up is the plugin's fault.

use super::answers;
use super::bindings::portcullis::connector::types;
use super::limits::SOURCES;
use crate::model::{
    AssumeRole, BucketName, Credential, Error, Header, HttpObject, Location, OAuth2, ObjectKey, Piece, Plan, Region, RequestPart, Result, RoleArn, S3Object,
    Target, TimestampFormat,
};

/// One batch shares its credentials: more than this many different ones are not a plan.
const CREDENTIALS: usize = 64;
const PIECES: usize = 32;
const TEXT: usize = 4096;
const NAME: usize = 256;
const URL: usize = 8192;
const HEADERS: usize = 16;
/// Of one credential.
const SECRET_HEADERS: usize = 8;

pub fn contract(message: impl Into<String>) -> Error {
    Error::plugin_fault("plugin_contract", format!("the plugin broke its contract: {}", message.into()))
}

/// A page has 1 to 1000 entries.
pub fn page_limit(limit: u32) -> Result<()> {
    if (1..=1000).contains(&limit) { Ok(()) } else { Err(Error::invalid("invalid_limit", "a page has 1 to 1000 entries")) }
}

/// One location or error for each of `sources` source paths.
pub fn plan(plan: types::Plan, sources: usize) -> Result<Plan> {
    if plan.locations.len() != sources || sources > SOURCES {
        return Err(contract(format!("{} locations for {sources} source paths", plan.locations.len())));
    }
    if plan.credentials.len() > CREDENTIALS {
        return Err(contract(format!("more than {CREDENTIALS} credentials in one plan")));
    }
    let credentials = plan.credentials.into_iter().map(credential).collect::<Result<Vec<_>>>()?;
    let mut known = Known::default();
    let mut locations = Vec::with_capacity(sources);
    for answer in plan.locations {
        locations.push(match answer {
            Ok(types::Location { target: what, credential }) => {
                let credential = index(credential, credentials.len()).ok_or_else(|| contract("a location names a credential that is not in the plan"))?;
                known.target(what).map(|target| Location { target, credential })
            }
            Err(error) => Err(answers::error(error)?),
        });
    }
    Ok(Plan { credentials, locations })
}

fn index(index: u32, length: usize) -> Option<usize> {
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// The last bucket and region of a batch that were valid: most batches are about one of each, which is judged once.
#[derive(Default)]
struct Known {
    bucket: Option<BucketName>,
    region: Option<Region>,
}

impl Known {
    fn target(&mut self, target: types::Target) -> Result<Target> {
        match target {
            types::Target::S3(object) => self.s3_object(object).map(Target::S3),
            types::Target::Http(object) => http_object(object).map(Target::Http),
        }
    }

    fn s3_object(&mut self, object: types::S3Object) -> Result<S3Object> {
        if object.version_id.as_deref().is_some_and(|version| !version_id(version)) {
            return Err(Error::invalid("invalid_location", "a version id is letters, digits, '.', '_' and '-'"));
        }
        Ok(S3Object {
            bucket: self.bucket(object.bucket)?,
            key: ObjectKey::new(object.key).map_err(location("unsupported_key"))?,
            region: object.region.map(|name| self.region(name)).transpose()?,
            version_id: object.version_id,
        })
    }

    fn bucket(&mut self, name: String) -> Result<BucketName> {
        match &self.bucket {
            Some(known) if known.as_str() == name => Ok(known.clone()),
            _ => Ok(self.bucket.insert(BucketName::new(name).map_err(location("invalid_location"))?).clone()),
        }
    }

    fn region(&mut self, name: String) -> Result<Region> {
        match &self.region {
            Some(known) if known.as_str() == name => Ok(known.clone()),
            _ => Ok(self.region.insert(Region::new(name).map_err(location("invalid_location"))?).clone()),
        }
    }
}

fn version_id(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// What a newtype refused, as the error of one location.
fn location(code: &'static str) -> impl Fn(Error) -> Error {
    move |error| {
        let why = error.field_errors().first().map_or(error.message(), |field| &field.message);
        Error::invalid(code, why)
    }
}

pub fn s3_object(object: types::S3Object) -> Result<S3Object> {
    Known::default().s3_object(object)
}

/// Bounded and in wire form; what the URL says is for `policy` to judge.
pub fn http_object(object: types::HttpObject) -> Result<HttpObject> {
    let wrong = |message: &str| Err(Error::invalid("invalid_location", message));
    if object.url.is_empty() || object.url.len() > URL || !object.url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("a URL is 1 to 8192 printable ASCII characters without spaces");
    }
    if object.headers.len() > HEADERS {
        return wrong("at most 16 headers");
    }
    for (name, value) in &object.headers {
        if !header_name(name) {
            return wrong("a header's name is 1 to 64 lower-case letters, digits and '-'");
        }
        if !header_value(value) {
            return wrong("a header's value is at most 4096 printable ASCII characters");
        }
    }
    Ok(HttpObject { url: object.url, headers: object.headers })
}

fn header_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn header_value(value: &str) -> bool {
    value.len() <= TEXT && value.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Text of one line that ends up in a request.
fn plain(what: &str, text: String, limit: usize) -> Result<String> {
    if !text.is_empty() && text.len() <= limit && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(contract(format!("{what} is 1 to {limit} bytes without control characters")))
    }
}

/// The name of a secret: a property of the settings.
fn secret(name: String) -> Result<String> {
    if answers::identifier(&name) { Ok(name) } else { Err(contract("a secret's name is a property of the settings")) }
}

pub fn credential(credential: types::Credential) -> Result<Credential> {
    use types::Credential as Wit;
    Ok(match credential {
        Wit::Anonymous => Credential::Anonymous,
        Wit::Basic(basic) => {
            if basic.username.contains(':') {
                return Err(contract("a user name has no ':' (RFC 7617)"));
            }
            Credential::Basic { username: plain("a user name", basic.username, NAME)?, password: secret(basic.password)? }
        }
        Wit::Bearer(name) => Credential::Bearer { token: secret(name)? },
        Wit::Headers(headers) if (1..=SECRET_HEADERS).contains(&headers.len()) => Credential::Headers(headers.into_iter().map(header).collect::<Result<_>>()?),
        Wit::Headers(_) => return Err(contract(format!("a credential is 1 to {SECRET_HEADERS} headers"))),
        Wit::Oauth2ClientCredentials(oauth2) => Credential::OAuth2ClientCredentials(OAuth2 {
            token_url: plain("a token URL", oauth2.token_url, URL)?,
            client_id: plain("a client id", oauth2.client_id, NAME)?,
            client_secret: secret(oauth2.client_secret)?,
            scope: oauth2.scope.map(|scope| plain("a scope", scope, TEXT)).transpose()?,
            audience: oauth2.audience.map(|audience| plain("an audience", audience, TEXT)).transpose()?,
        }),
        Wit::AwsGatewayRole => Credential::AwsGatewayRole,
        Wit::AwsAssumeRole(role) => {
            if !(60..=3600).contains(&role.duration_seconds) {
                return Err(contract("a session lasts 60 to 3600 seconds"));
            }
            Credential::AwsAssumeRole(AssumeRole {
                role_arn: RoleArn::new(role.role_arn).map_err(|error| contract(error.message()))?,
                duration_seconds: role.duration_seconds,
                region: role.region.map(Region::new).transpose().map_err(|error| contract(error.message()))?,
            })
        }
    })
}

fn header(header: types::HeaderCredential) -> Result<Header> {
    if !header_name(&header.name) {
        return Err(contract("a header's name is 1 to 64 lower-case letters, digits and '-'"));
    }
    Ok(Header { name: header.name, pieces: pieces(header.pieces)? })
}

/// Each piece names earlier ones only: the list is a tree that ends.
fn pieces(pieces: Vec<types::Piece>) -> Result<Vec<Piece>> {
    use types::Piece as Wit;
    if pieces.is_empty() || pieces.len() > PIECES {
        return Err(contract(format!("a header is built from 1 to {PIECES} pieces")));
    }
    let mut lifted = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let earlier = |at: u32| index(at, lifted.len()).ok_or_else(|| contract("a piece names one that does not come before it"));
        let piece = match piece {
            // What is signed has lines; that a header's value has none is seen to when it is made.
            Wit::Text(text) if text.len() <= TEXT && text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)) => Piece::Text(text),
            Wit::Text(_) => return Err(contract("a piece of text is at most 4096 printable ASCII characters and line feeds")),
            Wit::Secret(name) => Piece::Secret(secret(name)?),
            Wit::Concat(parts) if parts.len() <= PIECES => Piece::Concat(parts.into_iter().map(earlier).collect::<Result<_>>()?),
            Wit::Concat(_) => return Err(contract(format!("at most {PIECES} pieces are joined"))),
            Wit::Base64Encode(at) => Piece::Base64Encode(earlier(at)?),
            Wit::Base64Decode(at) => Piece::Base64Decode(earlier(at)?),
            Wit::HexEncode(at) => Piece::HexEncode(earlier(at)?),
            Wit::Sha256(at) => Piece::Sha256(earlier(at)?),
            Wit::HmacSha256(hmac) => Piece::HmacSha256 { key: earlier(hmac.key)?, message: earlier(hmac.message)? },
            Wit::Timestamp(format) => Piece::Timestamp(match format {
                types::TimestampFormat::HttpDate => TimestampFormat::HttpDate,
                types::TimestampFormat::Rfc3339 => TimestampFormat::Rfc3339,
                types::TimestampFormat::UnixSeconds => TimestampFormat::UnixSeconds,
                types::TimestampFormat::Basic => TimestampFormat::Basic,
                types::TimestampFormat::BasicDate => TimestampFormat::BasicDate,
            }),
            Wit::Request(part) => Piece::Request(match part {
                types::RequestPart::Method => RequestPart::Method,
                types::RequestPart::Path => RequestPart::Path,
                types::RequestPart::Range => RequestPart::Range,
                types::RequestPart::IfMatch => RequestPart::IfMatch,
                types::RequestPart::IfNoneMatch => RequestPart::IfNoneMatch,
            }),
        };
        lifted.push(piece);
    }
    Ok(lifted)
}

#[cfg(test)]
#[path = "tests/lift.rs"]
mod tests;
