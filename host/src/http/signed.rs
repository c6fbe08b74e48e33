//! Signed URLs: `POST /connections/{name_or_id}/sign` makes one, `GET` and `HEAD /s` are one.
//!
//! The token is in the query, which no log of ours has. Any page may read the answer (CORS), and none can run it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url::Url;

use super::body::{self, MAX_BODY};
use super::caller::Peer;
use super::openapi::signed as described;
use super::params::Params;
use super::routes::Routes;
use super::{Answer, Gateway, Shared, answer, objects};
use crate::connections::revoked;
use crate::model::{Caller, Error, Kind, SourcePath};

/// Seconds.
pub const USUAL: u64 = 900;
pub const LONGEST: u64 = 3600;

/// Every answer's, refusals included: a page may see why.
const SHARED: [(HeaderName, HeaderValue); 4] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("accept-ranges, content-length, content-range, etag, last-modified, retry-after, x-request-id"),
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// As of `objects`; but a video is played in the address bar, too, where it is a document of its own that loads itself.
const INERT: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; media-src 'self'");

pub fn routes() -> Routes {
    Routes::new("objects").get_and_head("/s", read, described::read(), described::head()).preflight("/s", preflight)
}

/// `None`: it listens on every address there is, so none of them is its name.
pub fn public_url(configured: Option<&Url>, tls: bool, address: SocketAddr) -> Option<String> {
    match configured {
        Some(url) => Some(url.as_str().trim_end_matches('/').to_owned()),
        None => (!address.ip().is_unspecified()).then(|| format!("{}://{address}", if tls { "https" } else { "http" })),
    }
}

/// `{source_path, method?, expires_in?}` → `{url, method, expires_at}`.
pub async fn sign(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, request: Request) -> Answer {
    let mut fields = body::read(request, MAX_BODY).await?.fields;
    let source = fields.required_text("source_path");
    let method = fields.text("method").unwrap_or_else(|| "GET".to_owned());
    let seconds = fields.number("expires_in", 1, LONGEST).unwrap_or(USUAL);
    if !["GET", "HEAD"].contains(&method.as_str()) {
        fields.wrong("method", "is GET or HEAD");
    }
    fields.finish()?;
    let source = SourcePath::new(source).map_err(|error| error.below("/source_path"))?;
    let base = gateway.public_url.as_deref().ok_or_else(|| {
        Error::conflict("public_url_not_configured", "the gateway listens on all addresses and does not know its own name")
            .with_remedy("An operator sets server.public_url in the gateway's configuration.")
    })?;
    let end = (gateway.app.clock)().plus(Duration::from_secs(seconds));
    let expires_at = gateway.app.tokens.own(&caller).await?.expires_at.map_or(end, |over| over.min(end));
    let token = gateway.app.connections.sign(&caller, &name_or_id, source, method == "HEAD", expires_at).await?;
    Ok(answer::json(StatusCode::CREATED, &json!({"url": format!("{base}/s?token={token}"), "method": method, "expires_at": expires_at})))
}

async fn read(State(gateway): Shared, Extension(peer): Extension<Peer>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let mut response = open(&gateway, &peer, &method, &uri, &headers).await.into_response();
    response.headers_mut().extend(SHARED);
    response
}

async fn open(gateway: &Gateway, peer: &Peer, method: &Method, uri: &Uri, headers: &HeaderMap) -> Answer {
    let mut params = Params::of(uri)?;
    let token = params.require("token")?;
    params.finish()?;
    let asked = objects::asked(method, headers)?;
    let head = asked.head;
    let signed = gateway.app.connections.signed(&token, head)?;
    gateway.app.tokens.holder(&signed.org, signed.token).await.map_err(|error| match error.kind() {
        Kind::Denied => revoked().with_source(error),
        _ => error,
    })?;
    peer.notes.caller(&signed.org);
    let mut response = objects::answer(gateway.app.connections.open_signed(&signed, asked).await?, head)?;
    as_data(response.headers_mut());
    Ok(response)
}

/// Nothing here is a script or a style sheet: our own page takes those from this origin, and a customer's object is none of them.
fn as_data(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, INERT);
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    if kind.starts_with(b"text/css") || kind.windows(6).any(|part| part == b"script") {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
}

/// Asked before a page's request with `Range` or a condition. It tells nothing of the URL.
async fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.extend(SHARED);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("if-match, if-none-match, if-range, range"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l09_a_url_begins_with_what_the_gateway_is_called() {
        let at = |address: &str| address.parse::<SocketAddr>().unwrap();
        let configured = |text: &str| Url::parse(text).unwrap();
        for (given, address, url) in [
            (None, "127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            (None, "[::1]:8080", Some("http://[::1]:8080")),
            (None, "0.0.0.0:8080", None),
            (None, "[::]:8080", None),
            (Some("https://gw.example"), "0.0.0.0:8080", Some("https://gw.example")),
            (Some("https://gw.example/portcullis/"), "127.0.0.1:8080", Some("https://gw.example/portcullis")),
        ] {
            assert_eq!(public_url(given.map(configured).as_ref(), false, at(address)).as_deref(), url, "{given:?} {address}");
        }
        assert_eq!(public_url(None, true, at("127.0.0.1:8080")).as_deref(), Some("https://127.0.0.1:8080"));
    }

    #[test]
    fn l09_a_script_is_data() {
        for (given, sent) in [
            ("text/javascript", "text/plain"),
            ("Application/X-JavaScript; charset=utf-8", "text/plain"),
            ("text/ecmascript", "text/plain"),
            ("text/jscript", "text/plain"),
            ("text/livescript", "text/plain"),
            ("text/css", "text/plain"),
            ("video/mp4", "video/mp4"),
            ("text/html", "text/html"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(given));
            as_data(&mut headers);
            assert_eq!(headers[header::CONTENT_TYPE], sent);
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], INERT);
        }
    }
}
