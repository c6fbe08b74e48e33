//! `portcullis organization …`, for operators.

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::Client;
use super::failure::Done;
use super::output::{Column, Output};

const ROUTE: [&str; 3] = ["api", "v1", "organizations"];
const MAX_LISTED: usize = 10_000;
const COLUMNS: &[Column] = &[("NAME", "/organization"), ("CREATED", "/created_at"), ("DESCRIPTION", "/description")];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Create an organization. Its first token is made with `token create --organization`.
    #[command(after_help = "Example:\n  portcullis organization create acme --description 'Acme Films'")]
    Create(Create),
    /// List the organizations.
    #[command(after_help = "Example:\n  portcullis organization list")]
    List,
    /// Delete an organization that has no connections and no unfinished jobs. Its tokens end at once; its name is not given again.
    #[command(after_help = "Example:\n  portcullis organization delete acme")]
    Delete(Named),
}

#[derive(Args)]
pub(super) struct Create {
    /// 1 to 64 lower-case letters, digits, '_' and '-'.
    name: String,
    #[arg(long)]
    description: Option<String>,
}

#[derive(Args)]
pub(super) struct Named {
    name: String,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::Create(Create { name, description }) => {
                let body = json!({"organization": name, "description": description});
                output.record(COLUMNS, &client.post(&ROUTE, &[], &body).await?)
            }
            Self::List => output.rows(COLUMNS, &client.list(&ROUTE, &[], MAX_LISTED).await?),
            Self::Delete(Named { name }) => {
                let path: Vec<_> = ROUTE.into_iter().chain([name.as_str()]).collect();
                output.record(COLUMNS, &client.delete(&path).await?)
            }
        }
    }
}
