//! One request on one socket: hyper's connection and the body it fills are polled by the same task.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pool::{Key, Pool};
use super::stream::{Pace, Paced, Stream};
use super::{Limits, cause};
use crate::meter;
use crate::model::{Error, Result};

const MAX_HEADERS: usize = 100;
const MAX_HEAD: usize = 64 << 10;
/// A fast reader is given up to about twice this at once: hyper reads into all the room that its buffer happens to have.
const MAX_BUFFER: usize = 128 << 10;
/// A reader that comes back for more within this time keeps up.
const PROMPT: Duration = Duration::from_millis(10);

pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<Paced>, Full<Bytes>>>,
    pace: Pace,
    /// How long an answer is waited for. Kept from one request to the next: a timer that is put off costs nothing, one that is set
    /// anew wakes the thread.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// The socket ended before the remote answered anything.
    Unanswered(Error),
    Final(Error),
}

impl Failure {
    pub(super) fn error(self) -> Error {
        match self {
            Self::Unanswered(error) | Self::Final(error) => error,
        }
    }
}

impl Link {
    pub(super) async fn open(stream: Stream) -> Result<Box<Self>> {
        let pace = Pace::default();
        let (sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(Paced::new(stream, pace.clone())))
            .await
            .map_err(|error| Error::internal("http_setup", "HTTP cannot be set up on a socket").with_source(error))?;
        Ok(Box::new(Self { sender, connection: Some(connection), pace, deadline: None }))
    }

    /// Moves bytes. When it ends, with an error or without, whoever waits for the answer or its body is told.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(context).is_ready()
        {
            self.connection = None;
        }
    }

    /// Moves bytes until `received` has something.
    ///
    /// What is received comes over hyper's channel from the connection that is polled here. Polled with the task's own waker,
    /// both ends of the channel would wake the very task that is running, and it would run once more for nothing. So the
    /// task's waker is left where nothing can go on without the socket, and only there.
    fn advance<T>(&mut self, context: &mut Context<'_>, mut received: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let silent = &mut Context::from_waker(Waker::noop());
        if let ready @ Poll::Ready(_) = received(silent) {
            return ready;
        }
        self.drive(silent);
        if let ready @ Poll::Ready(_) = received(silent) {
            return ready;
        }
        self.drive(context);
        received(silent)
    }

    /// Open, silent and ready for another request. What the remote sent unasked closes it.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }

    pub(super) async fn request(&mut self, message: Request<Full<Bytes>>, host: &str) -> Result<Response<Incoming>, Failure> {
        self.pace.set_fast(false);
        let mut answer = pin!(self.sender.send_request(message));
        let answer = std::future::poll_fn(|context| self.advance(context, |context| answer.as_mut().poll(context)));
        answer.await.map_err(|error| {
            if error.is_parse() || error.is_user() {
                let (name, what) = match error.is_parse_too_large() {
                    true => ("headers_too_large", "its headers are too large"),
                    false => ("not_http", "it does not speak HTTP/1.1"),
                };
                let told = Error::rejected("upstream_protocol", format!("the answer of {host} cannot be read: {what}")).because(name);
                Failure::Final(told.with_remedy("Check host name and port: another kind of server may be there.").with_source(error))
            } else if let Some(cause) = cause::late_alert(&error) {
                let told = Error::rejected("upstream_tls", format!("TLS with {host} failed: {}", cause.words)).because(cause.name);
                Failure::Final(told.with_remedy(cause.remedy).with_source(error))
            } else {
                let told = Error::unavailable("upstream_connect", format!("{host} closed the connection before it answered")).because("closed_without_answer");
                Failure::Unanswered(told.with_remedy("See whether the server or a proxy before it fails, then test again.").with_source(error))
            }
        })
    }
}

/// The body while it arrives. When it ends well its socket goes back to the pool; when it is dropped before, the socket closes.
pub(super) struct Streaming {
    incoming: Incoming,
    /// `None` once it went back, or ended.
    lent: Option<(Box<Link>, Key, Arc<Pool>)>,
    promised: Option<u64>,
    received: u64,
    gauge: Gauge,
}

