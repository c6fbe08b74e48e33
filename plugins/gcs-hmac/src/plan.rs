//! What `gcs_hmac` decides, as pure functions: settings and source paths in, plans and findings out.

use portcullis_plugin::https::{self, Hostname, Origin, PathPrefix};
use portcullis_plugin::{Capability, Connector, Credential, Error, ErrorKind, FieldError, Finding, HttpObject, Plan, Principal, Secret, SetupStep, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::signature;

/// Where Cloud Storage's XML API is.
const HOSTNAME: &str = "storage.googleapis.com";

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one bucket that may be read.
    #[schemars(title = "Bucket", length(min = 3, max = 222), regex(pattern = "^[a-z0-9][a-z0-9._-]*[a-z0-9]$"), extend("x-hint" = "lower-case letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"))]
    pub bucket_name: String,
    /// Of the HMAC key: begins with `GOOG`.
    #[schemars(title = "Access id", length(min = 16, max = 128), regex(pattern = "^[A-Za-z0-9]+$"), extend("x-hint" = "letters and digits, such as GOOG1EXAMPLE"))]
    pub access_id: String,
    /// The HMAC key's secret: 40 characters, as Cloud Storage showed it once.
    #[schemars(title = "Secret", length(min = 16, max = 128), regex(pattern = "^[A-Za-z0-9+/=]+$"), extend("x-hint" = "base64, as the console showed the secret"))]
    pub secret: Secret,
    /// `storage.googleapis.com` unless given: a private endpoint.
    #[schemars(title = "Host name")]
    pub hostname: Option<Hostname>,
    /// 443 unless given.
    #[schemars(title = "Port", range(min = 1))]
    pub port: Option<u16>,
}

/// Settings in the form that addresses are made of. After `normalize` they always are.
struct Place {
    hostname: Hostname,
    bucket: PathPrefix,
    port: u16,
}

impl Place {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, Some(self.port), Some(&self.bucket))
    }

    /// The `Host` header: the port only where it is not https's own.
    fn authority(&self) -> String {
        match self.port {
            443 => self.hostname.as_str().to_owned(),
            port => format!("{}:{port}", self.hostname.as_str()),
        }
    }
}

impl Settings {
    fn place(&self) -> Result<Place, Error> {
        let wrong = |message: String| Error::invalid("invalid_settings", message);
        let hostname = self.hostname.clone().map_or_else(|| Hostname::try_from(HOSTNAME.to_owned()).map_err(wrong), Ok)?;
        let bucket = PathPrefix::try_from(self.bucket_name.clone()).map_err(wrong)?;
        Ok(Place { hostname, bucket, port: self.port.unwrap_or(443) })
    }

    fn credential(&self, place: &Place) -> Credential {
        signature::credential(&self.access_id, "secret", &place.authority())
    }

    /// `gs://bucket/object` (the name as it is), or an address on the host of the XML API (percent-encoded).
    fn locate(&self, place: &Place, source: &str) -> Result<HttpObject, Error> {
        if let Some(rest) = source.strip_prefix("gs://") {
            let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket != self.bucket_name {
                return Err(Error::new(ErrorKind::Denied, "scope_violation", "the source path is in another bucket than the connection's"));
            }
            return place.origin().object(name);
        }
        let Some((_, query)) = source.split_once('?') else { return place.origin().locate(source) };
        let remedy = "Remove everything from the '?' on; a '?' that is part of the name is written %3F, or plainly in gs://bucket/object.";
        let signed = |parameter: &str| parameter.split('=').next().is_some_and(|name| name.to_ascii_lowercase().ends_with("signature"));
        Err(if query.split('&').any(signed) {
            Error::invalid("presigned_url", "this is a signed URL: it carries somebody's credential and expires").with_remedy(remedy)
        } else {
            Error::invalid("unsupported_query", "an object's URL here has no query: generations and other parameters are not supported").with_remedy(remedy)
        })
    }
}

pub struct GcsHmac;

impl Connector for GcsHmac {
    const ID: &'static str = "gcs_hmac";
    const TITLE: &'static str = "Google Cloud Storage (HMAC key)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads objects of one bucket of Google Cloud Storage with the HMAC key of a service account.";
    const SOURCE_SCHEMES: &'static [&'static str] = &["gs", "https"];
    const EGRESS: &'static [&'static str] = &["https://{settings.hostname}:{settings.port}/{settings.bucket_name}"];
    const CAPABILITIES: &'static [Capability] = https::CAPABILITIES;
    type Settings = Settings;

    /// The egress is made of what stands in the settings, so the host name does, too.
    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let bucket = &settings.bucket_name;
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let fits = |byte: u8| edge(Some(byte)) || b"._-".contains(&byte);
        if !(3..=222).contains(&bucket.len()) || !bucket.bytes().all(fits) || !edge(bucket.bytes().next()) || !edge(bucket.bytes().next_back()) {
            wrong.push(FieldError::new(
                "/bucket_name",
                "a bucket name is 3 to 222 lower-case letters, digits, '-', '_' and '.', with a letter or digit at each end",
            ));
        }
        if !(16..=128).contains(&settings.access_id.len()) || !settings.access_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            wrong.push(FieldError::new("/access_id", "an access id is 16 to 128 letters and digits"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let place = settings.place().map_err(|error| vec![FieldError::new("/bucket_name", error.message)])?;
        settings.hostname = Some(place.hostname);
        Ok(settings)
    }

    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let bucket = &settings.bucket_name;
        let account = format!(
            "In Google Cloud, create a service account for {} and grant it the role Storage Object Viewer on the bucket {bucket}, and nothing else.",
            principal.platform_name
        );
        let key = "In Cloud Storage, Settings, Interoperability, create an HMAC key for that service account. Enter its access id and its secret in the \
                   connection. The secret is stored encrypted, never shown again, and never sent: requests carry a signature made with it.";
        Ok(vec![SetupStep::new("Create a service account", account, Vec::new()), SetupStep::new("Create an HMAC key", key, Vec::new())])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        let place = settings.place()?;
        Ok(Plan::shared(settings.credential(&place), sources, |source| settings.locate(&place, source).map(Target::Http)))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        let ready = settings.place().and_then(|place| test_location.map(|location| settings.locate(&place, location)).transpose().map(|test| (place, test)));
        match ready {
            Ok((place, test)) => https::check_object(&place.origin(), &settings.credential(&place), test),
            Err(error) => vec![Finding::failed("test_location", &error)],
        }
    }
}

#[cfg(test)]
mod tests;
