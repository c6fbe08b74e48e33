//! Interface `log`: a plugin's lines on the operator's log. Each is one line, escaped and tagged with the plugin's digest; what is too much is cut.

use tracing::{debug, error, info, warn};

use super::bindings::portcullis::connector::log::{Host, Level};
use super::call::Call;
use super::limits::LOG_LINE;
use crate::model::Digest;

pub struct LogBudget {
    plugin: Digest,
    left_bytes: usize,
    told: bool,
}

impl LogBudget {
    pub fn new(plugin: Digest, bytes: usize) -> Self {
        Self { plugin, left_bytes: bytes, told: false }
    }

    /// Whether lines were dropped.
    pub fn was_cut(&self) -> bool {
        self.told
    }

    /// The line as it may be written; `None` when the call has written enough.
    fn admit(&mut self, message: &str) -> Option<String> {
        let line = escape(message, LOG_LINE);
        if let Some(left) = self.left_bytes.checked_sub(line.len()) {
            self.left_bytes = left;
            return Some(line);
        }
        self.left_bytes = 0;
        if std::mem::replace(&mut self.told, true) { None } else { Some("(the plugin logged too much: the rest of this call's lines are dropped)".to_owned()) }
    }
}

/// Printable text on one line, at most `limit` bytes: whatever else is in it shows as a Rust escape.
pub fn escape(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let start = line.len();
        match character {
            '"' | '\'' => line.push(character),
            other => line.extend(other.escape_debug()),
        }
        if line.len() > limit {
            line.truncate(start);
            while line.len() > limit.saturating_sub('…'.len_utf8()) {
                line.pop();
            }
            line.push('…');
            break;
        }
    }
    line
}

impl Host for Call {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let Some(line) = self.log.admit(&message) else { return Ok(()) };
        let plugin = self.log.plugin;
        match level {
            Level::Debug => debug!(target: "portcullis::plugin", %plugin, "{line}"),
            Level::Info => info!(target: "portcullis::plugin", %plugin, "{line}"),
            Level::Warn => warn!(target: "portcullis::plugin", %plugin, "{line}"),
            Level::Error => error!(target: "portcullis::plugin", %plugin, "{line}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p09_a_log_line_is_one_printable_line() {
        for (text, line) in [
            ("plain \"quoted\" text", "plain \"quoted\" text"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\0\u{7f}\u{85}", "\\0\\u{7f}\\u{85}"),
            ("right\u{202e}left\u{2028}", "right\\u{202e}left\\u{2028}"),
            ("日本 🧪 é", "日本 🧪 é"),
        ] {
            assert_eq!(escape(text, 1024), line);
        }
    }

    #[test]
    fn p09_a_line_is_cut_at_its_limit() {
        for (text, length) in [("x".repeat(1024), 1024), ("x".repeat(1 << 20), 1024), ("\u{1b}".repeat(500), 1023), ("🧪".repeat(500), 1023)] {
            let line = escape(&text, 1024);
            assert_eq!(line.len(), length);
            assert_eq!(line.ends_with('…'), text.len() > 1024 || line.len() > text.len());
        }
    }

    #[test]
    fn p09_a_call_writes_64_kib_at_most_and_the_rest_is_dropped_with_one_word_about_it() {
        let mut log = LogBudget::new(Digest([7; 32]), 64 << 10);
        let lines: Vec<_> = (0..100_000).filter_map(|_| log.admit("0123456789abcdef")).collect();
        assert_eq!(lines.len(), (64 << 10) / 16 + 1);
        assert!(lines.last().unwrap().contains("dropped"));
    }
}
