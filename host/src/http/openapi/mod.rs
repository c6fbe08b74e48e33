//! The OpenAPI 3.1 document: the routes, as they describe themselves, and the settings of every active connector.
//!
//! It needs no token, and shows nothing but what kinds of storage there are. A connector is listed from the moment it is active.

pub mod audit;
pub mod connections;
mod connectors;
pub mod datasets;
mod document;
mod examples;
pub mod health;
pub mod ingestion;
pub mod objects;
mod operation;
pub mod organizations;
pub mod plan;
pub mod plugins;
mod schemas;
pub mod signed;
pub mod tokens;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Answer, Shared};
pub use document::Document;
pub use operation::{Operation, operation};

fn refer(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

pub async fn document(State(gateway): Shared, headers: HeaderMap) -> Answer {
    let document = gateway.document.now(&gateway.app.connections.catalogue())?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == document.etag));
    let etag = [(header::ETAG, HeaderValue::from_str(&document.etag).ok()), (header::CACHE_CONTROL, Some(HeaderValue::from_static("no-cache")))];
    let etag: HeaderMap = etag.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if known {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((StatusCode::OK, etag, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document.text.clone()).into_response())
}

pub fn describe() -> Operation {
    let example = json!({"openapi": "3.1.0", "info": {"title": "Portcullis", "version": env!("CARGO_PKG_VERSION")}});
    operation("get_openapi", "This document")
        .about("A connector is in it from the moment its plugin is active.")
        .open()
        .header("If-None-Match", "An ETag of this document: 304 if it is still that one.")
        .response(
            200,
            json!({"description": "OpenAPI 3.1.", "headers": etag(), "content": {"application/json": {"schema": {"type": "object"}, "example": example}}}),
        )
        .response(304, json!({"description": "It has not changed.", "headers": etag()}))
}

fn etag() -> Value {
    json!({"ETag": {"schema": {"type": "string"}}})
}
