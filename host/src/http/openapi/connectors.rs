//! The active connectors in the document: each one's settings, and the body that makes a connection of it.

use serde_json::{Map, Value, json};

use super::{or_null, refer};
use crate::model::Description;

/// `connector.<id>`, `ConnectionCreate.<id>` for each, and `ConnectionCreate`, which is one of them.
pub fn schemas<'a>(connectors: impl Iterator<Item = &'a Description>) -> Map<String, Value> {
    let mut schemas = Map::new();
    let (mut bodies, mut mapping) = (Vec::new(), Map::new());
    for connector in connectors {
        let (settings, body) = (format!("connector.{}", connector.id), format!("ConnectionCreate.{}", connector.id));
        bodies.push(refer(&body));
        mapping.insert(connector.id.clone(), format!("#/components/schemas/{body}").into());
        schemas.insert(body, create(connector, &settings));
        schemas.insert(settings.clone(), placed(connector, &settings));
    }
    let one_of = match bodies.as_slice() {
        [] => json!({"description": "No connector is active.", "not": {}}),
        _ => json!({"oneOf": bodies, "discriminator": {"propertyName": "type", "mapping": mapping}}),
    };
    schemas.insert("ConnectionCreate".to_owned(), one_of);
    schemas
}

fn create(connector: &Description, settings: &str) -> Value {
    // Without required settings `config` may be left out.
    let needs_config = connector.settings.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    let (required, config) = if needs_config { (vec!["name", "type", "config"], refer(settings)) } else { (vec!["name", "type"], or_null(refer(settings))) };
    json!({
        "type": "object",
        "title": connector.title,
        "description": connector.summary,
        "required": required,
        "additionalProperties": false,
        "properties": {
            "name": refer("ConnectionName"),
            "type": {"const": connector.id},
            "config": config,
            "test_location": or_null(refer("SourcePath")),
            "description": or_null(refer("ConnectionDescription")),
            "enabled": {"type": ["boolean", "null"], "default": true},
        },
    })
}

/// The plugin's schema as a part of this document: what it calls `#/$defs/…` is found below `name` here.
fn placed(connector: &Description, name: &str) -> Value {
    let mut schema = connector.settings.clone();
    if let Value::Object(root) = &mut schema {
        // Only the root of a document says which dialect it is; this one's is the same.
        root.remove("$schema");
        root.entry("title").or_insert_with(|| connector.title.clone().into());
        root.entry("description").or_insert_with(|| connector.summary.clone().into());
    }
    rebase(&mut schema, name);
    schema
}

/// Keywords that hold values, not schemas: what looks like a reference in there is none.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];
/// Keywords whose names are the author's own.
const NAMED: [&str; 3] = ["properties", "$defs", "dependentSchemas"];

fn rebase(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(to) if key == "$ref" => {
                        if let Some(local) = to.strip_prefix('#') {
                            *to = format!("#/components/schemas/{name}{local}");
                        }
                    }
                    Value::Object(named) if NAMED.contains(&key.as_str()) => named.values_mut().for_each(|schema| rebase(schema, name)),
                    _ if DATA.contains(&key.as_str()) => {}
                    _ => rebase(value, name),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|schema| rebase(schema, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(id: &str, settings: Value) -> Description {
        Description {
            id: id.to_owned(),
            title: "A title".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "A summary.".to_owned(),
            settings,
            source_schemes: Vec::new(),
            egress: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    #[test]
    fn a_connectors_references_are_found_where_its_schema_is_placed() {
        let settings = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["at"],
            "$defs": {"place": {"type": "string"}, "default": {"$ref": "#/$defs/place"}},
            "properties": {
                "at": {"$ref": "#/$defs/place"},
                "all": {"items": {"anyOf": [{"$ref": "#/$defs/place"}]}, "default": [{"$ref": "#/$defs/place"}]},
                "default": {"$ref": "#/$defs/default"},
                "$ref": {"const": {"$ref": "#/$defs/place"}},
            },
        });
        let schemas = schemas([connector("one", settings)].iter());
        let placed = &schemas["connector.one"];
        let here = json!({"$ref": "#/components/schemas/connector.one/$defs/place"});
        assert_eq!(placed["properties"]["at"], here);
        assert_eq!(placed["properties"]["all"]["items"]["anyOf"][0], here);
        assert_eq!(placed["$defs"]["default"], here, "a definition that is called like a keyword");
        assert_eq!(placed["properties"]["default"]["$ref"], "#/components/schemas/connector.one/$defs/default");
        for data in [&placed["properties"]["all"]["default"][0], &placed["properties"]["$ref"]["const"]] {
            assert_eq!(data["$ref"], "#/$defs/place", "a value stays as it is");
        }
        assert!(placed.get("$schema").is_none());
    }

    #[test]
    fn a_body_is_one_of_the_active_connectors() {
        let schemas = schemas([connector("one", json!({"required": ["x"]})), connector("two", json!({}))].iter());
        assert_eq!(schemas["ConnectionCreate"]["discriminator"]["mapping"]["two"], "#/components/schemas/ConnectionCreate.two");
        assert_eq!(schemas["ConnectionCreate.one"]["required"], json!(["name", "type", "config"]));
        assert_eq!(schemas["ConnectionCreate.two"]["required"], json!(["name", "type"]));
        assert_eq!(super::schemas([].iter())["ConnectionCreate"]["not"], json!({}), "without connectors no body fits");
    }
}
