//! The log: to standard error, one line an event. What may go into it is decided where it is written.

use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};
use crate::model::{Error, Result};

const LEVELS: &str = "A level is off, error, warn, info, debug or trace, or a filter as info,portcullis::runtime=debug.";
/// Our own crate, as tracing names it.
const OURS: &str = "portcullis";

/// How much is logged, while it runs.
pub struct Level(reload::Handle<EnvFilter, Lines>);

/// What the lines of the log stand on: spans that leave the process are beside them.
type Lines = Layered<Option<Spans>, Registry>;
pub type Spans = Box<dyn Layer<Registry> + Send + Sync>;

impl Level {
    /// `Invalid` (`invalid_configuration`) for what is no level: it stays as it was.
    pub fn set(&self, level: &str) -> Result<()> {
        self.0.reload(filter(level)?).map_err(|error| Error::internal("log_not_ours", "the log has another filter").with_source(error))
    }
}

/// Once for each process; a second call changes nothing.
pub fn start(log: &Log, spans: Option<Spans>) -> Result<Level> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // An error means that a log is running already, as in tests.
    let _ = tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init();
    Ok(Level(handle))
}

/// `Invalid` (`invalid_configuration`) for what is no level.
pub fn filter(level: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(directives(level)?)
        .map_err(|error| Error::invalid("invalid_configuration", format!("log.level: {error}")).because("invalid_value").with_remedy(LEVELS))
}

/// Below `info` some libraries write down requests, headers and all: theirs stay shut, and a bare level is about our own lines.
fn directives(level: &str) -> Result<String> {
    let mut all = vec!["warn".to_owned()];
    for directive in level.split(',').map(str::trim) {
        let (target, level) = directive.split_once('=').unwrap_or_else(|| if is_level(directive) { (OURS, directive) } else { (directive, "trace") });
        if target != OURS && !target.starts_with("portcullis::") && !["off", "error", "warn", "info"].contains(&level) {
            let message = format!("log.level: '{directive}' is no level of ours, and below info libraries write down requests with their credentials");
            return Err(Error::invalid("invalid_configuration", message)
                .because("invalid_value")
                .with_remedy("Open portcullis or one of its modules, as in portcullis::fetch=trace; others up to info."));
        }
        all.push(format!("{target}={level}"));
    }
    Ok(all.join(","))
}

fn is_level(text: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_no_level_opens_what_libraries_write_about_requests() {
        for shut in ["hyper=trace", "info,hyper=debug", "aws_smithy_runtime", "trace,rustls=trace", "portcullisx=trace", "[span{field=x}]=trace", "hyper=TRACE"]
        {
            assert!(directives(shut).is_err(), "{shut}");
        }
        for (given, meant) in [
            ("trace", "warn,portcullis=trace"),
            ("info, portcullis::runtime=debug", "warn,portcullis=info,portcullis::runtime=debug"),
            ("hyper=info,off", "warn,hyper=info,portcullis=off"),
        ] {
            assert_eq!(directives(given).expect(given), meant);
        }
        assert!(start(&Log { level: "loud".to_owned(), format: LogFormat::Text }, None).is_err());
    }
}
