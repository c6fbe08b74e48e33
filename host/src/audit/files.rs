//! The log on disk: `<folder>/<number>.jsonl`, appended to and synced, and `anchor.json`, which says where the chain begins and how far it
//! went at least. A line is kept whole or not at all; whole files are dropped from the beginning when there are too many or they are too old.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{GENESIS, Key, Note, What};
use crate::model::{Error, Result, Timestamp};

/// A file is ended when it is this long.
pub const FILE: u64 = 4 << 20;
/// Of a line: 32 objects of 1,024 bytes, written in JSON's longest form, and the rest.
pub const LONGEST_LINE: u64 = 256 << 10;
const ANCHOR: &str = "anchor.json";

/// What is kept. At least the file that is written to stays.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub bytes: u64,
    pub age: Duration,
}

/// A file of the log, by what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub number: u64,
    pub seq: u64,
    pub prev: String,
    pub time: Timestamp,
    pub bytes: u64,
}

/// From where to where the chain goes, under a MAC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub first: u64,
    pub first_prev: String,
    pub last: u64,
    pub last_hash: String,
    mac: String,
}

pub struct Log {
    folder: PathBuf,
    key: Key,
    keep: Keep,
    /// Oldest first; the last one is written to.
    files: Vec<Begun>,
    open: File,
    /// The last line's number and hash.
    last: (u64, String),
    /// Where the chain begins: the number of its first line, and the hash before it.
    first: (u64, String),
    /// How far the anchor knows it. `None`: it is to be written in any case.
    anchored: Option<u64>,
    /// A write broke off, and what is there of it could not be cut off: nothing may come behind it.
    torn: bool,
    /// Before which line the log has told that lines are dropped.
    told: u64,
}

/// What a start would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Whole,
    /// Lines or the anchor are missing or were changed.
    Damaged,
}

/// Looks where the log ends, as a start does, and changes nothing. `Unavailable` (`audit_unavailable`).
pub fn look(folder: &Path, key: [u8; 32]) -> Result<Found> {
    let key = Key(key);
    let look = || {
        let (anchor, numbers) = (Anchor::read(folder, &key)?, numbers(folder)?);
        if begins(folder, anchor.as_ref(), &numbers) {
            return Ok(Found::Nothing);
        }
        if let Some(last) = numbers.last() {
            OpenOptions::new().append(true).open(path(folder, *last))?;
        }
        let tail = Tail::find(folder, &key, &numbers)?;
        Ok(if tail.reaches(anchor.as_ref()) { Found::Whole } else { Found::Damaged })
    };
    look().map_err(|error| unwritable("the audit log cannot be opened", error))
}

/// Before the first line: a log without an anchor is never ours.
fn begins(folder: &Path, anchor: Option<&Anchor>, numbers: &[u64]) -> bool {
    anchor.is_none() && numbers.is_empty() && !folder.join(ANCHOR).exists()
}

impl Anchor {
    fn new(key: &Key, first: &(u64, String), last: &(u64, String)) -> Self {
        let mut anchor = Self { first: first.0, first_prev: first.1.clone(), last: last.0, last_hash: last.1.clone(), mac: String::new() };
        anchor.mac = anchor.mac(key);
        anchor
    }

    fn mac(&self, key: &Key) -> String {
        // A line begins with a brace: the one is never taken for the other.
        key.hash(format!("anchor {} {} {} {}", self.first, self.first_prev, self.last, self.last_hash).as_bytes())
    }

    /// `None`: there is none, or it is not ours.
    pub fn read(folder: &Path, key: &Key) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(folder.join(ANCHOR)) {
            Ok(file) => file.take(4096).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(serde_json::from_slice::<Self>(&text).ok().filter(|anchor| same(&anchor.mac, &anchor.mac(key))))
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        let (path, text) = (folder.join(ANCHOR), serde_json::to_vec(self)?);
        let unfinished = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        sync(folder)
    }
}

/// In constant time, as hashes are compared.
fn same(one: &str, other: &str) -> bool {
    let parsed = |text: &str| blake3::Hash::from_hex(text).ok();
    parsed(one).zip(parsed(other)).is_some_and(|(one, other)| one == other)
}

impl Log {
    /// Opens the log where it ended, and mends what a kill left half written. What it has to tell of that is to be written first.
    pub fn open(folder: &Path, key: Key, keep: Keep) -> Result<(Self, Option<Note>)> {
        Self::found(folder, key, keep).map_err(|error| unwritable("the audit log cannot be opened", error))
    }

