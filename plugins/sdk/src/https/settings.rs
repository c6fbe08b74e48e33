//! Settings that every https connector has: each is canonical once it is parsed.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_dot_segment;
use crate::percent;

/// A host name or an IPv4 address: lower case, without a dot at the end, without scheme or port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?$", "x-hint" = "a host name such as assets.example.com: no scheme, port or path", "minLength" = 1, "maxLength" = 253))]
pub struct Hostname(String);

impl Hostname {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Hostname {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(&text).to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-');
        if name.len() > 253 || !name.split('.').all(label) {
            return Err("a host name is labels of letters, digits and '-', joined by dots, such as assets.example.com: no scheme, port or path".to_owned());
        }
        // A name whose last label is a number is an address to some parsers and a name to others (WHATWG URL, section 3.5).
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        if number && name.parse::<Ipv4Addr>().is_err() {
            return Err("an IP address is written as four decimal numbers, such as 192.0.2.1".to_owned());
        }
        Ok(Self(name))
    }
}

impl From<Hostname> for String {
    fn from(name: Hostname) -> Self {
        name.0
    }
}

/// A folder in wire form, without slashes at its ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$", "x-hint" = "a percent-encoded path such as media/2024", "minLength" = 1, "maxLength" = 1024))]
pub struct PathPrefix(String);

impl PathPrefix {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let prefix = text.trim_matches('/');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._~!$&'()*+,;=:@%/-".contains(&byte);
        if prefix.is_empty() {
            return Err("leave the path prefix out to mean the whole host".to_owned());
        }
        if prefix.len() > 1024 || !prefix.bytes().all(fits) || percent::check(prefix).is_err() {
            return Err("a path prefix is a percent-encoded path, such as media/2024".to_owned());
        }
        if prefix.split('/').any(|segment| segment.is_empty() || is_dot_segment(segment)) {
            return Err("a path prefix has no empty, '.' or '..' segment".to_owned());
        }
        Ok(Self(prefix.to_owned()))
    }
}

impl From<PathPrefix> for String {
    fn from(prefix: PathPrefix) -> Self {
        prefix.0
    }
}
