//! The test of an https connection: one HEAD request, and its answer in words.

use super::Origin;
use crate::http::{self, Answer};
use crate::{Credential, Error, ErrorKind, Finding, HttpObject, stage};

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
    let object = object.unwrap_or_else(|| origin.root());
    let told = http::head(credential, &object).and_then(|answer| judge(&answer, named, &object.url));
    match told {
        Ok(message) => accepted(message),
        // Nothing is at the root of many servers; that this one said so and not 401 is all that can be learned there.
        Err(error) if !named && ["file_not_found", "file_gone"].contains(&error.code.as_str()) => {
            accepted(format!("the server accepted the request; nothing is at the root. {NAME_A_FILE}"))
        }
        Err(error) => stage::on_the_way("request", &error),
    }
}

fn accepted(message: String) -> Vec<Finding> {
    let mut findings = stage::arrived();
    findings.push(Finding::ok("request", message));
    findings
}

const NAME_A_FILE: &str = "Give the connection a test location: the path of a file that it can read.";

/// The gateway answers with an error where a status is one; another host may leave it to us.
fn judge(answer: &Answer, named: bool, url: &str) -> Result<String, Error> {
    let status = answer.status;
    let rejected = |code, message: String| Error::new(ErrorKind::Rejected, code, message);
    match status {
        200..=299 if named && is_page(answer) && !is_page_name(url) => {
            Err(rejected("web_page_instead_of_file", "the server answered with a web page in place of the file".to_owned()).with_remedy(
                "Open the address in a private browser window: it is mostly a page to log in at. The server needs another kind of credential, or another path.",
            ))
        }
        200..=299 if answer.accepts_ranges => Ok(format!("the server answered {status}; parts of a file can be read")),
        200..=299 => Ok(format!("the server answered {status}; it does not say that parts of a file can be read, so each is read whole")),
        401 | 403 => Err(rejected("upstream_auth_failed", format!("the server refused the credentials (status {status})"))
            .with_remedy("Enter the credentials again; check on the server that they may read this path.")),
        404 | 410 => Err(Error::new(ErrorKind::NotFound, "file_not_found", format!("nothing is at the test location (status {status})"))
            .with_remedy("Check the path; some servers answer like this to who may not see a file.")),
        300..=399 => Err(rejected("redirect_denied", format!("the server redirects (status {status}), and redirects are not followed"))
            .with_remedy("Use the host and path that the server redirects to; a redirect to a login page means that the credentials were not accepted.")),
        405 | 501 => Err(rejected("head_not_supported", format!("the server does not answer HEAD requests here (status {status})")).with_remedy(NAME_A_FILE)),
        429 => Err(Error::new(ErrorKind::Unavailable, "upstream_throttled", "the server asks to slow down (status 429)").with_remedy("Test again later.")),
        500..=599 => {
            Err(Error::new(ErrorKind::Unavailable, "upstream_unavailable", format!("the server failed (status {status})")).with_remedy("Test again later."))
        }
        _ => Err(rejected("upstream_refused", format!("the server refused the request (status {status})")).with_remedy(NAME_A_FILE)),
    }
}

fn is_page(answer: &Answer) -> bool {
    answer.content_type.as_ref().is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// Whether a file of this name may well be a page: by its extension, or because it has none.
fn is_page_name(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    ["", "html", "htm", "xhtml", "php", "asp", "aspx", "jsp"].contains(&extension.as_str())
}
