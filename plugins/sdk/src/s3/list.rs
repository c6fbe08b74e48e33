//! Browsing a bucket: which one, and what below it.

use super::{Scope, bucket};
use crate::{Credential, Error, ErrorKind, Page, aws};

/// `prefix`: of the keys in the scope's bucket, or `s3://bucket/prefix`, as the gateway writes it where a caller names the bucket.
pub fn list(credential: &Credential, scope: &Scope<'_>, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let named = prefix.strip_prefix("s3://").map(|address| address.split_once('/').unwrap_or((address, "")));
    let (name, prefix) = match (named, scope.bucket) {
        (Some((name, _)), Some(own)) if name != own => {
            return Err(Error::new(ErrorKind::Denied, "scope_violation", "this connection is for another bucket"));
        }
        (Some(named), _) => named,
        (None, Some(own)) => (own, prefix),
        (None, None) => return Err(Error::invalid("bucket_name_required", "this connection is for any bucket: say which one")),
    };
    bucket::check(name)?;
    // Whoever browses from the top begins where the connection does.
    let prefix = scope.prefix.filter(|own| own.starts_with(prefix)).unwrap_or(prefix);
    if scope.prefix.is_some_and(|own| !prefix.starts_with(own)) {
        return Err(Error::new(ErrorKind::Denied, "scope_violation", "this connection is for another prefix"));
    }
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
            let (page, calls) = host.run(|| list(&Credential::AwsGatewayRole, &Scope { bucket: own, prefix: None }, prefix, None, 10));
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

    #[test]
    fn c23_s19_a_listing_stays_below_the_prefix() {
        let list = |prefix: &str| {
            let host = Host::default().bucket("media", "us-west-2").object("media", "a/b", 3).object("media", "ab", 3);
            let scope = Scope { bucket: Some("media"), prefix: Some("a/") };
            let (page, calls) = host.run(|| list(&Credential::AwsGatewayRole, &scope, prefix, None, 10));
            (page.map(|page| page.entries.len()).map_err(|error| error.code), calls)
        };
        for prefix in ["ab", "b/", "/a/", "s3://media/ab"] {
            assert_eq!(list(prefix), (Err("scope_violation".to_owned()), vec![]), "{prefix}");
        }
        for (prefix, asked) in [("", "aws.list media/a/"), ("a", "aws.list media/a/"), ("a/", "aws.list media/a/"), ("s3://media/", "aws.list media/a/")] {
            assert_eq!(list(prefix), (Ok(1), vec![asked.to_owned()]), "{prefix}");
        }
    }
}
