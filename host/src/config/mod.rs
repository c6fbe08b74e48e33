//! Configuration: `portcullis.toml` and the environment, the same keys in both. The only reader of either.
//!
//! `server.listen` in the file is `PORTCULLIS__SERVER__LISTEN` in the environment, which wins. A key that is not known is an error.

mod describe;
mod keys;
mod near;

use std::path::{Path, PathBuf};
use std::time::Duration;

use confique::{Config as _, File, FileFormat, Layer as _};
use url::Url;
use zeroize::Zeroizing;

use crate::broker::REFUSED_ENVIRONMENT;
use crate::model::{Error, Result};

pub use keys::{Log, LogFormat, Settings};

/// Read when nothing else is named, if it is there.
pub const DEFAULT_FILE: &str = "portcullis.toml";
const EVERY_KEY: &str = "'portcullis config' prints every key with what it means; PORTCULLIS__SECTION__KEY in the environment is section.key.";
const PREFIX: &str = "PORTCULLIS__";
/// Not a key of the configuration: a secret, for the first start only.
const BOOTSTRAP_TOKEN: &str = "PORTCULLIS_BOOTSTRAP_TOKEN";
/// No keys, and no mistakes: what the command line reads, and the one above.
const OWN_VARIABLES: [&str; 3] = ["PORTCULLIS_URL", "PORTCULLIS_TOKEN", BOOTSTRAP_TOKEN];

/// Everything that is configured, checked. No `Debug`: it holds the bootstrap token.
pub struct Config {
    pub settings: Settings,
    /// The first operator token, instead of a random one.
    pub bootstrap_token: Option<Zeroizing<String>>,
    /// Where it was read from, beside the environment.
    pub file: Option<PathBuf>,
}

type Given = <Settings as confique::Config>::Layer;

impl Config {
    /// `file`: must be there. Without one, `portcullis.toml` in the working folder is read if it exists.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let variables = || std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        refuse_unknown_variables(variables())?;
        refuse_redirecting_variables(variables())?;
        let from_file: Given = match file {
            Some(path) => File::with_format(path, FileFormat::Toml).required().load(),
            None => File::with_format(DEFAULT_FILE, FileFormat::Toml).load(),
        }
        .map_err(invalid)?;
        let given = Given::from_env().map_err(invalid)?.with_fallback(from_file);
        let mut config = Self::checked(given)?;
        config.bootstrap_token = std::env::var(BOOTSTRAP_TOKEN).ok().filter(|token| !token.is_empty()).map(Zeroizing::new);
        config.file = file.or(Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists())).map(Path::to_owned);
        Ok(config)
    }

    fn checked(given: Given) -> Result<Self> {
        let settings = Settings::from_layer(given.with_fallback(Given::default_values())).map_err(invalid)?;
        let config = Self { settings, bootstrap_token: None, file: None };
        config.endpoint_url()?;
        config.public_url()?;
        config.otlp_endpoint()?;
        config.judge()?;
        Ok(config)
    }

    fn judge(&self) -> Result<()> {
        let Settings { server, platform, data_dir, egress, .. } = &self.settings;
        if server.tls.cert.is_some() != server.tls.key.is_some() {
            let error = wrong("tls_incomplete", "server.tls.cert and server.tls.key are one without the other");
            return Err(error.with_remedy("Name both files, or neither for plain http."));
        }
        if !server.listen.ip().is_loopback() && !server.insecure_listen && server.tls.files().is_none() {
            let message = format!("server.listen = {} would serve tokens and assets in the clear to others than this machine", server.listen);
            return Err(wrong("listen_in_the_clear", message).with_remedy(
                "Set server.tls, or listen on 127.0.0.1 behind a proxy that speaks TLS; server.insecure_listen = true if the network is private.",
            ));
        }
        if let (Some(account), Some(role)) = (&platform.account_id, &platform.role_arn)
            && account.as_str() != role.account()
        {
            let message = format!("platform.account_id is {account}, but platform.role_arn is in account {}", role.account());
            return Err(wrong("account_mismatch", message).with_remedy("Leave out platform.account_id, or enter the role that you mean."));
        }
        if platform.name.is_empty() || platform.name.chars().count() > 64 || platform.name.chars().any(char::is_control) {
            return Err(wrong("invalid_value", "platform.name is 1 to 64 characters without control characters"));
        }
        if self.key_file().starts_with(data_dir) {
            return Err(wrong("key_inside_data", "vault.key_file lies inside data_dir: whoever copies the data would have the key to it")
                .with_remedy("Move the key file out of the data folder, and let vault.key_file name its new place."));
        }
        if egress.allow_http && egress.allow_networks.is_empty() {
            let message = "egress.allow_http has no effect without egress.allow_networks: plain http is for named private networks only";
            return Err(wrong("http_without_networks", message).with_remedy("Name the networks in egress.allow_networks, or leave out egress.allow_http."));
        }
        Ok(())
    }

    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.settings.vault.key_file.clone().unwrap_or_else(|| beside(&self.settings.data_dir, ".key"))
    }

    #[must_use]
    pub fn sink_path(&self) -> PathBuf {
        self.settings.sink.path.clone().unwrap_or_else(|| beside(&self.settings.data_dir, "-assets"))
    }

    #[must_use]
    pub fn audit_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.audit.max_days) * 24 * 3600)
    }

    /// Compiled components: made again when they are gone.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        beside(&self.settings.data_dir, "-cache")
    }

    pub fn endpoint_url(&self) -> Result<Option<Url>> {
        let shape = || wrong("invalid_value", "aws.endpoint_url is a URL as https://s3.example.com:9000, without a path, a query or a password");
        let Some(text) = &self.settings.aws.endpoint_url else { return Ok(None) };
        plain_url(text).filter(|url| url.path() == "/").map(Some).ok_or_else(shape)
    }

    pub fn otlp_endpoint(&self) -> Result<Option<Url>> {
        let shape = || wrong("invalid_value", "trace.otlp_endpoint is a URL as http://127.0.0.1:4318, without a path, a query or a password");
        let Some(text) = &self.settings.trace.otlp_endpoint else { return Ok(None) };
        plain_url(text).filter(|url| url.path() == "/").map(Some).ok_or_else(shape)
    }

    /// May have a path: that of a proxy which takes it away.
    pub fn public_url(&self) -> Result<Option<Url>> {
        let shape = || wrong("invalid_value", "server.public_url is a URL as https://gateway.example.com, without a query or a password");
        let Some(text) = &self.settings.server.public_url else { return Ok(None) };
        plain_url(text).map(Some).ok_or_else(shape)
    }
}

