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
        let due = |at| now.since(at) >= DAY;
        let tested = connection.last_good_at.unwrap_or(connection.created_at);
        if connection.state != ConnectionState::Ready || !connection.enabled || !due(tested) || roles(&connection.settings).next().is_none() {
            return Ok(false);
        }
        let verified = self.records.verified_at(connection).await?.map_or(tested, |at| at.max(tested));
        if !due(verified) {
            return Ok(false);
        }
        let finding = match judged(self.verdict(found).await, verified, begun, now) {
            Next::Verified => {
                self.records.set_verified(connection, now).await?;
                return Ok(false);
            }
            Next::AskAgain => return Ok(false),
            Next::Block(finding) => finding,
        };
        let mut findings = vec![finding];
        let connector = self.connector_of(connection)?;
        self.show_trust_policy(&connector, connection, &mut findings).await;
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

enum Next {
    Verified,
    /// In the next round.
    AskAgain,
    Block(Finding),
}

/// `verified`: when the answer was last clear. `begun`: since when this gateway asks: it does not hold its own absence against anybody.
fn judged(verdict: ExternalIdVerdict, verified: Timestamp, begun: Timestamp, now: Timestamp) -> Next {
    match verdict {
        ExternalIdVerdict::Secure => Next::Verified,
        ExternalIdVerdict::NotRequired => Next::Block(insecure("without one")),
        ExternalIdVerdict::AnyAccepted => Next::Block(insecure("with a different one")),
        ExternalIdVerdict::Unverified if now.since(verified.plus(DAY).max(begun)) >= DAY => Next::Block(unverified()),
        ExternalIdVerdict::Unverified => Next::AskAgain,
    }
}

fn insecure(how: &str) -> Finding {
    let message =
        format!("External ID configured insecurely: the role can be assumed {how}. The trust policy was changed after the connection passed its test.");
    failed("external_id", INSECURE_EXTERNAL_ID, &message, None)
}

fn unverified() -> Finding {
    let message = "for a whole day it could not be told whether the role still requires the external id";
    failed("external_id", "external_id_unverified", message, Some("Test the connection."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t05_l06_an_unclear_answer_is_asked_for_again_for_a_day_and_then_blocks() {
        use ExternalIdVerdict::{AnyAccepted, NotRequired, Secure, Unverified};
        let hour = |hours: u64| Timestamp::from_millis(0).plus(Duration::from_secs(hours * 3600));
        for (sentence, verdict, verified, begun, now, expected) in [
            ("clear and good", Secure, 0, 0, 25, "verified"),
            ("clear and bad", NotRequired, 0, 0, 24, "external_id_configured_insecurely"),
            ("clear and bad, too", AnyAccepted, 0, 0, 24, "external_id_configured_insecurely"),
            ("unclear for the first time", Unverified, 0, 0, 24, "again"),
            ("unclear for almost a day", Unverified, 0, 0, 47, "again"),
            ("unclear for a day", Unverified, 0, 0, 48, "external_id_unverified"),
            ("the gateway was away for a week", Unverified, 0, 168, 168, "again"),
            ("and gets no answer for a day", Unverified, 0, 168, 192, "external_id_unverified"),
        ] {
            let next = match judged(verdict, hour(verified), hour(begun), hour(now)) {
                Next::Verified => "verified".to_owned(),
                Next::AskAgain => "again".to_owned(),
                Next::Block(finding) => finding.code,
            };
            assert_eq!(next, expected, "{sentence}");
        }
    }
}
