//! Connections as stored: by id, and by name, which keeps names unique. Both change in one batch and both hold the whole connection: a list is one
//! scan, however many there are, and not a read somewhere else for each.
//!
//! Every key begins with the organization: nothing is found by a bare id.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::Filter;
use crate::model::{Connection, ConnectionId, ConnectionName, Digest, Error, Kind, OrgId, Result, Timestamp};
use crate::store::{Expect, Op, Store};

const SCAN_PAGE: usize = 200;
/// Records that one listing looks at.
const MAX_LOOKED_AT: usize = 5000;
/// The store takes 24 KiB; some room is left for the findings of a test.
const MAX_RECORD: usize = 20 << 10;

/// A connection with the store's own count of its writes, for compare-and-set.
pub struct Found {
    pub connection: Connection,
    pub written: u64,
}

/// Who uses a plugin.
#[derive(Default)]
pub struct Using {
    pub count: usize,
    /// Names, of one organization.
    pub named: Vec<String>,
}

/// A page of a list. `next`: the name that the next page begins after; none when this was the last. A page with a filter may be short,
/// or empty, and still not be the last.
pub struct Listed {
    pub connections: Vec<Connection>,
    pub next: Option<String>,
}

pub struct Records(pub Arc<dyn Store>);

pub fn no_such_connection() -> Error {
    Error::not_found("connection_not_found", "there is no such connection")
        .with_remedy("Check its name or id: `GET /api/v1/connections` lists those of your organization.")
}

/// SPEC P12.
fn deleted() -> Error {
    Error::not_found("connection_deleted", "this connection was deleted, which is final").with_remedy("Create a connection, and use its name or id.")
}

fn duplicate() -> Error {
    Error::conflict("duplicate_connection", "another connection is for the same: the settings that say which one it is are equal")
        .with_remedy("Use that connection, or delete it first.")
}

pub fn name_taken() -> Error {
    Error::conflict("name_taken", "another connection has this name").with_remedy("Choose another name, or delete the other connection first.")
}

impl Records {
    /// By name or id; the two never look alike, since a name has no '-'.
    pub async fn find(&self, org: &OrgId, name_or_id: &str) -> Result<Found> {
        let found = match name_or_id.parse() {
            Ok(id) => self.by_id(org, id).await?,
            Err(_) => {
                let name = ConnectionName::new(name_or_id).map_err(|_| no_such_connection())?;
                match self.0.get(&name_key(org, &name)).await? {
                    Some(named) => self.by_id(org, decode(&named.value)?.id).await?,
                    None => None,
                }
            }
        };
        match found {
            Some(found) => Ok(found),
            None if self.0.get(&deleted_key(org, name_or_id)).await?.is_some() => Err(deleted()),
            None => Err(no_such_connection()),
        }
    }

    async fn by_id(&self, org: &OrgId, id: ConnectionId) -> Result<Option<Found>> {
        let Some(record) = self.0.get(&key(org, id)).await? else { return Ok(None) };
        Ok(Some(Found { connection: decode(&record.value)?, written: record.version }))
    }

    pub async fn insert(&self, connection: Connection) -> Result<Found> {
        let Connection { org, name, .. } = &connection;
        let value = encode(&connection)?;
        let mut batch = vec![
            Op::Put { key: key(org, connection.id), value: value.clone(), expect: Expect::Absent },
            Op::Put { key: name_key(org, name), value, expect: Expect::Absent },
            Op::Delete { key: deleted_key(org, name.as_str()), expect: Expect::Any },
        ];
        if let Some(identity) = connection.identity {
            batch.push(Op::Put { key: identity_key(org, identity), value: encode_id(connection.id), expect: Expect::Absent });
        }
        match self.0.apply(batch).await {
            Ok(()) => Ok(Found { connection, written: 1 }),
            // The id was made just now; only the name or the identity can be there already.
            Err(error) if error.kind() == Kind::Conflict => Err(if self.0.get(&name_key(org, name)).await?.is_some() { name_taken() } else { duplicate() }),
            Err(error) => Err(error),
        }
    }

    /// `Conflict` (`stale_version`) when it was changed since it was read, `name_taken` when the new name is another's.
    pub async fn replace(&self, before: &Found, after: Connection) -> Result<Found> {
        let value = encode(&after)?;
        let mut batch = vec![Op::Put { key: key(&after.org, after.id), value: value.clone(), expect: Expect::Version(before.written) }];
        if after.name == before.connection.name {
            // Whoever saw the last write of its id saw that it has this name.
            batch.push(Op::Put { key: name_key(&after.org, &after.name), value, expect: Expect::Any });
        } else {
            if self.0.get(&name_key(&after.org, &after.name)).await?.is_some() {
                return Err(name_taken());
            }
            batch.push(Op::Put { key: name_key(&after.org, &after.name), value, expect: Expect::Absent });
            batch.push(Op::Delete { key: name_key(&after.org, &before.connection.name), expect: Expect::Any });
            batch.push(Op::Delete { key: deleted_key(&after.org, after.name.as_str()), expect: Expect::Any });
        }
        self.0.apply(batch).await?;
        Ok(Found { connection: after, written: before.written + 1 })
    }

