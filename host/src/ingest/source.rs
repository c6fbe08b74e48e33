//! Where an engine gets objects from. The real one goes through connections and the broker; tests make their own.

use std::sync::Arc;

use async_trait::async_trait;

use super::datasets::Datasets;
use crate::broker::{Broker, Object, Read};
use crate::connections::Connections;
use crate::model::{ConnectionId, DatasetId, Error, Kind, OrgId, Result};
use crate::policy::{Grant, Permit};

#[async_trait]
pub(super) trait Source: Send + Sync + 'static {
    type Permit: Send + 'static;

    /// The connection that a submission names, or its dataset's default, as it may be used now: its id and revision.
    async fn resolve(&self, org: &OrgId, dataset: &DatasetId, name_or_id: Option<&str>) -> Result<(ConnectionId, u64)>;

    /// Plans a page of source paths with one call of the plugin. `Conflict` (`connection_changed`) unless the connection still is
    /// in the revision that the job was accepted with.
    async fn plan(&self, org: &OrgId, connection: ConnectionId, revision: u64, sources: &[&str]) -> Result<Vec<Result<Self::Permit>>>;

    async fn open(&self, permit: Self::Permit, read: Read) -> Result<Object>;
}

pub(super) struct Remote {
    pub(super) connections: Arc<Connections>,
    pub(super) broker: Arc<Broker>,
    pub(super) datasets: Datasets,
}

impl Remote {
    async fn pinned(&self, org: &OrgId, connection: ConnectionId, revision: u64) -> Result<Arc<Grant>> {
        match self.connections.grant(org, &connection.to_string()).await {
            Ok(grant) if grant.connection.revision == revision => Ok(grant),
            Ok(_) => Err(changed("its settings were changed")),
            Err(error) => match error.kind() {
                Kind::NotFound => Err(changed("it was deleted")),
                Kind::Conflict => Err(changed(error.message())),
                Kind::Invalid | Kind::Denied | Kind::Rejected | Kind::Unavailable | Kind::LimitExceeded | Kind::PluginFault | Kind::Internal => Err(error),
            },
        }
    }
}

#[async_trait]
impl Source for Remote {
    type Permit = Permit;

    async fn resolve(&self, org: &OrgId, dataset: &DatasetId, name_or_id: Option<&str>) -> Result<(ConnectionId, u64)> {
        let grant = match name_or_id {
            Some(name_or_id) => self.connections.grant(org, name_or_id).await?,
            None => self.connections.grant(org, &self.datasets.default_connection(org, dataset).await?).await?,
        };
        Ok((grant.connection.id, grant.connection.revision))
    }

    async fn plan(&self, org: &OrgId, connection: ConnectionId, revision: u64, sources: &[&str]) -> Result<Vec<Result<Permit>>> {
        let grant = self.pinned(org, connection, revision).await?;
        self.connections.permits(&grant, sources).await
    }

    /// A permit is as old as its page: the connection is looked at again, so that one that was deleted or changed serves nothing more.
    async fn open(&self, permit: Permit, read: Read) -> Result<Object> {
        let connection = &permit.grant().connection;
        self.pinned(&connection.org, connection.id, connection.revision).await?;
        self.broker.open(permit, read).await
    }
}

fn changed(how: &str) -> Error {
    Error::conflict("connection_changed", format!("the connection is not what it was when the job was accepted: {how}")).with_remedy("submit the assets again")
}
