//! Outbound HTTP: resolve, judge the resolved address, connect, stream. It never follows a redirect, never uses a proxy, never decompresses.
//!
//! A request is driven by the task that asked for it: no task and no channel of ours stands between the socket and the body.

mod body;
mod cause;
mod dial;
mod exchange;
mod framing;
mod pool;
mod resolve;
mod stream;
mod streaming;
mod tls;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::field::Empty;
use tracing::{Instrument, trace_span};

pub use body::Body;
pub use cause::unreachable;
pub use resolve::Lookup;
pub use wire::authority;

use crate::meter;
use crate::model::{ConnectionId, Error, Result};
use crate::policy::AddressPolicy;
use exchange::{Failure, Head, Link};
use pool::{Key, Pool};
use resolve::Resolver;
use streaming::{Lent, Streaming};
use wire::Message;

/// A token endpoint's answer is a small JSON document.
const MAX_FORM_ANSWER: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct FetchConfig {
    pub addresses: AddressPolicy,
    /// PEM files with further certificate authorities.
    pub extra_ca: Vec<PathBuf>,
    pub limits: Limits,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub resolve: Duration,
    /// For TCP, and again for TLS.
    pub connect: Duration,
    /// From sending the request to the end of the answer's headers.
    pub head: Duration,
    /// A body slower than `min_rate` bytes a second over this long is given up. A slow reader on our side does not count.
    pub slow_window: Duration,
    pub min_rate: u64,
    /// Sockets kept open for later requests, over all connections, and how long.
    pub idle_connections: usize,
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            head: Duration::from_secs(10),
            slow_window: Duration::from_secs(30),
            min_rate: 1024,
            idle_connections: 256,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// A bodyless request in wire form: what is here is what is sent. `Host` is derived from `host` and `port`.
pub struct Outbound {
    /// Whose request it is: idle sockets are kept for each connection and never shared between two.
    pub connection: ConnectionId,
    pub method: Method,
    pub https: bool,
    /// Lower-case ASCII name or IP literal (`[::1]` form for v6).
    pub host: String,
    pub port: u16,
    /// Begins with '/', already encoded, sent unchanged.
    pub path_and_query: String,
    /// Sensitive values are marked with `HeaderValue::set_sensitive`.
    pub headers: HeaderMap,
}

pub struct Inbound {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

pub struct Fetcher {
    limits: Limits,
    resolver: Resolver,
    tls: tls::Tls,
    pool: Arc<Pool>,
}

impl Fetcher {
    pub fn new(config: FetchConfig) -> Result<Self> {
        Self::with_lookup(config, resolve::system())
    }

    /// With another way to turn names into addresses. What it answers is judged like what the system answers.
    pub fn with_lookup(config: FetchConfig, lookup: Lookup) -> Result<Self> {
        let FetchConfig { addresses, extra_ca, limits } = config;
        Ok(Self {
            resolver: Resolver::new(addresses, lookup, limits.resolve),
            tls: tls::Tls::new(&extra_ca)?,
            pool: Arc::new(Pool::new(limits.idle_connections, limits.idle_timeout)),
            limits,
        })
    }

    /// Sends one request and returns the answer's head and streaming body, whatever the status.
    ///
    /// Errors: `Denied` (`address_not_allowed`); `Unavailable` (`upstream_dns`, `upstream_connect`, `upstream_tls`,
    /// `upstream_timeout`); `Rejected` (`upstream_tls` for a certificate, `upstream_protocol`).
    pub async fn send(&self, request: Outbound) -> Result<Inbound> {
        // Where to, and never the path: it names the object, and a query may hold a signature.
        let span = trace_span!(target: "trace", "fetch", otel.kind = "client", http.request.method = %request.method, server.address = request.host, server.port = request.port, http.response.status_code = Empty);
        let outcome = self.send_measured(request).instrument(span.clone()).await;
        if let Ok(inbound) = &outcome {
            span.record("http.response.status_code", inbound.status.as_u16());
        }
        outcome
    }

    async fn send_measured(&self, request: Outbound) -> Result<Inbound> {
        let Some(meter) = meter::get() else { return self.send_now(request).await };
        let started = Instant::now();
        let outcome = self.send_now(request).await;
        meter.upstream.note(outcome.as_ref().map(|inbound| inbound.status.as_u16()), started.elapsed());
        outcome
    }

    async fn send_now(&self, request: Outbound) -> Result<Inbound> {
        let (key, message) = wire::encode(request, &[])?;
        if let Some(mut link) = self.pool.take(&key) {
            match self.head(&mut link, &key, &message).await {
                Ok(head) => return Ok(self.inbound(key, link, head)),
                // The remote closed the socket while it lay idle: nobody has answered, and a read may be asked for again.
                Err(Failure::Unanswered(_)) if matches!(message.method, Method::GET | Method::HEAD) => {}
                Err(failure) => return Err(failure.error()),
            }
        }
        // Most requests find a socket: they are not to carry the room that a handshake needs.
        let mut link = Box::pin(self.connect(&key)).await?;
        let head = self.head(&mut link, &key, &message).await.map_err(Failure::error)?;
        Ok(self.inbound(key, link, head))
    }

    /// POST of a form to a token endpoint.
    pub async fn post_form(&self, url: &url::Url, headers: HeaderMap, form: &[(&str, &str)]) -> Result<(StatusCode, Bytes)> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.post(url, headers, HeaderValue::from_static("application/x-www-form-urlencoded"), form.into()).await
    }

    /// POST of a small body; an answer of at most 64 KiB. The address is judged like any other, and the socket is used once.
    pub async fn post(&self, url: &url::Url, mut headers: HeaderMap, content_type: HeaderValue, body: Bytes) -> Result<(StatusCode, Bytes)> {
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let request = Outbound {
            connection: ConnectionId(uuid::Uuid::nil()),
            method: Method::POST,
            https: url.scheme() == "https",
            // The canonical form that was judged: the dot of the root is no part of it.
            host: url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host)).unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            path_and_query: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            headers,
        };
        let (key, message) = wire::encode(request, &body)?;
        let mut link = self.connect(&key).await?;
        let head = self.head(&mut link, &key, &message).await.map_err(Failure::error)?;
        let Inbound { status, body, .. } = self.inbound(key, link, Head { lasting: false, ..head });
        Ok((status, body.bytes(MAX_FORM_ANSWER).await?))
    }

    /// The PEM files of `extra_ca`, for the AWS clients.
    #[must_use]
    pub fn extra_ca_pem(&self) -> &[Vec<u8>] {
        self.tls.extra_ca_pem()
    }

    async fn connect(&self, key: &Key) -> Result<Box<Link>> {
        let outcome = self.connect_now(key).await;
        if let Some(meter) = meter::get() {
            meter.upstream.connects.note(&outcome);
        }
        outcome
    }

    async fn connect_now(&self, key: &Key) -> Result<Box<Link>> {
        let addresses = self.resolver.resolve(key.https, &key.host, key.port).await?;
        let tcp = dial::tcp(&key.host, &addresses, self.limits.connect).await?;
        let stream = if key.https { self.tls.handshake(&key.host, tcp, self.limits.connect).await? } else { stream::Stream::Plain(tcp) };
        Ok(Link::new(stream))
    }

    async fn head(&self, link: &mut Link, key: &Key, message: &Message) -> Result<Head, Failure> {
        let end = tokio::time::Instant::now() + self.limits.head;
        let mut deadline = link.deadline.take().unwrap_or_else(|| Box::pin(tokio::time::sleep_until(end)));
        deadline.as_mut().reset(end);
        let answer = tokio::select! {
            biased;
            answer = link.request(message, &key.host) => Some(answer),
            () = deadline.as_mut() => None,
        };
        link.deadline = Some(deadline);
        answer.unwrap_or_else(|| {
            let told = Error::unavailable("upstream_timeout", format!("{} did not answer within {:?}", key.host, self.limits.head)).because("answer_timeout");
            Err(Failure::Final(told.with_remedy("See whether the server is overloaded, then test again.")))
        })
    }

    fn inbound(&self, key: Key, link: Box<Link>, head: Head) -> Inbound {
        let Head { status, headers, framing, lasting } = head;
        let home = lasting.then(|| (key, Arc::clone(&self.pool)));
        Inbound { status, headers, body: Body::new(Streaming::new(framing, Lent { link, home }, &self.limits)) }
    }
}

#[cfg(test)]
mod tests;
