//! Settings that the gateway would accept, as it accepts them: schema, `normalize`, schema again, egress. What a connection would be made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::golden::Case;
use super::made_up::Schema;
use super::report::Id;
use super::subject::Subject;
use crate::model::{Connection, ConnectionId, ConnectionName, Credential, Error, ExternalId, Kind, Result, SealedSecret, Timestamp};
use crate::policy::{AddressPolicy, Grant};

/// Settings that are looked at from every side; golden files are all replayed.
const EXAMPLES: usize = 4;
const EXTERNAL_ID: &str = "kit0123456789abcdef0123456789abcdef";
/// A connector may be for a server inside: what an operator would open for it.
const NETWORKS: [&str; 9] =
    ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "fd00::/8"];

pub struct Example {
    /// Where the settings come from.
    pub from: String,
    /// Normalized, without secrets.
    pub settings: Value,
    /// The same as the plugin gets it.
    pub text: String,
    pub grant: Arc<Grant>,
    /// Source paths that came with the settings.
    pub sources: Vec<String>,
}

impl Example {
    pub fn secrets(&self) -> Vec<&str> {
        self.grant.connection.secrets.keys().map(String::as_str).collect()
    }
}

fn addresses() -> AddressPolicy {
    AddressPolicy { allow_networks: NETWORKS.iter().filter_map(|network| network.parse().ok()).collect(), allow_http: false }
}

/// The kit's own connection: its secrets are there, and empty; nobody opens them.
pub fn grant(subject: &Subject, settings: &Value, secrets: BTreeSet<String>) -> Result<Grant> {
    let plugin = subject.plugin();
    let (now, sealed) = (Timestamp::from_millis(0), || SealedSecret { key_id: String::new(), revision: 1, sealed: String::new() });
    let connection = Connection {
        settings: settings.clone(),
        secrets: secrets.into_iter().map(|name| (name, sealed())).collect::<BTreeMap<_, _>>(),
        ..Connection::new(
            ConnectionId(Uuid::nil()),
            subject.org.clone(),
            ConnectionName::new("kit_connection")?,
            plugin.description().id.clone(),
            plugin.digest(),
            ExternalId::new(EXTERNAL_ID)?,
            now,
        )
    };
    Grant::new(connection, plugin.description(), plugin.imports().clone(), &addresses())
}

/// `Err` says why the gateway would refuse these settings. What is the plugin's fault is a failure of `normalize` as well.
pub async fn accept(subject: &mut Subject, from: &str, given: &Map<String, Value>) -> Result<Example> {
    let parted = subject.schema.part(given.clone(), &BTreeSet::new())?;
    let settings = subject.normalize(&Value::Object(parted.plain)).await?;
    subject.verdicts.reach(Id::Normalize);
    let secrets: BTreeSet<String> = subject.schema.secret_names().map(str::to_owned).collect();
    if let Some(object) = settings.as_object() {
        let kept = secrets.iter().map(String::as_str).collect();
        if let Err(error) = subject.schema.part(object.clone(), &kept) {
            subject.verdicts.fail(Id::Normalize, format!("{from}: the schema refuses what normalize returned: {}", fields(&error)));
            return Err(Error::plugin_fault("plugin_settings_invalid", "normalize returned settings that the schema refuses"));
        }
    }
    let grant = grant(subject, &settings, parted.secrets.keys().cloned().collect())?;
    Ok(Example { from: from.to_owned(), text: settings.to_string(), settings, grant: Arc::new(grant), sources: Vec::new() })
}

/// What is wrong, field by field. Never a value.
pub fn fields(error: &Error) -> String {
    match error.field_errors() {
        [] => error.to_string(),
        fields => fields.iter().map(|field| format!("{}: {}", field.pointer, field.message)).collect::<Vec<_>>().join("; "),
    }
}

