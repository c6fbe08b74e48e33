//! What there is in AWS before a test: accounts, users, roles, buckets, objects. One document fills the double and the referee.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    pub accounts: Vec<Account>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// `aws` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    #[serde(default)]
    pub users: Vec<User>,
    #[serde(default)]
    pub roles: Vec<Role>,
    #[serde(default)]
    pub buckets: Vec<Bucket>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// Fixed keys, for a demonstration; otherwise the double makes some. A referee always makes its own.
    #[serde(default, skip_serializing)]
    pub keys: Option<Keys>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// May have a path: `path/to/name`.
    pub name: String,
    pub trust: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// Seconds; 3600 when absent, as in AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    pub name: String,
    pub region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    #[serde(default)]
    pub objects: Vec<Object>,
}

/// One of `text`, `base64`, `file`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Relative to the working directory of whoever reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// No `Debug` of the secret: a failed assertion prints what it holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.access_key_id)
    }
}

impl Fixture {
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Begins a fixture: `Fixture::new().account("111122223333", |account| account.bucket(…))`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn account(mut self, id: &str, fill: impl FnOnce(Account) -> Account) -> Self {
        self.accounts.push(fill(Account { id: id.to_owned(), ..Account::default() }));
        self
    }
}

impl Account {
    #[must_use]
    pub fn partition(mut self, name: &str) -> Self {
        self.partition = Some(name.to_owned());
        self
    }

    #[must_use]
    pub fn user(mut self, name: &str, policy: Option<Value>) -> Self {
        self.users.push(User { name: name.to_owned(), policy, keys: None });
        self
    }

    #[must_use]
    pub fn role(mut self, name: &str, trust: Value, policy: Option<Value>) -> Self {
        self.roles.push(Role { name: name.to_owned(), trust, policy, max_session: None });
        self
    }

    #[must_use]
    pub fn bucket(mut self, name: &str, region: &str, policy: Option<Value>, objects: &[(&str, &[u8])]) -> Self {
        let objects = objects.iter().map(|(key, bytes)| Object { key: (*key).to_owned(), base64: Some(STANDARD.encode(bytes)), ..Object::default() }).collect();
        self.buckets.push(Bucket { name: name.to_owned(), region: region.to_owned(), policy, objects });
        self
    }
}

impl Object {
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.text, &self.base64, &self.file) {
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(base64), None) => STANDARD.decode(base64).map_err(|error| format!("{}: {error}", self.key)),
            (None, None, Some(file)) => std::fs::read(file).map_err(|error| format!("{file}: {error}")),
            _ => Err(format!("{}: needs one of text, base64, file", self.key)),
        }
    }
}
