//! IAM policy documents: parsed strictly, as AWS does when a policy is saved, and matched against one request.
//!
//! Written from the IAM reference ("Policy evaluation logic", "JSON policy elements"). An element or operator that is not
//! known here is refused when the document is read: a double that ignored it would be kinder than AWS.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::condition::Condition;
use super::glob;
use super::principal::Principal;

/// Condition keys of one request, in lower case. Most have one value; `aws:tagkeys` may have several.
pub type Context = BTreeMap<String, Vec<String>>;

/// Where a document is attached: decides which elements it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Identity,
    Session,
    Bucket,
    Trust,
}

#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    /// `None`: the document is attached to a principal.
    principals: Option<Vec<PrincipalPattern>>,
    actions: Patterns,
    /// `None`: a trust policy, whose resource is its role.
    resources: Option<Patterns>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Patterns {
    Any(Vec<String>),
    Not(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PrincipalPattern {
    Everyone,
    /// Delegates to the account: in an Allow, the account's own policies must allow too.
    Account {
        /// `None`: named by its number alone.
        partition: Option<String>,
        id: String,
    },
    /// A user, a role (and so each of its sessions), or one session.
    Arn(String),
}

/// How precisely an Allow named the caller. Ordered: later is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// Through its account only.
    Account,
    /// Itself: its user, its role, or everyone.
    Itself,
    /// The very session: not limited by the session policy.
    Session,
}

/// One request, as a policy sees it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    /// `s3:GetObject`
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a Context,
}

impl Policy {
    pub fn parse(place: Place, document: &Value) -> Result<Self, String> {
        let document = document.as_object().ok_or("a policy is a JSON object")?;
        only(document, &["Version", "Id", "Statement"])?;
        match document.get("Version").map(|version| version.as_str()) {
            None | Some(Some("2012-10-17" | "2008-10-17")) => {}
            Some(_) => return Err("Version must be 2012-10-17".into()),
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().map(|one| Statement::parse(place, one)).collect::<Result<_, _>>()?,
            Some(one @ Value::Object(_)) => vec![Statement::parse(place, one)?],
            _ => return Err("Statement must hold at least one statement".into()),
        };
        Ok(Self { statements })
    }

    pub fn parse_text(place: Place, text: &str) -> Result<Self, String> {
        Self::parse(place, &serde_json::from_str(text).map_err(|error| error.to_string())?)
    }

    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> bool {
        self.statements.iter().any(|statement| !statement.allow && statement.matches(request).is_some())
    }

    /// The strongest way in which an Allow statement matches. A document attached to a principal names it by that.
    #[must_use]
    pub fn allows(&self, request: &Request<'_>) -> Option<Named> {
        self.statements.iter().filter(|statement| statement.allow).filter_map(|statement| statement.matches(request)).max()
    }

    /// For a bucket policy: each resource it names, to be checked against the bucket when it is saved.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter_map(|statement| statement.resources.as_ref()).flat_map(Patterns::list).map(String::as_str)
    }
}

