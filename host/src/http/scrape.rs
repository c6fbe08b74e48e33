//! `GET /metrics`, on a listener of its own: nothing of the API is there, and nothing of it is at the API's (SECURITY A16).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::listen;
use crate::meter::{self, Meter};
use crate::model::{Error, Result};

const MAX_CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);
/// Times are kept one by one for so long at most, also where nobody reads them.
const GATHER: Duration = Duration::from_secs(5);

/// Serves until the process ends; answers with the address that it got.
pub async fn serve(address: SocketAddr) -> Result<SocketAddr> {
    let listener = listen::bind(address).await?;
    let address = listener.local_addr().map_err(|error| Error::internal("listen_failed", "the listening address is unknown").with_source(error))?;
    if let Some(meter) = meter::get() {
        tokio::spawn(accept(listener, meter));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(GATHER).await;
                meter.gather();
            }
        });
    }
    Ok(address)
}

async fn accept(listener: TcpListener, meter: &'static Meter) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(listen::BREATH).await;
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(PATIENCE).max_buf_size(listen::MAX_HEAD);
            let serving = http.serve_connection(TokioIo::new(stream), service_fn(|request| async move { Ok::<_, Infallible>(answer(meter, &request)) }));
            // Whoever reads slower than this comes again.
            let _ = tokio::time::timeout(PATIENCE * 3, serving).await;
        });
    }
}

fn answer(meter: &Meter, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let known = request.uri().path() == "/metrics" && matches!(*request.method(), Method::GET | Method::HEAD);
    let text = if known { meter.render() } else { "metrics are at GET /metrics\n".to_owned() };
    let mut response = Response::new(Full::from(text));
    if !known {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}
