//! Folders that are made when they are needed: whether they can be, and whether what is there can be written.

use std::fs::{self, File};
use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::model::Error;

const SINK: &str = "sink";
const CACHE: &str = "plugin_cache";

/// Whether the nearest folder above `path` that is there can be written.
pub fn can_be_made(path: &Path) -> Result<(), String> {
    let above = path.ancestors().skip(1).map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    match above.into_iter().find(|above| above.exists()) {
        Some(above) => writable(above),
        None => Err("no folder above it is there".to_owned()),
    }
}

pub fn writable(folder: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{} cannot be written ({error})", folder.display());
    let probe = folder.join(format!(".portcullis-doctor-{}", std::process::id()));
    File::create_new(&probe).map_err(told)?;
    fs::remove_file(&probe).map_err(told)
}

fn usable(folder: &Path) -> Result<(), String> {
    if folder.exists() { writable(folder) } else { can_be_made(folder) }
}

pub fn sink(config: &Config) -> Finding {
    let folder = config.sink_path();
    match usable(&folder) {
        Ok(()) => Finding::ok(SINK, format!("{}: assets can be written", folder.display())),
        Err(why) => {
            let error = Error::unavailable("sink_not_writable", format!("{}: {why}", folder.display()));
            Finding::failed(SINK, &error.with_remedy("Make it writable for the gateway's user, or choose another sink.path."))
        }
    }
}

/// Without it every start compiles every plugin.
pub fn cache(config: &Config) -> Finding {
    let folder = config.cache_dir();
    match usable(&folder) {
        Ok(()) => Finding::ok(CACHE, format!("{}: compiled plugins can be kept", folder.display())),
        Err(why) => {
            let remedy = "Make it writable for the gateway's user: without it each start compiles each plugin.";
            Finding::warning(CACHE, "cache_not_writable", format!("{}: {why}", folder.display()), remedy)
        }
    }
}
