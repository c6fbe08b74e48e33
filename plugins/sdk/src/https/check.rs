//! The test of an https connection: one HEAD request, and its answer in words.

use super::Origin;
use crate::{Credential, Error, ErrorKind, Finding, HttpObject, http};

/// Asks for the test location, or for the root of what the connection is for.
#[must_use]
pub fn check(origin: &Origin<'_>, credential: &Credential, test_location: Option<&str>) -> Vec<Finding> {
    match test_location.map(|location| origin.locate(location)).transpose() {
        Ok(object) => check_object(origin, credential, object),
        Err(error) => vec![Finding::failed("test_location", &error)],
    }
}

/// The same for a connector that has addresses of its own: `object` is what it made of the test location.
#[must_use]
pub fn check_object(origin: &Origin<'_>, credential: &Credential, object: Option<HttpObject>) -> Vec<Finding> {
    let named = object.is_some();
    let answer = http::head(credential, &object.unwrap_or_else(|| origin.root()));
    vec![match answer.and_then(|answer| judge(answer.status, named)) {
        Ok(message) => Finding::ok("request", message),
        Err(error) => Finding::failed("request", &error),
    }]
}

const NAME_A_FILE: &str = "Give the connection a test location: the path of a file that it can read.";

fn judge(status: u16, named: bool) -> Result<String, Error> {
    let rejected = |code, message: String| Error::new(ErrorKind::Rejected, code, message);
    match status {
        200..=299 => Ok(format!("the server answered {status}")),
        401 | 403 => Err(rejected("upstream_auth_failed", format!("the server refused the credentials (status {status})"))
            .with_remedy("Enter the credentials again; check on the server that they may read this path.")),
        // Nothing is at the root of many servers; that this one said so and not 401 is all that can be learned there.
        404 | 410 if !named => Ok(format!("the server accepted the request; nothing is at the root (status {status}). {NAME_A_FILE}")),
        404 | 410 => Err(Error::new(ErrorKind::NotFound, "file_not_found", format!("nothing is at the test location (status {status})"))
            .with_remedy("Check the path; some servers answer like this to who may not see a file.")),
        300..=399 => Err(rejected("redirect_denied", format!("the server redirects (status {status}), and redirects are not followed"))
            .with_remedy("Use the host and path that the server redirects to; a redirect to a login page means that the credentials were not accepted.")),
        405 | 501 => Err(rejected("head_not_supported", format!("the server does not answer HEAD requests here (status {status})")).with_remedy(NAME_A_FILE)),
        429 => Err(Error::new(ErrorKind::Unavailable, "upstream_throttled", "the server asks to slow down (status 429)").with_remedy("Test again later.")),
        500..=599 => {
            Err(Error::new(ErrorKind::Unavailable, "upstream_unavailable", format!("the server failed (status {status})")).with_remedy("Test again later."))
        }
        _ => Err(rejected("upstream_refused", format!("the server refused the request (status {status})"))),
    }
}
