//! What a plugin's host calls end at: the broker, or a script that plays one. Permits go in, plain answers come out; no secret does.

use async_trait::async_trait;
use http_body_util::BodyExt;

use crate::broker::{Broker, ExternalIdVerdict, Identity, Read};
use crate::model::{ByteRange, ObjectMeta, Page, Region, Result};
use crate::policy::Permit;

/// What a remote says of an object. `status`: 200, 206, 304 or 416; anything else is an error.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub meta: ObjectMeta,
}

/// One method for each thing that a plugin may ask for during `check` and `list`. Whoever calls has judged it: the permit is the proof.
#[async_trait]
pub trait Remote: Send + Sync {
    /// Seconds that the session still lasts.
    async fn acquire(&self, permit: Permit) -> Result<u32>;
    async fn caller_identity(&self, permit: Permit) -> Result<Identity>;
    async fn probe_external_id(&self, permit: Permit) -> Result<ExternalIdVerdict>;
    async fn bucket_region(&self, permit: Permit) -> Result<Region>;
    /// An object of S3 or of the web.
    async fn head(&self, permit: Permit) -> Result<Head>;
    /// Reads the object's first byte and drops it: that it can be read is the answer.
    async fn probe_read(&self, permit: Permit) -> Result<()>;
    /// `limit`: 1 to 1000.
    async fn list(&self, permit: Permit, cursor: Option<&str>, limit: u32) -> Result<Page>;
    /// At most `limit` bytes of UTF-8, every secret that was sent scrubbed from them.
    async fn document(&self, permit: Permit, limit: usize) -> Result<String>;
}

#[async_trait]
impl Remote for Broker {
    async fn acquire(&self, permit: Permit) -> Result<u32> {
        self.acquire(permit).await
    }
    async fn caller_identity(&self, permit: Permit) -> Result<Identity> {
        self.caller_identity(permit).await
    }
    async fn probe_external_id(&self, permit: Permit) -> Result<ExternalIdVerdict> {
        self.probe_external_id(permit).await
    }
    async fn bucket_region(&self, permit: Permit) -> Result<Region> {
        self.bucket_region(permit).await
    }
    async fn head(&self, permit: Permit) -> Result<Head> {
        let object = self.open(permit, Read { head: true, ..Read::default() }).await?;
        Ok(Head { status: object.status, meta: object.meta() })
    }
    async fn probe_read(&self, permit: Permit) -> Result<()> {
        // An empty object has no first byte: 416 proves as much as 206. Of a longer one, what comes first has to come.
        let first = ByteRange::Between { first: 0, last: 0 };
        let mut object = self.open(permit, Read { range: Some(first), ..Read::default() }).await?;
        object.body.frame().await.transpose().map(drop)
    }
    async fn list(&self, permit: Permit, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.list(permit, cursor, limit).await
    }
    async fn document(&self, permit: Permit, limit: usize) -> Result<String> {
        self.document(permit, limit).await
    }
}
