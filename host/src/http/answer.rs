//! One request from its head to its answer: an id, a time limit, a net under panics, one line in the log (`access`).

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::body::Incoming;
use serde::Serialize;
use tower::ServiceExt;
use tracing::Instrument;
use tracing::field::Empty;

use super::Gateway;
use super::access::{Counted, Line, REQUEST_ID, given_id};
use super::caller::Peer;
use super::linger::{Unread, Watched};
use super::problem::{Problem, render};
use crate::app::traces;
use crate::meter;
use crate::model::Error;

/// Until the answer's head; a body may stream for longer. A test of a connection may take 20 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response(),
        Err(error) => Problem::from(Error::internal("answer_unwritable", "an answer cannot be written").with_source(error)).into_response(),
    }
}

/// `unread`: of the connection that it came by.
pub async fn answer(
    gateway: Arc<Gateway>,
    router: Router,
    peer: Peer,
    unread: Unread,
    mut request: Request<Incoming>,
) -> Result<Response<Counted>, Infallible> {
    let started = Instant::now();
    let id: Box<str> = match given_id(request.headers()) {
        Some(id) => id.into(),
        None => format!("{:08x}-{:x}", gateway.run, gateway.requests.fetch_add(1, Ordering::Relaxed)).into(),
    };
    let (method, notes) = (meter::method(request.method().as_str()), peer.notes.clone());
    let span = tracing::trace_span!(target: "trace", "request", otel.kind = "server", http.request.method = method, request.id = %id, http.route = Empty, http.response.status_code = Empty);
    traces::adopt(&span, request.headers());
    request.extensions_mut().insert(peer);
    let called = AssertUnwindSafe(router.oneshot(request.map(|body| Body::new(Watched::new(body, unread.clone()))))).catch_unwind().instrument(span.clone());
    let mut response = match tokio::time::timeout(PATIENCE, called).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_)) => Problem::from(Error::internal("panic", "a handler panicked")).into_response(),
        Err(_) => Problem::from(Error::unavailable("answer_timeout", "the answer took longer than 60 seconds")).into_response(),
    };
    let mut error = response.extensions_mut().remove::<Arc<Error>>();
    if error.is_none() && response.status().is_client_error() && response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
        // axum's own refusals, as of a path that is not UTF-8.
        error = Some(Arc::new(Error::invalid("bad_request", "the request cannot be understood")));
    }
    if let Some(error) = &error {
        render(&mut response, error, &id);
    }
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if unread.is_set() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let line = Line::new(id, method, started, response.status().as_u16(), &notes, error, span);
    Ok(response.map(|body| Counted::new(body, line)))
}
