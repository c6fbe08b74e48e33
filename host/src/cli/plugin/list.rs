//! `portcullis plugin list`.

use super::ROUTE;
use crate::cli::client::Client;
use crate::cli::failure::Done;
use crate::cli::output::{Column, Output};

const MAX_LISTED: usize = 10_000;
const COLUMNS: &[Column] = &[
    ("CONNECTOR", "/id"),
    ("TITLE", "/title"),
    ("VERSION", "/version"),
    ("STATE", "/state"),
    ("ORIGIN", "/origin"),
    ("SUSPENDED UNTIL", "/suspensions/0/until"),
    ("CAPABILITIES", "/capabilities"),
    ("DIGEST", "/digest"),
];

pub(super) async fn run(client: &Client, output: Output) -> Done {
    output.rows(COLUMNS, &client.list(&ROUTE, &[], MAX_LISTED).await?)
}
