//! Ingestion: a job, its items (units of work) and the assets they become.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AssetId, ConnectionId, DatasetId, Error, JobId, OrgId, SourcePath, Timestamp};

/// Flat: bool, integer, number, string (a date-time is a string in RFC 3339).
pub type Metadata = BTreeMap<String, Value>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Pending,
    InProgress,
    Paused,
    Stopping,
    Stopped,
    Completed,
    Failed,
}

impl JobState {
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetState {
    Pending,
    Received,
    InProgress,
    Completed,
    Error,
}

/// What is set for a dataset as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dataset {
    pub id: DatasetId,
    pub org: OrgId,
    /// SPEC L14: what a submission goes through that names none.
    pub default_connection: Option<ConnectionId>,
    pub updated_at: Timestamp,
}

/// The connection and its revision are pinned when the job is accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub org: OrgId,
    pub dataset: DatasetId,
    pub connection: ConnectionId,
    pub connection_revision: u64,
    pub state: JobState,
    pub total: u32,
    pub processed: u32,
    pub errored: u32,
    pub bytes: u64,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Why the whole job failed, if it did.
    pub error: Option<ItemError>,
}

/// One unit of work, keyed by (job, index). `Completed` and `Error` are final.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    pub job: JobId,
    pub index: u32,
    pub asset: AssetId,
    pub source_path: SourcePath,
    pub metadata: Metadata,
    pub state: AssetState,
    pub attempts: u32,
    pub error: Option<ItemError>,
    pub stored: Option<Stored>,
    pub updated_at: Timestamp,
}

/// Why an item failed: a stable code (SPEC C35) and a readable reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemError {
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl From<&Error> for ItemError {
    fn from(error: &Error) -> Self {
        Self { code: error.code().to_owned(), message: error.message().to_owned(), remedy: Some(error.advice().to_owned()) }
    }
}

/// What the sink holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// BLAKE3 of the bytes, hex: also their address in a local sink.
    pub blake3: String,
    pub size: u64,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    /// Where in the sink.
    pub location: String,
}

/// An object once ingested: the same source path in a dataset is one asset with versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asset {
    pub id: AssetId,
    pub org: OrgId,
    pub dataset: DatasetId,
    pub connection: ConnectionId,
    pub source_path: SourcePath,
    pub metadata: Metadata,
    pub state: AssetState,
    pub error: Option<ItemError>,
    pub stored: Option<Stored>,
    /// Counts changes of content; 0 until the first is stored.
    pub version: u32,
    /// The job that touched it last.
    pub job: JobId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
