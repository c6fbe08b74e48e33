//! What a plugin may do once it is granted, and what an update would change of it. Pure: an operator decides by what is computed here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Capability;
use crate::runtime::Plugin;

/// Capabilities are read from the component's imports, not from what it says of itself; egress is what its description asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Powers {
    pub capabilities: BTreeSet<Capability>,
    /// Templates, compared as text: another spelling of the same reach is asked about once too often, never once too little.
    pub egress: BTreeSet<String>,
}

impl Powers {
    #[must_use]
    pub fn of(plugin: &Plugin) -> Self {
        Self { capabilities: plugin.imports().clone(), egress: plugin.description().egress.iter().cloned().collect() }
    }

    /// What these have that `other` has not.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        Self {
            capabilities: self.capabilities.difference(&other.capabilities).copied().collect(),
            egress: self.egress.difference(&other.egress).cloned().collect(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.capabilities.is_empty() && self.egress.is_empty()
    }

    /// Each on its own, for a sentence.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let capabilities = self.capabilities.iter().map(|capability| {
            match capability {
                Capability::Aws => "aws",
                Capability::Http => "http",
                Capability::Wasi => "wasi",
            }
            .to_owned()
        });
        capabilities.chain(self.egress.iter().cloned()).collect()
    }
}

/// From the active version to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The active version's, as its author calls it.
    pub from_version: String,
    pub from: crate::model::Digest,
    /// Asked for and not granted to the active version. Unless this is empty, a new grant is needed.
    pub new: Powers,
    pub dropped: Powers,
    pub settings: SettingsDifference,
}

/// Names of settings. A connection that is moved must fit the new schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SettingsDifference {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Another rule or text for the same name.
    pub changed: Vec<String>,
    /// Not required before.
    pub now_required: Vec<String>,
}

impl SettingsDifference {
    /// Of two settings schemas.
    #[must_use]
    pub fn between(before: &Value, after: &Value) -> Self {
        let none = Map::new();
        let properties = |schema: &Value| schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone();
        let (old, new) = (properties(before), properties(after));
        let (was_required, is_required) = (required(before), required(after));
        // What a property refers to lies elsewhere: if that changed, whoever refers to something may have changed.
        let elsewhere = before.get("$defs") != after.get("$defs");
        let differs =
            |name: &str, property: &Value| old.get(name).is_some_and(|earlier| earlier != property || (elsewhere && property.to_string().contains("\"$ref\"")));
        Self {
            added: new.keys().filter(|name| !old.contains_key(*name)).cloned().collect(),
            removed: old.keys().filter(|name| !new.contains_key(*name)).cloned().collect(),
            changed: new.iter().filter(|(name, property)| differs(name, property)).map(|(name, _)| name.clone()).collect(),
            now_required: is_required.difference(&was_required).cloned().collect(),
        }
    }
}

fn required(schema: &Value) -> BTreeSet<String> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn powers(capabilities: &[Capability], egress: &[&str]) -> Powers {
        Powers { capabilities: capabilities.iter().copied().collect(), egress: egress.iter().map(|&template| template.to_owned()).collect() }
    }

    #[test]
    fn powers_grow_by_a_capability_or_a_template_and_shrink_in_silence() {
        use Capability::{Aws, Http, Wasi};
        let granted = powers(&[Http], &["https://{settings.hostname}", "https://tokens.example"]);
        for (what, asked, new) in [
            ("the same", granted.clone(), vec![]),
            ("less", powers(&[], &["https://tokens.example"]), vec![]),
            ("nothing", Powers::default(), vec![]),
            ("another capability", powers(&[Aws, Http], &["https://tokens.example"]), vec!["aws"]),
            ("an empty WASI", powers(&[Http, Wasi], &[]), vec!["wasi"]),
            ("another host", powers(&[Http], &["https://{settings.hostname}", "https://evil.example"]), vec!["https://evil.example"]),
            ("the same host on any port", powers(&[], &["https://{settings.hostname}:{settings.port}"]), vec!["https://{settings.hostname}:{settings.port}"]),
            ("plain http", powers(&[], &["http://{settings.hostname}"]), vec!["http://{settings.hostname}"]),
        ] {
            assert_eq!(asked.beyond(&granted).words(), new, "{what}");
        }
    }

    #[test]
    fn a_change_of_settings_is_told_by_name() {
        let before = json!({"properties": {"host": {"type": "string"}, "port": {"type": "integer"}, "path": {"$ref": "#/$defs/Path"}}, "required": ["host"], "$defs": {"Path": {"maxLength": 9}}});
        let after = json!({"properties": {"host": {"type": "string", "maxLength": 5}, "key": {"writeOnly": true}, "path": {"$ref": "#/$defs/Path"}}, "required": ["host", "key"], "$defs": {"Path": {"maxLength": 8}}});
        let difference = SettingsDifference::between(&before, &after);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (difference.added, difference.removed, difference.changed, difference.now_required),
            (names(&["key"]), names(&["port"]), names(&["host", "path"]), names(&["key"]))
        );
        assert_eq!(SettingsDifference::between(&before, &before), SettingsDifference::default());
    }
}
