//! Turns an `Outbound` into the request that is written. What the caller judged and signed is sent unchanged.

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;

use super::Outbound;
use super::pool::Key;
use crate::model::{Error, Result};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// The value of `Host`: the port only where it is not the scheme's own. A signature over `Host` signs this.
#[must_use]
pub fn authority(https: bool, host: &str, port: u16) -> Cow<'_, str> {
    if port == if https { 443 } else { 80 } { Cow::Borrowed(host) } else { Cow::Owned(format!("{host}:{port}")) }
}

/// `Internal` (`unsendable_request`) for what cannot be sent as it is: judged and encoded requests always can.
pub(super) fn encode(request: Outbound) -> Result<(Key, Request<Full<Bytes>>)> {
    let Outbound { connection, method, https, host, port, path_and_query, headers } = request;
    let unsendable = |what: &str| Error::internal("unsendable_request", format!("{what} cannot be sent unchanged"));
    // `PathAndQuery` cuts at a '#' and completes an empty path.
    if !path_and_query.starts_with('/') || path_and_query.contains('#') {
        return Err(unsendable("the path"));
    }
    let path = PathAndQuery::from_maybe_shared(Bytes::from(path_and_query)).map_err(|error| unsendable("the path").with_source(error))?;
    let mut message = Request::new(Full::default());
    *message.method_mut() = method;
    *message.uri_mut() = Uri::from(path);
    *message.headers_mut() = headers;
    let host_value = HeaderValue::try_from(authority(https, &host, port).as_ref()).map_err(|error| unsendable("the host").with_source(error))?;
    let headers = message.headers_mut();
    headers.insert(header::HOST, host_value);
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Ok((Key::new(connection, https, host, port), message))
}
