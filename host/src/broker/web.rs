//! Reads objects and small documents of web origins: credential into header, one request, the answer judged.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tracing::{Instrument, trace_span};
use url::Url;
use zeroize::Zeroizing;

use super::oauth2::{Token, Tokens};
use super::recipe::{Asked, Headers};
use super::{Object, Read, answer, recipe, scrub};
use crate::fetch::{Fetcher, Inbound, Outbound};
use crate::model::{Clock, ConnectionId, Credential, Error, Result};
use crate::policy::{Permit, WebRequest};
use crate::vault::Vault;

pub(super) struct Web {
    pub vault: Arc<Vault>,
    pub fetcher: Arc<Fetcher>,
    pub tokens: Arc<Tokens>,
    pub clock: Clock,
}

impl Web {
    pub async fn open(&self, permit: &Permit, request: &WebRequest, read: &Read) -> Result<Object> {
        let (inbound, _) = self.send(permit, request, read).await?;
        answer::object(inbound, read)?.map_err(|refused| refusal(&refused, permit.credential(), read.head))
    }

    /// A small UTF-8 document. Every secret that was sent is scrubbed from it.
    pub async fn document(&self, permit: &Permit, request: &WebRequest, limit: usize) -> Result<String> {
        let read = Read::default();
        let (inbound, sent) = self.send(permit, request, &read).await?;
        let object = answer::object(inbound, &read)?.map_err(|refused| refusal(&refused, permit.credential(), false))?;
        let body = object.body.bytes(limit).await?;
        let mut secrets = Vec::new();
        for name in permit.credential().secret_names() {
            secrets.push(Zeroizing::new(self.vault.unseal(&permit.grant().connection, name)?.expose().to_vec()));
        }
        for (_, value) in sent.iter().filter(|(_, value)| value.is_sensitive()) {
            // Without its scheme: a remote may echo the rest alone.
            let value = value.as_bytes();
            let bare = value.iter().position(|byte| *byte == b' ').and_then(|space| value.get(space + 1..)).unwrap_or(value);
            secrets.push(Zeroizing::new(bare.to_vec()));
        }
        let clean = scrub::scrub(body.to_vec(), &secrets);
        String::from_utf8(clean).map_err(|_| Error::rejected("not_a_document", "the remote's answer is not UTF-8 text"))
    }

    /// One request; a second one only where an OAuth2 token may have been withdrawn before its time.
    async fn send(&self, permit: &Permit, request: &WebRequest, read: &Read) -> Result<(Inbound, Headers)> {
        let connection = &permit.grant().connection;
        let unsigned = outbound(connection.id, request, read)?;
        let (sent, token) = self.headers(permit, request, &unsigned).await?;
        let inbound = self.fetcher.send(signed(unsigned, &sent)).await?;
        let Some(token) = token.filter(|_| inbound.status == http::StatusCode::UNAUTHORIZED) else { return Ok((inbound, sent)) };
        self.tokens.refused(connection, permit.credential(), &token);
        let unsigned = outbound(connection.id, request, read)?;
        let (sent, _) = self.headers(permit, request, &unsigned).await?;
        Ok((self.fetcher.send(signed(unsigned, &sent)).await?, sent))
    }

    async fn headers(&self, permit: &Permit, request: &WebRequest, unsigned: &Outbound) -> Result<(Headers, Option<Arc<Token>>)> {
        let (connection, credential) = (&permit.grant().connection, permit.credential());
        match (credential, permit.token_url()) {
            (Credential::OAuth2ClientCredentials(recipe), Some(url)) => {
                let lease = trace_span!(target: "trace", "lease");
                let token = self.tokens.token(permit.grant(), credential, recipe, url).instrument(lease).await?;
                Ok((vec![(header::AUTHORIZATION, token.header.clone())], Some(token)))
            }
            _ => {
                let asked = Asked { method: unsigned.method.as_str(), path: request.url.path(), headers: &unsigned.headers, now: (self.clock)() };
                Ok((recipe::headers(credential, connection, &self.vault, asked)?, None))
            }
        }
    }
}

/// The request without its credential: what a credential may sign.
fn outbound(connection: ConnectionId, request: &WebRequest, read: &Read) -> Result<Outbound> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    for (name, value) in &request.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) else {
            return Err(Error::internal("permitted_header", "a permitted header cannot be written"));
        };
        headers.insert(name, value);
    }
    // After the plugin's own headers: these are not a plugin's to set.
    answer::request_headers(read, &mut headers)?;
    Ok(Outbound {
        connection,
        method: if read.head { Method::HEAD } else { Method::GET },
        https: request.https(),
        host: request.host().to_owned(),
        port: request.port(),
        path_and_query: request.path_and_query().to_owned(),
        headers,
    })
}

