//! One request on one socket, and the head of its answer (HTTP/1.1, RFC 9112). Both are moved by the task that asks.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::task::coop::has_budget_remaining;
use tokio::time::Sleep;

use super::cause;
use super::framing::{Framing, head_end};
use super::stream::Stream;
use super::wire::Message;
use crate::model::Error;

const MAX_HEADERS: usize = 100;
/// With interim answers before it.
const MAX_HEAD: usize = 64 << 10;
/// What one read takes while there is no head: most heads, and small objects with them.
const HEAD_READ: usize = 16 << 10;

pub(super) struct Link {
    stream: Stream,
    /// What arrived and was not given on.
    pub(super) arrived: BytesMut,
    /// How long an answer is waited for. Kept from one request to the next: a timer that is put off costs nothing, one that is set
    /// anew wakes the thread.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
}

pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// The socket may carry another request once the body is over.
    pub(super) lasting: bool,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// The socket ended, or broke, before there was an answer.
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

enum Broken {
    Socket(io::Error),
    TooLarge,
    NotHttp,
    /// Nobody can tell where the answer ends.
    Unframed,
}

impl Link {
    pub(super) fn new(stream: Stream) -> Box<Self> {
        Box::new(Self { stream, arrived: BytesMut::new(), deadline: None })
    }

    pub(super) async fn request(&mut self, message: &Message, host: &str) -> Result<Head, Failure> {
        // All of it before anything is read: a request is a head and a small form. A remote that refuses early may close its end before it has
        // read all: what it said is the answer then.
        let written = self.write(message.bytes()).await;
        match (self.head(&message.method).await, written) {
            (Ok(head), written) => Ok(Head { lasting: head.lasting && written.is_ok(), ..head }),
            (Err(Broken::Socket(ended)), Err(error)) if ended.kind() == io::ErrorKind::UnexpectedEof => Err(Broken::Socket(error).told(host)),
            (Err(broken), _) => Err(broken.told(host)),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn head(&mut self, asked: &Method) -> Result<Head, Broken> {
        let (mut left, mut seen) = (MAX_HEAD, 0);
        loop {
            // Another protocol may never end a line.
            if !self.arrived.iter().zip(b"HTTP/1.").all(|(found, expected)| found == expected) {
                return Err(Broken::NotHttp);
            }
            if let Some(end) = head_end(&self.arrived, seen) {
                left = left.checked_sub(end).ok_or(Broken::TooLarge)?;
                let head = Head::parse(&self.arrived.split_to(end).freeze(), asked)?;
                if !head.status.is_informational() {
                    return Ok(head);
                }
                seen = 0;
                continue;
            }
            if self.arrived.len() >= left {
                return Err(Broken::TooLarge);
            }
            seen = self.arrived.len();
            if std::future::poll_fn(|context| self.poll_read(context, HEAD_READ)).await.map_err(Broken::Socket)? == 0 {
                return Err(Broken::Socket(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Adds what is there to what has arrived, up to `most` bytes. 0 is the end of the socket.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        // Small pieces share the memory of one read: whoever keeps one keeps all of it.
        let kept = self.arrived.len();
        if self.arrived.capacity() - kept < most / 2 {
            self.arrived.reserve(most.saturating_sub(kept).max(most / 2));
        }
        pin!(self.stream.read_buf(&mut (&mut self.arrived).limit(most))).poll(context)
    }

    /// Open and silent, as far as it can be told now. What the remote sends unasked is no answer to the next request.
    pub(super) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let read = Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut ReadBuf::new(&mut byte));
        // A task that has done its share for now is told that nothing is there, whatever is.
        self.arrived.is_empty() && read.is_pending() && has_budget_remaining()
    }
}

impl Head {
    fn parse(bytes: &Bytes, asked: &Method) -> Result<Self, Broken> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut head, bytes, &mut lines);
        match parsed {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Broken::TooLarge),
            Ok(_) | Err(_) => return Err(Broken::NotHttp),
        }
        let (Some(version), Some(Ok(status))) = (head.version, head.code.map(StatusCode::from_u16)) else { return Err(Broken::NotHttp) };
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for line in &*head.headers {
            let (name, value) = (HeaderName::from_bytes(line.name.as_bytes()), HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)));
            let (Ok(name), Ok(value)) = (name, value) else { return Err(Broken::NotHttp) };
            headers.append(name, value);
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for another one.
            return Err(Broken::NotHttp);
        }
        let framing = Framing::of(asked, version, status, &headers).ok_or(Broken::Unframed)?;
        let disputed = headers.contains_key(header::TRANSFER_ENCODING) && headers.remove(header::CONTENT_LENGTH).is_some();
        let lasting = !says(&headers, "close") && (version == 1 || says(&headers, "keep-alive"));
        Ok(Self { status, headers, lasting: lasting && !disputed, framing })
    }
}

fn says(headers: &HeaderMap, word: &str) -> bool {
    let mut words = headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

impl Broken {
    fn told(self, host: &str) -> Failure {
        const ANOTHER: &str = "Check host name and port: another kind of server may be there.";
        let unreadable = |name, what, remedy| {
            let told = Error::rejected("upstream_protocol", format!("the answer of {host} cannot be read: {what}")).because(name);
            Failure::Final(told.with_remedy(remedy))
        };
        match self {
            Self::TooLarge => unreadable("headers_too_large", "its headers are too large", ANOTHER),
            Self::NotHttp => unreadable("not_http", "it does not speak HTTP/1.1", ANOTHER),
            Self::Unframed => unreadable(
                "not_http",
                "its length cannot be told",
                "The server's owner looks at the Content-Length and Transfer-Encoding that the server sends.",
            ),
            Self::Socket(error) => match cause::late_alert(&error) {
                Some(cause) => {
                    let told = Error::rejected("upstream_tls", format!("TLS with {host} failed: {}", cause.words)).because(cause.name);
                    Failure::Final(told.with_remedy(cause.remedy).with_source(error))
                }
                None => {
                    let told =
                        Error::unavailable("upstream_connect", format!("{host} closed the connection before it answered")).because("closed_without_answer");
                    Failure::Unanswered(told.with_remedy("See whether the server or a proxy before it fails, then test again.").with_source(error))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::coop::{consume_budget, has_budget_remaining};

    use super::*;

    #[tokio::test]
    async fn u05_a_socket_that_cannot_be_looked_at_now_is_not_idle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a socket");
        let (_far, _) = listener.accept().await.expect("a socket");
        let mut link = Link::new(Stream::Plain(near));
        assert!(link.is_idle());
        while has_budget_remaining() {
            consume_budget().await;
        }
        // It may have sent something: a task that has done its share is not told.
        assert!(!link.is_idle());
        tokio::task::yield_now().await;
        assert!(link.is_idle());
    }
}
