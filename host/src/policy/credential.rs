//! Whether a credential's recipe fits its target. The recipe's secrets are only names here.

use url::Url;

use super::{Egress, web};
use crate::model::{AssumeRole, Connection, Credential, Error, Header, Piece, Region, Result};

const MAX_PIECES: usize = 32;
const MAX_TEXT: usize = 4096;
/// A header's value, with each secret as large as a secret may be.
const MAX_VALUE: usize = 64 << 10;
const MAX_SECRET: usize = 8 << 10;
/// The longest part of a request: its path.
const MAX_REQUEST_PART: usize = 8 << 10;
const MAX_HEADERS: usize = 8;

/// Headers that frame a request, route it or say what is asked for: the host's alone. A trailing `-` stands for a family.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "alt-used",
    "connection",
    "content-",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "if-",
    "keep-alive",
    "max-forwards",
    "proxy-",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-",
    "x-rewrite-url",
];

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::denied("credential_not_allowed", reason))
}

/// For S3. `region`: the object's, where it is known.
pub(super) fn for_s3(credential: &Credential, region: Option<&Region>) -> Result<()> {
    match credential {
        Credential::AwsGatewayRole => Ok(()),
        Credential::AwsAssumeRole(role) => assume_role(role, region),
        Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer { .. } | Credential::Headers(_) | Credential::OAuth2ClientCredentials(_) => {
            refuse("S3 needs an AWS credential")
        }
    }
}

fn assume_role(role: &AssumeRole, region: Option<&Region>) -> Result<()> {
    if role.role_arn.is_placeholder() {
        return Err(Error::conflict("role_not_set", format!("the connection still has the placeholder role {}", role.role_arn))
            .with_remedy("create the role with the trust policy of the setup steps, then set its ARN in the connection"));
    }
    if !(60..=3600).contains(&role.duration_seconds) {
        return refuse("a session lasts 60 to 3600 seconds");
    }
    for region in [role.region.as_ref(), region].into_iter().flatten() {
        if region.partition() != role.role_arn.partition() {
            let message = format!("the role is in the partition {} and the region {region} in {}", role.role_arn.partition(), region.partition());
            return Err(Error::denied("partition_mismatch", message).with_remedy("use a role of the partition that the bucket is in"));
        }
    }
    Ok(())
}

/// For the web. Returns the judged token endpoint of OAuth 2.
pub(super) fn for_web(credential: &Credential, connection: &Connection, egress: &Egress) -> Result<Option<Url>> {
    if let Some(missing) = credential.secret_names().into_iter().find(|name| !connection.secrets.contains_key(*name)) {
        let shown: String = missing.chars().take(64).flat_map(char::escape_default).collect();
        return Err(Error::denied("secret_not_set", format!("the plan names the secret '{shown}', which the connection does not have"))
            .with_remedy("set it in the connection"));
    }
    match credential {
        Credential::Anonymous | Credential::Bearer { .. } => Ok(None),
        Credential::Basic { username, .. } => {
            // RFC 7617: the first colon ends the user.
            if username.len() <= MAX_TEXT && !username.chars().any(|char| char == ':' || char.is_control()) {
                Ok(None)
            } else {
                refuse("a username has no ':' and no control characters")
            }
        }
        Credential::Headers(headers) => {
            if !(1..=MAX_HEADERS).contains(&headers.len()) {
                return refuse("a credential is 1 to 8 headers");
            }
            for (index, Header { name, pieces }) in headers.iter().enumerate() {
                header_name(name)?;
                recipe(pieces)?;
                if headers.iter().take(index).any(|earlier| earlier.name.eq_ignore_ascii_case(name)) {
                    return refuse("a credential names a header twice");
                }
            }
            Ok(None)
        }
        Credential::OAuth2ClientCredentials(oauth2) => {
            let texts = [Some(&oauth2.client_id), oauth2.scope.as_ref(), oauth2.audience.as_ref()];
            if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT || text.chars().any(char::is_control)) {
                return refuse("client id, scope and audience are at most 4096 bytes without control characters");
            }
            web::judge(&oauth2.token_url, egress).map(Some)
        }
        Credential::AwsGatewayRole | Credential::AwsAssumeRole(_) => refuse("an AWS credential is for S3 only"),
    }
}

fn header_name(name: &str) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    let reserved = RESERVED.iter().any(|entry| if entry.ends_with('-') { lower.starts_with(entry) } else { lower == *entry });
    if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || reserved {
        let shown: String = name.chars().take(64).flat_map(char::escape_default).collect();
        return Err(Error::denied("header_not_allowed", format!("a credential may not be sent in the header '{shown}'")));
    }
    Ok(())
}

/// Each step names earlier steps, and the value stays small however often steps are joined with themselves.
fn recipe(pieces: &[Piece]) -> Result<()> {
    if pieces.is_empty() || pieces.len() > MAX_PIECES {
        return refuse("a header's value is built in 1 to 32 steps");
    }
    let mut sizes: Vec<usize> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let size = |index: &usize| sizes.get(*index).copied();
        let bytes = match piece {
            // What is signed has lines. A header's value has none: it would not be sent.
            Piece::Text(text) if text.len() <= MAX_TEXT && text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) => Some(text.len()),
            Piece::Text(_) => return refuse("text in a header is at most 4096 visible ASCII characters"),
            Piece::Secret(_) => Some(MAX_SECRET),
            Piece::Concat(parts) if parts.len() <= MAX_PIECES => parts.iter().map(size).sum(),
            Piece::Concat(_) => return refuse("at most 32 steps can be joined at once"),
            Piece::Base64Encode(of) => size(of).map(|bytes| bytes.div_ceil(3) * 4),
            Piece::Base64Decode(of) => size(of),
            Piece::HexEncode(of) => size(of).map(|bytes| bytes * 2),
            Piece::Sha256(of) => size(of).map(|_| 32),
            Piece::HmacSha256 { key, message } => size(key).and(size(message)).map(|_| 32),
            Piece::Timestamp(_) => Some(32),
            Piece::Request(_) => Some(MAX_REQUEST_PART),
        };
        match bytes {
            None => return refuse("a step of a header's value names a step that does not come before it"),
            Some(bytes) if bytes > MAX_VALUE => return refuse("a header's value could grow beyond 64 KiB"),
            Some(bytes) => sizes.push(bytes),
        }
    }
    Ok(())
}

/// For a session alone.
pub(super) fn for_session(credential: &Credential) -> Result<()> {
    match credential {
        Credential::AwsGatewayRole | Credential::AwsAssumeRole(_) => for_s3(credential, None),
        Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer { .. } | Credential::Headers(_) | Credential::OAuth2ClientCredentials(_) => {
            refuse("a session is opened with an AWS credential")
        }
    }
}
