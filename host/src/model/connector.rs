//! What a plugin says of itself and answers, apart from plans.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plugin may be allowed to do beyond planning. `Log` is always granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Aws,
    Http,
    /// An empty WASI, for languages that need one to start.
    Wasi,
}

impl Capability {
    pub const ALL: [Self; 3] = [Self::Aws, Self::Http, Self::Wasi];
}

/// The answer of `describe`, validated: the catalogue's entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// `[a-z][a-z0-9_]{2,63}`: the connection's `type`.
    pub id: String,
    pub title: String,
    pub version: String,
    pub summary: String,
    /// JSON Schema 2020-12 of the settings; a secret property is marked `writeOnly`.
    pub settings: Value,
    /// The schemes of source paths that it understands, as `s3` or `https`.
    pub source_schemes: Vec<String>,
    /// Egress templates, as `https://{settings.hostname}` or `s3://{settings.bucket_name}`.
    pub egress: Vec<String>,
    pub capabilities: Vec<Capability>,
}

/// Who the gateway is, as customers' policies must name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub platform_name: String,
    pub account_id: String,
    pub role_arn: String,
    pub organization: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub title: String,
    /// `json`, `hcl`, `sh` or `text`.
    pub language: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupStep {
    pub title: String,
    pub text: String,
    pub documents: Vec<Document>,
}

/// One result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub check: String,
    pub passed: bool,
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// A source path that `locate` accepts.
    pub path: String,
    pub size: Option<u64>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub prefixes: Vec<String>,
    pub next: Option<String>,
}
