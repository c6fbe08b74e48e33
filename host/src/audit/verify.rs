//! Reads the whole log and says whether it is what the gateway wrote: no line changed, left out, added or moved, none missing at either end.
//! Needs the files and the key, and no gateway.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Serialize;

use super::files::{Anchor, LONGEST_LINE, numbers, path, unwritable};
use super::line::{Key, Place};
use crate::model::{Error, Result, Timestamp};

#[derive(Debug, Default, Serialize)]
pub struct Verified {
    pub files: usize,
    pub lines: u64,
    pub first: Option<u64>,
    pub last: Option<u64>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// The last line is half written: the gateway is running, or was killed. It mends that when it starts.
    pub unfinished: bool,
    pub broken: Option<Broken>,
}

/// The first line that is not as it was written.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub file: String,
    /// From 1. `None`: the file as a whole.
    pub line: Option<u64>,
    pub why: String,
}

/// `Unavailable` when it cannot be read; that it is broken is no error of reading.
pub fn verify(folder: &Path, key: [u8; 32]) -> Result<Verified> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found("audit_not_found", format!("there is no audit log in {}", folder.display()))
            .with_remedy("Name the gateway's data folder or its configuration."),
        _ => unwritable("the audit log cannot be read", error),
    };
    let key = Key(key);
    // The anchor first: what is written meanwhile comes after it.
    let anchor = Anchor::read(folder, &key).map_err(cannot)?;
    let mut reader = Reader { key, verified: Verified::default(), before: None, anchor };
    reader.read(folder).map_err(cannot)?;
    Ok(reader.verified)
}

struct Reader {
    key: Key,
    verified: Verified,
    before: Option<Place>,
    anchor: Option<Anchor>,
}

impl Reader {
    fn read(&mut self, folder: &Path) -> io::Result<()> {
        let numbers = numbers(folder)?;
        if self.anchor.is_none() {
            self.broken("anchor.json", None, "it is missing, was changed, or was written under another master key");
            return Ok(());
        }
        for (index, number) in numbers.iter().enumerate() {
            let path = path(folder, *number);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut file = BufReader::new(File::open(&path)?);
            let mut line_number = 0;
            self.verified.files += 1;
            loop {
                let mut line = Vec::new();
                if file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                    break;
                }
                line_number += 1;
                let Some(line) = line.strip_suffix(b"\n") else {
                    if index + 1 == numbers.len() && self.reached() {
                        self.verified.unfinished = true;
                    } else {
                        self.broken(&name, Some(line_number), "it is cut off");
                    }
                    return Ok(());
                };
                if let Err(why) = self.take(line) {
                    self.broken(&name, Some(line_number), &why);
                    return Ok(());
                }
            }
        }
        if !self.reached() {
            let (last, anchored) = (self.before.as_ref().map_or(0, |place| place.seq), self.anchor.as_ref().map_or(0, |anchor| anchor.last));
            let name = numbers.last().map_or("anchor.json".to_owned(), |number| format!("{number:08}.jsonl"));
            self.broken(&name, None, &format!("the log ends with number {last}, and went to {anchored}: lines at its end are missing"));
        }
        Ok(())
    }

    /// Whether everything is there that the anchor knows of.
    fn reached(&self) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| self.before.as_ref().map_or(0, |place| place.seq) >= anchor.last)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let place = self.key.read(line).ok_or("it was changed: its hash is not the one that the gateway would have made")?;
        let Some(anchor) = &self.anchor else { return Err("there is no anchor".to_owned()) };
        match &self.before {
            Some(before) if place.seq != before.seq + 1 || place.prev != before.hash => {
                return Err(format!("number {} follows number {}: lines are missing, or were moved", place.seq, before.seq));
            }
            None if place.seq > anchor.first || (place.seq == anchor.first && place.prev != anchor.first_prev) => {
                return Err(format!("the log begins with number {}, and should with {}: lines at its beginning are missing", place.seq, anchor.first));
            }
            _ => {}
        }
        if place.seq == anchor.last && place.hash != anchor.last_hash {
            return Err("it is not the line that the anchor knows".to_owned());
        }
        let verified = &mut self.verified;
        verified.lines += 1;
        verified.first = verified.first.or(Some(place.seq));
        verified.from = verified.from.or(Some(place.time));
        (verified.last, verified.to) = (Some(place.seq), Some(place.time));
        self.before = Some(place);
        Ok(())
    }

    fn broken(&mut self, file: &str, line: Option<u64>, why: &str) {
        self.verified.broken = Some(Broken { file: file.to_owned(), line, why: why.to_owned() });
    }
}
