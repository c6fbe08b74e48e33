//! Outbound HTTP: resolve, judge the resolved address, connect, stream. It never follows a redirect, never uses a proxy, never decompresses.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::model::{ConnectionId, Error, Result};
use crate::policy::AddressPolicy;

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
    pub connect: Duration,
    pub head: Duration,
    /// A body slower than `min_rate` bytes a second over this long is given up.
    pub slow_window: Duration,
    pub min_rate: u64,
    pub idle_connections: usize,
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

/// A streaming body; ends with an error when the remote sent less than it promised (`truncated`) or was too slow (`too_slow`).
pub struct Body(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>);

impl Body {
    pub fn new(body: impl http_body::Body<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self(Box::pin(body))
    }
    /// The whole body, if it is at most `limit` bytes; `LimitExceeded` (`response_too_large`) otherwise.
    pub async fn bytes(self, _limit: usize) -> Result<Bytes> {
        todo!()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        self.0.as_mut().poll_frame(context)
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

pub struct Fetcher;

impl Fetcher {
    pub fn new(_config: FetchConfig) -> Result<Self> {
        todo!()
    }
    /// Sends one request and returns the answer's head and streaming body, whatever the status.
    pub async fn send(&self, _request: Outbound) -> Result<Inbound> {
        todo!()
    }
    /// POST of a form to a token endpoint (reqwest); an answer of at most 64 KiB. The address is judged like any other.
    pub async fn post_form(&self, _url: &url::Url, _headers: HeaderMap, _form: &[(&str, &str)]) -> Result<(StatusCode, Bytes)> {
        todo!()
    }
    /// The TLS configuration (trusted roots and `extra_ca`), for the AWS clients.
    #[must_use]
    pub fn extra_ca_pem(&self) -> &[Vec<u8>] {
        todo!()
    }
}
