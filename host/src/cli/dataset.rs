//! `portcullis dataset …`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::Client;
use super::failure::Done;
use super::output::{Column, Output};

const ROUTE: [&str; 3] = ["api", "v1", "datasets"];
const COLUMNS: &[Column] =
    &[("DATASET", "/dataset_id"), ("DEFAULT CONNECTION", "/default_connection"), ("CONNECTION ID", "/default_connection_id"), ("UPDATED", "/updated_at")];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Show a dataset's default connection.
    #[command(after_help = "Example:\n  portcullis dataset get cats")]
    Get(Named),
    /// Set the connection that assets go through when none is named.
    #[command(after_help = "Examples:\n  portcullis dataset set cats --default-connection media\n  portcullis dataset set cats --no-default-connection")]
    Set(Set),
}

#[derive(Args)]
pub(super) struct Named {
    id: String,
}

#[derive(Args)]
pub(super) struct Set {
    id: String,
    /// By name or id.
    #[arg(long, value_name = "NAME", required_unless_present = "no_default_connection", conflicts_with = "no_default_connection")]
    default_connection: Option<String>,
    /// Each submission names its connection again.
    #[arg(long)]
    no_default_connection: bool,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let path = |id| -> Vec<&str> { ROUTE.into_iter().chain([id]).collect() };
        let answer = match &self {
            Self::Get(Named { id }) => client.get(&path(id.as_str()), &[]).await?,
            Self::Set(Set { id, default_connection, .. }) => client.put(&path(id.as_str()), &json!({ "default_connection": default_connection })).await?,
        };
        output.record(COLUMNS, &answer)
    }
}
