//! IAM policies as data, and the ones that let a gateway read. Every value in them was validated by whoever passes it.

use super::node::{Node, map};
use crate::Principal;

/// One `Allow`. Fields are written in the order that AWS's own examples have.
#[derive(Clone, Debug)]
pub struct Statement {
    sid: String,
    principal: Option<String>,
    action: String,
    resource: Option<String>,
    conditions: Vec<(&'static str, String, String)>,
}

impl Statement {
    #[must_use]
    pub fn allow(sid: &str, action: &str) -> Self {
        Self { sid: sid.to_owned(), principal: None, action: action.to_owned(), resource: None, conditions: Vec::new() }
    }

    /// Who is allowed, in a policy that is attached to what is protected.
    #[must_use]
    pub fn to_role(mut self, arn: &str) -> Self {
        self.principal = Some(arn.to_owned());
        self
    }

    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    #[must_use]
    pub fn if_equals(mut self, key: &str, value: &str) -> Self {
        self.conditions.push(("StringEquals", key.to_owned(), value.to_owned()));
        self
    }

    /// `pattern`: `*` and `?` match; see [`literal`].
    #[must_use]
    pub fn if_like(mut self, key: &str, pattern: &str) -> Self {
        self.conditions.push(("StringLike", key.to_owned(), pattern.to_owned()));
        self
    }

    fn node(&self) -> Node {
        let mut fields = vec![("Sid", Node::text(&self.sid)), ("Effect", Node::text("Allow"))];
        if let Some(arn) = &self.principal {
            fields.push(("Principal", map([("AWS", Node::text(arn))])));
        }
        fields.push(("Action", Node::text(&self.action)));
        if let Some(resource) = &self.resource {
            fields.push(("Resource", Node::text(resource)));
        }
        if !self.conditions.is_empty() {
            // Each operator once: no connector has two conditions of one kind.
            let conditions = self.conditions.iter().map(|(operator, key, value)| (*operator, map([(key.as_str(), Node::text(value))])));
            fields.push(("Condition", map(conditions)));
        }
        map(fields)
    }
}

/// The whole policy.
pub(super) fn policy(statements: &[Statement]) -> Node {
    map([("Version", Node::text("2012-10-17")), ("Statement", Node::List(statements.iter().map(Statement::node).collect()))])
}

/// Text in a resource or a pattern: `*`, `?` and `$` would otherwise mean something (IAM policy variables).
#[must_use]
pub fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '$' => escaped.extend(["${", character.encode_utf8(&mut [0; 4]), "}"]),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Reading a bucket and no more: list on the bucket, get on its objects; with a prefix, below it only (SPEC C7, C9).
#[must_use]
pub fn read_bucket(partition: &str, bucket: &str, prefix: Option<&str>) -> [Statement; 2] {
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let below = format!("{}*", literal(prefix.unwrap_or_default()));
    let list = Statement::allow("ListBucket", "s3:ListBucket").on(&bucket);
    let list = if prefix.is_some() { list.if_like("s3:prefix", &below) } else { list };
    [list, Statement::allow("GetObjects", "s3:GetObject").on(format!("{bucket}/{below}"))]
}

/// Who may assume a role: the gateway, with the connection's external id, always (SPEC P5, L2).
#[must_use]
pub fn trust(principal: &Principal, external_id: &str) -> Statement {
    Statement::allow("AssumeWithExternalId", "sts:AssumeRole").to_role(&principal.role_arn).if_equals("sts:ExternalId", external_id)
}
