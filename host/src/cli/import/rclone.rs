//! An rclone.conf: remotes of S3 and of http(s), as connections. Keys of AWS stay behind: here a role lets the gateway in.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Found, Hints, PLACEHOLDER, Wanted, fitting};
use crate::cli::failure::{Failure, Result};

/// No `Debug`: options hold secrets.
pub(super) struct Remote {
    pub name: String,
    pub options: BTreeMap<String, String>,
}

impl Remote {
    fn get(&self, option: &str) -> Option<&str> {
        self.options.get(option).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
    fn is_true(&self, option: &str) -> bool {
        self.get(option).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
    fn wanted(&self, connector: &str, config: Value, secrets: &'static [&'static str], note: Option<String>) -> Found {
        let mut config = match config {
            Value::Object(config) => config,
            _ => Map::new(),
        };
        config.retain(|_, value| !value.is_null());
        let (from, name) = (self.name.clone(), fitting(&self.name));
        Ok(Box::new(Wanted { from, name, connector: connector.to_owned(), config, secrets, more: Map::new(), note }))
    }
    fn left(&self, why: impl Into<String>) -> Found {
        Err((self.name.clone(), why.into()))
    }
}

pub(super) fn read(text: &str, hints: &Hints<'_>) -> Result<Vec<Found>> {
    if text.lines().any(|line| line.trim() == "RCLONE_ENCRYPT_V0:") {
        return Err(Failure::usage("this rclone.conf is encrypted: import what `rclone config dump` writes"));
    }
    Ok(all(&parse(text)?, hints))
}

pub(super) fn all(remotes: &[Remote], hints: &Hints<'_>) -> Vec<Found> {
    remotes.iter().map(|remote| one(remote, remotes, hints)).collect()
}

fn parse(text: &str) -> Result<Vec<Remote>> {
    let mut remotes: Vec<Remote> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        // The line itself is not quoted: it may hold a secret.
        let wrong = |what: &str| Failure::usage(format!("line {number} is none of an rclone.conf: {what}"));
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or_else(|| wrong("a remote is named as [name]"))?.trim();
            if remotes.iter().any(|remote| remote.name == name) {
                return Err(wrong("the remote comes twice"));
            }
            remotes.push(Remote { name: name.to_owned(), options: BTreeMap::new() });
        } else {
            let (option, value) = line.split_once('=').ok_or_else(|| wrong("an option is name = value"))?;
            let remote = remotes.last_mut().ok_or_else(|| wrong("it stands before the first [remote]"))?;
            remote.options.insert(option.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(remotes)
}

fn one(remote: &Remote, all: &[Remote], hints: &Hints<'_>) -> Found {
    match remote.get("type") {
        Some("s3") => s3(remote, remote, None, hints),
        Some("http") => http(remote),
        Some("alias") => alias(remote, all, hints),
        Some("azureblob") => remote.left("remotes of Azure are not imported: create a connection of type azure_blob"),
        Some("google cloud storage") => remote.left("a service account's file is not taken: create an HMAC key, and a connection of type gcs_hmac"),
        Some("crypt") => remote.left("what it holds is encrypted by rclone: the gateway would serve it encrypted"),
        Some(kind) => remote.left(format!("there is no connector for rclone's type '{}'", kind.chars().take(40).collect::<String>().escape_default())),
        None => remote.left("it has no type"),
    }
}

/// `remote = other:bucket/folder` names the bucket that an S3 remote leaves open.
fn alias(remote: &Remote, all: &[Remote], hints: &Hints<'_>) -> Found {
    let Some((target, path)) = remote.get("remote").and_then(|target| target.split_once(':')) else { return remote.left("an alias of a local folder") };
    let Some(target) = all.iter().find(|other| other.name == target) else { return remote.left("its remote is not in this file") };
    if target.get("type") != Some("s3") {
        return remote.left("an alias is imported only of an S3 remote: create a connection of the other remote's type");
    }
    let (bucket, folder) = path.trim_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    match s3(remote, target, Some(bucket).filter(|bucket| !bucket.is_empty()), hints) {
        Ok(mut wanted) if !folder.is_empty() => {
            let more = format!("a connection is held to a bucket: its policies must hold the role to {folder}/");
            wanted.note = Some(wanted.note.map_or_else(|| more.clone(), |note| format!("{note}; {more}")));
            Ok(wanted)
        }
        outcome => outcome,
    }
}

/// `remote` gives the name; `options` are those of the S3 remote that it stands for.
fn s3(remote: &Remote, options: &Remote, bucket: Option<&str>, hints: &Hints<'_>) -> Found {
    let bucket = hints.bucket(&remote.name).or(bucket);
    let provider = options.get("provider").unwrap_or("AWS");
    if provider == "GCS" {
        let (Some(access_id), Some(secret)) = (options.get("access_key_id"), options.get("secret_access_key")) else {
            return remote.left("it holds no HMAC key, which the type gcs_hmac wants");
        };
        let Some(bucket) = bucket else { return remote.left(no_bucket(&remote.name)) };
        return remote.wanted("gcs_hmac", json!({"bucket_name": bucket, "access_id": access_id, "secret": secret}), &["secret"], None);
    }
    if provider != "AWS" || options.get("endpoint").is_some_and(|endpoint| !is_amazon(endpoint)) {
        let whose = if provider == "AWS" { "an endpoint of its own" } else { provider };
        return remote.left(format!("it is no bucket of Amazon's ({}): there is no connector for other S3 servers", whose.escape_default()));
    }
    let given = hints.role(&remote.name).or_else(|| options.get("role_arn"));
    let keys = options.get("access_key_id").is_some() || options.get("secret_access_key").is_some();
    let role = match given {
        Some(role) => role,
        None if hints.reserve => PLACEHOLDER,
        None => {
            let what = if keys {
                "static keys are not taken"
            } else if options.is_true("env_auth") {
                "it uses the credentials of the machine that it runs on, which stay there"
            } else {
                "it reads without credentials: for a public bucket use the type https_public. Otherwise"
            };
            return remote.left(format!(
                "{what}: use the type aws_iam_role with a role in the account that owns the bucket (--role {0}=ARN, or --reserve to see its \
                 external id first), or let the gateway in by a bucket policy (type aws_bucket_policy, always there)",
                remote.name
            ));
        }
    };
    let Some(bucket) = bucket else { return remote.left(no_bucket(&remote.name)) };
    let ttl = options.get("role_session_duration").and_then(seconds).map(|seconds| seconds.clamp(60, 3600));
    let mut notes = Vec::new();
    if keys {
        notes.push("its keys stay behind");
    }
    if options.get("role_external_id").is_some() {
        notes.push("its external id is made anew: the role's trust policy must name the new one");
    }
    if role == PLACEHOLDER {
        notes.push("reserved: `portcullis connection setup` shows what to do");
    }
    let config = json!({"iam_role_arn": role, "bucket_name": bucket, "region": options.get("region"), "session_ttl": ttl});
    remote.wanted("aws_iam_role", config, &[], (!notes.is_empty()).then(|| notes.join("; ")))
}

fn no_bucket(remote: &str) -> String {
    format!("it names no bucket, and a connection is held to one: --bucket {remote}=BUCKET")
}

fn is_amazon(endpoint: &str) -> bool {
    let host = endpoint.trim_start_matches("https://").trim_end_matches('/');
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// As rclone writes durations: `1h0m0s`, `900`, `15m`.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut digits) = (0_u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if digits.is_empty() { Some(total) } else { total.checked_add(digits.parse().ok()?) }
}

fn http(remote: &Remote) -> Found {
    let Some(url) = remote.get("url").and_then(|url| Url::parse(url).ok()) else { return remote.left("its url cannot be read") };
    if url.scheme() != "https" {
        return remote.left("it is plain http: connections are https alone");
    }
    let Some(hostname) = url.host_str() else { return remote.left("its url has no host") };
    if url.query().is_some() || url.fragment().is_some() {
        return remote.left("its url has a query, which no connection keeps");
    }
    let path = url.path().trim_end_matches('/');
    let place = json!({"hostname": hostname, "port": url.port(), "path_prefix": (!path.is_empty()).then_some(path)});
    let with = |more: Value| {
        let mut config = place.clone();
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        config
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let headers = match remote.get("headers").map(headers) {
        None => Vec::new(),
        Some(Some(headers)) => headers,
        Some(None) => return remote.left("its headers cannot be read: rclone writes them as name,value"),
    };
    let user = (!url.username().is_empty()).then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
    let basic = |user: &str, password: &str| remote.wanted("https_basic", with(json!({"username": user, "password": password})), &["password"], None);
    match (user, headers.as_slice()) {
        (None, []) => remote.wanted("https_public", place, &[], None),
        (Some((Some(user), Some(password))), []) => basic(&user, &password),
        (Some(_), []) => remote.left("user and password of its url are not UTF-8"),
        (None, [(name, value)]) if name.eq_ignore_ascii_case("authorization") => match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                remote.wanted("https_bearer", with(json!({"bearer_token": token.trim()})), &["bearer_token"], None)
            }
            Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("basic") => {
                let pair = BASE64_STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                match pair.as_deref().and_then(|pair| pair.split_once(':')) {
                    Some((user, password)) => basic(user, password),
                    None => remote.left("its Authorization header is no user and password in base64"),
                }
            }
            _ => remote.wanted("https_header", with(json!({"header_name": "authorization", "api_key": value})), &["api_key"], None),
        },
        (None, [(name, _)]) if name.eq_ignore_ascii_case("cookie") => remote.left("it sends a cookie, which no connection does"),
        (None, [(name, value)]) => remote.wanted("https_header", with(json!({"header_name": name.to_ascii_lowercase(), "api_key": value})), &["api_key"], None),
        _ => remote.left("it sends more than one credential: a connection has one"),
    }
}

/// Names and values in turn, each maybe in double quotes: `"X-Api-Key","abc"`.
fn headers(text: &str) -> Option<Vec<(String, String)>> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let (part, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut left = quoted;
            loop {
                let (before, after) = left.split_once('"')?;
                part.push_str(before);
                // Two quotes are one.
                match after.strip_prefix('"') {
                    Some(after) => {
                        part.push('"');
                        left = after;
                    }
                    None => break (part, after),
                }
            }
        } else {
            let (part, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (part.trim().to_owned(), after)
        };
        parts.push(part);
        rest = match after.trim_start().strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.trim().is_empty() => "",
            None => return None,
        };
    }
    let pairs = parts.chunks_exact(2);
    if pairs.remainder().is_empty() { Some(pairs.filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone()))).collect()) } else { None }
}
