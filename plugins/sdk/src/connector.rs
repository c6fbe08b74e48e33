//! The trait that an author implements, and what each method gets when an author has nothing to say.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, FieldError, Finding, Page, Plan, Principal, SetupStep};

/// A power beyond planning. An operator grants it; the host reads what a component really imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// [`crate::aws`], during `check` and `list`.
    Aws,
    /// [`crate::http`], during `check` and `list`.
    Http,
}

/// A kind of storage. Each call runs in a fresh instance: a connector has no state, so there is no `self`.
pub trait Connector {
    /// `[a-z][a-z0-9_]{2,63}`: the connection's `type`.
    const ID: &'static str;
    const TITLE: &'static str;
    /// `env!("CARGO_PKG_VERSION")`, so that it cannot be forgotten.
    const VERSION: &'static str;
    /// One sentence for the catalogue.
    const SUMMARY: &'static str;
    /// The schemes of the source paths that `locate` understands.
    const SOURCE_SCHEMES: &'static [&'static str];
    /// What a connection may reach, expanded by the host: `https://{settings.hostname}`, `s3://{settings.bucket_name}`.
    const EGRESS: &'static [&'static str];
    const CAPABILITIES: &'static [Capability] = &[];

    /// Becomes the JSON Schema that a form is drawn from. A secret is a [`crate::Secret`]; an optional setting an `Option`.
    type Settings: Serialize + DeserializeOwned + JsonSchema;

    /// What a schema cannot say, such as a rule about two fields.
    fn normalize(settings: Self::Settings) -> Result<Self::Settings, Vec<FieldError>> {
        Ok(settings)
    }

    /// How a customer grants access: ordered steps with documents to paste, nothing left to fill in.
    fn setup(_settings: &Self::Settings, _principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        Ok(Vec::new())
    }

    /// One location or error for each source, in order.
    fn locate(settings: &Self::Settings, sources: &[String]) -> Result<Plan, Error>;

    /// Ordered findings. Without one of its own a connector proves that its test location can be planned, no more.
    fn check(settings: &Self::Settings, test_location: Option<&str>) -> Vec<Finding> {
        let Some(location) = test_location else {
            return vec![Finding::ok("settings", "the settings are well formed; nothing was asked of the remote")];
        };
        let located = Self::locate(settings, &[location.to_owned()]).and_then(|plan| plan.locations.into_iter().next().unwrap_or_else(|| Err(no_location())));
        vec![match located {
            Ok(_) => Finding::ok("test_location", "the test location is well formed; nothing was asked of the remote"),
            Err(error) => Finding::failed("test_location", &error),
        }]
    }

    /// One page of what is under `prefix`.
    fn list(_settings: &Self::Settings, _prefix: &str, _cursor: Option<&str>, _limit: u32) -> Result<Page, Error> {
        Err(Error::new(ErrorKind::Invalid, "list_not_supported", "this connector cannot list: name each object by its source path"))
    }
}

fn no_location() -> Error {
    Error::new(ErrorKind::Internal, "no_location", "the connector answered nothing for the test location")
}
