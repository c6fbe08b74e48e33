//! The credential engine: AWS sessions, opened once however many wait, refreshed ahead, never used past their life.
//!
//! One rule: the gateway's own role is assumed from the base identity, tagged with the organization (also where the base
//! identity already is that role: an untagged session must not exist). A customer's role is assumed from such a session,
//! always with the connection's own external id. Every session carries a session policy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::flight::{Perishable, Slots};
use super::session_policy;
use super::sigv4::Signer;
use super::sts::SESSION_EXPIRED;
use super::{ExternalIdVerdict, Identity};
use crate::audit::Uses;
use crate::model::{AssumeRole, By, Clock, ConnectionId, Credential, Error, ExternalId, Kind, OrgId, Purpose, Random, Region, Result, RoleArn, Timestamp};
use crate::policy::Grant;
use crate::vault::Secret;

/// STS grants nothing shorter, and nothing longer to a chained role.
const SHORTEST_ASKED: u32 = 900;
const LONGEST_ASKED: u32 = 3600;
/// STS writes expiry by its own clock; S3 tolerates as much.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(900);
/// A session is not used in its last moments: the request would arrive after it.
const LAST_MOMENTS: Duration = Duration::from_secs(30);
/// A refresh begins at least this long before the end, where the session is long enough.
const REFRESH_LEAD: Duration = Duration::from_secs(300);
const CONNECTIONS: usize = 10_000;
const CALLS_AT_ONCE: usize = 32;

/// What is asked of STS. `session`: who asks; `None` is the base identity.
pub(super) struct Ask {
    pub session: Option<Arc<Session>>,
    pub role_arn: RoleArn,
    pub session_name: String,
    pub external_id: Option<String>,
    pub policy: String,
    pub tags: Vec<(&'static str, String)>,
    pub duration_seconds: u32,
    pub region: Region,
}

/// What STS grants.
pub(super) struct Granted {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: String,
    pub expiration: Timestamp,
}

/// What came of one try at a role.
enum Tried {
    Accepted,
    Refused,
    /// Throttled, timed out, or not understood.
    Unclear,
}

/// AWS's token service, as far as it is used.
#[async_trait]
pub(super) trait Sts: Send + Sync + 'static {
    /// `Rejected` (`role_cannot_be_assumed`) means that AWS refused: AccessDenied.
    async fn assume_role(&self, ask: &Ask) -> Result<Granted>;
    async fn caller_identity(&self, session: &Session, region: &Region) -> Result<Identity>;
}

/// An open session. No `Debug`.
pub(super) struct Session {
    pub signer: Signer,
    obtained: Timestamp,
    usable_until: Timestamp,
    refresh_at: Timestamp,
}

impl Session {
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.obtained)
    }
}

impl Perishable for Session {
    fn obtained(&self) -> Timestamp {
        self.obtained
    }
    fn usable_until(&self) -> Timestamp {
        self.usable_until
    }
    fn refresh_at(&self) -> Timestamp {
        self.refresh_at
    }
}

pub(super) struct Leases {
    sts: Arc<dyn Sts>,
    role_arn: Option<RoleArn>,
    region: Region,
    clock: Clock,
    random: Random,
    uses: Arc<Uses>,
    slots: Slots<Session>,
    calls: Semaphore,
}

impl Leases {
    pub fn new(sts: Arc<dyn Sts>, role_arn: Option<RoleArn>, region: Region, clock: Clock, random: Random, uses: Arc<Uses>) -> Arc<Self> {
        Arc::new(Self { sts, role_arn, region, clock, random, uses, slots: Slots::new(CONNECTIONS), calls: Semaphore::new(CALLS_AT_ONCE) })
    }

    /// The session that `credential` describes: a look into a map, unless one has to be opened.
    pub async fn session(self: &Arc<Self>, grant: &Arc<Grant>, credential: &Credential) -> Result<Arc<Session>> {
        let slot = self.slots.of_connection(&grant.connection, credential);
        let session = slot.get(&self.clock, grant.asked_anew, || {
            let (leases, grant, credential) = (self.clone(), grant.clone(), credential.clone());
            async move { leases.open(&grant, &credential).await }
        });
        session.await
    }

    /// Opens or reuses a session, and says for how many seconds it serves.
    pub async fn acquire(self: &Arc<Self>, grant: &Arc<Grant>, credential: &Credential) -> Result<u32> {
        let session = self.session(grant, credential).await?;
        Ok(u32::try_from(session.usable_until.since((self.clock)()).as_secs()).unwrap_or(u32::MAX))
    }

    /// After the remote called `session` expired: the next use opens a new one.
    pub fn refused(&self, grant: &Grant, credential: &Credential, session: &Arc<Session>) {
        self.slots.of_connection(&grant.connection, credential).drop_value(session);
    }

    pub fn forgive(&self, org: &OrgId, connection: ConnectionId) {
        self.slots.forgive(org, connection);
    }

