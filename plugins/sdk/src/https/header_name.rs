//! The name of a header that a credential may be sent in. The host has the last word; this is for a clear answer before it is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// They frame a request, route it or say what is asked for: the gateway's own. A trailing `-` stands for a family.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "if-",
    "keep-alive",
    "max-forwards",
    "proxy-",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-",
    "x-rewrite-url",
];

/// Lower case, which is the same to every server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9-]+$", "x-hint" = "letters, digits and '-'", "minLength" = 1, "maxLength" = 64))]
pub struct HeaderName(String);

impl HeaderName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HeaderName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("a header's name is 1 to 64 letters, digits and '-', such as x-api-key".to_owned());
        }
        if RESERVED.iter().any(|reserved| if reserved.ends_with('-') { name.starts_with(reserved) } else { name == *reserved }) {
            return Err(format!("the header '{name}' is the gateway's own: a key cannot be sent in it"));
        }
        Ok(Self(name))
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e27_a_key_goes_into_a_header_of_its_own() {
        for name in
            ["", "x key", "x:key", "x\nkey", "schlüssel", &"x".repeat(65), "Host", "cookie", "Content-Length", "If-Match", "Range", "X-Forwarded-For", "TE"]
        {
            assert!(HeaderName::try_from(name.to_owned()).is_err(), "{name:?}");
        }
        for (name, canonical) in [("X-Api-Key", "x-api-key"), ("authorization", "authorization"), ("X-Date", "x-date"), ("iffy", "iffy")] {
            assert_eq!(HeaderName::try_from(name.to_owned()).expect(name).as_str(), canonical);
        }
    }
}
