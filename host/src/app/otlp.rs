//! Spans on their way to a collector: OTLP over HTTP, protobuf (opentelemetry-proto, trace/v1). Written out here: it is five messages, and
//! they leave by our own client.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;
use url::Url;

use crate::fetch::Fetcher;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

pub struct Exporter {
    pub fetcher: Arc<Fetcher>,
    pub url: Url,
    /// The thread that hands over spans has no runtime of its own.
    pub runtime: Handle,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (fetcher, url, count) = (self.fetcher.clone(), self.url.clone(), batch.len());
        let body = Bytes::from(request(&batch));
        let sent = self.runtime.spawn(async move { fetcher.post(&url, HeaderMap::new(), PROTOBUF, body).await });
        let why = match sent.await {
            Ok(Ok((status, _))) if status.is_success() => return Ok(()),
            Ok(Ok((status, _))) => format!("the collector answered {status}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the gateway is stopping".to_owned(),
        };
        tracing::warn!(spans = count, why, "spans were lost on their way to the collector");
        Err(OTelSdkError::InternalFailure(why))
    }
}

/// ExportTraceServiceRequest: one resource, one scope.
fn request(batch: &[SpanData]) -> Vec<u8> {
    let mut spans = Message::default();
    spans.message(1, &named("portcullis"));
    for one in batch {
        spans.message(2, &span(one));
    }
    let mut resource = Message::default();
    resource.message(1, &attribute(&KeyValue::new("service.name", "portcullis")));
    resource.message(1, &attribute(&KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))));
    let mut all = Message::default();
    all.message(1, &resource);
    all.message(2, &spans);
    let mut request = Message::default();
    request.message(1, &all);
    request.0
}

fn named(name: &str) -> Message {
    let mut message = Message::default();
    message.bytes(1, name.as_bytes());
    message
}

fn span(span: &SpanData) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.span_context.trace_id().to_bytes());
    message.bytes(2, &span.span_context.span_id().to_bytes());
    if span.parent_span_id != SpanId::INVALID {
        message.bytes(4, &span.parent_span_id.to_bytes());
    }
    message.bytes(5, span.name.as_bytes());
    message.varint(
        6,
        match span.span_kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        },
    );
    message.fixed64(7, nanoseconds(span.start_time));
    message.fixed64(8, nanoseconds(span.end_time));
    for one in &span.attributes {
        message.message(9, &attribute(one));
    }
    let mut status = Message::default();
    match &span.status {
        Status::Unset => {}
        Status::Ok => status.varint(3, 1),
        Status::Error { description } => {
            status.bytes(2, description.as_bytes());
            status.varint(3, 2);
        }
    }
    message.message(15, &status);
    message
}

fn attribute(attribute: &KeyValue) -> Message {
    let mut value = Message::default();
    match &attribute.value {
        Value::String(text) => value.bytes(1, text.as_str().as_bytes()),
        Value::Bool(yes) => value.varint(2, u64::from(*yes)),
        Value::I64(number) => value.varint(3, number.cast_unsigned()),
        Value::F64(number) => value.fixed64(4, number.to_bits()),
        other => value.bytes(1, other.to_string().as_bytes()),
    }
    let mut message = Message::default();
    message.bytes(1, attribute.key.as_str().as_bytes());
    message.message(2, &value);
    message
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Protobuf's wire format: fields one after the other.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(0x80 | number.to_le_bytes()[0]);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
    fn varint(&mut self, field: u64, value: u64) {
        self.raw(field << 3);
        self.raw(value);
    }
    fn fixed64(&mut self, field: u64, value: u64) {
        self.raw(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.raw(field << 3 | 2);
        self.raw(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protobuf_writes_them() {
        let mut message = Message::default();
        message.varint(1, 150);
        message.bytes(2, b"testing");
        message.fixed64(3, 1);
        // The first two are the examples of protobuf's own documentation.
        assert_eq!(message.0, [&[0x08, 0x96, 0x01, 0x12, 0x07][..], b"testing", &[0x19, 1, 0, 0, 0, 0, 0, 0, 0]].concat());
        let mut message = Message::default();
        message.varint(3, (-1_i64).cast_unsigned());
        assert_eq!(message.0, [[0x18].as_slice(), &[0xff; 9], &[1]].concat());
    }
}
