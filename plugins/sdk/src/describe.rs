//! What a connector says of itself, put together from its constants and the schema of its settings.

use schemars::Schema;
use serde::Serialize;

use crate::settings::schema;
use crate::{Capability, Connector};

#[derive(Serialize)]
struct Description {
    id: &'static str,
    title: &'static str,
    version: &'static str,
    summary: &'static str,
    settings: Schema,
    source_schemes: &'static [&'static str],
    egress: &'static [&'static str],
    capabilities: &'static [Capability],
}

/// The answer of `describe`, as JSON.
#[must_use]
pub fn describe<C: Connector>() -> String {
    let description = Description {
        id: C::ID,
        title: C::TITLE,
        version: C::VERSION,
        summary: C::SUMMARY,
        settings: schema::<C::Settings>(),
        source_schemes: C::SOURCE_SCHEMES,
        egress: C::EGRESS,
        capabilities: C::CAPABILITIES,
    };
    // Strings and a schema always serialize; if they ever did not, the host refuses an empty description.
    serde_json::to_string(&description).unwrap_or_default()
}