    pub fn forget(&self, org: &OrgId, connection: ConnectionId) {
        self.slots.forget(org, connection);
    }

    pub async fn caller_identity(&self, session: &Session, credential: &Credential) -> Result<Identity> {
        let _turn = self.turn().await?;
        self.sts.caller_identity(session, self.region_of(credential)).await
    }

    /// Tries the role without an external id, with another connection's, and with one that only begins like ours: each must be
    /// refused, and the same request with ours must not, or the refusals were about something else (SPEC L6). Sessions are
    /// dropped unused.
    pub async fn probe(self: &Arc<Self>, grant: &Arc<Grant>, role: &AssumeRole) -> Result<ExternalIdVerdict> {
        let gateway = self.gateway_session(&grant.connection.org).await?;
        let ours = &grant.connection.external_id;
        let wrong = [None, Some(ExternalId::random(&self.random)?), Some(ours.neighbour()?)];
        let mut unclear = false;
        for external_id in wrong {
            let accepted = if external_id.is_none() { ExternalIdVerdict::NotRequired } else { ExternalIdVerdict::AnyAccepted };
            match self.try_id(&gateway, grant, role, external_id.as_ref()).await? {
                Tried::Accepted => return Ok(accepted),
                Tried::Refused => {}
                Tried::Unclear => unclear = true,
            }
        }
        if unclear {
            return Ok(ExternalIdVerdict::Unverified);
        }
        Ok(match self.try_id(&gateway, grant, role, Some(ours)).await? {
            Tried::Accepted => ExternalIdVerdict::Secure,
            Tried::Refused | Tried::Unclear => ExternalIdVerdict::Unverified,
        })
    }

    async fn try_id(&self, gateway: &Arc<Session>, grant: &Grant, role: &AssumeRole, external_id: Option<&ExternalId>) -> Result<Tried> {
        let ask = Ask {
            session: Some(gateway.clone()),
            role_arn: role.role_arn.clone(),
            // So that customers recognise it in CloudTrail (T02).
            session_name: "gw-extid-probe".to_owned(),
            external_id: external_id.map(|id| id.as_str().to_owned()),
            policy: session_policy::for_nothing()?,
            tags: Vec::new(),
            duration_seconds: SHORTEST_ASKED,
            region: role.region.as_ref().unwrap_or(&self.region).clone(),
        };
        let _turn = self.turn().await?;
        let by = By { actor: grant.by.actor, purpose: Purpose::Probe };
        Ok(match self.assume(&ask, &grant.connection.org, Some(grant), by).await {
            Ok(_) => Tried::Accepted,
            Err(error) if error.kind() == Kind::Rejected && error.code() == "role_cannot_be_assumed" => Tried::Refused,
            Err(error) => {
                tracing::info!(?error, "an external id could not be probed");
                Tried::Unclear
            }
        })
    }

    async fn open(self: &Arc<Self>, grant: &Arc<Grant>, credential: &Credential) -> Result<Session> {
        let connection = &grant.connection;
        match credential {
            Credential::AwsGatewayRole => {
                let policy = session_policy::for_egress(&grant.egress, self.gateway_role()?.partition())?;
                self.exchange(self.ask_gateway_role(&connection.org, policy)?, LONGEST_ASKED, &connection.org, Some(grant)).await
            }
            Credential::AwsAssumeRole(role) => {
                self.check_role(&role.role_arn)?;
                let policy = session_policy::for_egress(&grant.egress, role.role_arn.partition())?;
                let gateway = self.gateway_session(&connection.org).await?;
                let ask = |session| Ask {
                    session: Some(session),
                    role_arn: role.role_arn.clone(),
                    session_name: session_name(&connection.org),
                    external_id: Some(connection.external_id.as_str().to_owned()),
                    policy: policy.clone(),
                    tags: Vec::new(),
                    duration_seconds: role.duration_seconds.clamp(SHORTEST_ASKED, LONGEST_ASKED),
                    region: self.region_of(credential).clone(),
                };
                let life = role.duration_seconds.min(LONGEST_ASKED);
                match self.exchange(ask(gateway.clone()), life, &connection.org, Some(grant)).await {
                    // Revoked, or over before its time: a new one, once.
                    Err(error) if error.code() == SESSION_EXPIRED => {
                        self.slots.of_org(&connection.org, &Credential::AwsGatewayRole).drop_value(&gateway);
                        self.exchange(ask(self.gateway_session(&connection.org).await?), life, &connection.org, Some(grant)).await
                    }
                    outcome => outcome,
                }
            }
            Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer { .. } | Credential::Headers(_) | Credential::OAuth2ClientCredentials(_) => {
                Err(Error::internal("credential_kind", "this credential does not open an AWS session"))
            }
        }
    }

