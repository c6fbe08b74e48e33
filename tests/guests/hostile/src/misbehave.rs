//! The rules that it can break. Each is one row of SECURITY P; the test that runs it has the row's id.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_plugin::https::Origin;
use portcullis_plugin::log::{self, Level};
use portcullis_plugin::{
    AssumeRoleCredential, Credential, Entry, Error, Finding, HttpObject, Location, Oauth2Credential, Page, Plan, S3Object, Target, aws, http,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Settings, elsewhere};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// P01: never comes back.
    Loop,
    /// P03: takes memory until there is none.
    Grow,
    /// P05: recurses until the stack ends.
    Recurse,
    /// P07: traps.
    Trap,
    /// P06: answers with 8 MiB.
    HugeOutput,
    /// P08: counts calls in a global and tells in the path how many there were.
    Counter,
    /// P09: a million lines.
    LogFlood,
    /// P09: one line of 1 MiB with escapes, line breaks and something that looks like a log line.
    LogForgery,
    /// P09: asks the host a thousand times; tells where it was stopped, and how.
    HostCallFlood,
    /// P10: the plan's targets are the source paths as they are: `https://…` or `s3://bucket/key`.
    Parrot,
    /// P10: asks the host, not the plan, for a place outside its egress.
    CallElsewhere,
    /// P11: names a credential that is not in the plan.
    WrongCredential,
    /// P11: answers one source path twice.
    WrongCount,
    /// P11: names a secret that it never declared.
    UnknownSecret,
    /// P12: logs and returns all it can see.
    Reveal,
    /// P13: the plan's headers are the source paths, as `name: value`.
    Headers,
    /// B3: would have the host send the secret to a token endpoint elsewhere.
    TokenElsewhere,
    /// M05: assumes a role that is nobody's here.
    OtherRole,
    /// Uses a capability of `check` while it plans.
    CallWhilePlanning,
    /// O16: a listing that has always one page more.
    EndlessList,
}

static CALLS: AtomicU32 = AtomicU32::new(0);

/// What can be done in any export.
pub fn run(mode: Option<Mode>) {
    match mode {
        Some(Mode::Loop) => while black_box(true) {},
        Some(Mode::Grow) => loop {
            black_box(Vec::leak(vec![1_u8; 1 << 20]));
        },
        Some(Mode::Recurse) => {
            black_box(recurse(0));
        }
        Some(Mode::Trap) => std::process::abort(),
        Some(Mode::LogFlood) => (0..1_000_000).for_each(|number| log::write(Level::Info, &format!("line {number} {}", "x".repeat(1000)))),
        Some(Mode::LogForgery) => log::write(Level::Error, &format!("\u{1b}[2J\n{{\"level\":\"INFO\",\"message\":\"forged\"}}\r\n{}", "x".repeat(1 << 20))),
        Some(Mode::Counter) => {
            CALLS.fetch_add(1, Ordering::Relaxed);
        }
        _ => {}
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if black_box(true) { recurse(depth + 1) + frame.iter().sum::<u64>() } else { 0 }
}

fn huge() -> String {
    "x".repeat(8 << 20)
}

pub fn plan(mode: Option<Mode>, origin: &Origin<'_>, sources: &[String], honest: Plan) -> Result<Plan, Error> {
    let with = |credential: Credential| Plan { credentials: vec![credential], ..honest.clone() };
    let targets = |target: &dyn Fn(&str) -> Target| Plan::shared(Credential::bearer("token"), sources, |source| Ok(target(source)));
    Ok(match mode {
        Some(Mode::HugeOutput) => Plan { locations: vec![Err(Error::invalid("huge", huge()))], ..honest },
        Some(Mode::Counter) => {
            let count = CALLS.load(Ordering::Relaxed);
            Plan::shared(Credential::bearer("token"), sources, |_| origin.locate(&format!("/calls/{count}")).map(Target::Http))
        }
        Some(Mode::Parrot) => targets(&parroted),
        Some(Mode::Headers) => targets(&|source| {
            let (name, value) = source.split_once(": ").unwrap_or((source, ""));
            Target::Http(HttpObject { headers: vec![(name.to_owned(), value.to_owned())], ..origin.root() })
        }),
        Some(Mode::WrongCredential) => {
            let locations = honest.locations.into_iter().map(|location| location.map(|location| Location { credential: 7, ..location })).collect();
            Plan { locations, ..honest }
        }
        Some(Mode::WrongCount) => Plan { locations: [honest.locations.clone(), honest.locations].concat(), ..honest },
        Some(Mode::UnknownSecret) => with(Credential::bearer("somebody_elses")),
        Some(Mode::TokenElsewhere) => with(Credential::Oauth2ClientCredentials(Oauth2Credential {
            token_url: elsewhere().url,
            client_id: "id".to_owned(),
            client_secret: "token".to_owned(),
            scope: None,
            audience: None,
        })),
        Some(Mode::OtherRole) => with(other_role()),
        Some(Mode::CallWhilePlanning) => return http::head(&Credential::bearer("token"), &origin.root()).map(|_| honest),
        Some(Mode::Reveal) => {
            log::write(Level::Info, &format!("sources {sources:?}, plan {honest:?}"));
            honest
        }
        _ => honest,
    })
}

fn parroted(source: &str) -> Target {
    match source.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
        Some((bucket, key)) => Target::S3(S3Object { bucket: bucket.to_owned(), key: key.to_owned(), region: None, version_id: None }),
        None => Target::Http(HttpObject::new(source)),
    }
}