impl Streaming {
    pub(super) fn new(incoming: Incoming, link: Box<Link>, key: Key, pool: Arc<Pool>, limits: &Limits) -> Self {
        let promised = incoming.size_hint().exact();
        let mut body = Self { incoming, lent: Some((link, key, pool)), promised, received: 0, gauge: Gauge::new(limits) };
        body.give_back_at_the_end();
        body
    }

    /// Readers that know the length do not ask again after the last byte.
    fn give_back_at_the_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some((mut link, key, pool)) = self.lent.take()
            && link.is_idle()
        {
            pool.put(key, link);
        }
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let incoming = &mut self.incoming;
        match &mut self.lent {
            Some((link, ..)) => link.advance(context, |context| Pin::new(&mut *incoming).poll_frame(context)),
            // All of it has arrived.
            None => Pin::new(incoming).poll_frame(context),
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(meter) = meter::get() {
            meter.upstream.bytes.increment(self.received);
        }
    }
}

fn truncated(received: u64) -> Error {
    Error::unavailable("truncated", format!("the remote closed the connection after {received} bytes, before the end of the body"))
        .with_remedy("See whether the server or a proxy before it breaks answers off, then test again.")
}

impl http_body::Body for Streaming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Some((link, ..)) = &this.lent
            && let Some(prompt) = this.gauge.asked()
        {
            link.pace.set_fast(prompt);
        }
        loop {
            let failure = match this.poll_incoming(context) {
                Poll::Pending => match this.gauge.waiting(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(error) => error,
                },
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are of no use to anybody here.
                    let Ok(data) = frame.into_data() else { continue };
                    this.received += data.len() as u64;
                    this.give_back_at_the_end();
                    match this.gauge.arrived(data.len()) {
                        Ok(()) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        Err(error) => error,
                    }
                }
                Poll::Ready(None) if this.promised.is_none_or(|promised| promised == this.received) => {
                    this.give_back();
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => truncated(this.received),
                Poll::Ready(Some(Err(error))) => truncated(this.received).with_source(error),
            };
            this.lent = None;
            return Poll::Ready(Some(Err(failure)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Measures how fast the remote is, over the time that we wait for it: a reader who does not ask is no fault of the remote.
struct Gauge {
    window: Duration,
    least: u64,
    waiting_since: Option<Instant>,
    waited: Duration,
    bytes: u64,
    timer: Option<Pin<Box<Sleep>>>,
    handed_out: Option<Instant>,
}

impl Gauge {
    fn new(limits: &Limits) -> Self {
        let least = limits.min_rate.saturating_mul(limits.slow_window.as_secs());
        Self { window: limits.slow_window, least, waiting_since: None, waited: Duration::ZERO, bytes: 0, timer: None, handed_out: None }
    }

    /// The reader asks for more: did it come back promptly? `None`: it has not been given anything since it asked last.
    fn asked(&mut self) -> Option<bool> {
        self.handed_out.take().map(|then| then.elapsed() < PROMPT)
    }

    fn arrived(&mut self, bytes: usize) -> Result<()> {
        let now = Instant::now();
        self.handed_out = Some(now);
        self.bytes += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
        self.judge()
    }

    /// Called while there is nothing to read. `Ready`: the remote is too slow.
    fn waiting(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        loop {
            let now = Instant::now();
            self.waited += now - self.waiting_since.replace(now).unwrap_or(now);
            if let Err(error) = self.judge() {
                return Poll::Ready(error);
            }
            // An armed timer is left alone: it fires early at worst, and is set anew then.
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(now + self.window)));
            std::task::ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(now + self.window.saturating_sub(self.waited).max(Duration::from_millis(1)));
        }
    }

    fn judge(&mut self) -> Result<()> {
        if self.waited < self.window {
            return Ok(());
        }
        if self.bytes < self.least {
            return Err(Error::unavailable("too_slow", format!("the remote sent {} bytes in {} seconds", self.bytes, self.waited.as_secs())));
        }
        self.waited = Duration::ZERO;
        self.bytes = 0;
        Ok(())
    }
}
