//! Connections as stored: the record, and the index that keeps names unique. Both change in one batch.
//!
//! Every key begins with the organization: nothing is found by a bare id.

use std::sync::Arc;

use bytes::Bytes;

use super::Filter;
use crate::model::{Connection, ConnectionId, ConnectionName, Error, Kind, OrgId, Result};
use crate::store::{Expect, Op, Store};

const SCAN_PAGE: usize = 200;
/// The store takes 24 KiB; some room is left for the findings of a test.
const MAX_RECORD: usize = 20 << 10;

/// A connection with the store's own count of its writes, for compare-and-set.
pub struct Found {
    pub connection: Connection,
    pub written: u64,
}

pub struct Records(pub Arc<dyn Store>);

pub fn no_such_connection() -> Error {
    Error::not_found("connection_not_found", "there is no such connection")
}

pub fn name_taken() -> Error {
    Error::conflict("name_taken", "another connection has this name").with_remedy("Choose another name, or delete the other connection first.")
}

impl Records {
    /// By name or id; the two never look alike, since a name has no '-'.
    pub async fn find(&self, org: &OrgId, name_or_id: &str) -> Result<Found> {
        if let Ok(id) = name_or_id.parse() {
            return self.by_id(org, id).await?.ok_or_else(no_such_connection);
        }
        let name = ConnectionName::new(name_or_id).map_err(|_| no_such_connection())?;
        let index = self.0.get(&name_key(org, &name)).await?.ok_or_else(no_such_connection)?;
        self.by_id(org, decode_id(&index.value)?).await?.ok_or_else(no_such_connection)
    }

    async fn by_id(&self, org: &OrgId, id: ConnectionId) -> Result<Option<Found>> {
        let Some(record) = self.0.get(&key(org, id)).await? else { return Ok(None) };
        Ok(Some(Found { connection: decode(&record.value)?, written: record.version }))
    }

    pub async fn insert(&self, connection: Connection) -> Result<Found> {
        let batch = vec![
            Op::Put { key: key(&connection.org, connection.id), value: encode(&connection)?, expect: Expect::Absent },
            Op::Put { key: name_key(&connection.org, &connection.name), value: encode_id(connection.id), expect: Expect::Absent },
        ];
        // The id was made just now; only the name can be there already.
        self.0.apply(batch).await.map_err(|error| if error.kind() == Kind::Conflict { name_taken() } else { error })?;
        Ok(Found { connection, written: 1 })
    }

    /// `Conflict` (`stale_version`) when it was changed since it was read, `name_taken` when the new name is another's.
    pub async fn replace(&self, before: &Found, after: Connection) -> Result<Found> {
        let mut batch = vec![Op::Put { key: key(&after.org, after.id), value: encode(&after)?, expect: Expect::Version(before.written) }];
        if after.name != before.connection.name {
            if self.0.get(&name_key(&after.org, &after.name)).await?.is_some() {
                return Err(name_taken());
            }
            batch.push(Op::Put { key: name_key(&after.org, &after.name), value: encode_id(after.id), expect: Expect::Absent });
            batch.push(Op::Delete { key: name_key(&after.org, &before.connection.name), expect: Expect::Any });
        }
        self.0.apply(batch).await?;
        Ok(Found { connection: after, written: before.written + 1 })
    }

    pub async fn remove(&self, found: &Found) -> Result<()> {
        let connection = &found.connection;
        self.0
            .apply(vec![
                Op::Delete { key: key(&connection.org, connection.id), expect: Expect::Version(found.written) },
                Op::Delete { key: name_key(&connection.org, &connection.name), expect: Expect::Any },
            ])
            .await
    }

    /// In the order of their names, after the name `after`. `except`: a name that stands for something else in this list.
    pub async fn list(&self, org: &OrgId, filter: Filter<'_>, except: &ConnectionName, after: Option<&str>, limit: usize) -> Result<Vec<Connection>> {
        let prefix = format!("connection-name/{org}/");
        let mut last = after.map(|name| format!("{prefix}{name}"));
        let mut connections = Vec::new();
        while connections.len() < limit {
            let page = self.0.scan(&prefix, last.as_deref(), SCAN_PAGE).await?;
            let ended = page.len() < SCAN_PAGE;
            for (name_key, index) in page {
                // Deleted or renamed since the page was read: not in the list any more.
                if let Some(found) = self.by_id(org, decode_id(&index.value)?).await?
                    && filter.fits(&found.connection)
                    && found.connection.name != *except
                    && connections.len() < limit
                {
                    connections.push(found.connection);
                }
                last = Some(name_key);
            }
            if ended {
                break;
            }
        }
        Ok(connections)
    }
}

impl Filter<'_> {
    pub(super) fn fits(&self, connection: &Connection) -> bool {
        self.state.is_none_or(|state| state == connection.state) && self.connector.is_none_or(|connector| connector == connection.connector)
    }
}

fn key(org: &OrgId, id: ConnectionId) -> String {
    format!("connection/{org}/{id}")
}

fn name_key(org: &OrgId, name: &ConnectionName) -> String {
    format!("connection-name/{org}/{name}")
}

fn encode(connection: &Connection) -> Result<Bytes> {
    let bytes = serde_json::to_vec(connection).map_err(|error| Error::internal("record_unwritable", "a connection cannot be written").with_source(error))?;
    if bytes.len() > MAX_RECORD {
        return Err(Error::limit("connection_too_large", "settings, secrets and description together are more than 20 KiB"));
    }
    Ok(bytes.into())
}

fn decode(bytes: &Bytes) -> Result<Connection> {
    serde_json::from_slice(bytes).map_err(|error| Error::internal("record_unreadable", "a stored connection cannot be read").with_source(error))
}

fn encode_id(id: ConnectionId) -> Bytes {
    id.to_string().into()
}

fn decode_id(bytes: &Bytes) -> Result<ConnectionId> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(|| Error::internal("record_unreadable", "a stored name points nowhere"))
}

#[cfg(test)]
mod tests;
