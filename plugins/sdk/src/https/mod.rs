//! Source paths of an https origin: a URL on the connection's host, or a path below its prefix. The wire form is kept exact.
//!
//! What is refused here is refused for a clear message; the host judges the URL again, and its verdict is the one that counts.

mod check;
mod header_name;
mod settings;

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub use check::{check, check_object};
pub use header_name::HeaderName;
pub use settings::{Hostname, PathPrefix};

use crate::{Capability, Credential, Error, ErrorKind, HttpObject, Plan, Target, percent};

/// What a connector on top of an [`Origin`] says of itself: its settings are called `hostname`, `port` and `path_prefix`.
pub const SCHEMES: &[&str] = &["https"];
pub const EGRESS: &str = "https://{settings.hostname}:{settings.port}/{settings.path_prefix}";
pub const CAPABILITIES: &[Capability] = &[Capability::Http];

/// What RFC 3986 does not allow raw and every client encodes alike. Escapes and everything else stay as they are.
const NOT_IN_URLS: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Of a plain name, all but RFC 3986's unreserved and the slashes: what every signature takes as it is.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where a connection's objects are.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    hostname: &'a str,
    port: u16,
    /// Without slashes at its ends; empty for the whole host.
    prefix: &'a str,
}

impl<'a> Origin<'a> {
    /// `port`: 443 unless given.
    #[must_use]
    pub fn new(hostname: &'a Hostname, port: Option<u16>, prefix: Option<&'a PathPrefix>) -> Self {
        Self { hostname: hostname.as_str(), port: port.unwrap_or(443), prefix: prefix.map_or("", PathPrefix::as_str) }
    }

    /// The folder that the connection is for: what a check asks for when there is no test location.
    #[must_use]
    pub fn root(&self) -> HttpObject {
        HttpObject::new(if self.prefix.is_empty() { self.url("/") } else { self.url(&format!("/{}/", self.prefix)) })
    }

    /// The URL of the prefix itself, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> String {
        self.url(&format!("/{}", self.prefix))
    }

    /// Every source path on this origin, with the same credential.
    #[must_use]
    pub fn plan(&self, credential: Credential, sources: &[String]) -> Plan {
        Plan::shared(credential, sources, |source| self.locate(source).map(Target::Http))
    }

    /// `https://host/path` on this very host, `/path` from its root, or `path` below the prefix.
    pub fn locate(&self, source: &str) -> Result<HttpObject, Error> {
        percent::check_raw(source)?;
        let path = match split_scheme(source) {
            Some(("https", rest)) => self.path_of_url(rest)?.into_owned(),
            Some(_) => {
                return Err(Error::invalid(
                    "unsupported_uri_scheme",
                    "a source path of this connection is an https URL or a path; encode a ':' in a path as %3A",
                ));
            }
            None if source.starts_with("//") => return Err(outside("a source path that begins with // names another host")),
            None if source.starts_with('/') => source.to_owned(),
            None if source.is_empty() || source.starts_with('?') => return Err(Error::invalid("broken_url", "the source path is empty")),
            None if self.prefix.is_empty() => format!("/{source}"),
            None => format!("/{}/{source}", self.prefix),
        };
        percent::check(&path)?;
        let only_path = path.split('?').next().unwrap_or_default();
        if only_path.split('/').any(is_dot_segment) || (!self.prefix.is_empty() && hides_dot_segment(only_path)) {
            return Err(Error::invalid("unsupported_key", "a path with a '.' or '..' segment is not supported: clients rewrite it to another path"));
        }
        if !below(only_path, self.prefix) {
            return Err(outside("the source path is outside this connection's path prefix"));
        }
        Ok(HttpObject::new(self.url(&path)))
    }

    /// The object of this very name below the prefix: the name as it is, encoded here once.
    pub fn object(&self, name: &str) -> Result<HttpObject, Error> {
        if name.is_empty() {
            return Err(Error::invalid("missing_key", "the source path names no object"));
        }
        if name.chars().any(char::is_control) || name.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(Error::invalid("unsupported_key", "a name with control characters, or with a '.' or '..' segment, is not supported"));
        }
        let root = if self.prefix.is_empty() { String::new() } else { format!("/{}", self.prefix) };
        Ok(HttpObject::new(self.url(&format!("{root}/{}", utf8_percent_encode(name, NAME)))))
    }

    /// `rest`: what follows `https:`. The path begins with a slash.
    fn path_of_url<'s>(&self, rest: &'s str) -> Result<Cow<'s, str>, Error> {
        let rest = rest.strip_prefix("//").ok_or_else(|| Error::invalid("broken_url", "an https URL begins with https://"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Error::invalid("broken_url", "a URL here has no user or password: they are settings of the connection"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            _ if authority.starts_with('[') => return Err(outside("the URL is not on this connection's host")),
            None => (authority, 443),
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (host, port.parse().map_err(|_| Error::invalid("broken_url", "the URL's port is not one"))?)
            }
            Some(_) => return Err(Error::invalid("broken_url", "the URL's port is not a number")),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if !host.eq_ignore_ascii_case(self.hostname) || port != self.port {
            return Err(outside("the URL is not on this connection's host and port"));
        }
        Ok(if path.starts_with('/') { path.into() } else { format!("/{path}").into() })
    }

    fn url(&self, path: &str) -> String {
        let mut url = match self.port {
            443 => format!("https://{}", self.hostname),
            port => format!("https://{}:{port}", self.hostname),
        };
        url.extend(utf8_percent_encode(path, NOT_IN_URLS));
        url
    }
}

fn outside(message: &str) -> Error {
    Error::new(ErrorKind::Denied, "scope_violation", message)
}

/// A `:` before any `/` or `?` ends a scheme (RFC 3986 section 4.2). Schemes are lower case here if they are `https`.
fn split_scheme(source: &str) -> Option<(&str, &str)> {
    let head = source.split(['/', '?']).next().unwrap_or_default();
    let (scheme, _) = head.split_once(':')?;
    let (_, rest) = source.split_at(scheme.len() + 1);
    Some((if scheme.eq_ignore_ascii_case("https") { "https" } else { scheme }, rest))
}

/// `.` and `..`, written plainly or escaped.
fn is_dot_segment(segment: &str) -> bool {
    fn after_dot(text: &str) -> Option<&str> {
        text.strip_prefix('.').or_else(|| text.strip_prefix("%2e")).or_else(|| text.strip_prefix("%2E"))
    }
    after_dot(segment).is_some_and(|rest| rest.is_empty() || after_dot(rest) == Some(""))
}

/// A server that decodes before it looks for segments would leave the prefix.
fn hides_dot_segment(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded.split(|byte| *byte == b'/' || *byte == b'\\').any(|segment| segment == b"." || segment == b"..")
}

/// Whole segments: `train` holds `train/x`, not `training`.
fn below(path: &str, prefix: &str) -> bool {
    prefix.is_empty() || path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
