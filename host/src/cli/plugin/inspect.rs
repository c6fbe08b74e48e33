//! `portcullis plugin inspect`.

use clap::Args;
use serde_json::Value;

use super::{ROUTE, VERSIONS};
use crate::cli::client::Client;
use crate::cli::failure::Done;
use crate::cli::output::{Column, Format, Output};

const PROPERTIES: &[Column] = &[
    ("connector", "/id"),
    ("title", "/title"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("origin", "/origin"),
    ("state", "/state"),
    ("digest", "/digest"),
    ("source paths", "/source_schemes"),
    ("egress", "/egress"),
    ("capabilities", "/capabilities"),
    ("granted", "/granted"),
    ("imports", "/imports"),
    ("settings", "/settings"),
];

/// For whom it is left alone now, because it kept failing.
const SUSPENSIONS: &[Column] = &[("SUSPENDED FOR", "/organization"), ("SINCE", "/since"), ("UNTIL", "/until"), ("LAST FAULT", "/code"), ("DIGEST", "/digest")];

#[derive(Args)]
pub(in crate::cli) struct Inspect {
    /// A connector's id, as https_basic.
    connector: String,
}

impl Inspect {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let path: Vec<_> = ROUTE.into_iter().chain([self.connector.as_str()]).collect();
        let plugin = client.get(&path, &[]).await?;
        output.record(PROPERTIES, &plugin)?;
        if output.format == Format::Table {
            for (columns, name) in [(VERSIONS, "versions"), (SUSPENSIONS, "suspensions")] {
                if let Some(rows) = plugin.get(name).and_then(Value::as_array).filter(|rows| !rows.is_empty()) {
                    output.text("\n")?;
                    output.rows(columns, rows)?;
                }
            }
        }
        Ok(())
    }
}
