//! Puts a connection's `config` together from `--config`, `--set` and `--secret`.
//!
//! A secret is never an argument: arguments are visible to every user of the machine and stay in the shell's history.

use std::io::Read;
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value};

use super::failure::{Failure, Result};

const MAX_INPUT: u64 = 1 << 20;

#[derive(Args)]
pub(super) struct Settings {
    /// The settings as a JSON object, or @FILE, or - for standard input.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// One setting as text, KEY=VALUE, or as JSON, KEY:=VALUE. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// One secret setting: NAME=@FILE, NAME=- (standard input) or NAME=env:VARIABLE. Repeatable.
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    secret: Vec<String>,
}

impl Settings {
    /// `None` if no setting was given.
    pub(super) fn read(&self) -> Result<Option<Map<String, Value>>> {
        self.read_from(&mut std::io::stdin().lock())
    }

    fn read_from(&self, stdin: &mut dyn Read) -> Result<Option<Map<String, Value>>> {
        if self.config.is_none() && self.set.is_empty() && self.secret.is_empty() {
            return Ok(None);
        }
        let from_stdin = usize::from(self.config.as_deref() == Some("-")) + self.secret.iter().filter(|secret| secret.ends_with("=-")).count();
        if from_stdin > 1 {
            return Err(Failure::usage("standard input can be read for one setting only"));
        }
        let mut settings = match self.config.as_deref() {
            Some(text) => object(&document(text, stdin)?)?,
            None => Map::new(),
        };
        for assignment in &self.set {
            let (key, value) = setting(assignment)?;
            settings.insert(key, value);
        }
        for secret in &self.secret {
            let (name, source) = secret
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::usage("--secret takes NAME=@FILE, NAME=- or NAME=env:VARIABLE"))?;
            settings.insert(name.to_owned(), Value::String(read_secret(name, source, stdin)?));
        }
        Ok(Some(settings))
    }
}

fn object(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| Failure::usage(format!("--config is not a JSON object: line {}, column {}", error.line(), error.column())))
}

fn document(text: &str, stdin: &mut dyn Read) -> Result<String> {
    match text.strip_prefix('@') {
        Some(path) => file(Path::new(path)),
        None if text == "-" => bounded(stdin, "standard input"),
        None => Ok(text.to_owned()),
    }
}

fn setting(assignment: &str) -> Result<(String, Value)> {
    let (key, value) = assignment.split_once('=').ok_or_else(|| Failure::usage(format!("--set takes KEY=VALUE, not {assignment}")))?;
    let (key, value) = match key.strip_suffix(':') {
        Some(key) => (key, serde_json::from_str(value).map_err(|_| Failure::usage(format!("--set {key}:= takes JSON")))?),
        None => (key, Value::String(value.to_owned())),
    };
    if key.is_empty() {
        return Err(Failure::usage("--set takes KEY=VALUE"));
    }
    Ok((key.to_owned(), value))
}

/// One line break at the end is the editor's, not the secret's.
fn read_secret(name: &str, source: &str, stdin: &mut dyn Read) -> Result<String> {
    let text = if source == "-" {
        bounded(stdin, "standard input")?
    } else if let Some(path) = source.strip_prefix('@') {
        file(Path::new(path))?
    } else if let Some(variable) = source.strip_prefix("env:") {
        std::env::var(variable).map_err(|_| Failure::usage(format!("--secret {name}: the environment has no {variable}")))?
    } else {
        return Err(Failure::usage(format!(
            "--secret {name}: write @FILE, - or env:VARIABLE; a secret in an argument is visible to every user of this machine"
        )));
    };
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(text.to_owned())
}

pub(super) fn file(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(|error| Failure::local(path.display().to_string(), &error))?;
    bounded(&mut file, &path.display().to_string())
}

fn bounded(input: &mut dyn Read, what: &str) -> Result<String> {
    let mut text = String::new();
    input.take(MAX_INPUT + 1).read_to_string(&mut text).map_err(|error| Failure::local(what, &error))?;
    if text.len() as u64 > MAX_INPUT {
        return Err(Failure::usage(format!("{what} is larger than 1 MiB")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: Option<&str>, set: &[&str], secret: &[&str], stdin: &str) -> Result<Option<Map<String, Value>>> {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Settings { config: config.map(str::to_owned), set: owned(set), secret: owned(secret) }.read_from(&mut stdin.as_bytes())
    }

    #[test]
    fn settings_that_make_no_sense_are_usage_errors() {
        for (case, config, set, secret) in [
            ("a secret as an argument", None, vec![], vec!["password=hunter2"]),
            ("a secret without a name", None, vec![], vec!["=-"]),
            ("a variable that is not set", None, vec![], vec!["password=env:PORTCULLIS_NO_SUCH_VARIABLE"]),
            ("standard input twice", Some("-"), vec![], vec!["password=-"]),
            ("a list for settings", Some("[]"), vec![], vec![]),
            ("no value", None, vec!["hostname"], vec![]),
            ("no key", None, vec!["=x"], vec![]),
            ("bad JSON", None, vec!["port:=eight"], vec![]),
        ] {
            assert!(matches!(read(config, &set, &secret, ""), Err(Failure::Usage(_))), "{case}");
        }
    }

    #[test]
    fn a_secret_is_not_repeated_in_the_error_about_it() {
        let Err(Failure::Usage(message)) = read(None, &[], &["password=hunter2"], "") else { panic!("accepted") };
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn settings_come_from_all_three_and_the_later_wins() {
        assert_eq!(read(None, &[], &[], "").unwrap(), None);
        let settings = read(Some(r#"{"hostname":"a","port":1}"#), &["hostname=b", "port:=8443", "username=0"], &["password=-"], "s3cret\r\n").unwrap();
        assert_eq!(Value::Object(settings.unwrap()), json!({"hostname": "b", "port": 8443, "username": "0", "password": "s3cret"}));
    }
}
