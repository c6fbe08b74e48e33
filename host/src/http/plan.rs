//! `POST /plan`: what would be sent for source paths, without sending it (SPEC B13).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::body::{self, MAX_BODY};
use super::openapi::plan as described;
use super::routes::Routes;
use super::{Answer, Shared, answer};
use crate::connections::Planned;
use crate::model::{Caller, FieldError, SourcePath};

pub const MAX_SOURCES: usize = 1000;

pub fn routes() -> Routes {
    Routes::new("plan").post("/plan", plan, described::plan())
}

/// `{connection, source_paths}` → `{items: [{source_path, request | error}]}`.
async fn plan(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    let mut fields = body::read(request, MAX_BODY).await?.fields;
    let connection = fields.required_text("connection");
    fields.require("source_paths");
    let sources = fields.list("source_paths").unwrap_or_default();
    if sources.is_empty() || sources.len() > MAX_SOURCES {
        fields.wrong("source_paths", "is a list of 1 to 1000 source paths");
    }
    fields.finish()?;
    let mut wrong = Vec::new();
    let mut paths = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        match source.as_str().map(SourcePath::new) {
            Some(Ok(_)) => paths.extend(source.as_str()),
            Some(Err(error)) => wrong.extend_from_slice(error.below(&format!("/source_paths/{index}")).field_errors()),
            None => wrong.push(FieldError::new(format!("/source_paths/{index}"), "is a string")),
        }
    }
    if !wrong.is_empty() {
        wrong.truncate(100);
        return Err(crate::model::Error::fields(wrong).into());
    }
    let planned = gateway.app.connections.plan(&caller.org, &connection, &paths).await?;
    Ok(answer::json(StatusCode::OK, &json!({"items": planned.iter().map(show).collect::<Vec<Value>>()})))
}

fn show(planned: &Planned) -> Value {
    match &planned.outcome {
        Ok(request) => json!({
            "source_path": planned.source_path,
            "request": {"method": request.method, "url": request.url, "headers": request.headers, "credential": request.credential},
        }),
        Err(error) => json!({"source_path": planned.source_path, "error": error}),
    }
}
