//! Golden plans: settings and source paths, and what is planned for them. One file, one case; messages are not part of it.

use serde_json::{Map, Value, json};

use super::example::{accept, fields};
use super::report::Id;
use super::subject::{Subject, kind};
use crate::model::{Error, Plan, Result};

/// A golden file, read.
#[derive(Clone, Debug)]
pub struct Case {
    /// Of the file.
    pub name: String,
    pub settings: Map<String, Value>,
    pub sources: Vec<String>,
    /// `None`: nobody has written it yet.
    pub plan: Option<Value>,
}

impl Case {
    /// `Invalid` (`invalid_golden`).
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |why: String| Error::invalid("invalid_golden", format!("{name}: {why}")).with_remedy("plugins/README.md says what a golden file holds");
        let read: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(mut read) = read else { return Err(wrong("it is no JSON object".to_owned())) };
        let (settings, sources, plan) = (read.remove("settings"), read.remove("sources"), read.remove("plan"));
        if let Some(unknown) = read.keys().next() {
            return Err(wrong(format!("it has settings, sources and plan, and no '{unknown}'")));
        }
        let Some(Value::Object(settings)) = settings else { return Err(wrong("its settings are no object".to_owned())) };
        let sources: Vec<String> = sources.and_then(|sources| serde_json::from_value(sources).ok()).unwrap_or_default();
        if sources.is_empty() || sources.len() > 1000 {
            return Err(wrong("its sources are not 1 to 1000 source paths".to_owned()));
        }
        Ok(Self { name: name.to_owned(), settings, sources, plan })
    }

    /// As it is written to its file.
    #[must_use]
    pub fn text(&self) -> String {
        let part = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default().replace('\n', "\n  ");
        let mut text = format!("{{\n  \"settings\": {},\n  \"sources\": {}", part(&Value::Object(self.settings.clone())), part(&json!(self.sources)));
        if let Some(plan) = &self.plan {
            text += &format!(",\n  \"plan\": {}", part(plan));
        }
        text + "\n}\n"
    }
}

/// A plan as golden files have it.
pub fn shown(plan: &Plan) -> Value {
    let location = |location: &Result<crate::model::Location, Error>| match location {
        Ok(location) => json!(location),
        Err(error) => json!({"error": {"kind": kind(error.kind()), "code": error.code()}}),
    };
    json!({ "credentials": plan.credentials, "locations": plan.locations.iter().map(location).collect::<Vec<_>>() })
}

/// What is planned for the case now.
async fn planned(subject: &mut Subject, case: &Case) -> Result<Value> {
    let example = accept(subject, &case.name, &case.settings).await?;
    let sources: Vec<&str> = case.sources.iter().map(String::as_str).collect();
    subject.locate(&example.text, &sources).await.map(|plan| shown(&plan))
}

pub async fn replay(subject: &mut Subject, cases: &[Case]) {
    if cases.is_empty() {
        subject.verdicts.note(Id::Golden, "no golden files were given");
    }
    for case in cases {
        match (planned(subject, case).await, &case.plan) {
            (Err(error), _) => subject.verdicts.fail(Id::Golden, format!("{}: {}", case.name, fields(&error))),
            (Ok(_), None) => subject.verdicts.fail(Id::Golden, format!("{}: it has no plan yet: run once with --bless, and read what it wrote", case.name)),
            (Ok(now), Some(meant)) => match difference(meant, &now, String::new()) {
                Some(difference) => subject.verdicts.fail(Id::Golden, format!("{}: {difference}", case.name)),
                None => subject.verdicts.note(Id::Golden, format!("{}: {} source paths", case.name, case.sources.len())),
            },
        }
    }
}

/// Cases with the plans of now. `Err`: a case's settings are refused, or nothing is planned.
pub async fn blessed(subject: &mut Subject, cases: &[Case]) -> Result<Vec<Case>> {
    let mut blessed = Vec::new();
    for case in cases {
        let plan = planned(subject, case).await.map_err(|error| Error::invalid("invalid_golden", format!("{}: {}", case.name, fields(&error))))?;
        blessed.push(Case { plan: Some(plan), ..case.clone() });
    }
    Ok(blessed)
}

/// The first place where two documents differ.
fn difference(meant: &Value, now: &Value, at: String) -> Option<String> {
    match (meant, now) {
        (Value::Object(meant), Value::Object(now)) => {
            let keys = meant.keys().chain(now.keys().filter(|key| !meant.contains_key(*key)));
            keys.into_iter().find_map(|key| difference(meant.get(key).unwrap_or(&Value::Null), now.get(key).unwrap_or(&Value::Null), format!("{at}/{key}")))
        }
        (Value::Array(meant), Value::Array(now)) if meant.len() == now.len() => {
            meant.iter().zip(now).enumerate().find_map(|(index, (meant, now))| difference(meant, now, format!("{at}/{index}")))
        }
        (meant, now) if meant == now => None,
        (meant, now) => Some(format!("at {at}: {meant} in the file, {now} now")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b09_a_golden_file_is_read_strictly_and_written_as_it_was() {
        for (text, why) in [
            ("[]", "no JSON object"),
            ("{", "EOF"),
            (r#"{"settings": 1, "sources": ["a"]}"#, "settings are no object"),
            (r#"{"settings": {}, "sources": []}"#, "1 to 1000"),
            (r#"{"settings": {}, "sources": [1]}"#, "1 to 1000"),
            (r#"{"settings": {}, "sources": ["a"], "plans": {}}"#, "no 'plans'"),
        ] {
            let error = Case::parse("x.json", text).expect_err(text);
            assert!(error.code() == "invalid_golden" && error.message().contains(why), "{text}: {error}");
        }
        let text = "{\n  \"settings\": {\n    \"a\": 1\n  },\n  \"sources\": [\n    \"b\"\n  ],\n  \"plan\": {\n    \"c\": null\n  }\n}\n";
        assert_eq!(Case::parse("x.json", text).expect("a case").text(), text);
    }

    #[test]
    fn b09_the_first_difference_is_named_by_its_place() {
        let meant = json!({"locations": [{"credential": 0}, {"error": {"code": "a"}}]});
        for (now, told) in [
            (meant.clone(), None),
            (json!({"locations": [{"credential": 0}, {"error": {"code": "b"}}]}), Some("at /locations/1/error/code: \"a\" in the file, \"b\" now")),
            (json!({"locations": [{"credential": 0}]}), Some("at /locations: ")),
            (json!({"locations": meant["locations"], "more": 1}), Some("at /more: null in the file, 1 now")),
        ] {
            let found = difference(&meant, &now, String::new());
            assert!(found.is_some() == told.is_some() && told.is_none_or(|told| found.as_deref().unwrap_or_default().starts_with(told)), "{found:?}");
        }
    }
}
