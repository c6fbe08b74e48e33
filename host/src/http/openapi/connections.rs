//! Connections in the document.

use serde_json::{Value, json};

use super::operation::content;
use super::{Operation, examples, operation, or_null, refer};
use crate::http::body::MAX_BODY;
use crate::http::connections::MAX_TOKEN;
use crate::model::Role;

fn of_one(id: &'static str, summary: &'static str) -> Operation {
    operation(id, summary).path("name_or_id", "A connection's name or id.").example(examples::CONNECTION).fails(&[404])
}

const IF_MATCH: &str = "The `ETag` that was answered: if the connection is at another version by now, nothing is done and the answer is 412.";

/// A connection, with the tag of its version.
fn shown(operation: Operation, status: u16, about: &str) -> Operation {
    let etag = json!({"ETag": {"description": "Of its `version`: for `If-Match`.", "schema": {"type": "string"}}});
    operation.response(status, json!({"description": about, "headers": etag, "content": content("Connection")}))
}

fn required_test(operation: Operation, about: &str) -> Operation {
    operation.query("validate", about, json!({"enum": ["require"]}))
}

pub fn list() -> Operation {
    operation("list_connections", "List connections, the default one first, then by name")
        .query("status", "Only those in this state.", refer("ConnectionState"))
        .query("type", "Only those of this connector.", json!({"type": "string"}))
        .pages("Connection")
}

pub fn create() -> Operation {
    let operation = operation("create_connection", "Create a connection, and test it at once")
        .about("`type` says which connector, and so which settings `config` takes. The settings that a connector marks `writeOnly` are secrets: no answer shows them again.")
        .needs(Role::Admin)
        .body("ConnectionCreate", MAX_BODY)
        .idempotent()
        .fails(&[502]);
    let operation = required_test(operation, "`require`: nothing is stored unless the test passes.");
    shown(operation, 201, "It is stored; `status` and `last_test` say whether it may be used.")
}

pub fn fetch() -> Operation {
    shown(of_one("get_connection", "Look at a connection"), 200, "As it is now.")
}

pub fn change() -> Operation {
    let operation = of_one("change_connection", "Change a connection")
        .about("What is left out stays. New settings are a new revision, tested at once, and not used before they pass.")
        .needs(Role::Admin)
        .header("If-Match", IF_MATCH)
        .body("ConnectionChange", MAX_BODY)
        .fails(&[409, 412, 502]);
    shown(required_test(operation, "`require`: nothing is changed unless new settings pass their test."), 200, "As it is now.")
}

pub fn delete() -> Operation {
    let operation = of_one("delete_connection", "Delete a connection").needs(Role::Admin).header("If-Match", IF_MATCH).fails(&[409, 412]);
    shown(operation, 200, "What was deleted.")
}

pub fn test() -> Operation {
    of_one("test_connection", "Test a connection")
        .needs(Role::Admin)
        .optional_body("ConnectionTest", MAX_BODY)
        .answers(200, "What was found. A test that fails is an answer, not an error.", "ConnectionTested")
        .fails(&[403, 409, 502])
}

pub fn move_to() -> Operation {
    let operation = of_one("move_connection", "Move a connection to another version of its connector's plugin")
        .about("To the active one unless another is named. It is tested first, and stays where it is unless it passes.")
        .needs(Role::Admin)
        .header("If-Match", IF_MATCH)
        .optional_body("ConnectionMove", MAX_BODY)
        .fails(&[409, 412, 502]);
    shown(operation, 200, "As it is now.")
}

pub fn browse() -> Operation {
    of_one("list_connection_objects", "List what a connection may read")
        .optional_body("ObjectsAsk", MAX_BODY)
        .answers(200, "One page.", "Objects")
        .fails(&[403, 409, 502])
}

pub fn sign() -> Operation {
    of_one("sign_object", "A URL that opens one object, for whoever has it")
        .about(
            "For any connector. The URL leads through this gateway, for one object and one method, and holds no secret. It ends with its time, with any change of the \
             connection (disabled, deleted, edited), and with the token that asked for it. Nothing is stored, and whether the object is there is not asked.",
        )
        .body("SignAsk", MAX_BODY)
        .answers(201, "Treat it as a password until it ends.", "SignedUrl")
        .fails(&[403, 409, 502])
}

pub fn setup() -> Operation {
    of_one("get_connection_setup", "The steps that let the gateway in, with policies to paste")
        .needs(Role::Admin)
        .query("bucket", "For a connection that is not bound to one.", json!({"type": "string", "minLength": 3, "maxLength": 63}))
        .answers(200, "In order.", "Setup")
        .fails(&[409, 422, 502])
}

pub fn connector() -> Operation {
    of_one("get_connection_connector", "Its connector, in the version that it is pinned to")
        .about("Its `settings` are what this connection's `config` is judged by, until it is moved to another version.")
        .answers(200, "As that version describes itself.", "Connector")
        .fails(&[409])
}

