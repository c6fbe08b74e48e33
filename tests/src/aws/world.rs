//! What exists: users, roles, sessions, buckets, objects. In memory, with a limit on each.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fixture::{Fixture, Keys};
use super::partition;
use super::policy::{Place, Policy};
use super::principal::Principal;
use super::sigv4::sha256_hex;

const MAX_BYTES: usize = 512 << 20;
const MAX_SESSIONS: usize = 100_000;

#[derive(Default)]
pub struct World {
    users: HashMap<String, User>,
    /// Of the accounts, by id.
    partitions: HashMap<String, &'static str>,
    /// By account and name.
    roles: HashMap<(String, String), Role>,
    /// By access key.
    sessions: HashMap<String, Session>,
    buckets: BTreeMap<String, Bucket>,
    bytes: usize,
}

#[derive(Clone)]
pub struct User {
    pub partition: &'static str,
    pub account: String,
    pub name: String,
    pub secret: String,
    pub policy: Option<Policy>,
}

#[derive(Clone)]
pub struct Role {
    pub trust: Policy,
    pub policy: Option<Policy>,
    pub max_session: i64,
    /// Sessions end so soon, whatever was asked for.
    pub ends_after: Option<i64>,
}

#[derive(Clone)]
pub struct Session {
    pub principal: Principal,
    pub secret: String,
    pub token: String,
    pub expires: OffsetDateTime,
    /// `aws:PrincipalTag/…`
    pub tags: BTreeMap<String, String>,
    /// Those that a further session inherits.
    pub transitive: Vec<String>,
    pub policy: Option<Policy>,
}

pub struct Bucket {
    pub account: String,
    pub region: String,
    pub policy: Option<Policy>,
    pub objects: BTreeMap<String, Object>,
}

impl Bucket {
    #[must_use]
    pub fn arn(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", partition::of_region(&self.region))
    }
}

#[derive(Clone)]
pub struct Object {
    pub content: Content,
    /// Quoted. Opaque, as AWS says of its own: here a part of the SHA-256.
    pub etag: String,
    pub content_type: String,
    pub modified: OffsetDateTime,
}

#[derive(Clone)]
pub enum Content {
    Bytes(Bytes),
    Generated(u64),
}

impl Content {
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Generated(size) => *size,
        }
    }
}

/// Whose access key it is.
pub enum Holder {
    User(User),
    Session(Session),
}

impl Holder {
    pub fn partition(&self) -> Option<&'static str> {
        match self {
            Self::User(user) => Some(user.partition),
            Self::Session(session) => session.principal.partition(),
        }
    }
}

