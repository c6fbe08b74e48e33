//! The in-memory AWS: roles, buckets, objects. Whoever has a session may read everything.

use super::{Bucket, Host, call};
use crate::aws::{ExternalIdVerdict, Identity, ObjectInfo, RoleArn};
use crate::{Credential, Entry, Error, ErrorKind, Page, S3Object};

fn session(host: &Host, credential: &Credential) -> Result<u32, Error> {
    let rejected = |message| Err(Error::new(ErrorKind::Rejected, "access_denied", message));
    match credential {
        Credential::AwsGatewayRole => Ok(3600),
        Credential::AwsAssumeRole(role) if host.roles.contains_key(&role.role_arn) => Ok(role.duration_seconds),
        Credential::AwsAssumeRole(_) => rejected("AssumeRole was denied"),
        _ => rejected("this is no credential of AWS"),
    }
}

fn bucket<'a>(host: &'a Host, credential: &Credential, name: &str) -> Result<&'a Bucket, Error> {
    session(host, credential)?;
    host.buckets.get(name).ok_or_else(|| Error::new(ErrorKind::NotFound, "bucket_not_found", "no such bucket"))
}

fn size(host: &Host, credential: &Credential, object: &S3Object) -> Result<u64, Error> {
    let found = bucket(host, credential, &object.bucket)?.objects.get(&object.key).copied();
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "file_not_found", "no such object"))
}

pub fn acquire(credential: &Credential) -> Result<u32, Error> {
    call("aws.acquire", "", |host| session(host, credential))
}

pub fn caller_identity(credential: &Credential) -> Result<Identity, Error> {
    call("aws.caller-identity", "", |host| {
        session(host, credential)?;
        let arn = match credential {
            Credential::AwsAssumeRole(role) => role.role_arn.clone(),
            _ => "arn:aws:iam::111122223333:role/gateway".to_owned(),
        };
        let account = RoleArn::parse(&arn).map(|role| role.account.to_owned()).unwrap_or_default();
        Ok(Identity { account, arn })
    })
}

pub fn probe_external_id(credential: &Credential) -> Result<ExternalIdVerdict, Error> {
    call("aws.probe-external-id", "", |host| match credential {
        Credential::AwsAssumeRole(role) => Ok(host.roles.get(&role.role_arn).copied().unwrap_or(ExternalIdVerdict::Unverified)),
        _ => Err(Error::invalid("no_role", "only a role has an external id")),
    })
}

pub fn bucket_region(credential: &Credential, name: &str) -> Result<String, Error> {
    call("aws.bucket-region", name, |host| bucket(host, credential, name).map(|bucket| bucket.region.clone()))
}

pub fn head(credential: &Credential, object: &S3Object) -> Result<ObjectInfo, Error> {
    call("aws.head", &format!("{}/{}", object.bucket, object.key), |host| {
        size(host, credential, object).map(|size| ObjectInfo { size, etag: Some("\"etag\"".to_owned()), content_type: None })
    })
}

pub fn probe_read(credential: &Credential, object: &S3Object) -> Result<(), Error> {
    call("aws.probe-read", &format!("{}/{}", object.bucket, object.key), |host| size(host, credential, object).map(|_| ()))
}

/// One page holds everything; the delimiter is not looked at.
pub fn list(credential: &Credential, name: &str, prefix: &str, _cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    call("aws.list", &format!("{name}/{prefix}"), |host| {
        let keys = bucket(host, credential, name)?.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let entry = |(key, size): (&String, &u64)| Entry { path: format!("s3://{name}/{key}"), size: Some(*size), etag: None, last_modified: None };
        Ok(Page { entries: keys.take(limit as usize).map(entry).collect(), prefixes: Vec::new(), next: None })
    })
}
