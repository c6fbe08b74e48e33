//! What `https_public` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, Finding, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's name, such as `assets.example.com`, without scheme, port or path.
    #[schemars(title = "Host name")]
    pub hostname: Hostname,
    /// 443 unless given.
    #[schemars(title = "Port", range(min = 1))]
    pub port: Option<u16>,
    /// Only what is below this folder can be read. The whole server unless given.
    #[schemars(title = "Path prefix")]
    pub path_prefix: Option<PathPrefix>,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, self.path_prefix.as_ref())
    }
}

pub struct HttpsPublic;

impl Connector for HttpsPublic {
    const ID: &'static str = "https_public";
    const TITLE: &'static str = "Public HTTPS";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads files that anybody may read from one https server.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &[https::EGRESS];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        Ok(settings.origin().plan(Credential::Anonymous, sources))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        https::check(&settings.origin(), &Credential::Anonymous, test_location)
    }
}

#[cfg(test)]
mod tests;
