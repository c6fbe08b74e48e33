//! The connectors that come with the gateway, loaded at the same time from what is embedded in its binary.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::model::{Capability, Error, Result};
use crate::runtime::{Plugin, Runtime};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// What the gateway's own connectors are granted; which of it each gets follows from its imports.
fn granted() -> BTreeSet<Capability> {
    BTreeSet::from([Capability::Aws, Capability::Http])
}

pub async fn load(runtime: &Arc<Runtime>) -> Result<Vec<Arc<Plugin>>> {
    if EMBEDDED.is_empty() {
        return Err(Error::internal("no_connectors", "this binary was built without its connectors").with_remedy("Run `make components`, then build it again."));
    }
    try_join_all(EMBEDDED.iter().map(|(id, wasm)| async move {
        let plugin = runtime.load(wasm, &granted()).await?;
        if plugin.description().id == *id {
            Ok(plugin)
        } else {
            Err(Error::plugin_fault("wrong_connector_id", format!("the embedded connector '{id}' calls itself '{}'", plugin.description().id)))
        }
    }))
    .await
}
