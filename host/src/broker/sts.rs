//! STS through AWS's SDK: the base identity, sessions, who a session is. Says what each of AWS's answers means here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::config::{BehaviorVersion, Region as SdkRegion};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Tag;
use aws_smithy_runtime_api::http::Response;
use tokio::sync::OnceCell;

use super::flight::{Perishable, Slot};
use super::lease::{Ask, Granted, Session, Sts};
use super::sdk::{Sdk, not_asked};
use super::{Identity, answer, denial, session_policy};
use crate::model::{Clock, Error, Region, Result, Timestamp};
use crate::vault::Secret;

/// The gateway's session is over before its time: another one may work.
pub(super) const SESSION_EXPIRED: &str = "sts_session_expired";
const ROLE_REFUSED: &str = "role_cannot_be_assumed";
/// Base credentials are asked for again this long before they expire, or this often if they do not say.
const BASE_MARGIN: Duration = Duration::from_secs(120);
const BASE_LIFE: Duration = Duration::from_secs(300);

pub(super) struct SdkSts {
    sdk: Sdk,
    region: Region,
    clock: Clock,
    chain: Arc<OnceCell<DefaultCredentialsChain>>,
    base: Arc<Slot<Base>>,
}

/// The process's own identity: environment, profile, web identity, container, instance.
struct Base {
    credentials: Credentials,
    obtained: Timestamp,
    usable_until: Timestamp,
}

impl Perishable for Base {
    fn obtained(&self) -> Timestamp {
        self.obtained
    }
    fn usable_until(&self) -> Timestamp {
        self.usable_until
    }
    fn refresh_at(&self) -> Timestamp {
        self.usable_until
    }
}

impl SdkSts {
    pub fn new(sdk: Sdk, region: Region, clock: Clock) -> Self {
        Self { sdk, region, clock, chain: Arc::default(), base: Arc::new(Slot::new()) }
    }

    async fn base(&self) -> Result<Arc<Base>> {
        let load = || {
            let (chain, sdk, region, clock) = (self.chain.clone(), self.sdk.clone(), self.region.clone(), self.clock.clone());
            async move {
                let make = || async {
                    let config =
                        ProviderConfig::without_region().with_region(Some(SdkRegion::new(region.as_str().to_owned()))).with_http_client(sdk.http.clone());
                    DefaultCredentialsChain::builder().configure(config).region(SdkRegion::new(region.as_str().to_owned())).build().await
                };
                let credentials = chain.get_or_init(make).await.provide_credentials().await.map_err(|error| {
                    Error::unavailable("gateway_credentials_missing", "the gateway has no AWS credentials of its own")
                        .with_remedy("An operator gives the gateway's process AWS credentials: environment, profile, container or instance role.")
                        .with_source(error)
                })?;
                let now = clock();
                let expiry = credentials.expiry().and_then(|expiry| expiry.duration_since(std::time::UNIX_EPOCH).ok());
                let life = expiry.map_or(BASE_LIFE, |expiry| Timestamp::from_millis(0).plus(expiry).since(now.plus(BASE_MARGIN)).min(BASE_LIFE));
                Ok(Base { credentials, obtained: now, usable_until: now.plus(life.max(Duration::from_secs(1))) })
            }
        };
        self.base.get(&self.clock, None, load).await
    }

    /// Of the process, before any role.
    pub async fn own_identity(&self) -> Result<Identity> {
        let credentials = self.base().await?.credentials.clone();
        self.identity(credentials, &self.region, true).await
    }

    async fn identity(&self, credentials: Credentials, region: &Region, own: bool) -> Result<Identity> {
        let answer = self.client(credentials, region).get_caller_identity().send().await.map_err(|error| meaning(error, own, (self.clock)()))?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Identity { account, arn }),
            _ => Err(bad_answer("STS did not say who the session is")),
        }
    }

    fn client(&self, credentials: Credentials, region: &Region) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(region.as_str().to_owned()))
            .credentials_provider(credentials)
            .http_client(self.sdk.http.clone())
            .timeout_config(Sdk::timeouts())
            .retry_config(Sdk::retries());
        config.set_endpoint_url(self.sdk.endpoint_url.clone());
        aws_sdk_sts::Client::from_conf(config.build())
    }
}

