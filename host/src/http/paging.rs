//! Pages, one style for the whole API: `?limit=&cursor=` → `{items, next_cursor}`.
//!
//! A cursor says where the next page begins. It is authenticated, and good for one organization and one list only (SECURITY A20).

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Gateway;
use super::answer::json;
use super::params::{Params, wrong};
use crate::model::{Caller, Result};

pub const MOST: usize = 500;
pub const USUAL: usize = 100;
const MAC: usize = 32;
pub const LONGEST: usize = 2048;

/// A request for one page of the list named by `list`: a route and the filters that shape it.
pub struct Paging {
    pub limit: usize,
    pub after: Option<String>,
    key: [u8; 32],
    scope: String,
}

#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Gateway {
    pub fn paging(&self, caller: &Caller, params: &mut Params<'_>, list: &str) -> Result<Paging> {
        let limit = match params.take("limit") {
            None => USUAL,
            Some(text) => text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| wrong(format!("'limit' is 1 to {MOST}")))?,
        };
        let mut paging = Paging { limit, after: None, key: self.key, scope: format!("{}\0{list}", caller.org) };
        if let Some(cursor) = params.take("cursor") {
            paging.after = Some(paging.open(&cursor).ok_or_else(|| wrong("this cursor is not one of this list's"))?);
        }
        Ok(paging)
    }
}

impl Paging {
    /// `found`: up to one more than `limit`, which tells that there is a next page. `place`: where an item is in the list.
    pub fn answer<T, J: Serialize>(&self, mut found: Vec<T>, place: impl Fn(&T) -> String, show: impl Fn(&T) -> J) -> Response {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| more).map(place);
        self.page(found.iter().map(show).collect(), next)
    }

    pub fn page<J: Serialize>(&self, items: Vec<J>, next: Option<String>) -> Response {
        json(StatusCode::OK, &Page { items, next_cursor: next.map(|place| self.seal(&place)) })
    }

    fn mac(&self, place: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.key, format!("cursor\0{}\0{place}", self.scope).as_bytes())
    }

    fn seal(&self, place: &str) -> String {
        let mut bytes = self.mac(place).as_bytes().to_vec();
        bytes.extend_from_slice(place.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, cursor: &str) -> Option<String> {
        if cursor.len() > LONGEST {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (mac, place) = bytes.split_at_checked(MAC)?;
        let place = std::str::from_utf8(place).ok()?;
        // Compares in constant time.
        (self.mac(place) == blake3::Hash::from_slice(mac).ok()?).then(|| place.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(key: u8, scope: &str) -> Paging {
        Paging { limit: 2, after: None, key: [key; 32], scope: scope.to_owned() }
    }

    #[test]
    fn a20_a_cursor_is_good_for_its_own_list_only() {
        let mine = paging(1, "acme\0jobs");
        let cursor = mine.seal("place");
        assert_eq!(mine.open(&cursor).as_deref(), Some("place"));
        for (what, other) in
            [("another organization", paging(1, "evil\0jobs")), ("another list", paging(1, "acme\0tokens")), ("another key", paging(2, "acme\0jobs"))]
        {
            assert_eq!(other.open(&cursor), None, "{what}");
        }
        for at in 0..cursor.len() {
            let mut flipped = cursor.clone().into_bytes();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(mine.open(std::str::from_utf8(&flipped).unwrap()), None, "flipped at {at}");
        }
        for nonsense in ["", "AAAA", "!", &"A".repeat(1 << 20)] {
            assert_eq!(mine.open(nonsense), None);
        }
    }
}
