//! How ingestion lies in the store. Every key begins with the organization.
//!
//! A job exists once its own record does: its items are written before, under a draft that a restart sweeps away. What changes
//! together (items, assets, the job's counters) is one batch.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state;
use crate::model::{Asset, AssetId, AssetState, Error, Item, Job, JobId, JobState, OrgId, Result, Timestamp};
use crate::store::{Expect, MAX_BATCH, MAX_SCAN, Op, Row, Store, Table};

/// Records that one listing with a filter looks at.
const MAX_LOOKED_AT: usize = 5 * MAX_SCAN;
/// Operations of one batch of a submission, with room for the job's own.
const CHUNK: usize = MAX_BATCH - 10;

const ITEMS: &str = "items/";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ItemRecord {
    pub(super) item: Item,
    /// The item of the same job and asset that came first; this one ends as that one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) same_as: Option<u32>,
}

/// One end of a try, to be written.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) index: u32,
    pub(super) outcome: state::Outcome,
}

pub(super) struct Records {
    store: Arc<dyn Store>,
    jobs: Table<Job>,
    /// Where each job is in its organization's list, newest first.
    order: Table<()>,
    /// The unfinished ones: a restart looks at these alone.
    open: Table<()>,
    drafts: Table<()>,
    items: Table<ItemRecord>,
    assets: Table<Asset>,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            jobs: Table::new(Arc::clone(&store), "jobs/"),
            order: Table::new(Arc::clone(&store), "jobs-order/"),
            open: Table::new(Arc::clone(&store), "jobs-open/"),
            drafts: Table::new(Arc::clone(&store), "jobs-draft/"),
            items: Table::new(Arc::clone(&store), ITEMS),
            assets: Table::new(Arc::clone(&store), "assets/"),
            store,
        }
    }

    /// Writes a new job. `Conflict` (`job_exists`): its id is taken. After an error there is no such job, unless there was one before.
    pub(super) async fn create(&self, job: &Job, items: &[ItemRecord]) -> Result<()> {
        let place = place(&job.org, job.id);
        let taken = |error: Error| if error.code() == "stale_version" { exists() } else { error };
        let mut last = vec![
            self.jobs.putting(&place, job, Expect::Absent)?,
            self.order.putting(&order_key(&job.org, job.created_at, job.id), &(), Expect::Absent)?,
            self.open.putting(&place, &(), Expect::Absent)?,
        ];
        if items.len() <= CHUNK {
            last.extend(self.item_ops(job, items)?);
            return self.store.apply(last).await.map_err(taken);
        }
        if self.jobs.get(&place).await?.is_some() {
            return Err(exists());
        }
        self.drafts.put(&place, &(), Expect::Absent).await.map_err(taken)?;
        last.push(self.drafts.deleting(&place, Expect::Any));
        let written = self.write_chunks(job, items, last).await;
        if written.is_err() {
            // If this fails as well, the next start does it.
            let _ = self.sweep(&job.org, job.id).await;
        }
        written
    }

    async fn write_chunks(&self, job: &Job, items: &[ItemRecord], last: Vec<Op>) -> Result<()> {
        for chunk in items.chunks(CHUNK) {
            self.store.apply(self.item_ops(job, chunk)?).await?;
        }
        self.store.apply(last).await
    }

    fn item_ops(&self, job: &Job, items: &[ItemRecord]) -> Result<Vec<Op>> {
        items.iter().map(|record| self.items.putting(&item_key(&job.org, job.id, record.item.index), record, Expect::Absent)).collect()
    }

    pub(super) async fn has_open(&self, org: &OrgId) -> Result<bool> {
        Ok(!self.open.scan(&format!("{org}/"), None, 1).await?.is_empty())
    }

    /// Removes what submissions left behind that were cut off.
    pub(super) async fn sweep_drafts(&self) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let drafts = self.drafts.scan("", after.as_deref(), MAX_SCAN).await?;
            let Some((last, _)) = drafts.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, _) in drafts {
                let (org, id) = parse_place(&key)?;
                if let Err(error) = self.sweep(&org, id).await {
                    // It takes room, no more: the gateway can do without.
                    tracing::warn!(%org, job = %id, ?error, "what is left of a submission that was cut off could not be removed");
                }
            }
        }
    }

    async fn sweep(&self, org: &OrgId, id: JobId) -> Result<()> {
        let place = place(org, id);
        loop {
            let found = self.store.scan(&format!("{ITEMS}{place}/"), None, MAX_SCAN).await?;
            if found.is_empty() {
                return self.drafts.delete(&place, Expect::Any).await;
            }
            self.store.apply(found.into_iter().map(|(key, _)| Op::Delete { key, expect: Expect::Any }).collect()).await?;
        }
    }

    pub(super) async fn job(&self, org: &OrgId, id: JobId) -> Result<Row<Job>> {
        self.jobs.get(&place(org, id)).await?.ok_or_else(|| {
            Error::not_found("job_not_found", "there is no such job")
                .with_remedy("Check its id: `GET /api/v1/ingestion/jobs` lists those of your organization.")
        })
    }

    /// The cursor is what the order's key has below the organization.
    pub(super) async fn jobs(&self, org: &OrgId, state: Option<JobState>, after: Option<&str>, limit: usize) -> Result<(Vec<Job>, Option<String>)> {
        if after.is_some_and(|after| parse_order(after).is_none()) {
            return Err(Error::invalid("invalid_cursor", "this is not where an earlier page ended"));
        }
        let mut after = after.map(str::to_owned);
        let (mut jobs, mut looked_at) = (Vec::new(), 0);
        loop {
            let wanted = if state.is_some() { MAX_SCAN } else { MAX_SCAN.min(limit - jobs.len()) };
            let from = after.as_ref().map(|after| format!("{org}/{after}"));
            let page = self.order.scan(&format!("{org}/"), from.as_deref(), wanted).await?;
            looked_at += page.len();
            let last_page = page.len() < wanted;
            for (key, _) in page {
                let (_, place) = key.split_once('/').unwrap_or_default();
                let id = parse_order(place).ok_or_else(|| Error::internal("store_corrupt", format!("{key:?} is not the place of a job")))?;
                let job = self.job(org, id).await?.value;
                after = Some(place.to_owned());
                if state.is_none_or(|state| state == job.state) {
                    jobs.push(job);
                    if jobs.len() == limit {
                        return Ok((jobs, after));
                    }
                }
            }
            if last_page || looked_at >= MAX_LOOKED_AT {
                return Ok((jobs, after.filter(|_| !last_page)));
            }
        }
    }

    /// By organization.
    pub(super) async fn open_jobs(&self) -> Result<Vec<(OrgId, JobId)>> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.open.scan("", after.as_deref(), MAX_SCAN).await?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(last.clone());
            for (key, _) in page {
                found.push(parse_place(&key)?);
            }
        }
    }

    /// Writes a changed job; with it, if it has ended, that it is no longer open.
    pub(super) async fn write_job(&self, row: &mut Row<Job>, job: Job) -> Result<()> {
        let mut batch = vec![self.jobs.putting(&place(&job.org, job.id), &job, Expect::Version(row.version))?];
        if job.state.is_final() {
            batch.push(self.open.deleting(&place(&job.org, job.id), Expect::Any));
        }
        self.store.apply(batch).await?;
        *row = Row { version: row.version + 1, value: job };
        Ok(())
    }

    pub(super) async fn item(&self, org: &OrgId, job: JobId, index: u32) -> Result<Row<ItemRecord>> {
        let key = item_key(org, job, index);
        self.items.get(&key).await?.ok_or_else(|| Error::internal("store_corrupt", format!("item {index} of job {job} is missing")))
    }

    /// At most `limit` (up to 1000) items in order, after the one with the index `after`.
    pub(super) async fn items(&self, org: &OrgId, job: JobId, after: Option<u32>, limit: usize) -> Result<Vec<ItemRecord>> {
        let after = after.map(|index| item_key(org, job, index));
        let found = self.items.scan(&format!("{}/", place(org, job)), after.as_deref(), limit).await?;
        Ok(found.into_iter().map(|(_, row)| row.value).collect())
    }

    pub(super) async fn asset(&self, org: &OrgId, id: AssetId) -> Result<Option<Row<Asset>>> {
        self.assets.get(&asset_key(org, id)).await
    }

    pub(super) async fn known_asset(&self, org: &OrgId, id: AssetId) -> Result<Asset> {
        let found = self.asset(org, id).await?.ok_or_else(|| {
            Error::not_found("asset_not_found", "there is no such asset, or it was not ingested yet")
                .with_remedy("Check its id: `GET /api/v1/ingestion/jobs/{id}/assets` lists those of a job, and how far each is.")
        })?;
        Ok(found.value)
    }

    /// Writes the ends of tries (each of another item), their assets and the job's counters as one batch, and brings `row` up to date.
    pub(super) async fn settle(&self, row: &mut Row<Job>, ended: &[Ended], now: Timestamp) -> Result<()> {
        let mut job = row.value.clone();
        let mut batch = Vec::with_capacity(2 * ended.len() + 1);
        for Ended { index, outcome } in ended {
            let mut found = self.item(&job.org, job.id, *index).await?;
            state::settle(&mut job, &mut found.value, outcome, now)?;
            if state::is_final(found.value.item.state) && found.value.same_as.is_none() {
                batch.push(self.asset_op(&job, &found.value, now).await?);
            }
            batch.push(self.items.putting(&item_key(&job.org, job.id, *index), &found.value, Expect::Version(found.version))?);
        }
        batch.push(self.jobs.putting(&place(&job.org, job.id), &job, Expect::Version(row.version))?);
        self.store.apply(batch).await?;
        *row = Row { version: row.version + 1, value: job };
        Ok(())
    }

    async fn asset_op(&self, job: &Job, record: &ItemRecord, now: Timestamp) -> Result<Op> {
        let before = self.asset(&job.org, record.item.asset).await?;
        let expect = before.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
        let after = state::asset_after(before.map(|row| row.value), job, record, now);
        self.assets.putting(&asset_key(&job.org, record.item.asset), &after, expect)
    }

    /// With `state`, as far as `overlay` does not change it first.
    pub(super) async fn listed_items(
        &self,
        org: &OrgId,
        job: JobId,
        state: Option<AssetState>,
        mut after: Option<u32>,
        limit: usize,
        overlay: impl Fn(&mut Item),
    ) -> Result<Vec<Item>> {
        self.job(org, job).await?;
        let mut found = Vec::new();
        loop {
            let wanted = if state.is_some() { MAX_SCAN } else { MAX_SCAN.min(limit - found.len()) };
            let page = self.items(org, job, after, wanted).await?;
            let last_page = page.len() < wanted;
            for ItemRecord { mut item, .. } in page {
                after = Some(item.index);
                overlay(&mut item);
                if state.is_none_or(|state| state == item.state) {
                    found.push(item);
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
            }
            if last_page {
                return Ok(found);
            }
        }
    }
}

