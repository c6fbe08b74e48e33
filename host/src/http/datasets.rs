//! Datasets: the connection that assets go through when a submission names none (SPEC L14).

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::body::{self, MAX_BODY};
use super::openapi::datasets as described;
use super::params::wrong;
use super::routes::Routes;
use super::{Answer, Shared, answer, audit, require};
use crate::model::{Caller, ConnectionId, ConnectionName, Dataset, DatasetId, Role, Timestamp};

pub fn routes() -> Routes {
    Routes::new("ingestion").get("/datasets/{id}", fetch, described::fetch()).put("/datasets/{id}", set, described::set())
}

#[derive(Serialize)]
struct Shown<'a> {
    dataset_id: &'a DatasetId,
    /// Its name.
    default_connection: Option<&'a ConnectionName>,
    default_connection_id: Option<ConnectionId>,
    updated_at: Timestamp,
}

fn show((dataset, name): &(Dataset, Option<ConnectionName>)) -> Response {
    let Dataset { id, default_connection, updated_at, .. } = dataset;
    let shown = Shown { dataset_id: id, default_connection: name.as_ref(), default_connection_id: *default_connection, updated_at: *updated_at };
    answer::json(StatusCode::OK, &shown)
}

fn named(id: String) -> Result<DatasetId, crate::model::Error> {
    DatasetId::new(id).map_err(|error| wrong(error.message()))
}

async fn fetch(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(show(&gateway.app.ingest.dataset(&caller.org, &named(id)?).await?))
}

/// `{default_connection: name | id | null}`
async fn set(State(gateway): Shared, caller: Caller, Path(id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let id = named(id)?;
    let body::Json { mut fields, .. } = body::read(request, MAX_BODY).await?;
    let given = fields.nullable_text("default_connection");
    if given.is_none() && !fields.has_wrong("/default_connection") {
        fields.wrong("default_connection", "is required: a connection's name or id, or null for none");
    }
    fields.finish()?;
    let setting = {
        let gateway = gateway.clone();
        async move {
            let set = gateway.app.ingest.set_dataset(&caller.org, id, given.flatten().as_deref()).await?;
            let changed = audit::dataset(&caller, &set.0);
            Ok((set, Some(changed)))
        }
    };
    Ok(show(&gateway.changing(setting).await?))
}
