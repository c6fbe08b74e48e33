//! The test of a bucket: where it is, whether it can be listed, whether its objects can be read. Each check has a remedy.

use crate::{Credential, Error, ErrorKind, Finding, S3Object, aws};

/// Region, list, and where there is a test object, head and read. Stops where going on could tell nothing new.
pub fn check_bucket(findings: &mut Vec<Finding>, credential: &Credential, bucket: &str, test: Option<&S3Object>) {
    match aws::bucket_region(credential, bucket) {
        Ok(region) => findings.push(Finding::ok("bucket_region", format!("bucket {bucket} is in {region}"))),
        Err(error) => return findings.push(Finding::failed("bucket_region", &error)),
    }
    findings.push(match aws::list(credential, bucket, "", None, 1) {
        Ok(_) => Finding::ok("list", format!("bucket {bucket} can be listed")),
        Err(error) => Finding::failed("list", &refused(error, "list_denied", "Allow s3:ListBucket on the bucket itself (its ARN without /*).")),
    });
    let Some(object) = test else { return };
    const ALLOW_GET: &str = "Allow s3:GetObject on the bucket's objects (its ARN with /*); if they are encrypted with a KMS key, allow kms:Decrypt on it.";
    match aws::head(credential, object) {
        Ok(info) => findings.push(Finding::ok("head", format!("the test object has {} bytes", info.size))),
        Err(error) => return findings.push(Finding::failed("head", &refused(error, "read_denied", ALLOW_GET))),
    }
    findings.push(match aws::probe_read(credential, object) {
        Ok(()) => Finding::ok("read", "the test object can be read"),
        Err(error) => Finding::failed("read", &refused(error, "read_denied", ALLOW_GET)),
    });
}

/// What AWS rejected gets the check's own code and remedy; what else went wrong is already said by the host.
fn refused(error: Error, code: &str, remedy: &str) -> Error {
    if error.kind == ErrorKind::Rejected { Error { code: code.to_owned(), ..error }.with_remedy(remedy) } else { error }
}
