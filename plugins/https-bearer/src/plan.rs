//! What `https_bearer` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, Finding, Plan, Principal, Secret, SetupStep};
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
    /// Sent as `Authorization: Bearer`. Visible ASCII without spaces.
    #[schemars(title = "Bearer token", length(min = 1, max = 8192), regex(pattern = "^[!-~]+$"), extend("x-hint" = "visible ASCII characters without spaces"))]
    pub bearer_token: Secret,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, self.path_prefix.as_ref())
    }
}

pub struct HttpsBearer;

impl Connector for HttpsBearer {
    const ID: &'static str = "https_bearer";
    const TITLE: &'static str = "HTTPS with a bearer token";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads files from an https server that wants a bearer token.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &[https::EGRESS];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let text = format!("On {}, make a token for {} that may read the files and nothing else.", settings.hostname.as_str(), principal.platform_name);
        let enter = "Enter it as the connection's bearer token. It is stored encrypted and never shown again.";
        Ok(vec![SetupStep::new("Make a token", text, Vec::new()), SetupStep::new("Enter the token", enter, Vec::new())])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        Ok(settings.origin().plan(credential(), sources))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        https::check(&settings.origin(), &credential(), test_location)
    }
}

fn credential() -> Credential {
    Credential::bearer("bearer_token")
}

#[cfg(test)]
mod tests;
