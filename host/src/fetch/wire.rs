//! Turns an `Outbound` into the bytes that are written. What the caller judged and signed is sent unchanged.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, header};
use zeroize::Zeroizing;

use super::Outbound;
use super::pool::Key;
use crate::model::{Error, Result};

const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
/// More than what is written of every request takes.
const OWN_LINES: usize = 256;

/// What frames the exchange is written here alone, or the next request on the socket could be taken for the body of this one.
const FRAMING: [HeaderName; 4] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE];

/// A request as it goes over the socket. It holds a credential, so these bytes are wiped.
pub(super) struct Message {
    pub(super) method: Method,
    bytes: Zeroizing<Vec<u8>>,
}

impl Message {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The value of `Host`: the port only where it is not the scheme's own. A signature over `Host` signs this.
#[must_use]
pub fn authority(https: bool, host: &str, port: u16) -> Cow<'_, str> {
    if port == if https { 443 } else { 80 } { Cow::Borrowed(host) } else { Cow::Owned(format!("{host}:{port}")) }
}

/// `Internal` (`unsendable_request`) for what cannot be sent as it is: judged and encoded requests always can.
pub(super) fn encode(request: Outbound, body: &[u8]) -> Result<(Key, Message)> {
    let Outbound { connection, method, https, host, port, path_and_query: path, headers } = request;
    let unsendable = |what: &str| Error::internal("unsendable_request", format!("{what} cannot be sent unchanged"));
    // What follows a '#' is never sent.
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(unsendable("the path"));
    }
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unsendable("the host"));
    }
    if headers.keys().any(|name| FRAMING.contains(name)) {
        return Err(unsendable("a header that frames the exchange"));
    }
    let bytes = written(&method, &path, &authority(https, &host, port), &headers, body);
    Ok((Key::new(connection, https, host, port), Message { method, bytes }))
}

fn written(method: &Method, path: &str, authority: &str, headers: &HeaderMap, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let given: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    // Room for all of it: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(OWN_LINES + path.len() + authority.len() + given + body.len()));
    let mut put = |pieces: &[&[u8]]| pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    put(&[method.as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\n"]);
    let own = [(header::HOST, authority), (header::USER_AGENT, USER_AGENT), (header::ACCEPT_ENCODING, "identity")];
    for (name, value) in &own {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    if !headers.contains_key(header::ACCEPT) {
        put(&[b"accept: */*\r\n"]);
    }
    if *method == Method::POST {
        put(&[b"content-length: ", body.len().to_string().as_bytes(), b"\r\n"]);
    }
    // Ours are written, whatever the caller says of them.
    for (name, value) in headers.iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name)) {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    put(&[b"\r\n", body]);
    bytes
}
