//! The keys, each with what it means and its default. Whether their values go together is judged elsewhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use confique::env::parse::list_by_comma;
use ipnet::IpNet;
use serde::Serialize;

use crate::model::{AccountId, ConnectionName, Region, RoleArn};

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
    #[config(nested)]
    pub metrics: Metrics,
    #[config(nested)]
    pub trace: Trace,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Server {
    /// Where the API is served.
    #[config(env = "PORTCULLIS__SERVER__LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Without TLS tokens travel in the clear: another address than loopback is refused unless this says that
    /// something in front speaks TLS, or that the network is private.
    #[config(env = "PORTCULLIS__SERVER__INSECURE_LISTEN", default = false)]
    pub insecure_listen: bool,
    /// What the gateway is called from outside, as `https://gateway.example.com`: signed URLs begin with it. Default: the address that it
    /// listens on. The `Host` of a request is not used: behind a proxy neither its name nor its scheme is what others have to use.
    #[config(env = "PORTCULLIS__SERVER__PUBLIC_URL")]
    pub public_url: Option<String>,
    #[config(nested)]
    pub tls: Tls,
}

/// With both, TLS is spoken instead of plain http. SIGHUP reads them again.
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Tls {
    /// A PEM file: the gateway's certificate, then those between it and the root.
    #[config(env = "PORTCULLIS__SERVER__TLS__CERT")]
    pub cert: Option<PathBuf>,
    /// A PEM file: the private key of the certificate.
    #[config(env = "PORTCULLIS__SERVER__TLS__KEY")]
    pub key: Option<PathBuf>,
}

impl Tls {
    /// `None`: plain http.
    #[must_use]
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.cert.as_deref().zip(self.key.as_deref())
    }
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

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Metrics {
    /// Where Prometheus reads `/metrics`, as `127.0.0.1:9464`. Without it nothing is measured.
    #[config(env = "PORTCULLIS__METRICS__LISTEN")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Trace {
    /// An OpenTelemetry collector that takes OTLP over HTTP, as `http://127.0.0.1:4318`: spans go to `/v1/traces` there. Without it
    /// there are none.
    #[config(env = "PORTCULLIS__TRACE__OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}
