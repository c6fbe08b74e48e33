//! The body of an answer while it arrives: how much of it is read at once, how slow it may be, and where its socket goes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::task::coop::poll_proceed;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::exchange::Link;
use super::framing::{Framing, Piece};
use super::pool::{Key, Pool};
use crate::meter;
use crate::model::{Error, Result};

/// What one read takes while the reader is slow: a slow stream then costs little memory, whatever the object's size.
const SLOW_READ: usize = 16 << 10;
/// What one read takes while the reader keeps up.
const FAST_READ: usize = 256 << 10;
const CLOSED: &str = "closed the connection";
/// A reader that comes back for more within this time keeps up.
const PROMPT: Duration = Duration::from_millis(10);

/// When it ends well its socket goes back to the pool; when it is dropped before, the socket closes.
pub(super) struct Streaming {
    framing: Framing,
    /// `None` once it went back, or ended.
    lent: Option<Lent>,
    received: u64,
    /// Of one read.
    most: usize,
    gauge: Gauge,
}

pub(super) struct Lent {
    pub(super) link: Box<Link>,
    /// Where it goes afterwards. `None`: it carries no other request.
    pub(super) home: Option<(Key, Arc<Pool>)>,
}

impl Streaming {
    pub(super) fn new(framing: Framing, lent: Lent, limits: &Limits) -> Self {
        let mut body = Self { framing, lent: Some(lent), received: 0, most: SLOW_READ, gauge: Gauge::new(limits) };
        // Readers that know the length do not ask again after the last byte.
        if body.framing.is_over() {
            body.give_back();
        }
        body
    }

    fn give_back(&mut self) {
        if let Some(Lent { mut link, home: Some((key, pool)) }) = self.lent.take()
            && link.is_idle()
        {
            link.arrived = BytesMut::new();
            pool.put(key, link);
        }
    }

    fn cut(&self, how: &str) -> Error {
        Error::unavailable("truncated", format!("the remote {how} after {} bytes, before the end of the body", self.received))
            .with_remedy("See whether the server or a proxy before it breaks answers off, then test again.")
    }

    /// `None` is the end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            // Once it has failed it fails again: its end is no good one.
            let Some(Lent { link, .. }) = &mut self.lent else {
                return Poll::Ready(if self.framing.is_over() { Ok(None) } else { Err(self.cut(CLOSED)) });
            };
            match self.framing.next(&mut link.arrived) {
                Ok(Piece::Data(data)) => {
                    self.received += data.len() as u64;
                    if self.framing.is_over() {
                        self.give_back();
                        return Poll::Ready(Ok(Some(data)));
                    }
                    return Poll::Ready(self.gauge.arrived(data.len()).map(|()| Some(data)));
                }
                Ok(Piece::Over) => {
                    self.give_back();
                    return Poll::Ready(Ok(None));
                }
                Ok(Piece::Missing) => {}
                Err(malformed) => return Poll::Ready(Err(self.cut("sent what cannot be told apart").with_source(malformed))),
            }
            match link.poll_read(context, self.most) {
                Poll::Pending => return self.gauge.waiting(context).map(Err),
                Poll::Ready(Ok(0)) if self.framing == Framing::Close => {
                    self.framing = Framing::Length(0);
                    self.lent = None;
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.cut(CLOSED))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.cut(CLOSED).with_source(error))),
            }
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

impl http_body::Body for Streaming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Some(prompt) = this.gauge.asked() {
            this.most = if prompt { FAST_READ } else { SLOW_READ };
        }
        // What arrived at once may be a great many pieces: others get their turn.
        let turn = std::task::ready!(poll_proceed(context));
        let outcome = std::task::ready!(this.poll(context));
        turn.made_progress();
        if outcome.is_err() {
            this.lent = None;
        }
        Poll::Ready(outcome.map(|data| data.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_over()
    }
    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
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
