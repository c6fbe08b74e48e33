//! What `azure_blob` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, FieldError, Finding, Plan, Principal, Secret, SetupStep, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared_key;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The storage account: 3 to 24 lower-case letters and digits.
    #[schemars(title = "Storage account", length(min = 3, max = 24), regex(pattern = "^[a-z0-9]{3,24}$"), extend("x-hint" = "3 to 24 lower-case letters and digits"))]
    pub account_name: String,
    /// The container, or a folder in it such as `media/2024`: only what is below can be read. Where the endpoint has the account in
    /// its path (Azurite, IoT Edge), the account stands first: `account/container`.
    #[schemars(title = "Container")]
    pub container: PathPrefix,
    /// `<account>.blob.core.windows.net` unless given: another cloud's, a private endpoint or a domain of one's own.
    #[schemars(title = "Host name")]
    pub hostname: Option<Hostname>,
    /// 443 unless given.
    #[schemars(title = "Port", range(min = 1))]
    pub port: Option<u16>,
    /// One of the account's two access keys, in base64 as Azure shows it.
    #[schemars(title = "Account key", length(min = 4, max = 1024), regex(pattern = "^[A-Za-z0-9+/]+={0,2}$"), extend("x-hint" = "base64, as the portal shows the key"))]
    pub account_key: Secret,
}

impl Settings {
    /// After `normalize` there is always a host name.
    fn origin(&self) -> Result<Origin<'_>, Error> {
        let hostname = self.hostname.as_ref().ok_or_else(|| Error::invalid("invalid_settings", "the settings have no host name"))?;
        Ok(Origin::new(hostname, self.port, Some(&self.container)))
    }

    fn credential(&self) -> Credential {
        shared_key::credential(&self.account_name, "account_key")
    }
}

/// A query is a snapshot, a version or somebody's signature; none of them is the blob itself. Never repeated in a message.
fn without_query(source: &str) -> Result<&str, Error> {
    let Some((_, query)) = source.split_once('?') else { return Ok(source) };
    let remedy = "Remove everything from the '?' on; a '?' that is part of the name is written %3F.";
    Err(if query.split('&').any(|parameter| parameter.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("sig"))) {
        Error::invalid("presigned_url", "this URL carries a shared access signature: somebody's credential, which expires").with_remedy(remedy)
    } else {
        Error::invalid("unsupported_query", "a blob's URL here has no query: snapshots and versions are not supported").with_remedy(remedy)
    })
}

pub struct AzureBlob;

impl Connector for AzureBlob {
    const ID: &'static str = "azure_blob";
    const TITLE: &'static str = "Azure Blob Storage";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads blobs of one container of Azure Blob Storage with the account's key.";
    const SOURCE_SCHEMES: &'static [&'static str] = https::SCHEMES;
    const EGRESS: &'static [&'static str] = &["https://{settings.hostname}:{settings.port}/{settings.container}"];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    /// The egress is made of what stands in the settings, so the host name does, too.
    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let account = &settings.account_name;
        if !(3..=24).contains(&account.len()) || !account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(vec![FieldError::new("/account_name", "a storage account's name is 3 to 24 lower-case letters and digits")]);
        }
        if settings.hostname.is_none() {
            let hostname = Hostname::try_from(format!("{account}.blob.core.windows.net"));
            settings.hostname = Some(hostname.map_err(|message| vec![FieldError::new("/account_name", message)])?);
        }
        Ok(settings)
    }

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let text = format!(
            "In the Azure portal, open the storage account {}, Security + networking, Access keys. {} signs reads below {} with it and nothing else; the key \
             itself opens the whole account, so let it be an account that holds only what may be read, and rotate between its two keys.",
            settings.account_name,
            principal.platform_name,
            settings.container.as_str()
        );
        let enter = "Enter the key in the connection. It is stored encrypted, never shown again, and never sent: requests carry a signature made with it.";
        Ok(vec![SetupStep::new("Find the account's key", text, Vec::new()), SetupStep::new("Enter the key", enter, Vec::new())])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        let origin = settings.origin()?;
        Ok(Plan::shared(settings.credential(), sources, |source| without_query(source).and_then(|source| origin.locate(source)).map(Target::Http)))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        match settings.origin().and_then(|origin| test_location.map(without_query).transpose().map(|test| (origin, test))) {
            Ok((origin, test)) => https::check(&origin, &settings.credential(), test),
            Err(error) => vec![Finding::failed("test_location", &error)],
        }
    }
}

#[cfg(test)]
mod tests;
