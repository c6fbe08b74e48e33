//! `portcullis ingest`: sends assets in as one job and, if asked, waits for its end.

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::failure::Done;
use super::job;
use super::output::Output;
use super::sources;

#[derive(Args)]
pub(super) struct Ingest {
    /// The dataset that the assets become part of.
    #[arg(long, value_name = "ID")]
    dataset: String,
    /// The connection to fetch through, by name or id. Without it, the dataset's default.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// As s3://bucket/key or https://host/path; up to 10,000 with those of --from.
    source_paths: Vec<String>,
    /// A file, or - for standard input: one source path or JSON object {source_path, metadata} a line, or a JSON array.
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
    /// Metadata for each asset: KEY=VALUE, or KEY:=JSON. Repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// Wait for the end and show the progress. Exits 1 unless each asset was ingested.
    #[arg(long)]
    wait: bool,
}

impl Ingest {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let assets = sources::assets(&self.source_paths, self.from.as_deref(), &sources::metadata(&self.metadata)?)?;
        let body = json!({"dataset_id": self.dataset, "connection_name": self.connection, "assets": assets});
        let accepted = client.post(&["api", "v1", "ingestion", "assets"], &[], &body).await?;
        job::accepted(client, output, &accepted, self.wait).await
    }
}
