//! A source that answers by script, a sink that counts, a store that fails on demand, and a world of all three.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::broker::{Object, Read};
use crate::fetch::Body;
use crate::ingest::engine::Engine;
use crate::ingest::source::Source;
use crate::ingest::{AssetPlace, IngestConfig, Sink, Submission};
use crate::model::{AssetId, AssetState, ConnectionId, DatasetId, Error, Job, JobId, Metadata, ObjectMeta, OrgId, Result, SourcePath, Stored, Timestamp};
use crate::store::{MemoryStore, Op, Record, Store};

pub enum Answer {
    /// With this as the body, in frames of a byte, and its length as the etag's content.
    Bytes(String),
    /// A head that promises so many bytes.
    Promised(u64),
    Fail(Error),
    FailToPlan(Error),
    Panic,
    Hang,
}

/// Path and how often it was asked for before.
type Script = Box<dyn Fn(&str, u32) -> Answer + Send + Sync>;

pub struct FakeSource {
    script: Script,
    pub asked: Mutex<HashMap<String, u32>>,
    pub plans: AtomicUsize,
    pub revision: AtomicU64,
    pub open_now: AtomicUsize,
    pub open_most: AtomicUsize,
    pub order: Mutex<Vec<String>>,
}

pub const CONNECTION: ConnectionId = ConnectionId(uuid::Uuid::from_u128(7));

#[async_trait]
impl Source for Arc<FakeSource> {
    type Permit = (OrgId, String);

    async fn resolve(&self, _org: &OrgId, _dataset: &DatasetId, name_or_id: Option<&str>) -> Result<(ConnectionId, u64)> {
        if name_or_id == Some("one") {
            Ok((CONNECTION, self.revision.load(Ordering::SeqCst)))
        } else {
            Err(Error::not_found("connection_not_found", "no such connection"))
        }
    }

    async fn plan(&self, org: &OrgId, _connection: ConnectionId, revision: u64, sources: &[&str]) -> Result<Vec<Result<Self::Permit>>> {
        self.plans.fetch_add(1, Ordering::SeqCst);
        if revision != self.revision.load(Ordering::SeqCst) {
            return Err(Error::conflict("connection_changed", "it was changed"));
        }
        let permit = |path: &&str| match (self.script)(path, self.asked.lock().unwrap().get(*path).copied().unwrap_or(0)) {
            Answer::FailToPlan(error) => Err(error),
            _ => Ok((org.clone(), (*path).to_owned())),
        };
        Ok(sources.iter().map(permit).collect())
    }

    async fn open(&self, (org, path): Self::Permit, read: Read) -> Result<Object> {
        struct Closed<'a>(&'a AtomicUsize);
        impl Drop for Closed<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let now = self.open_now.fetch_add(1, Ordering::SeqCst) + 1;
        let _closed = Closed(&self.open_now);
        self.open_most.fetch_max(now, Ordering::SeqCst);
        self.order.lock().unwrap().push(org.to_string());
        let before = {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(path.clone()).or_insert(0);
            *count += 1;
            *count - 1
        };
        tokio::time::sleep(Duration::from_millis(3)).await;
        let headers = |length: Option<u64>, etag: Option<&str>| {
            let length = length.map(|length| (header::CONTENT_LENGTH, length.into()));
            let etag = etag.map(|etag| (header::ETAG, HeaderValue::try_from(etag).expect("an ETag")));
            length.into_iter().chain(etag).collect()
        };
        let object = |status, text: &str, length, etag| Object {
            status,
            headers: headers(length, etag),
            body: Body::new(StreamBody::new(stream::iter(text.bytes().map(|byte| Ok(Frame::data(Bytes::copy_from_slice(&[byte])))).collect::<Vec<_>>()))),
        };
        match (self.script)(&path, before) {
            Answer::Bytes(text) => {
                let etag = format!("\"{}\"", text.len());
                let known = read.if_none_match.as_ref() == Some(&etag);
                Ok(if known { object(304, "", None, Some(&etag)) } else { object(200, &text, None, Some(&etag)) })
            }
            Answer::Promised(length) => Ok(object(200, "x", Some(length), None)),
            Answer::Fail(error) | Answer::FailToPlan(error) => Err(error),
            Answer::Panic => panic!("as the test wants"),
            Answer::Hang => std::future::pending().await,
        }
    }
}

#[derive(Default)]
pub struct FakeSink {
    pub puts: Mutex<HashMap<AssetId, u32>>,
    pub records: AtomicUsize,
    pub lost: AtomicBool,
}

