//! Errors as answers: problem+json (RFC 9457), one form for the whole API (SPEC C40).

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::{Error, FieldError, Kind};

/// An error on its way out. It becomes text when the request's id is known: see `render`.
pub struct Problem {
    status: StatusCode,
    error: Arc<Error>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: status_of(&error), error: Arc::new(error) }
    }
}

impl Problem {
    pub fn with_status(status: StatusCode, error: Error) -> Self {
        Self { status, error: Arc::new(error) }
    }
    pub fn method_not_allowed() -> Self {
        Self::with_status(
            StatusCode::METHOD_NOT_ALLOWED,
            Error::invalid("method_not_allowed", "this path does not answer this method")
                .with_remedy("GET /api/v1/openapi.json lists the methods of every path."),
        )
    }
    pub fn unauthorized(error: Error) -> Self {
        Self::with_status(StatusCode::UNAUTHORIZED, error)
    }
    pub fn unsupported_media_type(message: &str) -> Self {
        Self::with_status(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::invalid("unsupported_media_type", message).with_remedy("Send the content type that GET /api/v1/openapi.json names for this path."),
        )
    }
    pub fn request_timeout() -> Self {
        Self::with_status(StatusCode::REQUEST_TIMEOUT, Error::invalid("request_timeout", "the body took too long to arrive"))
    }
}

/// The one match from kinds of error to statuses. A wrong field is 422, a request that cannot be read 400.
fn status_of(error: &Error) -> StatusCode {
    match error.kind() {
        Kind::Invalid if error.field_errors().is_empty() => StatusCode::BAD_REQUEST,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Denied => StatusCode::FORBIDDEN,
        // The remote's refusal, or its plugin's fault: we are a gateway whose other side did not answer well.
        Kind::Rejected | Kind::PluginFault => StatusCode::BAD_GATEWAY,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::LimitExceeded if error.retry_after().is_some() => StatusCode::TOO_MANY_REQUESTS,
        Kind::LimitExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self.error);
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    remedy: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Wrong<'a>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    pointer: &'a str,
    detail: &'a str,
}

/// Puts the error's text into `response`. Of our own defects the caller learns the request's id and nothing else (SECURITY A21).
pub fn render(response: &mut Response, error: &Error, request_id: &str) {
    let status = response.status();
    let ours = error.kind() == Kind::Internal;
    let (code, detail, remedy) = if ours {
        ("internal_error", "the gateway failed; its log names the request id", "Ask an operator of the gateway, and tell them the request id.")
    } else {
        (error.code(), error.message(), error.advice())
    };
    let document = Document {
        r#type: format!("urn:portcullis:problem:{code}"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        code,
        request_id,
        remedy,
        errors: error.field_errors().iter().map(|FieldError { pointer, message }| Wrong { pointer, detail: message }).collect(),
    };
    let headers = response.headers_mut();
    // The router has measured the empty body that stood here.
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portcullis\""));
    }
    let wait = error.retry_after().or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
    if let Some(seconds) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(serde_json::to_vec(&document).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(error: Error) -> (StatusCode, String) {
        let shared = Arc::new(error);
        let mut response = Problem { status: status_of(&shared), error: shared.clone() }.into_response();
        render(&mut response, &shared, "r-1");
        let body = futures_util::FutureExt::now_or_never(axum::body::to_bytes(std::mem::take(response.body_mut()), 1 << 16)).unwrap().unwrap();
        (response.status(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a21_our_own_defects_are_opaque() {
        let error =
            Error::internal("record_unreadable", "connection/acme/1 is broken at /var/lib").with_remedy("arn:aws:iam::1:role/x").with_source("disk canary");
        let (status, text) = rendered(error);
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(text.contains("r-1") && !text.contains("/var") && !text.contains("arn:") && !text.contains("canary") && !text.contains("record"), "{text}");
    }

    #[test]
    fn c40_every_kind_has_its_status_and_every_field_its_pointer() {
        for (error, status) in [
            (Error::invalid("malformed_json", ""), 400),
            (Error::field("/name", "is required"), 422),
            (Error::not_found("x", ""), 404),
            (Error::conflict("x", ""), 409),
            (Error::denied("x", ""), 403),
            (Error::rejected("x", ""), 502),
            (Error::plugin_fault("x", ""), 502),
            (Error::unavailable("x", ""), 503),
            (Error::limit("x", ""), 413),
            (Error::limit("x", "").with_retry_after(7), 429),
            (Error::internal("x", ""), 500),
        ] {
            assert_eq!(rendered(error).0.as_u16(), status);
        }
        let (_, text) = rendered(Error::field("/name", "is required"));
        assert!(text.contains(r#""errors":[{"pointer":"/name","detail":"is required"}]"#), "{text}");
    }
}
