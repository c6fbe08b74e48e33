//! Taking a job in: all of it on disk, or none of it.

use std::sync::Arc;

use super::engine::{Engine, Place};
use super::records::ItemRecord;
use super::source::Source;
use super::{Submission, validate};
use crate::model::{AssetState, Error, Item, Job, JobId, JobState, OrgId, Result};
use crate::store::MAX_SCAN;

impl<S: Source> Engine<S> {
    pub(super) async fn submit(self: &Arc<Self>, org: &OrgId, submission: Submission) -> Result<Job> {
        if self.stopping.is_cancelled() {
            return Err(Error::unavailable("shutting_down", "the gateway is shutting down").with_retry_after(10));
        }
        let accepted = validate::check(org, &submission)?;
        let (connection, connection_revision) = self.source.resolve(org, &submission.dataset, submission.connection.as_deref()).await?;
        let place = self.place(org, self.config.max_jobs)?;
        let now = (self.clock)();
        let id = submission.id;
        let job = Job {
            id,
            org: org.clone(),
            dataset: submission.dataset,
            connection,
            connection_revision,
            state: JobState::Pending,
            total: u32::try_from(accepted.len()).unwrap_or(u32::MAX),
            processed: 0,
            errored: 0,
            bytes: 0,
            created_at: now,
            started_at: None,
            finished_at: None,
            error: None,
        };
        let items = accepted.into_iter().zip(0..).map(|(accepted, index)| ItemRecord {
            item: Item {
                job: id,
                index,
                asset: accepted.asset,
                source_path: accepted.source_path,
                metadata: accepted.metadata,
                state: AssetState::Pending,
                attempts: 0,
                error: None,
                stored: None,
                updated_at: now,
            },
            same_as: accepted.same_as,
        });
        let items = items.collect();
        // On a task of its own: a client that goes away while a job is written must not leave one that nobody works on.
        let engine = Arc::clone(self);
        let written = self.tasks.spawn(async move { engine.take_in(place, job, items).await });
        written.await.map_err(|error| Error::internal("submission_failed", "the job could not be written").with_source(error))?
    }

    /// What did not complete in a job that has ended, as a job of its own: an item ends once.
    pub(super) async fn retry(self: &Arc<Self>, org: &OrgId, ended: JobId, id: JobId) -> Result<Job> {
        let job = self.records.job(org, ended).await?.value;
        if !job.state.is_final() {
            return Err(Error::conflict("job_not_finished", "the job has not ended yet")
                .with_remedy("Wait for its end: what fails for a reason that passes is tried again by itself."));
        }
        let mut assets = Vec::new();
        let mut after = None;
        loop {
            let page = self.records.items(org, ended, after, MAX_SCAN).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.item.index);
            let left = page.into_iter().map(|record| record.item).filter(|item| item.state != AssetState::Completed);
            assets.extend(left.map(|item| (item.source_path, item.metadata)));
        }
        if assets.is_empty() {
            return Err(Error::conflict("nothing_to_retry", "every asset of the job completed"));
        }
        self.submit(org, Submission { id, dataset: job.dataset, connection: Some(job.connection.to_string()), assets }).await
    }

    async fn take_in(self: &Arc<Self>, place: Place<S>, job: Job, items: Vec<ItemRecord>) -> Result<Job> {
        self.records.create(&job, &items).await?;
        tracing::info!(org = %job.org, job = %job.id, dataset = %job.dataset, assets = job.total, "job accepted");
        self.enqueue(place, job.id);
        Ok(job)
    }
}
