//! Signed URLs in the document.

use serde_json::{Value, json};

use super::{Operation, examples, objects, operation, refer};
use crate::connections::MAX_SIGNED;
use crate::http::signed::{LONGEST, USUAL};

pub fn read() -> Operation {
    objects::bytes(opened(operation("read_signed_object", "An object's bytes, by a signed URL")))
}

pub fn head() -> Operation {
    objects::no_bytes(opened(operation("head_signed_object", "An object's headers, by a URL that was signed for HEAD")))
}

fn opened(operation: Operation) -> Operation {
    let operation = operation
        .about(
            "The URL is all that is needed: a page of any origin may read the answer. Refusals are 403: `invalid_signature`, `signed_url_expired`, `method_not_signed`, \
             `signed_url_revoked`.",
        )
        .open()
        .required_query("token", "As the URL has it.", json!({"type": "string", "maxLength": MAX_SIGNED})).example(examples::SIGNED);
    objects::conditions(operation).fails(&[400, 429, 503])
}

pub fn schemas() -> Value {
    json!({
        "SignAsk": {
            "type": "object",
            "required": ["source_path"],
            "additionalProperties": false,
            "properties": {
                "source_path": refer("SourcePath"),
                "method": {"enum": ["GET", "HEAD", null], "default": "GET", "description": "The one method that the URL is for."},
                "expires_in": {"type": ["integer", "null"], "minimum": 1, "maximum": LONGEST, "default": USUAL, "description": "Seconds."},
            },
        },
        "SignedUrl": {
            "type": "object",
            "required": ["url", "method", "expires_at"],
            "properties": {
                "url": {"type": "string", "format": "uri"},
                "method": {"enum": ["GET", "HEAD"]},
                "expires_at": {"allOf": [refer("Timestamp")], "description": "Not later than the end of the token that asked."},
            },
        },
    })
}
