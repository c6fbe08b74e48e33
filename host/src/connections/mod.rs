//! The life of a connection, and the way an object is opened through one: settings → plan → permit → broker.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::broker::{Broker, Object, Read};
use crate::model::{Clock, Connection, ConnectionName, ConnectionState, Credential, Finding, OrgId, Page, Principal, Random, Result, RoleArn, SetupStep};
use crate::policy::{AddressPolicy, Grant, Permit};
use crate::runtime::Plugin;
use crate::store::Store;
use crate::vault::Vault;

/// Who the gateway is to its customers, from configuration.
#[derive(Clone, Debug)]
pub struct Platform {
    pub name: String,
    pub account_id: Option<String>,
    pub role_arn: Option<RoleArn>,
    /// The name of the connection that always exists (type `aws_bucket_policy`).
    pub default_connection: ConnectionName,
    pub external_id_required: bool,
}

pub struct Parts {
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub broker: Arc<Broker>,
    pub platform: Platform,
    pub addresses: AddressPolicy,
    pub clock: Clock,
    pub random: Random,
}

/// What a request to create holds; fields are still unchecked.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub name: String,
    pub connector: String,
    /// `config`, secrets included. Taken apart at once; never logged.
    pub settings: Map<String, Value>,
    pub test_location: Option<String>,
    pub description: String,
}

/// `None`: leave as it is. `settings`: a JSON Merge Patch (RFC 7396).
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub description: Option<String>,
    pub test_location: Option<Option<String>>,
    pub settings: Option<Map<String, Value>>,
    /// The version that the caller saw; a stale one is `Conflict` (`stale_version`).
    pub version: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub state: Option<ConnectionState>,
    pub connector: Option<&'a str>,
}

/// SPEC B13: one request as it would be sent, secrets by name.
#[derive(Clone, Debug)]
pub struct Planned {
    pub source_path: String,
    pub outcome: Result<PlannedRequest, crate::model::ItemError>,
}
#[derive(Clone, Debug)]
pub struct PlannedRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub credential: Credential,
}

pub struct Connections;

impl Connections {
    pub fn new(_parts: Parts) -> Self {
        todo!()
    }
    /// Adds a plugin to the catalogue under its connector's id. A taken id is `Conflict` (`connector_exists`).
    pub fn register(&self, _plugin: Arc<Plugin>) -> Result<()> {
        todo!()
    }
    #[must_use]
    pub fn catalogue(&self) -> Vec<Arc<Plugin>> {
        todo!()
    }
    #[must_use]
    pub fn principal(&self, _org: &OrgId) -> Principal {
        todo!()
    }
    /// `require_test`: nothing is stored unless the test passes. Otherwise stored as `pending`, tested at once, then `ready` or `error`.
    pub async fn create(&self, _org: &OrgId, _new: NewConnection, _require_test: bool) -> Result<Connection> {
        todo!()
    }
    /// By name or id. The default connection answers for every organization.
    pub async fn get(&self, _org: &OrgId, _name_or_id: &str) -> Result<Connection> {
        todo!()
    }
    /// The default connection first, then by name. `after`: the name of the last one seen.
    pub async fn list(&self, _org: &OrgId, _filter: Filter<'_>, _after: Option<&str>, _limit: usize) -> Result<Vec<Connection>> {
        todo!()
    }
    pub async fn change(&self, _org: &OrgId, _name_or_id: &str, _change: Change) -> Result<Connection> {
        todo!()
    }
    pub async fn delete(&self, _org: &OrgId, _name_or_id: &str) -> Result<Connection> {
        todo!()
    }
    pub async fn test(&self, _org: &OrgId, _name_or_id: &str, _location: Option<&str>, _update_state: bool) -> Result<(ConnectionState, Vec<Finding>)> {
        todo!()
    }
    pub async fn setup(&self, _org: &OrgId, _name_or_id: &str) -> Result<Vec<SetupStep>> {
        todo!()
    }
    /// `bucket`: for connections that are not bound to one.
    pub async fn browse(&self, _org: &OrgId, _name_or_id: &str, _bucket: Option<&str>, _prefix: &str, _cursor: Option<&str>, _limit: u32) -> Result<Page> {
        todo!()
    }
    pub async fn plan(&self, _org: &OrgId, _name_or_id: &str, _sources: &[&str]) -> Result<Vec<Planned>> {
        todo!()
    }
    /// A connection as it may be used now; cached for each version.
    pub async fn grant(&self, _org: &OrgId, _name_or_id: &str) -> Result<Arc<Grant>> {
        todo!()
    }
    /// Plans a page of 1 to 1000 source paths and judges each.
    pub async fn permits(&self, _grant: &Arc<Grant>, _sources: &[&str]) -> Result<Vec<Result<Permit>>> {
        todo!()
    }
    /// Reads one object through a connection: the hot path.
    pub async fn open(&self, _org: &OrgId, _name_or_id: &str, _source: &str, _read: Read) -> Result<Object> {
        todo!()
    }
}
