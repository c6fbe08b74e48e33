//! `portcullis plugin …`: one file a verb.

mod activate;
mod build;
mod check;
mod inspect;
mod install;
mod language;
mod list;
mod new;
mod remove;

use clap::Subcommand;

use super::client::Client;
use super::failure::Done;
use super::output::{Column, Output};

const ROUTE: [&str; 3] = ["api", "v1", "plugins"];
const VERSION: &[Column] = &[("version", "/version"), ("digest", "/digest"), ("state", "/state"), ("may call", "/imports"), ("may reach", "/egress")];
const VERSIONS: &[Column] =
    &[("VERSION", "/version"), ("STATE", "/state"), ("MAY CALL", "/imports"), ("MAY REACH", "/egress"), ("UPLOADED", "/uploaded_at"), ("DIGEST", "/digest")];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the connector plugins.
    List,
    /// Show what a plugin says of itself, what it may reach and what it may call, and its installed versions.
    Inspect(inspect::Inspect),
    /// Begin a plugin: a folder with a connector that works, in the language of your choice.
    New(new::New),
    /// Build a plugin's folder to a component, with the language's ordinary tools.
    Build(build::Build),
    Check(check::Check),
    #[command(visible_alias = "upgrade")]
    Install(install::Install),
    #[command(visible_alias = "rollback")]
    Activate(activate::Activate),
    Remove(remove::Remove),
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::List => list::run(client, output).await,
            Self::Inspect(verb) => verb.run(client, output).await,
            Self::New(verb) => verb.run(output),
            Self::Build(verb) => verb.run(output),
            Self::Check(verb) => verb.run(output).await,
            Self::Install(verb) => verb.run(client, output).await,
            Self::Activate(verb) => verb.run(client, output).await,
            Self::Remove(verb) => verb.run(client, output).await,
        }
    }
}