impl Statement {
    fn parse(place: Place, value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a statement is a JSON object")?;
        only(object, &["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"])?;
        let allow = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("Effect must be Allow or Deny".into()),
        };
        let principals = match (place, object.get("Principal")) {
            (Place::Bucket | Place::Trust, Some(principal)) => Some(principals(principal)?),
            (Place::Bucket | Place::Trust, None) => return Err("a resource policy must name a Principal".into()),
            (Place::Identity | Place::Session, None) => None,
            (Place::Identity | Place::Session, Some(_)) => return Err("a policy of a principal cannot name a Principal".into()),
        };
        let actions = Patterns::parse(object, "Action", "NotAction")?.ok_or("a statement needs Action or NotAction")?;
        if let Some(bad) =
            actions.list().iter().find(|name| *name != "*" && !name.split_once(':').is_some_and(|(service, action)| !service.is_empty() && !action.is_empty()))
        {
            return Err(format!("{bad} is not an action"));
        }
        let resources = Patterns::parse(object, "Resource", "NotResource")?;
        match (place, &resources) {
            (Place::Trust, Some(_)) => return Err("a trust policy cannot have a Resource".into()),
            (Place::Identity | Place::Session | Place::Bucket, None) => return Err("a statement needs Resource or NotResource".into()),
            _ => {}
        }
        let conditions = object.get("Condition").map(Condition::parse_all).transpose()?.unwrap_or_default();
        Ok(Self { allow, principals, actions, resources, conditions })
    }

    fn matches(&self, request: &Request<'_>) -> Option<Named> {
        let named = match &self.principals {
            None => Named::Itself,
            Some(patterns) => patterns.iter().filter_map(|pattern| pattern.names(request.principal)).max()?,
        };
        let fits = self.actions.matches(|pattern| glob::matches(&pattern.to_ascii_lowercase(), &request.action.to_ascii_lowercase()))
            && self.resources.as_ref().is_none_or(|patterns| {
                // A variable without a value matches nothing.
                patterns.matches(|pattern| glob::expand(pattern, request.context).is_some_and(|tokens| glob::run(&tokens, request.resource)))
            })
            && self.conditions.iter().all(|condition| condition.holds(request.context));
        fits.then_some(named)
    }
}

impl Patterns {
    fn parse(object: &Map<String, Value>, name: &str, negated: &str) -> Result<Option<Self>, String> {
        match (object.get(name), object.get(negated)) {
            (Some(_), Some(_)) => Err(format!("{name} and {negated} exclude each other")),
            (Some(list), None) => Ok(Some(Self::Any(strings(list)?))),
            (None, Some(list)) => Ok(Some(Self::Not(strings(list)?))),
            (None, None) => Ok(None),
        }
    }

    fn list(&self) -> &[String] {
        let (Self::Any(list) | Self::Not(list)) = self;
        list
    }

    fn matches(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any(list) => list.iter().any(|pattern| matches(pattern)),
            Self::Not(list) => !list.iter().any(|pattern| matches(pattern)),
        }
    }
}

impl PrincipalPattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Account { partition: None, id: text.to_owned() });
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "iam", "", account, "root"] if account.len() == 12 => {
                Ok(Self::Account { partition: Some((*partition).to_owned()), id: (*account).to_owned() })
            }
            ["arn", _, "iam" | "sts", "", account, resource] if account.len() == 12 && !resource.contains(['*', '?']) => Ok(Self::Arn(text.to_owned())),
            _ => Err(format!("Invalid principal in policy: {text}")),
        }
    }

    fn names(&self, principal: &Principal) -> Option<Named> {
        match self {
            Self::Everyone => Some(Named::Itself),
            Self::Account { partition, id } => {
                let there = partition.as_deref().is_none_or(|partition| principal.partition() == Some(partition));
                (there && principal.account() == Some(id)).then_some(Named::Account)
            }
            Self::Arn(arn) => match principal {
                Principal::Session { .. } if principal.arn() == *arn => Some(Named::Session),
                _ => (principal.policy_arn() == *arn).then_some(Named::Itself),
            },
        }
    }
}

fn principals(value: &Value) -> Result<Vec<PrincipalPattern>, String> {
    match value {
        Value::String(text) if text == "*" => Ok(vec![PrincipalPattern::Everyone]),
        Value::Object(kinds) => {
            only(kinds, &["AWS"])?;
            strings(kinds.get("AWS").ok_or("Principal needs AWS")?)?.iter().map(|text| PrincipalPattern::parse(text)).collect()
        }
        _ => Err("Principal must be \"*\" or {\"AWS\": …}".into()),
    }
}

/// A string or a list of strings, as IAM writes both.
pub(super) fn strings(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(|| "expected a string".to_owned())).collect(),
        _ => Err("expected a string or a list of strings".into()),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    object.keys().find(|key| !known.contains(&key.as_str())).map_or(Ok(()), |key| Err(format!("{key} is not known here")))
}

#[cfg(test)]
mod tests;
