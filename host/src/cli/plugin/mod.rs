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
    #[command(after_help = "Example:\n  portcullis plugin list")]
    List,
    /// Show what a plugin says of itself, what it may reach and what it may call, and its installed versions.
    #[command(after_help = "Example:\n  portcullis plugin inspect https_basic")]
    Inspect(inspect::Inspect),
    /// Begin a plugin: a folder with a connector that works, in the language of your choice.
    #[command(after_help = "Example:\n  portcullis plugin new my_storage --lang rust")]
    New(new::New),
    /// Build a plugin's folder to a component, with the language's ordinary tools.
    #[command(after_help = "Example:\n  portcullis plugin build my_storage")]
    Build(build::Build),
    #[command(after_help = "Example:\n  portcullis plugin check my_storage/connector.wasm --golden my_storage/golden")]
    Check(check::Check),
    #[command(
        visible_alias = "upgrade",
        after_help = "Examples:\n  portcullis plugin install my_storage/connector.wasm\n  portcullis plugin upgrade my_storage.wasm --grant http --grant \\\n      'https://{settings.hostname}'"
    )]
    Install(install::Install),
    #[command(
        visible_alias = "rollback",
        after_help = "Example:\n  portcullis plugin rollback my_storage \\\n      sha256:6b1d2c3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff0"
    )]
    Activate(activate::Activate),
    #[command(after_help = "Example:\n  portcullis plugin remove my_storage")]
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
