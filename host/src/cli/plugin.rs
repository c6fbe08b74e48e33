//! `portcullis plugin …`.

use clap::{Args, Subcommand};

use super::client::Client;
use super::failure::Done;
use super::output::{Column, Output};

const ROUTE: [&str; 3] = ["api", "v1", "plugins"];
const MAX_LISTED: usize = 10_000;
const COLUMNS: &[Column] = &[("CONNECTOR", "/id"), ("TITLE", "/title"), ("VERSION", "/version"), ("CAPABILITIES", "/capabilities"), ("DIGEST", "/digest")];
const PROPERTIES: &[Column] = &[
    ("connector", "/id"),
    ("title", "/title"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("digest", "/digest"),
    ("source paths", "/source_schemes"),
    ("egress", "/egress"),
    ("capabilities", "/capabilities"),
    ("granted", "/granted"),
    ("imports", "/imports"),
    ("settings", "/settings"),
];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the connector plugins.
    List,
    /// Show what a plugin says of itself, what it may reach and what it may call.
    Inspect(Inspect),
}

#[derive(Args)]
pub(super) struct Inspect {
    /// A connector's id, as https_basic.
    connector: String,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::List => output.rows(COLUMNS, &client.list(&ROUTE, &[], MAX_LISTED).await?),
            Self::Inspect(Inspect { connector }) => {
                let path: Vec<_> = ROUTE.into_iter().chain([connector.as_str()]).collect();
                output.record(PROPERTIES, &client.get(&path, &[]).await?)
            }
        }
    }
}