#[async_trait]
impl Sts for SdkSts {
    async fn assume_role(&self, ask: &Ask) -> Result<Granted> {
        let credentials = match &ask.session {
            Some(session) => session.signer.for_sdk(),
            None => self.base().await?.credentials.clone(),
        };
        let tags = ask.tags.iter().map(|(key, value)| {
            Tag::builder().key(*key).value(value).build().map_err(|error| Error::internal("session_tag", "a session tag").with_source(error))
        });
        let tags = tags.collect::<Result<Vec<_>>>()?;
        let answer = self
            .client(credentials, &ask.region)
            .assume_role()
            .role_arn(ask.role_arn.as_str())
            .role_session_name(&ask.session_name)
            .set_external_id(ask.external_id.clone())
            .policy(&ask.policy)
            .set_tags((!tags.is_empty()).then_some(tags))
            .duration_seconds(i32::try_from(ask.duration_seconds).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| meaning(error, ask.session.is_none(), (self.clock)()))?;
        let garbage = || bad_answer("STS answered without usable credentials");
        let granted = answer.credentials.ok_or_else(garbage)?;
        if granted.access_key_id.is_empty() || granted.secret_access_key.is_empty() || granted.session_token.is_empty() {
            return Err(garbage());
        }
        Ok(Granted {
            expiration: granted.expiration.to_millis().map(Timestamp::from_millis).map_err(|error| garbage().with_source(error))?,
            access_key_id: granted.access_key_id,
            secret_access_key: Secret::new(granted.secret_access_key.into_bytes()),
            session_token: granted.session_token,
        })
    }

    async fn caller_identity(&self, session: &Session, region: &Region) -> Result<Identity> {
        self.identity(session.signer.for_sdk(), region, false).await
    }
}

/// What an answer of STS means. `own`: it was about the gateway's own role, so that a refusal is the operator's to mend.
fn meaning<E>(error: SdkError<E, Response>, own: bool, now: Timestamp) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let service = error.as_service_error();
    let (code, message) =
        (service.and_then(ProvideErrorMetadata::code).unwrap_or_default(), service.and_then(ProvideErrorMetadata::message).unwrap_or_default());
    let Some(raw) = error.raw_response() else { return not_asked("STS", error) };
    let meant = match (code, raw.status().as_u16()) {
        ("SignatureDoesNotMatch" | "RequestExpired", _) if is_about_time(code, message) => answer::clock_skew(raw.headers().get("date"), now, "STS's"),
        ("", 500..=599) => unavailable(),
        ("", _) => bad_answer("something that is not STS answered in its place"),
        (_, status) => refusal(code, message, own).unwrap_or_else(|| match status {
            500..=599 => unavailable(),
            _ => Error::rejected("sts_request_refused", format!("STS refused the request: {}", plain(code)))
                .with_remedy("An operator looks into the gateway's log for what STS said."),
        }),
    };
    meant.with_source(error)
}

/// The words of AWS's signature check: "Signature expired: … is now earlier than …", "Signature not yet current: …".
fn is_about_time(code: &str, message: &str) -> bool {
    code == "RequestExpired" || message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
}

fn unavailable() -> Error {
    Error::unavailable("sts_unavailable", "STS cannot answer now").with_remedy("Test again later; AWS says in its Health Dashboard whether STS works.")
}

fn bad_answer(message: &str) -> Error {
    Error::unavailable("sts_bad_answer", message).with_remedy("An operator looks whether a proxy is between the gateway and STS.")
}

