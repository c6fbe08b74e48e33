//! What is set for a dataset as a whole. Nobody has to make one: a dataset is there once an asset names it.

use std::sync::Arc;

use crate::connections::Connections;
use crate::model::{Clock, ConnectionName, Dataset, DatasetId, Error, Kind, OrgId, Result};
use crate::store::{Expect, Store, Table};

#[derive(Clone)]
pub(super) struct Datasets {
    table: Table<Dataset>,
    connections: Arc<Connections>,
    clock: Clock,
}

impl Datasets {
    pub(super) fn new(store: Arc<dyn Store>, connections: Arc<Connections>, clock: Clock) -> Self {
        Self { table: Table::new(store, "dataset/"), connections, clock }
    }

    pub(super) async fn get(&self, org: &OrgId, id: &DatasetId) -> Result<(Dataset, Option<ConnectionName>)> {
        let found = self.table.get(&key(org, id)).await?;
        self.named(found.ok_or_else(nothing_set)?.value).await
    }

    /// Kept by the connection's id: it may be renamed.
    pub(super) async fn set(&self, org: &OrgId, id: DatasetId, default_connection: Option<&str>) -> Result<(Dataset, Option<ConnectionName>)> {
        let connection = match default_connection {
            Some(name_or_id) => Some(self.connections.get(org, name_or_id).await?),
            None => None,
        };
        let dataset = Dataset { id, org: org.clone(), default_connection: connection.as_ref().map(|connection| connection.id), updated_at: (self.clock)() };
        self.table.put(&key(org, &dataset.id), &dataset, Expect::Any).await?;
        Ok((dataset, connection.map(|connection| connection.name)))
    }

    /// The id of the connection that a submission without one goes through.
    pub(super) async fn default_connection(&self, org: &OrgId, id: &DatasetId) -> Result<String> {
        let found = self.table.get(&key(org, id)).await?;
        let Some(connection) = found.and_then(|found| found.value.default_connection) else {
            return Err(Error::field("/connection_name", "is required (or connection_id): the dataset has no default connection"));
        };
        match self.connections.get(org, &connection.to_string()).await {
            Err(error) if error.kind() == Kind::NotFound => Err(Error::conflict("default_connection_deleted", "the dataset's default connection was deleted")
                .with_remedy("Give the dataset another default connection, or name a connection in the request.")),
            found => Ok(found?.id.to_string()),
        }
    }

    /// With the name that its connection has now; none where that was deleted.
    async fn named(&self, dataset: Dataset) -> Result<(Dataset, Option<ConnectionName>)> {
        let Some(connection) = dataset.default_connection else { return Ok((dataset, None)) };
        match self.connections.get(&dataset.org, &connection.to_string()).await {
            Ok(connection) => Ok((dataset, Some(connection.name))),
            Err(error) if error.kind() == Kind::NotFound => Ok((dataset, None)),
            Err(error) => Err(error),
        }
    }
}

fn nothing_set() -> Error {
    Error::not_found("dataset_not_found", "nothing is set for a dataset of this id")
        .with_remedy("Check the id. A dataset that was never given a default connection needs one in each request.")
}

fn key(org: &OrgId, id: &DatasetId) -> String {
    format!("{org}/{id}")
}
