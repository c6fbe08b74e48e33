//! Making a connection: every field is judged before anything is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Connections, Found, NewConnection, is_placeholder, records, refuse_own_account};
use crate::model::{
    Actor, Asker, Connection, ConnectionId, ConnectionName, ConnectionState, Error, ExternalId, FieldError, LastTest, OrgId, Random, Result, SourcePath,
};
use crate::plugins::Connector;
use crate::policy::{Action, Grant};
use crate::vault::Secret;

const MAX_DESCRIPTION: usize = 1000;
/// Connectors that are named to somebody who asked for one that is not there.
const MAX_NAMED: usize = 50;

impl Connections {
    /// `require_test`: nothing is stored unless the test passes (`test_failed`, each failed finding at `/config`).
    /// Otherwise stored as `pending`, tested at once, then `ready` or `error`.
    pub async fn create<'a>(&self, asker: impl Into<Asker<'a>>, new: NewConnection, require_test: bool) -> Result<Connection> {
        let Asker { org, actor } = asker.into();
        let mut wrong = Wrong::default();
        let name = wrong.keep(ConnectionName::new(new.name), "/name");
        let test_location = wrong.keep(new.test_location.map(SourcePath::new).transpose(), "/test_location");
        wrong.keep(judge_description(&new.description), "/description");
        let connector = wrong.keep(self.connector_named(&new.connector), "/type");
        let parted = match &connector {
            Some(connector) => wrong.keep(connector.schema.part(new.settings, &BTreeSet::new()), "/config"),
            None => None,
        };
        let (Some(name), Some(test_location), Some(connector), Some(parted)) = (name, test_location, connector, parted) else { return Err(wrong.into_error()) };
        wrong.into_result()?;
        if name == self.platform.default_connection {
            return Err(records::name_taken());
        }

        let settings = self.normalized(org, &connector, parted.plain).await?;
        let identity = identity(&connector, &settings);
        let now = (self.clock)();
        let mut connection = Connection {
            description: new.description,
            settings,
            test_location: test_location.map(String::from),
            enabled: new.enabled,
            identity,
            ..Connection::new(
                new.id.unwrap_or_else(|| new_id(&self.random)),
                org.clone(),
                name,
                new.connector,
                connector.plugin.digest(),
                ExternalId::random(&self.random)?,
                now,
            )
        };
        self.seal(&mut connection, parted.secrets)?;
        let grant = self.grant_for(&connector, &connection)?;
        self.judge_test_location(&connector, &grant).await?;
        if require_test {
            self.pass_or_refuse(&connector, &grant, actor, &mut connection, "it was not created").await?;
            return Ok(self.insert(&connector, connection).await?.connection);
        }
        let found = self.insert(&connector, connection).await?;
        self.settle(found, actor).await
    }

    /// The version that it is pinned to is not removed meanwhile.
    async fn insert(&self, connector: &Connector, connection: Connection) -> Result<Found> {
        let _hold = self.plugins.hold(connector).await?;
        self.records.insert(connection).await
    }

    fn connector_named(&self, id: &str) -> Result<Arc<Connector>> {
        self.plugins.connector(id).unwrap_or_else(|| {
            let known = self.plugins.all();
            let ids: Vec<&str> = known.iter().take(MAX_NAMED).map(|connector| connector.plugin.description().id.as_str()).collect();
            Err(Error::field("", format!("there is no such connector; there are: {}", ids.join(", "))))
        })
    }

    /// What the plugin makes of settings that passed the schema. What it returns passes the schema again: it is not trusted.
    pub(super) async fn normalized(&self, org: &OrgId, connector: &Connector, plain: Map<String, Value>) -> Result<Value> {
        let normalized = connector.plugin.normalize(org, &Value::Object(plain)).await.map_err(|error| error.below("/config"))?;
        let Value::Object(settings) = normalized else { return Err(broken_normalize(connector)) };
        if settings.keys().any(|name| connector.schema.is_secret(name)) {
            return Err(broken_normalize(connector));
        }
        let secrets: BTreeSet<&str> = connector.schema.secret_names().collect();
        let parted = connector.schema.part(settings, &secrets).map_err(|error| broken_normalize(connector).with_source(error))?;
        let settings = Value::Object(parted.plain);
        refuse_own_account(&settings, self.gateway_account()).map_err(|error| error.below("/config"))?;
        Ok(settings)
    }

    pub(super) fn seal(&self, connection: &mut Connection, secrets: BTreeMap<String, Secret>) -> Result<()> {
        for (name, secret) in secrets {
            let sealed = self.vault.seal(&connection.org, connection.id, &name, connection.revision, &secret)?;
            connection.secrets.insert(name, sealed);
        }
        Ok(())
    }

    pub(super) fn grant_for(&self, connector: &Connector, connection: &Connection) -> Result<Arc<Grant>> {
        let capabilities = connector.plugin.imports().clone();
        Grant::new(connection.clone(), connector.plugin.description(), capabilities, &self.addresses).map(Arc::new).map_err(|error| error.below("/config"))
    }

    /// A test location that the connection could never reach is a wrong field, found without asking anybody.
    pub(super) async fn judge_test_location(&self, connector: &Connector, grant: &Arc<Grant>) -> Result<()> {
        let Some(location) = grant.connection.test_location.as_deref() else { return Ok(()) };
        // SPEC L1: nothing can be planned with a role that is not there yet; the change that names it judges this again.
        if is_placeholder(&grant.connection.settings) {
            return Ok(());
        }
        let settings = grant.connection.settings.to_string();
        let plan = connector.plugin.locate(&grant.connection.org, &settings, &[location]).await?;
        let judged = match plan.locations.into_iter().next() {
            Some(Ok(location)) => grant.permit(Action::Read, &location, &plan.credentials).map(drop),
            Some(Err(error)) => Err(error),
            None => return Err(Error::plugin_fault("plan_incomplete", "the plugin left out a source path")),
        };
        judged.map_err(|error| Error::field("/test_location", error.message()))
    }

    /// `otherwise`: what follows if it does not pass.
    pub(super) async fn pass_or_refuse(
        &self,
        connector: &Connector,
        grant: &Arc<Grant>,
        actor: Actor,
        connection: &mut Connection,
        otherwise: &str,
    ) -> Result<()> {
        let findings = self.findings(connector, grant, actor, connection.test_location.as_deref()).await?;
        let failed: Vec<FieldError> = findings
            .iter()
            .filter(|finding| !finding.passed)
            .map(|finding| FieldError::new("/config", format!("{}: {}", finding.code, finding.message)))
            .collect();
        if !failed.is_empty() {
            self.broker.forget(&connection.org, connection.id);
            let remedy = findings.iter().find(|finding| !finding.passed).and_then(|finding| finding.remedy.clone());
            let error = Error::invalid("test_failed", format!("the connection did not pass its test, so {otherwise}")).with_fields(failed);
            return Err(match remedy {
                Some(remedy) => error.with_remedy(remedy),
                None => error,
            });
        }
        let now = (self.clock)();
        connection.state = ConnectionState::Ready;
        connection.last_good_at = Some(now);
        connection.last_test = Some(LastTest { at: now, passed: true, findings });
        Ok(())
    }
}