fn refusal(code: &str, message: &str, own: bool) -> Option<Error> {
    const OWN_ROLE: &str = "An operator lets the gateway's credentials call sts:AssumeRole and sts:TagSession on platform.role_arn, in their permissions and in the role's trust policy.";
    const RENEW: &str = "An operator renews the gateway's AWS credentials.";
    let credentials = |message: &str| Error::unavailable("gateway_credentials_expired", message).with_remedy(RENEW);
    Some(match code {
        "AccessDenied" | "AccessDeniedException" if own => {
            let error = Error::unavailable("gateway_role_cannot_be_assumed", "the gateway's own role cannot be assumed with the gateway's own credentials")
                .with_remedy(OWN_ROLE);
            match message.contains("sts:TagSession") {
                true => error.because("gateway_tag_session_denied").with_remedy(
                    "An operator allows sts:TagSession beside sts:AssumeRole, in the credentials' permissions and in the trust policy of platform.role_arn.",
                ),
                false => error,
            }
        }
        "AccessDenied" | "AccessDeniedException" => {
            let error = Error::rejected(ROLE_REFUSED, "AWS does not let the gateway assume the role").with_remedy(
                "Look at, in this order: the role's ARN (is the role there, spelled like this?); its trust policy (does it name the gateway's role and this connection's external id?); \
                 whether STS is active for the account in the region.",
            );
            match denial::of_caller(message) {
                Some(denial) => Error::rejected(ROLE_REFUSED, format!("the gateway's own role may not assume the role: {}", denial.words))
                    .because("gateway_may_not_assume_roles")
                    .with_remedy("An operator allows sts:AssumeRole on the customers' roles to platform.role_arn, in its own permissions, its boundary and its organization's policies."),
                None => error,
            }
        }
        "ExpiredToken" | "ExpiredTokenException" if own => credentials("the gateway's own AWS credentials have expired"),
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidIdentityToken" if own => {
            credentials("AWS does not know the gateway's own credentials").because("gateway_credentials_unknown")
        }
        "SignatureDoesNotMatch" | "IncompleteSignature" if own => credentials("AWS does not accept the signature of the gateway's own credentials")
            .because("gateway_secret_key_wrong")
            .with_remedy("An operator enters the gateway's AWS secret key again: it does not belong to the access key."),
        "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" => {
            Error::unavailable(SESSION_EXPIRED, "the gateway's session ran out or was revoked while it was used").with_remedy("Test again.")
        }
        "RegionDisabledException" => Error::rejected("sts_region_disabled", "STS is not active for the account in this region")
            .with_remedy("The account's administrator activates STS for the region in the IAM console (Account settings)."),
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => session_policy::too_large(),
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Error::internal("session_policy_malformed", "AWS could not read the session policy")
            .with_remedy("This is a defect of the gateway: report it with its log."),
        "ValidationError" | "ValidationException" if message.contains("DurationSeconds") => {
            Error::rejected("sts_request_refused", "the role's sessions may not last as long as the connection asks for")
                .because("session_too_long")
                .with_remedy("Raise the role's maximum session duration to an hour (IAM, Roles, the role, Edit).")
        }
        "ValidationError" | "ValidationException" if message.contains("roleArn") || message.ends_with("is invalid") => {
            Error::rejected("sts_request_refused", "AWS does not accept the role's ARN")
                .because("role_arn_not_accepted")
                .with_remedy("Copy the ARN from IAM, Roles, the role; its path belongs to it.")
        }
        "Throttling" | "ThrottlingException" | "ThrottledException" | "RequestLimitExceeded" | "TooManyRequestsException" | "SlowDown" => {
            Error::unavailable("sts_throttled", "STS asks for fewer requests").with_remedy("Test again in a minute.").with_retry_after(5)
        }
        _ => return None,
    })
}

/// A remote's word, safe in a message.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::refusal;
    use crate::model::Kind;

    #[test]
    fn l05_each_refusal_of_sts_has_its_code_and_its_remedy() {
        let cases = [
            ("AccessDenied", false, Kind::Rejected, "role_cannot_be_assumed"),
            ("AccessDenied", true, Kind::Unavailable, "gateway_role_cannot_be_assumed"),
            ("ExpiredToken", true, Kind::Unavailable, "gateway_credentials_expired"),
            ("InvalidClientTokenId", true, Kind::Unavailable, "gateway_credentials_expired"),
            ("ExpiredTokenException", false, Kind::Unavailable, "sts_session_expired"),
            ("RegionDisabledException", false, Kind::Rejected, "sts_region_disabled"),
            ("PackedPolicyTooLarge", false, Kind::LimitExceeded, "scope_too_large"),
            ("Throttling", false, Kind::Unavailable, "sts_throttled"),
        ];
        for (code, own, kind, ours) in cases {
            let error = refusal(code, "", own).expect("known");
            assert_eq!((error.kind(), error.code()), (kind, ours), "{code}");
        }
        let exact = [
            ("AccessDenied", "is not authorized to perform: sts:TagSession on resource: r", true, "gateway_tag_session_denied"),
            ("AccessDenied", "because no identity-based policy allows the sts:AssumeRole action", false, "gateway_may_not_assume_roles"),
            ("AccessDenied", "because no role trust policy allows the sts:AssumeRole action", false, "role_cannot_be_assumed"),
            ("InvalidClientTokenId", "", true, "gateway_credentials_unknown"),
            ("SignatureDoesNotMatch", "", true, "gateway_secret_key_wrong"),
            ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", false, "session_too_long"),
            ("ValidationError", "arn:aws:iam::1:role/x is invalid", false, "role_arn_not_accepted"),
        ];
        for (code, message, own, cause) in exact {
            assert_eq!(refusal(code, message, own).expect("known").cause(), cause, "{code} {message}");
        }
        let remedy = refusal("AccessDenied", "", false).expect("known").remedy().unwrap_or_default().to_owned();
        for word in ["ARN", "external id", "STS is active", "region"] {
            assert!(remedy.contains(word), "the remedy names {word}");
        }
        assert!(refusal("ValidationError", "", false).is_none());
    }
}
