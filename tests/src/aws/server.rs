//! The network side of the double: one port for STS and S3, faults, and the journal.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::auth::{authenticate, expired_token, skewed};
use super::error::AwsError;
use super::fault::{Fault, Faults, Service};
use super::journal::{Entry, Journal};
use super::s3::{self, Answer, Body};
use super::sigv4;
use super::sts::{self, Judged, Params};
use super::world::{Content, World};

const CONNECTIONS: usize = 2048;
const MAX_BODY: usize = 64 << 10;
const PIECE: u64 = 64 << 10;

type HttpBody = BoxBody<Bytes, io::Error>;

#[derive(Default)]
pub struct Shared {
    world: Mutex<World>,
    pub faults: Faults,
    pub journal: Journal,
    offset: AtomicI64,
    requests: AtomicU64,
}

impl Shared {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn advance(&self, by: Duration) {
        self.offset.fetch_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::seconds(self.offset.load(Ordering::SeqCst))
    }
}

pub async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // What is accepted ends with the server: a dropped double is gone.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&shared), request));
            _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<HttpBody>, io::Error> {
    let (parts, body) = request.into_parts();
    let service = service(&parts);
    let id = format!("DOUBLE{:010}", shared.requests.fetch_add(1, Ordering::SeqCst));
    let mut entry = entry(service, &parts);
    let body = Limited::new(body, MAX_BODY).collect().await.map(http_body_util::Collected::to_bytes);
    let form = body.as_ref().map(|body| String::from_utf8_lossy(body)).unwrap_or_default();
    let fault = shared.faults.take(service, &format!("{} {} {form}", parts.method, parts.uri));
    let outcome = match &body {
        Ok(body) => answer(&shared, service, &parts, body, fault, &id, &mut entry),
        Err(_) => Err(AwsError::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")),
    };
    let answer = outcome.unwrap_or_else(|error| refused(service, &parts, &error, &id, &mut entry));
    entry.status = answer.status;
    shared.journal.add(entry);
    match fault {
        Some(Fault::Hangup) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Late(by)) => tokio::time::sleep(by).await,
        _ => {}
    }
    respond(answer, parts.method == Method::HEAD, fault, &id)
}

/// By host, by the scope of the signature, or by being a form.
fn service(parts: &Parts) -> Service {
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("");
    let scope = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("/sts/aws4_request"));
    if scope || host.starts_with("sts.") || (parts.method == Method::POST && parts.uri.path() == "/") { Service::Sts } else { Service::S3 }
}

fn entry(service: Service, parts: &Parts) -> Entry {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let shown = |name: &&http::HeaderName| !["authorization", "x-amz-security-token", "host"].contains(&name.as_str());
    Entry {
        service: Some(service),
        method: parts.method.to_string(),
        host: text("host"),
        path: parts.uri.path().to_owned(),
        params: sigv4::pairs(parts.uri.query().unwrap_or(""))
            .into_iter()
            .filter(|(name, _)| name != "X-Amz-Signature" && name != "X-Amz-Security-Token")
            .collect(),
        headers: parts.headers.keys().filter(shown).map(|name| (name.to_string(), text(name.as_str()))).collect(),
        ..Entry::default()
    }
}

