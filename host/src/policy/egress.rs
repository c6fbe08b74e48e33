//! What a connection may reach, expanded by the host from templates and validated settings.

use serde_json::Value;

use crate::model::{BucketName, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressRule {
    /// `bucket: None` means any bucket (the default connection: bucket policies decide). `prefix`: byte prefix of keys.
    S3 { bucket: Option<BucketName>, prefix: String },
    /// `host`: lower-case ASCII (IDNA) without a trailing dot. `path_prefix`: "" or begins with '/'; matched on whole segments.
    Web { plain_http: bool, host: String, port: u16, path_prefix: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress(pub Vec<EgressRule>);

impl Egress {
    /// Templates: `s3://*`, `s3://{settings.bucket_name}`, `https://{settings.hostname}:{settings.port}/{settings.path_prefix}`.
    /// A placeholder whose setting is absent drops its part (port, path). Each value is one label, port or path; nothing is concatenated unchecked.
    pub fn expand(_templates: &[String], _settings: &Value, _allow_http: bool) -> Result<Self> {
        todo!()
    }
}
