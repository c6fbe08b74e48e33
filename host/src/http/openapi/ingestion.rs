//! Ingestion in the document.

use serde_json::{Map, Value, json};

use super::{Operation, examples, operation, or_null, refer};
use crate::http::ingestion::MAX_BODY;
use crate::ingest::MAX_ASSETS;

pub fn submit() -> Operation {
    operation("ingest_assets", "Bring assets in through a connection")
        .about("202 means that the job is on disk: it survives a restart. The same source path twice in a dataset is one asset.")
        .body("AssetsSubmission", MAX_BODY)
        .idempotent()
        .answers(202, "The job.", "Job")
        .fails(&[403, 404, 502])
}

pub fn jobs() -> Operation {
    operation("list_jobs", "List ingestion jobs, the newest first").query("status", "Only those in this state.", refer("JobState")).pages("Job")
}

pub fn job() -> Operation {
    operation("get_job", "Look at a job").path("id", "The job's id.").example(examples::JOB).answers(200, "As it is now.", "Job").fails(&[404])
}

pub fn items() -> Operation {
    operation("list_job_assets", "List a job's assets, in the order they were sent in")
        .path("id", "The job's id.")
        .example(examples::JOB)
        .query("status", "Only those in this state.", refer("AssetState"))
        .pages("JobAsset")
        .fails(&[404])
}

pub fn retry() -> Operation {
    operation("retry_job", "Try what did not complete in a job again")
        .about("A new job, with the metadata of the one that has ended: every asset that failed, or was not come to. The connection is used as it is now.")
        .path("id", "The id of a job that has ended.")
        .example(examples::JOB)
        .idempotent()
        .answers(202, "The new job.", "Job")
        .fails(&[403, 404, 409, 502])
}

pub fn asset() -> Operation {
    operation("get_asset", "Look at an asset").path("id", "The asset's id.").example(examples::ASSET).answers(200, "As it is now.", "Asset").fails(&[404])
}

pub fn schemas() -> Value {
    let given = |name: &str| json!({"required": [name], "properties": {name: {"type": "string"}}});
    json!({
        "DatasetId": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"},
        "Metadata": {
            "type": "object",
            "maxProperties": 64,
            "propertyNames": {"minLength": 1, "maxLength": 128},
            "additionalProperties": {"type": ["boolean", "number", "string"], "maxLength": 4096},
            "description": "Flat; at most 10 KiB as JSON.",
        },
        "JobState": {"enum": ["pending", "in_progress", "paused", "stopping", "stopped", "completed", "failed"]},
        "AssetState": {"enum": ["pending", "received", "in_progress", "completed", "error"]},
        "AssetsSubmission": {
            "type": "object",
            "required": ["dataset_id", "assets"],
            "additionalProperties": false,
            "properties": {
                "dataset_id": refer("DatasetId"),
                "connection_name": {"type": ["string", "null"], "description": "A connection's name (or id). Without one, the dataset's default connection."},
                "connection_id": {"type": ["string", "null"], "description": "Instead of `connection_name`."},
                "assets": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_ASSETS,
                    "items": {
                        "type": "object",
                        "required": ["source_path"],
                        "additionalProperties": false,
                        "properties": {"source_path": refer("SourcePath"), "metadata": or_null(refer("Metadata"))},
                    },
                },
            },
            "not": {"allOf": [given("connection_name"), given("connection_id")]},
        },
        "Job": object(&[
            ("job_id", refer("Id")),
            ("organization", refer("Organization")),
            ("dataset_id", refer("DatasetId")),
            ("connection_id", refer("Id")),
            ("type", json!({"const": "assets"})),
            ("status", refer("JobState")),
            ("total", count()),
            ("processed", count()),
            ("errored", count()),
            ("bytes", count()),
            ("created_at", refer("Timestamp")),
            ("started_at", refer("MaybeTimestamp")),
            ("finished_at", refer("MaybeTimestamp")),
            ("error", or_null(refer("Failure"))),
        ]),
        "JobAsset": object(&[
            ("index", count()),
            ("asset_id", refer("Id")),
            ("source_path", refer("SourcePath")),
            ("metadata", refer("Metadata")),
            ("status", refer("AssetState")),
            ("attempts", count()),
            ("error", or_null(refer("Failure"))),
            ("stored", or_null(refer("Stored"))),
            ("updated_at", refer("Timestamp")),
        ]),
        "Asset": object(&[
            ("asset_id", refer("Id")),
            ("dataset_id", refer("DatasetId")),
            ("connection_id", refer("Id")),
            ("source_path", refer("SourcePath")),
            ("metadata", refer("Metadata")),
            ("status", refer("AssetState")),
            ("error", or_null(refer("Failure"))),
            ("stored", or_null(refer("Stored"))),
            ("version", count()),
            ("job_id", refer("Id")),
            ("created_at", refer("Timestamp")),
            ("updated_at", refer("Timestamp")),
        ]),
        "Stored": object(&[
            ("blake3", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})),
            ("size", count()),
            ("content_type", refer("MaybeText")),
            ("etag", refer("MaybeText")),
            ("location", json!({"type": "string"})),
        ]),
    })
}

/// Every field is always there.
fn object(fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "required": names, "properties": properties})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}
