//! The command line: verbs, each in its file, as a client of the gateway's own HTTP API (the store admits one process).
//!
//! Only `serve` and `config` run in this process. A verb never reads the data folder and never prints a secret it did not just make.

mod ask;
mod audit;
mod client;
mod connection;
mod failure;
mod import;
mod ingest;
mod job;
mod object;
mod organization;
mod output;
mod plugin;
mod progress;
mod serve;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod token;
mod version;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use client::Client;
use failure::{Done, Failure};
use output::{Format, Output};

use crate::runtime::{COMPILE_VERB, compile_as_child};

const AFTER_HELP: &str = "Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 conflict or denied.";

/// A connector gateway: plugins plan, the host signs, fetches and streams.
#[derive(Parser)]
#[command(name = "portcullis", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Where the gateway is and how to print its answers.
#[derive(Args)]
struct Global {
    /// The gateway to talk to.
    #[arg(long, global = true, env = "PORTCULLIS_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,
    /// An API token. Prefer the environment: an argument is visible to every user of the machine.
    #[arg(long, global = true, env = "PORTCULLIS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the gateway.
    Serve(serve::Serve),
    /// Print the configuration that is in force, secrets hidden.
    Config(serve::ShowConfig),
    /// The gateway's own compiler, which it starts by itself.
    #[command(name = COMPILE_VERB, hide = true)]
    CompilePlugin,
    #[command(flatten)]
    Api(ApiVerb),
}

/// The verbs that call a gateway.
#[derive(Subcommand)]
enum ApiVerb {
    /// Create, look at, change and test connections.
    #[command(subcommand)]
    Connection(connection::Verb),
    /// Bring assets in through a connection.
    Ingest(ingest::Ingest),
    /// Look at ingestion jobs.
    #[command(subcommand)]
    Job(job::Verb),
    /// Look at ingested assets.
    #[command(subcommand)]
    Asset(job::AssetVerb),
    /// Write one object to standard output, or to a file.
    Cat(object::Cat),
    /// List objects through a connection.
    Ls(object::Ls),
    /// Show the requests that a connection would send for source paths, without sending any.
    Plan(object::Plan),
    /// For operators: create, list and delete organizations.
    #[command(subcommand)]
    Organization(organization::Verb),
    /// Create, list and revoke API tokens.
    #[command(subcommand)]
    Token(token::Verb),
    /// Read the log of each use of a credential, and verify it.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Look at the connector plugins.
    #[command(subcommand)]
    Plugin(plugin::Verb),
    /// Print the version of this program and of the gateway.
    Version,
}

/// Reads the arguments, runs the verb, says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.verb, Verb::CompilePlugin) {
        return compile_as_child();
    }
    let output = Output::new(cli.global.output);
    match run(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, output: Output) -> Done {
    match cli.verb {
        Verb::Serve(verb) => verb.run(),
        Verb::Config(verb) => verb.run(output),
        // `main` has run it: it has exit codes of its own.
        Verb::CompilePlugin => Ok(()),
        Verb::Api(verb) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure::local("cannot start", &error))?;
            let client = Client::new(&cli.global.url, cli.global.token)?;
            runtime.block_on(call(verb, &client, output))
        }
    }
}

async fn call(verb: ApiVerb, client: &Client, output: Output) -> Done {
    match verb {
        ApiVerb::Connection(verb) => verb.run(client, output).await,
        ApiVerb::Ingest(verb) => verb.run(client, output).await,
        ApiVerb::Job(verb) => verb.run(client, output).await,
        ApiVerb::Asset(verb) => verb.run(client, output).await,
        ApiVerb::Cat(verb) => verb.run(client).await,
        ApiVerb::Ls(verb) => verb.run(client, output).await,
        ApiVerb::Plan(verb) => verb.run(client, output).await,
        ApiVerb::Organization(verb) => verb.run(client, output).await,
        ApiVerb::Token(verb) => verb.run(client, output).await,
        ApiVerb::Audit(verb) => verb.run(client, output).await,
        ApiVerb::Plugin(verb) => verb.run(client, output).await,
        ApiVerb::Version => version::run(client, output).await,
    }
}
