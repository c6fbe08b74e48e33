//! `portcullis job …` and `portcullis asset …`.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::failure::{Done, Failure, Result};
use super::output::{Column, Format, Output};
use super::progress::Progress;

const JOBS: [&str; 4] = ["api", "v1", "ingestion", "jobs"];
const COLUMNS: &[Column] = &[
    ("JOB", "/job_id"),
    ("STATUS", "/status"),
    ("DATASET", "/dataset_id"),
    ("TOTAL", "/total"),
    ("PROCESSED", "/processed"),
    ("ERRORED", "/errored"),
    ("CREATED", "/created_at"),
];
const PROPERTIES: &[Column] = &[
    ("job", "/job_id"),
    ("status", "/status"),
    ("dataset", "/dataset_id"),
    ("connection", "/connection_id"),
    ("total", "/total"),
    ("processed", "/processed"),
    ("errored", "/errored"),
    ("bytes", "/bytes"),
    ("error", "/error/code"),
    ("reason", "/error/message"),
    ("created", "/created_at"),
    ("started", "/started_at"),
    ("finished", "/finished_at"),
];
const ITEMS: &[Column] = &[
    ("ASSET", "/asset_id"),
    ("STATUS", "/status"),
    ("SIZE", "/stored/size"),
    ("ERROR", "/error/code"),
    ("SOURCE PATH", "/source_path"),
    ("REASON", "/error/message"),
];
const ASSET: &[Column] = &[
    ("asset", "/asset_id"),
    ("status", "/status"),
    ("dataset", "/dataset_id"),
    ("source path", "/source_path"),
    ("version", "/version"),
    ("type", "/stored/content_type"),
    ("size", "/stored/size"),
    ("blake3", "/stored/blake3"),
    ("stored at", "/stored/location"),
    ("metadata", "/metadata"),
    ("error", "/error/code"),
    ("reason", "/error/message"),
    ("updated", "/updated_at"),
];

/// Shown when a job ended with errors; `job assets` shows them all.
const ERRORS_SHOWN: usize = 20;
const POLL_FIRST: Duration = Duration::from_millis(50);
const POLL_MOST: Duration = Duration::from_secs(1);
/// A gateway that restarts goes on with the job; so do we.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the jobs, newest first.
    #[command(after_help = "Example:\n  portcullis job list --status failed")]
    List(List),
    /// Show one job.
    #[command(after_help = "Example:\n  portcullis job get 0198c1a2-6f3e-4c1b-9c53-5f0f3a0d7e11")]
    Get(Job),
    /// List a job's assets.
    #[command(after_help = "Example:\n  portcullis job assets 0198c1a2-6f3e-4c1b-9c53-5f0f3a0d7e11 --status error")]
    Assets(Assets),
    /// Wait for a job's end and show the progress. Exits 1 unless each asset was ingested.
    #[command(after_help = "Example:\n  portcullis job wait 0198c1a2-6f3e-4c1b-9c53-5f0f3a0d7e11")]
    Wait(Job),
    /// Try the assets of a job that has ended and did not complete again, as a new job.
    #[command(after_help = "Example:\n  portcullis job retry 0198c1a2-6f3e-4c1b-9c53-5f0f3a0d7e11 --wait")]
    Retry(Retry),
}

#[derive(Subcommand)]
pub(super) enum AssetVerb {
    /// Show one asset.
    #[command(after_help = "Example:\n  portcullis asset get 5b1f0c5e-8a57-5f5a-9d0e-1c2b3a4d5e6f")]
    Get(Asset),
}

#[derive(Args)]
pub(super) struct List {
    /// pending, in_progress, paused, stopping, stopped, completed or failed.
    #[arg(long)]
    status: Option<String>,
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    limit: usize,
}

#[derive(Args)]
pub(super) struct Job {
    /// The job's id.
    id: String,
}

#[derive(Args)]
pub(super) struct Retry {
    /// The id of the job that has ended.
    id: String,
    /// Wait for the new job's end and show the progress. Exits 1 unless each asset was ingested.
    #[arg(long)]
    wait: bool,
}

