//! What the gateway expects of every connector, as one assertion: each plugin's tests call it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Host;
use crate::bindings::exports::portcullis::connector::connector::Guest;
use crate::export::Exported;
use crate::{Connector, Credential, Piece, Plan, Principal, describe};

/// Checks `describe`, that `normalize` has nothing left to do the second time, and that a plan for `sources` keeps their
/// number and names only credentials that it holds and secrets that the settings declare. `settings`: a valid example.
///
/// # Panics
/// When the connector breaks the contract; the message says how.
#[expect(clippy::panic, reason = "an assertion for tests")]
pub fn assert_contract<C: Connector>(settings: &str, sources: &[&str]) {
    if let Err(broken) = contract::<C>(settings, sources) {
        panic!("{} breaks the contract: {broken}", C::ID);
    }
}

fn contract<C: Connector>(settings: &str, sources: &[&str]) -> Result<(), String> {
    let schema = description::<C>()?;
    let normalize = |settings: &str| Exported::<C>::normalize(settings.to_owned()).map_err(|errors| format!("the example settings are refused: {errors:?}"));
    let settings = normalize(settings)?;
    ensure(normalize(&settings)? == settings, "normalize changes what it returned")?;
    ensure(Exported::<C>::normalize(r#"{"no such setting":1}"#.to_owned()).is_err(), "unknown settings are taken: add #[serde(deny_unknown_fields)]")?;
    let sources: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
    let plan = Exported::<C>::locate(settings.clone(), sources.clone()).map_err(|error| format!("the plan failed: {}", error.message))?;
    check_plan(&plan, sources.len(), &secrets(&schema))?;
    let principal = Principal {
        platform_name: "acme".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/gateway".to_owned(),
        organization: "org".to_owned(),
    };
    let steps = Exported::<C>::setup(settings.clone(), principal, "external-id".to_owned()).map_err(|error| format!("setup failed: {}", error.message))?;
    let json = steps.iter().flat_map(|step| &step.documents).filter(|document| document.language == "json");
    ensure(json.map(|document| serde_json::from_str::<Value>(&document.body)).all(|parsed| parsed.is_ok()), "a JSON document of setup is none")?;
    let (findings, _) = Host::default().run(|| Exported::<C>::check(settings, None));
    ensure(!findings.is_empty(), "a check finds nothing at all")?;
    ensure(findings.iter().all(|finding| is_name(&finding.code) || finding.code == "ok"), "a finding's code is not [a-z][a-z0-9_]{2,63}")
}

fn ensure(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.to_owned()) }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=64).contains(&text.len()) && text.bytes().all(fits) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// The settings' schema out of a sound description.
fn description<C: Connector>() -> Result<Value, String> {
    let mut described: Value = serde_json::from_str(&describe::<C>()).map_err(|error| format!("describe is no JSON: {error}"))?;
    ensure(is_name(C::ID), "the id is not [a-z][a-z0-9_]{2,63}")?;
    let schema = described.get_mut("settings").map(Value::take).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object).ok_or("the settings are no object")?;
    for (name, property) in properties {
        ensure(property.get("title").is_some() && property.get("description").is_some(), &format!("setting {name} has no title or no description"))?;
    }
    for template in C::EGRESS {
        for placeholder in template.split("{settings.").skip(1) {
            let name = placeholder.split(['}', '|']).next().unwrap_or_default();
            ensure(properties.contains_key(name), &format!("the egress names setting {name}, which is not there"))?;
        }
    }
    Ok(schema)
}

fn secrets(schema: &Value) -> BTreeSet<String> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter(|(_, property)| property.get("writeOnly") == Some(&Value::Bool(true))).map(|(name, _)| name.clone()).collect()
}

fn check_plan(plan: &Plan, sources: usize, secrets: &BTreeSet<String>) -> Result<(), String> {
    ensure(plan.locations.len() == sources, "a plan has not one location for each source")?;
    let in_range = |index: u32| plan.credentials.get(index as usize).is_some();
    ensure(plan.locations.iter().flatten().all(|location| in_range(location.credential)), "a location names a credential that is not in the plan")?;
    for credential in &plan.credentials {
        for name in secret_names(credential) {
            ensure(secrets.contains(name), &format!("a credential names secret {name}, which is no writeOnly setting"))?;
        }
    }
    Ok(())
}

fn secret_names(credential: &Credential) -> Vec<&str> {
    match credential {
        Credential::Anonymous | Credential::AwsGatewayRole | Credential::AwsAssumeRole(_) => Vec::new(),
        Credential::Basic(basic) => vec![&basic.password],
        Credential::Bearer(token) => vec![token],
        Credential::Headers(headers) => {
            let pieces = headers.iter().flat_map(|header| &header.pieces);
            pieces.filter_map(|piece| if let Piece::Secret(name) = piece { Some(name.as_str()) } else { None }).collect()
        }
        Credential::Oauth2ClientCredentials(oauth2) => vec![&oauth2.client_secret],
    }
}
