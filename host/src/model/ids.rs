//! Ids: opaque, made by the gateway, never chosen by a customer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DatasetId, Error, SourcePath};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                // One spelling only: an id that can be written in two ways is two keys for one record.
                Uuid::try_parse(text)
                    .ok()
                    .filter(|id| id.as_hyphenated().to_string() == text)
                    .map(Self)
                    .ok_or_else(|| Error::invalid("invalid_id", concat!("this is not the id of ", $what, ": ids are lower-case UUIDs")))
            }
        }
    };
}

uuid_id!(ConnectionId, "a connection");
uuid_id!(JobId, "a job");
uuid_id!(TokenId, "a token");
uuid_id!(
    /// The same for the same source path in the same dataset: an asset is one thing with versions.
    AssetId,
    "an asset"
);

impl AssetId {
    const NAMESPACE: Uuid = Uuid::from_u128(0x8f1c_6d0e_5b1a_4c58_9a5e_2f4d_7b11_c0de);

    #[must_use]
    pub fn of(org: &OrgId, dataset: &DatasetId, source: &SourcePath) -> Self {
        let name = format!("{org}\0{dataset}\0{source}");
        Self(Uuid::new_v5(&Self::NAMESPACE, name.as_bytes()))
    }
}

/// An organization: 1 to 64 lower-case letters, digits, `_` and `-`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrgId(String);

impl OrgId {
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ok = text.len() <= 64 && text.bytes().next().is_some_and(fits) && text.bytes().all(|byte| fits(byte) || byte == b'_' || byte == b'-');
        if ok { Ok(Self(text)) } else { Err(Error::invalid("invalid_organization", "an organization is 1 to 64 lower-case letters, digits, '_' or '-'")) }
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrgId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(text)
    }
}
impl From<OrgId> for String {
    fn from(id: OrgId) -> Self {
        id.0
    }
}
impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of a plugin's component file, written as `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        text.strip_prefix("sha256:")
            .and_then(|hex_digits| hex::decode_to_slice(hex_digits, &mut bytes).ok())
            .map(|()| Self(bytes))
            .ok_or_else(|| Error::invalid("invalid_digest", "a digest is 'sha256:' and 64 hex digits"))
    }
}
