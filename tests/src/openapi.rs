//! The API's own document, as a client reads it: which operations there are, and whether an answer is one that it describes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use http::Method;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::api::{Answer, Api};

pub const PATH: &str = "/api/v1/openapi.json";

#[derive(Clone, Debug)]
pub struct Operation {
    pub method: Method,
    /// With `{names}`.
    pub path: String,
    pub described: Value,
}

impl Operation {
    #[must_use]
    pub fn id(&self) -> &str {
        self.described["operationId"].as_str().unwrap()
    }

    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.described["security"] != json!([])
    }

    /// The path with `word` for each of its names, and for each parameter that it cannot be without.
    #[must_use]
    pub fn filled(&self, word: &str) -> String {
        let path: Vec<&str> = self.path.split('/').map(|part| if part.starts_with('{') { word } else { part }).collect();
        let required = self.described["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query" && one["required"] == true);
        let query: Vec<String> = required.map(|one| format!("{}={word}", one["name"].as_str().unwrap())).collect();
        if query.is_empty() { path.join("/") } else { format!("{}?{}", path.join("/"), query.join("&")) }
    }

    fn fits(&self, method: &Method, path: &str) -> bool {
        let (own, given): (Vec<&str>, Vec<&str>) = (self.path.split('/').collect(), path.split('/').collect());
        self.method == method && own.len() == given.len() && own.iter().zip(&given).all(|(own, given)| own.starts_with('{') || own == given)
    }
}

/// Calls the API and holds each answer to the document.
pub struct Described {
    pub api: Api,
    pub document: Value,
    pub operations: Vec<Operation>,
    validators: Mutex<BTreeMap<String, Validator>>,
    seen: Mutex<BTreeSet<(String, u16)>>,
}

impl Described {
    pub async fn by(api: &Api) -> Self {
        let document = api.with_token("").get(PATH).await.expect(200);
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                operations.push(Operation { method: method.to_uppercase().parse().unwrap(), path: path.clone(), described: described.clone() });
            }
        }
        Self { api: api.clone(), document, operations, validators: Mutex::default(), seen: Mutex::default() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.call_as(&self.api, method, path, &[], body).await
    }

    /// Panics where the answer is none that the document describes.
    pub async fn call_as(&self, api: &Api, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let typed = body.map(|_| ("content-type", "application/json"));
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(typed).collect();
        self.send(api, method, path, &headers, body.map(|body| body.to_string().into_bytes())).await
    }

    pub async fn send(&self, api: &Api, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let answer = api.send(method.clone(), path, headers, body).await;
        self.judge(&method, path, &answer);
        answer
    }

    #[track_caller]
    fn judge(&self, method: &Method, path: &str, answer: &Answer) {
        let shown = format!("{method} {path}: {} {}", answer.status, answer.text().chars().take(500).collect::<String>());
        let route = path.split('?').next().unwrap();
        let mut fitting: Vec<&Operation> = self.operations.iter().filter(|operation| operation.fits(method, route)).collect();
        // What is written out comes before what has a name in it.
        fitting.sort_by_key(|operation| operation.path.matches('{').count());
        let operation = fitting.first().unwrap_or_else(|| panic!("{shown}\nno such operation is described"));
        let status = answer.status.as_u16();
        let response = self.resolved(&operation.described["responses"][status.to_string()]);
        assert!(!response.is_null(), "{shown}\n{} does not describe this status", operation.id());
        for name in response["headers"].as_object().into_iter().flat_map(Map::keys).filter(|name| *name == "X-Request-Id" || *name == "WWW-Authenticate") {
            assert!(answer.headers.contains_key(name.as_str()), "{shown}\nthe header {name} is described and not sent");
        }
        match response["content"].as_object() {
            None => assert!(answer.body.is_empty(), "{shown}\nno body is described"),
            Some(content) => {
                let sent = answer.headers["content-type"].to_str().unwrap();
                let described = content.get(sent).or(content.get("*/*")).unwrap_or_else(|| panic!("{shown}\n{sent} is not described"));
                if let Some(schema) = described.get("schema").filter(|_| sent.ends_with("json")) {
                    self.validate(schema, &answer.json(), &shown);
                }
            }
        }
        self.seen.lock().unwrap().insert((operation.id().to_owned(), status));
    }

    /// Panics where the schema does not allow it, or it has a field that the schema does not name.
    #[track_caller]
    pub fn validate(&self, schema: &Value, instance: &Value, shown: &str) {
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(schema.to_string()).or_insert_with(|| self.strict(schema));
        let wrong: Vec<String> = validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{shown}\n{}", wrong.join("\n"));
    }

    /// As the document has it, except that a field which it does not name is wrong: a client may meet one, the tests may not.
    fn strict(&self, schema: &Value) -> Validator {
        let mut components = self.document["components"].clone();
        let mut schema = schema.clone();
        close(&mut components["schemas"]);
        close(&mut schema);
        let root = json!({"allOf": [schema], "components": components});
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true).offline().build(&root).unwrap()
    }

    /// What it refers to, or itself.
    #[must_use]
    pub fn resolved(&self, value: &Value) -> Value {
        match value["$ref"].as_str() {
            Some(to) => self.document.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{to} is not there")).clone(),
            None => value.clone(),
        }
    }

    /// The ids of operations that were not seen to succeed.
    #[must_use]
    pub fn never_succeeded(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let missing = self.operations.iter().map(Operation::id).filter(|id| !seen.iter().any(|(seen, status)| seen == id && (200..300).contains(status)));
        missing.map(str::to_owned).collect()
    }
}

fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("type") == Some(&json!("object")) && map.contains_key("properties") {
                map.entry("additionalProperties").or_insert(false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
