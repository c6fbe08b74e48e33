//! IAM policy documents, rendered ready to paste. Every value in them was validated by whoever passes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Document, Principal};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'static str,
    statement: &'a [Statement],
}

/// One `Allow`. Fields stand in the order that AWS's own examples have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    sid: String,
    effect: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    principal: BTreeMap<&'static str, String>,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Statement {
    #[must_use]
    pub fn allow(sid: &str, action: &str) -> Self {
        Self { sid: sid.to_owned(), effect: "Allow", principal: BTreeMap::new(), action: action.to_owned(), resource: None, condition: BTreeMap::new() }
    }

    /// Who is allowed, in a policy that is attached to what is protected.
    #[must_use]
    pub fn to_role(mut self, arn: &str) -> Self {
        self.principal.insert("AWS", arn.to_owned());
        self
    }

    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    #[must_use]
    pub fn if_equals(mut self, key: &str, value: &str) -> Self {
        self.condition.entry("StringEquals").or_default().insert(key.to_owned(), value.to_owned());
        self
    }
}

/// Reading a bucket and no more: list on the bucket, get on its objects.
#[must_use]
pub fn read_bucket(partition: &str, bucket: &str) -> [Statement; 2] {
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    [Statement::allow("ListBucket", "s3:ListBucket").on(&bucket), Statement::allow("GetObjects", "s3:GetObject").on(format!("{bucket}/*"))]
}

/// Who may assume a role: the gateway, with the connection's external id, always (SPEC P5, L2).
#[must_use]
pub fn trust(principal: &Principal, external_id: &str) -> Document {
    let statement = Statement::allow("AssumeWithExternalId", "sts:AssumeRole").to_role(&principal.role_arn).if_equals("sts:ExternalId", external_id);
    document("Trust policy", &[statement])
}

/// A policy as a document to paste.
#[must_use]
pub fn document(title: &str, statements: &[Statement]) -> Document {
    let policy = Policy { version: "2012-10-17", statement: statements };
    Document { title: title.to_owned(), language: "json".to_owned(), body: serde_json::to_string_pretty(&policy).unwrap_or_default() }
}
