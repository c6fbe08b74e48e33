//! The document as it is now: the fixed part, made once, and the active connectors'. Kept as text until a connector comes or goes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{connectors, operation, refer, schemas};
use crate::model::{Digest, Error, Result};
use crate::runtime::Plugin;

const ABOUT: &str = "Portcullis fetches objects from customers' storage through *connections*: a plugin decides where an object is, the gateway \
judges that, signs and streams. Every error is a problem (RFC 9457) with a stable `code`.";

pub struct Document {
    fixed: Value,
    kept: Mutex<Option<Arc<Written>>>,
}

pub struct Written {
    /// The plugins that were active.
    of: Vec<Digest>,
    pub text: Bytes,
    /// With its quotes.
    pub etag: String,
}

impl Document {
    /// `paths`: of every route.
    pub fn new(paths: Map<String, Value>) -> Self {
        let fixed = json!({
            "openapi": "3.1.0",
            "info": {"title": "Portcullis", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            "servers": [{"url": "/"}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token, in one Authorization header; never in a URL."}},
                "headers": {"X-Request-Id": {"description": "Names the request in the gateway's log.", "schema": {"type": "string"}}},
                "responses": operation::problems(),
                "schemas": schemas::fixed(),
            },
        });
        Self { fixed, kept: Mutex::new(None) }
    }

    /// With the connectors that are active now.
    pub fn now(&self, plugins: &[Arc<Plugin>]) -> Result<Arc<Written>> {
        let of: Vec<Digest> = plugins.iter().map(|plugin| plugin.digest()).collect();
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(|kept| kept.of == of) {
            return Ok(kept.clone());
        }
        let mut document = self.fixed.clone();
        if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
            schemas.extend(connectors::schemas(plugins.iter().map(|plugin| plugin.description())));
        }
        show(&mut document, &connectors::examples(plugins.iter().map(|plugin| plugin.description())));
        let text =
            serde_json::to_vec(&document).map_err(|error| Error::internal("answer_unwritable", "the API's document cannot be written").with_source(error))?;
        let written = Arc::new(Written { of, etag: format!("\"{}\"", blake3::hash(&text).to_hex()), text: text.into() });
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(written.clone());
        Ok(written)
    }
}

/// Puts the examples where a connection is made, under each version of the API.
fn show(document: &mut Value, examples: &Map<String, Value>) {
    for path in document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(Value::Object(content)) = path.pointer_mut("/post/requestBody/content/application~1json")
            && content.get("schema") == Some(&refer("ConnectionCreate"))
            && !examples.is_empty()
        {
            content.insert("examples".to_owned(), Value::Object(examples.clone()));
        }
    }
}
