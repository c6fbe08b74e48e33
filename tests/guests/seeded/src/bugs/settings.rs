//! Bugs in how settings are normalized.

use portcullis_plugin::FieldError;
use serde_json::{Map, Value, json};

type Normalize = fn(String) -> Result<String, Vec<FieldError>>;

pub fn normalize(bug: &str, settings: String, good: Normalize) -> Result<String, Vec<FieldError>> {
    match bug {
        "web:normalize_grows" => good(settings).map(|normal| {
            changed(&normal, |object| {
                let folder = object.get("path_prefix").and_then(Value::as_str).unwrap_or_default().to_owned();
                object.insert("path_prefix".to_owned(), json!(format!("{folder}/a").trim_start_matches('/')));
            })
        }),
        "web:normalize_adds" => good(settings).map(|normal| {
            changed(&normal, |object| {
                object.insert("scheme".to_owned(), json!("https"));
            })
        }),
        "web:takes_unknown" => {
            const KNOWN: [&str; 5] = ["hostname", "port", "path_prefix", "username", "password"];
            good(changed(&settings, |object| object.retain(|name, _| KNOWN.contains(&name.as_str()))))
        }
        "web:takes_types" => good(changed(&settings, |object| {
            if let Some(username) = object.get_mut("username").filter(|username| !username.is_string()) {
                *username = json!(username.to_string().replace(':', ""));
            }
        })),
        "web:pointer_astray" => good(settings).map_err(|wrong| wrong.into_iter().map(|field| FieldError { pointer: "/nowhere".to_owned(), ..field }).collect()),
        "web:pointer_broken" => good(settings).map_err(|wrong| wrong.into_iter().map(|field| FieldError { pointer: "hostname".to_owned(), ..field }).collect()),
        "web:settings_trap" => {
            good(settings).or_else(|wrong| if wrong.iter().any(|field| field.pointer == "/port") { std::process::abort() } else { Err(wrong) })
        }
        "web:refuses_all" => Err(vec![FieldError::new("/hostname", "no")]),
        _ => good(settings),
    }
}

fn changed(settings: &str, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut read: Value = serde_json::from_str(settings).unwrap_or_default();
    if let Some(object) = read.as_object_mut() {
        change(object);
    }
    read.to_string()
}