fn other_role() -> Credential {
    Credential::AwsAssumeRole(AssumeRoleCredential {
        role_arn: "arn:aws:iam::999999999999:role/somebody-elses".to_owned(),
        duration_seconds: 3600,
        region: None,
    })
}

/// A finding that tells what the host answered, by its code.
pub fn finding(mode: Option<Mode>, settings: &Settings) -> Finding {
    let token = Credential::bearer("token");
    let told = |result: Result<String, Error>| match result {
        Ok(message) => Finding::ok("hostile", message),
        Err(error) => Finding::failed("hostile", &error),
    };
    match mode {
        Some(Mode::HugeOutput) => Finding::ok("hostile", huge()),
        Some(Mode::HostCallFlood) => {
            let stopped = (0..1000).find_map(|number| http::head(&token, &settings.origin().root()).err().map(|error| (number, error)));
            told(
                stopped
                    .map_or(Ok("nobody stopped it".to_owned()), |(number, error)| Err(Error { message: format!("call {number}: {}", error.message), ..error })),
            )
        }
        Some(Mode::CallElsewhere) => told(http::head(&token, &elsewhere()).map(|answer| format!("{answer:?}"))),
        Some(Mode::OtherRole) => told(aws::caller_identity(&other_role()).map(|identity| identity.arn)),
        Some(Mode::Reveal) => {
            let seen = format!("{settings:?} {:?}", http::get_document(&token, &settings.origin().root()));
            log::write(Level::Info, &seen);
            Finding::ok("hostile", seen)
        }
        _ => told(http::head(&token, &settings.origin().root()).map(|answer| format!("status {}", answer.status))),
    }
}

pub fn page(mode: Option<Mode>, cursor: Option<&str>) -> Result<Page, Error> {
    let number: u64 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
    let entry = |path: String| Entry { path, size: Some(1), etag: None, last_modified: None };
    Ok(match mode {
        Some(Mode::HugeOutput) => Page { entries: vec![entry(huge())], prefixes: Vec::new(), next: None },
        Some(Mode::EndlessList) => Page { entries: vec![entry(format!("/{number}"))], prefixes: Vec::new(), next: Some((number + 1).to_string()) },
        _ => Page { entries: vec![entry("/a".to_owned())], prefixes: Vec::new(), next: None },
    })
}
