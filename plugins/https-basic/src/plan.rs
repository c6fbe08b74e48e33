//! What `https_basic` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, FieldError, Finding, Plan, Principal, Secret, SetupStep};
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
    /// Sent as UTF-8 (RFC 7617). Without a colon: it ends the name.
    #[schemars(title = "User name", length(min = 1, max = 255))]
    pub username: String,
    /// Any text without control characters, and without a space at either end.
    #[schemars(title = "Password", length(max = 8192), regex(pattern = r"^([^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?)?$"), extend("x-hint" = "no control characters, and no space at its ends"))]
    pub password: Secret,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, self.path_prefix.as_ref())
    }

    fn credential(&self) -> Credential {
        Credential::basic(&self.username, "password")
    }
}

pub struct HttpsBasic;

impl Connector for HttpsBasic {
    const ID: &'static str = "https_basic";
    const TITLE: &'static str = "HTTPS with user name and password";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads files from an https server that wants a user name and a password.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &[https::EGRESS];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    fn normalize(settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let wrong = |message: &str| Err(vec![FieldError::new("/username", message)]);
        match settings.username.as_str() {
            "" => wrong("a user name is needed"),
            name if name.len() > 255 => wrong("a user name is at most 255 bytes"),
            name if name.contains(':') => wrong("a user name has no ':': what follows it would be taken for the password (RFC 7617)"),
            name if name.chars().any(char::is_control) => wrong("a user name has no control characters"),
            _ => Ok(settings),
        }
    }

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let text = format!("On {}, make a user for {} that may read the files and nothing else.", settings.hostname.as_str(), principal.platform_name);
        let enter = "Enter the user's name and password in the connection. The password is stored encrypted and never shown again.";
        Ok(vec![SetupStep::new("Make a user", text, Vec::new()), SetupStep::new("Enter name and password", enter, Vec::new())])
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
