//! Who may see what: each tree of the origin has a lock of its own, and the token endpoint of one of them.
//!
//! Strict: a credential has to be exactly what the lock wants, once; whatever else was sent in its place opens nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Settings, State};
use crate::aws::sigv4::{self, PathRule};

/// Where tokens are given out, by POST.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// The bucket that an HMAC key opens: its tree, as in the XML API of Google Cloud Storage.
pub const BUCKET: &str = "gcs-media";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An access token that was given out, and until when it is good.
pub(super) struct Issued {
    pub token: String,
    until: Instant,
}

/// `Err`: the status, and the challenge that goes with it.
pub(super) fn judge(state: &State, request: &Parts) -> Result<(), (u16, &'static str)> {
    let settings = &state.settings;
    match request.uri.path().split('/').nth(1).unwrap_or("") {
        "public" | "" => Ok(()),
        "basic" => {
            let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", settings.username, settings.password)));
            exactly(request, "authorization", &expected).ok_or((401, "Basic realm=\"origin\""))
        }
        // The second is where GitLab's API lies, which takes the same token.
        "bearer" | "api" => exactly(request, "authorization", &format!("Bearer {}", settings.token)).ok_or((401, "Bearer")),
        "key" => exactly(request, &settings.key_header, &settings.api_key).filter(|()| !request.headers.contains_key("authorization")).ok_or((401, "Key")),
        "oauth" => issued(state, request).ok_or((401, "Bearer error=\"invalid_token\"")),
        BUCKET => signed(settings, request).ok_or((403, "Signature")),
        _ => Err((404, "")),
    }
}

fn exactly(request: &Parts, header: &str, expected: &str) -> Option<()> {
    let mut given = request.headers.get_all(header).iter();
    (given.next()?.as_bytes() == expected.as_bytes() && given.next().is_none()).then_some(())
}

fn issued(state: &State, request: &Parts) -> Option<()> {
    let mut tokens = state.tokens.lock().unwrap();
    tokens.retain(|issued| issued.until > Instant::now());
    tokens.iter().find_map(|issued| exactly(request, "authorization", &format!("Bearer {}", issued.token)))
}

/// As Cloud Storage takes AWS's signature: any region that is said in both places, service s3, the payload's hash among what is signed.
fn signed(settings: &Settings, request: &Parts) -> Option<()> {
    let claim = sigv4::read(request).ok()??;
    let payload = request.headers.get("x-amz-content-sha256")?.to_str().ok().filter(|hash| *hash == EMPTY_SHA256)?;
    let known = claim.access_key == settings.access_id && claim.service == "s3" && claim.token.is_none();
    claim.verify(request, &settings.hmac_secret, payload, PathRule::Exact, OffsetDateTime::now_utc()).ok().filter(|()| known)
}

/// RFC 6749 section 4.4: status and body. Client authentication by basic or in the form (section 2.3.1), never both.
pub(super) fn token(state: &State, request: &Parts, body: &[u8]) -> (u16, Value) {
    let refused = |status: u16, word: &str| (status, json!({"error": word, "error_description": "told to nobody"}));
    if request.headers.get("content-type").is_none_or(|kind| kind != "application/x-www-form-urlencoded") {
        return refused(400, "invalid_request");
    }
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let form: BTreeMap<&str, &str> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if form.len() != pairs.len() {
        return refused(400, "invalid_request");
    }
    let in_form = form.get("client_id").copied().zip(form.get("client_secret").copied());
    let in_form = in_form.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
    let client = match (basic(request), in_form) {
        (Some(client), None) | (None, Some(client)) => client,
        (Some(_), Some(_)) => return refused(400, "invalid_request"),
        (None, None) => return refused(401, "invalid_client"),
    };
    let settings = &state.settings;
    if client != (settings.client_id.clone(), settings.client_secret.clone()) {
        return refused(401, "invalid_client");
    }
    match form.get("grant_type").copied() {
        Some("client_credentials") => {}
        Some(_) => return refused(400, "unsupported_grant_type"),
        None => return refused(400, "invalid_request"),
    }
    if form.get("scope").is_some_and(|scope| !scope.split(' ').all(|one| one == "files.read")) {
        return refused(400, "invalid_scope");
    }
    let token = format!("at-{}", Uuid::new_v4().simple());
    let life = settings.token_life;
    state.tokens.lock().unwrap().push(Issued { token: token.clone(), until: Instant::now() + Duration::from_secs(life) });
    (200, json!({"access_token": token, "token_type": "Bearer", "expires_in": life}))
}

/// Both parts are form-encoded inside (section 2.3.1).
fn basic(request: &Parts) -> Option<(String, String)> {
    let encoded = request.headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| url::form_urlencoded::parse(format!("={text}").as_bytes()).next().map(|(_, value)| value.into_owned());
    decode(id).zip(decode(secret))
}
