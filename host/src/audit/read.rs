//! A page of the log for people, the newest first. What is shown is what the files hold; nothing is kept in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::files::{LONGEST_LINE, numbers, path};
use crate::model::{Actor, ConnectionId, OrgId, Timestamp};

/// Lines that one page looks at. A page with a filter may be short, or empty, and still not be the last.
const MOST_LOOKED_AT: usize = 20_000;

/// What is asked for. `None`: all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub org: Option<OrgId>,
    pub connection: Option<ConnectionId>,
    pub actor: Option<Actor>,
    pub verb: Option<String>,
    pub since: Option<Timestamp>,
}

/// `next`: the number before which the next page begins.
pub struct Page {
    pub lines: Vec<Value>,
    pub next: Option<u64>,
}

impl Filter {
    fn fits(&self, line: &Value) -> bool {
        let is = |name: &str, wanted: Option<String>| wanted.is_none_or(|wanted| line.get(name).and_then(Value::as_str) == Some(wanted.as_str()));
        is("org", self.org.as_ref().map(ToString::to_string))
            && is("connection", self.connection.map(|id| id.to_string()))
            && is("actor", self.actor.map(|actor| actor.to_string()))
            && is("verb", self.verb.clone())
    }
}

/// `before`: the number of a line; none of those from it on.
pub fn page(folder: &Path, filter: &Filter, before: Option<u64>, limit: usize) -> io::Result<Page> {
    let (mut lines, mut looked_at) = (Vec::new(), 0);
    for number in numbers(folder)?.into_iter().rev() {
        let path = path(folder, number);
        let bytes = match if begins_before(&path, before)? { std::fs::read(path) } else { continue } {
            Ok(bytes) => bytes,
            // It was dropped since: so were all before it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        for line in bytes.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
            let Some(seq) = seq(&line).filter(|seq| before.is_none_or(|before| *seq < before)) else { continue };
            if lines.len() == limit || looked_at == MOST_LOOKED_AT {
                return Ok(Page { lines, next: Some(seq + 1) });
            }
            looked_at += 1;
            let time = line.get("time").and_then(|time| serde_json::from_value::<Timestamp>(time.clone()).ok());
            if time.is_some_and(|time| filter.since.is_some_and(|since| time < since)) {
                return Ok(Page { lines, next: None });
            }
            if filter.fits(&line) {
                lines.push(line);
            }
        }
    }
    Ok(Page { lines, next: None })
}

fn seq(line: &Value) -> Option<u64> {
    line.get("seq")?.as_u64()
}

/// Whether a file holds lines before that number. One without a line that can be read might.
fn begins_before(path: &Path, before: Option<u64>) -> io::Result<bool> {
    let Some(before) = before else { return Ok(true) };
    let mut line = Vec::new();
    match File::open(path) {
        Ok(file) => BufReader::new(file.take(LONGEST_LINE)).read_until(b'\n', &mut line)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(serde_json::from_slice(&line).ok().and_then(|line| seq(&line)).is_none_or(|first| first < before))
}
