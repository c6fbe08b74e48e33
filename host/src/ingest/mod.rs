//! Ingestion: durable jobs. Accepted means on disk; a restart goes on where it was; each asset ends in exactly one state.

mod datasets;
mod engine;
mod item;
mod records;
mod run;
mod sink;
mod source;
mod state;
mod submit;
mod turns;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use crate::broker::Broker;
use crate::connections::Connections;
use crate::fetch::Body;
use crate::model::{
    Asset, AssetId, AssetState, Clock, ConnectionName, Dataset, DatasetId, Item, Job, JobId, JobState, Metadata, ObjectMeta, OrgId, Random, Result, SourcePath,
    Stored,
};
use crate::store::Store;

use datasets::Datasets;
use engine::Engine;
use source::Remote;

pub use sink::LocalSink;

/// Assets of one submission (SPEC C29).
pub const MAX_ASSETS: usize = 10_000;

/// Where assets are written. The same bytes twice are stored once.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Writes the bytes and the asset's record; returns after both are durable.
    async fn put(&self, asset: &AssetPlace, meta: &ObjectMeta, body: Body) -> Result<Stored>;
    /// Whether it still has the bytes of an earlier `put` for this organization.
    async fn holds(&self, org: &OrgId, stored: &Stored) -> bool;
    /// Writes the asset's record alone, for bytes that it holds.
    async fn record(&self, asset: &AssetPlace, stored: &Stored) -> Result<()>;
    /// For `/readyz`.
    async fn ready(&self) -> Result<()>;
}

#[derive(Clone, Debug)]
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
    /// How often an item is tried when its failure is temporary.
    pub max_attempts: u32,
    pub max_object_bytes: u64,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { concurrency: 32, max_jobs: 1000, max_attempts: 3, max_object_bytes: 5 << 40 }
    }
}

#[derive(Clone, Debug)]
pub struct Submission {
    /// Made by the caller: the same request, sent twice, names the same job (SPEC C40).
    pub id: JobId,
    pub dataset: DatasetId,
    /// Name or id; none: the dataset's default.
    pub connection: Option<String>,
    /// 1 to 10,000. A source path that is named again is one asset, fetched once: its metadata are merged (the later value wins),
    /// and each of its items ends as the first one does.
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

pub struct Ingest {
    engine: Arc<Engine<Remote>>,
    datasets: Datasets,
}

impl Ingest {
    /// Finds unfinished jobs and goes on with them.
    pub async fn start(parts: Parts, config: IngestConfig) -> Result<Arc<Self>> {
        let datasets = Datasets::new(parts.store.clone(), parts.connections.clone(), parts.clock.clone());
        let source = Remote { connections: parts.connections, broker: parts.broker, datasets: datasets.clone() };
        let engine = Engine::start(source, parts.store, parts.sink, parts.clock, parts.random, config).await?;
        Ok(Arc::new(Self { engine, datasets }))
    }

    /// On disk when it returns. Errors: field errors below `/assets` and for the metadata; `too_many_assets`, `too_many_jobs`,
    /// `job_exists` (the id is taken), `default_connection_deleted`, and whatever says that the connection cannot be used.
    pub async fn submit(&self, org: &OrgId, submission: Submission) -> Result<Job> {
        self.engine.submit(org, submission).await
    }

    /// With the name of its default connection. `NotFound` (`dataset_not_found`) where nothing was set.
    pub async fn dataset(&self, org: &OrgId, id: &DatasetId) -> Result<(Dataset, Option<ConnectionName>)> {
        self.datasets.get(org, id).await
    }

    /// `default_connection`: name or id; none takes it away. It counts for what is submitted from now on: a job keeps the connection that it was
    /// accepted with. `LimitExceeded` (`too_many_datasets`).
    pub async fn set_dataset(&self, org: &OrgId, id: DatasetId, default_connection: Option<&str>) -> Result<(Dataset, Option<ConnectionName>)> {
        self.datasets.set(org, id, default_connection).await
    }

    /// Makes the job `id` of what did not complete in `ended` (SPEC C36). `Conflict` (`job_not_finished`, `nothing_to_retry`), and what `submit` says.
    pub async fn retry(&self, org: &OrgId, ended: JobId, id: JobId) -> Result<Job> {
        self.engine.retry(org, ended, id).await
    }

    /// `NotFound` (`job_not_found`), also for another organization's.
    pub async fn job(&self, org: &OrgId, id: JobId) -> Result<Job> {
        Ok(self.engine.records.job(org, id).await?.value)
    }

    /// Newest first, and where to go on. A page with a filter may be short, or empty, and still not be the last.
    pub async fn jobs(&self, org: &OrgId, state: Option<JobState>, after: Option<&str>, limit: usize) -> Result<(Vec<Job>, Option<String>)> {
        self.engine.records.jobs(org, state, after, limit).await
    }

    /// In the order they were sent in. `after`: the index of the last one seen.
    pub async fn items(&self, org: &OrgId, job: JobId, state: Option<AssetState>, after: Option<u32>, limit: usize) -> Result<Vec<Item>> {
        self.engine.items(org, job, state, after, limit).await
    }

    /// An asset is known once an item of it has ended. `NotFound` (`asset_not_found`), also for another organization's.
    pub async fn asset(&self, org: &OrgId, id: AssetId) -> Result<Asset> {
        self.engine.records.known_asset(org, id).await
    }

    pub async fn has_unfinished(&self, org: &OrgId) -> Result<bool> {
        self.engine.records.has_open(org).await
    }

    /// Takes no more work, and waits for what is in flight.
    pub async fn drain(&self) {
        self.engine.drain().await;
    }

    /// Takes no more work, and leaves what is in flight: it is fetched again after the next start.
    pub async fn stop(&self) {
        self.engine.stop().await;
    }
}
