//! The default connection (SPEC C4): made from configuration, not stored; first in every list; neither edited nor deleted.

use uuid::Uuid;

use super::Connections;
use crate::model::{Connection, ConnectionId, ConnectionState, Error, ExternalId, OrgId, Result, Timestamp};

pub const CONNECTOR: &str = "aws_bucket_policy";
const NAMESPACE: Uuid = Uuid::from_u128(0x3d0a_51c4_9d6b_4b0e_8a57_61f0_c7ae_d1f7);

/// Whether it is its organization's default one.
#[must_use]
pub fn is_default(connection: &Connection) -> bool {
    connection.id == default_id(&connection.org)
}

impl Connections {
    pub(super) fn default_if(&self, org: &OrgId, name_or_id: &str) -> Result<Option<Connection>> {
        let named = name_or_id == self.platform.default_connection.as_str();
        if named || name_or_id.parse().is_ok_and(|id: ConnectionId| id == default_id(org)) { self.default_connection(org).map(Some) } else { Ok(None) }
    }

    pub(super) fn not_default(&self, org: &OrgId, name_or_id: &str, verb: &str) -> Result<()> {
        match self.default_if(org, name_or_id)? {
            None => Ok(()),
            Some(_) => Err(Error::conflict("default_connection", format!("the default connection cannot be {verb}"))
                .with_remedy("Its name and role come from the gateway's configuration (platform.default_connection, platform.role_arn).")),
        }
    }

    pub(super) fn default_connection(&self, org: &OrgId) -> Result<Connection> {
        let connector = self
            .plugins
            .connector(CONNECTOR)
            .and_then(Result::ok)
            .ok_or_else(|| Error::internal("connector_not_installed", "the connector of the default connection is not installed"))?;
        let id = default_id(org);
        Ok(Connection {
            description: format!("Reads the buckets whose policy lets {} in.", self.platform.name),
            state: if self.platform.role_arn.is_some() { ConnectionState::Ready } else { ConnectionState::Pending },
            ..Connection::new(
                id,
                org.clone(),
                self.platform.default_connection.clone(),
                CONNECTOR.to_owned(),
                connector.plugin.digest(),
                // A bucket policy has no external id; what ties a bucket to an organization is the session's tag.
                ExternalId::new(format!("pc-{}", id.0.as_simple()))?,
                Timestamp::from_millis(0),
            )
        })
    }
}

fn default_id(org: &OrgId) -> ConnectionId {
    ConnectionId(Uuid::new_v5(&NAMESPACE, org.as_str().as_bytes()))
}
