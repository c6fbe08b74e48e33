//! External ids, looked at again every day (SECURITY T05): whoever loosened the trust policy of their role is told so, and with
//! what to mend it, before somebody else is served through it.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::check::{INSECURE_EXTERNAL_ID, failed};
use super::{Connections, Found, roles};
use crate::broker::ExternalIdVerdict;
use crate::model::{AssumeRole, ConnectionState, Credential, Finding, Kind, Region, Result, Timestamp};

/// How long a verdict holds. Asked for as long without a clear answer, the external id counts as unverified, and what is unverified
/// does not serve (SPEC L6).
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked who is due: a day's verdict is renewed, or an unclear answer asked for again, within this.
const ROUND: Duration = Duration::from_secs(600);
/// Connections at once. Each asks STS four times.
const AT_ONCE: usize = 4;
/// A throttled STS takes some time to say so, four times over.
const PATIENCE: Duration = Duration::from_secs(60);

impl Connections {
    /// Until `stopping`. What it did not finish is still due in the next round.
    pub async fn watch(&self, stopping: &CancellationToken) {
        let begun = (self.clock)();
        let rounds = async {
            loop {
                match self.probe_due(begun, (self.clock)()).await {
                    Ok(0) => {}
                    Ok(blocked) => tracing::warn!(blocked, "connections were blocked: their external id is not required any more, or could not be verified"),
                    Err(error) => tracing::error!(?error, "external ids could not be looked at"),
                }
                tokio::time::sleep(ROUND).await;
            }
        };
        tokio::select! {
            () = rounds => {}
            () = stopping.cancelled() => {}
        }
    }

    /// Probes each ready connection by role whose last verdict is a day old at `now`. `begun`: since when it is asked so. How many
    /// were blocked.
    pub async fn probe_due(&self, begun: Timestamp, now: Timestamp) -> Result<usize> {
        if !self.platform.external_id_required || self.platform.role_arn.is_none() {
            return Ok(0);
        }
        let (mut blocked, mut after) = (0, None);
        loop {
            let (page, last) = self.records.page(after.as_deref()).await?;
            let outcomes = stream::iter(page).map(|found| async move {
                match self.probe(&found, begun, now).await {
                    Ok(blocked) => usize::from(blocked),
                    // Somebody changed it just now: it is tested anew by that.
                    Err(error) if error.kind() == Kind::Conflict => 0,
                    Err(error) => {
                        tracing::warn!(connection = %found.connection.id, ?error, "an external id could not be looked at");
                        0
                    }
                }
            });
            blocked += outcomes.buffer_unordered(AT_ONCE).fold(0, |sum, one| async move { sum + one }).await;
            match last {
                Some(key) => after = Some(key),
                None => return Ok(blocked),
            }
        }
    }

    /// Whether it was blocked.
    async fn probe(&self, found: &Found, begun: Timestamp, now: Timestamp) -> Result<bool> {
        let connection = &found.connection;
        let due = |at: Timestamp| now.since(at) >= DAY;
        let tested = connection.last_good_at.unwrap_or(connection.created_at);
        if connection.state != ConnectionState::Ready || !connection.enabled || !due(tested) || roles(&connection.settings).next().is_none() {
            return Ok(false);
        }
        let verified = self.records.verified_at(connection).await?.map_or(tested, |at| at.max(tested));
        if !due(verified) {
            return Ok(false);
        }
        let finding = match self.verdict(found).await {
            ExternalIdVerdict::Secure => {
                self.records.set_verified(connection, now).await?;
                return Ok(false);
            }
            ExternalIdVerdict::Unverified if !due(verified.plus(DAY).max(begun)) => return Ok(false),
            ExternalIdVerdict::Unverified => unverified(),
            ExternalIdVerdict::NotRequired => insecure("without one"),
            ExternalIdVerdict::AnyAccepted => insecure("with a different one"),
        };
        let mut findings = vec![finding];
        self.show_trust_policy(&self.connector_of(connection)?, connection, &mut findings).await;
        let blocked = self.store_outcome(found, findings).await?;
        // Nor does a session that was opened before.
        self.forget(&blocked);
        Ok(true)
    }

    /// The worst of its roles'. Whatever keeps the question from being asked leaves it open.
    async fn verdict(&self, found: &Found) -> ExternalIdVerdict {
        let connection = &found.connection;
        let Ok(grant) = self.connector_of(connection).and_then(|connector| self.grant_for(&connector, connection)) else {
            return ExternalIdVerdict::Unverified;
        };
        let region = connection.settings.get("region").and_then(|name| Region::new(name.as_str()?).ok());
        for (_, role_arn) in roles(&connection.settings) {
            let credential = Credential::AwsAssumeRole(AssumeRole { role_arn, duration_seconds: 900, region: region.clone() });
            let asked = async { self.broker.probe_external_id(grant.permit_session(&credential)?).await };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(ExternalIdVerdict::Secure)) => {}
                Ok(Ok(other)) => return other,
                Ok(Err(_)) | Err(_) => return ExternalIdVerdict::Unverified,
            }
        }
        ExternalIdVerdict::Secure
    }
}

fn insecure(how: &str) -> Finding {
    let message = format!("External ID configured insecurely: the role can be assumed {how}. The trust policy was changed after the connection passed its test.");
    failed("external_id", INSECURE_EXTERNAL_ID, &message, None)
}

fn unverified() -> Finding {
    let message = "for a whole day it could not be told whether the role still requires the external id";
    failed("external_id", "external_id_unverified", message, Some("Test the connection."))
}
