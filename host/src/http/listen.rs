//! The accept loop: how many connections, how long a head may take, and how it all ends.
//!
//! A connection is served by one thread from its first byte to its last, with its remotes' sockets: no request waits for another
//! thread to be woken. Everything else (jobs, the store) has the threads of the runtime that called.
//!
//! HTTP/1.1 only, plain or over TLS: whoever streams objects gains nothing from HTTP/2, and what is not served cannot be flooded.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::access::{Counted, Notes};
use super::answer::answer;
use super::caller::Peer;
use super::linger::Unread;
use super::patience::Patient;
use super::reload::Reload;
use super::{Gateway, router};
use crate::meter;
use crate::model::{Error, Result};

const MAX_CONNECTIONS: usize = 4096;
const MAX_HEADERS: usize = 100;
pub const MAX_HEAD: usize = 64 << 10;
/// From the first wait for a request to its last header; also how long an idle connection is kept.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// What is in flight may take this long once we are told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// And then writing down what was done.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// After a failed accept, as when there are no file descriptors left.
pub const BREATH: Duration = Duration::from_millis(50);
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::unavailable("listen_failed", format!("cannot listen on {address}: {error}"))
            .with_remedy("Is another gateway running? Choose another server.listen.")
    })
}

/// The word to stop, once it is said.
#[derive(Default)]
pub struct Stop {
    said: AtomicBool,
    /// Wakes who waits. It takes a lock that all share: at each turn of a connection the other field is looked at.
    token: CancellationToken,
}

impl Stop {
    fn say(&self) {
        self.said.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    /// `/readyz` says so, so that nobody sends more.
    pub fn is_said(&self) -> bool {
        self.said.load(Ordering::Relaxed)
    }
}

/// Serves until SIGTERM or SIGINT, then lets requests in flight end. A second signal waits for none of them. What was done is written down
/// in either case.
///
/// SIGHUP reads again what `reload` can.
pub async fn run(listener: TcpListener, gateway: Arc<Gateway>, reload: &Reload) -> Result<()> {
    let stopped = |error| Error::internal("serving_not_set_up", "the gateway cannot set up its threads or wait for signals").with_source(error);
    let mut signals = Signals::new().map_err(stopped)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(stopped)?;
    let lanes = Lanes::new().map_err(stopped)?;
    let tasks = TaskTracker::new();
    {
        let mut accepting = pin!(accept(&listener, &gateway, reload, &lanes, &tasks));
        loop {
            tokio::select! {
                // Who sends SIGHUP and then SIGTERM sees both heeded, in that order.
                biased;
                _ = hangup.recv() => reload.now(),
                () = signals.next() => break,
                () = accepting.as_mut() => break,
            }
        }
    }
    drop(listener);
    gateway.stop.say();
    tasks.close();
    tracing::info!(in_flight = tasks.len(), "stopping");
    let drained = async {
        tasks.wait().await;
        gateway.app.ingest.drain().await;
    };
    tokio::select! {
        ended = tokio::time::timeout(DRAIN, drained) => {
            if ended.is_err() {
                tracing::warn!("some work did not end within 30 seconds; jobs go on at the next start");
            }
        }
        () = signals.next() => tracing::warn!("told twice to stop: leaving at once"),
    }
    if tokio::time::timeout(LAST_WORDS, gateway.app.stop()).await.is_err() {
        tracing::error!("what was done last could not be written down within 5 seconds");
    }
    Ok(())
}

/// One thread for each processor, each with a runtime of its own.
struct Lanes {
    lanes: Vec<Handle>,
    next: AtomicUsize,
    /// Ends the threads when it is dropped.
    _end: DropGuard,
}

impl Lanes {
    fn new() -> std::io::Result<Self> {
        let end = CancellationToken::new();
        let lane = |number: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (handle, end) = (runtime.handle().clone(), end.clone());
            let thread = std::thread::Builder::new().name(format!("serve-{number}"));
            thread.spawn(move || {
                runtime.block_on(end.cancelled());
                runtime.shutdown_background();
            })?;
            Ok(handle)
        };
        let lanes = (0..std::thread::available_parallelism()?.get()).map(lane).collect::<std::io::Result<_>>()?;
        Ok(Self { lanes, next: AtomicUsize::new(0), _end: end.drop_guard() })
    }

    /// In turn.
    fn next(&self) -> Option<&Handle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.lanes.get(turn % self.lanes.len().max(1))
    }
}

async fn accept(listener: &TcpListener, gateway: &Arc<Gateway>, reload: &Reload, lanes: &Lanes, tasks: &TaskTracker) {
    let router = router(gateway.clone());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let acceptor = reload.acceptor();
        let Ok(place) = places.clone().try_acquire_owned() else {
            if acceptor.is_none() {
                refuse(&stream);
            }
            continue;
        };
        // Small answers should not wait for more to send.
        let _ = stream.set_nodelay(true);
        let (asked, router) = (gateway.clone(), router.clone());
        let (peer, unread) = (Peer { address: peer.ip(), notes: Notes::default() }, Unread::default());
        let watch = unread.clone();
        let service = service_fn(move |request| answer(asked.clone(), router.clone(), peer.clone(), watch.clone(), request));
        // Registered anew with the reactor of the thread that serves it.
        let (Ok(stream), Some(lane)) = (stream.into_std(), lanes.next()) else { continue };
        let (http, gateway) = (http.clone(), gateway.clone());
        let serving = async move {
            let _place = place;
            let _open = meter::hold(|meter| &meter.connections);
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let Some(acceptor) = acceptor else { return converse(&http, Patient::new(stream, unread), service, &gateway.stop).await };
            match tokio::time::timeout(HEAD_PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => converse(&http, Patient::new(stream, unread), service, &gateway.stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "a client does not agree to TLS"),
                Err(_) => tracing::debug!("a client did not finish its TLS handshake"),
            }
        };
        tasks.spawn_on(serving, lane);
    }
}

/// Serves one connection until its client leaves, or until it is told to stop and what is in flight has ended.
async fn converse<S, V>(http: &http1::Builder, stream: Patient<S>, service: V, stop: &Stop)
where
    S: AsyncRead + AsyncWrite + Unpin,
    V: Service<Request<Incoming>, Response = Response<Counted>, Error = Infallible>,
{
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut word = pin!(stop.token.cancelled());
    let (mut waits, mut leaves) = (None::<Waker>, false);
    let ended = poll_fn(|context| {
        // Once, unless another task goes on with the connection.
        if waits.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            waits = word.as_mut().poll(context).is_pending().then(|| context.waker().clone());
        }
        // A request that has arrived is still answered.
        let turn = connection.as_mut().poll(context);
        if turn.is_ready() || leaves || !stop.is_said() {
            return turn;
        }
        leaves = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(context)
    });
    let ended = ended.await;
    if let Err(error) = ended {
        // A client that left, or a remote that broke off in the middle of a body: the log says which.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::debug!(%error, cause, "a connection ended early");
    }
}

/// As much as fits into the socket's buffer, without waiting for anybody.
fn refuse(stream: &TcpStream) {
    let _ = stream.try_write(BUSY);
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
