//! The life of a connection, and the way an object is opened through one: settings → plan → permit → broker.

mod change;
mod check;
mod create;
mod default;
mod moving;
mod open;
mod plan;
mod records;
mod removal;
mod signed;
mod together;
mod watch;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::broker::Broker;
use crate::model::{
    Asker, By, Clock, Connection, ConnectionId, ConnectionName, ConnectionState, Credential, Error, FieldError, Kind, OrgId, Page, Principal, Purpose, Random,
    Result, RoleArn, SetupStep, pointer,
};
use crate::plugins::{Connector, Plugins};
use crate::policy::AddressPolicy;
use crate::runtime::Plugin;
use crate::store::Store;
use crate::vault::Vault;

pub use default::is_default;
pub use moving::Move;
pub use records::Listed;
use records::{Found, Records};
use signed::Signer;
pub use signed::{MAX_SIGNED, Signed, revoked};

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
    pub plugins: Arc<Plugins>,
    pub platform: Platform,
    pub addresses: AddressPolicy,
    pub clock: Clock,
    pub random: Random,
}

/// What a request to create holds; fields are still unchecked.
/// No `Debug`: `settings` hold secrets.
#[derive(Clone)]
pub struct NewConnection {
    /// `None`: a new one. Given where the same request, sent twice, must make one connection.
    pub id: Option<ConnectionId>,
    pub name: String,
    pub connector: String,
    /// `config`, secrets included. Taken apart at once; never logged.
    pub settings: Map<String, Value>,
    pub test_location: Option<String>,
    pub description: String,
    pub enabled: bool,
}

/// `None`: leave as it is. `settings`: a JSON Merge Patch (RFC 7396). No `Debug`: `settings` may hold secrets.
#[derive(Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    pub description: Option<String>,
    pub test_location: Option<Option<String>>,
    pub settings: Option<Map<String, Value>>,
    pub enabled: Option<bool>,
    /// The version that the caller saw; a stale one is `Conflict` (`stale_version`).
    pub version: Option<u64>,
    /// Nothing is changed unless new settings pass their test (`test_failed`). Otherwise they are stored, and tested at once.
    pub require_test: bool,
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

pub struct Connections {
    records: Records,
    vault: Arc<Vault>,
    broker: Arc<Broker>,
    platform: Platform,
    addresses: AddressPolicy,
    clock: Clock,
    random: Random,
    plugins: Arc<Plugins>,
    served: open::ServedCache,
    signer: Signer,
}

impl Connections {
    pub fn new(parts: Parts) -> Self {
        Self {
            records: Records(parts.store),
            signer: Signer(parts.vault.derive("signed URLs")),
            vault: parts.vault,
            broker: parts.broker,
            platform: parts.platform,
            addresses: parts.addresses,
            clock: parts.clock,
            random: parts.random,
            plugins: parts.plugins,
            served: open::ServedCache::default(),
        }
    }

    /// The plugin of each connector that new connections can use, by connector id.
    #[must_use]
    pub fn catalogue(&self) -> Vec<Arc<Plugin>> {
        self.plugins.all().into_iter().map(|connector| connector.plugin.clone()).collect()
    }

    /// How customers' policies must name the gateway. Empty account and role: the operator has not configured them.
    #[must_use]
    pub fn principal(&self, org: &OrgId) -> Principal {
        Principal {
            platform_name: self.platform.name.clone(),
            account_id: self.gateway_account().unwrap_or_default().to_owned(),
            role_arn: self.platform.role_arn.as_ref().map(|arn| arn.as_str().to_owned()).unwrap_or_default(),
            organization: org.to_string(),
        }
    }

    fn gateway_account(&self) -> Option<&str> {
        self.platform.account_id.as_deref().or_else(|| self.platform.role_arn.as_ref().map(RoleArn::account))
    }

    /// By name or id. The default connection answers for every organization.
    pub async fn get(&self, org: &OrgId, name_or_id: &str) -> Result<Connection> {
        match self.default_if(org, name_or_id)? {
            Some(connection) => Ok(connection),
            None => Ok(self.records.find(org, name_or_id).await?.connection),
        }
    }

    /// The default connection first, then by name. `after`: where the page before said to go on.
    pub async fn list(&self, org: &OrgId, filter: Filter<'_>, after: Option<&str>, limit: usize) -> Result<Listed> {
        let default_name = &self.platform.default_connection;
        let first = if after.is_none() { self.default_connection(org).ok().filter(|connection| filter.fits(connection)) } else { None };
        let after = after.filter(|name| *name != default_name.as_str());
        let Some(first) = first else { return self.records.list(org, filter, default_name, after, limit).await };
        if limit == 1 {
            // What comes after the default connection begins at the start.
            let next = self.records.has_any(org).await?.then(|| default_name.to_string());
            return Ok(Listed { connections: vec![first], next });
        }
        let mut listed = self.records.list(org, filter, default_name, after, limit - 1).await?;
        listed.connections.insert(0, first);
        Ok(listed)
    }

    /// `seen`: the version that the caller saw, if that matters to them.
    pub async fn delete(&self, org: &OrgId, name_or_id: &str, seen: Option<u64>) -> Result<Connection> {
        self.not_default(org, name_or_id, "deleted")?;
        let mut found = self.records.find(org, name_or_id).await?;
        still_at(seen, &found.connection)?;
        if let Err(error) = self.records.remove(&found).await {
            found = self.same_but_tested(&found, error).await?;
            self.records.remove(&found).await?;
        }
        self.forget(&found.connection);
        Ok(found.connection)
    }

