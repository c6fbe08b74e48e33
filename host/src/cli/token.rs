//! `portcullis token …`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::failure::{Done, Failure};
use super::output::{Column, Format, Output};

const ROUTE: [&str; 3] = ["api", "v1", "tokens"];
const MAX_LISTED: usize = 10_000;
const COLUMNS: &[Column] =
    &[("ID", "/token_id"), ("NAME", "/name"), ("ROLE", "/role"), ("ORGANIZATION", "/organization"), ("CREATED", "/created_at"), ("EXPIRES", "/expires_at")];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make a token and print it: the only time that it is shown.
    #[command(
        after_help = "Examples:\n  portcullis token create --name labelling --role member \\\n      --expires-at 2030-01-31T00:00:00Z\n  portcullis token create --name 'first admin' --role admin \\\n      --organization acme"
    )]
    Create(Create),
    /// List the tokens, without their text.
    #[command(after_help = "Example:\n  portcullis token list")]
    List(List),
    /// Revoke a token: the next request with it is refused.
    #[command(after_help = "Example:\n  portcullis token revoke c2a7d9b4-1e6f-4a3b-8c5d-7e9f0a1b2c3d")]
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Create {
    /// What it is for.
    #[arg(long)]
    name: String,
    #[arg(long, value_enum)]
    role: Role,
    /// For an operator: the organization that the token belongs to.
    #[arg(long)]
    organization: Option<String>,
    /// When it stops working, as 2030-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

#[derive(Args)]
pub(super) struct List {
    /// For an operator: another organization than their own.
    #[arg(long)]
    organization: Option<String>,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The token's id, as `token list` shows it: not its text.
    id: String,
    /// For an operator: the organization that the token belongs to.
    #[arg(long)]
    organization: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Member,
    Admin,
    Operator,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::Create(verb) => {
                let answer = client.post(&ROUTE, &[], &verb.body()).await?;
                if output.format == Format::Json {
                    return output.json(&answer);
                }
                let text = answer.get("token").and_then(Value::as_str).ok_or_else(|| Failure::Unreachable("the answer holds no token".to_owned()))?;
                output.note("keep it now, it is not shown again:");
                output.text(&format!("{text}\n"))
            }
            Self::List(List { organization }) => output.rows(COLUMNS, &client.list(&ROUTE, &of(organization.as_deref()), MAX_LISTED).await?),
            Self::Revoke(Revoke { id, organization }) => {
                let path: Vec<_> = ROUTE.into_iter().chain([id.as_str()]).collect();
                output.record(COLUMNS, &client.delete_with(&path, &of(organization.as_deref())).await?)
            }
        }
    }
}

fn of(organization: Option<&str>) -> Vec<(&'static str, &str)> {
    organization.map(|organization| ("organization", organization)).into_iter().collect()
}

impl Create {
    fn body(&self) -> Value {
        let role = match self.role {
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Operator => "operator",
        };
        let mut body = json!({"name": self.name, "role": role});
        if let Some(fields) = body.as_object_mut() {
            fields.extend(self.organization.as_deref().map(|organization| ("organization".to_owned(), organization.into())));
            fields.extend(self.expires_at.as_deref().map(|time| ("expires_at".to_owned(), time.into())));
        }
        body
    }
}