    fn found(folder: &Path, key: Key, keep: Keep) -> io::Result<(Self, Option<Note>)> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => folder.parent().map_or(Ok(()), sync)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let anchor = Anchor::read(folder, &key)?;
        let numbers = numbers(folder)?;
        if begins(folder, anchor.as_ref(), &numbers) {
            let (first, last) = ((1, GENESIS.to_owned()), (0, GENESIS.to_owned()));
            Anchor::new(&key, &first, &last).write(folder)?;
            let (folder, open) = (folder.to_owned(), create(folder, 1)?);
            let files = vec![first_of(1, &last)];
            return Ok((Self { folder, key, keep, files, open, last, first, anchored: Some(0), torn: false, told: 0 }, None));
        }
        let tail = Tail::find(folder, &key, &numbers)?;
        let reached = tail.reaches(anchor.as_ref());
        let (last, note, number) = if reached {
            let torn = tail.cut_off(folder)?;
            let detail = || format!("{torn} bytes of a line that was being written when the gateway was ended");
            (tail.last, (torn > 0).then(|| Note { verb: "repaired", detail: Some(detail()) }), None)
        } else {
            // Evidence is left as it is. The chain goes on in a file of its own, after whatever is known of it.
            let last = anchor.as_ref().filter(|anchor| anchor.last > tail.last.0).map_or(tail.last.clone(), |anchor| (anchor.last, anchor.last_hash.clone()));
            let detail = "lines or the anchor are missing or were changed: `portcullis audit verify` says where".to_owned();
            (last, Some(Note { verb: "damaged", detail: Some(detail) }), Some(numbers.last().map_or(1, |last| last + 1)))
        };
        let mut files = Vec::new();
        for number in self::numbers(folder)? {
            files.extend(begun(folder, number, &key)?);
        }
        // One that was begun and has no line yet is begun again.
        let fresh = files.last().is_none_or(|file| file.bytes >= FILE);
        let number = number.or_else(|| fresh.then(|| files.last().map_or(1, |file| file.number + 1)));
        let open = match (number, files.last()) {
            (None, Some(file)) => OpenOptions::new().append(true).open(path(folder, file.number))?,
            (number, _) => {
                let number = number.unwrap_or(1);
                files.push(first_of(number, &last));
                create(folder, number)?
            }
        };
        let beginning = files.first().map_or((1, GENESIS.to_owned()), |file| (file.seq, file.prev.clone()));
        let first = anchor.map_or(beginning, |anchor| (anchor.first, anchor.first_prev));
        let anchored = reached.then_some(0);
        Ok((Self { folder: folder.to_owned(), key, keep, files, open, last, first, anchored, torn: false, told: 0 }, note))
    }

    #[cfg(test)]
    pub fn write_to(&mut self, file: File) -> File {
        std::mem::replace(&mut self.open, file)
    }

    /// All of them on disk, or none.
    pub fn append(&mut self, lines: &[What], now: Timestamp) -> Result<()> {
        self.appended(lines, now).map_err(|error| unwritable("the audit log cannot be written", error))
    }

    fn appended(&mut self, lines: &[What], now: Timestamp) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.cut_off()?;
        }
        if self.files.last().is_none_or(|file| file.bytes >= FILE) {
            let number = self.files.last().map_or(1, |file| file.number + 1);
            self.open = create(&self.folder, number)?;
            self.files.push(first_of(number, &self.last));
        }
        let (mut last, mut bytes) = (self.last.clone(), Vec::new());
        for what in lines {
            bytes.extend_from_slice(&self.key.line(&mut last, now, what).map_err(io::Error::other)?);
        }
        if let Err(error) = self.open.write_all(&bytes).and_then(|()| self.open.sync_data()) {
            // It is written anew, so that what a failed sync lost is in memory again.
            self.torn = true;
            let _ = self.cut_off();
            return Err(error);
        }
        let Some(file) = self.files.last_mut() else { return Err(io::Error::other("no file")) };
        if file.bytes == 0 {
            file.time = now;
        }
        file.bytes += bytes.len() as u64;
        self.last = last;
        Ok(())
    }

    /// Cuts off what is there of a write that broke off.
    fn cut_off(&mut self) -> io::Result<()> {
        self.open.set_len(self.files.last().map_or(0, |file| file.bytes))?;
        self.torn = false;
        Ok(())
    }

    /// Moves the anchor to the last line, and drops what need not be kept. What is dropped before its time is told by the log itself.
    pub fn anchor(&mut self, now: Timestamp) -> Result<()> {
        self.anchor_at(now).map_err(|error| unwritable("the audit log cannot be written", error))
    }

    fn anchor_at(&mut self, now: Timestamp) -> io::Result<()> {
        let mut total: u64 = self.files.iter().map(|file| file.bytes).sum();
        let (mut dropped, mut young) = (0, 0);
        for pair in self.files.windows(2) {
            let [file, next] = pair else { break };
            let old = next.bytes > 0 && now.since(next.time) > self.keep.age;
            if total <= self.keep.bytes && !old {
                break;
            }
            total -= file.bytes;
            dropped += 1;
            young += usize::from(!old);
        }
        if dropped == 0 && self.anchored == Some(self.last.0) {
            return Ok(());
        }
        if young > 0 {
            self.tell(dropped - young..dropped, now)?;
        }
        let first = self.files.get(dropped).filter(|_| dropped > 0).map_or_else(|| self.first.clone(), |first| (first.seq, first.prev.clone()));
        Anchor::new(&self.key, &first, &self.last).write(&self.folder)?;
        (self.first, self.anchored) = (first, Some(self.last.0));
        for file in self.files.drain(..dropped) {
            fs::remove_file(path(&self.folder, file.number))?;
        }
        Ok(())
    }

    /// Writes that these files are about to be dropped although they are not too old: once, and before they are.
    fn tell(&mut self, files: Range<usize>, now: Timestamp) -> io::Result<()> {
        let (Some(from), Some(next)) = (self.files.get(files.start), self.files.get(files.end)) else { return Ok(()) };
        let end = next.seq;
        if end <= self.told {
            return Ok(());
        }
        let (first, last, since, until) = (from.seq, end - 1, from.time, if next.bytes > 0 { next.time } else { now });
        let detail = format!("lines {first} to {last}, of {since} to {until}, because the log is longer than audit.max_bytes");
        self.appended(&[What::Log(Note { verb: "dropped", detail: Some(detail.clone()) })], now)?;
        self.told = end;
        tracing::warn!(detail, "the audit log drops lines that are not too old: audit.max_bytes is too small for what is written");
        Ok(())
    }
}

