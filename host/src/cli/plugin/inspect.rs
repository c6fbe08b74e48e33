//! `portcullis plugin inspect`.

use clap::Args;

use super::ROUTE;
use crate::cli::client::Client;
use crate::cli::failure::Done;
use crate::cli::output::{Column, Output};

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

#[derive(Args)]
pub(in crate::cli) struct Inspect {
    /// A connector's id, as https_basic.
    connector: String,
}

impl Inspect {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let path: Vec<_> = ROUTE.into_iter().chain([self.connector.as_str()]).collect();
        output.record(PROPERTIES, &client.get(&path, &[]).await?)
    }
}
