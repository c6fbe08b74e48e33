//! Bugs in what is planned.

use std::hint::black_box;

use portcullis_plugin::{Credential, Error, ErrorKind, Location, Plan, Target};
use serde_json::Value;

type Locate = fn(String, Vec<String>) -> Result<Plan, Error>;

pub fn locate(bug: &str, settings: &str, sources: Vec<String>, good: Locate) -> Result<Plan, Error> {
    match bug {
        "web:traps_on_nul" if sources.iter().any(|source| source.contains('\0')) => std::process::abort(),
        "web:loops" => while black_box(true) {},
        "web:floods_log" => (0..40).for_each(|_| portcullis_plugin::log::write(portcullis_plugin::log::Level::Info, &"x".repeat(1000))),
        "web:memory" => drop(black_box(vec![1_u8; 56 << 20])),
        _ => {}
    }
    let rewritten: Vec<String> = sources.iter().map(|source| source_instead(bug, settings, source)).collect();
    let mut plan = good(settings.to_owned(), rewritten)?;
    match bug {
        "web:reversed" => plan.locations.reverse(),
        "web:short" => drop(plan.locations.pop()),
        "web:batch_aborts" => {
            if let Some(error) = plan.locations.iter().find_map(|location| location.clone().err()) {
                return Err(error);
            }
        }
        "web:bad_infects" => {
            let first = plan.locations.iter().position(Result::is_err).unwrap_or(plan.locations.len());
            plan.locations.iter_mut().skip(first).for_each(|location| *location = Err(Error::invalid("broken_url", "one was broken")));
        }
        "web:credential_place" => other_credential(&mut plan, |index, _| index >= 500),
        "web:credential_path" => other_credential(&mut plan, |_, url| url.ends_with(".csv")),
        "web:anonymous" => plan.credentials = vec![Credential::Anonymous],
        "web:wrong_secret" => plan.credentials = vec![Credential::basic("reader", "passwort")],
        "web:spare_credential" => plan.credentials.push(Credential::bearer("password")),
        "web:no_such_index" => plan.locations.iter_mut().flatten().for_each(|location| location.credential = 7),
        "aws:other_role" => plan.credentials.iter_mut().for_each(|credential| {
            if let Credential::AwsAssumeRole(role) = credential {
                role.role_arn = "arn:aws:iam::999999999999:role/somebody-elses".to_owned();
            }
        }),
        _ => {}
    }
    let before: Vec<String> = sources.clone();
    for (index, (location, source)) in plan.locations.iter_mut().zip(&sources).enumerate() {
        let again = before.iter().take(index).any(|earlier| earlier == source);
        change(bug, location, source, index, again);
    }
    Ok(plan)
}

/// Another source path than the customer wrote.
fn source_instead(bug: &str, settings: &str, source: &str) -> String {
    let own = || {
        let settings: Value = serde_json::from_str(settings).unwrap_or_default();
        let host = settings.get("hostname").and_then(Value::as_str).unwrap_or_default().to_owned();
        settings.get("port").map_or(host.clone(), |port| format!("{host}:{port}"))
    };
    match bug {
        "web:takes_http" => source.replacen("http://", "https://", 1),
        "web:ignores_host" => match source.strip_prefix("https://").and_then(|rest| rest.split_once('/')) {
            Some((_, path)) => format!("https://{}/{path}", own()),
            None => source.to_owned(),
        },
        "web:drops_user" => match source.strip_prefix("https://").and_then(|rest| rest.split_once('@')) {
            Some((user, rest)) if !user.contains('/') => format!("https://{rest}"),
            _ => source.to_owned(),
        },
        "aws:plus_is_space" if source.starts_with("https://") => source.replace('+', "%20"),
        "aws:no_dualstack" => source.replace(".dualstack.", ".dual-stack."),
        "aws:misreads_host" => source.replace(".amazonaws.com.evil.example", ".amazonaws.com").replace("evilamazonaws.com", "amazonaws.com"),
        "aws:drops_query" if source.starts_with("https://") => source.split('?').next().unwrap_or_default().to_owned(),
        "aws:trims_key" => source.trim_end().replace("%20x%20", "x"),
        "aws:single_slashes" => match source.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.replace("//", "/")),
            None => source.to_owned(),
        },
        "aws:decodes_uri" if source.starts_with("s3://") => source.replace("%2F", "/"),
        _ => source.to_owned(),
    }
}

fn other_credential(plan: &mut Plan, which: impl Fn(usize, &str) -> bool) {
    plan.credentials.push(Credential::Anonymous);
    for (index, location) in plan.locations.iter_mut().enumerate() {
        if let Ok(Location { target: Target::Http(object), credential }) = location
            && which(index, &object.url)
        {
            *credential = 1;
        }
    }
    let used = plan.locations.iter().flatten().any(|location| location.credential == 1);
    if !used {
        plan.credentials.pop();
    }
}

fn change(bug: &str, location: &mut Result<Location, Error>, source: &str, index: usize, again: bool) {
    match location {
        Ok(Location { target: Target::Http(object), .. }) => match bug {
            "web:stops_early" if index >= 100 => *location = Err(Error::new(ErrorKind::LimitExceeded, "too_many", "a hundred are enough")),
            "web:deduplicates" if again => *location = Err(Error::invalid("broken_url", "this was there already")),
            "web:index_in_path" => object.url += &format!("?n={index}"),
            "web:elsewhere" => object.url = object.url.replacen("https://", "https://cdn.evil.example/", 1),
            "web:plain_http" => object.url = object.url.replacen("https://", "http://", 1),
            "web:drops_port" => object.url = object.url.replacen(":8443", "", 1),
            "web:decodes" => object.url = object.url.replace("%2B", "+"),
            "web:lower_case" => object.url = object.url.to_ascii_lowercase(),
            "web:extra_header" => object.headers.push(("host".to_owned(), "internal.example".to_owned())),
            "web:golden_drift" if source.contains("golden") => object.url += "?v=2",
            _ => {}
        },
        Ok(_) => {}
        Err(error) => match bug {
            "web:keeps_dots" if source.contains("..") && !source.contains(' ') => {
                let target = Target::Http(portcullis_plugin::HttpObject::new(format!("https://assets.example.com/{}", source.trim_start_matches('/'))));
                *location = Ok(Location { target, credential: 0 });
            }
            "web:wrong_kind" if error.code == "scope_violation" => error.kind = ErrorKind::Invalid,
            "web:unavailable" => error.kind = ErrorKind::Unavailable,
            "web:defect" => (error.kind, error.code) = (ErrorKind::Internal, "oops".to_owned() + "_oops"),
            "web:bad_code" => error.code = "Bad Code".to_owned(),
            "web:no_message" => error.message.clear(),
            "web:tells_signature" => error.message = format!("cannot read {source}"),
            "web:huge" => error.message = "x".repeat(3 << 20),
            _ => {}
        },
    }
}