#[async_trait]
impl Sink for FakeSink {
    async fn put(&self, asset: &AssetPlace, meta: &ObjectMeta, body: Body) -> Result<Stored> {
        let bytes = body.collect().await?.to_bytes();
        *self.puts.lock().unwrap().entry(asset.asset).or_insert(0) += 1;
        Ok(Stored {
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            size: bytes.len() as u64,
            content_type: None,
            etag: meta.etag.clone(),
            location: "x".to_owned(),
        })
    }
    async fn holds(&self, _org: &OrgId, _stored: &Stored) -> bool {
        !self.lost.load(Ordering::SeqCst)
    }
    async fn record(&self, _asset: &AssetPlace, _stored: &Stored) -> Result<()> {
        self.records.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

/// Fails every n-th write: before it is done, or after it was.
#[derive(Default)]
pub struct FlakyStore {
    pub inner: MemoryStore,
    pub writes: AtomicU64,
    pub fail_every: AtomicU64,
    pub fail_at: AtomicU64,
}

#[async_trait]
impl Store for FlakyStore {
    async fn get(&self, key: &str) -> Result<Option<Record>> {
        self.inner.get(key).await
    }
    async fn apply(&self, batch: Vec<Op>) -> Result<()> {
        let count = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let every = self.fail_every.load(Ordering::SeqCst);
        let fails = every > 0 && count.is_multiple_of(every) || self.fail_at.load(Ordering::SeqCst) == count;
        if !fails || count.is_multiple_of(2) {
            self.inner.apply(batch).await?;
        }
        if fails { Err(Error::unavailable("store_failed", "as the test wants")) } else { Ok(()) }
    }
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>> {
        self.inner.scan(prefix, after, limit).await
    }
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

pub struct World {
    pub engine: Arc<Engine<Arc<FakeSource>>>,
    pub source: Arc<FakeSource>,
    pub sink: Arc<FakeSink>,
    pub store: Arc<FlakyStore>,
    pub config: IngestConfig,
    pub acme: OrgId,
    /// Both the time and the chance of a world; each look is another one, also after a restart.
    count: Arc<AtomicU64>,
}

impl World {
    pub async fn new(script: impl Fn(&str, u32) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(IngestConfig { concurrency: 4, max_jobs: 3, max_attempts: 3, max_object_bytes: 10 }, script).await
    }

    pub async fn with(config: IngestConfig, script: impl Fn(&str, u32) -> Answer + Send + Sync + 'static) -> Self {
        let source = Arc::new(FakeSource {
            script: Box::new(script),
            asked: Mutex::default(),
            plans: AtomicUsize::new(0),
            revision: AtomicU64::new(1),
            open_now: AtomicUsize::new(0),
            open_most: AtomicUsize::new(0),
            order: Mutex::default(),
        });
        let (sink, store) = (Arc::new(FakeSink::default()), Arc::new(FlakyStore::default()));
        let count = Arc::new(AtomicU64::new(1));
        let engine = start(&source, &store, &sink, &config, &count).await;
        Self { engine, source, sink, store, config, acme: org("acme"), count }
    }

    /// As `kill -9` and a start: what was in flight and what was not written are gone.
    pub async fn kill_and_restart(&mut self) {
        self.engine.kill().await;
        self.engine = start(&self.source, &self.store, &self.sink, &self.config, &self.count).await;
    }

    pub async fn submit(&self, paths: &[&str]) -> Job {
        self.engine.submit(&self.acme, submission(paths)).await.expect("accepted")
    }

    pub async fn job(&self, id: JobId) -> Job {
        self.engine.records.job(&self.acme, id).await.expect("there").value
    }

    /// Fails the test when the job is not final within an hour (of the test's time).
    pub async fn ended(&self, id: JobId) -> Job {
        for _ in 0..36_000 {
            let job = self.job(id).await;
            if job.state.is_final() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the job does not end: {:?}", self.job(id).await);
    }

    /// State and error code of each item.
    pub async fn outcomes(&self, id: JobId) -> Vec<(AssetState, Option<String>)> {
        let items = self.engine.items(&self.acme, id, None, None, 1000).await.expect("items");
        items.into_iter().map(|item| (item.state, item.error.map(|error| error.code))).collect()
    }

    /// A job's counters and its items say the same, and so do the assets.
    pub async fn agrees(&self, id: JobId) {
        let job = self.job(id).await;
        let mut items = Vec::new();
        while let Some(last) = {
            let page = self.engine.records.items(&self.acme, id, items.last().map(|item: &crate::model::Item| item.index), 1000).await.expect("items");
            let last = page.last().map(|record| record.item.index);
            items.extend(page.into_iter().map(|record| record.item));
            last
        } {
            assert!(last < job.total);
        }
        let count = |state| u32::try_from(items.iter().filter(|item| item.state == state).count()).unwrap();
        let (completed, errored) = (count(AssetState::Completed), count(AssetState::Error));
        assert_eq!((job.total as usize, job.processed, job.errored), (items.len(), completed + errored, errored));
        for item in items.iter().filter(|item| matches!(item.state, AssetState::Completed | AssetState::Error)) {
            let asset = self.engine.records.known_asset(&self.acme, item.asset).await.expect("an ended item has an asset");
            assert_eq!((asset.state, &asset.source_path), (item.state, &item.source_path));
        }
    }

    pub fn asked(&self, path: &str) -> u32 {
        self.source.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

async fn start(
    source: &Arc<FakeSource>,
    store: &Arc<FlakyStore>,
    sink: &Arc<FakeSink>,
    config: &IngestConfig,
    count: &Arc<AtomicU64>,
) -> Arc<Engine<Arc<FakeSource>>> {
    let (clock_count, count) = (Arc::clone(count), Arc::clone(count));
    let clock = Arc::new(move || Timestamp::from_millis(i64::try_from(clock_count.fetch_add(1, Ordering::SeqCst)).unwrap()));
    let random = Arc::new(move |buffer: &mut [u8]| {
        let hash = blake3::hash(&count.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        buffer.copy_from_slice(&hash.as_bytes()[..buffer.len()]);
    });
    Engine::start(Arc::clone(source), store.clone(), sink.clone(), clock, random, config.clone()).await.expect("started")
}

impl<S: Source> Engine<S> {
    async fn kill(&self) {
        self.stopping.cancel();
        self.aborting.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

pub fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organization")
}

pub fn submission(paths: &[&str]) -> Submission {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    Submission {
        id: JobId(uuid::Uuid::from_u128(COUNT.fetch_add(1, Ordering::SeqCst).into())),
        dataset: DatasetId::new("d1").expect("a dataset"),
        connection: Some("one".to_owned()),
        assets: paths.iter().map(|path| (SourcePath::new(*path).expect("a path"), Metadata::new())).collect(),
    }
}
