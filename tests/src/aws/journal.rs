//! Who asked for what, and what came of it: what assertions read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use super::fault::Service;

const LIMIT: usize = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub service: Option<Service>,
    pub method: String,
    pub host: String,
    /// As sent, still encoded, without the query.
    pub path: String,
    /// Names and decoded values, the signature left out. For STS: the form.
    pub params: BTreeMap<String, String>,
    /// `range`, `if-match`, … as sent; `authorization` left out.
    pub headers: BTreeMap<String, String>,
    /// The ARN of the principal whose signature verified.
    pub principal: Option<String>,
    /// As policies call it: `s3:GetObject`.
    pub action: Option<String>,
    pub resource: Option<String>,
    /// `None`: refused before any policy was read.
    pub allowed: Option<bool>,
    pub status: u16,
    /// The error's code, if it was one.
    pub code: Option<String>,
}

#[derive(Default)]
pub struct Journal(Mutex<VecDeque<Entry>>);

impl Journal {
    pub fn add(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap();
        if entries.len() == LIMIT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().iter().cloned().collect()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}
