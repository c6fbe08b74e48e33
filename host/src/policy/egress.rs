//! What a connection may reach, expanded by the host from templates and validated settings.

use std::fmt;

use serde_json::Value;

use super::{AddressPolicy, Template};
use crate::model::{BucketName, Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressRule {
    /// `bucket: None` means any bucket (the default connection: bucket policies decide). `prefix`: byte prefix of keys.
    S3 { bucket: Option<BucketName>, prefix: String },
    /// `host`: lower-case ASCII (IDNA) without a trailing dot. `path_prefix`: "" or begins with '/'; matched on whole segments.
    Web { plain_http: bool, host: String, port: u16, path_prefix: String },
}

/// No rule: nothing may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress(pub Vec<EgressRule>);

impl Egress {
    /// For templates see `Template`. `Invalid` with a pointer to each setting that does not fit its template.
    pub fn expand(templates: &[String], settings: &Value, addresses: &AddressPolicy) -> Result<Self> {
        let mut rules = Vec::new();
        let mut wrong = Vec::new();
        for template in templates {
            match Template::parse(template)?.expand(settings, addresses) {
                Ok(Some(rule)) if !rules.contains(&rule) => rules.push(rule),
                Ok(_) => {}
                Err(field) if !wrong.contains(&field) => wrong.push(field),
                Err(_) => {}
            }
        }
        if wrong.is_empty() { Ok(Self(rules)) } else { Err(Error::fields(wrong)) }
    }

    /// Also for a listing: the prefix that is listed must begin with the rule's.
    pub(super) fn covers_key(&self, bucket: &BucketName, key: &str) -> bool {
        self.0.iter().any(|rule| matches!(rule, EgressRule::S3 { prefix, .. } if rule.covers_bucket(bucket) && key.starts_with(prefix.as_str())))
    }

    pub(super) fn covers_bucket(&self, bucket: &BucketName) -> bool {
        self.0.iter().any(|rule| rule.covers_bucket(bucket))
    }

    pub(super) fn web(&self, is_http: bool, at_host: &str, at_port: u16) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |rule| match rule {
            EgressRule::Web { plain_http, host, port, path_prefix } if *plain_http == is_http && host == at_host && *port == at_port => {
                Some(path_prefix.as_str())
            }
            EgressRule::Web { .. } | EgressRule::S3 { .. } => None,
        })
    }
}

impl EgressRule {
    fn covers_bucket(&self, asked: &BucketName) -> bool {
        matches!(self, Self::S3 { bucket, .. } if bucket.as_ref().is_none_or(|bucket| bucket == asked))
    }
}

/// As an operator reads it: `https://assets.example:443/media`, `s3://bucket/train/`, `s3://*`.
impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => {
                let slash = if prefix.is_empty() { "" } else { "/" };
                write!(f, "s3://{}{slash}{prefix}", bucket.as_ref().map_or("*", BucketName::as_str))
            }
            Self::Web { plain_http, host, port, path_prefix } => write!(f, "{}://{host}:{port}{path_prefix}", if *plain_http { "http" } else { "https" }),
        }
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, rule) in self.0.iter().enumerate() {
            write!(f, "{}{rule}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
