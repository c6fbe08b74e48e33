//! A page of the log for people, the newest first. What is shown is what the files hold; nothing is kept in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::files::{LONGEST_LINE, numbers, path};
use crate::model::{Actor, ConnectionId, OrgId, Timestamp};

/// Bytes that one page looks at, and bytes of lines that it answers with. It may be short, or empty, and still not be the last.
const MOST_LOOKED_AT: usize = 16 << 20;
const MOST_ANSWERED: usize = 2 << 20;

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

/// What decides whether a line is shown: the rest is read of those that are. None of it is ever escaped.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    time: Timestamp,
    org: Option<&'a str>,
    connection: Option<&'a str>,
    actor: Option<&'a str>,
    verb: Option<&'a str>,
}

/// A filter as lines have it.
struct Wanted {
    org: Option<String>,
    connection: Option<String>,
    actor: Option<String>,
    verb: Option<String>,
}

impl Wanted {
    fn of(filter: &Filter) -> Self {
        Self {
            org: filter.org.as_ref().map(ToString::to_string),
            connection: filter.connection.map(|id| id.to_string()),
            actor: filter.actor.map(|actor| actor.to_string()),
            verb: filter.verb.clone(),
        }
    }

    fn fits(&self, line: &Head<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&self.org, line.org) && is(&self.connection, line.connection) && is(&self.actor, line.actor) && is(&self.verb, line.verb)
    }
}

/// `before`: the number of a line; none of those from it on.
pub fn page(folder: &Path, filter: &Filter, before: Option<u64>, limit: usize) -> io::Result<Page> {
    let (wanted, mut lines, mut answered, mut looked_at) = (Wanted::of(filter), Vec::new(), 0, 0);
    for number in numbers(folder)?.into_iter().rev() {
        let path = path(folder, number);
        let bytes = match if begins_before(&path, before)? { std::fs::read(path) } else { continue } {
            Ok(bytes) => bytes,
            // It was dropped since: so were all before it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        for line in bytes.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(head) = serde_json::from_slice::<Head<'_>>(line) else { continue };
            if before.is_some_and(|before| head.seq >= before) {
                continue;
            }
            if lines.len() == limit || looked_at >= MOST_LOOKED_AT {
                return Ok(Page { lines, next: Some(head.seq + 1) });
            }
            looked_at += line.len();
            if filter.since.is_some_and(|since| head.time < since) {
                return Ok(Page { lines, next: None });
            }
            if !wanted.fits(&head) {
                continue;
            }
            answered += line.len();
            if answered > MOST_ANSWERED && !lines.is_empty() {
                return Ok(Page { lines, next: Some(head.seq + 1) });
            }
            lines.extend(serde_json::from_slice::<Value>(line));
        }
    }
    Ok(Page { lines, next: None })
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
    Ok(serde_json::from_slice::<Head<'_>>(&line).ok().is_none_or(|first| first.seq < before))
}
