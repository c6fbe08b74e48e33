//! Traces, for whoever asked for them (`trace.otlp_endpoint`). Spans are `tracing`'s, under a target of their own that no log shows: while
//! nobody listens, each is one question whose answer is known.

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Layer, Registry};
use url::Url;

use super::otlp::Exporter;
use crate::fetch::Fetcher;
use crate::model::{Error, Result};

/// As the spans of all modules are marked.
const TARGET: &str = "trace";

/// Hands over what is still here when it is told to.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Spans go to `<endpoint>/v1/traces` in batches; while the collector does not take them they are dropped, and the log says so.
    pub fn start(endpoint: &Url, fetcher: Arc<Fetcher>) -> Result<(Self, Box<dyn Layer<Registry> + Send + Sync>)> {
        let mut url = endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| Error::invalid("invalid_configuration", "trace.otlp_endpoint is no http URL"))?
            .pop_if_empty()
            .extend(["v1", "traces"]);
        let exporter = Exporter { fetcher, url, runtime: Handle::current() };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_resource(Resource::builder_empty().build())
            .build();
        let layer = OpenTelemetryLayer::new(provider.tracer("portcullis"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE));
        Ok((Self(provider), layer.boxed()))
    }

    /// Waits for the collector as long as it takes spans, seconds at most.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last spans were not handed over");
        }
    }
}

/// Makes `span` a part of the trace that a client began (W3C Trace Context), if it names one.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    if span.is_disabled() {
        return;
    }
    let Some(parent) = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(parent) else { return };
    // It fails where nobody listens.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
}

/// `00-<trace id>-<parent id>-<flags>`; of a later version what this one has.
fn parent(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !digits(version, 2) || version == "ff" || (version == "00" && parts.next().is_some()) || !digits(trace, 32) || !digits(span, 16) || !digits(flags, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let parent = SpanContext::new(TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, flags, true, TraceState::NONE);
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_what_w3c_says_it_is() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let found = parent(good).expect("the standard's own example");
        assert_eq!((found.trace_id().to_string(), found.span_id().to_string()), ("4bf92f3577b34da6a3ce929d0e0e4736".into(), "00f067aa0ba902b7".into()));
        assert!(found.is_sampled() && found.is_remote());
        assert!(parent(&good.replace("-01", "-00")).is_some_and(|parent| !parent.is_sampled()));
        assert!(parent(&good.replacen("00-", "cc-", 1)).is_some() && parent(&format!("{}-more", good.replacen("00-", "cc-", 1))).is_some());
        for wrong in [
            "",
            "00",
            "00-0-0-0",
            &good.to_uppercase(),
            &format!("{good}-more"),
            &good.replacen("00-", "ff-", 1),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            &good.replace("00f067aa0ba902b7", "0000000000000000"),
            &good.replace("00f067aa0ba902b7", "00f067aa0ba902b"),
        ] {
            assert!(parent(wrong).is_none(), "{wrong}");
        }
    }
}
