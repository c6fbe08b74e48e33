//! What `https_oauth2` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, FieldError, Finding, Oauth2Credential, Plan, Principal, Secret, SetupStep};
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
    /// The server that gives out tokens. The one above unless given.
    #[schemars(title = "Token host")]
    pub token_hostname: Option<Hostname>,
    /// 443 unless given; the port above where the token host is the one above.
    #[schemars(title = "Token port", range(min = 1))]
    pub token_port: Option<u16>,
    /// The path of the token endpoint, such as `oauth2/token`.
    #[schemars(title = "Token path")]
    pub token_path: PathPrefix,
    /// How the token endpoint knows the gateway.
    #[schemars(title = "Client id", length(min = 1, max = 256))]
    pub client_id: String,
    /// Sent to the token endpoint only.
    #[schemars(title = "Client secret", length(min = 1, max = 8192))]
    pub client_secret: Secret,
    /// What the token is asked for; several are separated by spaces.
    #[schemars(title = "Scope", length(min = 1, max = 1024))]
    pub scope: Option<String>,
    /// Whom the token is for, where the token endpoint asks.
    #[schemars(title = "Audience", length(min = 1, max = 1024))]
    pub audience: Option<String>,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, self.path_prefix.as_ref())
    }

    fn credential(&self) -> Credential {
        let token = Origin::new(self.token_hostname.as_ref().unwrap_or(&self.hostname), self.token_port, Some(&self.token_path));
        Credential::Oauth2ClientCredentials(Oauth2Credential {
            token_url: token.base(),
            client_id: self.client_id.clone(),
            client_secret: "client_secret".to_owned(),
            scope: self.scope.clone(),
            audience: self.audience.clone(),
        })
    }
}

pub struct HttpsOauth2;

impl Connector for HttpsOauth2 {
    const ID: &'static str = "https_oauth2";
    const TITLE: &'static str = "HTTPS with OAuth 2";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads files from an https server that wants an OAuth 2 access token, obtained with client credentials.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &[https::EGRESS, "https://{settings.token_hostname}:{settings.token_port}/{settings.token_path}"];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    /// The egress is made of what stands in the settings, so the token host does, too.
    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        if settings.token_hostname.is_none() {
            settings.token_hostname = Some(settings.hostname.clone());
            settings.token_port = settings.token_port.or(settings.port);
        }
        let texts = [("client_id", Some(&settings.client_id)), ("scope", settings.scope.as_ref()), ("audience", settings.audience.as_ref())];
        let unfit = texts.into_iter().filter(|(_, text)| text.is_some_and(|text| text.is_empty() || text.chars().any(char::is_control)));
        let mut wrong: Vec<_> = unfit.map(|(name, _)| FieldError::new(format!("/{name}"), "this is not empty, and has no control characters")).collect();
        // The schema counts characters, a request has bytes.
        if settings.client_id.len() > 256 {
            wrong.push(FieldError::new("/client_id", "this is at most 256 bytes"));
        }
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let issuer = settings.token_hostname.as_ref().unwrap_or(&settings.hostname).as_str();
        let text = format!(
            "On {issuer}, register a client for {} with the grant client_credentials and basic authentication. Let it read the files on {} and nothing else.",
            principal.platform_name,
            settings.hostname.as_str()
        );
        let enter = "Enter the client's id and secret in the connection. The secret is stored encrypted and never shown again.";
        Ok(vec![SetupStep::new("Register a client", text, Vec::new()), SetupStep::new("Enter id and secret", enter, Vec::new())])
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
