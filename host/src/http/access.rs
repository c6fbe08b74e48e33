//! What is kept of a request once it is over: one line in the log, and its part of the metrics. The route is named as it was declared, never the path or the query:
//! those name customers' objects, and may hold what somebody took for a place for a token.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame, SizeHint};
use tracing::Span;

use super::caller::Peer;
use crate::meter;
use crate::model::{Error, Kind, OrgId};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// The id that the client gave its request, if it is one word that can stand in a log and a header. Else it gets one of ours.
pub fn given_id(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(REQUEST_ID).iter();
    let id = given.next()?.to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (given.next().is_none() && (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(fits)).then_some(id)
}

/// A route as it was declared.
#[derive(Default)]
pub struct Route {
    /// Known once the router is built: with whatever it is nested in.
    pub pattern: OnceLock<String>,
    measured: OnceLock<meter::Route>,
}

impl Route {
    fn pattern(&self) -> &str {
        self.pattern.get().map_or("", String::as_str)
    }
}

/// What the parts that serve a request learn of it. One for each connection: its requests come one after the other.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    route: Option<Arc<Route>>,
    org: Option<OrgId>,
}

impl Notes {
    /// A right token was shown.
    pub fn caller(&self, org: &OrgId) {
        if tracing::enabled!(tracing::Level::INFO) {
            self.lock().org = Some(org.clone());
        }
    }

    fn take(&self) -> Noted {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that notes which route led to it.
#[derive(Clone)]
pub struct Marked<H> {
    handler: H,
    route: Arc<Route>,
}

impl<H> Marked<H> {
    pub fn new(handler: H, route: Arc<Route>) -> Self {
        Self { handler, route }
    }
}

impl<T, S, H: Handler<T, S>> Handler<T, S> for Marked<H> {
    type Future = H::Future;

    fn call(self, request: Request, state: S) -> Self::Future {
        if let Some(peer) = request.extensions().get::<Peer>() {
            peer.notes.lock().route = Some(self.route);
        }
        self.handler.call(request, state)
    }
}

/// One request that was answered, and what is still to be known of it.
pub struct Line {
    id: Box<str>,
    method: &'static str,
    started: Instant,
    status: u16,
    route: Option<Arc<Route>>,
    org: Option<OrgId>,
    error: Option<Arc<Error>>,
    /// Ends with the line.
    _span: Span,
}

impl Line {
    pub fn new(id: Box<str>, method: &'static str, started: Instant, status: u16, notes: &Notes, error: Option<Arc<Error>>, span: Span) -> Self {
        let Noted { route, org } = notes.take();
        if !span.is_disabled() {
            span.record("http.route", route.as_ref().map_or("none", |route| route.pattern()));
            span.record("http.response.status_code", status);
        }
        Self { id, method, started, status, route, org, error, _span: span }
    }

    fn measure(&self, bytes: u64) {
        let Some(meter) = meter::get() else { return };
        let route = self.route.as_ref().map_or(&meter.unrouted, |route| route.measured.get_or_init(|| meter.of_route(route.pattern())));
        meter.request(route, self.method, self.status, bytes, self.started.elapsed(), self.error.as_deref());
    }

    /// `whole`: the client was given all of it.
    fn write(&self, bytes: u64, whole: bool) {
        let Self { id, method, status, .. } = self;
        let route = self.route.as_ref().map_or("none", |route| route.pattern());
        let (org, duration_ms) = (self.org.as_ref().map_or("-", OrgId::as_str), self.started.elapsed().as_secs_f64() * 1e3);
        match self.error.as_deref() {
            Some(error) if matches!(error.kind(), Kind::Internal | Kind::PluginFault) => {
                tracing::error!(request_id = %id, %method, route, status, bytes, duration_ms, org, code = error.code(), ?error, "failed");
            }
            Some(error) => tracing::info!(request_id = %id, %method, route, status, bytes, duration_ms, org, code = error.code(), ?error, "refused"),
            None if whole => tracing::info!(request_id = %id, %method, route, status, bytes, duration_ms, org, "answered"),
            None => tracing::info!(request_id = %id, %method, route, status, bytes, duration_ms, org, "broken off"),
        }
    }
}

/// An answer's body: counts what is taken from it, and writes the line when it is let go of.
pub struct Counted {
    body: Body,
    bytes: u64,
    ended: bool,
    line: Line,
}

impl Counted {
    pub fn new(body: Body, line: Line) -> Self {
        Self { body, bytes: 0, ended: false, line }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        frame
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Of a HEAD's answer nothing is taken.
        let whole = self.ended || self.body.is_end_stream() || self.line.method == "HEAD";
        self.line.measure(self.bytes);
        self.line.write(self.bytes, whole);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn c40_a_clients_request_id_is_taken_if_it_is_one_plain_word() {
        for (given, taken) in [
            (vec![], None),
            (vec!["a"], Some("a")),
            (vec!["01HV-x_y.Z"], Some("01HV-x_y.Z")),
            (vec![""], None),
            (vec!["a b"], None),
            (vec!["a\u{7f}"], None),
            (vec!["id=1"], None),
            (vec!["a", "b"], None),
            (
                vec!["0123456789012345678901234567890123456789012345678901234567890123"],
                Some("0123456789012345678901234567890123456789012345678901234567890123"),
            ),
            (vec!["01234567890123456789012345678901234567890123456789012345678901234"], None),
        ] {
            let mut headers = HeaderMap::new();
            for id in &given {
                headers.append("x-request-id", HeaderValue::from_bytes(id.as_bytes()).unwrap_or(HeaderValue::from_static("\t")));
            }
            assert_eq!(given_id(&headers), taken, "{given:?}");
        }
    }
}