/// The same for the same values of the settings that the schema marks with `x-identity`.
fn identity(connector: &Connector, settings: &Value) -> Option<Uuid> {
    const NAMESPACE: Uuid = Uuid::from_u128(0x8f1c_02ad_5f3b_4a64_9d0e_7c0b_61a3_55e9);
    let values: Vec<(&str, Option<&Value>)> = connector.schema.identity().map(|name| (name, settings.get(name))).collect();
    if values.is_empty() {
        return None;
    }
    let whole = serde_json::json!([connector.plugin.description().id, values]);
    Some(Uuid::new_v5(&NAMESPACE, whole.to_string().as_bytes()))
}

fn broken_normalize(connector: &Connector) -> Error {
    Error::plugin_fault(
        "plugin_settings_invalid",
        format!("the plugin of '{}' returned settings that its own schema refuses", connector.plugin.description().id),
    )
}

/// SECURITY V11: kept verbatim; whoever shows it escapes it.
pub(super) fn judge_description(text: &str) -> Result<()> {
    if text.chars().count() > MAX_DESCRIPTION { Err(Error::field("", "a description is at most 1000 characters")) } else { Ok(()) }
}

fn new_id(random: &Random) -> ConnectionId {
    let mut bytes = [0; 16];
    random(&mut bytes);
    ConnectionId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// Collects the wrong fields of one request, so that all are told at once.
#[derive(Default)]
pub(super) struct Wrong {
    fields: Vec<FieldError>,
    /// An error that is not about fields alone, or has a code of its own: told first.
    other: Option<Error>,
}

impl Wrong {
    pub fn keep<T>(&mut self, outcome: Result<T>, at: &str) -> Option<T> {
        match outcome {
            Ok(value) => return Some(value),
            Err(error) if error.code() == "invalid_field" => self.fields.extend_from_slice(error.below(at).field_errors()),
            Err(error) => self.other = self.other.take().or(Some(error.below(at))),
        }
        None
    }

    pub fn into_result(self) -> Result<()> {
        if self.other.is_none() && self.fields.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    pub fn into_error(self) -> Error {
        self.other.unwrap_or_else(|| Error::fields(self.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c40_wrong_fields_are_told_together_and_below_their_part() {
        let mut wrong = Wrong::default();
        assert!(wrong.keep(ConnectionName::new("No"), "/name").is_none());
        assert!(wrong.keep(Err::<(), _>(Error::field("/ttl", "is too small")), "/config").is_none());
        assert!(wrong.keep(Ok(1), "/fine").is_some());
        let error = wrong.into_error();
        assert_eq!(error.field_errors().iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), ["/name", "/config/ttl"]);
    }
}
