//! The log: to standard error, one line an event. What may go into it is decided where it is written.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};
use crate::model::{Error, Result};

/// Once for each process; a second call changes nothing.
pub fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(directives(&log.level)).map_err(|error| Error::invalid("invalid_configuration", format!("log.level: {error}")))?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a log is running already, as in tests.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

/// A bare level is about our own lines: at `trace` some libraries write down requests, headers and all. Whoever wants that names them.
fn directives(level: &str) -> String {
    if level.contains([',', '=']) { level.to_owned() } else { format!("warn,portcullis={level}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_a_bare_level_never_opens_the_libraries() {
        assert_eq!(directives("trace"), "warn,portcullis=trace");
        assert_eq!(directives("info,hyper=debug"), "info,hyper=debug");
        let log = |level: &str| Log { level: level.to_owned(), format: LogFormat::Text };
        assert!(start(&log("loud")).is_err());
    }
}
