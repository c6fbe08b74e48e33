//! Moving a connection to another version of its plugin. It is judged and tested as if it were made anew, and stays where it is unless it passes.

use serde_json::{Map, Value};

use super::change::patched;
use super::{Connections, is_placeholder, still_at};
use crate::model::{Asker, Connection, Digest, Result};

/// What a request to move holds. No `Debug`: `settings` may hold secrets.
#[derive(Default)]
pub struct Move {
    /// `None`: the active version.
    pub to: Option<Digest>,
    /// A JSON Merge Patch, as of a change: for settings that the other version wants, or wants otherwise.
    pub settings: Map<String, Value>,
    /// The version of the connection that the caller saw; a stale one is `Conflict` (`stale_version`).
    pub version: Option<u64>,
}

impl Connections {
    /// A new revision, as any change of settings is: jobs that were accepted before say `connection_changed`. Errors, after each of which
    /// nothing is changed: wrong fields below `/config`, `secret_required` when it would reach something else (SECURITY M06), `test_failed`.
    pub async fn move_to<'a>(&self, asker: impl Into<Asker<'a>>, name_or_id: &str, target: Move) -> Result<Connection> {
        let Asker { org, actor } = asker.into();
        self.not_default(org, name_or_id, "moved")?;
        let found = self.records.find(org, name_or_id).await?;
        let before = &found.connection;
        still_at(target.version, before)?;
        let connector = match target.to {
            Some(digest) => self.plugins.granted(&before.connector, digest)?,
            None => self.plugins.connector(&before.connector).unwrap_or_else(|| self.connector_of(before))?,
        };
        let patch = patched(&connector, before, target.settings).map_err(|error| error.below("/config"))?;
        let mut after = before.clone();
        if !self.revise(&connector, before, &mut after, patch).await? {
            return Ok(found.connection);
        }
        let grant = self.grant_for(&connector, &after)?;
        self.judge_test_location(&connector, &grant).await?;
        // A placeholder is never called and a disabled one is not used, so there is nothing to test yet.
        if after.enabled && !is_placeholder(&after.settings) {
            self.pass_or_refuse(&connector, &grant, actor, &mut after, "it stays on the version that it is on").await?;
        }
        after.version += 1;
        after.updated_at = (self.clock)();
        let stored = {
            let _hold = self.plugins.hold(&connector).await?;
            self.records.replace(&found, after).await?
        };
        self.forget_both(&found, &stored);
        Ok(stored.connection)
    }
}
