//! One try of one item: open it, see whether it is new, write it to the sink.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tracing::{Instrument, trace_span};

use super::records::Records;
use super::source::Source;
use super::{AssetPlace, Sink};
use crate::broker::{Object, Read};
use crate::fetch::Body;
use crate::model::{Actor, By, ConnectionId, Error, JobId, Purpose, Result, Stored};

/// What a try needs beside its permit.
pub(super) struct Try<'a, S> {
    pub(super) source: &'a S,
    pub(super) records: &'a Records,
    pub(super) sink: &'a dyn Sink,
    pub(super) connection: ConnectionId,
    pub(super) job: JobId,
    pub(super) max_bytes: u64,
}

impl<S: Source> Try<'_, S> {
    pub(super) async fn run(&self, place: &AssetPlace, permit: S::Permit) -> Result<Stored> {
        let known = self.known(place).await?;
        let by = By { actor: Actor::Job(self.job), purpose: Purpose::Ingest };
        let read = Read { if_none_match: known.as_ref().and_then(|stored| stored.etag.clone()), by: Some(by), ..Read::default() };
        let object = self.source.open(permit, read).await?;
        let meta = object.meta();
        let Object { status, headers, body } = object;
        // They hold on to the memory that they were read into.
        drop(headers);
        match (status, known) {
            (304, Some(stored)) => {
                self.sink.record(place, &stored).await?;
                Ok(stored)
            }
            (200, _) => {
                if meta.content_length.is_some_and(|length| length > self.max_bytes) {
                    return Err(too_large(self.max_bytes));
                }
                let body = Body::new(Limited { body, left: self.max_bytes, limit: self.max_bytes });
                self.sink.put(place, &meta, body).instrument(trace_span!(target: "trace", "sink")).await
            }
            (status, _) => Err(Error::rejected("unexpected_status", format!("the remote answered {status} to a request for a whole object"))),
        }
    }

    /// What the sink holds of this asset from the same connection, if the remote can be asked whether it has changed (SPEC C38).
    async fn known(&self, place: &AssetPlace) -> Result<Option<Stored>> {
        let Some(row) = self.records.asset(&place.org, place.asset).await? else { return Ok(None) };
        let asset = row.value;
        let Some(stored) = asset.stored.filter(|stored| stored.etag.is_some() && asset.connection == self.connection) else { return Ok(None) };
        Ok(if self.sink.holds(&place.org, &stored).await { Some(stored) } else { None })
    }
}

/// A body that ends with an error when it is longer than it may be.
struct Limited {
    body: Body,
    left: u64,
    limit: u64,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(too_large(self.limit)))),
            }
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn too_large(limit: u64) -> Error {
    Error::limit("file_too_large", format!("the object is larger than {limit} bytes, the most that this gateway ingests"))
}
