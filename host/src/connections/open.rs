//! Using a connection: from an organization and a source path to the object's bytes. This is the hot path.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tracing::{Instrument, trace_span};

use super::Connections;
use super::together::Together;
use crate::broker::{Object, Read};
use crate::model::{Actor, Asker, By, Connection, ConnectionState, Error, OrgId, Plan, Purpose, Result};
use crate::plugins::Connector;
use crate::policy::{Action, Grant, Permit};

/// More than this many names and ids in use: all are looked up anew.
const MAX_SERVED: usize = 4096;

/// A connection that may be used now, ready for the next request.
pub struct Served {
    pub grant: Arc<Grant>,
    pub connector: Arc<Connector>,
    /// The settings as the plugin gets them: written once, not for each request.
    pub settings: Box<str>,
    pub together: Together,
}

/// By organization, then by the name or id that requests use.
#[derive(Default)]
pub struct ServedCache(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    by_org: HashMap<OrgId, HashMap<String, Arc<Served>>>,
    count: usize,
    /// Counts invalidations: what was read from the store before one is not put in after it.
    epoch: u64,
}

impl ServedCache {
    fn get(&self, org: &OrgId, name_or_id: &str) -> Result<Arc<Served>, u64> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        entries.by_org.get(org).and_then(|served| served.get(name_or_id)).cloned().ok_or(entries.epoch)
    }

    fn put(&self, org: &OrgId, name_or_id: &str, served: &Arc<Served>, epoch: u64) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.epoch != epoch {
            return;
        }
        if entries.count >= MAX_SERVED {
            entries.by_org.clear();
            entries.count = 0;
        }
        let before = entries.by_org.entry(org.clone()).or_default().insert(name_or_id.to_owned(), served.clone());
        entries.count += usize::from(before.is_none());
    }

    pub fn forget(&self, connection: &Connection) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.epoch += 1;
        let Some(served) = entries.by_org.get_mut(&connection.org) else { return };
        // A request has no other word for it; whoever renames it forgets it under both names.
        let words = [connection.name.to_string(), connection.id.to_string()];
        let dropped = words.iter().filter(|word| served.remove(*word).is_some()).count();
        entries.count -= dropped;
    }
}

impl Connections {
    /// A connection as it may be used now.
    pub async fn grant(&self, org: &OrgId, name_or_id: &str) -> Result<Arc<Grant>> {
        Ok(self.served(org, name_or_id).await?.grant.clone())
    }

    /// Plans a page of 1 to 1000 source paths and judges each.
    pub async fn permits(&self, grant: &Arc<Grant>, sources: &[&str]) -> Result<Vec<Result<Permit>>> {
        let connector = self.connector_of(&grant.connection)?;
        let settings = grant.connection.settings.to_string();
        let plan = trace_span!(target: "trace", "plan", connector = connector.plugin.description().id, sources = sources.len());
        let Plan { credentials, locations } = connector.plugin.locate(&grant.connection.org, &settings, sources).instrument(plan).await?;
        let _judging = trace_span!(target: "trace", "judge", locations = locations.len()).entered();
        Ok(locations.into_iter().map(|location| grant.permit(Action::Read, &location?, &credentials)).collect())
    }

    /// Reads one object through a connection.
    pub async fn open<'a>(&self, asker: impl Into<Asker<'a>>, name_or_id: &str, source: &str, read: Read) -> Result<Object> {
        let Asker { org, actor } = asker.into();
        self.open_through(&*self.served(org, name_or_id).await?, actor, source, read).await
    }

    pub(super) async fn open_through(&self, served: &Served, actor: Actor, source: &str, mut read: Read) -> Result<Object> {
        read.by = Some(By { actor, purpose: Purpose::Fetch });
        let (org, plugin) = (&served.grant.connection.org, &served.connector.plugin);
        let plan = trace_span!(target: "trace", "plan", connector = plugin.description().id);
        let (credentials, location) = served.together.locate(plugin, org, &served.settings, source).instrument(plan).await?;
        let location = location?;
        let action = if read.head { Action::Head } else { Action::Read };
        let permit = trace_span!(target: "trace", "judge").in_scope(|| served.grant.permit(action, &location, &credentials))?;
        self.broker.open(permit, read).await
    }

    /// SPEC C21: only what passed its test serves.
    pub(super) async fn served(&self, org: &OrgId, name_or_id: &str) -> Result<Arc<Served>> {
        match self.served.get(org, name_or_id) {
            Ok(served) => Ok(served),
            // In a place of its own: most requests do not come here.
            Err(epoch) => Box::pin(self.serve_anew(org, name_or_id, epoch)).await,
        }
    }

    async fn serve_anew(&self, org: &OrgId, name_or_id: &str, epoch: u64) -> Result<Arc<Served>> {
        let mut connection = self.get(org, name_or_id).await?;
        let mut connector = self.connector_of(&connection);
        if connector.is_err() {
            // It may have been moved, and the version that it was on removed, since its record was read.
            connection = self.get(org, name_or_id).await?;
            connector = self.connector_of(&connection);
        }
        must_be_enabled(&connection)?;
        must_be_ready(&connection)?;
        let connector = connector?;
        let settings = connection.settings.to_string().into_boxed_str();
        let served = Arc::new(Served { grant: self.grant_for(&connector, &connection)?, connector, settings, together: Together::default() });
        self.served.put(org, name_or_id, &served, epoch);
        Ok(served)
    }
}

/// SPEC P13. A test is a use, too: it sends the credential.
pub(super) fn must_be_enabled(connection: &Connection) -> Result<()> {
    if connection.enabled {
        return Ok(());
    }
    Err(Error::conflict("connection_disabled", "the connection is disabled").with_remedy("Enable it: change 'enabled' to true."))
}

fn must_be_ready(connection: &Connection) -> Result<()> {
    let not_ready = |message: String| Error::conflict("connection_not_ready", message).with_remedy("Test the connection, and see what its findings ask for.");
    match connection.state {
        ConnectionState::Ready => Ok(()),
        ConnectionState::Pending if connection.connector == super::default::CONNECTOR && connection.last_test.is_none() => {
            Err(Error::conflict("aws_not_configured", "the gateway's own AWS role is not configured")
                .with_remedy("An operator sets platform.role_arn in the gateway's configuration."))
        }
        ConnectionState::Pending => Err(not_ready("the connection was not tested since its settings last changed".to_owned())),
        ConnectionState::Error => {
            let found = connection.last_test.as_ref().and_then(|test| test.findings.iter().find(|finding| !finding.passed));
            let Some(finding) = found else { return Err(not_ready("the connection failed its last test".to_owned())) };
            let error = not_ready(format!("the connection failed its last test: {}: {}", finding.code, finding.message));
            Err(match &finding.remedy {
                Some(remedy) => error.with_remedy(remedy),
                None => error,
            })
        }
    }
}

#[cfg(test)]
mod tests;