    /// Ordered steps with documents to paste. `bucket`: for connections that are not bound to one.
    pub async fn setup(&self, org: &OrgId, name_or_id: &str, bucket: Option<&str>) -> Result<Vec<SetupStep>> {
        let connection = self.get(org, name_or_id).await?;
        let connector = self.connector_of(&connection)?;
        let principal = self.principal(org);
        if principal.role_arn.is_empty() && connector.plugin.imports().contains(&crate::model::Capability::Aws) {
            return Err(Error::conflict("platform_not_configured", "the gateway's own AWS role is not configured, so no policy can name it")
                .with_remedy("An operator sets platform.role_arn and platform.account_id in the gateway's configuration."));
        }
        let mut settings = connection.settings;
        if let (Some(bucket), Value::Object(settings)) = (bucket, &mut settings) {
            let bucket = crate::model::BucketName::new(bucket).map_err(|error| error.below("/bucket"))?;
            settings.insert("bucket_name".to_owned(), String::from(bucket).into());
        }
        connector.plugin.setup(org, &settings, &principal, connection.external_id.as_str()).await
    }

    /// One page below `prefix` (a key or path prefix, or a whole source path as the connector writes it).
    /// `bucket`: for connections that are not bound to one.
    pub async fn browse<'a>(
        &self,
        asker: impl Into<Asker<'a>>,
        name_or_id: &str,
        bucket: Option<&str>,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        let Asker { org, actor } = asker.into();
        let served = self.served(org, name_or_id).await?;
        let grant = Arc::new(served.grant.used_by(By { actor, purpose: Purpose::List }));
        let below_bucket = match bucket {
            Some(bucket) => Some(format!("s3://{}/{prefix}", crate::model::BucketName::new(bucket).map_err(|error| error.below("/bucket"))?)),
            None => None,
        };
        served.connector.plugin.list(&grant, below_bucket.as_deref().unwrap_or(prefix), cursor, limit).await
    }

    /// Whether the organization has any of its own.
    pub async fn has_any(&self, org: &OrgId) -> Result<bool> {
        self.records.has_any(org).await
    }

    /// After `error`, which says that the record is not what it was: as it is now, if nothing but a test's outcome came between.
    /// Nobody asked for that, so nobody is told of a conflict with it.
    async fn same_but_tested(&self, before: &Found, error: Error) -> Result<Found> {
        if error.kind() != Kind::Conflict {
            return Err(error);
        }
        let now = self.records.find(&before.connection.org, &before.connection.id.to_string()).await?;
        if now.connection.version == before.connection.version && now.written != before.written { Ok(now) } else { Err(error) }
    }

    /// The version that the connection is pinned to. `Conflict`: why it cannot run.
    pub async fn plugin_of(&self, org: &OrgId, name_or_id: &str) -> Result<Arc<Plugin>> {
        Ok(self.connector_of(&self.get(org, name_or_id).await?)?.plugin.clone())
    }

    /// The version that the connection is pinned to.
    fn connector_of(&self, connection: &Connection) -> Result<Arc<Connector>> {
        self.plugins.pinned(&connection.connector, connection.plugin)
    }

    /// Whatever was kept in memory of a connection that was changed or deleted.
    fn forget(&self, connection: &Connection) {
        self.served.forget(connection);
        self.broker.forget(&connection.org, connection.id);
    }
}

/// SPEC P11.
fn still_at(seen: Option<u64>, connection: &Connection) -> Result<()> {
    if seen.is_none_or(|seen| seen == connection.version) {
        return Ok(());
    }
    Err(Error::conflict("stale_version", format!("the connection is at version {} by now", connection.version))
        .with_remedy("Fetch it again, look at what changed, and repeat the request with the new version."))
}

/// SECURITY V02: a role in the gateway's own account would let a customer borrow the gateway's powers.
fn refuse_own_account(settings: &Value, own: Option<&str>) -> Result<()> {
    let errors: Vec<FieldError> = roles(settings)
        .filter(|(_, role)| !role.is_placeholder() && own == Some(role.account()))
        .map(|(name, _)| FieldError::new(pointer(name), "this role is in the gateway's own account; name a role in the account that owns the data"))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::fields(errors)) }
}

/// The settings that are role ARNs.
fn roles(settings: &Value) -> impl Iterator<Item = (&str, RoleArn)> {
    settings.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), RoleArn::new(value.as_str()?).ok()?)))
}

/// SECURITY V03: the role that reserves an external id before the real one exists. It is never called.
fn is_placeholder(settings: &Value) -> bool {
    roles(settings).any(|(_, role)| role.is_placeholder())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn v02_v03_a_role_in_the_gateways_own_account_is_refused_and_a_placeholder_is_known() {
        let settings = |arn: &str| json!({"iam_role_arn": arn, "bucket_name": "media"});
        let own = Some("111111111111");
        let error = refuse_own_account(&settings("arn:aws:iam::111111111111:role/Gw"), own).expect_err("refused");
        assert_eq!(error.field_errors()[0].pointer, "/iam_role_arn");
        assert!(refuse_own_account(&settings("arn:aws:iam::222222222222:role/Gw"), own).is_ok());
        assert!(refuse_own_account(&settings("arn:aws:iam::000000000000:role/temporary"), Some("000000000000")).is_ok());
        assert!(is_placeholder(&settings("arn:aws:iam::000000000000:role/temporary")));
        assert!(!is_placeholder(&settings("arn:aws:iam::222222222222:role/Gw")));
    }
}
