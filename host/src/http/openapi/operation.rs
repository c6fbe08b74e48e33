//! What is said of one route, in few words: parameters, body, answers, and which errors it may end in.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{examples, refer};
use crate::http::idempotency;
use crate::http::paging;
use crate::model::Role;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// An operation of the document. What every operation has (a token, its errors, the request's id) is not repeated where it is made.
pub struct Operation {
    id: &'static str,
    summary: &'static str,
    about: String,
    open: bool,
    head: bool,
    role: Option<Role>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<(u16, Value)>,
    errors: Vec<u16>,
}

/// The content of a body or an answer: JSON of that schema, with its example.
pub fn content(schema: &str) -> Value {
    with_example(refer(schema), examples::of(schema))
}

fn with_example(schema: Value, example: Value) -> Value {
    // What is one of many (the body that makes a connection) has an example of each: see `connectors`.
    if example.is_null() { json!({JSON: {"schema": schema}}) } else { json!({JSON: {"schema": schema, "example": example}}) }
}

/// `id`: unique, snake_case; clients make function names of it.
pub fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        id,
        summary,
        about: String::new(),
        open: false,
        head: false,
        role: None,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: vec![400, 401, 429, 500, 503],
    }
}

impl Operation {
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = text.into();
        self
    }

    /// Needs no token.
    pub fn open(mut self) -> Self {
        self.open = true;
        self.errors = vec![500];
        self
    }

    /// The answers to `HEAD` have no bodies.
    pub fn head(mut self) -> Self {
        self.head = true;
        self
    }

    /// The least role that may call it.
    pub fn needs(mut self, role: Role) -> Self {
        self.role = Some(role);
        self.fails(&[403])
    }

    pub fn path(self, name: &str, about: &str) -> Self {
        self.parameter("path", name, about, json!({"type": "string"}), true)
    }
    pub fn query(self, name: &str, about: &str, schema: Value) -> Self {
        self.parameter("query", name, about, schema, false)
    }
    pub fn required_query(self, name: &str, about: &str, schema: Value) -> Self {
        self.parameter("query", name, about, schema, true)
    }
    pub fn header(self, name: &str, about: &str) -> Self {
        self.parameter("header", name, about, json!({"type": "string"}), false)
    }

    /// Of the parameter that was named last.
    pub fn example(mut self, value: &str) -> Self {
        if let Some(Value::Object(parameter)) = self.parameters.last_mut() {
            parameter.insert("example".to_owned(), value.into());
        }
        self
    }

    fn parameter(mut self, place: &str, name: &str, about: &str, schema: Value, required: bool) -> Self {
        self.parameters.push(json!({"name": name, "in": place, "description": about, "required": required, "schema": schema}));
        self
    }

    /// A page of `schema`, with the parameters of every list.
    pub fn pages(self, schema: &str) -> Self {
        let page = json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "maxItems": paging::MOST, "items": refer(schema)},
                "next_cursor": {"type": ["string", "null"], "description": "What to send as `cursor` for the next page; null on the last one."},
            },
        });
        self.query("limit", "The most items of a page.", json!({"type": "integer", "minimum": 1, "maximum": paging::MOST, "default": paging::USUAL}))
            .query(
                "cursor",
                "The `next_cursor` of the page before: good for this list with these filters.",
                json!({"type": "string", "maxLength": paging::LONGEST}),
            )
            .response(200, json!({"description": "One page.", "content": with_example(page, json!({"items": [examples::of(schema)], "next_cursor": null}))}))
    }

    /// A JSON body of at most `most` bytes.
    pub fn body(self, schema: &str, most: usize) -> Self {
        self.json_body(schema, most, true)
    }
    /// No body counts as an empty object.
    pub fn optional_body(self, schema: &str, most: usize) -> Self {
        self.json_body(schema, most, false)
    }

    fn json_body(mut self, schema: &str, most: usize, required: bool) -> Self {
        let about = format!("At most {most} bytes of JSON, strictly read: no field that is not described, and no name twice in one object.");
        self.body = Some(json!({"description": about, "required": required, "content": content(schema)}));
        self.fails(&[408, 413, 415, 422])
    }

    /// A body that is no JSON, of at most `most` bytes.
    pub fn bytes(mut self, media_type: &str, most: usize) -> Self {
        self.body = Some(json!({"description": format!("At most {most} bytes."), "required": true, "content": {media_type: {"schema": binary()}}}));
        self.fails(&[408, 413, 415, 422])
    }

    /// The same request with the same key, sent again within a day, makes nothing new.
    pub fn idempotent(self) -> Self {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": idempotency::LONGEST});
        let about = "The same request with the same key, sent again within 24 hours, makes nothing new; another body with that key is 409.";
        self.parameter("header", "Idempotency-Key", about, schema, false).fails(&[409])
    }

    pub fn answers(self, status: u16, about: &str, schema: &str) -> Self {
        self.response(status, json!({"description": about, "content": content(schema)}))
    }

    /// A Response Object of the document.
    pub fn response(mut self, status: u16, response: Value) -> Self {
        self.answers.push((status, response));
        self
    }

    /// Problems with these statuses, beside those that every operation has.
    pub fn fails(mut self, statuses: &[u16]) -> Self {
        self.errors.extend_from_slice(statuses);
        self
    }

    /// The Operation Object.
    pub fn described(self, tag: &str) -> Value {
        let mut responses = Map::new();
        for status in self.errors {
            let response = if self.head { bodiless(status) } else { json!({"$ref": format!("#/components/responses/{status}")}) };
            responses.insert(status.to_string(), response);
        }
        for (status, mut response) in self.answers {
            if let Value::Object(response) = &mut response
                && let Value::Object(headers) = response.entry("headers").or_insert_with(|| json!({}))
            {
                headers.insert("X-Request-Id".to_owned(), json!({"$ref": "#/components/headers/X-Request-Id"}));
            }
            responses.insert(status.to_string(), response);
        }
        let mut described = json!({"operationId": self.id, "summary": self.summary, "tags": [tag], "responses": responses});
        let mut put = |name: &str, value: Value| {
            if let Value::Object(described) = &mut described {
                described.insert(name.to_owned(), value);
            }
        };
        if !self.about.is_empty() {
            put("description", self.about.into());
        }
        if !self.parameters.is_empty() {
            put("parameters", self.parameters.into());
        }
        if let Some(body) = self.body {
            put("requestBody", body);
        }
        if self.open {
            put("security", json!([]));
        }
        if let Some(role) = self.role {
            put("x-role", json!(role));
        }
        described
    }
}