fn signed(mut outbound: Outbound, sent: &Headers) -> Outbound {
    for (name, value) in sent {
        outbound.headers.insert(name.clone(), value.clone());
    }
    outbound
}

fn refusal(inbound: &Inbound, credential: &Credential, head: bool) -> Error {
    const OWNER: &str = "The remote's owner looks at its log.";
    let (status, headers) = (inbound.status.as_u16(), &inbound.headers);
    match status {
        300..=399 => redirected(status, headers),
        401 => unauthorized(headers, credential),
        407 => Error::rejected("upstream_auth_failed", "a proxy before the remote wants credentials of its own (status 407)")
            .because("proxy_authentication_wanted")
            .with_remedy("The remote's owner lets this gateway through the proxy: it authenticates at the remote only."),
        403 => Error::rejected("permission_denied", "the remote does not let this credential read this (status 403)")
            .with_remedy("Ask the owner of the remote to allow it, or use another credential; some servers refuse addresses that they do not know, too."),
        404 => Error::not_found("file_not_found", "there is nothing at this address (status 404)")
            .with_remedy("Check the path; some servers answer like this to who may not see a file."),
        410 => {
            Error::not_found("file_not_found", "what was at this address is gone for good (status 410)").because("file_gone").with_remedy("Name another file.")
        }
        405 | 501 if head => Error::rejected("broken_url", format!("the remote does not answer HEAD requests here (status {status})"))
            .because("head_not_supported")
            .with_remedy("Give the connection the path of a file as its test location; the remote's owner allows HEAD beside GET."),
        412 => answer::changed(),
        408 => answer::throttled(headers).because("request_timed_out"),
        425 | 429 => answer::throttled(headers),
        451 => Error::rejected("permission_denied", "the remote may not give this out, for legal reasons (status 451)")
            .because("legally_blocked")
            .with_remedy(OWNER),
        502 | 504 => {
            answer::unavailable(headers, status).because("bad_gateway").with_remedy("The proxy before the remote does not reach it: its owner looks why.")
        }
        503 => answer::unavailable(headers, status),
        500..=599 => answer::unavailable(headers, status).because("server_error").with_remedy(OWNER),
        _ => Error::rejected("broken_url", format!("the remote answered with status {status}: it does not serve an object at this address"))
            .with_remedy("Check the path, and that it is a file's."),
    }
}

/// A redirect says that the address is another; to another host for now, it mostly leads to a login.
fn redirected(status: u16, headers: &HeaderMap) -> Error {
    // Its host alone: the rest may be a signed URL.
    let to = headers.get(header::LOCATION).and_then(|location| location.to_str().ok()).and_then(|location| Url::parse(location).ok());
    let to = to.as_ref().and_then(Url::host_str).filter(|host| host.len() <= 253);
    match (status, to) {
        (301 | 308, _) => answer::redirect().because("moved_permanently"),
        (302 | 303 | 307, Some(host)) => {
            Error::rejected("redirect_denied", format!("the remote answered with a redirect to {host} (status {status}), which is never followed"))
                .because("redirected_to_another_host")
                .with_remedy("If that is where files are, use its host name; if it is a login, the credentials were not accepted or of another kind.")
        }
        _ => answer::redirect(),
    }
}

