//! The grammar of egress templates, and what one becomes with the settings of a connection.
//!
//! ```text
//! s3://*                                    any bucket (bucket policies decide)
//! s3://{settings.bucket_name}               one bucket; no rule while the setting is absent
//! s3://{settings.bucket_name|*}             one bucket, or any while the setting is absent
//! s3://{settings.bucket_name}/{settings.prefix}
//! https://{settings.hostname}:{settings.port}/{settings.path_prefix}
//! https://{settings.account}.blob.core.example/literal/path
//! ```
//! Nothing is concatenated unchecked: a value is one bucket, one hostname, one label, one port or a path of whole segments.
//! An absent port, path or key prefix drops its part; an absent host or bucket drops the rule.

use serde_json::Value;

use super::{AddressPolicy, EgressRule, host};
use crate::model::{BucketName, Error, FieldError, Result};

/// A template that is well formed. Its text is what an operator sees and grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    S3 { bucket: Bucket, prefix: Option<Part> },
    Web { plain_http: bool, host: Vec<Part>, port: Option<Part>, path: String, path_setting: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bucket {
    Any,
    Named(BucketName),
    Setting { name: String, or_any: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Setting(String),
}

impl Template {
    /// `PluginFault` (`invalid_egress_template`) with the reason.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).map(Self).map_err(|reason| {
            let shown: String = text.chars().take(128).flat_map(char::escape_default).collect();
            Error::plugin_fault("invalid_egress_template", format!("the egress template '{shown}' is not valid: {reason}"))
        })
    }

    /// The settings that it names: each must be a property of the settings schema, and no secret.
    #[must_use]
    pub fn settings(&self) -> Vec<&str> {
        let part = |part: &'_ Part| matches!(part, Part::Setting(_));
        let parts: Vec<&Part> = match &self.0 {
            Shape::S3 { prefix, .. } => prefix.iter().filter(|p| part(p)).collect(),
            Shape::Web { host, port, .. } => host.iter().chain(port).filter(|p| part(p)).collect(),
        };
        let mut names: Vec<&str> = parts.into_iter().filter_map(|part| if let Part::Setting(name) = part { Some(name.as_str()) } else { None }).collect();
        match &self.0 {
            Shape::S3 { bucket: Bucket::Setting { name, .. }, .. } | Shape::Web { path_setting: Some(name), .. } => names.push(name),
            Shape::S3 { .. } | Shape::Web { .. } => {}
        }
        names
    }

    /// `None`: with these settings it allows nothing.
    pub(super) fn expand(&self, settings: &Value, addresses: &AddressPolicy) -> Result<Option<EgressRule>, FieldError> {
        match &self.0 {
            Shape::S3 { bucket, prefix } => expand_s3(bucket, prefix.as_ref(), settings),
            Shape::Web { plain_http: true, .. } if !addresses.allow_http => Ok(None),
            Shape::Web { plain_http, host, port, path, path_setting } => {
                let Some(host) = expand_host(host, settings, addresses)? else { return Ok(None) };
                let port = match port {
                    Some(Part::Text(text)) => text.parse().ok(),
                    Some(Part::Setting(name)) => port_setting(settings, name)?,
                    None => None,
                };
                let port = port.unwrap_or(if *plain_http { 80 } else { 443 });
                let mut path_prefix = path.clone();
                if let Some(name) = path_setting
                    && let Some(value) = text_setting(settings, name)?
                {
                    path_prefix.push_str(&path_segments(value).map_err(|reason| at(name, reason))?);
                }
                Ok(Some(EgressRule::Web { plain_http: *plain_http, host, port, path_prefix }))
            }
        }
    }
}

fn parse(text: &str) -> Result<Shape, String> {
    if text.len() > 512 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a template is at most 512 visible ASCII characters".to_owned());
    }
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    match scheme {
        "s3" => {
            let prefix = match path {
                None | Some("") => None,
                Some(path) => Some(single(path)?),
            };
            Ok(Shape::S3 { bucket: parse_bucket(authority)?, prefix })
        }
        "https" | "http" => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            let port = port.map(single).transpose()?;
            if let Some(Part::Text(text)) = &port
                && text.parse::<u16>().map_or(true, |port| port == 0 || port.to_string() != *text)
            {
                return Err("a port is a number from 1 to 65535".to_owned());
            }
            let (path, path_setting) = parse_path(path.unwrap_or_default())?;
            Ok(Shape::Web { plain_http: scheme == "http", host: parse_host(host)?, port, path, path_setting })
        }
        _ => Err("the scheme is s3, https or http".to_owned()),
    }
}

fn parse_bucket(text: &str) -> Result<Bucket, String> {
    if text == "*" {
        return Ok(Bucket::Any);
    }
    if let Some(name) = text.strip_prefix('{').and_then(|inner| inner.strip_suffix("|*}")) {
        return Ok(Bucket::Setting { name: setting_name(name)?, or_any: true });
    }
    match single(text)? {
        Part::Setting(name) => Ok(Bucket::Setting { name, or_any: false }),
        Part::Text(text) => BucketName::new(text).map(Bucket::Named).map_err(|error| error.message().to_owned()),
    }
}