    /// The gateway's own session for an organization, from which customers' roles are assumed.
    async fn gateway_session(self: &Arc<Self>, org: &OrgId) -> Result<Arc<Session>> {
        let slot = self.slots.of_org(org, &Credential::AwsGatewayRole);
        let open = || {
            let (leases, org) = (self.clone(), org.clone());
            async move { leases.exchange(leases.ask_gateway_role(&org, session_policy::for_assuming()?)?, LONGEST_ASKED, &org, None).await }
        };
        slot.get(&self.clock, None, open).await
    }

    fn ask_gateway_role(&self, org: &OrgId, policy: String) -> Result<Ask> {
        Ok(Ask {
            session: None,
            role_arn: self.gateway_role()?.clone(),
            session_name: session_name(org),
            external_id: None,
            policy,
            tags: vec![("organization", org.as_str().to_owned())],
            duration_seconds: LONGEST_ASKED,
            region: self.region.clone(),
        })
    }

    /// SPEC C10b: the session is asked for as long as STS wants it, and kept for `life_seconds`.
    async fn exchange(&self, ask: Ask, life_seconds: u32, org: &OrgId, grant: Option<&Grant>) -> Result<Session> {
        let _turn = self.turn().await?;
        let asked_at = (self.clock)();
        let granted = self.assume(&ask, org, grant, grant.map_or(By::GATEWAY, |grant| grant.by)).await?;
        let life = Duration::from_secs(u64::from(life_seconds));
        let (usable_until, refresh_at) = self.life(asked_at, granted.expiration, Duration::from_secs(u64::from(ask.duration_seconds)), life)?;
        let signer = Signer::new(granted.access_key_id, granted.secret_access_key, Some(&granted.session_token))?;
        Ok(Session { signer, obtained: asked_at, usable_until, refresh_at })
    }

    /// `grant`: `None` for the gateway's own session of an organization.
    async fn assume(&self, ask: &Ask, org: &OrgId, grant: Option<&Grant>, by: By) -> Result<Granted> {
        self.uses.ready()?;
        let outcome = self.sts.assume_role(ask).await;
        self.uses.assumed(org, grant.map(|grant| &grant.connection), by, ask.role_arn.as_str(), &outcome);
        outcome
    }

    /// When a session is dropped and when it is refreshed. An expiry that STS could not have meant is refused (T13).
    fn life(&self, asked_at: Timestamp, expiration: Timestamp, asked: Duration, life: Duration) -> Result<(Timestamp, Timestamp)> {
        let left = expiration.since(asked_at).saturating_sub(LAST_MOMENTS);
        if left.is_zero() || expiration > asked_at.plus(asked + CLOCK_TOLERANCE) {
            return Err(Error::unavailable("sts_bad_answer", "STS answered with an expiry that cannot be right")
                .with_remedy("Compare the gateway's clock with the real time: an offset of minutes shows like this."));
        }
        let life = left.min(life);
        // Somewhere from 50 to 80 % of the life, so that sessions opened together are not refreshed together.
        let mut random = [0_u8; 1];
        (self.random)(&mut random);
        let percent = 50 + u32::from(random.first().copied().unwrap_or(0)) * 30 / 255;
        let mut refresh = life * percent / 100;
        if life > REFRESH_LEAD * 2 {
            refresh = refresh.min(life - REFRESH_LEAD);
        }
        Ok((asked_at.plus(life), asked_at.plus(refresh)))
    }

    fn gateway_role(&self) -> Result<&RoleArn> {
        self.role_arn.as_ref().ok_or_else(|| {
            Error::conflict("aws_not_configured", "this gateway has no AWS role of its own")
                .with_remedy("An operator sets platform.role_arn and gives the gateway AWS credentials.")
        })
    }

    fn check_role(&self, role: &RoleArn) -> Result<()> {
        let gateway = self.gateway_role()?;
        if role == gateway {
            return Err(Error::denied("own_role", "a connection cannot use the gateway's own role as a customer's role")
                .with_remedy("Enter the ARN of the role that the customer made, in the customer's account."));
        }
        if role.partition() != gateway.partition() {
            let message =
                format!("the role is in partition '{}', the gateway in '{}': AWS lets no role be assumed across them", role.partition(), gateway.partition());
            return Err(Error::rejected("partition_mismatch", message)
                .because("role_in_another_partition")
                .with_remedy("Use a gateway in the role's partition; AWS China and AWS GovCloud need one of their own."));
        }
        Ok(())
    }

    fn region_of<'a>(&'a self, credential: &'a Credential) -> &'a Region {
        match credential {
            Credential::AwsAssumeRole(AssumeRole { region: Some(region), .. }) => region,
            _ => &self.region,
        }
    }

    /// Calls of STS are bounded: a thousand connections that wake at once stand in line.
    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.calls.acquire().await.map_err(|closed| Error::internal("exchange_stopped", "the gateway is stopping").with_source(closed))
    }
}

/// `[\w+=,.@-]{2,64}`; the whole organization is in the session's tag.
fn session_name(org: &OrgId) -> String {
    let mut name = format!("portcullis-{org}");
    name.truncate(64);
    name
}

#[cfg(test)]
pub(super) mod tests;
