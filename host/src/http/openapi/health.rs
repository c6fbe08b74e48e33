//! Health and version in the document.

use serde_json::{Value, json};

use super::{Operation, operation};

pub fn alive() -> Operation {
    operation("get_health", "Whether the process lives").open().answers(200, "It does.", "Health")
}

pub fn ready() -> Operation {
    operation("get_readiness", "Whether it can do its work").open().answers(200, "It can.", "Readiness").answers(
        503,
        "It cannot; what is missing is `failed`, or it is stopping.",
        "Readiness",
    )
}

pub fn version() -> Operation {
    operation("get_version", "Which version it is").open().answers(200, "This one.", "Version")
}

pub fn schemas() -> Value {
    let part = json!({"enum": ["ok", "failed"]});
    json!({
        "Health": {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}},
        "Readiness": {
            "type": "object",
            "required": ["status", "store", "sink", "connectors"],
            "properties": {"status": {"enum": ["ready", "not_ready", "stopping"]}, "store": part, "sink": part, "connectors": part},
        },
        "Version": {
            "type": "object",
            "required": ["name", "version"],
            "properties": {"name": {"const": "portcullis"}, "version": {"type": "string"}},
        },
    })
}
