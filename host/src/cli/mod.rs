//! The command line: verbs, each in its file, as a client of the gateway's own HTTP API (the store admits one process).
//!
//! Only `serve`, `config`, `doctor` and what is written for shells run in this process. Another verb never reads the data folder and never prints a secret it did not
//! just make.

mod ask;
mod audit;
mod client;
mod connection;
mod dataset;
mod doctor;
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
mod shell;
mod sign;
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

const AFTER_HELP: &str = "\
Exit codes:
  0  ok
  1  error: the gateway or a remote said no, a test failed, an asset was not ingested
  2  usage
  3  not found
  4  conflict, or denied

Errors go to standard error: code, sentence, the wrong fields, what to do; one line of JSON with --output json.";

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
    #[command(after_help = "Example:\n  portcullis serve --config portcullis.toml")]
    Serve(serve::Serve),
    /// Print the configuration that is in force, secrets hidden.
    #[command(after_help = "Examples:\n  portcullis config > portcullis.toml\n  portcullis config --config portcullis.toml --output json")]
    Config(serve::ShowConfig),
    /// Look at configuration, data, key, network and AWS, and say what is wrong.
    #[command(after_help = "Examples:\n  portcullis doctor --config portcullis.toml\n  portcullis doctor --output json")]
    Doctor(doctor::Doctor),
    /// Print the script that completes verbs and options in a shell.
    #[command(after_help = "Examples:\n  portcullis completions bash > /etc/bash_completion.d/portcullis\n  portcullis completions fish")]
    Completions(shell::Completions),
    /// Print the manual page of this program, or of a verb.
    #[command(after_help = "Examples:\n  portcullis man > portcullis.1\n  portcullis man connection create")]
    Man(shell::Man),
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
    #[command(
        after_help = "Examples:\n  portcullis ingest --dataset cats --connection media --wait \\\n      s3://my-bucket/cat.jpg\n  portcullis ingest --dataset cats --connection media --from paths.txt \\\n      --metadata label=cat"
    )]
    Ingest(ingest::Ingest),
    /// Look at a dataset's default connection, and set it.
    #[command(subcommand)]
    Dataset(dataset::Verb),
    /// Look at ingestion jobs.
    #[command(subcommand)]
    Job(job::Verb),
    /// Look at ingested assets.
    #[command(subcommand)]
    Asset(job::AssetVerb),
    /// Write one object to standard output, or to a file.
    #[command(
        after_help = "Examples:\n  portcullis cat media s3://my-bucket/cat.jpg --to cat.jpg\n  portcullis cat media s3://my-bucket/film.mp4 --range 0-1023"
    )]
    Cat(object::Cat),
    /// Print a URL that opens one object for whoever has it, for a while.
    #[command(after_help = "Example:\n  portcullis sign media s3://my-bucket/cat.jpg --expires-in 300")]
    Sign(sign::Sign),
    /// List objects through a connection.
    #[command(after_help = "Examples:\n  portcullis ls media 2026/\n  portcullis ls portcullis --bucket my-bucket --limit 20")]
    Ls(object::Ls),
    /// Show the requests that a connection would send for source paths, without sending any.
    #[command(after_help = "Example:\n  portcullis plan media s3://my-bucket/cat.jpg s3://other-bucket/cat.jpg")]
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
    #[command(after_help = "Example:\n  portcullis version --output json")]
    Version,
}

/// Reads the arguments, runs the verb, says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // A program that asks for JSON gets it whatever is wrong.
        Err(error) if error.use_stderr() && asks_for_json(std::env::args()) => {
            let told = error.to_string();
            let sentence = told.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            let failure = Failure::usage(sentence.split_whitespace().collect::<Vec<_>>().join(" "));
            Output::new(Format::Json).failure(&failure);
            return failure.exit_code();
        }
        Err(error) => error.exit(),
    };
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

fn asks_for_json(arguments: impl Iterator<Item = String>) -> bool {
    let arguments: Vec<String> = arguments.collect();
    let apart = arguments.windows(2).any(|pair| matches!(pair, [name, value] if (name == "--output" || name == "-o") && value == "json"));
    apart || arguments.iter().any(|one| one == "--output=json" || one == "-ojson")
}

fn run(cli: Cli, output: Output) -> Done {
    match cli.verb {
        Verb::Serve(verb) => verb.run(),
        Verb::Config(verb) => verb.run(output),
        Verb::Doctor(verb) => verb.run(output),
        Verb::Completions(verb) => verb.run(output),
        Verb::Man(verb) => verb.run(output),
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
        ApiVerb::Dataset(verb) => verb.run(client, output).await,
        ApiVerb::Job(verb) => verb.run(client, output).await,
        ApiVerb::Asset(verb) => verb.run(client, output).await,
        ApiVerb::Cat(verb) => verb.run(client).await,
        ApiVerb::Sign(verb) => verb.run(client, output).await,
        ApiVerb::Ls(verb) => verb.run(client, output).await,
        ApiVerb::Plan(verb) => verb.run(client, output).await,
        ApiVerb::Organization(verb) => verb.run(client, output).await,
        ApiVerb::Token(verb) => verb.run(client, output).await,
        ApiVerb::Audit(verb) => verb.run(client, output).await,
        ApiVerb::Plugin(verb) => verb.run(client, output).await,
        ApiVerb::Version => version::run(client, output).await,
    }
}
