//! Grants and permits: the proof, as a type, that a plan's target was judged. Only this module makes a `Permit`.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;

use super::{AddressPolicy, Egress};
use crate::model::{Capability, Connection, Credential, Description, HttpObject, Location, Result, S3Object};

/// A connection as it may be used: its record, its egress, what its plugin was granted. Made once for each version of a connection.
pub struct Grant {
    pub connection: Connection,
    pub egress: Egress,
    pub capabilities: BTreeSet<Capability>,
}

/// What is asked of the remote. All of them read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    Head,
    List,
    /// Open a session or ask who one belongs to; nothing of the customer's data is touched.
    Identify,
}

/// A judged web request: the parse that was judged is the one that is dialled.
#[derive(Clone, Debug)]
pub struct WebRequest {
    pub url: Url,
    pub headers: Vec<(String, String)>,
}

/// A judged S3 target. `Bucket`: for listing and for its region.
#[derive(Clone, Debug)]
pub enum S3Read {
    Object(S3Object),
    Bucket { bucket: crate::model::BucketName, prefix: String },
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
}

impl Grant {
    /// Expands the egress. `Invalid` with field pointers when a setting does not fit its template.
    pub fn new(_connection: Connection, _description: &Description, _capabilities: BTreeSet<Capability>, _addresses: &AddressPolicy) -> Result<Self> {
        todo!()
    }

    /// Judges one location of a plan: scheme, host, port, path, bucket and key inside the egress; credential's kind fits the
    /// target and names secrets that the connection has; headers from the allow-list. `Denied` (`scope_violation`, …) with the reason.
    pub fn permit(self: &Arc<Self>, _action: Action, _location: &Location, _credentials: &[Credential]) -> Result<Permit> {
        todo!()
    }
    pub fn permit_http(self: &Arc<Self>, _action: Action, _object: &HttpObject, _credential: &Credential) -> Result<Permit> {
        todo!()
    }
    pub fn permit_s3(self: &Arc<Self>, _action: Action, _object: &S3Object, _credential: &Credential) -> Result<Permit> {
        todo!()
    }
    pub fn permit_bucket(self: &Arc<Self>, _bucket: &str, _prefix: &str, _credential: &Credential) -> Result<Permit> {
        todo!()
    }
    pub fn permit_session(self: &Arc<Self>, _credential: &Credential) -> Result<Permit> {
        todo!()
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
}
