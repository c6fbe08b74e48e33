//! Ingestion: assets in, jobs and their assets out (SPEC C13, C32-C35).

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;

use super::body;
use super::fields::Fields;
use super::idempotency::Ticket;
use super::openapi::ingestion as described;
use super::params::{Params, wrong};
use super::routes::Routes;
use super::{Answer, Gateway, Shared, answer};
use crate::ingest::{MAX_ASSETS, Submission};
use crate::model::{
    Asset, AssetId, AssetState, Caller, ConnectionId, DatasetId, Error, FieldError, Item, ItemError, Job, JobId, JobState, Kind, Metadata, OrgId, Result,
    SourcePath, Stored, Timestamp,
};

pub const MAX_BODY: usize = 16 << 20;
const MAX_ERRORS: usize = 100;

pub fn routes() -> Routes {
    Routes::new("ingestion")
        .post("/ingestion/assets", submit, described::submit())
        .get("/ingestion/assets/{id}", asset_by_id, described::asset())
        .get("/ingestion/jobs", jobs, described::jobs())
        .get("/ingestion/jobs/{id}", job, described::job())
        .get("/ingestion/jobs/{id}/assets", items, described::items())
        .post("/ingestion/jobs/{id}/retry", retry, described::retry())
}

#[derive(Serialize)]
struct ShownJob<'a> {
    job_id: JobId,
    organization: &'a OrgId,
    dataset_id: &'a DatasetId,
    connection_id: ConnectionId,
    r#type: &'static str,
    status: JobState,
    total: u32,
    processed: u32,
    errored: u32,
    bytes: u64,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    error: Option<&'a ItemError>,
}

impl<'a> From<&'a Job> for ShownJob<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            job_id: job.id,
            organization: &job.org,
            dataset_id: &job.dataset,
            connection_id: job.connection,
            r#type: "assets",
            status: job.state,
            total: job.total,
            processed: job.processed,
            errored: job.errored,
            bytes: job.bytes,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            error: job.error.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct ShownItem<'a> {
    index: u32,
    asset_id: AssetId,
    source_path: &'a SourcePath,
    metadata: &'a Metadata,
    status: AssetState,
    attempts: u32,
    error: Option<&'a ItemError>,
    stored: Option<&'a Stored>,
    updated_at: Timestamp,
}

impl<'a> From<&'a Item> for ShownItem<'a> {
    fn from(item: &'a Item) -> Self {
        Self {
            index: item.index,
            asset_id: item.asset,
            source_path: &item.source_path,
            metadata: &item.metadata,
            status: item.state,
            attempts: item.attempts,
            error: item.error.as_ref(),
            stored: item.stored.as_ref(),
            updated_at: item.updated_at,
        }
    }
}

#[derive(Serialize)]
struct ShownAsset<'a> {
    asset_id: AssetId,
    dataset_id: &'a DatasetId,
    connection_id: ConnectionId,
    source_path: &'a SourcePath,
    metadata: &'a Metadata,
    status: AssetState,
    error: Option<&'a ItemError>,
    stored: Option<&'a Stored>,
    version: u32,
    job_id: JobId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Asset> for ShownAsset<'a> {
    fn from(asset: &'a Asset) -> Self {
        Self {
            asset_id: asset.id,
            dataset_id: &asset.dataset,
            connection_id: asset.connection,
            source_path: &asset.source_path,
            metadata: &asset.metadata,
            status: asset.state,
            error: asset.error.as_ref(),
            stored: asset.stored.as_ref(),
            version: asset.version,
            job_id: asset.job,
            created_at: asset.created_at,
            updated_at: asset.updated_at,
        }
    }
}

/// `{dataset_id, connection_name? | connection_id?, assets: [{source_path, metadata}]}` → 202 and the job.
async fn submit(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    let headers = request.headers().clone();
    let body::Json { fields, bytes } = body::read(request, MAX_BODY).await?;
    let (dataset, connection, assets) = submission(fields)?;
    let ticket = gateway.idempotency.ticket(&caller.org, "ingestion/assets", &headers, &bytes).await?;
    let job = match made_before(&gateway, &caller, &ticket).await? {
        Some(job) => job,
        None => gateway.app.ingest.submit(&caller.org, Submission { id: JobId(ticket.id), dataset, connection, assets }).await?,
    };
    Ok(answer::json(StatusCode::ACCEPTED, &ShownJob::from(&job)))
}

