//! Who uses a plugin: it is not removed while a connection is pinned to it. Jobs run on their connection's version, so that covers them.

use std::sync::Arc;

use super::Connections;
use crate::model::{Caller, Digest, Error, Result};

/// Connections of the caller's that are named.
const MAX_NAMED: usize = 20;

impl Connections {
    /// One version of a plugin, or all of them. `Conflict` (`plugin_in_use`) says how many connections use it, and names the caller's own.
    pub async fn remove_plugin(self: &Arc<Self>, caller: &Caller, id: &str, digest: Option<Digest>) -> Result<()> {
        let (this, caller, id) = (Arc::clone(self), caller.clone(), id.to_owned());
        // On a task of its own: a client that goes away must not leave half of it.
        let removed = tokio::spawn(async move {
            let removal = this.plugins.removal(&id, digest).await?;
            let using = this.records.using(removal.digests(), &caller.org, MAX_NAMED).await?;
            if using.count == 0 {
                return removal.finish(&caller).await;
            }
            let others = match using.named.as_slice() {
                [] => "none of them is your organization's".to_owned(),
                named => format!("of your organization: {}", named.join(", ")),
            };
            Err(Error::conflict("plugin_in_use", format!("{} connections use this plugin; {others}", using.count))
                .with_remedy("Move these connections to another version, or delete them, and try again."))
        });
        removed.await.map_err(|error| Error::internal("plugin_change_failed", "the removal of a plugin broke off").with_source(error))?
    }
}
