//! The end of a connection whose client was answered before its request was read to the end, and may still be sending.
//!
//! A connection that is closed on unread bytes is reset, and then the client may never see the answer that was on its way. So the
//! answer goes out first, our half is closed, and what still comes is thrown away until the client leaves, falls silent or takes too long.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

const SILENCE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
const MOST: usize = 64 << 20;
const PIECE: usize = 8 << 10;

/// Whether a connection has a request that was not read to its end. Nothing is read from it after that one.
#[derive(Clone, Default)]
pub struct Unread(Arc<AtomicBool>);

impl Unread {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request's body that notes when it is let go of before its end.
pub struct Watched<B: Body<Data = Bytes> + Unpin> {
    body: B,
    ended: bool,
    unread: Unread,
}

impl<B: Body<Data = Bytes> + Unpin> Watched<B> {
    pub fn new(body: B, unread: Unread) -> Self {
        Self { body, ended: false, unread }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(frame, Poll::Ready(None));
        frame
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Drop for Watched<B> {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.unread.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Reads what a client still sends.
pub struct Linger {
    end: Instant,
    left: usize,
    silence: Pin<Box<Sleep>>,
}

impl Linger {
    pub fn new() -> Self {
        Self { end: Instant::now() + LONGEST, left: MOST, silence: Box::pin(sleep(SILENCE)) }
    }

    /// Ready when the connection may be closed.
    pub fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [MaybeUninit::uninit(); PIECE];
        loop {
            let mut piece = ReadBuf::uninit(&mut scrap);
            match Pin::new(&mut *stream).poll_read(context, &mut piece) {
                Poll::Pending => return self.silence.as_mut().poll(context),
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    let now = Instant::now();
                    self.left = self.left.saturating_sub(piece.filled().len());
                    if self.left == 0 || now >= self.end {
                        return Poll::Ready(());
                    }
                    self.silence.as_mut().reset(self.end.min(now + SILENCE));
                }
                // It has left.
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body_util::{BodyExt, Full};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// How long it is listened to a client that does this.
    async fn listens<F: Future<Output = ()> + Send + 'static>(client: impl FnOnce(DuplexStream) -> F) -> Duration {
        let (mut near, far) = duplex(64 << 10);
        let client = tokio::spawn(client(far));
        let (start, mut linger) = (Instant::now(), Linger::new());
        poll_fn(|context| linger.poll(&mut near, context)).await;
        client.abort();
        start.elapsed()
    }

    async fn send(mut far: DuplexStream, piece: usize, pause: Duration) {
        while far.write_all(&vec![b'x'; piece]).await.is_ok() {
            sleep(pause).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_listened_to_until_it_leaves_and_not_for_ever() {
        assert_eq!(listens(|far| async { drop(far) }).await, Duration::ZERO, "it left");
        let silent = |far: DuplexStream| async {
            sleep(LONGEST * 2).await;
            drop(far);
        };
        assert_eq!(listens(silent).await.as_secs(), SILENCE.as_secs(), "it says nothing");
        let slow = listens(|far| send(far, 1, SILENCE / 2)).await;
        assert_eq!(slow.as_secs(), LONGEST.as_secs(), "a byte now and then");
        let fast = listens(|far| send(far, 1 << 20, Duration::from_millis(100))).await;
        assert!(fast < Duration::from_secs(7), "more than anybody has to say: {fast:?}");
        let late = |mut far: DuplexStream| async move {
            for _ in 0..40 {
                far.write_all(&[b'x'; 1000]).await.unwrap();
                sleep(Duration::from_millis(500)).await;
            }
        };
        assert_eq!(listens(late).await.as_secs(), 20, "it is heard out");
    }

    #[tokio::test]
    async fn a_body_that_is_let_go_of_before_its_end_is_unread() {
        let unread = Unread::default();
        let body = || Watched::new(Full::new(Bytes::from_static(b"{}")), unread.clone());
        body().collect().await.unwrap();
        let mut last = body();
        last.frame().await.unwrap().unwrap();
        drop(last);
        drop(Watched::new(Full::new(Bytes::new()), unread.clone()));
        assert!(!unread.is_set(), "read, or nothing to read");
        drop(body());
        assert!(unread.is_set());
    }
}
