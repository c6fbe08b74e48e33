//! Prints answers: a table for people, JSON for programs. No colour, and no control character that a remote sent.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::failure::{Done, Failure};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
}

/// A column: its head, and the JSON Pointer of its value in each row.
pub(super) type Column = (&'static str, &'static str);

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) format: Format,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn rows(self, columns: &[Column], rows: &[Value]) -> Done {
        match self.format {
            Format::Json => self.json(&Value::Array(rows.to_vec())),
            Format::Table => {
                let mut lines = vec![columns.iter().map(|(head, _)| (*head).to_owned()).collect::<Vec<_>>()];
                lines.extend(rows.iter().map(|row| columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))).collect()));
                self.text(&align(&lines))
            }
        }
    }

    /// One thing: a line for each property that it has.
    pub(super) fn record(self, properties: &[Column], record: &Value) -> Done {
        match self.format {
            Format::Json => self.json(record),
            Format::Table => {
                let lines: Vec<_> = properties
                    .iter()
                    .filter_map(|(head, pointer)| Some(vec![(*head).to_owned(), cell(Some(record.pointer(pointer).filter(|value| !value.is_null())?))]))
                    .collect();
                self.text(&align(&lines))
            }
        }
    }

    pub(super) fn json(self, value: &Value) -> Done {
        let mut text = serde_json::to_string_pretty(value).map_err(|error| Failure::local("cannot write JSON", &error))?;
        text.push('\n');
        self.raw(text.as_bytes())
    }

    /// Text of our own making; whatever a remote sent went through `printable` first.
    pub(super) fn text(self, text: &str) -> Done {
        self.raw(text.as_bytes())
    }

    fn raw(self, bytes: &[u8]) -> Done {
        write_out(&mut io::stdout().lock(), bytes)
    }

    /// On standard error, so that standard output holds results only.
    pub(super) fn failure(self, failure: &Failure) {
        if matches!(failure, Failure::OutputClosed) {
            return;
        }
        let text = match self.format {
            Format::Json => serde_json::to_string(&failure.problem()).unwrap_or_default(),
            Format::Table => printable_lines(&failure.text()),
        };
        self.note(&text);
    }

    /// For the person at the terminal, on standard error. That nobody can read it any more is no reason to fail.
    pub(super) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

pub(super) fn write_out(out: &mut impl Write, bytes: &[u8]) -> Done {
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::local("cannot write the output", &error),
    })
}

/// How a value reads in a table.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(", "),
        Some(other) => printable(&other.to_string()),
    }
}

/// A key or a server's message may hold escape sequences, and a terminal obeys them.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if is_unsafe(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}

fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Controls, and what reorders the text around it (Unicode bidirectional controls).
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn align(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (index, text) in line.iter().enumerate() {
            let width = text.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = (*widest).max(width),
                None => widths.push(width),
            }
        }
    }
    let mut out = String::new();
    for line in lines {
        let padded: Vec<_> = line.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_remote_sent_cannot_command_the_terminal() {
        for (sent, shown) in [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb", "a\\u{a}b"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("snow ☃ und Ärger", "snow ☃ und Ärger"),
        ] {
            assert_eq!(printable(sent), shown);
        }
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let lines = [["NAME", "STATUS"], ["a", "ready"], ["longer", "-"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(align(&lines), "NAME    STATUS\na       ready\nlonger  -\n");
    }

    #[test]
    fn cells_read_as_people_write() {
        for (value, text) in
            [(json!(null), "-"), (json!(""), "-"), (json!("x"), "x"), (json!(["a", "b"]), "a, b"), (json!(7), "7"), (json!({"a": 1}), "{\"a\":1}")]
        {
            assert_eq!(cell(Some(&value)), text);
        }
    }
}
