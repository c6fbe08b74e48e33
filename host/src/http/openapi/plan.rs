//! The plan in the document.

use serde_json::{Value, json};

use super::{Operation, operation, refer};
use crate::http::body::MAX_BODY;
use crate::http::plan::MAX_SOURCES;

pub fn plan() -> Operation {
    operation("plan", "What would be sent for source paths, without sending it")
        .body("PlanAsk", MAX_BODY)
        .answers(200, "One outcome for each source path, in order.", "Plan")
        .fails(&[403, 404, 409, 502])
}

pub fn schemas() -> Value {
    let one = |name: &str, value: Value| json!({"type": "object", "required": [name], "properties": {name: value}, "additionalProperties": false});
    let record = |texts: &[&str], maybe: &[&str]| {
        let text = texts.iter().map(|name| ((*name).to_owned(), json!({"type": "string"})));
        let properties: serde_json::Map<String, Value> = text.chain(maybe.iter().map(|name| ((*name).to_owned(), refer("MaybeText")))).collect();
        json!({"type": "object", "required": texts.iter().chain(maybe).collect::<Vec<_>>(), "properties": properties})
    };
    // Each has a name: generators of clients make types of names.
    let kinds = ["Plain", "Basic", "Bearer", "Headers", "OAuth2", "Role"].map(|kind| refer(&format!("Credential{kind}")));
    json!({
        "PlanAsk": {
            "type": "object",
            "required": ["connection", "source_paths"],
            "additionalProperties": false,
            "properties": {
                "connection": {"type": "string", "description": "A connection's name or id."},
                "source_paths": {"type": "array", "minItems": 1, "maxItems": MAX_SOURCES, "items": refer("SourcePath")},
            },
        },
        "Plan": {
            "type": "object",
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": {"oneOf": [refer("Planned"), refer("NotPlanned")]}}},
        },
        "Planned": {
            "type": "object",
            "required": ["source_path", "request"],
            "properties": {
                "source_path": {"type": "string"},
                "request": {
                    "type": "object",
                    "description": "A secret is shown by its name.",
                    "required": ["method", "url", "headers", "credential"],
                    "properties": {
                        "method": {"type": "string"},
                        "url": {"type": "string"},
                        "headers": {"type": "array", "items": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string"}], "minItems": 2, "maxItems": 2}},
                        "credential": refer("Credential"),
                    },
                },
            },
        },
        "NotPlanned": {
            "type": "object",
            "required": ["source_path", "error"],
            "properties": {"source_path": {"type": "string"}, "error": refer("Failure")},
        },
        "Credential": {
            "description": "The recipe for the credential: which kind, and which secrets it is made of, by name.",
            "oneOf": kinds,
        },
        "CredentialPlain": {"type": "string", "enum": ["anonymous", "aws_gateway_role"]},
        "CredentialBasic": one("basic", record(&["username", "password"], &[])),
        "CredentialBearer": one("bearer", record(&["token"], &[])),
        "CredentialHeaders": one("headers", json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "pieces"],
                "properties": {
                    "name": {"type": "string"},
                    "pieces": {"type": "array", "items": {"type": "object"}, "description": "Steps; a later one names earlier ones by their place."},
                },
            },
        })),
        "CredentialOAuth2": one("o_auth2_client_credentials", record(&["token_url", "client_id", "client_secret"], &["scope", "audience"])),
        "CredentialRole": one("aws_assume_role", json!({
            "type": "object",
            "required": ["role_arn", "duration_seconds", "region"],
            "properties": {"role_arn": {"type": "string"}, "duration_seconds": {"type": "integer"}, "region": refer("MaybeText")},
        })),
    })
}
