//! Reads S3 objects on the byte path: builds the request, signs it, judges the answer. At most three requests: one more for
//! a bucket in another region, one more for a session that AWS calls expired.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, header};

use tracing::{Instrument, trace_span};

use super::lease::{Leases, Session};
use super::place::{Place, Places};
use super::sigv4::{ToSign, push_path, push_query_value};
use super::{Object, Read, answer, s3_error};
use crate::fetch::{Fetcher, Outbound};
use crate::model::{Clock, ConnectionId, Credential, Error, Result, S3Object, Timestamp};
use crate::policy::Grant;

/// A HEAD's 400 does not say why. A session younger than this is not suspected: or each bad HEAD would open a new one.
const MAYBE_EXPIRED: Duration = Duration::from_secs(60);

pub(super) struct S3 {
    pub places: Arc<Places>,
    pub fetcher: Arc<Fetcher>,
    pub leases: Arc<Leases>,
    pub clock: Clock,
}

impl S3 {
    pub async fn open(&self, grant: &Arc<Grant>, credential: &Credential, object: &S3Object, read: &Read) -> Result<Object> {
        let mut place = self.places.of(&object.bucket, object.region.as_ref());
        let (mut moved, mut renewed) = (false, false);
        loop {
            let session = self.leases.session(grant, credential).instrument(trace_span!(target: "trace", "lease")).await?;
            check_partition(credential, place.partition)?;
            let request = request(grant.connection.id, &place, object, read, &session, (self.clock)())?;
            let inbound = match answer::object(self.fetcher.send(request).await?, read)? {
                Ok(found) => return authentic(found),
                Err(inbound) => inbound,
            };
            let refusal = s3_error::read(inbound, (self.clock)()).await;
            if !moved && let Some(region) = refusal.other_region(&place.region) {
                moved = true;
                place = self.places.learn(&object.bucket, region);
            } else if !renewed && refusal.session_expired(read.head && session.age((self.clock)()) >= MAYBE_EXPIRED) {
                renewed = true;
                self.leases.refused(grant, credential, &session);
            } else {
                return Err(refusal.into_object_error());
            }
        }
    }
}

/// S21: a role of one partition opens nothing in another.
pub(super) fn check_partition(credential: &Credential, partition: &str) -> Result<()> {
    match credential {
        Credential::AwsAssumeRole(role) if role.role_arn.partition() != partition => Err(Error::rejected(
            "partition_mismatch",
            format!("the role is in AWS partition '{}', the bucket's region in '{partition}'", role.role_arn.partition()),
        )
        .because("bucket_in_another_partition")
        .with_remedy("Use a role in the partition that the bucket is in: no role reaches over.")),
        _ => Ok(()),
    }
}

/// U16: S3 sends an ETag with each object. A 200 without one was written by something else (a portal, an error page).
fn authentic(object: Object) -> Result<Object> {
    if matches!(object.status, 200 | 206) && !object.headers.contains_key(header::ETAG) {
        return Err(Error::unavailable("not_an_object", "the answer has no ETag: it does not come from S3")
            .with_remedy("See whether a proxy or a login page is between the gateway and S3."));
    }
    Ok(object)
}

fn request(connection: ConnectionId, place: &Place, object: &S3Object, read: &Read, session: &Session, now: Timestamp) -> Result<Outbound> {
    let mut target = String::with_capacity(place.base.len() + object.key.as_str().len() + 16);
    target.push_str(&place.base);
    let path_length = push_object(&mut target, object);
    let method = if read.head { Method::HEAD } else { Method::GET };
    let mut headers = HeaderMap::with_capacity(8);
    answer::request_headers(read, &mut headers)?;
    let (path, query) = target.split_at_checked(path_length).unwrap_or((&target, ""));
    let query = query.strip_prefix('?').unwrap_or(query);
    session.signer.sign(&ToSign { method: method.as_str(), authority: &place.authority, path, query }, &mut headers, &place.region, now)?;
    Ok(Outbound { connection, method, https: place.https, host: place.host.clone(), port: place.port, path_and_query: target, headers })
}

/// The key, and the version as a query; how long it is without the query.
fn push_object(target: &mut String, object: &S3Object) -> usize {
    push_path(target, object.key.as_str());
    let path_length = target.len();
    if let Some(version) = &object.version_id {
        target.push_str("?versionId=");
        push_query_value(target, version);
    }
    path_length
}

/// What follows the bucket in an object's URL.
pub(super) fn target_of(object: &S3Object) -> String {
    let mut target = String::new();
    push_object(&mut target, object);
    target
}

/// What follows the bucket in a listing's URL (ListObjectsV2).
pub(super) fn listing_of(prefix: &str) -> String {
    let mut target = "?list-type=2&delimiter=%2F&prefix=".to_owned();
    push_query_value(&mut target, prefix);
    target
}
