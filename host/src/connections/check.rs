//! Testing a connection: what the plugin found, made into a state. Only what passed serves.

use std::sync::Arc;
use std::time::Duration;

use super::open::must_be_enabled;
use super::{Connections, Found, is_placeholder};
use crate::model::{Actor, Asker, By, Connection, ConnectionState, Error, Finding, Kind, LastTest, Purpose, Result, SourcePath};
use crate::plugins::Connector;
use crate::policy::Grant;

/// A test asks the remote a few times; longer than this and it is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(20);
const MAX_FINDINGS: usize = 32;
/// SPEC L6: the one finding that an operator may wave through, for the whole gateway.
pub(super) const INSECURE_EXTERNAL_ID: &str = "external_id_configured_insecurely";

impl Connections {
    /// `location`: instead of the connection's own test location. `update_state`: whether the outcome decides if the connection serves.
    pub async fn test<'a>(
        &self,
        asker: impl Into<Asker<'a>>,
        name_or_id: &str,
        location: Option<&str>,
        update_state: bool,
    ) -> Result<(ConnectionState, Vec<Finding>)> {
        let Asker { org, actor } = asker.into();
        let location = location.map(SourcePath::new).transpose().map_err(|error| error.below("/location"))?;
        if let Some(connection) = self.default_if(org, name_or_id)? {
            let findings = self.check(&connection, actor, location.as_ref()).await?;
            return Ok((connection.state, findings));
        }
        let found = self.records.find(org, name_or_id).await?;
        must_be_enabled(&found.connection)?;
        let findings = self.check(&found.connection, actor, location.as_ref()).await?;
        if !update_state || is_placeholder(&found.connection.settings) {
            return Ok((found.connection.state, findings));
        }
        let tested = self.store_outcome(&found, findings.clone()).await?;
        Ok((tested.state, findings))
    }

    /// Tests what was just stored, and stores the outcome. Whoever changed it meanwhile tests it themselves.
    pub(super) async fn settle(&self, found: Found, actor: Actor) -> Result<Connection> {
        if is_placeholder(&found.connection.settings) || !found.connection.enabled {
            return Ok(found.connection);
        }
        let findings = match self.check(&found.connection, actor, None).await {
            // It is stored, and stays untested until somebody tests it.
            Err(error) if error.kind() == Kind::Unavailable => return Ok(found.connection),
            checked => checked?,
        };
        match self.store_outcome(&found, findings).await {
            Err(error) if error.kind() == Kind::Conflict => self.get(&found.connection.org, &found.connection.id.to_string()).await,
            outcome => outcome,
        }
    }

    async fn check(&self, connection: &Connection, actor: Actor, location: Option<&SourcePath>) -> Result<Vec<Finding>> {
        if is_placeholder(&connection.settings) {
            let remedy = "Create the role with the external id shown, then change the connection to the role's ARN.";
            return Ok(vec![failed(
                "role",
                "role_is_placeholder",
                "the role is a placeholder that reserves the external id; it is never called",
                Some(remedy),
            )]);
        }
        if connection.connector == super::default::CONNECTOR && self.platform.role_arn.is_none() {
            let remedy = "An operator sets platform.role_arn in the gateway's configuration.";
            return Ok(vec![failed("gateway_role", "aws_not_configured", "the gateway's own AWS role is not configured", Some(remedy))]);
        }
        let connector = self.connector_of(connection)?;
        let grant = self.grant_for(&connector, connection)?;
        let location = location.map(SourcePath::as_str).or(connection.test_location.as_deref());
        self.findings(&connector, &grant, actor, location).await
    }

    /// What the plugin found; a plugin that could not finish is itself a finding. Never empty. `Unavailable` where it was not even called
    /// (`plugins_busy`, `plugin_suspended`): that says nothing of the connection.
    pub(super) async fn findings(&self, connector: &Connector, grant: &Arc<Grant>, actor: Actor, location: Option<&str>) -> Result<Vec<Finding>> {
        // What is tested is what the remote says now, not what a session or a refusal of before remembers; those still serve others.
        self.broker.forgive(&grant.connection.org, grant.connection.id);
        let anew = Arc::new(grant.anew((self.clock)()).used_by(By { actor, purpose: Purpose::Test }));
        let mut findings = match tokio::time::timeout(PATIENCE, connector.plugin.check(&anew, location)).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) if error.kind() == Kind::Unavailable => return Err(error),
            Ok(Err(error)) => vec![from_error(&error)],
            Err(_) => {
                vec![failed("test", "test_timed_out", "the test took longer than 20 seconds", Some("See whether the remote answers, then test again."))]
            }
        };
        findings.truncate(MAX_FINDINGS);
        if findings.is_empty() {
            findings.push(failed("test", "nothing_checked", "the connector's plugin checked nothing, so nothing is known about this connection", None));
        }
        if self.platform.external_id_required {
            self.show_trust_policy(connector, &grant.connection, &mut findings).await;
        } else {
            wave_insecure_external_id(&mut findings);
        }
        Ok(findings)
    }

    /// SECURITY M25: whoever is blocked is told what to paste, to the letter. The plugin did not know it: it never sees the external id.
    pub(super) async fn show_trust_policy(&self, connector: &Connector, connection: &Connection, findings: &mut [Finding]) {
        let Some(finding) = findings.iter_mut().find(|finding| !finding.passed && finding.code == INSECURE_EXTERNAL_ID) else { return };
        let steps = connector.plugin.setup(&connection.org, &connection.settings, &self.principal(&connection.org), connection.external_id.as_str()).await;
        let documents = steps.unwrap_or_default().into_iter().flat_map(|step| step.documents);
        let mut json = documents.filter(|document| document.language == "json").map(|document| document.body);
        if let Some(policy) = json.find(|body| body.contains("sts:ExternalId")) {
            let policy: Vec<&str> = policy.lines().map(str::trim).collect();
            finding.remedy = Some(format!("Replace the role's trust policy with exactly this one, then test the connection: {}", policy.join(" ")));
        }
    }

    pub(super) async fn store_outcome(&self, found: &Found, findings: Vec<Finding>) -> Result<Connection> {
        let now = (self.clock)();
        let passed = findings.iter().all(|finding| finding.passed);
        let outcome = |mut tested: Connection| {
            tested.state = if passed { ConnectionState::Ready } else { ConnectionState::Error };
            tested.last_good_at = if passed { Some(now) } else { tested.last_good_at };
            tested.last_test = Some(LastTest { at: now, passed, findings: findings.clone() });
            tested
        };
        let mut stored = self.records.replace(found, outcome(found.connection.clone())).await;
        if stored.as_ref().is_err_and(|error| error.kind() == Kind::Conflict) {
            // Renamed, described or tested by another meanwhile: the outcome is about the same settings, and the later one counts.
            let current = self.records.find(&found.connection.org, &found.connection.id.to_string()).await?;
            if tests_the_same(&current.connection, &found.connection) {
                stored = self.records.replace(&current, outcome(current.connection.clone())).await;
            }
        }
        let stored = stored.map_err(|error| {
            if error.kind() == Kind::Conflict {
                Error::conflict("connection_changed", "the connection was changed while it was tested; test it again")
            } else {
                error
            }
        })?;
        self.served.forget(&stored.connection);
        Ok(stored.connection)
    }
}

fn tests_the_same(current: &Connection, tested: &Connection) -> bool {
    current.revision == tested.revision && current.test_location == tested.test_location && current.enabled
}

fn wave_insecure_external_id(findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| !finding.passed && finding.code == INSECURE_EXTERNAL_ID) {
        finding.passed = true;
        finding.message.push_str(" This gateway is configured to accept that (platform.external_id_required = false).");
    }
}

pub(super) fn failed(check: &str, code: &str, message: &str, remedy: Option<&str>) -> Finding {
    Finding { check: check.to_owned(), passed: false, code: code.to_owned(), message: message.to_owned(), remedy: remedy.map(str::to_owned) }
}

fn from_error(error: &Error) -> Finding {
    failed("test", error.code(), error.message(), Some(error.advice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l06_an_insecure_external_id_passes_only_where_an_operator_allows_it() {
        let mut findings = vec![failed("external_id", INSECURE_EXTERNAL_ID, "Assumable without it.", None), failed("read", "permission_denied", "No.", None)];
        wave_insecure_external_id(&mut findings);
        assert!(findings[0].passed && findings[0].message.contains("external_id_required"));
        assert!(!findings[1].passed, "nothing else is waved through");
    }
}
