//! What is set for a dataset as a whole. Nobody has to make one: a dataset is there once an asset names it.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::connections::Connections;
use crate::model::{Clock, ConnectionName, Dataset, DatasetId, Error, Kind, OrgId, Result};
use crate::store::{Expect, MAX_SCAN, Store, Table};

/// Datasets of an organization for which something is set.
const MAX_DATASETS: usize = 10_000;

#[derive(Clone)]
pub(super) struct Datasets {
    table: Table<Dataset>,
    connections: Arc<Connections>,
    clock: Clock,
    /// Held while one is set, so that counting them and adding one is one step.
    setting: Arc<Mutex<()>>,
}

impl Datasets {
    pub(super) fn new(store: Arc<dyn Store>, connections: Arc<Connections>, clock: Clock) -> Self {
        Self { table: Table::new(store, "dataset/"), connections, clock, setting: Arc::default() }
    }

    pub(super) async fn get(&self, org: &OrgId, id: &DatasetId) -> Result<(Dataset, Option<ConnectionName>)> {
        let found = self.table.get(&key(org, id)).await?;
        self.named(found.ok_or_else(nothing_set)?.value).await
    }

    /// Kept by the connection's id: it may be renamed. None: nothing is set any more, and nothing is kept. `LimitExceeded` (`too_many_datasets`).
    pub(super) async fn set(&self, org: &OrgId, id: DatasetId, default_connection: Option<&str>) -> Result<(Dataset, Option<ConnectionName>)> {
        let connection = match default_connection {
            Some(name_or_id) => Some(self.connections.get(org, name_or_id).await?),
            None => None,
        };
        let dataset = Dataset { id, org: org.clone(), default_connection: connection.as_ref().map(|connection| connection.id), updated_at: (self.clock)() };
        let key = key(org, &dataset.id);
        if connection.is_none() {
            self.table.delete(&key, Expect::Any).await?;
        } else {
            let _setting = self.setting.lock().await;
            if self.table.get(&key).await?.is_none() {
                room(&self.table, org).await?;
            }
            self.table.put(&key, &dataset, Expect::Any).await?;
        }
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

/// For one more.
async fn room(table: &Table<Dataset>, org: &OrgId) -> Result<()> {
    let (mut count, mut last) = (0, None);
    while count < MAX_DATASETS {
        let page = table.scan(&format!("{org}/"), last.as_deref(), MAX_SCAN).await?;
        count += page.len();
        match page.into_iter().last() {
            Some((key, _)) if count % MAX_SCAN == 0 => last = Some(key),
            _ => return Ok(()),
        }
    }
    Err(Error::limit("too_many_datasets", format!("an organization gives at most {MAX_DATASETS} datasets a default connection"))
        .with_remedy("Take it away from datasets that are not used any more: then nothing is kept of them."))
}

fn nothing_set() -> Error {
    Error::not_found("dataset_not_found", "nothing is set for a dataset of this id")
        .with_remedy("Check the id. A dataset that was never given a default connection needs one in each request.")
}

fn key(org: &OrgId, id: &DatasetId) -> String {
    format!("{org}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConnectionId, Timestamp};
    use crate::store::{MAX_BATCH, MemoryStore};

    #[tokio::test]
    async fn l14_an_organization_has_a_limit_of_its_own() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let table: Table<Dataset> = Table::new(Arc::clone(&store), "dataset/");
        let (acme, other) = (OrgId::new("acme").unwrap(), OrgId::new("acme-2").unwrap());
        let record = |org: &OrgId, at: usize| {
            let id = DatasetId::new(format!("d{at:05}")).unwrap();
            let made =
                Dataset { id, org: org.clone(), default_connection: Some(ConnectionId(uuid::Uuid::from_u128(7))), updated_at: Timestamp::from_millis(0) };
            table.putting(&key(org, &made.id), &made, Expect::Absent).unwrap()
        };
        for from in (0..MAX_DATASETS).step_by(MAX_BATCH) {
            room(&table, &acme).await.expect("there is room");
            store.apply((from..from + MAX_BATCH).map(|at| record(&acme, at)).collect()).await.unwrap();
        }
        let error = room(&table, &acme).await.expect_err("full");
        assert_eq!((error.kind(), error.code()), (Kind::LimitExceeded, "too_many_datasets"));
        room(&table, &other).await.expect("it is not theirs");
        table.delete("acme/d00007", Expect::Any).await.unwrap();
        room(&table, &acme).await.expect("there is room again");
    }
}