/// What the remote asks for, beside what it was sent (RFC 9110 section 11.6.1).
fn unauthorized(headers: &HeaderMap, credential: &Credential) -> Error {
    let failed = |message: String| Error::rejected("upstream_auth_failed", message);
    let wanted: Vec<&str> = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
    let wants = |scheme: &str| wanted.iter().any(|wanted| wanted.split([' ', ',']).any(|word| word.eq_ignore_ascii_case(scheme)));
    let sent = match credential {
        Credential::Basic { .. } => Some("Basic"),
        Credential::Bearer { .. } | Credential::OAuth2ClientCredentials(_) => Some("Bearer"),
        _ => None,
    };
    let other = ["Basic", "Bearer", "Digest", "Negotiate", "NTLM"].into_iter().find(|scheme| wants(scheme));
    match (credential, sent, other) {
        (Credential::Anonymous, ..) => failed("the remote wants credentials, and the connection has none (status 401)".to_owned())
            .because("credentials_wanted")
            .with_remedy("Make a connection with credentials: a user name and password, a token or a key, as the remote's owner says."),
        (_, Some(sent), Some(other)) if !wants(sent) => {
            failed(format!("the remote wants {other} authentication, and the connection sends {sent} (status 401)"))
                .because("other_authentication_wanted")
                .with_remedy("Make a connection of the kind that the remote wants, or let its owner allow this one.")
        }
        _ => failed("the remote does not accept the connection's credential (status 401)".to_owned())
            .with_remedy("Renew the secret: edit the connection and enter it again."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn u16_each_refusal_of_a_web_origin_has_its_own_code() {
        let cases = [
            (301, Kind::Rejected, "redirect_denied"),
            (308, Kind::Rejected, "redirect_denied"),
            (304, Kind::Rejected, "redirect_denied"),
            (401, Kind::Rejected, "upstream_auth_failed"),
            (403, Kind::Rejected, "permission_denied"),
            (404, Kind::NotFound, "file_not_found"),
            (410, Kind::NotFound, "file_not_found"),
            (412, Kind::Rejected, "object_changed"),
            (429, Kind::Unavailable, "upstream_throttled"),
            (500, Kind::Unavailable, "upstream_unavailable"),
            (503, Kind::Unavailable, "upstream_unavailable"),
            (400, Kind::Rejected, "broken_url"),
            (418, Kind::Rejected, "broken_url"),
            (204, Kind::Rejected, "broken_url"),
        ];
        for (status, kind, code) in cases {
            let inbound = Inbound { status: http::StatusCode::from_u16(status).expect("a status"), headers: HeaderMap::new(), body: answer::empty() };
            let error = refusal(&inbound, &Credential::Bearer { token: "t".to_owned() }, false);
            assert_eq!((error.kind(), error.code()), (kind, code), "{status}");
        }
    }

    #[test]
    fn b06_a_refusal_says_what_the_remote_wants_instead() {
        let basic = Credential::Basic { username: "u".to_owned(), password: "p".to_owned() };
        let bearer = Credential::Bearer { token: "t".to_owned() };
        for (credential, status, name, value, cause) in [
            (&basic, 401, "www-authenticate", "Basic realm=\"x\"", "upstream_auth_failed"),
            (&basic, 401, "www-authenticate", "Bearer", "other_authentication_wanted"),
            (&basic, 401, "www-authenticate", "Negotiate, Basic realm=\"x\"", "upstream_auth_failed"),
            (&bearer, 401, "www-authenticate", "Basic realm=\"x\"", "other_authentication_wanted"),
            (&bearer, 401, "x-none", "", "upstream_auth_failed"),
            (&Credential::Anonymous, 401, "www-authenticate", "Basic", "credentials_wanted"),
            (&bearer, 302, "location", "https://login.example/?token=canary", "redirected_to_another_host"),
            (&bearer, 302, "location", "/elsewhere", "redirect_denied"),
            (&bearer, 308, "location", "https://new.example/", "moved_permanently"),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            let inbound = Inbound { status: http::StatusCode::from_u16(status).expect("a status"), headers, body: answer::empty() };
            let error = refusal(&inbound, credential, true);
            assert_eq!(error.cause(), cause, "{status} {value}");
            assert!(!error.message().contains("canary") && error.remedy().is_some(), "{error}");
        }
    }

    #[test]
    fn a_request_is_the_permitted_url_and_nothing_a_plugin_added_to_it() {
        let request = WebRequest {
            url: "https://[::1]:8443/a%20b//c?x=%0d%0a".parse().expect("a URL"),
            headers: vec![
                ("accept".to_owned(), "image/png".to_owned()),
                ("range".to_owned(), "bytes=5-6".to_owned()),
                ("authorization".to_owned(), "mine".to_owned()),
            ],
        };
        let read = Read { range: crate::model::ByteRange::parse("bytes=0-1"), head: true, ..Read::default() };
        let sent = vec![(header::AUTHORIZATION, HeaderValue::from_static("ours"))];
        let outbound = signed(outbound(ConnectionId(uuid::Uuid::nil()), &request, &read).expect("a request"), &sent);
        assert_eq!((outbound.host.as_str(), outbound.port, outbound.https), ("[::1]", 8443, true));
        assert_eq!(outbound.path_and_query, "/a%20b//c?x=%0d%0a");
        assert_eq!(outbound.method, Method::HEAD);
        let header = |name: &str| outbound.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("authorization"), Some("ours"));
        assert_eq!(header("range"), Some("bytes=0-1"));
        assert_eq!(header("accept"), Some("image/png"));
    }
}
