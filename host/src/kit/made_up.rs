//! Settings made up from a schema: for each property a value that looks like what its name says and that the schema accepts.

use serde_json::{Map, Value, json};

/// Words of a property's name, and values that such a setting may have. The first that the schema accepts is taken.
const HINTS: [(&str, &[&str]); 20] = [
    ("arn", &["arn:aws:iam::123456789012:role/PortcullisReader"]),
    ("token_path", &["oauth2/token"]),
    ("hostname", &["assets.example.com"]),
    ("host", &["assets.example.com"]),
    ("domain", &["assets.example.com"]),
    ("endpoint", &["assets.example.com", "https://assets.example.com"]),
    ("bucket", &["customer-media"]),
    ("container", &["media"]),
    ("region", &["us-east-1"]),
    ("account", &["123456789012", "acmemedia"]),
    ("project", &["278964"]),
    ("path", &["media/2024"]),
    ("prefix", &["media/2024", "media/"]),
    ("folder", &["media/2024"]),
    ("header", &["x-api-key"]),
    ("username", &["reader"]),
    ("user", &["reader"]),
    ("url", &["https://assets.example.com/media"]),
    ("ref", &["main"]),
    ("scope", &["files.read"]),
];

/// For what has no telling name.
const ANY: [&str; 14] = [
    "kit",
    "media",
    "assets.example.com",
    "MADEUP0123456789ABCD",
    "bWFkZSB1cCBmb3IgdGhlIGtpdA==",
    "madeupmadeupmadeupmadeupmadeupmadeup1234",
    "1",
    "278964",
    "123456789012",
    "us-east-1",
    "0f8fad5b-d9cb-469f-a165-70867728950e",
    "2024-01-01",
    "https://assets.example.com",
    "kit@example.com",
];

const DEPTH: usize = 6;

pub struct Schema<'a> {
    root: &'a Value,
}

impl<'a> Schema<'a> {
    pub fn new(root: &'a Value) -> Self {
        Self { root }
    }

