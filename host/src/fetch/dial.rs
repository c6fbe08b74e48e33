//! TCP to one of several judged addresses, the next one tried a moment after the last (RFC 8305).

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::cause::{self, Cause};
use crate::model::{Error, Result};

const MAX_ATTEMPTS: usize = 8;
const HEAD_START: Duration = Duration::from_millis(250);

pub(super) async fn tcp(host: &str, addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream> {
    let failed = |cause: Cause| {
        Error::unavailable("upstream_connect", format!("{host} could not be connected to: {}", cause.words)).because(cause.name).with_remedy(cause.remedy)
    };
    match timeout(limit, race(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failed(cause::of_connect(&error)).with_source(error)),
        Err(_) => Err(failed(cause::connect_timeout())),
    }
}

async fn race(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied().take(MAX_ATTEMPTS);
    let mut attempts = FuturesUnordered::new();
    let mut failure = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(failure);
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}
