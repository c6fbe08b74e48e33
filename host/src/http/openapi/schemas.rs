//! The components of the document that do not depend on which connectors there are. What several resources use is here.

use serde_json::{Map, Value, json};

use super::{audit, connections, datasets, health, ingestion, or_null, organizations, plan, plugins, refer, signed, tokens};

pub fn fixed() -> Map<String, Value> {
    let mut schemas = Map::new();
    for part in [
        shared(),
        connections::schemas(),
        plugins::schemas(),
        plan::schemas(),
        signed::schemas(),
        ingestion::schemas(),
        datasets::schemas(),
        organizations::schemas(),
        tokens::schemas(),
        audit::schemas(),
        health::schemas(),
    ] {
        if let Value::Object(part) = part {
            schemas.extend(part);
        }
    }
    schemas
}

fn shared() -> Value {
    json!({
        "Id": {"type": "string", "format": "uuid"},
        "Timestamp": {"type": "string", "format": "date-time"},
        "Organization": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
        "SourcePath": {
            "type": "string",
            "minLength": 1,
            "maxLength": 4096,
            "pattern": "^[^\\x00]*$",
            "description": "Where an object is, as the customer writes it: s3://bucket/key, an https URL, or what else the connector reads. At most 4096 bytes.",
        },
        "Digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        "Capability": {"enum": ["aws", "http", "wasi"], "description": "What a plugin may do beyond planning."},
        "Finding": {
            "type": "object",
            "description": "One result of a test.",
            "required": ["check", "passed", "code", "message"],
            "properties": {
                "check": {"type": "string"},
                "passed": {"type": "boolean"},
                "code": refer("Code"),
                "message": {"type": "string"},
                "remedy": {"type": "string"},
            },
        },
        "Failure": {
            "type": "object",
            "description": "Why one of many failed.",
            "required": ["code", "message", "remedy"],
            "properties": {"code": refer("Code"), "message": {"type": "string"}, "remedy": {"type": "string", "description": "What to do about it."}},
        },
        "Code": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]*$",
            "description": "Stable: programs may depend on it. A connector may have codes of its own.",
        },
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail", "code", "request_id", "remedy"],
            "properties": {
                "type": {"type": "string", "format": "uri", "description": "`urn:portcullis:problem:<code>`"},
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "What is wrong, for a person."},
                "code": refer("Code"),
                "request_id": {"type": "string"},
                "remedy": {"type": "string", "description": "What to do about it."},
                "errors": {
                    "type": "array",
                    "description": "Each wrong field.",
                    "items": {
                        "type": "object",
                        "required": ["pointer", "detail"],
                        "properties": {"pointer": {"type": "string", "description": "A JSON Pointer (RFC 6901) into the body."}, "detail": {"type": "string"}},
                    },
                },
            },
        },
        "MaybeTimestamp": or_null(refer("Timestamp")),
        "MaybeText": {"type": ["string", "null"]},
    })
}
