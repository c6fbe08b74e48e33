//! `If-Match`: a change is made to the version that its sender saw, or not at all (SPEC P11). The body's `version` says the same.
//!
//! An `ETag` here names the version that counts changes; what a test finds changes no version, and so no tag.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::problem::Problem;
use crate::model::{Connection, Error, Result};

/// No connection is ever at it: for a tag that is not one of ours.
const NEVER: u64 = 0;

/// The version that a request was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub version: Option<u64>,
    by_header: bool,
}

impl Seen {
    /// `in_body`: the body's `version`.
    pub fn of(headers: &HeaderMap, in_body: Option<u64>) -> Result<Self> {
        let mut given = headers.get_all(header::IF_MATCH).iter();
        let Some(value) = given.next() else { return Ok(Self { version: in_body, by_header: false }) };
        let one = |value: &HeaderValue| value.to_str().ok().map(str::trim).filter(|tag| !tag.contains(',')).map(str::to_owned);
        let tag = one(value).filter(|_| given.next().is_none());
        let tag = tag.ok_or_else(|| wrong("If-Match is one ETag, as the connection's was answered, or *"))?;
        let version = match tag.as_str() {
            "*" => in_body,
            // Compared strongly (RFC 9110, 13.1.1): a weak tag never matches.
            tag => Some(tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok()).unwrap_or(NEVER)),
        };
        if in_body.is_some() && in_body != version {
            return Err(wrong("If-Match and the body's 'version' name different versions"));
        }
        Ok(Self { version, by_header: tag != "*" })
    }

    /// 412 where a header asked, 409 where the body did.
    pub fn refusal(self, error: Error) -> Problem {
        if self.by_header && error.code() == "stale_version" { Problem::with_status(StatusCode::PRECONDITION_FAILED, error) } else { error.into() }
    }
}

pub fn tagged(mut response: Response, connection: &Connection) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", connection.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn wrong(message: &str) -> Error {
    Error::invalid("invalid_if_match", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_one_strong_tag_or_the_bodys_version_says_what_was_seen() {
        let seen = |tags: &[&'static str], in_body| {
            let headers: HeaderMap = tags.iter().map(|tag| (header::IF_MATCH, HeaderValue::from_static(tag))).collect();
            Seen::of(&headers, in_body).map(|seen| (seen.version, seen.by_header)).map_err(|error| error.code().to_owned())
        };
        for (tags, in_body, outcome) in [
            (vec![], None, Ok((None, false))),
            (vec![], Some(3), Ok((Some(3), false))),
            (vec!["\"3\""], None, Ok((Some(3), true))),
            (vec!["\"3\""], Some(3), Ok((Some(3), true))),
            (vec!["*"], None, Ok((None, false))),
            (vec!["*"], Some(3), Ok((Some(3), false))),
            (vec!["W/\"3\""], None, Ok((Some(NEVER), true))),
            (vec!["3"], None, Ok((Some(NEVER), true))),
            (vec!["\"three\""], None, Ok((Some(NEVER), true))),
            (vec!["\"-3\""], None, Ok((Some(NEVER), true))),
            (vec!["\"3\""], Some(4), Err("invalid_if_match".to_owned())),
            (vec!["\"3\", \"4\""], None, Err("invalid_if_match".to_owned())),
            (vec!["\"3\"", "\"3\""], None, Err("invalid_if_match".to_owned())),
        ] {
            assert_eq!(seen(&tags, in_body), outcome, "{tags:?} {in_body:?}");
        }
    }
}