impl World {
    pub fn load(&mut self, fixture: &Fixture) -> Result<(), String> {
        for account in &fixture.accounts {
            if account.id.len() != 12 || !account.id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format!("{} is not an account id", account.id));
            }
            let name = account.partition.as_deref().unwrap_or(partition::FIRST);
            let partition = partition::named(name).ok_or_else(|| format!("{name} is not a partition"))?;
            self.partitions.insert(account.id.clone(), partition);
            for user in &account.users {
                let keys = user.keys.clone().unwrap_or_else(|| keys("AKIA"));
                let policy = parse(Place::Identity, user.policy.as_ref(), &user.name)?;
                let user = User { partition, account: account.id.clone(), name: user.name.clone(), secret: keys.secret_access_key, policy };
                self.users.insert(keys.access_key_id, user);
            }
            for role in &account.roles {
                let trust = Policy::parse(Place::Trust, &role.trust).map_err(|problem| format!("{}: {problem}", role.name))?;
                let policy = parse(Place::Identity, role.policy.as_ref(), &role.name)?;
                self.roles
                    .insert((account.id.clone(), role.name.clone()), Role { trust, policy, max_session: role.max_session.unwrap_or(3600), ends_after: None });
            }
            for bucket in &account.buckets {
                if partition::of_region(&bucket.region) != partition {
                    return Err(format!("{}: {partition} has no region {}", bucket.name, bucket.region));
                }
                if self.buckets.contains_key(&bucket.name) {
                    return Err(format!("{}: BucketAlreadyExists", bucket.name));
                }
                self.buckets
                    .insert(bucket.name.clone(), Bucket { account: account.id.clone(), region: bucket.region.clone(), policy: None, objects: BTreeMap::new() });
                self.set_bucket_policy(&bucket.name, bucket.policy.as_ref())?;
                for object in &bucket.objects {
                    self.put(&bucket.name, &object.key, Content::Bytes(object.bytes()?.into()), object.content_type.as_deref())?;
                }
            }
        }
        Ok(())
    }

    /// All of it or, if the fixture is wrong, none.
    pub fn replace(&mut self, fixture: &Fixture) -> Result<(), String> {
        let mut next = Self::default();
        next.load(fixture)?;
        let mut users = std::mem::take(&mut self.users);
        users.extend(next.users);
        next.users = users;
        next.sessions = std::mem::take(&mut self.sessions);
        *self = next;
        Ok(())
    }

    pub fn put(&mut self, bucket: &str, key: &str, content: Content, content_type: Option<&str>) -> Result<(), String> {
        if key.is_empty() || key.len() > 1024 {
            return Err("a key has 1 to 1024 bytes".into());
        }
        if !self.buckets.contains_key(bucket) {
            return Err("NoSuchBucket".into());
        }
        self.remove(bucket, key);
        let etag = match &content {
            Content::Bytes(bytes) => {
                self.bytes += bytes.len();
                sha256_hex(bytes)
            }
            Content::Generated(size) => sha256_hex(format!("generated {size}").as_bytes()),
        };
        if self.bytes > MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} bytes in the double"));
        }
        let bucket = self.buckets.get_mut(bucket).ok_or("NoSuchBucket")?;
        let content_type = content_type.map_or_else(|| guess(key), str::to_owned);
        let etag = format!("\"{}\"", etag.get(..32).unwrap_or(&etag));
        bucket.objects.insert(key.to_owned(), Object { content, etag, content_type, modified: OffsetDateTime::now_utc() });
        Ok(())
    }

    pub fn remove(&mut self, bucket: &str, key: &str) {
        if let Some(Object { content: Content::Bytes(bytes), .. }) = self.buckets.get_mut(bucket).and_then(|bucket| bucket.objects.remove(key)) {
            self.bytes -= bytes.len();
        }
    }

    pub fn set_trust(&mut self, account: &str, role: &str, document: &Value) -> Result<(), String> {
        let trust = Policy::parse(Place::Trust, document)?;
        self.roles.get_mut(&(account.to_owned(), role.to_owned())).ok_or("NoSuchEntity")?.trust = trust;
        Ok(())
    }

    pub fn set_ends_after(&mut self, account: &str, role: &str, seconds: Option<i64>) -> Result<(), String> {
        self.roles.get_mut(&(account.to_owned(), role.to_owned())).ok_or("NoSuchEntity")?.ends_after = seconds;
        Ok(())
    }

    pub fn set_bucket_policy(&mut self, name: &str, document: Option<&Value>) -> Result<(), String> {
        let policy = parse(Place::Bucket, document, name)?;
        let bucket = self.buckets.get_mut(name).ok_or("NoSuchBucket")?;
        let arn = bucket.arn(name);
        let own = |resource: &str| resource == arn || resource.strip_prefix(&arn).is_some_and(|rest| rest.starts_with('/'));
        if let Some(foreign) = policy.iter().flat_map(Policy::resources).find(|resource| !own(resource)) {
            return Err(format!("Policy has invalid resource {foreign}"));
        }
        bucket.policy = policy;
        Ok(())
    }

    pub fn keys_of(&self, account: &str, name: &str) -> Option<Keys> {
        let (key, user) = self.users.iter().find(|(_, user)| user.account == account && user.name == name)?;
        Some(Keys { access_key_id: key.clone(), secret_access_key: user.secret.clone(), session_token: None })
    }

    pub fn sessions(&self) -> Vec<(String, String)> {
        self.sessions.values().map(|session| (session.secret.clone(), session.token.clone())).collect()
    }

    pub fn holder(&self, access_key: &str) -> Option<Holder> {
        let user = self.users.get(access_key).cloned().map(Holder::User);
        user.or_else(|| self.sessions.get(access_key).cloned().map(Holder::Session))
    }

    /// In which an account is.
    pub fn partition(&self, account: &str) -> &'static str {
        self.partitions.get(account).copied().unwrap_or(partition::FIRST)
    }

    pub fn role(&self, account: &str, name: &str) -> Option<&Role> {
        self.roles.get(&(account.to_owned(), name.to_owned()))
    }

    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    /// Returns its keys. Expired ones make room first.
    pub fn open_session(&mut self, now: OffsetDateTime, session: impl FnOnce(&Keys) -> Session) -> Option<Keys> {
        // A session stays for a while after its end, so that its use is answered as expired and not as unknown.
        if self.sessions.len() >= MAX_SESSIONS {
            self.sessions.retain(|_, session| session.expires > now);
        }
        let mut keys = keys("ASIA");
        keys.session_token = Some(format!("FwoGZXIvYXdzE{}{}{}", random(), random(), random()));
        (self.sessions.len() < MAX_SESSIONS).then(|| {
            self.sessions.insert(keys.access_key_id.clone(), session(&keys));
            keys
        })
    }
}

fn parse(place: Place, document: Option<&Value>, of: &str) -> Result<Option<Policy>, String> {
    document.map(|document| Policy::parse(place, document).map_err(|problem| format!("{of}: {problem}"))).transpose()
}

fn keys(prefix: &str) -> Keys {
    let id: String = random().to_ascii_uppercase().chars().take(16).collect();
    Keys { access_key_id: format!("{prefix}{id}"), secret_access_key: format!("{}{}", random(), random()).chars().take(40).collect(), session_token: None }
}

fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

fn guess(key: &str) -> String {
    let extension = key.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "csv" => "text/csv",
        "json" => "application/json",
        "txt" => "text/plain",
        "js" => "text/javascript",
        _ => "binary/octet-stream",
    }
    .to_owned()
}
