//! In whose name something is done, and for what: as the audit log has it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::{Caller, Error, JobId, OrgId, TokenId};

/// Written as `token:<id>`, `job:<id>` or `gateway`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    Token(TokenId),
    /// An ingestion job; who submitted it is in its own record.
    Job(JobId),
    /// By itself: the daily probe, a session that is opened for all who wait.
    Gateway,
}

/// What a credential is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Fetch,
    Ingest,
    Test,
    List,
    /// Whether the external id is required.
    Probe,
    /// Obtained for later uses of the connection, whoever's they are.
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub purpose: Purpose,
}

impl By {
    /// What nobody in particular asked for.
    pub const GATEWAY: Self = Self { actor: Actor::Gateway, purpose: Purpose::Session };
}

/// An organization, and who acts in its name.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    pub org: &'a OrgId,
    pub actor: Actor,
}

impl<'a> From<&'a Caller> for Asker<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { org: &caller.org, actor: Actor::Token(caller.token) }
    }
}

/// The gateway itself.
impl<'a> From<&'a OrgId> for Asker<'a> {
    fn from(org: &'a OrgId) -> Self {
        Self { org, actor: Actor::Gateway }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Job(id) => write!(f, "job:{id}"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

impl FromStr for Actor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let id = |kind: &str| text.strip_prefix(kind);
        match (id("token:"), id("job:")) {
            (Some(id), _) => id.parse().map(Self::Token),
            (_, Some(id)) => id.parse().map(Self::Job),
            _ if text == "gateway" => Ok(Self::Gateway),
            _ => Err(Error::invalid("invalid_actor", "an actor is token:<id>, job:<id> or gateway")),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
