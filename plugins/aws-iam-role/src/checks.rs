//! The test of a connection: the role, and what it can read (SPEC L5, L6, L8).

use portcullis_plugin::{Error, Finding, S3Object, aws, s3};

use crate::plan::{Scope, Settings};

const LOOK_AT: &str = "Check, in this order: that the role's ARN is right; that its trust policy names the gateway's role and this connection's external id, exactly as the \
     setup shows them; that STS is active for the region in the account.";

/// In order; stops where a failure leaves nothing more to learn.
pub(crate) fn run(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
    let (test, role) = match ready(settings, test_location).and_then(|test| Ok((test, settings.role()?))) {
        Ok(ready) => ready,
        Err(error) => return vec![Finding::failed("settings", &error)],
    };
    let credential = settings.credential();
    let mut findings = vec![Finding::ok("settings", "the settings are complete")];
    if aws::check_role(&mut findings, &credential, &role, LOOK_AT)
        && let Ok(bucket) = settings.bucket()
    {
        s3::check_bucket(&mut findings, &credential, bucket, settings.prefix.as_deref(), test.as_ref());
    }
    findings
}

/// What can be told before anything is asked: a role that is reserved only is never called.
fn ready(settings: &Settings, test_location: Option<&str>) -> Result<Option<S3Object>, Error> {
    if settings.role()?.is_placeholder() {
        return Err(Error::invalid("role_not_set", "the connection has no role yet")
            .with_remedy("Make the role with the trust policy shown for this connection, then enter its ARN."));
    }
    match (settings.scope, test_location) {
        (_, None) => Ok(None),
        (Scope::Bedrock, Some(_)) => {
            Err(Error::invalid("test_location_not_supported", "scope bedrock takes no test location").with_remedy("Remove the test location."))
        }
        (Scope::S3, Some(location)) => settings.locate(location).map(Some),
    }
}
