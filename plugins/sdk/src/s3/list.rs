//! Browsing a bucket: which one, and what below it.

use super::bucket;
use crate::{Credential, Error, ErrorKind, Page, aws};

/// `own`: the connection's bucket, if it is bound to one. `prefix`: of the keys in it, or `s3://bucket/prefix`, as the gateway
/// writes it where a caller names the bucket.
pub fn list(credential: &Credential, own: Option<&str>, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let named = prefix.strip_prefix("s3://").map(|address| address.split_once('/').unwrap_or((address, "")));
    let (name, prefix) = match (named, own) {
        (Some((name, _)), Some(own)) if name != own => {
            return Err(Error::new(ErrorKind::Denied, "scope_violation", "this connection is for another bucket"));
        }
        (Some(named), _) => named,
        (None, Some(own)) => (own, prefix),
        (None, None) => return Err(Error::invalid("bucket_name_required", "this connection is for any bucket: say which one")),
    };
    bucket::check(name)?;
    aws::list(credential, name, prefix, cursor, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn c23_a_listing_names_its_bucket() {
        let list = |own: Option<&str>, prefix: &str| {
            let host = Host::default().bucket("media", "us-west-2").object("media", "a/b", 3);
            let (page, calls) = host.run(|| list(&Credential::AwsGatewayRole, own, prefix, None, 10));
            (page.map(|page| page.entries.into_iter().map(|entry| entry.path).collect::<Vec<_>>()).map_err(|error| error.code), calls)
        };
        for (own, prefix, code) in [
            (None, "a/", "bucket_name_required"),
            (None, "s3://A/", "invalid_bucket"),
            (None, "s3:///a", "invalid_bucket"),
            (Some("media"), "s3://other/", "scope_violation"),
            (Some("media"), "s3://", "scope_violation"),
        ] {
            assert_eq!(list(own, prefix), (Err(code.to_owned()), vec![]), "{own:?} {prefix}");
        }
        for (own, prefix, asked) in [
            (None, "s3://media/a/", "aws.list media/a/"),
            (None, "s3://media", "aws.list media/"),
            (Some("media"), "a/", "aws.list media/a/"),
            (Some("media"), "s3://media/a/", "aws.list media/a/"),
        ] {
            assert_eq!(list(own, prefix), (Ok(vec!["s3://media/a/b".to_owned()]), vec![asked.to_owned()]), "{own:?} {prefix}");
        }
    }
}