/// Of what did not complete in a job that has ended → 202 and the new job.
async fn retry(State(gateway): Shared, caller: Caller, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let ended = job_id(&id)?;
    let ticket = gateway.idempotency.ticket(&caller.org, "ingestion/jobs/retry", &headers, id.as_bytes()).await?;
    let job = match made_before(&gateway, &caller, &ticket).await? {
        Some(job) => job,
        None => gateway.app.ingest.retry(&caller.org, ended, JobId(ticket.id)).await?,
    };
    Ok(answer::json(StatusCode::ACCEPTED, &ShownJob::from(&job)))
}

/// What the same request with the same key has made, if it got so far.
async fn made_before(gateway: &Gateway, caller: &Caller, ticket: &Ticket) -> Result<Option<Job>> {
    if !ticket.repeated {
        return Ok(None);
    }
    match gateway.app.ingest.job(&caller.org, JobId(ticket.id)).await {
        Ok(job) => Ok(Some(job)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

type Assets = Vec<(SourcePath, Metadata)>;

fn submission(mut fields: Fields) -> Result<(DatasetId, Option<String>, Assets)> {
    let dataset = fields.required_text("dataset_id");
    let (name, id) = (fields.text("connection_name"), fields.text("connection_id"));
    let connection = match (name, id) {
        (Some(_), Some(_)) => {
            fields.wrong("connection_id", "comes instead of connection_name, not with it");
            None
        }
        (name, id) => name.or(id),
    };
    fields.require("assets");
    let given = fields.list("assets").unwrap_or_default();
    if given.len() > MAX_ASSETS {
        return Err(Error::limit("too_many_assets", format!("a request takes at most {MAX_ASSETS} assets; this one has {}", given.len()))
            .with_remedy("Send the rest in further requests.")
            .with_fields(vec![FieldError::new("/assets", "has more than 10000 assets")]));
    }
    let mut wrong = Vec::new();
    let mut keep = |outcome: Result<()>| {
        if let Err(error) = outcome {
            wrong.extend_from_slice(error.field_errors())
        }
    };
    let dataset = DatasetId::new(dataset).map_err(|error| error.below("/dataset_id"));
    let missing = fields.has_wrong("/dataset_id");
    let dataset = match dataset {
        Ok(dataset) => Some(dataset),
        Err(error) => {
            if !missing {
                keep(Err(error));
            }
            None
        }
    };
    if given.is_empty() && !fields.has_wrong("/assets") {
        fields.wrong("assets", "holds at least one asset");
    }
    keep(fields.finish());
    let mut assets = Vec::with_capacity(given.len());
    for (index, given) in given.into_iter().enumerate() {
        match asset(given, format!("/assets/{index}")) {
            Ok(asset) => assets.push(asset),
            Err(error) => keep(Err(error)),
        }
    }
    match dataset {
        Some(dataset) if wrong.is_empty() => Ok((dataset, connection, assets)),
        _ => {
            wrong.truncate(MAX_ERRORS);
            Err(Error::fields(wrong))
        }
    }
}

/// What may be in the metadata is `ingest`'s to say.
fn asset(given: Value, at: String) -> Result<(SourcePath, Metadata)> {
    let Value::Object(map) = given else { return Err(Error::field(at, "is an object")) };
    let mut fields = Fields::at(at.clone(), map);
    let source = fields.required_text("source_path");
    let metadata = fields.object("metadata").unwrap_or_default();
    fields.finish()?;
    let source = SourcePath::new(source).map_err(|error| error.below(&format!("{at}/source_path")))?;
    Ok((source, metadata.into_iter().collect()))
}

/// `?status=&limit=&cursor=`, newest first.
async fn jobs(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    let mut params = Params::of(&uri)?;
    let state: Option<JobState> = state(&mut params)?;
    let paging = gateway.paging(&caller, &mut params, &format!("jobs\0{state:?}"))?;
    params.finish()?;
    let (jobs, next) = gateway.app.ingest.jobs(&caller.org, state, paging.after.as_deref(), paging.limit).await?;
    Ok(paging.page(jobs.iter().map(ShownJob::from).collect(), next))
}

async fn job(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let job = gateway.app.ingest.job(&caller.org, job_id(&id)?).await?;
    Ok(answer::json(StatusCode::OK, &ShownJob::from(&job)))
}

/// `?status=&limit=&cursor=`, in the order they were sent in.
async fn items(State(gateway): Shared, caller: Caller, Path(id): Path<String>, uri: Uri) -> Answer {
    let id = job_id(&id)?;
    let mut params = Params::of(&uri)?;
    let state: Option<AssetState> = state(&mut params)?;
    let paging = gateway.paging(&caller, &mut params, &format!("items\0{id}\0{state:?}"))?;
    params.finish()?;
    let after = paging.after.as_deref().map(str::parse).transpose().map_err(|_| wrong("this cursor is not one of this list's"))?;
    let found = gateway.app.ingest.items(&caller.org, id, state, after, paging.limit + 1).await?;
    Ok(paging.answer(found, |item| item.index.to_string(), |item| serde_json::to_value(ShownItem::from(item)).unwrap_or_default()))
}

async fn asset_by_id(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let id = id.parse().map_err(|_| Error::not_found("asset_not_found", "there is no such asset"))?;
    let asset = gateway.app.ingest.asset(&caller.org, id).await?;
    Ok(answer::json(StatusCode::OK, &ShownAsset::from(&asset)))
}

fn job_id(text: &str) -> Result<JobId> {
    text.parse().map_err(|_| Error::not_found("job_not_found", "there is no such job"))
}

fn state<S: serde::de::DeserializeOwned>(params: &mut Params<'_>) -> Result<Option<S>> {
    let given = params.take("status").map(|text| serde_json::from_value(text.into_owned().into()));
    given.transpose().map_err(|_| wrong("'status' is not one that there is"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(body: Value) -> Vec<String> {
        let Value::Object(map) = body else { panic!("an object") };
        match submission(Fields::new(map)) {
            Ok(_) => Vec::new(),
            Err(error) => error.field_errors().iter().map(|field| field.pointer.clone()).collect(),
        }
    }

    #[test]
    fn c13_c40_each_wrong_field_of_a_submission_is_named() {
        let good = json!({"source_path": "s3://b/k", "metadata": {"label": "x", "n": 1, "f": 1.5, "b": true}});
        let with = |asset: Value| json!({"dataset_id": "d", "connection_name": "films", "assets": [good, asset]});
        for (what, body, wrong) in [
            ("nothing", json!({}), vec!["/dataset_id", "/assets"]),
            ("a wrong dataset", json!({"dataset_id": "../x", "connection_name": "c", "assets": [good]}), vec!["/dataset_id"]),
            ("a number for a dataset", json!({"dataset_id": 1, "connection_name": "c", "assets": [good]}), vec!["/dataset_id"]),
            ("two connections", json!({"dataset_id": "d", "connection_name": "c", "connection_id": "c", "assets": [good]}), vec!["/connection_id"]),
            ("no asset", json!({"dataset_id": "d", "connection_name": "c", "assets": []}), vec!["/assets"]),
            ("no list", json!({"dataset_id": "d", "connection_name": "c", "assets": {}}), vec!["/assets"]),
            ("v10: an unknown field", json!({"dataset_id": "d", "connection_name": "c", "assets": [good], "org_id": "x"}), vec!["/org_id"]),
            ("an asset that is a string", with(json!("s3://b/k")), vec!["/assets/1"]),
            ("no source path", with(json!({})), vec!["/assets/1/source_path"]),
            ("an empty source path", with(json!({"source_path": ""})), vec!["/assets/1/source_path"]),
            ("NUL in a source path", with(json!({"source_path": "a\0"})), vec!["/assets/1/source_path"]),
            ("an unknown field of an asset", with(json!({"source_path": "a", "state": "done"})), vec!["/assets/1/state"]),
            ("metadata that is a list", with(json!({"source_path": "a", "metadata": []})), vec!["/assets/1/metadata"]),
        ] {
            assert_eq!(pointers(body), wrong, "{what}");
        }
        assert_eq!(pointers(json!({"dataset_id": "d", "connection_id": "c", "assets": [good]})), Vec::<String>::new());
    }

    #[test]
    fn o08_more_than_10000_assets_are_refused_as_such() {
        let Value::Object(map) = json!({"dataset_id": "d", "connection_name": "c", "assets": vec![json!({"source_path": "a"}); MAX_ASSETS + 1]}) else {
            panic!("an object")
        };
        let error = submission(Fields::new(map)).map(drop).expect_err("refused");
        assert_eq!((error.kind(), error.code()), (Kind::LimitExceeded, "too_many_assets"));
    }
}
