//! A connection: a stored, named use of one connector by an organization.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{ConnectionId, ConnectionName, Digest, ExternalId, Finding, OrgId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Not tested since its settings last changed.
    Pending,
    Ready,
    /// The last test failed.
    Error,
}

/// Ciphertext; `vault` alone opens it. Bound to organization, connection, field and revision.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Which master key sealed it.
    pub key_id: String,
    /// The connection's revision when it was sealed: part of what the seal is bound to.
    pub revision: u64,
    /// Nonce and ciphertext, base64.
    pub sealed: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastTest {
    pub at: Timestamp,
    pub passed: bool,
    pub findings: Vec<Finding>,
}

/// No `Debug`: it holds sealed secrets. `settings` are without secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Connection {
    pub id: ConnectionId,
    pub org: OrgId,
    pub name: ConnectionName,
    pub description: String,
    /// The connector's id; `type` in JSON.
    #[serde(rename = "type")]
    pub connector: String,
    /// The plugin that this connection is pinned to.
    pub plugin: Digest,
    pub settings: Value,
    pub secrets: BTreeMap<String, SealedSecret>,
    pub external_id: ExternalId,
    pub test_location: Option<String>,
    /// SPEC P13: a disabled one refuses use, whatever its state.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Made of the settings that its connector calls the connection's identity: no two of an organization have the same.
    #[serde(default)]
    pub identity: Option<Uuid>,
    pub state: ConnectionState,
    /// Counts changes of settings or secrets; starts at 1.
    pub revision: u64,
    /// Counts every change; starts at 1.
    pub version: u64,
    pub last_test: Option<LastTest>,
    /// When it last tested well.
    pub last_good_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Connection {
    /// Enabled and not tested, without settings and secrets.
    #[must_use]
    pub fn new(id: ConnectionId, org: OrgId, name: ConnectionName, connector: String, plugin: Digest, external_id: ExternalId, now: Timestamp) -> Self {
        Self {
            id,
            org,
            name,
            description: String::new(),
            connector,
            plugin,
            settings: Value::Object(serde_json::Map::new()),
            secrets: BTreeMap::new(),
            external_id,
            test_location: None,
            enabled: true,
            identity: None,
            state: ConnectionState::Pending,
            revision: 1,
            version: 1,
            last_test: None,
            last_good_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Of a connection that was stored before it could be disabled.
fn enabled() -> bool {
    true
}
