//! Organizations in the document.

use serde_json::{Value, json};

use super::{Operation, examples, operation, refer};
use crate::http::body::MAX_BODY;
use crate::model::Role;

fn of_one(id: &'static str, summary: &'static str) -> Operation {
    operation(id, summary).needs(Role::Operator).path("organization", "Its name.").example(examples::ORGANIZATION).fails(&[404])
}

pub fn list() -> Operation {
    operation("list_organizations", "List the organizations, by name").needs(Role::Operator).pages("OrganizationShown")
}

pub fn create() -> Operation {
    operation("create_organization", "Create an organization")
        .about("Its first token is made with `mint_token`, by an operator.")
        .needs(Role::Operator)
        .body("OrganizationCreate", MAX_BODY)
        .idempotent()
        .answers(201, "It is there.", "OrganizationShown")
}

pub fn fetch() -> Operation {
    of_one("get_organization", "Look at an organization").answers(200, "As it is.", "OrganizationShown")
}

pub fn delete() -> Operation {
    of_one("delete_organization", "Delete an organization that is empty")
        .about("It has no connections and no unfinished jobs. Its tokens end at once, its name is not given again, and what it ingested stays in the sink.")
        .answers(200, "What was deleted.", "OrganizationShown")
        .fails(&[409])
}

pub fn schemas() -> Value {
    json!({
        "OrganizationShown": {
            "type": "object",
            "required": ["organization", "description", "created_at"],
            "properties": {"organization": refer("Organization"), "description": {"type": "string"}, "created_at": refer("Timestamp")},
        },
        "OrganizationCreate": {
            "type": "object",
            "required": ["organization"],
            "additionalProperties": false,
            "properties": {"organization": refer("Organization"), "description": {"type": ["string", "null"], "maxLength": 1000}},
        },
    })
}
