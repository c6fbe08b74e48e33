//! The body of an answer, as everything above `fetch` sees it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::model::{Error, Result};

/// A streaming body; ends with an error when the remote sent less than it promised (`truncated`) or was too slow (`too_slow`).
pub struct Body(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>);

impl Body {
    pub fn new(body: impl http_body::Body<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self(Box::pin(body))
    }

    /// The whole body, if it is at most `limit` bytes; `LimitExceeded` (`response_too_large`) otherwise.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes> {
        let too_large = || Error::limit("response_too_large", format!("the answer is larger than {limit} bytes"));
        if http_body::Body::size_hint(&self).lower() > limit as u64 {
            return Err(too_large());
        }
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if first.len() + joined.len() + data.len() > limit {
                return Err(too_large());
            }
            // Most small answers are one frame: no copy.
            if first.is_empty() && joined.is_empty() {
                first = data;
            } else {
                joined.extend_from_slice(&std::mem::take(&mut first));
                joined.extend_from_slice(&data);
            }
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        self.0.as_mut().poll_frame(context)
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}
