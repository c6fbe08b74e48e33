//! Ingestion: durable jobs. Accepted means on disk; a restart goes on where it was; each asset ends in exactly one state.

use std::sync::Arc;

use async_trait::async_trait;

use crate::broker::Broker;
use crate::connections::Connections;
use crate::fetch::Body;
use crate::model::{Asset, AssetId, AssetState, Clock, DatasetId, Item, Job, JobId, JobState, Metadata, ObjectMeta, OrgId, Random, Result, SourcePath, Stored};
use crate::store::Store;

/// Where assets are written. `put` returns after the bytes are durable; the same bytes twice are stored once.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    async fn put(&self, asset: &AssetPlace, meta: &ObjectMeta, body: Body) -> Result<Stored>;
    /// For `/readyz`.
    async fn ready(&self) -> Result<()>;
}

pub struct AssetPlace {
    pub org: OrgId,
    pub dataset: DatasetId,
    pub asset: AssetId,
    pub source_path: SourcePath,
    pub metadata: Metadata,
}

#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// Fetches at the same time, over all jobs.
    pub concurrency: usize,
    /// Unfinished jobs an organization may have.
    pub max_jobs: usize,
    pub max_attempts: u32,
    pub max_object_bytes: u64,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { concurrency: 32, max_jobs: 1000, max_attempts: 5, max_object_bytes: 5 << 40 }
    }
}

/// A folder: content-addressed blobs and a record for each asset.
pub struct LocalSink;

impl LocalSink {
    /// Makes the folder if it is absent.
    pub async fn open(_folder: std::path::PathBuf) -> Result<Self> {
        todo!()
    }
}

#[async_trait]
impl Sink for LocalSink {
    async fn put(&self, _asset: &AssetPlace, _meta: &ObjectMeta, _body: Body) -> Result<Stored> {
        todo!()
    }
    async fn ready(&self) -> Result<()> {
        todo!()
    }
}

#[derive(Clone, Debug)]
pub struct Submission {
    /// Made by the caller: the same request, sent twice, names the same job. An id that is taken is `Conflict` (`job_exists`).
    pub id: JobId,
    pub dataset: DatasetId,
    /// Name or id.
    pub connection: String,
    /// 1 to 10,000.
    pub assets: Vec<(SourcePath, Metadata)>,
}

pub struct Parts {
    pub store: Arc<dyn Store>,
    pub connections: Arc<Connections>,
    pub broker: Arc<Broker>,
    pub sink: Arc<dyn Sink>,
    pub clock: Clock,
    pub random: Random,
}

pub struct Ingest;

impl Ingest {
    /// Finds unfinished jobs and goes on with them.
    pub async fn start(_parts: Parts, _config: IngestConfig) -> Result<Arc<Self>> {
        todo!()
    }
    /// On disk when it returns.
    pub async fn submit(&self, _org: &OrgId, _submission: Submission) -> Result<Job> {
        todo!()
    }
    pub async fn job(&self, _org: &OrgId, _id: JobId) -> Result<Job> {
        todo!()
    }
    /// Newest first.
    pub async fn jobs(&self, _org: &OrgId, _state: Option<JobState>, _after: Option<&str>, _limit: usize) -> Result<(Vec<Job>, Option<String>)> {
        todo!()
    }
    /// In the order they were sent in. `after`: the index of the last one seen.
    pub async fn items(&self, _org: &OrgId, _job: JobId, _state: Option<AssetState>, _after: Option<u32>, _limit: usize) -> Result<Vec<Item>> {
        todo!()
    }
    pub async fn asset(&self, _org: &OrgId, _id: AssetId) -> Result<Asset> {
        todo!()
    }
    /// Stops taking work, waits for what is in flight, writes down what was done.
    pub async fn stop(&self) {
        todo!()
    }
}
