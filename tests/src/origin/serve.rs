//! The network side of the origin.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::{Content, Fault, Seen, State, guard};

const CONNECTIONS: usize = 2048;
const PIECE: u64 = 64 << 10;
const MOST_FORM: usize = 64 << 10;

type HttpBody = BoxBody<Bytes, io::Error>;

pub async fn run(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        _ = stream.set_nodelay(true);
        let (state, acceptor) = (Arc::clone(&state), acceptor.clone());
        connections.spawn(async move {
            if let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(10), acceptor.accept(stream)).await {
                let service = service_fn(move |request| serve(Arc::clone(&state), request));
                _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<HttpBody>, io::Error> {
    let fault = state.fault();
    let (request, body) = request.into_parts();
    let response = match &fault {
        Some(Fault::Status(status)) => plain(*status, &[]),
        Some(Fault::RetryAfter(status, seconds)) => plain(*status, &[("retry-after", seconds.to_string())]),
        Some(Fault::Redirect(status, to)) => plain(*status, &[("location", to.clone())]),
        Some(Fault::Challenge(scheme)) => plain(401, &[("www-authenticate", (*scheme).to_owned())]),
        Some(Fault::Page) => plain(200, &[("content-type", "text/html; charset=utf-8".to_owned())]),
        Some(Fault::ManyHeaders) => plain(200, &vec![("x-more", "of it".to_owned()); 150]),
        _ if request.method == Method::POST && request.uri.path() == guard::TOKEN_PATH => token(&state, &request, body).await,
        _ => answer(&state, &request, fault.as_ref()),
    }?;
    state.saw(seen(&request, response.status().as_u16()));
    match fault {
        Some(Fault::Hangup) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Late(by)) => tokio::time::sleep(by).await,
        _ => {}
    }
    Ok(response)
}

fn seen(request: &Parts, status: u16) -> Seen {
    let text = |name: &str| request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let others = request.headers.keys().filter(|name| *name != "authorization" && *name != "host");
    Seen {
        method: request.method.to_string(),
        host: text("host").unwrap_or_default(),
        target: request.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        authorization: text("authorization"),
        headers: others.map(|name| (name.to_string(), text(name.as_str()).unwrap_or_default())).collect(),
        status,
    }
}

async fn token(state: &State, request: &Parts, body: Incoming) -> Result<Response<HttpBody>, io::Error> {
    let body = http_body_util::Limited::new(body, MOST_FORM).collect().await.map_err(io::Error::other)?.to_bytes();
    let (status, answer) = guard::token(state, request, &body);
    let answer = Full::new(Bytes::from(answer.to_string())).map_err(|never: Infallible| match never {}).boxed();
    Response::builder().status(status).header("content-type", "application/json").header("cache-control", "no-store").body(answer).map_err(io::Error::other)
}

fn answer(state: &State, request: &Parts, fault: Option<&Fault>) -> Result<Response<HttpBody>, io::Error> {
    match guard::judge(state, request) {
        Ok(()) => {}
        Err((401, challenge)) => return plain(401, &[("www-authenticate", challenge.to_owned())]),
        Err((status, _)) => return plain(status, &[]),
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return plain(405, &[]);
    }
    let Some((content, etag)) = state.objects.lock().unwrap().get(request.uri.path()).cloned() else { return plain(404, &[]) };
    object(request, &content, &etag, fault)
}

fn object(request: &Parts, content: &Content, etag: &str, fault: Option<&Fault>) -> Result<Response<HttpBody>, io::Error> {
    let size = match content {
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::Generated(size) => *size,
    };
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if header("if-match").is_some_and(|wanted| wanted != "*" && wanted != etag) {
        return plain(412, &[]);
    }
    if header("if-none-match").is_some_and(|wanted| wanted == "*" || wanted == etag) {
        return plain(304, &[("etag", etag.to_owned())]);
    }
    let range = header("range").filter(|_| fault != Some(&Fault::IgnoreRange)).and_then(|range| span(range, size));
    let (status, first, end) = match range {
        None => (200, 0, size),
        Some(None) => return plain(416, &[("content-range", format!("bytes */{size}"))]),
        Some(Some((first, last))) => (206, first, last + 1),
    };
    let mut response = Response::builder()
        .status(status)
        .header("etag", etag)
        .header("accept-ranges", "bytes")
        .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("content-type", kind(request.uri.path()))
        .header("content-length", end - first);
    if fault == Some(&Fault::Encoded) {
        response = response.header("content-encoding", "gzip");
    }
    if status == 206 {
        let off = u64::from(fault == Some(&Fault::WrongContentRange));
        response = response.header("content-range", format!("bytes {}-{}/{size}", first + off, end - 1 + off));
    }
    let body = if request.method == Method::HEAD { empty() } else { streamed(content.clone(), first, end, fault) };
    response.body(body).map_err(io::Error::other)
}

/// `None`: nothing that is heeded. `Some(None)`: not satisfiable.
fn span(header: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let end = size.checked_sub(1);
    let (first, last) = match (first, last) {
        ("", suffix) => (size - suffix.parse::<u64>().ok()?.min(size), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, end.map(|end| end.min(last.parse().unwrap_or(end)))),
    };
    Some(last.filter(|last| first <= *last).map(|last| (first, last)))
}

fn streamed(content: Content, first: u64, end: u64, fault: Option<&Fault>) -> HttpBody {
    let (piece, pause) = match fault {
        Some(Fault::Slow { bytes, pause }) => ((*bytes).max(1) as u64, *pause),
        _ => (PIECE, Duration::ZERO),
    };
    let cut = fault == Some(&Fault::Truncate);
    let end = if cut { first + (end - first) / 2 } else { end };
    let frames = stream::unfold(first, move |at| {
        let content = content.clone();
        async move {
            let until = (at + piece).min(end);
            if at >= end {
                return None;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let bytes = match &content {
                Content::Bytes(bytes) => bytes.slice(usize::try_from(at).ok()?..usize::try_from(until).ok()?),
                Content::Generated(_) => (at..until).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect(),
            };
            Some((Ok(Frame::data(bytes)), until))
        }
    });
    // With a pause, so that what was sent is on its way before the connection is cut.
    let broken = stream::iter(cut.then_some(())).then(|()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let all: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send + Sync>> = Box::pin(frames.chain(broken));
    BodyExt::boxed(StreamBody::new(all))
}

fn plain(status: u16, headers: &[(&str, String)]) -> Result<Response<HttpBody>, io::Error> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(empty()).map_err(io::Error::other)
}

fn empty() -> HttpBody {
    Full::new(Bytes::new()).map_err(|never: Infallible| match never {}).boxed()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "mp4" => "video/mp4",
        "wav" => "audio/wav",
        "csv" => "text/csv",
        "json" => "application/json",
        "txt" => "text/plain",
        _ => "application/octet-stream",
    }
}
