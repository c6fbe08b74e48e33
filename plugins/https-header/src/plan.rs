//! What `https_header` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, HeaderName, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, Finding, HeaderCredential, Plan, Principal, Secret, SetupStep};
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
    /// The header that the server looks for the key in, such as `x-api-key`.
    #[schemars(title = "Header")]
    pub header_name: HeaderName,
    /// The header's whole value, with its scheme where the server wants one (`Token abc`). Printable ASCII.
    #[schemars(title = "API key", length(min = 1, max = 8192), regex(pattern = "^[!-~]([ -~]*[!-~])?$"), extend("x-hint" = "ASCII characters, and no space at its ends"))]
    pub api_key: Secret,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, self.path_prefix.as_ref())
    }

    fn credential(&self) -> Credential {
        Credential::Headers(vec![HeaderCredential::secret(self.header_name.as_str(), "api_key")])
    }
}

pub struct HttpsHeader;

impl Connector for HttpsHeader {
    const ID: &'static str = "https_header";
    const TITLE: &'static str = "HTTPS with an API key";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads files from an https server that wants a key in a header.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &[https::EGRESS];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let text = format!("On {}, make a key for {} that may read the files and nothing else.", settings.hostname.as_str(), principal.platform_name);
        let enter = format!(
            "Enter it as the connection's API key, as the value that the header {} has to have. It is stored encrypted and never shown again.",
            settings.header_name.as_str()
        );
        Ok(vec![SetupStep::new("Make a key", text, Vec::new()), SetupStep::new("Enter the key", enter, Vec::new())])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        Ok(settings.origin().plan(settings.credential(), sources))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        https::check(&settings.origin(), &settings.credential(), test_location)
    }
}

#[cfg(test)]
mod tests;
