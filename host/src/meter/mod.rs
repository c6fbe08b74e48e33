//! What is counted and timed, for Prometheus. The only place that knows the names of metrics, and the door of the crates that keep them.
//!
//! Off unless `start` is called: then `get` answers nothing, and nobody pays more than that question. Handles are made once, so that a
//! count is an addition to an atomic number. Labels come from lists that nobody outside can lengthen: never an organization, a connection
//! or a path (SECURITY A16).

mod process;

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::model::{Error, Kind, Result};

/// Seconds: from a call of a plugin to a large object.
const BUCKETS: [f64; 16] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];
const ABOUT: Metadata<'static> = Metadata::new("portcullis", Level::INFO, None);
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER];
const OTHER: &str = "other";
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const KINDS: [Kind; 9] =
    [Kind::Invalid, Kind::NotFound, Kind::Conflict, Kind::Denied, Kind::Rejected, Kind::Unavailable, Kind::LimitExceeded, Kind::PluginFault, Kind::Internal];

/// Every metric with what it means.
pub const METRICS: [(&str, &str); 28] = [
    ("portcullis_build_info", "1, with the version as a label."),
    ("portcullis_http_requests_total", "Requests that were answered, by route, method and class of status."),
    ("portcullis_http_request_duration_seconds", "From a request's head to the last byte of its answer, by route."),
    ("portcullis_http_response_bytes_total", "Bytes of answers' bodies, by route."),
    ("portcullis_http_errors_total", "Requests that were refused or failed, by kind of error."),
    ("portcullis_http_connections", "Connections of clients that are open."),
    ("portcullis_plugin_calls_total", "Calls of plugins, by connector and outcome (ok, refused, fault, suspended, busy)."),
    ("portcullis_plugin_call_duration_seconds", "Calls of plugins, what they asked of remotes included, by connector."),
    ("portcullis_plugin_suspensions_total", "Times that a plugin was suspended for an organization because it kept failing."),
    ("portcullis_leases_total", "Uses of sessions and tokens, by how they were come by (held, shared, opened, failed)."),
    ("portcullis_lease_exchanges_total", "Exchanges with AWS STS and token endpoints, by outcome (ok, failed)."),
    ("portcullis_upstream_requests_total", "Requests to remotes, by class of status or kind of error."),
    ("portcullis_upstream_request_duration_seconds", "From a request to a remote to the head of its answer."),
    ("portcullis_upstream_connects_total", "Sockets opened to remotes, by outcome (ok, failed)."),
    ("portcullis_upstream_bytes_total", "Bytes of bodies that remotes sent."),
    ("portcullis_jobs_unfinished", "Ingestion jobs that wait or run: the depth of the queue."),
    ("portcullis_jobs_ended_total", "Ingestion jobs that ended, by outcome (completed, failed)."),
    ("portcullis_assets_in_flight", "Assets that are fetched just now."),
    ("portcullis_assets_tried_total", "Tries of assets, by outcome (stored, failed, again)."),
    ("portcullis_store_flushes_total", "Times that the store was made durable, by outcome (ok, failed)."),
    ("portcullis_store_flush_duration_seconds", "How long making it durable took."),
    ("portcullis_store_writes_total", "Batches that were written; those that waited for the same flush share it."),
    ("process_cpu_seconds_total", "CPU time of the process."),
    ("process_resident_memory_bytes", "Resident memory of the process."),
    ("process_virtual_memory_bytes", "Address space of the process, what is set aside for plugins included."),
    ("process_open_fds", "File descriptors that are open."),
    ("process_max_fds", "File descriptors that may be open."),
    ("process_threads", "Threads of the process."),
];

static METER: OnceLock<Meter> = OnceLock::new();

/// `None`: nobody asked for metrics.
#[inline]
pub fn get() -> Option<&'static Meter> {
    METER.get()
}