    /// What is left says that it was there: an empty record for its id, and one for its name until that is taken again.
    pub async fn remove(&self, found: &Found) -> Result<()> {
        let Connection { org, id, name, identity, .. } = &found.connection;
        let gone = |name_or_id: &str| Op::Put { key: deleted_key(org, name_or_id), value: Bytes::new(), expect: Expect::Any };
        let mut batch = vec![
            Op::Delete { key: key(org, *id), expect: Expect::Version(found.written) },
            Op::Delete { key: name_key(org, name), expect: Expect::Any },
            Op::Delete { key: probe_key(org, *id), expect: Expect::Any },
            gone(&id.to_string()),
            gone(name.as_str()),
        ];
        batch.extend(identity.map(|identity| Op::Delete { key: identity_key(org, identity), expect: Expect::Any }));
        self.0.apply(batch).await
    }

    /// The connections of all organizations that are pinned to one of these versions; of `org`'s, the first `most` by name.
    pub async fn using(&self, digests: &[Digest], org: &OrgId, most: usize) -> Result<Using> {
        let mut using = Using::default();
        let mut last: Option<String> = None;
        loop {
            let page = self.0.scan("connection/", last.as_deref(), SCAN_PAGE).await?;
            let ended = page.len() < SCAN_PAGE;
            for (key, record) in page {
                let connection = decode(&record.value)?;
                if digests.contains(&connection.plugin) {
                    using.count += 1;
                    if connection.org == *org {
                        using.named.push(connection.name.to_string());
                    }
                }
                last = Some(key);
            }
            if ended {
                using.named.sort_unstable();
                using.named.truncate(most);
                return Ok(using);
            }
        }
    }

    pub async fn has_any(&self, org: &OrgId) -> Result<bool> {
        Ok(!self.0.scan(&format!("connection/{org}/"), None, 1).await?.is_empty())
    }

    /// A page of every organization's, after the key `after`, and the key of its last; `None`: there are no more. What cannot be
    /// read is left out.
    pub async fn page(&self, after: Option<&str>) -> Result<(Vec<Found>, Option<String>)> {
        let page = self.0.scan("connection/", after, SCAN_PAGE).await?;
        let last = if page.len() < SCAN_PAGE { None } else { page.last().map(|(key, _)| key.clone()) };
        let found = page.iter().filter_map(|(key, record)| match decode(&record.value) {
            Ok(connection) => Some(Found { connection, written: record.version }),
            Err(error) => {
                tracing::error!(key, ?error, "a stored connection is passed over");
                None
            }
        });
        Ok((found.collect(), last))
    }

    /// When its external id was last seen to be required, apart from its tests.
    pub async fn verified_at(&self, connection: &Connection) -> Result<Option<Timestamp>> {
        let record = self.0.get(&probe_key(&connection.org, connection.id)).await?;
        Ok(record.and_then(|record| std::str::from_utf8(&record.value).ok()?.parse().ok()).map(Timestamp::from_millis))
    }

    pub async fn set_verified(&self, connection: &Connection, at: Timestamp) -> Result<()> {
        let key = probe_key(&connection.org, connection.id);
        self.0.apply(vec![Op::Put { key, value: at.millis().to_string().into(), expect: Expect::Any }]).await
    }

    /// In the order of their names, after the name `after`. `except`: a name that stands for something else in this list.
    pub async fn list(&self, org: &OrgId, filter: Filter<'_>, except: &ConnectionName, after: Option<&str>, limit: usize) -> Result<Listed> {
        let prefix = format!("connection-name/{org}/");
        let mut listed = Listed { connections: Vec::new(), next: after.map(str::to_owned) };
        let mut looked_at = 0;
        loop {
            let wanted = SCAN_PAGE.min(MAX_LOOKED_AT - looked_at);
            let last = listed.next.as_ref().map(|name| format!("{prefix}{name}"));
            let page = self.0.scan(&prefix, last.as_deref(), wanted).await?;
            let ended = page.len() < wanted;
            for (name_key, named) in page {
                if listed.connections.len() == limit {
                    return Ok(listed);
                }
                let connection = decode(&named.value)?;
                if filter.fits(&connection) && connection.name != *except {
                    listed.connections.push(connection);
                }
                looked_at += 1;
                listed.next = name_key.strip_prefix(&prefix).map(str::to_owned);
            }
            if ended {
                return Ok(Listed { next: None, ..listed });
            }
            if looked_at == MAX_LOOKED_AT {
                return Ok(listed);
            }
        }
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

/// In the organization, so that nobody learns what another one had.
fn deleted_key(org: &OrgId, name_or_id: &str) -> String {
    format!("connection-deleted/{org}/{name_or_id}")
}

fn probe_key(org: &OrgId, id: ConnectionId) -> String {
    format!("connection-probe/{org}/{id}")
}

fn identity_key(org: &OrgId, identity: Uuid) -> String {
    format!("connection-identity/{org}/{identity}")
}

fn encode(connection: &Connection) -> Result<Bytes> {
    let bytes = serde_json::to_vec(connection).map_err(|error| Error::internal("record_unwritable", "a connection cannot be written").with_source(error))?;
    if bytes.len() > MAX_RECORD {
        return Err(Error::limit("connection_too_large", "settings, secrets and description together are more than 20 KiB")
            .with_remedy("Shorten the description or the settings."));
    }
    Ok(bytes.into())
}

fn decode(bytes: &Bytes) -> Result<Connection> {
    serde_json::from_slice(bytes).map_err(|error| Error::internal("record_unreadable", "a stored connection cannot be read").with_source(error))
}

fn encode_id(id: ConnectionId) -> Bytes {
    id.to_string().into()
}

#[cfg(test)]
mod tests;
