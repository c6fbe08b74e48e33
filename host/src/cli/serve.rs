//! `portcullis serve` and `portcullis config`: the two verbs that run in this process and read its configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::failure::{Done, Failure};
use super::output::{Format, Output};
use crate::config::Config;
use crate::http;
use crate::model::Error;

/// For blocking work that is still running when everything else has ended.
const LAST_BREATH: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Args)]
pub(super) struct ShowConfig {
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Args)]
pub(super) struct ConfigFile {
    /// Default: portcullis.toml in the working folder, if it is there. PORTCULLIS__SECTION__KEY in the environment wins.
    #[arg(long = "config", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Done {
        let config = self.file.load()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::local("cannot start", &error))?;
        let ended = runtime.block_on(http::serve(config));
        runtime.shutdown_timeout(LAST_BREATH);
        ended.map_err(|error| ours(&error))
    }
}

impl ShowConfig {
    pub(super) fn run(self, output: Output) -> Done {
        let config = self.file.load()?;
        match output.format {
            Format::Table => output.text(&config.describe()),
            Format::Json => {
                let settings = serde_json::to_value(&config.settings).map_err(|error| Failure::local("cannot write JSON", &error))?;
                output.json(&settings)
            }
        }
    }
}

impl ConfigFile {
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn load(&self) -> Result<Config, Failure> {
        Config::load(self.path.as_deref()).map_err(|error| ours(&error))
    }
}

pub(super) fn ours(error: &Error) -> Failure {
    Failure::Local { code: error.code().to_owned(), message: error.message().to_owned(), remedy: error.remedy().map(str::to_owned) }
}
