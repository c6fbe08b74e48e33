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
use tokio::sync::OnceCell;

use super::flight::{Perishable, Slot};
use super::lease::{Ask, Granted, Session, Sts};
use super::sdk::Sdk;
use super::{Identity, session_policy};
use crate::model::{Clock, Error, Region, Result, Timestamp};
use crate::vault::Secret;

/// The gateway's session is over before its time: another one may work.
pub(super) const SESSION_EXPIRED: &str = "sts_session_expired";
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
            .map_err(|error| meaning(error, ask.session.is_none()))?;
        let garbage = || Error::unavailable("sts_bad_answer", "STS answered without usable credentials");
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
        let answer = self.client(session.signer.for_sdk(), region).get_caller_identity().send().await.map_err(|error| meaning(error, false))?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Identity { account, arn }),
            _ => Err(Error::unavailable("sts_bad_answer", "STS did not say who the session is")),
        }
    }
}

/// What an answer of STS means. `own`: it was about the gateway's own role, so that a refusal is the operator's to mend.
fn meaning<E>(error: SdkError<E>, own: bool) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let meant = refusal(code, own).unwrap_or_else(|| match &error {
        SdkError::ServiceError(service) if service.raw().status().as_u16() < 500 && !code.is_empty() => {
            Error::rejected("sts_request_refused", format!("STS refused the request: {}", plain(code)))
        }
        _ => Error::unavailable("sts_unavailable", "STS could not be asked"),
    });
    meant.with_source(error)
}

fn refusal(code: &str, own: bool) -> Option<Error> {
    Some(match code {
        "AccessDenied" | "AccessDeniedException" if own => {
            Error::unavailable("gateway_role_cannot_be_assumed", "the gateway's own role cannot be assumed with the gateway's own credentials")
                .with_remedy("An operator lets the gateway's credentials call sts:AssumeRole and sts:TagSession on platform.role_arn, in their permissions and in the role's trust policy.")
        }
        "AccessDenied" | "AccessDeniedException" => Error::rejected("role_cannot_be_assumed", "AWS does not let the gateway assume the role").with_remedy(
            "Look at, in this order: the role's ARN (is the role there, spelled like this?); its trust policy (does it name the gateway's role and this connection's external id?); \
             whether STS is active for the account in the region.",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "InvalidIdentityToken" if own => {
            Error::unavailable("gateway_credentials_expired", "AWS does not accept the gateway's own credentials")
                .with_remedy("An operator renews the gateway's AWS credentials and looks at the gateway's clock.")
        }
        "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" => {
            Error::unavailable(SESSION_EXPIRED, "the gateway's session ran out or was revoked while it was used")
        }
        "RegionDisabledException" => Error::rejected("sts_region_disabled", "STS is not active for the account in this region")
            .with_remedy("The account's administrator activates STS for the region in the IAM console (Account settings)."),
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => session_policy::too_large(),
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Error::internal("session_policy_malformed", "AWS could not read the session policy"),
        "Throttling" | "ThrottlingException" | "ThrottledException" | "RequestLimitExceeded" | "TooManyRequestsException" | "SlowDown" => {
            Error::unavailable("sts_throttled", "STS asks for fewer requests").with_retry_after(5)
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
            let error = refusal(code, own).expect("known");
            assert_eq!((error.kind(), error.code()), (kind, ours), "{code}");
        }
        let remedy = refusal("AccessDenied", false).expect("known").remedy().unwrap_or_default().to_owned();
        for word in ["ARN", "external id", "STS is active", "region"] {
            assert!(remedy.contains(word), "the remedy names {word}");
        }
        assert!(refusal("ValidationError", false).is_none());
    }
}
