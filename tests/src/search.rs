//! Looks for secrets, in every form that a careless line would write them in, in one pass over the bytes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter ones would be found everywhere.
const SHORTEST: usize = 8;

pub struct Search {
    /// Each with what it is: `password (hex)`.
    needles: Vec<(String, Vec<u8>)>,
    /// By the first two bytes.
    by_start: Vec<Vec<usize>>,
}

impl Default for Search {
    fn default() -> Self {
        Self { needles: Vec::new(), by_start: vec![Vec::new(); 1 << 16] }
    }
}

impl Search {
    /// A secret, in every form.
    pub fn secret(&mut self, name: &str, secret: &[u8]) {
        for (form, bytes) in forms(secret) {
            self.exactly(&format!("{name} ({form})"), bytes);
        }
    }

    /// A text as it is.
    pub fn exactly(&mut self, name: &str, bytes: Vec<u8>) {
        assert!(bytes.len() >= SHORTEST, "{name} is too short to look for");
        if self.needles.iter().all(|(_, known)| *known != bytes) {
            self.by_start[key(bytes[0], bytes[1])].push(self.needles.len());
            self.needles.push((name.to_owned(), bytes));
        }
    }

    /// What of it is in `bytes`.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let Some(last) = bytes.len().checked_sub(2) else { return found };
        // Plain counting: a debug build goes over hundreds of megabytes here.
        let mut at = 0;
        while at <= last {
            let candidates = &self.by_start[key(bytes[at], bytes[at + 1])];
            if !candidates.is_empty() {
                let hits = candidates.iter().map(|index| &self.needles[*index]).filter(|(_, needle)| bytes[at..].starts_with(needle));
                found.extend(hits.map(|(name, _)| name.as_str()));
            }
            at += 1;
        }
        found
    }
}

fn key(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(secret);
    let mut forms: Vec<(String, Vec<u8>)> = vec![
        ("raw".to_owned(), secret.to_vec()),
        ("hex".to_owned(), hex::encode(secret).into_bytes()),
        ("HEX".to_owned(), hex::encode_upper(secret).into_bytes()),
        ("percent".to_owned(), percent_encoding::percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string().into_bytes()),
        ("form".to_owned(), url::form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes()),
        ("UTF-16".to_owned(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("escaped".to_owned(), text.escape_default().to_string().into_bytes()),
        ("reversed".to_owned(), secret.iter().rev().copied().collect()),
    ];
    // Base64 of it at each of three alignments: whatever stands before it shifts it by 0, 1 or 2 bytes.
    for shift in [0, 1, 2] {
        let mut bytes = vec![b'x'; shift];
        bytes.extend_from_slice(secret);
        for (alphabet, text) in [("base64", STANDARD_NO_PAD.encode(&bytes)), ("base64url", URL_SAFE_NO_PAD.encode(&bytes))] {
            // Without the first and the last letters, which depend on the neighbours.
            forms.push((format!("{alphabet} after {shift}"), text.as_bytes()[[0, 2, 3][shift]..text.len() - 3].to_vec()));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_search_finds_what_it_looks_for() {
        let mut search = Search::default();
        search.secret("x", "canary-7f3a/s3cr3t".as_bytes());
        for text in [
            "canary-7f3a/s3cr3t".to_owned(),
            STANDARD.encode("user:canary-7f3a/s3cr3t"),
            STANDARD.encode("al:canary-7f3a/s3cr3t!"),
            STANDARD.encode("canary-7f3a/s3cr3tz"),
            hex::encode("canary-7f3a/s3cr3t"),
            "canary%2D7f3a%2Fs3cr3t".to_owned(),
            "canary-7f3a%2Fs3cr3t".to_owned(),
        ] {
            for place in [format!("before {text} after"), text.clone(), format!("{text}!"), format!("ca{text}")] {
                assert!(!search.found_in(place.as_bytes()).is_empty(), "{place}");
            }
        }
        for other in ["canary-7f3a/s3cr3", "", "c", "ca", "anary-7f3a/s3cr3t"] {
            assert!(search.found_in(other.as_bytes()).is_empty(), "{other}");
        }
    }
}
