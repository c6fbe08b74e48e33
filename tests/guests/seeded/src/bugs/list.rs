//! Bugs in how a connection is browsed.

use portcullis_plugin::{Entry, Error, Page};

type List = fn(String, String, Option<String>, u32) -> Result<Page, Error>;

pub fn list(bug: &str, settings: String, prefix: String, cursor: Option<String>, limit: u32, good: List) -> Result<Page, Error> {
    match bug {
        "aws:limit_ignored" => good(settings, prefix, cursor, 1000),
        "aws:cursor_lost" => good(settings, prefix, None, limit),
        "aws:ends_early" => good(settings, prefix, cursor, limit).map(|page| Page { next: None, ..page }),
        "aws:bare_keys" => good(settings, prefix, cursor, limit).map(|page| {
            let bare = |entry: Entry| Entry { path: entry.path.split('/').skip(3).collect::<Vec<_>>().join("/"), ..entry };
            Page { entries: page.entries.into_iter().map(bare).collect(), ..page }
        }),
        "aws:list_swallows" => good(settings, prefix, cursor, limit).or(Ok(Page { entries: Vec::new(), prefixes: Vec::new(), next: None })),
        "aws:cursor_traps" if cursor.as_deref().is_some_and(|cursor| cursor.parse::<u8>().is_err()) => std::process::abort(),
        _ => good(settings, prefix, cursor, limit),
    }
}
