//! The test of a role: can it be assumed, does it look at the external id, whose is it, and what can it read (SPEC L5, L6, L8).

use portcullis_plugin::aws::{self, ExternalIdVerdict};
use portcullis_plugin::{Credential, Error, ErrorKind, Finding, S3Object, s3};

use crate::plan::{Scope, Settings};

/// In order; stops where a failure leaves nothing more to learn.
pub(crate) fn run(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
    let test = match ready(settings, test_location) {
        Ok(test) => test,
        Err(error) => return vec![Finding::failed("settings", &error)],
    };
    let credential = settings.credential();
    let mut findings = vec![Finding::ok("settings", "the settings are complete")];
    match aws::acquire(&credential) {
        Ok(seconds) => findings.push(Finding::ok("assume_role", format!("the role can be assumed; the session lasts {seconds} s"))),
        Err(error) => {
            findings.push(Finding::failed("assume_role", &not_assumed(error)));
            return findings;
        }
    }
    findings.push(external_id(&credential));
    match identity(settings, &credential) {
        Ok(finding) => findings.push(finding),
        Err(error) => {
            findings.push(Finding::failed("caller_identity", &error));
            return findings;
        }
    }
    if let Ok(bucket) = settings.bucket() {
        s3::check_bucket(&mut findings, &credential, bucket, test.as_ref());
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

fn not_assumed(error: Error) -> Error {
    if error.kind != ErrorKind::Rejected {
        return error;
    }
    Error { code: "role_cannot_be_assumed".to_owned(), message: format!("Role cannot be assumed: {}", error.message), ..error }.with_remedy(
        "Check, in this order: that the role's ARN is right; that its trust policy names the gateway's role and this connection's external id, exactly as the \
         setup shows them; that STS is active for the region in the account.",
    )
}

fn external_id(credential: &Credential) -> Finding {
    const REMEDY: &str =
        "Paste the trust policy that the setup shows: its condition StringEquals on sts:ExternalId lets nobody else use the role through the gateway.";
    let insecure = |message| Err(Error::new(ErrorKind::Rejected, "external_id_configured_insecurely", message).with_remedy(REMEDY));
    let verdict = aws::probe_external_id(credential).and_then(|verdict| match verdict {
        ExternalIdVerdict::Secure => Ok("the role is refused without the external id and with another one"),
        ExternalIdVerdict::NotRequired => insecure("External ID configured insecurely: the role can be assumed without one"),
        ExternalIdVerdict::AnyAccepted => insecure("External ID configured insecurely: the role can be assumed with a different one"),
        ExternalIdVerdict::Unverified => Err(Error::new(
            ErrorKind::Unavailable,
            "external_id_unverified",
            "whether the role requires the external id could not be told: AWS gave no clear answer",
        )
        .with_remedy("Test again later.")),
    });
    match verdict {
        Ok(message) => Finding::ok("external_id", message),
        Err(error) => Finding::failed("external_id", &error),
    }
}

/// The session belongs to the account that the ARN names.
fn identity(settings: &Settings, credential: &Credential) -> Result<Finding, Error> {
    let (identity, role) = (aws::caller_identity(credential)?, settings.role()?);
    if identity.account != role.account {
        return Err(Error::new(ErrorKind::Rejected, "unexpected_account", "the session belongs to another account than the role's ARN names"));
    }
    Ok(Finding::ok("caller_identity", format!("the session is {}", identity.arn)))
}
