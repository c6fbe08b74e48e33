//! Objects in the document.

use serde_json::{Value, json};

use super::operation::binary;
use super::{Operation, examples, operation, refer};

pub fn read() -> Operation {
    bytes(asked(operation("read_object", "An object's bytes, from its remote through the gateway")))
}

pub fn head() -> Operation {
    no_bytes(asked(operation("head_object", "An object's headers")))
}

pub fn bytes(operation: Operation) -> Operation {
    operation
        .response(200, json!({"description": "All of it.", "headers": headers(), "content": any()}))
        .response(206, json!({"description": "The range that was asked for.", "headers": headers(), "content": any()}))
}

pub fn no_bytes(operation: Operation) -> Operation {
    operation
        .head()
        .response(200, json!({"description": "There is such an object.", "headers": headers()}))
        .response(206, json!({"description": "There is such a range.", "headers": headers()}))
}

fn asked(operation: Operation) -> Operation {
    let operation = operation
        .about("A secret of the connection is never sent anywhere but to its own remote. What a browser shows of the answer is inert.")
        .required_query("connection", "A connection's name or id.", json!({"type": "string"}))
        .example(examples::CONNECTION)
        .required_query("source_path", "Where the object is.", refer("SourcePath"))
        .example(examples::SOURCE);
    conditions(operation)
}

/// The headers that ask for a part of an object or for a certain version of it, and the answers that these lead to.
pub fn conditions(operation: Operation) -> Operation {
    operation
        .header("Range", "One range of bytes, as `bytes=0-99`. Anything else is answered with the whole object.")
        .header("If-Range", "With it the whole object is sent.")
        .header("If-Match", "An ETag: another one by now is 502, `object_changed`.")
        .header("If-None-Match", "An ETag: 304 if it is still that one.")
        .response(304, json!({"description": "It has not changed.", "headers": headers()}))
        .response(416, json!({"description": "The object has no such range.", "headers": headers()}))
        .fails(&[403, 404, 409, 413, 422, 502])
}

/// The type that the remote gave, or `application/octet-stream`.
fn any() -> Value {
    json!({"*/*": {}, "application/octet-stream": {"schema": binary()}})
}

fn headers() -> Value {
    let names = ["ETag", "Last-Modified", "Content-Range", "Accept-Ranges"];
    Value::Object(names.into_iter().map(|name| (name.to_owned(), json!({"schema": {"type": "string"}}))).collect())
}
