//! Who calls: tokens, roles, organizations.

use serde::{Deserialize, Serialize};

use super::{OrgId, Timestamp, TokenId};

/// Ordered: each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses connections.
    Member,
    /// Manages its organization's connections and tokens.
    Admin,
    /// Manages the gateway: plugins, organizations, configuration. Admin of the organization its token names.
    Operator,
}

/// Proof that a token was checked. Made by `tokens` alone; every store key that a handler touches begins with its `org`.
#[derive(Clone, Debug)]
pub struct Caller {
    pub org: OrgId,
    pub role: Role,
    pub token: TokenId,
}

/// A token as stored: the secret itself is known to its holder alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenRecord {
    pub id: TokenId,
    pub org: OrgId,
    pub role: Role,
    pub name: String,
    /// SHA-256 of the whole token, hex.
    pub hash: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// Whose connections, tokens, jobs and assets are. What was deleted stays known: its name is given to nobody else, who would find what
/// is left of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Organization {
    pub id: OrgId,
    pub description: String,
    pub created_at: Timestamp,
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}