/// Once for each process, before anything is counted.
pub fn start() -> Result<()> {
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
    let recorder = builder.map_err(|error| Error::internal("metrics_not_set_up", "metrics cannot be set up").with_source(error))?.build_recorder();
    // A second start, as in tests, changes nothing.
    let _ = METER.set(Meter::new(recorder));
    Ok(())
}

pub struct Meter {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: process::Process,
    errors: [Counter; KINDS.len()],
    /// Of requests that no route answered.
    pub unrouted: Route,
    pub connections: Gauge,
    pub suspensions: Counter,
    pub lease_held: Counter,
    pub lease_shared: Counter,
    pub lease_opened: Counter,
    pub lease_failed: Counter,
    pub exchanges: Outcome,
    pub upstream: Upstream,
    pub jobs_unfinished: Gauge,
    pub jobs: Outcome,
    pub assets_in_flight: Gauge,
    pub assets_stored: Counter,
    pub assets_failed: Counter,
    pub assets_again: Counter,
    pub flushes: Outcome,
    pub flush_duration: Histogram,
    pub writes: Counter,
}

/// Something that succeeds or does not.
pub struct Outcome {
    ok: Counter,
    failed: Counter,
}

impl Outcome {
    pub fn note<T, E>(&self, outcome: &std::result::Result<T, E>) {
        if outcome.is_ok() { self.ok.increment(1) } else { self.failed.increment(1) }
    }
}

/// A request's method as it may be counted and written: anybody may send any word for one, as long as a head may be.
#[must_use]
pub fn method(sent: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == sent).unwrap_or(OTHER)
}

