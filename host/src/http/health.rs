//! Whether the process lives, whether it can do its work, and which version it is. No token: a load balancer has none.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::Shared;
use super::answer;
use super::openapi::health as described;
use super::routes::Routes;

pub fn routes() -> Routes {
    Routes::new("gateway").get("/healthz", alive, described::alive()).get("/readyz", ready, described::ready()).get("/version", version, described::version())
}

async fn alive() -> Response {
    answer::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// Names what is missing; why is in the log.
async fn ready(State(gateway): Shared) -> Response {
    let word = |outcome: crate::model::Result<()>| match outcome {
        Ok(()) => "ok",
        Err(error) => {
            tracing::warn!(?error, "not ready");
            "failed"
        }
    };
    let store = word(gateway.app.store.ready().await);
    let sink = word(gateway.app.sink.ready().await);
    let connectors = if gateway.app.connections.catalogue().is_empty() { "failed" } else { "ok" };
    let draining = gateway.stop.is_said();
    let ready = !draining && [store, sink, connectors].iter().all(|part| *part == "ok");
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if draining {
        "stopping"
    } else if ready {
        "ready"
    } else {
        "not_ready"
    };
    answer::json(status, &json!({"status": word, "store": store, "sink": sink, "connectors": connectors}))
}

async fn version() -> Response {
    answer::json(StatusCode::OK, &json!({"name": "portcullis", "version": env!("CARGO_PKG_VERSION")}))
}
