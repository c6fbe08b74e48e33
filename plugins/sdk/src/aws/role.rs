//! The test of a role: can it be assumed, does it look at the external id, and whose is it (SPEC L5, L6, L12).

use super::{ExternalIdVerdict, RoleArn, acquire, caller_identity, probe_external_id};
use crate::{Credential, Error, ErrorKind, Finding, stage};

/// In order; `false` where a failure leaves nothing more to learn. `remedy`: what to look at when the role cannot be assumed, most likely first.
pub fn check_role(findings: &mut Vec<Finding>, credential: &Credential, role: &RoleArn<'_>, remedy: &str) -> bool {
    match acquire(credential) {
        Ok(seconds) => {
            findings.push(Finding::ok("sts_region", "STS is active for the account in the region that it was asked in"));
            findings.push(Finding::ok("assume_role", format!("the role can be assumed; the session lasts {seconds} s")));
        }
        Err(error) => {
            findings.push(stage::failed("assume_role", &not_assumed(error, remedy)));
            return false;
        }
    }
    findings.push(external_id(credential));
    match identity(role, credential) {
        Ok(finding) => findings.push(finding),
        Err(error) => {
            findings.push(stage::failed("caller_identity", &error));
            return false;
        }
    }
    true
}

fn not_assumed(error: Error, remedy: &str) -> Error {
    // What else can be wrong has a code of its own.
    if !["role_cannot_be_assumed", "access_denied"].contains(&error.code.as_str()) {
        return error;
    }
    Error { code: "role_cannot_be_assumed".to_owned(), message: format!("Role cannot be assumed: {}", error.message), ..error }.with_remedy(remedy)
}

fn external_id(credential: &Credential) -> Finding {
    const REMEDY: &str =
        "Paste the trust policy that the setup shows: its condition StringEquals on sts:ExternalId lets nobody else use the role through the gateway.";
    let insecure = |message| Err(Error::new(ErrorKind::Rejected, "external_id_configured_insecurely", message).with_remedy(REMEDY));
    let verdict = probe_external_id(credential).and_then(|verdict| match verdict {
        ExternalIdVerdict::Secure => Ok("the role is refused without the external id and with another one"),
        ExternalIdVerdict::NotRequired => insecure("External ID configured insecurely: the role can be assumed without one"),
        ExternalIdVerdict::AnyAccepted => insecure("External ID configured insecurely: the role can be assumed with a different one"),
        ExternalIdVerdict::Unverified => Err(Error::new(
            ErrorKind::Unavailable,
            "external_id_unverified",
            "whether the role requires the external id could not be told: AWS gave no clear answer",
        )
        .with_remedy("Test again later. A trust policy that asks for the session's name has to let gw-extid-probe in, too.")),
    });
    match verdict {
        Ok(message) => Finding::ok("external_id", message),
        Err(error) => stage::failed("external_id", &error),
    }
}

/// The session belongs to the account that the ARN names.
fn identity(role: &RoleArn<'_>, credential: &Credential) -> Result<Finding, Error> {
    let identity = caller_identity(credential)?;
    if identity.account != role.account {
        return Err(Error::new(ErrorKind::Rejected, "unexpected_account", "the session belongs to another account than the role's ARN names")
            .with_remedy("Enter the ARN as IAM shows it; an endpoint that is not AWS's own may answer for it."));
    }
    Ok(Finding::ok("caller_identity", format!("the session is {}", identity.arn)))
}