/// Settings given by hand and in golden files, then made-up ones: what is required, and as much as is accepted.
pub async fn all(subject: &mut Subject, given: &[Map<String, Value>], golden: &[Case]) -> Vec<Example> {
    let mut examples = Vec::new();
    for settings in given {
        match accept(subject, "--settings", settings).await {
            Ok(example) => examples.push(example),
            Err(error) => subject.verdicts.fail(Id::Settings, format!("the settings of --settings are refused: {}", fields(&error))),
        }
    }
    for case in golden {
        // That it is refused is told where it is replayed.
        if let Ok(example) = accept(subject, &case.name, &case.settings).await {
            examples.push(Example { sources: case.sources.clone(), ..example });
        }
    }
    let mut made = made_up(subject).await;
    if let (Some(example), false) = (examples.first(), made.is_empty()) {
        // Paths that somebody wrote may say what cannot be guessed.
        let sources = example.sources.clone();
        made.iter_mut().for_each(|made| made.sources.clone_from(&sources));
    }
    examples.truncate(EXAMPLES.saturating_sub(made.len()));
    made.extend(examples);
    subject.verdicts.reach(Id::Settings);
    match made.as_slice() {
        [] => subject.verdicts.fail(Id::Settings, "no settings were accepted, and no other could be made up"),
        some => {
            let told = some.iter().map(|example| example.from.as_str()).collect::<Vec<_>>().join(", ");
            subject.verdicts.note(Id::Settings, told);
        }
    }
    made
}

async fn made_up(subject: &mut Subject) -> Vec<Example> {
    let description = subject.description();
    let schema = Schema::new(&description.settings);
    let (properties, required) = (schema.properties(), schema.required());
    let values: Map<String, Value> = properties.iter().filter_map(|(name, property)| Some(((*name).to_owned(), schema.value(name, property)?))).collect();
    if let Some(missing) = required.iter().find(|name| !values.contains_key(**name)) {
        subject.verdicts.note(Id::Settings, format!("no value could be made up for '{missing}': give an `examples` in its schema"));
        return Vec::new();
    }
    let only_required: Map<String, Value> = values.clone().into_iter().filter(|(name, _)| required.contains(&name.as_str())).collect();
    let mut examples = Vec::new();
    let mut refused = Vec::new();
    let mut base = None;
    for (from, settings) in [("made up, what is required", &only_required), ("made up, everything", &values)] {
        match accept(subject, from, settings).await {
            Ok(example) => {
                base.get_or_insert_with(|| settings.clone());
                examples.push(example);
            }
            Err(error) => refused.push(format!("{from}: {}", fields(&error))),
        }
    }
    if examples.len() < 2
        && let Some(mut settings) = base
    {
        let optional: Vec<String> = values.keys().filter(|name| !settings.contains_key(*name)).cloned().collect();
        let mut grown = None;
        for name in optional {
            let mut more = settings.clone();
            more.extend(values.get(&name).map(|value| (name.clone(), value.clone())));
            if let Ok(example) = accept(subject, "made up, as much as is accepted", &more).await {
                (settings, grown) = (more, Some(example));
            }
        }
        examples.extend(grown);
    }
    if examples.is_empty() {
        refused.iter().for_each(|why| subject.verdicts.note(Id::Settings, why));
    }
    // The fullest first: it is the one that is looked at most.
    examples.reverse();
    examples
}

/// Whether a value of the settings, or a part of one, is this text.
pub fn holds(settings: &Value, text: &str) -> bool {
    match settings {
        Value::String(own) => own == text,
        Value::Array(list) => list.iter().any(|one| holds(one, text)),
        Value::Object(map) => map.values().any(|one| holds(one, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The plugin's answer when nothing can be planned with these settings, which may be meant: a role that is not there, a scope without objects.
pub fn is_plain_refusal(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::Denied)
}

pub fn role_of(credential: &Credential) -> Option<&str> {
    if let Credential::AwsAssumeRole(role) = credential { Some(role.role_arn.as_str()) } else { None }
}
