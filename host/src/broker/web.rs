//! Reads objects and small documents of web origins: credential into header, one request, the answer judged.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
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
        answer::object(inbound, read)?.map_err(|refused| refusal(&refused))
    }

    /// A small UTF-8 document. Every secret that was sent is scrubbed from it.
    pub async fn document(&self, permit: &Permit, request: &WebRequest, limit: usize) -> Result<String> {
        let read = Read::default();
        let (inbound, sent) = self.send(permit, request, &read).await?;
        let object = answer::object(inbound, &read)?.map_err(|refused| refusal(&refused))?;
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
                let token = self.tokens.token(permit.grant(), credential, recipe, url).await?;
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

fn refusal(inbound: &Inbound) -> Error {
    let status = inbound.status.as_u16();
    match status {
        300..=399 => answer::redirect(),
        401 | 407 => Error::rejected("upstream_auth_failed", "the remote does not accept the connection's credential")
            .with_remedy("Renew the secret: edit the connection and enter it again."),
        403 => Error::rejected("permission_denied", "the remote does not let this credential read this")
            .with_remedy("Ask the owner of the remote to allow it, or use another credential."),
        404 | 410 => Error::not_found("file_not_found", "there is nothing at this address"),
        412 => answer::changed(),
        408 | 425 | 429 => answer::throttled(&inbound.headers),
        500..=599 => answer::unavailable(&inbound.headers, status),
        _ => Error::rejected("broken_url", format!("the remote answered with status {status}: it does not serve an object at this address")),
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
            let error = refusal(&Inbound { status: http::StatusCode::from_u16(status).expect("a status"), headers: HeaderMap::new(), body: answer::empty() });
            assert_eq!((error.kind(), error.code()), (kind, code), "{status}");
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