    pub fn properties(&self) -> Vec<(&'a str, &'a Value)> {
        let properties = self.root.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, property)| (name.as_str(), property)).collect()
    }

    pub fn required(&self) -> Vec<&'a str> {
        self.root.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub fn is_secret(property: &Value) -> bool {
        property.get("writeOnly") == Some(&Value::Bool(true))
    }

    /// A keyword of a property, or of what it refers to.
    pub fn look(&self, property: &'a Value, keyword: &str) -> Option<&'a Value> {
        property.get(keyword).or_else(|| self.root.pointer(property.get("$ref")?.as_str()?.strip_prefix('#')?)?.get(keyword))
    }

    pub fn accepts(&self, property: &Value, value: &Value) -> bool {
        self.judge(property).is_some_and(|judge| judge.is_valid(value))
    }

    /// With the definitions that it refers to, as a schema of its own.
    fn judge(&self, property: &Value) -> Option<jsonschema::Validator> {
        let whole = json!({ "$defs": self.root.get("$defs").cloned().unwrap_or_else(|| json!({})), "allOf": [property] });
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).offline().build(&whole).ok()
    }

    /// `None`: nothing that came to mind fits.
    pub fn value(&self, name: &str, property: &'a Value) -> Option<Value> {
        let judge = self.judge(property)?;
        self.candidates(name, property, 0).into_iter().find(|value| judge.is_valid(value))
    }

    /// See `made_up_settings`.
    pub fn settings(&self) -> Option<Map<String, Value>> {
        let mut settings = Map::new();
        for (name, property) in self.properties() {
            let secret = Value::from(format!("the-{}", name.replace('_', "-")));
            let value = if Self::is_secret(property) && self.accepts(property, &secret) { Some(secret) } else { self.value(name, property) };
            match value {
                Some(value) if self.look(property, "default").is_none() => {
                    settings.insert(name.to_owned(), value);
                }
                None if self.required().contains(&name) => return None,
                Some(_) | None => {}
            }
        }
        Some(settings)
    }

    fn candidates(&self, name: &str, property: &'a Value, depth: usize) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        found.extend(self.look(property, "const").cloned());
        for list in ["enum", "examples"] {
            found.extend(self.look(property, list).and_then(Value::as_array).into_iter().flatten().cloned());
        }
        found.extend(self.look(property, "default").cloned());
        if depth > DEPTH {
            return found;
        }
        match self.look(property, "type").and_then(Value::as_str) {
            Some("integer" | "number") => {
                let bound = |keyword: &str| self.look(property, keyword).and_then(Value::as_i64);
                found.extend(name.contains("port").then(|| json!(8443)));
                found.extend([bound("minimum"), bound("maximum"), Some(1), Some(60), Some(0)].into_iter().flatten().map(Value::from));
            }
            Some("boolean") => found.extend([json!(true), json!(false)]),
            Some("array") => {
                let item =
                    self.look(property, "items").and_then(|items| self.candidates(name, items, depth + 1).into_iter().find(|one| self.accepts(items, one)));
                found.extend([json!([]), Value::Array(item.into_iter().collect())]);
            }
            Some("object") => found.push(Value::Object(self.object(property, depth + 1))),
            _ => found.extend(self.texts(name, property).into_iter().map(Value::String)),
        }
        found
    }

    fn object(&self, property: &'a Value, depth: usize) -> Map<String, Value> {
        let properties = self.look(property, "properties").and_then(Value::as_object);
        let made = properties
            .into_iter()
            .flatten()
            .filter_map(|(name, inner)| Some((name.clone(), self.candidates(name, inner, depth).into_iter().find(|value| self.accepts(inner, value))?)));
        made.collect()
    }

    fn texts(&self, name: &str, property: &'a Value) -> Vec<String> {
        let lower = name.to_ascii_lowercase();
        let hinted = HINTS.iter().filter(|(word, _)| lower.contains(word)).flat_map(|(_, values)| values.iter());
        let mut texts: Vec<String> = hinted.chain(&ANY).map(|text| (*text).to_owned()).collect();
        let bound = |keyword: &str| self.look(property, keyword).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
        // Where only the length is odd.
        if let Some(length) = bound("minLength").or_else(|| bound("maxLength")).filter(|length| (1..=8192).contains(length)) {
            texts.extend(["a", "0", "A", "f"].map(|letter| letter.repeat(length)));
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b09_a_value_is_made_up_that_its_schema_accepts_or_none_is() {
        let root = json!({"$defs": {"Host": {"type": "string", "pattern": "^[a-z.]+$"}}});
        let schema = Schema { root: &root };
        for (name, property, expected) in [
            ("iam_role_arn", json!({"type": "string", "pattern": "^arn:"}), Some(json!("arn:aws:iam::123456789012:role/PortcullisReader"))),
            ("hostname", json!({"$ref": "#/$defs/Host"}), Some(json!("assets.example.com"))),
            ("account_name", json!({"type": "string", "pattern": "^[a-z]+$"}), Some(json!("acmemedia"))),
            ("port", json!({"type": "integer", "minimum": 1}), Some(json!(8443))),
            ("ttl", json!({"type": "integer", "minimum": 60, "maximum": 70}), Some(json!(60))),
            ("mode", json!({"enum": ["fast", "slow"]}), Some(json!("fast"))),
            ("pin", json!({"type": "string", "pattern": "^[0-9]{7}$", "minLength": 7}), Some(json!("0000000"))),
            ("tags", json!({"type": "array", "items": {"type": "string"}, "minItems": 1}), Some(json!(["kit"]))),
            ("odd", json!({"type": "string", "pattern": "^zq[0-9]$"}), None),
            ("odd", json!({"type": "string", "pattern": "^zq[0-9]$", "examples": ["zq7"]}), Some(json!("zq7"))),
        ] {
            assert_eq!(schema.value(name, &property), expected, "{name}: {property}");
        }
    }
}
