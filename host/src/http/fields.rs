//! The fields of a JSON object, taken out one by one. What is missing, of the wrong type or unknown is told together, each with its pointer.

use serde_json::{Map, Value};

use crate::model::{Error, FieldError, Result, pointer};

const MAX_ERRORS: usize = 100;

pub struct Fields {
    /// Where this object is in the body: a JSON Pointer.
    at: String,
    map: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    pub fn new(map: Map<String, Value>) -> Self {
        Self::at(String::new(), map)
    }

    pub fn at(at: String, map: Map<String, Value>) -> Self {
        Self { at, map, errors: Vec::new() }
    }

    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// As it is; `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Like `take`, but tells `null` (`Some(None)`) from absent (`None`).
    pub fn nullable_text(&mut self, name: &str) -> Option<Option<String>> {
        match self.map.remove(name)? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text)),
            _ => {
                self.wrong(name, "is a string, or null to take it away");
                None
            }
        }
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => self.refuse(name, "is a string"),
        }
    }

    /// Empty when missing; `finish` tells.
    pub fn required_text(&mut self, name: &str) -> String {
        self.require(name);
        self.text(name).unwrap_or_default()
    }

    pub fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(map) => Some(map),
            _ => self.refuse(name, "is an object"),
        }
    }

    pub fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(list) => Some(list),
            _ => self.refuse(name, "is a list"),
        }
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.refuse(name, "is true or false"),
        }
    }

    pub fn number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        match self.take(name)?.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Some(number),
            None => self.refuse(name, &format!("is a whole number from {least} to {most}")),
        }
    }

    pub fn require(&mut self, name: &str) {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.wrong(name, "is required");
            self.map.remove(name);
        }
    }

    fn refuse<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.wrong(name, message);
        None
    }

    pub fn wrong(&mut self, name: &str, message: &str) {
        self.errors.push(FieldError::new(format!("{}{}", self.at, pointer(name)), message));
    }

    /// Whether a field was found wrong already: one complaint about each is enough.
    pub fn has_wrong(&self, pointer: &str) -> bool {
        self.errors.iter().any(|error| error.pointer == pointer)
    }

    /// Whatever was not taken is unknown (SECURITY V10).
    pub fn finish(mut self) -> Result<()> {
        let unknown: Vec<String> = self.map.keys().take(MAX_ERRORS).cloned().collect();
        for name in unknown {
            self.wrong(&name, "there is no such field here");
        }
        self.errors.truncate(MAX_ERRORS);
        if self.errors.is_empty() { Ok(()) } else { Err(Error::fields(self.errors)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn v10_missing_mistyped_and_unknown_fields_are_told_together() {
        let Value::Object(map) = json!({"text": 1, "flag": "yes", "number": 11, "org_id": "x", "a/b": null}) else { panic!("an object") };
        let mut fields = Fields::new(map);
        assert_eq!(fields.required_text("name"), "");
        assert_eq!((fields.text("text"), fields.flag("flag"), fields.number("number", 1, 10)), (None, None, None));
        let error = fields.finish().expect_err("wrong");
        let named: Vec<&str> = error.field_errors().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(named, ["/name", "/text", "/flag", "/number", "/a~1b", "/org_id"]);
    }

    #[test]
    fn null_is_absent_or_takes_away() {
        let Value::Object(map) = json!({"gone": null, "kept": "x", "absent": null}) else { panic!("an object") };
        let mut fields = Fields::new(map);
        assert_eq!(fields.nullable_text("gone"), Some(None));
        assert_eq!(fields.nullable_text("kept"), Some(Some("x".to_owned())));
        assert_eq!(fields.nullable_text("never"), None);
        assert_eq!(fields.text("absent"), None);
        assert!(fields.finish().is_ok());
    }
}