#[derive(Args)]
pub(super) struct Assets {
    /// The job's id.
    id: String,
    /// pending, received, in_progress, completed or error.
    #[arg(long)]
    status: Option<String>,
    #[arg(long, default_value_t = 10_000, value_name = "COUNT")]
    limit: usize,
}

#[derive(Args)]
pub(super) struct Asset {
    /// The asset's id.
    id: String,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::List(List { status, limit }) => {
                let query: Vec<_> = status.as_deref().map(|status| ("status", status)).into_iter().collect();
                output.rows(COLUMNS, &client.list(&JOBS, &query, limit).await?)
            }
            Self::Get(Job { id }) => output.record(PROPERTIES, &fetch(client, &id).await?),
            Self::Assets(Assets { id, status, limit }) => output.rows(ITEMS, &items(client, &id, status.as_deref(), limit).await?),
            Self::Wait(Job { id }) => wait(client, output, &id).await,
            Self::Retry(Retry { id, wait }) => {
                let path: Vec<_> = JOBS.into_iter().chain([id.as_str(), "retry"]).collect();
                accepted(client, output, &client.post(&path, &[], &Value::Null).await?, wait).await
            }
        }
    }
}

impl AssetVerb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let Self::Get(Asset { id }) = self;
        output.record(ASSET, &client.get(&["api", "v1", "ingestion", "assets", &id], &[]).await?)
    }
}

async fn fetch(client: &Client, id: &str) -> Result<Value> {
    let path: Vec<_> = JOBS.into_iter().chain([id]).collect();
    client.get(&path, &[]).await
}

async fn items(client: &Client, id: &str, status: Option<&str>, limit: usize) -> Result<Vec<Value>> {
    let path: Vec<_> = JOBS.into_iter().chain([id, "assets"]).collect();
    let query: Vec<_> = status.map(|status| ("status", status)).into_iter().collect();
    client.list(&path, &query, limit).await
}

/// A job that was just made: shown, or waited for.
pub(super) async fn accepted(client: &Client, output: Output, job: &Value, to_its_end: bool) -> Done {
    if !to_its_end {
        return output.record(PROPERTIES, job);
    }
    let id = job.get("job_id").and_then(Value::as_str).ok_or_else(|| Failure::Unreachable("the answer holds no job id".to_owned()))?;
    wait(client, output, id).await
}

/// Until the job is final, across restarts of the gateway.
async fn wait(client: &Client, output: Output, id: &str) -> Done {
    let number = |job: &Value, name: &str| job.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut progress: Option<Progress> = None;
    let mut silent_since: Option<Instant> = None;
    let mut pause = POLL_FIRST;
    loop {
        match fetch(client, id).await {
            Ok(job) => {
                silent_since = None;
                let (total, errored) = (number(&job, "total"), number(&job, "errored"));
                let progress = progress.get_or_insert_with(|| Progress::new(output, total));
                progress.at(number(&job, "processed"), total, errored);
                if matches!(job.get("status").and_then(Value::as_str), Some("completed" | "failed" | "stopped")) {
                    progress.finish();
                    return end(client, output, id, &job, errored).await;
                }
            }
            Err(Failure::Unreachable(reason)) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(Failure::Unreachable(reason));
                }
                if let (Some(progress), true) = (&progress, since.elapsed() < pause) {
                    progress.say("the gateway does not answer, trying again");
                }
            }
            Err(other) => return Err(other),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(POLL_MOST);
    }
}

async fn end(client: &Client, output: Output, id: &str, job: &Value, errored: u64) -> Done {
    output.record(PROPERTIES, job)?;
    let status = job.get("status").and_then(Value::as_str).unwrap_or_default();
    if status == "completed" && errored == 0 {
        return Ok(());
    }
    if errored > 0 && output.format == Format::Table {
        output.text("\n")?;
        output.rows(ITEMS, &items(client, id, Some("error"), ERRORS_SHOWN).await?)?;
    }
    Err(Failure::Unsuccessful(format!(
        "the job ended as {status} with {errored} errors; all of them: portcullis job assets {id} --status error; again: portcullis job retry {id}"
    )))
}
