//! A remote that is played: it has every object, until it is told to fail. Remembers who was asked for what, with which credential.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::broker::{ExternalIdVerdict, Identity};
use crate::model::{Credential, Entry, Error, ObjectMeta, Page, Region, Result};
use crate::policy::{Permit, Resource, S3Read};
use crate::runtime::{Head, Remote};

/// Objects below whatever prefix is listed.
pub const OBJECTS: usize = 25;
pub const OTHER_ACCOUNT: &str = "999999999999";

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    Acquire,
    Identity,
    Probe,
    Region,
    Head,
    Read,
    List,
    Document,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refused,
    NotFound,
    Unavailable,
    /// The gateway gave up waiting.
    Slow,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub what: Ask,
    pub credential: Credential,
    /// `s3://bucket/key or prefix`, or a URL.
    pub place: Option<String>,
}

/// How the remote behaves from now on.
#[derive(Clone, Debug)]
pub struct Mood {
    pub fault: Option<Fault>,
    /// The one thing that fails; everything unless given.
    pub only: Option<Ask>,
    pub verdict: ExternalIdVerdict,
    /// The session is somebody else's.
    pub other_account: bool,
    pub document: &'static str,
}

impl Default for Mood {
    fn default() -> Self {
        Self { fault: None, only: None, verdict: ExternalIdVerdict::Secure, other_account: false, document: "" }
    }
}

#[derive(Default)]
struct State {
    mood: Mood,
    asked: Vec<Asked>,
}

#[derive(Default)]
pub struct Script(Mutex<State>);

impl Fault {
    pub const ALL: [Self; 4] = [Self::Refused, Self::NotFound, Self::Unavailable, Self::Slow];

    fn error(self) -> Error {
        match self {
            Self::Refused => Error::rejected("permission_denied", "the remote refused the credential"),
            Self::NotFound => Error::not_found("file_not_found", "the remote has nothing there"),
            Self::Unavailable => Error::unavailable("upstream_unavailable", "the remote failed"),
            Self::Slow => Error::unavailable("host_call_timeout", "no answer within 10 s"),
        }
    }
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Behaves like this from now on, and forgets what it was asked.
    pub fn play(&self, mood: Mood) {
        *self.state() = State { mood, asked: Vec::new() };
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    fn ask(&self, what: Ask, permit: &Permit) -> Result<Mood> {
        let place = match permit.resource() {
            Resource::S3(S3Read::Object(object)) => Some(format!("s3://{}/{}", object.bucket, object.key)),
            Resource::S3(S3Read::Bucket { bucket, prefix }) => Some(format!("s3://{bucket}/{prefix}")),
            Resource::Web(request) => Some(request.url.to_string()),
            Resource::Session => None,
        };
        let mut state = self.state();
        state.asked.push(Asked { what, credential: permit.credential().clone(), place });
        match state.mood.fault {
            Some(fault) if state.mood.only.is_none_or(|only| only == what) => Err(fault.error()),
            _ => Ok(state.mood.clone()),
        }
    }
}

/// A page of a bucket: the cursor is where it begins.
fn page(bucket: &str, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
    let wrong = || Error::invalid("invalid_cursor", "this cursor is not one of the remote's");
    let start: usize = cursor.map_or(Ok(0), |text| text.parse().map_err(|_| wrong()))?;
    let end = start.saturating_add(usize::try_from(limit).unwrap_or(OBJECTS)).min(OBJECTS);
    if start > OBJECTS {
        return Err(wrong());
    }
    let entry = |number: usize| Entry {
        path: format!("s3://{bucket}/{prefix}kit-{number:02}.jpg"),
        size: Some(7),
        etag: Some("\"kit\"".to_owned()),
        last_modified: None,
    };
    Ok(Page { entries: (start..end).map(entry).collect(), prefixes: Vec::new(), next: (end < OBJECTS).then(|| end.to_string()) })
}

#[async_trait]
impl Remote for Script {
    async fn acquire(&self, permit: Permit) -> Result<u32> {
        self.ask(Ask::Acquire, &permit).map(|_| 3600)
    }

    async fn caller_identity(&self, permit: Permit) -> Result<Identity> {
        let mood = self.ask(Ask::Identity, &permit)?;
        let account = match permit.credential() {
            Credential::AwsAssumeRole(role) if !mood.other_account => role.role_arn.account().to_owned(),
            _ if mood.other_account => OTHER_ACCOUNT.to_owned(),
            _ => "111122223333".to_owned(),
        };
        Ok(Identity { arn: format!("arn:aws:sts::{account}:assumed-role/kit/kit"), account })
    }

    async fn probe_external_id(&self, permit: Permit) -> Result<ExternalIdVerdict> {
        self.ask(Ask::Probe, &permit).map(|mood| mood.verdict)
    }

    async fn bucket_region(&self, permit: Permit) -> Result<Region> {
        self.ask(Ask::Region, &permit)?;
        match permit.credential() {
            Credential::AwsAssumeRole(role) => role.region.clone().map_or_else(|| Region::new("us-east-1"), Ok),
            _ => Region::new("us-east-1"),
        }
    }

    async fn head(&self, permit: Permit) -> Result<Head> {
        self.ask(Ask::Head, &permit)?;
        let meta = ObjectMeta {
            content_length: Some(7),
            content_type: Some("image/jpeg".to_owned()),
            etag: Some("\"kit\"".to_owned()),
            accept_ranges: Some("bytes".to_owned()),
            ..ObjectMeta::default()
        };
        Ok(Head { status: 200, meta })
    }

    async fn probe_read(&self, permit: Permit) -> Result<()> {
        self.ask(Ask::Read, &permit).map(drop)
    }

    async fn list(&self, permit: Permit, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.ask(Ask::List, &permit)?;
        match permit.resource() {
            Resource::S3(S3Read::Bucket { bucket, prefix }) => page(bucket.as_str(), prefix, cursor, limit),
            Resource::S3(S3Read::Object(_)) | Resource::Web(_) | Resource::Session => Err(Error::invalid("not_a_bucket", "only a bucket can be listed")),
        }
    }

    async fn document(&self, permit: Permit, limit: usize) -> Result<String> {
        let mood = self.ask(Ask::Document, &permit)?;
        Ok(mood.document.chars().take(limit).collect())
    }
}
