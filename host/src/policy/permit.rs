//! Grants and permits: the proof, as a type, that a plan's target was judged. Only this module makes a `Permit`.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;

use super::web::{self, WIDEN, WebRequest};
use super::{AddressPolicy, Egress, credential};
use crate::model::{
    BucketName, By, Capability, Connection, Credential, Description, Error, HttpObject, Location, ObjectKey, Result, S3Object, Target, Timestamp,
};

/// A connection as it may be used: its record, its egress, what its plugin was granted. Made once for each version of a connection.
#[derive(Clone)]
pub struct Grant {
    pub connection: Connection,
    pub egress: Egress,
    pub capabilities: BTreeSet<Capability>,
    /// Sessions and tokens obtained earlier are left to others: a test wants to know what the remote says now.
    pub asked_anew: Option<Timestamp>,
    /// Who uses it, where a request does not say so itself.
    pub by: By,
}

/// What is asked of the remote. All of them read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    Head,
    List,
    /// Open a session, ask who one belongs to or where a bucket is; nothing of the customer's data is touched.
    Identify,
}

/// A judged S3 target. `Bucket`: for listing and for its region.
#[derive(Clone, Debug)]
pub enum S3Read {
    Object(S3Object),
    Bucket { bucket: BucketName, prefix: String },
}

#[derive(Clone, Debug)]
pub enum Resource {
    S3(S3Read),
    Web(WebRequest),
    /// `Action::Identify` only.
    Session,
}

/// Permission for one request. The broker takes it by value.
pub struct Permit {
    grant: Arc<Grant>,
    action: Action,
    resource: Resource,
    credential: Credential,
    token_url: Option<Url>,
}

impl Grant {
    /// Expands the egress. `Invalid` with field pointers when a setting does not fit its template.
    pub fn new(connection: Connection, description: &Description, capabilities: BTreeSet<Capability>, addresses: &AddressPolicy) -> Result<Self> {
        let egress = Egress::expand(&description.egress, &connection.settings, addresses)?;
        Ok(Self { connection, egress, capabilities, asked_anew: None, by: By::GATEWAY })
    }

    /// For a test that begins `now`.
    #[must_use]
    pub fn anew(&self, now: Timestamp) -> Self {
        Self { asked_anew: Some(now), ..self.clone() }
    }

    #[must_use]
    pub fn used_by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }

    /// Judges one location of a plan: scheme, host, port, path, bucket and key inside the egress; credential's kind fits the
    /// target and names secrets that the connection has; headers from the allow-list. `Denied` (`scope_violation`,
    /// `header_not_allowed`, `credential_not_allowed`, `secret_not_set`, `partition_mismatch`) or `Conflict` (`role_not_set`).
    pub fn permit(self: &Arc<Self>, action: Action, location: &Location, credentials: &[Credential]) -> Result<Permit> {
        let credential = credentials
            .get(location.credential)
            .ok_or_else(|| Error::plugin_fault("unknown_credential", "the plan names a credential that it does not have"))?;
        match &location.target {
            Target::S3(object) => self.permit_s3(action, object, credential),
            Target::Http(object) => self.permit_http(action, object, credential),
        }
    }

    pub fn permit_http(self: &Arc<Self>, action: Action, object: &HttpObject, credential: &Credential) -> Result<Permit> {
        let url = web::judge(&object.url, &self.egress)?;
        let headers = web::headers(&object.headers)?;
        let token_url = credential::for_web(credential, &self.connection, &self.egress)?;
        Ok(Permit { token_url, ..self.permitted(action, Resource::Web(WebRequest { url, headers }), credential) })
    }

    pub fn permit_s3(self: &Arc<Self>, action: Action, object: &S3Object, credential: &Credential) -> Result<Permit> {
        if !self.egress.covers_key(&object.bucket, object.key.as_str()) {
            return Err(self.outside(&format!("this key of the bucket {}", object.bucket)));
        }
        if object.version_id.as_ref().is_some_and(|version| !(1..=1024).contains(&version.len()) || !version.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Error::denied("scope_violation", "a version id is 1 to 1024 visible ASCII characters").with_remedy("Check the version id."));
        }
        credential::for_s3(credential, object.region.as_ref())?;
        Ok(self.permitted(action, Resource::S3(S3Read::Object(object.clone())), credential))
    }

    /// For a listing of the keys that begin with `prefix`.
    pub fn permit_bucket(self: &Arc<Self>, bucket: &str, prefix: &str, credential: &Credential) -> Result<Permit> {
        let bucket = BucketName::new(bucket).map_err(|error| error.below("/bucket"))?;
        if !prefix.is_empty() {
            // A prefix is a key's beginning; `a/..` may well begin `a/..b`, but is refused like a key.
            ObjectKey::new(prefix).map_err(|error| error.below("/prefix"))?;
        }
        if !self.egress.covers_key(&bucket, prefix) {
            return Err(self.outside(&format!("this prefix of the bucket {bucket}")));
        }
        credential::for_s3(credential, None)?;
        Ok(self.permitted(Action::List, Resource::S3(S3Read::Bucket { bucket, prefix: prefix.to_owned() }), credential))
    }

    /// For asking where a bucket is: any bucket of the egress, whatever prefix the egress is held to.
    pub fn permit_bucket_region(self: &Arc<Self>, bucket: &str, credential: &Credential) -> Result<Permit> {
        let bucket = BucketName::new(bucket).map_err(|error| error.below("/bucket"))?;
        if !self.egress.covers_bucket(&bucket) {
            return Err(self.outside(&format!("the bucket {bucket}")));
        }
        credential::for_s3(credential, None)?;
        Ok(self.permitted(Action::Identify, Resource::S3(S3Read::Bucket { bucket, prefix: String::new() }), credential))
    }

    pub fn permit_session(self: &Arc<Self>, credential: &Credential) -> Result<Permit> {
        credential::for_session(credential)?;
        Ok(self.permitted(Action::Identify, Resource::Session, credential))
    }

    fn permitted(self: &Arc<Self>, action: Action, resource: Resource, credential: &Credential) -> Permit {
        Permit { grant: Arc::clone(self), action, resource, credential: credential.clone(), token_url: None }
    }

    fn outside(&self, what: &str) -> Error {
        Error::denied("scope_violation", format!("{what} is outside of what the connection may reach: {}", self.egress)).with_remedy(WIDEN)
    }
}

impl Permit {
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }
    /// The judged token endpoint, for OAuth 2 client credentials.
    #[must_use]
    pub fn token_url(&self) -> Option<&Url> {
        self.token_url.as_ref()
    }
}

#[cfg(test)]
mod tests;
