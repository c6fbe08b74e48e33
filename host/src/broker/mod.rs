//! The only place where a secret meets a request: leases, signatures, S3 listing. Takes a `Permit` by value; returns answers, never secrets.

mod answer;
mod denial;
mod flight;
mod lease;
mod list;
mod oauth2;
mod own;
mod place;
mod recipe;
mod s3;
mod s3_error;
mod scrub;
mod sdk;
mod session_policy;
mod sigv4;
mod sts;
mod web;

use std::sync::Arc;

use http::HeaderMap;

use crate::audit::Uses;
use crate::fetch::{Body, Fetcher};
use crate::model::{BucketName, By, ByteRange, Clock, ConnectionId, Credential, Error, ObjectMeta, OrgId, Page, Random, Region, Result, RoleArn};
use crate::policy::{Action, Permit, Resource, S3Read};
use crate::vault::Vault;

pub use own::own_identity;

pub struct BrokerConfig {
    /// The gateway's own role; `None`: AWS credentials are refused (`aws_not_configured`).
    pub role_arn: Option<RoleArn>,
    pub region: Region,
    /// Override for doubles and S3-compatible stores: both STS and S3 are asked there.
    pub endpoint_url: Option<url::Url>,
    pub path_style: bool,
}

/// What is asked for, once it is permitted.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// HEAD instead of GET.
    pub head: bool,
    pub range: Option<ByteRange>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    /// Who asks, and for what. `None`: as the grant says.
    pub by: Option<By>,
}

/// `status`: 200, 206, 304 or 416; anything else is an error.
pub struct Object {
    pub status: u16,
    /// Those of the remote's that say something of the object, and no others.
    pub headers: HeaderMap,
    pub body: Body,
}

impl Object {
    #[must_use]
    pub fn meta(&self) -> ObjectMeta {
        answer::meta(&self.headers)
    }
}

#[derive(Debug)]
pub struct Identity {
    pub account: String,
    pub arn: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalIdVerdict {
    Secure,
    NotRequired,
    AnyAccepted,
    Unverified,
}

/// Environment variables that would send the gateway's own AWS identity elsewhere. The broker's clients do not read them, but
/// AWS's web identity provider does: `config` refuses to start with one of them set (T16). Nobody here reads `AWS_CA_BUNDLE`.
pub const REFUSED_ENVIRONMENT: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"];

pub struct Broker {
    s3: s3::S3,
    web: web::Web,
    lists: list::Lists,
    leases: Arc<lease::Leases>,
    tokens: Arc<oauth2::Tokens>,
    /// Each use of a credential is told to it before its answer is given.
    uses: Arc<Uses>,
}

impl Broker {
    /// Reads the process's base AWS identity (environment, profile, instance role) lazily, on first use.
    pub fn new(config: BrokerConfig, vault: Arc<Vault>, fetcher: Arc<Fetcher>, clock: Clock, random: Random, uses: Arc<Uses>) -> Result<Self> {
        let endpoint_url = config.endpoint_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
        let places = Arc::new(place::Places::new(config.region.clone(), config.endpoint_url.as_ref(), config.path_style)?);
        let sdk = sdk::Sdk::new(fetcher.extra_ca_pem(), endpoint_url, config.path_style)?;
        let sts = Arc::new(sts::SdkSts::new(sdk.clone(), config.region.clone(), clock.clone()));
        let leases = lease::Leases::new(sts, config.role_arn, config.region, clock.clone(), random, uses.clone());
        let tokens = oauth2::Tokens::new(vault.clone(), fetcher.clone(), clock.clone(), uses.clone());
        Ok(Self {
            s3: s3::S3 { places: places.clone(), fetcher: fetcher.clone(), leases: leases.clone(), clock: clock.clone() },
            web: web::Web { vault, fetcher, tokens: tokens.clone(), clock: clock.clone() },
            lists: list::Lists { sdk, places, leases: leases.clone(), clock },
            leases,
            tokens,
            uses,
        })
    }

