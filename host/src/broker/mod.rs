//! The only place where a secret meets a request: leases, signatures, S3 listing. Takes a `Permit` by value; returns answers, never secrets.

use std::sync::Arc;

use crate::fetch::{Body, Fetcher};
use crate::model::{ByteRange, Clock, ObjectMeta, Page, Random, Region, Result, RoleArn};
use crate::policy::Permit;
use crate::vault::Vault;

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
}

/// `status`: 200, 206, 304 or 416; anything else is an error.
pub struct Object {
    pub status: u16,
    pub meta: ObjectMeta,
    pub body: Body,
}

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

pub struct Broker;

impl Broker {
    /// Reads the process's base AWS identity (environment, profile, instance role) lazily, on first use.
    pub fn new(_config: BrokerConfig, _vault: Arc<Vault>, _fetcher: Arc<Fetcher>, _clock: Clock, _random: Random) -> Result<Self> {
        todo!()
    }
    /// Reads or heads the permitted object (S3 or web).
    pub async fn open(&self, _permit: Permit, _read: Read) -> Result<Object> {
        todo!()
    }
    /// ListObjectsV2 with delimiter '/'. Entries' paths are `s3://bucket/key`.
    pub async fn list(&self, _permit: Permit, _cursor: Option<&str>, _limit: u32) -> Result<Page> {
        todo!()
    }
    /// Opens or reuses a session; seconds that it still lasts.
    pub async fn acquire(&self, _permit: Permit) -> Result<u32> {
        todo!()
    }
    pub async fn caller_identity(&self, _permit: Permit) -> Result<Identity> {
        todo!()
    }
    pub async fn probe_external_id(&self, _permit: Permit) -> Result<ExternalIdVerdict> {
        todo!()
    }
    pub async fn bucket_region(&self, _permit: Permit) -> Result<Region> {
        todo!()
    }
    /// A small UTF-8 document, with every secret that was sent scrubbed from it.
    pub async fn document(&self, _permit: Permit, _limit: usize) -> Result<String> {
        todo!()
    }
    /// Forgets leases of a connection that was changed or deleted.
    pub fn forget(&self, _connection: crate::model::ConnectionId) {
        todo!()
    }
}