fn place(org: &OrgId, id: JobId) -> String {
    format!("{org}/{id}")
}

fn parse_place(key: &str) -> Result<(OrgId, JobId)> {
    let corrupt = || Error::internal("store_corrupt", format!("{key:?} is not the key of a job"));
    let (org, id) = key.split_once('/').ok_or_else(corrupt)?;
    Ok((OrgId::new(org)?, id.parse()?))
}

fn exists() -> Error {
    Error::conflict("job_exists", "there is a job with this id already")
}

/// Time counts down, so that the newest comes first.
fn order_key(org: &OrgId, created_at: Timestamp, id: JobId) -> String {
    format!("{org}/{:016x}.{id}", !created_at.millis().cast_unsigned())
}

/// The job of a key of the order, without its organization.
fn parse_order(place: &str) -> Option<JobId> {
    let (time, id) = place.split_once('.')?;
    if time.len() == 16 && time.bytes().all(|digit| digit.is_ascii_hexdigit()) { id.parse().ok() } else { None }
}

/// Five digits: a job has at most 10,000 items.
fn item_key(org: &OrgId, job: JobId, index: u32) -> String {
    format!("{}/{index:05}", place(org, job))
}

fn asset_key(org: &OrgId, id: AssetId) -> String {
    format!("{org}/{id}")
}
