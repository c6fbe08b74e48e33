//! `/metrics`: on a listener of its own, with what was done in it, and with no label that a customer could lengthen.

use std::collections::BTreeSet;

use http::Method;
use portcullis_tests::api::Api;
use portcullis_tests::component::built;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::scene::MEDIA;
use serde_json::json;

use crate::play::{Play, basic_body, play, play_with, ready_role, ready_web};
use crate::plugin_install::install;

/// Where the gateway says that its metrics are.
pub fn metrics(gateway: &Gateway) -> Api {
    let log = gateway.log();
    let url = log.lines().find_map(|line| line.strip_prefix("metrics on ")?.strip_suffix("/metrics")).expect("the gateway is measured");
    Api::new(url, "")
}

/// A gateway that is measured and has done a little of everything.
pub async fn busy() -> Play {
    let play = play_with(&[("PORTCULLIS__METRICS__LISTEN", "127.0.0.1:0")]).await;
    play.origin.put("/basic/a.bin", vec![1; 5000]);
    let source = play.origin.url("/basic/a.bin");
    ready_web(&play.api, basic_body("canary_press", &play.origin), &source).await;
    ready_role(&play.api, &play.aws, "canary_films").await;
    install(&play.api, built("https_header")).await;
    let acme = play.api.token("canary-acme", "admin").await;
    acme.get("/api/v1/connections").await.expect(200);
    for _ in 0..3 {
        assert_eq!(play.api.read("canary_press", &source).await.body.len(), 5000);
        play.api.read("canary_films", &format!("s3://{MEDIA}/train/a.jpg")).await;
    }
    play.api.get("/api/v1/connections/canary_nobody").await.problem(404, "connection_not_found");
    let assets = json!({"dataset_id": "canary_set", "connection_name": "canary_press", "assets": [{"source_path": source}, {"source_path": play.origin.url("/basic/none")}]});
    let job = play.api.post("/api/v1/ingestion/assets", &assets).await.expect(202);
    play.api.finished(job["job_id"].as_str().unwrap()).await;
    play
}

/// The value of a series, as it is written.
fn value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[tokio::test]
async fn a16_metrics_are_counted_on_a_listener_of_their_own_and_name_no_customer() {
    let play = busy().await;
    let own = metrics(&play.gateway);
    let answer = own.get("/metrics").await;
    assert_eq!((answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    for (series, least) in [
        ("portcullis_http_requests_total{route=\"/api/v1/objects\",method=\"GET\",status=\"2xx\"}", 6.0),
        ("portcullis_http_response_bytes_total{route=\"/api/v1/objects\"}", 15_000.0),
        ("portcullis_http_request_duration_seconds_count{route=\"/api/v1/objects\"}", 6.0),
        ("portcullis_http_errors_total{kind=\"not_found\"}", 1.0),
        ("portcullis_http_connections", 1.0),
        ("portcullis_plugin_calls_total{connector=\"https_basic\",outcome=\"ok\"}", 4.0),
        ("portcullis_plugin_call_duration_seconds_count{connector=\"aws_iam_role\"}", 4.0),
        ("portcullis_leases_total{outcome=\"held\"}", 3.0),
        ("portcullis_leases_total{outcome=\"opened\"}", 1.0),
        ("portcullis_lease_exchanges_total{outcome=\"ok\"}", 2.0),
        ("portcullis_upstream_requests_total{outcome=\"2xx\"}", 7.0),
        ("portcullis_upstream_requests_total{outcome=\"4xx\"}", 1.0),
        ("portcullis_upstream_request_duration_seconds_count", 8.0),
        ("portcullis_upstream_connects_total{outcome=\"ok\"}", 1.0),
        ("portcullis_upstream_bytes_total", 20_000.0),
        ("portcullis_jobs_ended_total{outcome=\"completed\"}", 1.0),
        ("portcullis_assets_tried_total{outcome=\"stored\"}", 1.0),
        ("portcullis_assets_tried_total{outcome=\"failed\"}", 1.0),
        ("portcullis_store_flushes_total{outcome=\"ok\"}", 5.0),
        ("portcullis_store_flush_duration_seconds_count", 5.0),
        ("portcullis_store_writes_total", 5.0),
        ("portcullis_build_info{version=\"0.1.0\"}", 1.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 10.0),
        ("process_threads", 3.0),
    ] {
        assert!(value(&text, series) >= least, "{series} is below {least}:\n{text}");
    }
    for (series, exact) in [("portcullis_jobs_unfinished", 0.0), ("portcullis_assets_in_flight", 0.0), ("portcullis_plugin_suspensions_total", 0.0)] {
        assert!((value(&text, series) - exact).abs() < f64::EPSILON, "{series}");
    }
    assert!(!text.contains("canary") && !text.contains("default") && !text.contains(MEDIA), "a customer's word is a label:\n{text}");
    let labels: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split_once('{')).flat_map(|(_, labels)| labels.split("\",")).filter_map(|label| label.split('=').next()).collect();
    assert_eq!(labels, BTreeSet::from(["connector", "kind", "le", "method", "outcome", "route", "status", "version"]));

    // Nothing else is there, and none of it is at the API's address.
    assert_eq!(own.get("/healthz").await.status.as_u16(), 404);
    assert_eq!(own.get("/api/v1/connections").await.status.as_u16(), 404);
    assert_eq!(own.send(Method::POST, "/metrics", &[], None).await.status.as_u16(), 404);
    for path in ["/metrics", "/debug/pprof", "/api/v1/metrics"] {
        play.api.get(path).await.problem(404, "no_such_route");
    }
}

#[tokio::test]
async fn a16_nothing_is_measured_that_nobody_asked_for() {
    let play = play().await;
    assert!(!play.gateway.log().contains("metrics on"));
}
