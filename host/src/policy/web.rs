//! Judges a URL that a plugin wrote. There is one parser: what it read is judged, and what is judged is sent byte for byte.

use url::{Position, Url};

use super::{Egress, host};
use crate::model::{Error, Result};

/// What to do about something that is outside of a connection's egress.
pub(super) const WIDEN: &str = "Read it through a connection that covers it, or widen this one's settings.";
const MAX_URL: usize = 8192;
const MAX_HEADER_VALUE: usize = 256;

/// A judged web request: the parse that was judged is the one that is dialled.
#[derive(Clone, Debug)]
pub struct WebRequest {
    pub url: Url,
    /// Lower-case names, from the allow-list.
    pub headers: Vec<(String, String)>,
}

impl WebRequest {
    #[must_use]
    pub fn https(&self) -> bool {
        self.url.scheme() == "https"
    }
    /// Lower-case ASCII without a trailing dot, or an IP literal (`[::1]` for v6).
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }
    /// As the plugin wrote it.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }
}

/// `Denied` (`scope_violation`) unless the URL is in wire form and inside the egress.
pub(super) fn judge(text: &str, egress: &Egress) -> Result<Url> {
    let mut url = parse(text)
        .map_err(|reason| Error::denied("scope_violation", format!("this URL may not be requested: {reason}")).with_remedy("Correct the source path."))?;
    let host = url.host().map(|host| host::canonical(&host)).unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let path = url.path();
    let mut prefixes = egress.web(url.scheme() == "http", &host, port).peekable();
    let known_host = prefixes.peek().is_some();
    if !prefixes.any(|prefix| within(path, prefix)) {
        let shown: String = host.chars().take(253).collect();
        let what = if known_host { "this path of " } else { "" };
        let message = format!("{what}{}://{shown}:{port} is outside of what the connection may reach: {egress}", url.scheme());
        return Err(Error::denied("scope_violation", message).with_remedy(WIDEN));
    }
    if url.host_str() != Some(&host) {
        url.set_host(Some(&host))
            .map_err(|_| Error::denied("scope_violation", "this URL may not be requested: its host is not valid").with_remedy("Correct the source path."))?;
    }
    Ok(url)
}

/// Reads a URL in the form in which it is sent. The host alone is brought into canonical form.
fn parse(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_URL {
        return Err("it is longer than 8192 bytes");
    }
    // Before any parser sees it: parsers drop, fold or swap these.
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err("spaces, control characters and backslashes must be percent-encoded");
    }
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or("it does not begin with https:// (or http://, where that is allowed)")?;
    if rest.contains('#') {
        return Err("it has a fragment");
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err("it has no host");
    }
    if authority.contains('@') {
        return Err("it has a user or password in it");
    }
    if authority.contains('%') {
        return Err("its host is percent-encoded or has a zone");
    }
    let url = Url::parse(text).map_err(|_| "it is not a valid URL")?;
    let parsed = &url[Position::BeforePath..];
    // Only an empty path may be completed: anything else that the parser changed, another parser may read differently.
    if parsed == tail || parsed.strip_prefix('/') == Some(tail) && !tail.starts_with('/') {
        Ok(url)
    } else {
        Err("it is not in wire form: percent-encode it, and leave out '.' and '..' segments")
    }
}

/// Whole segments: `/media` covers `/media` and `/media/a`, not `/mediaevil`. No segment may decode to a dot segment below a
/// prefix: a server that decodes before it normalizes would leave it.
fn within(path: &str, prefix: &str) -> bool {
    prefix.is_empty() || (path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !has_dot_segment(path))
}

pub(super) fn has_dot_segment(path: &str) -> bool {
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    decoded.split(|byte| *byte == b'/' || *byte == b'\\').any(|segment| segment == b"." || segment == b"..")
}

/// What a plugin may propose: `accept`. Everything else is the host's or a credential's.
pub(super) fn headers(proposed: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let refuse = |reason: String| Err(Error::denied("header_not_allowed", reason));
    if proposed.len() > 1 {
        return refuse("a plugin may set 'accept' only, and once".to_owned());
    }
    let mut headers = Vec::with_capacity(proposed.len());
    for (name, value) in proposed {
        if !name.eq_ignore_ascii_case("accept") {
            let shown: String = name.chars().take(64).flat_map(char::escape_default).collect();
            return refuse(format!("a plugin may not set the header '{shown}', only 'accept'"));
        }
        if value.len() > MAX_HEADER_VALUE || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return refuse("the value of 'accept' is at most 256 visible ASCII characters".to_owned());
        }
        headers.push(("accept".to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}
