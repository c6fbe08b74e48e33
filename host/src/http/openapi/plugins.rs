//! Connectors and plugins in the document.

use serde_json::{Map, Value, json};

use super::{Operation, examples, operation, or_null, refer};
use crate::http::body::MAX_BODY;
use crate::model::Role;
use crate::runtime::MAX_COMPONENT;

pub fn connectors() -> Operation {
    operation("list_connectors", "List the connectors that a connection can be made of").pages("Connector")
}

pub fn list() -> Operation {
    operation("list_plugins", "List the plugins, with what each may do").pages("Plugin")
}

fn of_one(id: &'static str, summary: &'static str) -> Operation {
    operation(id, summary).path("id", "The id of its connector.").example(examples::PLUGIN).fails(&[404])
}

pub fn inspect() -> Operation {
    of_one("get_plugin", "Look at a plugin").answers(200, "As it is now.", "Plugin")
}

pub fn upload() -> Operation {
    operation("upload_plugin", "Upload a connector's component")
        .about("It is checked and kept, and runs for nobody until it is granted what it asks for.")
        .needs(Role::Operator)
        .bytes("application/wasm", MAX_COMPONENT)
        .answers(201, "What it asks for.", "PluginOffered")
        .answers(200, "These bytes were there already.", "PluginOffered")
        .fails(&[409])
}

pub fn grant() -> Operation {
    of_one("grant_plugin", "Grant a version what it asks for, and activate it")
        .about("From then on its connector is in the catalogue and in this document. Connections stay with the version that they were made with.")
        .needs(Role::Operator)
        .body("PluginGrant", MAX_BODY)
        .answers(200, "The version.", "PluginVersion")
        .fails(&[409, 502])
}

pub fn activate() -> Operation {
    of_one("activate_plugin", "Make another version the one that new connections use")
        .about("One that was granted before, or asks for no more than the active one has.")
        .needs(Role::Operator)
        .body("PluginActivate", MAX_BODY)
        .answers(200, "The version.", "PluginVersion")
        .fails(&[409, 502])
}

pub fn remove() -> Operation {
    of_one("remove_plugin", "Remove a plugin with all its versions").needs(Role::Operator).answers(200, "What was there.", "Plugin").fails(&[409])
}

pub fn remove_version() -> Operation {
    of_one("remove_plugin_version", "Remove one version of a plugin")
        .path("digest", "The version's digest.")
        .example(examples::DIGEST)
        .needs(Role::Operator)
        .answers(200, "What is left.", "Plugin")
        .fails(&[409])
}

pub fn schemas() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let id = json!({"type": "string", "pattern": "^[a-z][a-z0-9_]{2,63}$", "description": "The `type` of its connections."});
    let egress = json!({"type": "array", "items": {"type": "string"}, "description": "What its connections may reach, as templates over their settings."});
    let capabilities = json!({"type": "array", "items": refer("Capability")});
    let settings = json!({"type": "object", "additionalProperties": true, "description": "JSON Schema 2020-12 of `config`; of an active connector also here, as `connector.<id>`."});
    let connector = [
        ("id", id.clone()),
        ("title", json!({"type": "string"})),
        ("version", json!({"type": "string"})),
        ("summary", json!({"type": "string"})),
        ("settings", settings.clone()),
        ("source_schemes", texts.clone()),
        ("egress", egress.clone()),
        ("capabilities", capabilities.clone()),
        ("digest", refer("Digest")),
    ];
    // Of a plugin without an active version no more than this is known.
    let plugin = [
        ("id", id.clone()),
        ("origin", json!({"enum": ["built_in", "installed"]})),
        ("state", json!({"enum": ["active", "pending", "broken"]})),
        ("versions", json!({"type": "array", "items": refer("PluginVersion"), "description": "Of an installed plugin, the newest first."})),
        (
            "suspensions",
            json!({"type": "array", "maxItems": 100, "items": refer("PluginSuspension"), "description": "Of the caller's organization; for an operator, of each."}),
        ),
    ];
    let suspension = [
        ("organization", refer("Organization")),
        ("digest", refer("Digest")),
        ("since", refer("Timestamp")),
        ("until", json!({"allOf": [refer("Timestamp")], "description": "From then on the next call tries it."})),
        ("code", json!({"type": "string", "description": "The last fault's."})),
    ];
    let active = [("imports", capabilities.clone()), ("granted", capabilities.clone())];
    let version = [
        ("digest", refer("Digest")),
        ("version", json!({"type": "string"})),
        ("title", json!({"type": "string"})),
        ("size", json!({"type": "integer", "minimum": 1, "description": "Bytes."})),
        (
            "state",
            json!({"enum": ["pending", "active", "granted", "broken"], "description": "`active`: what new connections use. `granted`: what older ones may still use."}),
        ),
        ("imports", capabilities.clone()),
        ("egress", egress.clone()),
        ("uploaded_at", refer("Timestamp")),
        ("granted_at", refer("MaybeTimestamp")),
    ];
    let by_whom = [
        ("fault", json!({"type": "string", "description": "Why a broken one is."})),
        ("uploaded_by", json!({"type": "string", "format": "uuid", "description": "A token's id; for operators."})),
        ("granted_by", json!({"type": "string", "format": "uuid", "description": "A token's id; for operators."})),
    ];
    let offered = [
        ("id", id),
        ("summary", json!({"type": "string"})),
        ("source_schemes", texts.clone()),
        ("settings", settings),
        ("change", or_null(refer("PluginDifference"))),
        ("grant_required", json!({"type": "boolean", "description": "Whether it needs a grant before it can be activated."})),
    ];
    let powers = object(&[("capabilities", capabilities.clone()), ("egress", egress.clone())], &[]);
    let changes = object(&["added", "removed", "changed", "now_required"].map(|name| (name, texts.clone())), &[]);
    let mut grant = object(
        &[("digest", refer("Digest")), ("capabilities", capabilities), ("egress", json!({"type": "array", "maxItems": 64, "items": {"type": "string"}}))],
        &[],
    );
    let mut activate = object(&[("digest", refer("Digest"))], &[]);
    for body in [&mut grant, &mut activate] {
        if let Value::Object(body) = body {
            body.insert("additionalProperties".to_owned(), false.into());
        }
    }
    json!({
        "Connector": object(&connector, &[]),
        "Plugin": object(&plugin, &[connector.as_slice(), active.as_slice()].concat()),
        "PluginSuspension": object(&suspension, &[]),
        "PluginVersion": object(&version, &by_whom),
        "PluginOffered": object(&[version.as_slice(), offered.as_slice()].concat(), &by_whom),
        "PluginDifference": object(
            &[("from_version", json!({"type": "string"})), ("from", refer("Digest")), ("new", powers.clone()), ("dropped", powers), ("settings", changes)],
            &[],
        ),
        "PluginGrant": grant,
        "PluginActivate": activate,
    })
}

fn object(always: &[(&str, Value)], maybe: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = always.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = always.iter().chain(maybe).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "required": names, "properties": properties})
}
