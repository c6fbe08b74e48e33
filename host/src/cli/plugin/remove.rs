//! `portcullis plugin remove`.

use clap::Args;

use super::{ROUTE, VERSIONS};
use crate::cli::client::Client;
use crate::cli::failure::Done;
use crate::cli::output::Output;

/// Remove an installed connector, or one version of it. Refused while a connection uses it.
#[derive(Args)]
pub(in crate::cli) struct Remove {
    /// A connector's id.
    connector: String,
    /// One version only, as `portcullis plugin inspect` shows it.
    #[arg(long)]
    digest: Option<String>,
}

impl Remove {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let mut path: Vec<&str> = ROUTE.into_iter().chain([self.connector.as_str()]).collect();
        path.extend(self.digest.iter().flat_map(|digest| ["versions", digest]));
        let answer = client.delete(&path).await?;
        let versions = answer.get("versions").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        output.note(if self.digest.is_some() { "Removed. What is left:" } else { "Removed:" });
        output.rows(VERSIONS, &versions)
    }
}
