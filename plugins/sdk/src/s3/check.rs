//! The test of a bucket: where it is, whether it can be listed, whether its objects can be read. Each check has a remedy.

use crate::{Credential, Error, ErrorKind, Finding, S3Object, aws, stage};

const ALLOW_LIST: &str = "Allow s3:ListBucket on the bucket itself (its ARN without /*), in the role's permissions and, where the bucket is another account's, in the bucket's policy.";
const ALLOW_GET: &str = "Look at, in this order: s3:GetObject on the bucket's objects (its ARN with /*) in the role's permissions; the same in the bucket's policy, where the bucket is \
                         another account's; kms:Decrypt on the key that they are encrypted with; whether the bucket's readers have to pay (Requester Pays), which is not supported.";

/// `prefix`: what the connection is held to. Region, list, and where there is a test object, head and read, with the key, the clock and the signature that this proves. Stops where
/// going on could tell nothing new.
pub fn check_bucket(findings: &mut Vec<Finding>, credential: &Credential, bucket: &str, prefix: Option<&str>, test: Option<&S3Object>) {
    match aws::bucket_region(credential, bucket) {
        Ok(region) => findings.push(Finding::ok("bucket_region", format!("bucket {bucket} is in {region}"))),
        Err(error) => return findings.push(stage::failed("bucket_region", &error)),
    }
    let listed = aws::list(credential, bucket, prefix.unwrap_or_default(), None, 1).map_err(|error| refused(error, "list_denied", ALLOW_LIST));
    let goes_on = match &listed {
        Ok(_) => {
            findings.push(Finding::ok("list", format!("bucket {bucket} can be listed")));
            true
        }
        Err(error) => {
            let finding = stage::failed("list", error);
            // Who may not list may well read. Any other failure would come again.
            let denied = finding.check == "list" && error.kind == ErrorKind::Rejected;
            findings.push(finding);
            denied
        }
    };
    if !goes_on {
        return;
    }
    if let Some(object) = test {
        if let Err(finding) = read(findings, credential, object) {
            return findings.push(finding);
        }
    } else if listed.is_err() {
        return;
    }
    findings.push(Finding::ok("clock", "AWS accepts the time of the gateway's requests"));
    findings.push(Finding::ok("sign", "AWS accepts the signatures of the gateway's requests"));
}

fn read(findings: &mut Vec<Finding>, credential: &Credential, object: &S3Object) -> Result<(), Finding> {
    let denied = |error| refused(error, "read_denied", ALLOW_GET);
    match aws::head(credential, object) {
        Ok(info) => findings.push(Finding::ok("head", format!("the test object has {} bytes", info.size))),
        // The refusal of a HEAD has no words; the same question as a GET is answered with the reason.
        Err(error) if error.kind == ErrorKind::Rejected => {
            let told = match aws::probe_read(credential, object) {
                Err(told) => denied(told),
                Ok(()) => Error { code: "head_denied".to_owned(), ..error }
                    .with_remedy("Something between the gateway and S3 refuses HEAD requests: an operator looks for a proxy."),
            };
            return Err(stage::failed("head", &told));
        }
        Err(error) => return Err(stage::failed("head", &error)),
    }
    aws::probe_read(credential, object).map_err(|error| stage::failed("read", &denied(error)))?;
    findings.push(Finding::ok("read", "the first byte of the test object can be read alone"));
    findings.push(Finding::ok("kms", "the test object can be read whatever key it is encrypted with"));
    Ok(())
}

/// A denial that says no more than that gets the check's own code and remedy; every other code is exact already.
fn refused(error: Error, code: &str, remedy: &str) -> Error {
    if ["permission_denied", "access_denied"].contains(&error.code.as_str()) { Error { code: code.to_owned(), ..error }.with_remedy(remedy) } else { error }
}
