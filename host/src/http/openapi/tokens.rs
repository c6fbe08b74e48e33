//! Tokens in the document.

use serde_json::{Value, json};

use super::{Operation, examples, operation, refer};
use crate::http::body::MAX_BODY;
use crate::model::Role;

pub fn whoami() -> Operation {
    operation("get_whoami", "The token that the request came with").about("Its role says what may be called.").answers(
        200,
        "As it is stored, without its text.",
        "Token",
    )
}

fn of_organization(operation: Operation) -> Operation {
    operation.query("organization", "The caller's own unless given; another one is an operator's to name.", refer("Organization"))
}

pub fn list() -> Operation {
    of_organization(operation("list_tokens", "List the organization's tokens, without their text")).needs(Role::Admin).pages("Token")
}

pub fn mint() -> Operation {
    operation("mint_token", "Make a token")
        .about("Nobody makes a token that may do more than their own; one of another organization is an operator's to make.")
        .needs(Role::Admin)
        .body("TokenCreate", MAX_BODY)
        .idempotent()
        .answers(201, "The token. Its text is shown this once.", "TokenMinted")
}

pub fn revoke() -> Operation {
    of_organization(operation("revoke_token", "Revoke a token, at once"))
        .needs(Role::Admin)
        .path("id", "The token's id.")
        .example(examples::TOKEN)
        .answers(200, "What was revoked.", "Token")
        .fails(&[404, 409])
}

pub fn schemas() -> Value {
    let token = json!({
        "token_id": refer("Id"),
        "name": {"type": "string"},
        "role": refer("Role"),
        "organization": refer("Organization"),
        "created_at": refer("Timestamp"),
        "expires_at": refer("MaybeTimestamp"),
    });
    let required = ["token_id", "name", "role", "organization", "created_at", "expires_at"];
    let mut minted = token.clone();
    if let Value::Object(properties) = &mut minted {
        properties.insert("token".to_owned(), json!({"type": "string", "readOnly": true}));
    }
    json!({
        "Role": {"enum": ["member", "admin", "operator"], "description": "Each may do what the ones before it may: use connections; manage the organization; manage the gateway."},
        "Token": {"type": "object", "required": required, "properties": token},
        "TokenMinted": {"type": "object", "required": required.iter().chain(&["token"]).collect::<Vec<_>>(), "properties": minted},
        "TokenCreate": {
            "type": "object",
            "required": ["name", "role"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$"},
                "role": refer("Role"),
                "organization": {"anyOf": [refer("Organization"), {"type": "null"}], "description": "The caller's own unless given."},
                "expires_at": {"anyOf": [refer("Timestamp"), {"type": "null"}], "description": "In the future; never unless given."},
            },
        },
    })
}
