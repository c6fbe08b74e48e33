//! The active connectors in the document: each one's settings, and the body that makes a connection of it.

use serde_json::{Map, Value, json};

use super::{or_null, refer};
use crate::kit;
use crate::model::Description;

/// `connector.<id>` and its definitions, `ConnectionCreate.<id>` for each, and `ConnectionCreate`, which is one of them.
pub fn schemas<'a>(connectors: impl Iterator<Item = &'a Description>) -> Map<String, Value> {
    let mut schemas = Map::new();
    let (mut bodies, mut mapping) = (Vec::new(), Map::new());
    for connector in connectors {
        let (settings, body) = (format!("connector.{}", connector.id), format!("ConnectionCreate.{}", connector.id));
        bodies.push(refer(&body));
        mapping.insert(connector.id.clone(), format!("#/components/schemas/{body}").into());
        schemas.insert(body, create(connector, &settings));
        schemas.extend(placed(connector, &settings));
    }
    let one_of = match bodies.as_slice() {
        [] => json!({"description": "No connector is active.", "not": {}}),
        _ => json!({"oneOf": bodies, "discriminator": {"propertyName": "type", "mapping": mapping}}),
    };
    schemas.insert("ConnectionCreate".to_owned(), one_of);
    schemas
}

/// A body for each, by the connector's id. One whose schema nobody can guess has none.
pub fn examples<'a>(connectors: impl Iterator<Item = &'a Description>) -> Map<String, Value> {
    let example = |connector: &'a Description| {
        let settings = kit::made_up_settings(&connector.settings)?;
        let body = json!({"name": format!("my_{}", connector.id), "type": connector.id, "config": settings});
        Some((connector.id.clone(), json!({"summary": connector.title, "value": body})))
    };
    connectors.filter_map(example).collect()
}

/// Without titles here and in the settings: generators of clients make names of types of them, and two connectors may have the same.
fn create(connector: &Description, settings: &str) -> Value {
    // Without required settings `config` may be left out.
    let needs_config = connector.settings.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    let (required, config) = if needs_config { (vec!["name", "type", "config"], refer(settings)) } else { (vec!["name", "type"], or_null(refer(settings))) };
    json!({
        "type": "object",
        "description": format!("{}. {}", connector.title, connector.summary),
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

/// The plugin's schema as a part of this document: what it calls `#/$defs/X` is the component `<name>.X` here.
fn placed(connector: &Description, name: &str) -> Map<String, Value> {
    let mut schema = connector.settings.clone();
    let mut definitions = Map::new();
    if let Value::Object(root) = &mut schema {
        // Only the root of a document says which dialect it is; this one's is the same.
        root.remove("$schema");
        root.insert("description".to_owned(), connector.summary.clone().into());
        if let Some(Value::Object(own)) = root.remove("$defs") {
            definitions = own.into_iter().map(|(definition, schema)| (component(name, &definition), schema)).collect();
        }
    }
    definitions.insert(name.to_owned(), schema);
    definitions.values_mut().for_each(|schema| rebase(schema, name));
    definitions
}

/// The name of a component is made of fewer characters than that of a definition.
fn component(name: &str, definition: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let spelled = definition.chars().map(|letter| if fits(letter) { letter.to_string() } else { format!(".{:x}.", u32::from(letter)) });
    format!("{name}.{}", spelled.collect::<String>())
}

/// Keywords that hold values, not schemas: what looks like a reference in there is none.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];
/// Keywords whose names are the author's own.
const NAMED: [&str; 3] = ["properties", "$defs", "dependentSchemas"];

fn rebase(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(map) => {
            map.remove("title");
            for (key, value) in map {
                match value {
                    Value::String(to) if key == "$ref" => *to = moved(to, name),
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

/// Where what a reference names is in this document. `runtime` lets no other than `#/$defs/…` in.
fn moved(reference: &str, name: &str) -> String {
    let Some(definition) = reference.strip_prefix("#/$defs/") else { return reference.to_owned() };
    let (first, rest) = definition.split_once('/').map_or((definition, String::new()), |(first, rest)| (first, format!("/{rest}")));
    let unescaped = first.replace("~1", "/").replace("~0", "~");
    format!("#/components/schemas/{}{rest}", component(name, &unescaped))
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
            "title": "Settings",
            "$defs": {"place": {"type": "string", "title": "Place"}, "default": {"$ref": "#/$defs/place"}, "odd name": {"type": "null"}},
            "properties": {
                "title": {"type": "string"},
                "odd": {"$ref": "#/$defs/odd name"},
                "at": {"$ref": "#/$defs/place"},
                "all": {"items": {"anyOf": [{"$ref": "#/$defs/place"}]}, "default": [{"$ref": "#/$defs/place"}]},
                "default": {"$ref": "#/$defs/default"},
                "$ref": {"const": {"$ref": "#/$defs/place"}},
            },
        });
        let schemas = schemas([connector("one", settings)].iter());
        let placed = &schemas["connector.one"];
        let here = json!({"$ref": "#/components/schemas/connector.one.place"});
        assert_eq!(placed["properties"]["at"], here);
        assert_eq!(placed["properties"]["all"]["items"]["anyOf"][0], here);
        assert_eq!(schemas["connector.one.place"], json!({"type": "string"}));
        assert_eq!(schemas["connector.one.default"], here, "a definition that is called like a keyword");
        assert_eq!(schemas["connector.one.odd.20.name"], json!({"type": "null"}), "a name that no component has");
        assert_eq!(placed["properties"]["odd"]["$ref"], "#/components/schemas/connector.one.odd.20.name");
        assert_eq!(placed["properties"]["default"]["$ref"], "#/components/schemas/connector.one.default");
        for data in [&placed["properties"]["all"]["default"][0], &placed["properties"]["$ref"]["const"]] {
            assert_eq!(data["$ref"], "#/$defs/place", "a value stays as it is");
        }
        assert!(placed.get("$schema").is_none() && placed.get("title").is_none() && placed["properties"].get("title").is_some());
    }

    #[test]
    fn b08_each_connector_has_an_example_that_its_schema_accepts() {
        let settings = json!({
            "type": "object",
            "required": ["hostname", "key"],
            "properties": {"hostname": {"$ref": "#/$defs/host"}, "key": {"type": "string", "writeOnly": true}, "port": {"type": "integer", "default": 443}},
            "$defs": {"host": {"type": "string", "pattern": "^[a-z.]+$"}},
        });
        let odd = json!({"type": "object", "required": ["x"], "properties": {"x": {"type": "string", "pattern": "^zq[0-9]$"}}});
        let examples = examples([connector("one", settings), connector("odd", odd)].iter());
        let body = json!({"name": "my_one", "type": "one", "config": {"hostname": "assets.example.com", "key": "the-key"}});
        assert_eq!(examples["one"], json!({"summary": "A title", "value": body}));
        assert!(!examples.contains_key("odd"), "nothing is better than what would be refused");
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