/// Any bytes: what OpenAPI 3.1 would leave out, and generators of clients look for.
pub fn binary() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// Every problem that an operation may refer to: `#/components/responses/<status>`.
pub fn problems() -> Value {
    let problem = |status: u16, about: &str| {
        let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}});
        if let (401, Value::Object(headers)) = (status, &mut headers) {
            headers.insert("WWW-Authenticate".to_owned(), json!({"schema": {"type": "string"}}));
        }
        if let (429 | 503, Value::Object(headers)) = (status, &mut headers) {
            headers.insert("Retry-After".to_owned(), json!({"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}));
        }
        (
            status.to_string(),
            json!({"description": about, "headers": headers, "content": {PROBLEM: {"schema": refer("Problem"), "example": examples::problem(status)}}}),
        )
    };
    let all = [
        problem(400, "The request cannot be read: a parameter, a header or the JSON of the body is wrong."),
        problem(401, "No token, or none that is valid."),
        problem(403, "The caller's role, or the gateway's policy, does not allow it."),
        problem(404, "There is no such thing, or it belongs to another organization."),
        problem(408, "The body took too long to arrive."),
        problem(409, "The state does not allow it: a taken name, a stale version, a connection that is not ready."),
        problem(412, "It is at another version than `If-Match` names."),
        problem(413, "The body, or what it asks for, is larger than a limit."),
        problem(415, "The body has another type than the one described, or is encoded."),
        problem(422, "Fields are wrong; `errors` names each."),
        problem(429, "Too many wrong tokens, or too many requests of this kind."),
        problem(500, "The gateway failed; its log names the request's id."),
        problem(502, "The remote refused or answered badly, or the plugin broke its contract."),
        problem(503, "The remote, or a part of the gateway, cannot answer now."),
    ];
    Value::Object(all.into_iter().collect())
}

fn bodiless(status: u16) -> Value {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    json!({"description": format!("{reason}, without the problem's text.")})
}
