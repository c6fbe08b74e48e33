//! The audit log in the document.

use serde_json::{Value, json};

use super::{Operation, operation, refer};
use crate::http::audit::VERBS;
use crate::model::Role;

pub fn list() -> Operation {
    operation("list_audit", "Read the audit log, the newest first")
        .about(
            "Each use of a credential and each change of what decides about credentials. An admin sees the organization's lines, an operator all. \
             A page with a filter may be short, or empty, and still have a next one.",
        )
        .needs(Role::Admin)
        .query("connection", "A connection's id, or the name of one of the organization's.", json!({"type": "string"}))
        .query("actor", "Whose: `token:<id>`, `job:<id>` or `gateway`.", actor())
        .query("verb", "What was done.", json!({"enum": VERBS}))
        .query("since", "Nothing older.", refer("Timestamp"))
        .pages("AuditLine")
        .fails(&[404])
}

fn actor() -> Value {
    json!({"type": "string", "pattern": "^(gateway|(token|job):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"})
}

pub fn schemas() -> Value {
    let text = json!({"type": "string"});
    let hash = json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "AuditLine": {
            "type": "object",
            "description": "As it is in the file: `hash` is a keyed hash of all before it, `prev` the hash of the line before.",
            "required": ["seq", "time", "kind", "verb", "prev", "hash"],
            "properties": {
                "seq": {"type": "integer", "minimum": 1},
                "time": refer("Timestamp"),
                "kind": {"enum": ["use", "change", "log"]},
                "verb": {"enum": VERBS},
                "org": refer("Organization"),
                "actor": actor(),
                "how": {"enum": ["assume_role", "sign_request", "send_secret", "send_token", "token_exchange"]},
                "connection": refer("Id"),
                "version": {"type": "integer", "minimum": 1, "description": "Of the connection."},
                "plugin": refer("Digest"),
                "target": {"type": "string", "description": "A bucket, a scheme with its host, or a role."},
                "objects": {"type": "array", "maxItems": 32, "items": text, "description": "Keys or paths, each once; never a query."},
                "unlisted": {"type": "integer", "minimum": 1, "description": "Uses that came when there was no more room for their objects."},
                "count": count,
                "outcome": {"type": "string", "description": "`ok`, or the code of the error."},
                "since": refer("Timestamp"),
                "subject": {"enum": ["connection", "token", "organization", "plugin", "dataset"]},
                "id": text,
                "name": text,
                "before": refer("Digest"),
                "after": refer("Digest"),
                "powers": {"type": "array", "items": text},
                "detail": text,
                "prev": hash,
                "hash": hash,
            },
        },
    })
}