fn answer(shared: &Shared, service: Service, parts: &Parts, body: &[u8], fault: Option<Fault>, id: &str, entry: &mut Entry) -> Result<Answer, AwsError> {
    match (fault, service) {
        (Some(Fault::Throttle), Service::S3) => return Err(AwsError::new(503, "SlowDown", "Please reduce your request rate.")),
        (Some(Fault::Throttle), Service::Sts) => return Err(AwsError::new(400, "Throttling", "Rate exceeded")),
        (Some(Fault::InternalError), Service::S3) => return Err(AwsError::new(500, "InternalError", "We encountered an internal error. Please try again.")),
        (Some(Fault::InternalError), Service::Sts) => {
            return Err(AwsError::new(500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."));
        }
        (Some(Fault::ExpiredToken), _) => return Err(expired_token(service)),
        (Some(Fault::Says(status, code, message)), _) => return Err(AwsError::new(status, code, message)),
        (Some(Fault::Skewed(behind)), _) => return Err(skewed(service, OffsetDateTime::now_utc() + time::Duration::seconds(behind))),
        (Some(Fault::Deleted), _) => {
            return Err(AwsError::new(404, "NoSuchKey", "The specified key does not exist.")
                .header("x-amz-delete-marker", "true")
                .header("x-amz-version-id", "v2"));
        }
        (Some(Fault::WrongRegion), _) => return Err(s3::elsewhere(parts.uri.path().split('/').nth(1).unwrap_or(""), "ap-southeast-2")),
        (Some(Fault::Garbage), _) => {
            return Ok(Answer {
                status: 200,
                headers: vec![("content-type", "text/html".into())],
                body: Body::Text("<html><body>Sign in to the network</body>".into()),
            });
        }
        _ => {}
    }
    let now = shared.now();
    let mut world = shared.world();
    let caller = authenticate(&world, parts, body, service, now)?;
    entry.principal = Some(caller.principal.arn());
    let mut judged = Judged::default();
    let outcome = match service {
        Service::S3 => s3::handle(&world, &caller, parts, now, &mut judged),
        Service::Sts => form(parts, body, entry).and_then(|params| {
            let text = sts::handle(&mut world, &caller, &params, now, id, &mut judged)?;
            Ok(Answer { status: 200, headers: vec![("content-type", "text/xml".into())], body: Body::Text(text) })
        }),
    };
    (entry.action, entry.resource, entry.allowed) = (judged.action, judged.resource, judged.allowed);
    outcome
}

fn form(parts: &Parts, body: &[u8], entry: &mut Entry) -> Result<Params, AwsError> {
    let text = std::str::from_utf8(body).map_err(|_| AwsError::new(400, "MalformedInput", "not UTF-8"))?;
    let pairs = sigv4::pairs(if parts.method == Method::POST { text } else { parts.uri.query().unwrap_or("") });
    let count = pairs.len();
    let params: Params = pairs.into_iter().filter(|(name, _)| !name.starts_with("X-Amz-")).collect();
    entry.params.clone_from(&params);
    if parts.method == Method::POST && params.len() != count {
        return Err(AwsError::new(400, "MalformedQueryString", "a parameter is given twice"));
    }
    Ok(params)
}

fn refused(service: Service, parts: &Parts, error: &AwsError, id: &str, entry: &mut Entry) -> Answer {
    entry.code = Some(error.code.to_owned());
    let (kind, body) = match service {
        Service::S3 => ("application/xml", error.s3_body(id)),
        Service::Sts => ("text/xml", error.sts_body(id)),
    };
    let mut headers = error.headers.clone();
    headers.push(("content-type", kind.into()));
    // A HEAD has no body to say what is wrong.
    Answer { status: error.status, headers, body: if parts.method == Method::HEAD { Body::Empty } else { Body::Text(body) } }
}

fn respond(answer: Answer, head: bool, fault: Option<Fault>, id: &str) -> Result<Response<HttpBody>, io::Error> {
    let mut response = Response::builder().status(answer.status).header("x-amz-request-id", id).header("server", "AmazonS3");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let (length, pieces) = match answer.body {
        Body::Empty => (None, None),
        Body::Text(text) => (Some(text.len() as u64), Some((Content::Bytes(text.into()), 0))),
        Body::Object { content, first, length } => (Some(length), Some((content, first))),
    };
    if let Some(length) = length {
        response = response.header("content-length", length);
    }
    let body = match (pieces, length) {
        (Some((content, first)), Some(length)) if !head => stream_of(content, first, length, fault),
        _ => Full::new(Bytes::new()).map_err(|never: Infallible| match never {}).boxed(),
    };
    response.body(body).map_err(io::Error::other)
}

fn stream_of(content: Content, first: u64, length: u64, fault: Option<Fault>) -> HttpBody {
    let (piece, pause) = match fault {
        Some(Fault::SlowBody { bytes, pause }) => (bytes.max(1) as u64, pause),
        _ => (PIECE, Duration::ZERO),
    };
    let (end, cut) = if fault == Some(Fault::TruncatedBody) { (first + length / 2, true) } else { (first + length, false) };
    let frames = stream::unfold(first, move |at| {
        let content = content.clone();
        async move {
            if at >= end {
                return None;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let until = (at + piece).min(end);
            Some((Ok(Frame::data(slice(&content, at, until))), until))
        }
    });
    let broken = stream::iter(cut.then(|| Err(io::Error::from(io::ErrorKind::ConnectionAborted))));
    // With a pause, so that what was sent is on its way before the connection is cut.
    let broken = broken.then(|error| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        error
    });
    BodyExt::boxed(StreamBody::new(
        Box::pin(frames.chain(broken)) as std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, io::Error>> + Send + Sync>>
    ))
}

fn slice(content: &Content, from: u64, to: u64) -> Bytes {
    match content {
        Content::Bytes(bytes) => bytes.slice(usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX)),
        Content::Generated(_) => (from..to).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect(),
    }
}
