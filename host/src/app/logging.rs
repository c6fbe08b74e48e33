//! The log: to standard error, one line an event. What may go into it is decided where it is written.

use std::fmt::Write;

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{self, FormatFields};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

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
        LogFormat::Text => lines.fmt_fields(OneLine).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // An error means that a log is running already, as in tests.
    let _ = tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init();
    Ok(Level(handle))
}

/// The message and the fields of a line of text. Callers, remotes and plugins have their words in them, by `%` and by `?`: what could begin
/// another line, or lead a terminal, is shown as a Rust escape. (JSON has escapes of its own.)
struct OneLine;

impl<'writer> FormatFields<'writer> for OneLine {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> std::fmt::Result {
        DefaultFields::new().format_fields(Writer::new(&mut Printable(&mut writer)), fields)
    }
}

struct Printable<'a, W>(&'a mut W);

impl<W: Write> Write for Printable<'_, W> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_str(text);
        }
        for character in text.chars() {
            match character {
                // Whoever quoted it has escaped it already.
                '"' | '\'' | '\\' => self.0.write_char(character)?,
                other => write!(self.0, "{}", other.escape_debug())?,
            }
        }
        Ok(())
    }
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
    fn a17_m18_a_line_of_text_is_one_printable_line() {
        for (text, line) in [
            ("plain \"quoted\" 'text' \\n", "plain \"quoted\" 'text' \\n"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31mred\u{7f}\u{9b}2K", "\\u{1b}[31mred\\u{7f}\\u{9b}2K"),
            ("right\u{202e}left\u{2028}", "right\\u{202e}left\\u{2028}"),
            ("日本 🧪 é", "日本 🧪 é"),
        ] {
            let mut written = String::new();
            Printable(&mut written).write_str(text).expect("written");
            assert_eq!(written, line);
        }
    }

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