/// Where the lines that can be read end, from the last file backwards.
struct Tail {
    last: (u64, String),
    /// Files with what of each is whole; what follows is not.
    ends: Vec<(u64, u64, u64)>,
}

impl Tail {
    fn find(folder: &Path, key: &Key, numbers: &[u64]) -> io::Result<Self> {
        let mut ends = Vec::new();
        for number in numbers.iter().rev() {
            let bytes = fs::read(path(folder, *number))?;
            let (mut whole, mut last) = (0, None);
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let Some(place) = line.strip_suffix(b"\n").and_then(|line| key.read(line)) else { break };
                whole += line.len() as u64;
                last = Some((place.seq, place.hash));
            }
            ends.push((*number, whole, bytes.len() as u64));
            if let Some(last) = last {
                return Ok(Self { last, ends });
            }
        }
        Ok(Self { last: (0, GENESIS.to_owned()), ends })
    }

    /// Whether everything is there that the anchor knows of. Without one nothing is known.
    fn reaches(&self, anchor: Option<&Anchor>) -> bool {
        anchor.is_some_and(|anchor| self.last.0 >= anchor.last)
    }

    /// How many bytes that was.
    fn cut_off(&self, folder: &Path) -> io::Result<u64> {
        let mut torn = 0;
        for (number, whole, bytes) in &self.ends {
            torn += bytes - whole;
            if *whole == 0 {
                fs::remove_file(path(folder, *number))?;
            } else if whole < bytes {
                let file = OpenOptions::new().write(true).open(path(folder, *number))?;
                file.set_len(*whole)?;
                file.sync_all()?;
            }
        }
        sync(folder)?;
        Ok(torn)
    }
}

fn first_of(number: u64, last: &(u64, String)) -> Begun {
    Begun { number, seq: last.0 + 1, prev: last.1.clone(), time: Timestamp::from_millis(0), bytes: 0 }
}

/// What a file begins with; `None` if that is no line of ours.
fn begun(folder: &Path, number: u64, key: &Key) -> io::Result<Option<Begun>> {
    let file = File::open(path(folder, number))?;
    let bytes = file.metadata()?.len();
    let mut line = Vec::new();
    BufReader::new(file.take(LONGEST_LINE)).read_until(b'\n', &mut line)?;
    let place = line.strip_suffix(b"\n").and_then(|line| key.read(line));
    Ok(place.map(|place| Begun { number, seq: place.seq, prev: place.prev, time: place.time, bytes }))
}

fn create(folder: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path(folder, number))?;
    sync(folder)?;
    Ok(file)
}

pub fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.jsonl"))
}

/// Of the files that there are, in order.
pub fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

pub fn unwritable(what: &str, error: io::Error) -> Error {
    Error::unavailable("audit_unavailable", format!("{what}: {error}"))
        .with_remedy("An operator looks at the gateway's log and the disk of its data folder.")
        .with_source(error)
}