fn plain_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (plain && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut path = folder.components().as_path().as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// A misspelt variable would otherwise be ignored in silence.
fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<()> {
    let known = describe::variables();
    for name in names.filter(|name| name.starts_with(PREFIX)) {
        if !known.contains(&name.as_str()) {
            let error = wrong("unknown_variable", format!("the environment variable {name} is not a key of the configuration"));
            return Err(match near::nearest(&name, known) {
                Some(near) => error.with_remedy(format!("Is it {near}? {EVERY_KEY}")),
                None => error,
            });
        }
    }
    Ok(())
}

/// SECURITY T16: the gateway's AWS identity goes where the configuration says, not where whoever set the environment says.
fn refuse_redirecting_variables(mut names: impl Iterator<Item = String>) -> Result<()> {
    match names.find(|name| REFUSED_ENVIRONMENT.contains(&name.as_str())) {
        Some(name) => Err(wrong("redirecting_variable", format!("the environment variable {name} would send the gateway's own AWS credentials elsewhere"))
            .with_remedy("Unset it. Another endpoint is aws.endpoint_url, another certificate authority egress.extra_ca.")),
        None => Ok(()),
    }
}

/// Variables that other programs obey and this one does not, each with what it does instead; and those that were perhaps meant for it.
#[must_use]
pub fn ignored_variables() -> Vec<(String, String)> {
    ignored(std::env::vars_os().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.into_string().ok()))
}

fn ignored(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let known = describe::variables();
    let why = |name: &str| match name.to_ascii_uppercase().as_str() {
        "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" => Some("The gateway dials the addresses that it has judged: no proxy is used.".to_owned()),
        "AWS_CA_BUNDLE" | "SSL_CERT_FILE" => Some("Further certificate authorities are egress.extra_ca.".to_owned()),
        "RUST_LOG" => Some("What is logged is log.level.".to_owned()),
        other if other.starts_with("PORTCULLIS_") && !other.starts_with(PREFIX) && !OWN_VARIABLES.contains(&other) => {
            near::nearest(other, known.iter().copied()).map(|near| format!("Is it {near}? PORTCULLIS__SECTION__KEY is section.key."))
        }
        _ => None,
    };
    names.filter_map(|name| why(&name).map(|why| (name, why))).collect()
}

/// `cause`: exactly what is wrong, for `doctor`.
fn wrong(cause: &'static str, message: impl Into<String>) -> Error {
    Error::invalid("invalid_configuration", message).because(cause).with_remedy(EVERY_KEY)
}

/// confique tells what is wrong in the causes of its errors.
fn invalid(error: confique::Error) -> Error {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(inner.to_string().trim_end());
        cause = inner.source();
    }
    let Some((_, rest)) = message.split_once("unknown field `") else { return wrong("invalid_value", message) };
    // The key, and then those that may stand there.
    let mut words = rest.split('`').step_by(2);
    let key = words.next().unwrap_or_default();
    let error = wrong("unknown_key", message.as_str());
    match near::nearest(key, words) {
        Some(near) => error.with_remedy(format!("Is it '{near}'? {EVERY_KEY}")),
        None => error,
    }
}

#[cfg(test)]
mod tests;