/// One more in a gauge, for as long as it lives.
pub struct Held(Option<&'static Gauge>);

pub fn hold(gauge: fn(&'static Meter) -> &'static Gauge) -> Held {
    let gauge = get().map(gauge);
    if let Some(gauge) = gauge {
        gauge.increment(1);
    }
    Held(gauge)
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(gauge) = self.0 {
            gauge.decrement(1);
        }
    }
}

pub struct Upstream {
    answered: [Counter; CLASSES.len()],
    failed: [Counter; KINDS.len()],
    duration: Histogram,
    pub connects: Outcome,
    pub bytes: Counter,
}

impl Upstream {
    /// `status`: of the answer, if there was one.
    pub fn note(&self, outcome: Result<u16, &Error>, took: Duration) {
        let counter = match outcome {
            Ok(status) => self.answered.get(class(status)),
            Err(error) => self.failed.get(error.kind() as usize),
        };
        if let Some(counter) = counter {
            counter.increment(1);
        }
        self.duration.record(took);
    }
}

/// One route's.
pub struct Route {
    pattern: String,
    /// By method and class of status: made when there is one.
    requests: [[OnceLock<Counter>; CLASSES.len()]; METHODS.len()],
    duration: Histogram,
    bytes: Counter,
}

/// One connector's.
pub struct Plugin {
    calls: [Counter; 5],
    duration: Histogram,
}

impl Plugin {
    pub fn note<T>(&self, outcome: &Result<T>, took: Duration) {
        let index = match outcome {
            Ok(_) => 0,
            Err(error) if error.kind() == Kind::PluginFault => 2,
            Err(error) if error.code() == "plugin_suspended" => 3,
            Err(error) if error.code() == "plugins_busy" => 4,
            Err(_) => 1,
        };
        if let Some(counter) = self.calls.get(index) {
            counter.increment(1);
        }
        self.duration.record(took);
    }
}

impl Meter {
    fn new(recorder: PrometheusRecorder) -> Self {
        for (name, meaning) in METRICS {
            // What it is comes with its first handle; this is its description alone.
            recorder.describe_counter(KeyName::from_const_str(name), None, meaning.into());
        }
        let counter = |name: &'static str, label: &'static str, value: &'static str| recorder.register_counter(&key(name, label, value), &ABOUT);
        let plain = |name: &'static str| recorder.register_counter(&Key::from_name(name), &ABOUT);
        let gauge = |name: &'static str| recorder.register_gauge(&Key::from_name(name), &ABOUT);
        let histogram = |name: &'static str| recorder.register_histogram(&Key::from_name(name), &ABOUT);
        let outcome = |name: &'static str, ok: &'static str| Outcome { ok: counter(name, "outcome", ok), failed: counter(name, "outcome", "failed") };
        let by_kind = |name: &'static str, label: &'static str| KINDS.map(|kind| counter(name, label, kind.as_str()));
        recorder.register_gauge(&key("portcullis_build_info", "version", env!("CARGO_PKG_VERSION")), &ABOUT).set(1.0);
        Self {
            process: process::Process {
                cpu: plain("process_cpu_seconds_total"),
                resident: gauge("process_resident_memory_bytes"),
                virtual_size: gauge("process_virtual_memory_bytes"),
                open_fds: gauge("process_open_fds"),
                max_fds: gauge("process_max_fds"),
                threads: gauge("process_threads"),
            },
            errors: by_kind("portcullis_http_errors_total", "kind"),
            unrouted: route(&recorder, "none"),
            connections: gauge("portcullis_http_connections"),
            suspensions: plain("portcullis_plugin_suspensions_total"),
            lease_held: counter("portcullis_leases_total", "outcome", "held"),
            lease_shared: counter("portcullis_leases_total", "outcome", "shared"),
            lease_opened: counter("portcullis_leases_total", "outcome", "opened"),
            lease_failed: counter("portcullis_leases_total", "outcome", "failed"),
            exchanges: outcome("portcullis_lease_exchanges_total", "ok"),
            upstream: Upstream {
                answered: CLASSES.map(|class| counter("portcullis_upstream_requests_total", "outcome", class)),
                failed: by_kind("portcullis_upstream_requests_total", "outcome"),
                duration: histogram("portcullis_upstream_request_duration_seconds"),
                connects: outcome("portcullis_upstream_connects_total", "ok"),
                bytes: plain("portcullis_upstream_bytes_total"),
            },
            jobs_unfinished: gauge("portcullis_jobs_unfinished"),
            jobs: outcome("portcullis_jobs_ended_total", "completed"),
            assets_in_flight: gauge("portcullis_assets_in_flight"),
            assets_stored: counter("portcullis_assets_tried_total", "outcome", "stored"),
            assets_failed: counter("portcullis_assets_tried_total", "outcome", "failed"),
            assets_again: counter("portcullis_assets_tried_total", "outcome", "again"),
            flushes: outcome("portcullis_store_flushes_total", "ok"),
            flush_duration: histogram("portcullis_store_flush_duration_seconds"),
            writes: plain("portcullis_store_writes_total"),
            handle: recorder.handle(),
            recorder,
        }
    }

    pub fn of_route(&self, pattern: &str) -> Route {
        route(&self.recorder, pattern)
    }

    pub fn plugin(&self, connector: &str) -> Plugin {
        let labels = |outcome: &'static str| vec![Label::new("connector", connector.to_owned()), Label::new("outcome", outcome)];
        let calls = ["ok", "refused", "fault", "suspended", "busy"]
            .map(|outcome| self.recorder.register_counter(&Key::from_parts("portcullis_plugin_calls_total", labels(outcome)), &ABOUT));
        let key = Key::from_parts("portcullis_plugin_call_duration_seconds", vec![Label::new("connector", connector.to_owned())]);
        Plugin { calls, duration: self.recorder.register_histogram(&key, &ABOUT) }
    }

    /// One request that is over. `method`: as the function of that name says.
    pub fn request(&self, route: &Route, method: &str, status: u16, bytes: u64, took: Duration, error: Option<&Error>) {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        if let Some(counter) = route.requests.get(method).and_then(|classes| classes.get(class(status))) {
            let label = |name: &'static str, value: &'static [&'static str], index: usize| Label::new(name, value.get(index).copied().unwrap_or_default());
            let made = || {
                let labels = vec![Label::new("route", route.pattern.clone()), label("method", &METHODS, method), label("status", &CLASSES, class(status))];
                self.recorder.register_counter(&Key::from_parts("portcullis_http_requests_total", labels), &ABOUT)
            };
            counter.get_or_init(made).increment(1);
        }
        route.duration.record(took);
        route.bytes.increment(bytes);
        if let Some(counter) = error.and_then(|error| self.errors.get(error.kind() as usize)) {
            counter.increment(1);
        }
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        self.process.read();
        self.handle.render()
    }

    /// Times are kept one by one until this is called, or `render`.
    pub fn gather(&self) {
        self.handle.run_upkeep();
    }
}

fn route(recorder: &PrometheusRecorder, pattern: &str) -> Route {
    let key = |name: &'static str| Key::from_parts(name, vec![Label::new("route", pattern.to_owned())]);
    Route {
        pattern: pattern.to_owned(),
        requests: Default::default(),
        duration: recorder.register_histogram(&key("portcullis_http_request_duration_seconds"), &ABOUT),
        bytes: recorder.register_counter(&key("portcullis_http_response_bytes_total"), &ABOUT),
    }
}

fn key(name: &'static str, label: &'static str, value: &'static str) -> Key {
    Key::from_parts(name, vec![Label::new(label, value)])
}

fn class(status: u16) -> usize {
    usize::from(status / 100).saturating_sub(1).min(CLASSES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(PrometheusBuilder::new().set_buckets(&BUCKETS).expect("buckets").build_recorder())
    }

    #[test]
    fn each_kind_stands_at_its_own_place() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
        for (status, name) in [(0, "1xx"), (100, "1xx"), (200, "2xx"), (304, "3xx"), (416, "4xx"), (503, "5xx"), (999, "5xx")] {
            assert_eq!(CLASSES.get(class(status)), Some(&name), "{status}");
        }
    }

    #[test]
    fn a16_what_is_counted_is_rendered_and_labels_stay_few() {
        let meter = meter();
        let route = meter.of_route("/api/v1/objects");
        let refused = Error::denied("x", "");
        for sent in ["GET", "GET", "BREW", "\"evil\n"] {
            meter.request(&route, method(sent), 403, 7, Duration::from_millis(3), Some(&refused));
        }
        meter.plugin("https_basic").note(&Err::<(), _>(Error::plugin_fault("plugin_trap", "")), Duration::from_millis(1));
        meter.upstream.note(Ok(206), Duration::from_millis(1));
        meter.upstream.note(Err(&Error::unavailable("x", "")), Duration::from_millis(1));
        meter.gather();
        let text = meter.render();
        for line in [
            "portcullis_http_requests_total{route=\"/api/v1/objects\",method=\"GET\",status=\"4xx\"} 2",
            "portcullis_http_requests_total{route=\"/api/v1/objects\",method=\"other\",status=\"4xx\"} 2",
            "portcullis_http_response_bytes_total{route=\"/api/v1/objects\"} 28",
            "portcullis_http_request_duration_seconds_count{route=\"/api/v1/objects\"} 4",
            "portcullis_http_request_duration_seconds_bucket{route=\"/api/v1/objects\",le=\"0.0025\"} 0",
            "portcullis_http_request_duration_seconds_bucket{route=\"/api/v1/objects\",le=\"0.005\"} 4",
            "portcullis_http_errors_total{kind=\"denied\"} 4",
            "portcullis_plugin_calls_total{connector=\"https_basic\",outcome=\"fault\"} 1",
            "portcullis_upstream_requests_total{outcome=\"2xx\"} 1",
            "portcullis_upstream_requests_total{outcome=\"unavailable\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("BREW") && !text.contains("evil"), "{text}");
        // Everything that is rendered is described, and everything that is described is rendered.
        let mut rendered: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let mut described: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
        rendered.sort_unstable();
        described.sort_unstable();
        assert_eq!(rendered, described);
        assert_eq!(text.matches("# HELP ").count(), METRICS.len());
    }
}
