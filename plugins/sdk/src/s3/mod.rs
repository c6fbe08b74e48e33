//! Source paths of S3: every public form of an object's address, to bucket, exact key and region.
//!
//! Never a WHATWG URL parser: it rewrites `..`, drops tabs and moves backslashes, and each of these is part of a key.

mod bucket;
mod check;
mod host;
mod list;
mod scope;

pub use bucket::check_name as check_bucket_name;
pub use check::check_bucket;
pub use list::list;
pub use scope::{Scope, whole_prefix};

use crate::{Error, S3Object, percent};

/// `s3://bucket/key` (the key as it is) or an https URL of S3 (the key percent-encoded).
pub fn parse(source: &str) -> Result<S3Object, Error> {
    if source.starts_with("arn:") {
        return Err(Error::invalid("unsupported_s3_form", "an ARN is not a source path: write s3://bucket/key"));
    }
    match split(source, b':').and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?))) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => from_uri(rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => from_url(rest),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Err(host::not_s3("plain http is refused: write https://")),
        _ => Err(Error::invalid("unsupported_uri_scheme", "a source path of this connection is s3://bucket/key or an https URL of S3")),
    }
}

/// At the first `at`. Paths are short and planned by the thousand: a loop over their bytes costs a sandbox half of what a search for a text does.
fn split(text: &str, at: u8) -> Option<(&str, &str)> {
    let before = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..before)?, text.get(before + 1..)?))
}

/// Nothing in an `s3://` path is encoded: `?`, `#`, `%` and spaces are part of the key.
fn from_uri(rest: &str) -> Result<S3Object, Error> {
    let (bucket, key) = split(rest, b'/').ok_or_else(missing_key)?;
    object(bucket, key.to_owned(), None)
}

fn from_url(rest: &str) -> Result<S3Object, Error> {
    percent::check_raw(rest)?;
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    check_query(query)?;
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    if authority.contains('@') {
        return Err(Error::invalid("broken_url", "a URL of S3 has no user or password"));
    }
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let endpoint = host::read(&host)?;
    match endpoint.bucket {
        Some(bucket) => object(bucket, percent::decode(path)?, endpoint.region),
        None => {
            let (bucket, key) = path.split_once('/').ok_or_else(missing_key)?;
            object(bucket, percent::decode(key)?, endpoint.region)
        }
    }
}

/// A signature in a query is a credential of somebody else's, a sub-resource is not the object. Neither is ever repeated in a message.
fn check_query(query: &str) -> Result<(), Error> {
    const SIGNED: &[&str] = &["x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-amz-algorithm", "signature", "awsaccesskeyid", "x-amz-cf-id"];
    let name = |parameter: &str| percent::decode(parameter.split('=').next().unwrap_or_default()).unwrap_or_default().to_ascii_lowercase();
    if query.is_empty() {
        Ok(())
    } else if query.split('&').any(|parameter| SIGNED.contains(&name(parameter).as_str())) {
        Err(Error::invalid("presigned_url", "this is a pre-signed URL: it carries somebody's credential and expires")
            .with_remedy("Remove everything from the '?' on: the connection signs by itself."))
    } else {
        Err(Error::invalid("unsupported_query", "an S3 URL here has no query: sub-resources, versions and response overrides are not supported")
            .with_remedy("Remove everything from the '?' on; a '?' that is part of the key is written %3F."))
    }
}

fn object(bucket: &str, key: String, region: Option<&str>) -> Result<S3Object, Error> {
    bucket::check(bucket)?;
    check_key(&key)?;
    Ok(S3Object { bucket: bucket.to_owned(), key, region: region.map(str::to_owned), version_id: None })
}

fn check_key(key: &str) -> Result<(), Error> {
    let unsupported = |message| Err(Error::invalid("unsupported_key", message));
    if key.is_empty() {
        Err(missing_key())
    } else if key.len() > 1024 {
        unsupported("a key is at most 1024 bytes of UTF-8")
    } else if key.bytes().fold(false, |found, byte| found | (byte == 0)) {
        unsupported("a key has no NUL")
    } else if has_dot_segment(key) {
        unsupported("a key with a '.' or '..' segment is not supported: proxies and clients rewrite it to another key")
    } else {
        Ok(())
    }
}

/// Nearly no key has a segment that begins with a dot. Whether this one does is seen without a way out of the loop: sixteen bytes at a time.
fn has_dot_segment(key: &str) -> bool {
    let bytes = key.as_bytes();
    let begins = bytes.iter().zip(bytes.iter().skip(1)).fold(bytes.first() == Some(&b'.'), |found, (byte, next)| found | ((*byte == b'/') & (*next == b'.')));
    begins && key.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn missing_key() -> Error {
    Error::invalid("missing_key", "the source path names a bucket and no object in it")
}

#[cfg(test)]
mod forms;
#[cfg(test)]
mod tests;
