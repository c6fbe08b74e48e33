//! `portcullis plugin activate`: another installed version, an earlier one to roll back.

use clap::Args;
use serde_json::json;

use super::VERSION;
use super::install::part;
use crate::cli::client::Client;
use crate::cli::failure::Done;
use crate::cli::output::Output;

/// Make another installed version the one that new connections use; an earlier one is a roll back.
#[derive(Args)]
pub(in crate::cli) struct Activate {
    /// A connector's id.
    connector: String,
    /// As `portcullis plugin inspect` shows it.
    digest: String,
}

impl Activate {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let activated = client.post(&part(&self.connector, "activate"), &[], &json!({"digest": self.digest})).await?;
        output.record(VERSION, &activated)
    }
}
