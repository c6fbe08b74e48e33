//! Settings as nobody should send them: each is refused with its field, or can be used. Never a trap.

use serde_json::{Map, Value, json};

use super::example::{Example, accept, fields, is_plain_refusal};
use super::made_up::Schema;
use super::report::Id;
use super::subject::Subject;
use crate::model::{Error, Kind};

/// Settings that are tried out one by one.
const PROPERTIES: usize = 16;
const UNKNOWN: &str = "kit_unknown_setting";

/// [E24, H03, V02, V08, V11]
const TEXTS: [&str; 24] = [
    "",
    " ",
    "..",
    "../..",
    "%2e%2e",
    "evil.example/#",
    "evil.example?",
    "x@evil.example",
    "evil.example:443",
    "https://evil.example/",
    "//evil.example",
    "[::1]",
    "169.254.169.254",
    "*",
    "{settings.hostname}",
    "a\r\nX-Evil: 1",
    "a\nb",
    "a\0b",
    "a\u{7f}b",
    "\u{202e}kit",
    "日本語",
    "'\"<script>",
    "arn:aws:iam::000000000000:root",
    "-",
];

/// Of a wrong type, whatever is meant.
fn wrong_types(schema: &Schema<'_>, property: &Value) -> Vec<Value> {
    let all =
        [Value::Null, json!(true), json!(1), json!(-1), json!(1.5), json!("1"), json!(u64::MAX), json!([]), json!(["x"]), json!({}), json!({"x": {"y": [1]}})];
    all.into_iter().filter(|value| !schema.accepts(property, value)).collect()
}

/// Of the right type, and odd.
fn odd_values(schema: &Schema<'_>, property: &Value) -> Vec<Value> {
    let length = |keyword: &str| property.get(keyword).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut found: Vec<Value> = TEXTS.iter().map(|text| json!(text)).collect();
    found.extend([json!(0), json!(-1), json!(65_536), json!(4_294_967_296_u64), json!(i64::MIN), json!(1e3)]);
    found.extend([json!("x".repeat(8193)), json!("é".repeat(4096)), json!("a".repeat(254)), json!("a.".repeat(126))]);
    for length in [length("maxLength"), length("minLength")].into_iter().flatten().filter(|length| *length <= 8192) {
        // Lengths are counted in characters, limits elsewhere in bytes.
        found.extend(["x", "é", "🧪", "/", "."].map(|letter| json!(letter.repeat(length))));
    }
    found.retain(|value| schema.accepts(property, value));
    found
}

/// `given`: settings that were accepted.
pub async fn settings(subject: &mut Subject, example: &Example) {
    let description = subject.description();
    let schema = Schema::new(&description.settings);
    let Some(plain) = example.settings.as_object().cloned() else { return };
    subject.verdicts.reach(Id::HostileSettings);
    let known = Known { names: schema.properties().iter().map(|(name, _)| (*name).to_owned()).collect() };

    let mut unknown = plain.clone();
    unknown.insert(UNKNOWN.to_owned(), json!(1));
    refused(subject, &known, &format!("the unknown setting '{UNKNOWN}'"), &Value::Object(unknown), Some(UNKNOWN)).await;
    for whole in [json!([]), json!("x"), json!(null), json!(7)] {
        refused(subject, &known, &format!("settings that are {whole}"), &whole, None).await;
    }
    let deep = (0..64).fold(json!({}), |inner, _| json!({ "a": inner }));
    refused(subject, &known, "settings 64 levels deep", &deep, Some("a")).await;
    for (name, property) in schema.properties().into_iter().filter(|(_, property)| !Schema::is_secret(property)).take(PROPERTIES) {
        if schema.required().contains(&name) {
            let mut without = plain.clone();
            without.remove(name);
            refused(subject, &known, &format!("settings without '{name}'"), &Value::Object(without), Some(name)).await;
        }
        // `null` for what may be left out says the same as leaving it out.
        let required = schema.required().contains(&name);
        for value in wrong_types(&schema, property).into_iter().filter(|value| required || !value.is_null()) {
            let what = format!("'{name}' as {value}");
            refused(subject, &known, &what, &with(&plain, name, value), Some(name)).await;
        }
        for value in odd_values(&schema, property) {
            usable(subject, &known, &plain, example, name, value).await;
        }
    }
}

fn with(plain: &Map<String, Value>, name: &str, value: Value) -> Value {
    let mut settings = plain.clone();
    settings.insert(name.to_owned(), value);
    Value::Object(settings)
}

struct Known {
    names: Vec<String>,
}

impl Known {
    /// Every pointer leads to a setting; at least one to this setting, or to the whole where there is none to point at.
    fn judge(&self, error: &Error, about: Option<&str>) -> Result<(), String> {
        let first = |pointer: &str| pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default().replace("~1", "/").replace("~0", "~");
        if error.field_errors().is_empty() {
            return Err(format!("the error {error}, which names no setting"));
        }
        for field in error.field_errors() {
            let name = first(&field.pointer);
            if !field.pointer.is_empty() && Some(name.as_str()) != about && !self.names.contains(&name) {
                return Err(format!("a pointer to {}, which is no setting", field.pointer));
            }
            if field.message.trim().is_empty() {
                return Err(format!("no words about {}", field.pointer));
            }
        }
        Ok(())
    }
}

/// What the schema refuses never comes to the plugin. It has to refuse it nevertheless: it believes nobody.
async fn refused(subject: &mut Subject, known: &Known, what: &str, settings: &Value, about: Option<&str>) {
    match subject.normalize(settings).await {
        Ok(_) => subject.verdicts.fail(Id::HostileSettings, format!("{what} is accepted by normalize")),
        Err(error) => judged(subject, known, what, &error, about),
    }
}

fn judged(subject: &mut Subject, known: &Known, what: &str, error: &Error, about: Option<&str>) {
    if let Err(why) = known.judge(error, about) {
        subject.verdicts.fail(Id::HostileSettings, format!("{what} is answered with {why}"));
    }
}

/// What the schema accepts is refused with its field, by the plugin or by the egress; or it can be planned with.
async fn usable(subject: &mut Subject, known: &Known, plain: &Map<String, Value>, example: &Example, name: &str, value: Value) {
    let what = format!("'{name}' as {}", value.to_string().chars().take(60).collect::<String>());
    let mut given = plain.clone();
    given.insert(name.to_owned(), value);
    // Secrets that the settings had: their values are nobody's to see.
    for secret in example.secrets() {
        if let Some(made) = made(subject, secret) {
            given.insert(secret.to_owned(), made);
        }
    }
    let odd = match accept(subject, &what, &given).await {
        Ok(odd) => odd,
        Err(error) if error.kind() == Kind::Invalid => return judged(subject, known, &what, &error, Some(name)),
        Err(error) => return subject.verdicts.fail(Id::HostileSettings, format!("{what}: {}", fields(&error))),
    };
    let sources: Vec<&str> = example.sources.iter().map(String::as_str).chain(["kit/a.jpg", "s3://customer-media/kit/a.jpg"]).take(8).collect();
    match subject.locate(&odd.text, &sources).await {
        Ok(_) => {}
        Err(error) if is_plain_refusal(&error) => {}
        Err(error) => subject.verdicts.fail(Id::HostileSettings, format!("{what} is accepted, and nothing can be planned with it: {error}")),
    }
}

fn made(subject: &Subject, secret: &str) -> Option<Value> {
    let description = subject.description();
    let schema = Schema::new(&description.settings);
    let property = description.settings.get("properties")?.get(secret)?;
    schema.value(secret, property)
}
