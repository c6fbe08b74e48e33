//! The log: to standard error, one line an event. What may go into it is decided where it is written.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};
use crate::model::{Error, Result};

/// Our own crate, as tracing names it.
const OURS: &str = "portcullis";

/// Once for each process; a second call changes nothing.
pub fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(directives(&log.level)?).map_err(|error| Error::invalid("invalid_configuration", format!("log.level: {error}")))?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a log is running already, as in tests.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

/// Below `info` some libraries write down requests, headers and all: theirs stay shut, and a bare level is about our own lines.
fn directives(level: &str) -> Result<String> {
    let mut all = vec!["warn".to_owned()];
    for directive in level.split(',').map(str::trim) {
        let (target, level) = directive.split_once('=').unwrap_or_else(|| if is_level(directive) { (OURS, directive) } else { (directive, "trace") });
        if target != OURS && !target.starts_with("portcullis::") && !["off", "error", "warn", "info"].contains(&level) {
            let message = format!("log.level: '{directive}' is no level of ours, and below info libraries write down requests with their credentials");
            return Err(Error::invalid("invalid_configuration", message)
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
        assert!(start(&Log { level: "loud".to_owned(), format: LogFormat::Text }).is_err());
    }
}