/// A host: a whole hostname from one setting, or literal text with settings inside its labels.
fn parse_host(text: &str) -> Result<Vec<Part>, String> {
    let parts = parts(text)?;
    let literal_ok = |part: &Part| match part {
        Part::Text(text) => text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'),
        Part::Setting(_) => true,
    };
    if parts.is_empty() || !parts.iter().all(literal_ok) {
        return Err("a host is lower-case labels and settings".to_owned());
    }
    // Whatever the settings are, the result has to be able to be a host.
    let sample: String = parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "x" }).collect();
    if sample.split('.').all(host::is_label) { Ok(parts) } else { Err("a host is labels joined by dots".to_owned()) }
}

/// Literal segments, then perhaps one setting that holds the rest of the prefix.
fn parse_path(text: &str) -> Result<(String, Option<String>), String> {
    let (literal, setting) = match text.rsplit_once('/').unwrap_or(("", text)) {
        (literal, last) if last.starts_with('{') => match single(last)? {
            Part::Setting(name) => (literal, Some(name)),
            Part::Text(_) => (text, None),
        },
        _ => (text, None),
    };
    Ok((path_segments(literal)?, setting))
}

/// Exactly one literal or one setting.
fn single(text: &str) -> Result<Part, String> {
    let mut parts = parts(text)?.into_iter();
    match (parts.next(), parts.next()) {
        (Some(part), None) => Ok(part),
        _ => Err("here either text or one setting can stand".to_owned()),
    }
}

fn parts(mut text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (literal, rest) = text.split_once('{').map_or((text, None), |(literal, rest)| (literal, Some(rest)));
        if literal.contains('}') {
            return Err("a '}' without its '{'".to_owned());
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.to_owned()));
        }
        let Some(rest) = rest else { break };
        let (name, after) = rest.split_once('}').ok_or("a '{' without its '}'")?;
        parts.push(Part::Setting(setting_name(name)?));
        text = after;
    }
    Ok(parts)
}

fn setting_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("settings.").ok_or("a placeholder is {settings.<name>}")?;
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Ok(name.to_owned())
    } else {
        Err("a setting's name is letters, digits and '_'".to_owned())
    }
}

fn expand_s3(bucket: &Bucket, prefix: Option<&Part>, settings: &Value) -> Result<Option<EgressRule>, FieldError> {
    let bucket = match bucket {
        Bucket::Any => None,
        Bucket::Named(name) => Some(name.clone()),
        Bucket::Setting { name, or_any } => match text_setting(settings, name)? {
            Some(value) => Some(BucketName::new(value).map_err(|error| at(name, plain(&error)))?),
            None if *or_any => None,
            None => return Ok(None),
        },
    };
    let prefix = match prefix {
        None => "",
        Some(Part::Text(text)) => text,
        Some(Part::Setting(name)) => {
            let prefix = text_setting(settings, name)?.unwrap_or_default();
            if prefix.len() > 1024 || prefix.contains('\0') || prefix.split('/').any(|segment| segment == "." || segment == "..") {
                return Err(at(name, "a key prefix is at most 1024 bytes, without NUL and without '.' and '..' segments"));
            }
            prefix
        }
    };
    Ok(Some(EgressRule::S3 { bucket, prefix: prefix.to_owned() }))
}

fn expand_host(parts: &[Part], settings: &Value, addresses: &AddressPolicy) -> Result<Option<String>, FieldError> {
    if let [Part::Setting(name)] = parts {
        let Some(value) = text_setting(settings, name)? else { return Ok(None) };
        return host::from_setting(value, addresses).map(Some).map_err(|reason| at(name, reason));
    }
    let mut joined = String::new();
    let mut last = "";
    for part in parts {
        match part {
            Part::Text(text) => joined.push_str(text),
            Part::Setting(name) => {
                let Some(value) = text_setting(settings, name)? else { return Ok(None) };
                if !host::is_label(value) {
                    return Err(at(name, "this is one label of a hostname: 1 to 63 lower-case letters, digits and '-'"));
                }
                joined.push_str(value);
                last = name;
            }
        }
    }
    host::from_setting(&joined, addresses).map(Some).map_err(|reason| at(last, reason))
}

/// "" or segments in wire form, each with its leading '/'. Leading and trailing slashes do not count.
fn path_segments(text: &str) -> Result<String, String> {
    let text = text.trim_matches('/');
    if text.is_empty() {
        return Ok(String::new());
    }
    let wire = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
    if text.len() > 1024 || text.split('/').any(str::is_empty) || !text.bytes().all(|byte| wire(byte) || byte == b'/') {
        return Err("a path is segments joined by single slashes, percent-encoded, at most 1024 bytes".to_owned());
    }
    if super::web::has_dot_segment(text) {
        return Err("a path has no '.' or '..' segment".to_owned());
    }
    Ok(format!("/{text}"))
}

/// Absent and null are the same.
fn text_setting<'a>(settings: &'a Value, name: &str) -> Result<Option<&'a str>, FieldError> {
    match settings.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(at(name, "this is text")),
    }
}

fn port_setting(settings: &Value, name: &str) -> Result<Option<u16>, FieldError> {
    match settings.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port > 0 => Ok(Some(port)),
            _ => Err(at(name, "a port is a number from 1 to 65535")),
        },
    }
}

fn at(name: &str, message: impl Into<String>) -> FieldError {
    FieldError::new(format!("/{name}"), message)
}

/// The reason alone of a field error whose pointer is empty.
fn plain(error: &Error) -> String {
    error.field_errors().first().map_or_else(|| error.message().to_owned(), |field| field.message.clone())
}
