//! A scripted upstream, and a fetcher that may reach loopback.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::fetch::{FetchConfig, Fetcher, Inbound, Limits, Lookup, Outbound};
use crate::model::{ConnectionId, Result};
use crate::policy::AddressPolicy;

/// Loopback may be dialled, over plain http too.
pub fn addresses() -> AddressPolicy {
    AddressPolicy { allow_networks: vec!["127.0.0.1/32".parse().expect("a network")], allow_http: true }
}

pub fn fetcher() -> Fetcher {
    fetcher_with(Limits::default())
}

pub fn fetcher_with(limits: Limits) -> Fetcher {
    Fetcher::new(FetchConfig { addresses: addresses(), extra_ca: Vec::new(), limits }).expect("a fetcher")
}

/// Each name has these addresses.
pub fn resolving(addresses: AddressPolicy, answer: &[&str]) -> Fetcher {
    let answer: Vec<IpAddr> = answer.iter().map(|address| address.parse().expect("an address")).collect();
    let lookup: Lookup = Arc::new(move |_| {
        let answer = answer.clone();
        Box::pin(async move { Ok(answer) })
    });
    let limits = Limits { connect: Duration::from_millis(300), ..Limits::default() };
    Fetcher::with_lookup(FetchConfig { addresses, extra_ca: Vec::new(), limits }, lookup).expect("a fetcher")
}

/// Counts what reached it; answers each request of a socket with the next of its answers, then closes.
pub struct Upstream {
    pub port: u16,
    pub accepted: Arc<AtomicUsize>,
    pub requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Upstream {
    /// `answers`: for each request on a socket, in order; after the last the socket is closed.
    pub async fn answering(answers: &[&[u8]]) -> Self {
        let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
        Self::scripted(move |mut socket, requests| {
            let answers = answers.clone();
            async move {
                for answer in answers {
                    let Some(request) = read_head(&mut socket).await else { return };
                    requests.lock().expect("not poisoned").push(request);
                    if socket.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers every request alike, on as many sockets as are opened.
    pub async fn always(answer: &'static [u8]) -> Self {
        Self::scripted(move |mut socket, requests| async move {
            while let Some(request) = read_head(&mut socket).await {
                requests.lock().expect("not poisoned").push(request);
                if socket.write_all(answer).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    pub async fn scripted<F>(script: impl Fn(TcpStream, Arc<std::sync::Mutex<Vec<String>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (accepted, requests) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (count, log) = (Arc::clone(&accepted), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(socket, Arc::clone(&log)));
            }
        });
        Self { port, accepted, requests }
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

/// The request's head, or `None` at the end of the socket.
pub async fn read_head(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("ASCII"))
}

pub fn connection(number: u128) -> ConnectionId {
    ConnectionId(Uuid::from_u128(number))
}

pub fn request(port: u16, path: &str) -> Outbound {
    Outbound {
        connection: connection(1),
        method: Method::GET,
        https: false,
        host: "127.0.0.1".to_owned(),
        port,
        path_and_query: path.to_owned(),
        headers: HeaderMap::new(),
    }
}

pub async fn get(fetcher: &Fetcher, port: u16) -> Result<Inbound> {
    fetcher.send(request(port, "/")).await
}

/// The whole body, or the code of what went wrong on the way.
pub async fn body(answer: Result<Inbound>) -> Result<String, String> {
    let body = async { answer?.body.bytes(1 << 20).await };
    body.await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| error.code().to_owned())
}
