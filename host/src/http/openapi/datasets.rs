//! Datasets in the document.

use serde_json::{Value, json};

use super::{Operation, examples, operation, or_null, refer};
use crate::http::body::MAX_BODY;
use crate::model::Role;

fn of_one(id: &'static str, summary: &'static str) -> Operation {
    operation(id, summary).path("id", "The dataset's id.").example(examples::DATASET).fails(&[404])
}

pub fn fetch() -> Operation {
    of_one("get_dataset", "Look at what is set for a dataset").answers(200, "As it is.", "Dataset")
}

pub fn set() -> Operation {
    of_one("set_dataset", "Give a dataset a default connection, or take it away")
        .about(
            "Assets that are submitted without a connection go through it, from now on: a job keeps the connection that it was accepted with. Of a dataset \
             without one nothing is kept; an organization gives at most 10,000 datasets one.",
        )
        .needs(Role::Admin)
        .body("DatasetSettings", MAX_BODY)
        .answers(200, "As it is now.", "Dataset")
}

pub fn schemas() -> Value {
    json!({
        "Dataset": {
            "type": "object",
            "required": ["dataset_id", "default_connection", "default_connection_id", "updated_at"],
            "properties": {
                "dataset_id": refer("DatasetId"),
                "default_connection": {"type": ["string", "null"], "description": "Its name; null also where it was deleted."},
                "default_connection_id": or_null(refer("Id")),
                "updated_at": refer("Timestamp"),
            },
        },
        "DatasetSettings": {
            "type": "object",
            "required": ["default_connection"],
            "additionalProperties": false,
            "properties": {"default_connection": {"type": ["string", "null"], "description": "A connection's name (or id), or null for none."}},
        },
    })
}
