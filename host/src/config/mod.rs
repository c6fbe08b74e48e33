//! Configuration: `portcullis.toml` and the environment, the same keys in both. The only reader of either.
//!
//! `server.listen` in the file is `PORTCULLIS__SERVER__LISTEN` in the environment, which wins. A key that is not known is an error.

mod describe;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use confique::env::parse::list_by_comma;
use confique::{Config as _, File, FileFormat, Layer as _};
use ipnet::IpNet;
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use crate::broker::REFUSED_ENVIRONMENT;
use crate::model::{AccountId, ConnectionName, Error, Region, Result, RoleArn};

/// Read when nothing else is named, if it is there.
pub const DEFAULT_FILE: &str = "portcullis.toml";
const PREFIX: &str = "PORTCULLIS__";
/// Not a key of the configuration: a secret, for the first start only.
const BOOTSTRAP_TOKEN: &str = "PORTCULLIS_BOOTSTRAP_TOKEN";

/// Everything that is configured, checked. No `Debug`: it holds the bootstrap token.
pub struct Config {
    pub settings: Settings,
    /// The first operator token, instead of a random one.
    pub bootstrap_token: Option<Zeroizing<String>>,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Settings {
    /// Records: connections, tokens, jobs. Made on the first start; belongs to one process.
    #[config(env = "PORTCULLIS__DATA_DIR", default = "portcullis-data")]
    pub data_dir: PathBuf,
    #[config(nested)]
    pub server: Server,
    #[config(nested)]
    pub vault: Vault,
    #[config(nested)]
    pub platform: Platform,
    #[config(nested)]
    pub aws: Aws,
    #[config(nested)]
    pub egress: Egress,
    #[config(nested)]
    pub sink: Sink,
    #[config(nested)]
    pub audit: Audit,
    #[config(nested)]
    pub log: Log,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Server {
    /// Where the API is served.
    #[config(env = "PORTCULLIS__SERVER__LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Tokens travel in the clear on a plain-http address: another than loopback is refused unless this says that
    /// something in front speaks TLS, or that the network is private.
    #[config(env = "PORTCULLIS__SERVER__INSECURE_LISTEN", default = false)]
    pub insecure_listen: bool,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Vault {
    /// The master key. Default: beside the data folder, as `<data_dir>.key`; never inside it.
    #[config(env = "PORTCULLIS__VAULT__KEY_FILE")]
    pub key_file: Option<PathBuf>,
}

/// Who the gateway is to its customers.
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Platform {
    /// The name that policies and setup steps show.
    #[config(env = "PORTCULLIS__PLATFORM__NAME", default = "portcullis")]
    pub name: String,
    /// The gateway's AWS account. Default: the account of `role_arn`.
    #[config(env = "PORTCULLIS__PLATFORM__ACCOUNT_ID")]
    pub account_id: Option<AccountId>,
    /// The gateway's own AWS role, which customers' policies let in. Without it there is no AWS.
    #[config(env = "PORTCULLIS__PLATFORM__ROLE_ARN")]
    pub role_arn: Option<RoleArn>,
    /// The name of the connection that always exists (bucket policies).
    #[config(env = "PORTCULLIS__PLATFORM__DEFAULT_CONNECTION", default = "portcullis")]
    pub default_connection: ConnectionName,
    /// Whether a role that can be assumed without its external id is refused.
    #[config(env = "PORTCULLIS__PLATFORM__EXTERNAL_ID_REQUIRED", default = true)]
    pub external_id_required: bool,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Aws {
    /// Asked instead of AWS, for STS and S3 alike: a double, or an S3-compatible store.
    #[config(env = "PORTCULLIS__AWS__ENDPOINT_URL")]
    pub endpoint_url: Option<String>,
    /// Where the gateway's sessions are opened.
    #[config(env = "PORTCULLIS__AWS__REGION", default = "us-east-1")]
    pub region: Region,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    #[config(env = "PORTCULLIS__AWS__PATH_STYLE", default = false)]
    pub path_style: bool,
}

/// What connections may reach beyond the public internet over TLS.
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Egress {
    /// Private networks that may be dialled, as `10.1.0.0/16`. In the environment: separated by commas.
    #[config(env = "PORTCULLIS__EGRESS__ALLOW_NETWORKS", parse_env = list_by_comma, default = [])]
    pub allow_networks: Vec<IpNet>,
    /// Plain http, to `allow_networks` only.
    #[config(env = "PORTCULLIS__EGRESS__ALLOW_HTTP", default = false)]
    pub allow_http: bool,
    /// PEM files with further certificate authorities. In the environment: separated by commas.
    #[config(env = "PORTCULLIS__EGRESS__EXTRA_CA", parse_env = list_by_comma, default = [])]
    pub extra_ca: Vec<PathBuf>,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Sink {
    /// Where ingested assets are written. Default: beside the data folder, as `<data_dir>-assets`.
    #[config(env = "PORTCULLIS__SINK__PATH")]
    pub path: Option<PathBuf>,
}

/// What is kept of the audit log. It lies in the data folder, and ends with whole files of 4 MiB.
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Audit {
    /// Of more, the oldest files are dropped.
    #[config(env = "PORTCULLIS__AUDIT__MAX_BYTES", default = 1_073_741_824)]
    pub max_bytes: u64,
    /// What is older is dropped.
    #[config(env = "PORTCULLIS__AUDIT__MAX_DAYS", default = 400)]
    pub max_days: u32,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Log {
    /// `off`, `error`, `warn`, `info`, `debug`, `trace`, or a filter as `info,portcullis::runtime=debug`. Libraries: up to `info`.
    #[config(env = "PORTCULLIS__LOG__LEVEL", default = "info")]
    pub level: String,
    #[config(env = "PORTCULLIS__LOG__FORMAT", default = "text")]
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
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
        let bootstrap_token = std::env::var(BOOTSTRAP_TOKEN).ok().filter(|token| !token.is_empty()).map(Zeroizing::new);
        Self::checked(given, bootstrap_token)
    }

    fn checked(given: Given, bootstrap_token: Option<Zeroizing<String>>) -> Result<Self> {
        let settings = Settings::from_layer(given.with_fallback(Given::default_values())).map_err(invalid)?;
        let config = Self { settings, bootstrap_token };
        config.endpoint_url()?;
        config.judge()?;
        Ok(config)
    }

    fn judge(&self) -> Result<()> {
        let Settings { server, platform, data_dir, egress, .. } = &self.settings;
        if !server.listen.ip().is_loopback() && !server.insecure_listen {
            return Err(wrong(format!("server.listen = {} would serve tokens and assets in the clear to others than this machine", server.listen))
                .with_remedy("Listen on 127.0.0.1 behind a proxy that speaks TLS, or set server.insecure_listen = true if the network is private."));
        }
        if let (Some(account), Some(role)) = (&platform.account_id, &platform.role_arn)
            && account.as_str() != role.account()
        {
            return Err(wrong(format!("platform.account_id is {account}, but platform.role_arn is in account {}", role.account())));
        }
        if platform.name.is_empty() || platform.name.chars().count() > 64 || platform.name.chars().any(char::is_control) {
            return Err(wrong("platform.name is 1 to 64 characters without control characters"));
        }
        if self.key_file().starts_with(data_dir) {
            return Err(wrong("vault.key_file lies inside data_dir: whoever copies the data would have the key to it"));
        }
        if egress.allow_http && egress.allow_networks.is_empty() {
            return Err(wrong("egress.allow_http has no effect without egress.allow_networks: plain http is for named private networks only"));
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
        let Some(text) = &self.settings.aws.endpoint_url else { return Ok(None) };
        let shape = || wrong("aws.endpoint_url is a URL as https://s3.example.com:9000, without a path, a query or a password");
        let url = Url::parse(text).map_err(|_| shape())?;
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if plain && matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(Some(url)) } else { Err(shape()) }
    }
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
            return Err(wrong(format!("the environment variable {name} is not a key of the configuration"))
                .with_remedy("'portcullis config' prints every key; PORTCULLIS__SECTION__KEY is section.key."));
        }
    }
    Ok(())
}

/// SECURITY T16: the gateway's AWS identity goes where the configuration says, not where whoever set the environment says.
fn refuse_redirecting_variables(mut names: impl Iterator<Item = String>) -> Result<()> {
    match names.find(|name| REFUSED_ENVIRONMENT.contains(&name.as_str())) {
        Some(name) => Err(wrong(format!("the environment variable {name} would send the gateway's own AWS credentials elsewhere"))
            .with_remedy("Unset it. Another endpoint is aws.endpoint_url, another certificate authority egress.extra_ca.")),
        None => Ok(()),
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::invalid("invalid_configuration", message)
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
    wrong(message)
}

#[cfg(test)]
mod tests;