    /// Reads or heads the permitted object (S3 or web).
    pub async fn open(&self, permit: Permit, read: Read) -> Result<Object> {
        if !matches!((permit.action(), read.head), (Action::Read, _) | (Action::Head, true)) {
            return Err(misused());
        }
        let using = self.uses.begin(&permit, read.by)?;
        using.end(match permit.resource() {
            Resource::S3(S3Read::Object(object)) => self.s3.open(permit.grant(), permit.credential(), object, &read).await,
            Resource::Web(request) => self.web.open(&permit, request, &read).await,
            Resource::S3(S3Read::Bucket { .. }) | Resource::Session => Err(misused()),
        })
    }

    /// ListObjectsV2 with delimiter '/'. Entries' paths are `s3://bucket/key`; prefixes are key prefixes, to be asked for next. `limit`: 1 to 1000.
    pub async fn list(&self, permit: Permit, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let (bucket, prefix) = bucket(&permit)?;
        let using = self.uses.begin(&permit, None)?;
        using.end(self.lists.list(permit.grant(), permit.credential(), bucket, prefix, cursor, limit).await)
    }

    /// Opens or reuses a session (`Grant::asked_anew`); seconds that it still lasts.
    pub async fn acquire(&self, permit: Permit) -> Result<u32> {
        session(&permit)?;
        self.leases.acquire(permit.grant(), permit.credential()).await
    }

    pub async fn caller_identity(&self, permit: Permit) -> Result<Identity> {
        session(&permit)?;
        let session = self.leases.session(permit.grant(), permit.credential()).await?;
        let using = self.uses.begin(&permit, None)?;
        using.end(self.leases.caller_identity(&session, permit.credential()).await)
    }

    /// Whether the role lets the gateway in without the connection's external id, or with another one (SPEC L6).
    pub async fn probe_external_id(&self, permit: Permit) -> Result<ExternalIdVerdict> {
        match (permit.resource(), permit.credential()) {
            (Resource::Session, Credential::AwsAssumeRole(role)) => self.leases.probe(permit.grant(), role).await,
            _ => Err(misused()),
        }
    }

    pub async fn bucket_region(&self, permit: Permit) -> Result<Region> {
        let (bucket, _) = bucket(&permit)?;
        let using = self.uses.begin(&permit, None)?;
        using.end(self.lists.bucket_region(permit.grant(), permit.credential(), bucket).await)
    }

    /// A small UTF-8 document, with every secret that was sent scrubbed from it.
    pub async fn document(&self, permit: Permit, limit: usize) -> Result<String> {
        match permit.resource() {
            Resource::Web(request) => {
                let using = self.uses.begin(&permit, None)?;
                using.end(self.web.document(&permit, request, limit).await)
            }
            Resource::S3(_) | Resource::Session => Err(misused()),
        }
    }

    /// The URL that a permitted read of S3 would go to, as far as it is known without asking.
    #[must_use]
    pub fn s3_url(&self, read: &S3Read) -> String {
        match read {
            S3Read::Object(object) => self.s3.places.of(&object.bucket, object.region.as_ref()).url(&s3::target_of(object)),
            S3Read::Bucket { bucket, prefix } => self.s3.places.of(bucket, None).url(&s3::listing_of(prefix)),
        }
    }

    /// Forgets what failed for a connection; what was obtained still serves.
    pub fn forgive(&self, org: &OrgId, connection: ConnectionId) {
        self.leases.forgive(org, connection);
        self.tokens.forgive(org, connection);
    }

    /// Forgets leases of a connection that was changed or deleted.
    pub fn forget(&self, org: &OrgId, connection: ConnectionId) {
        self.leases.forget(org, connection);
        self.tokens.forget(org, connection);
    }
}

fn bucket(permit: &Permit) -> Result<(&BucketName, &str)> {
    match permit.resource() {
        Resource::S3(S3Read::Bucket { bucket, prefix }) => Ok((bucket, prefix)),
        Resource::S3(S3Read::Object(_)) | Resource::Web(_) | Resource::Session => Err(misused()),
    }
}

fn session(permit: &Permit) -> Result<()> {
    match permit.resource() {
        Resource::Session => Ok(()),
        Resource::S3(_) | Resource::Web(_) => Err(misused()),
    }
}

/// A permit for one thing used for another: ours to mend.
fn misused() -> Error {
    Error::internal("permit_misused", "a permission was used for something that it is not about")
}

#[cfg(test)]
mod tests;