pub fn schemas() -> Value {
    json!({
        "ConnectionName": {"type": "string", "minLength": 3, "maxLength": 255, "pattern": "^[a-z0-9][a-z0-9_]*[a-z0-9]$"},
        "ConnectionDescription": {"type": "string", "maxLength": 1000},
        "ConnectionState": {
            "enum": ["pending", "ready", "error"],
            "description": "`pending`: not tested since its settings last changed. `error`: the last test failed. Only `ready` is used.",
        },
        "Connection": {
            "type": "object",
            "required": [
                "connection_id", "name", "description", "type", "default", "status", "enabled", "config", "test_location", "external_id", "revision", "version",
                "created_at", "updated_at", "last_test", "last_good_at",
            ],
            "properties": {
                "connection_id": refer("Id"),
                "name": refer("ConnectionName"),
                "description": {"type": "string"},
                "type": {"type": "string", "description": "The connector's id."},
                "default": {"type": "boolean", "description": "The one that every organization has: it is neither changed nor deleted."},
                "plugin": {"allOf": [refer("Digest")], "description": "The version of the connector's plugin that it is pinned to."},
                "status": refer("ConnectionState"),
                "enabled": {"type": "boolean", "description": "A disabled connection refuses use, whatever its status."},
                "config": {"type": "object", "description": "The settings. Of a secret: `{\"set\": true}`.", "additionalProperties": true},
                "test_location": refer("MaybeText"),
                "external_id": {"type": "string", "minLength": 22, "description": "Made by the gateway, never changed: what a role's trust policy must ask for."},
                "revision": {"type": "integer", "minimum": 1, "description": "Counts changes of settings or secrets."},
                "version": {"type": "integer", "minimum": 1, "description": "Counts every change."},
                "created_at": refer("Timestamp"),
                "updated_at": refer("Timestamp"),
                "last_test": or_null(refer("LastTest")),
                "last_good_at": or_null(refer("Timestamp")),
            },
        },
        "LastTest": {
            "type": "object",
            "required": ["at", "passed", "findings"],
            "properties": {"at": refer("Timestamp"), "passed": {"type": "boolean"}, "findings": {"type": "array", "items": refer("Finding")}},
        },
        "ConnectionChange": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "name": or_null(refer("ConnectionName")),
                "description": or_null(refer("ConnectionDescription")),
                "test_location": {"anyOf": [refer("SourcePath"), {"type": "null"}], "description": "null takes it away."},
                "enabled": {"type": ["boolean", "null"]},
                "config": {
                    "type": ["object", "null"],
                    "additionalProperties": true,
                    "description": "A JSON Merge Patch (RFC 7396) of the settings; the outcome is judged by the connector's schema. A secret that is left out stays.",
                },
                "version": {"type": ["integer", "null"], "minimum": 1, "description": "The version that was seen: another one by now is 409."},
            },
        },
        "ConnectionMove": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "digest": refer("Digest"),
                "config": {"type": ["object", "null"], "additionalProperties": true, "description": "A JSON Merge Patch, for settings that the other version wants."},
                "version": {"type": ["integer", "null"], "minimum": 1, "description": "The version of the connection that was seen: another one by now is 409."},
            },
        },
        "ConnectionTest": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "location": {"anyOf": [refer("SourcePath"), {"type": "null"}], "description": "Instead of the connection's own test location."},
                "update_state": {"type": ["boolean", "null"], "default": true, "description": "Whether the outcome decides if the connection is used."},
            },
        },
        "ConnectionTested": {
            "type": "object",
            "required": ["status", "passed", "checks"],
            "properties": {"status": refer("ConnectionState"), "passed": {"type": "boolean"}, "checks": {"type": "array", "minItems": 1, "items": refer("Finding")}},
        },
        "ObjectsAsk": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "bucket": {"type": ["string", "null"], "description": "For a connection that is not bound to one."},
                "prefix": {"type": ["string", "null"], "maxLength": MAX_TOKEN, "default": ""},
                "max_keys": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 1000},
                "continuation_token": {"type": ["string", "null"], "maxLength": MAX_TOKEN, "description": "The `next` of the page before."},
            },
        },
        "Objects": {
            "type": "object",
            "required": ["entries", "prefixes", "next"],
            "properties": {
                "entries": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["path", "size", "etag", "last_modified"],
                        "properties": {
                            "path": {"type": "string", "description": "A source path."},
                            "size": {"type": ["integer", "null"], "minimum": 0},
                            "etag": refer("MaybeText"),
                            "last_modified": refer("MaybeText"),
                        },
                    },
                },
                "prefixes": {"type": "array", "items": {"type": "string"}, "description": "What to ask for as `prefix` to see what is below."},
                "next": refer("MaybeText"),
            },
        },
        "Setup": {
            "type": "object",
            "required": ["principal", "external_id", "steps"],
            "properties": {
                "principal": {
                    "type": "object",
                    "description": "Who the gateway is, as policies must name it.",
                    "required": ["platform_name", "account_id", "role_arn", "organization"],
                    "properties": {
                        "platform_name": {"type": "string"},
                        "account_id": {"type": "string"},
                        "role_arn": {"type": "string"},
                        "organization": refer("Organization"),
                    },
                },
                "external_id": {"type": "string"},
                "steps": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["title", "text", "documents"],
                        "properties": {
                            "title": {"type": "string"},
                            "text": {"type": "string"},
                            "documents": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["title", "language", "body"],
                                    "properties": {"title": {"type": "string"}, "language": {"enum": ["json", "hcl", "sh", "text"]}, "body": {"type": "string"}},
                                },
                            },
                        },
                    },
                },
            },
        },
    })
}
