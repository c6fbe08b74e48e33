//! Browsing, against a remote that is played: pages in order to the end, within the limit, of paths that can be planned.

use std::collections::BTreeSet;

use super::example::Example;
use super::golden::shown;
use super::report::Id;
use super::script::{Ask, Fault, Mood, OBJECTS};
use super::sources::Place;
use super::subject::{Subject, kind};
use crate::model::{Error, Page, Result};

const LIMIT: u32 = 10;
/// Far more pages than there are.
const PAGES: usize = 40;
/// Nobody gave these out (SECURITY A20).
const CURSORS: [&str; 10] = ["-1", "999999999999999999999", "0", "1e3", "'; --", "../..", "https://evil.example/", "\u{202e}", "{}", "0x0"];
const PREFIXES: [&str; 8] =
    ["../", "%2e%2e/", "//evil.example/", "https://evil.example/", "s3://kit-other-bucket/", "\u{202e}", "a b#?", "{settings.hostname}"];
/// What a web server may answer: it depends on the connector which one it reads.
const DOCUMENTS: [&str; 2] = [
    "<html><body><a href=\"../\">..</a><a href=\"kit-00.jpg\">a</a><a href=\"kit-01.jpg\">b</a><a href=\"kit-02.jpg\">c</a><a href=\"kit-03/\">d</a><a href=\"kit-04.jpg\">e</a></body></html>",
    "[]",
];

pub async fn list(subject: &mut Subject, example: &Example) {
    subject.verdicts.reach(Id::List);
    let place = Place::of(example).into_iter().next();
    let prefix = match &place {
        Some(Place::S3 { bucket, prefix }) => format!("s3://{bucket}/{prefix}"),
        Some(Place::Web { .. }) | None => String::new(),
    };
    let mut document = "";
    let mut first = Err(Error::invalid("nothing", "nothing was listed"));
    for candidate in DOCUMENTS {
        first = page(subject, example, &prefix, None, Mood { document: candidate, ..Mood::default() }).await;
        document = candidate;
        if first.is_ok() {
            break;
        }
    }
    let asked: Vec<Ask> = subject.script.asked().iter().map(|call| call.what).collect();
    match first {
        Err(error) if error.code() == "list_not_supported" => return subject.verdicts.note(Id::List, "it does not list, and says so"),
        // It reads documents that the kit cannot write: that it says so is all there is to see.
        Err(error) if asked.contains(&Ask::Document) => subject.verdicts.note(Id::List, format!("{}: the kit's documents are not read: {error}", example.from)),
        Err(error) => return subject.verdicts.fail(Id::List, format!("{}: {error}", example.from)),
        Ok(_) => pages(subject, example, &prefix, document, asked.contains(&Ask::List)).await,
    }
    faults(subject, example, &prefix, document).await;
    strangers(subject, example, &prefix, document).await;
}

async fn page(subject: &mut Subject, example: &Example, prefix: &str, cursor: Option<&str>, mood: Mood) -> Result<Page> {
    subject.script.play(mood);
    subject.list(&example.grant, prefix, cursor, LIMIT).await
}

/// To the end, each page as asked for and nothing twice.
async fn pages(subject: &mut Subject, example: &Example, prefix: &str, document: &'static str, bucket: bool) {
    let (mut cursor, mut seen, mut count) = (None::<String>, BTreeSet::new(), 0);
    loop {
        let mood = || Mood { document, ..Mood::default() };
        let found = page(subject, example, prefix, cursor.as_deref(), mood()).await;
        let again = page(subject, example, prefix, cursor.as_deref(), mood()).await;
        let page = match found {
            Ok(page) => page,
            Err(error) => return subject.verdicts.fail(Id::List, format!("{}: page {count}: {error}", example.from)),
        };
        subject.verdicts.expect(Id::List, again.is_ok_and(|again| again == page), || format!("{}: page {count} is not the same twice", example.from));
        let shown = page.entries.len() + page.prefixes.len();
        subject.verdicts.expect(Id::List, shown <= LIMIT as usize, || format!("{}: a page of {LIMIT} has {shown}", example.from));
        for path in page.entries.iter().map(|entry| &entry.path).chain(&page.prefixes) {
            subject.verdicts.expect(Id::List, seen.insert(path.clone()), || format!("{}: {path:?} is listed twice", example.from));
        }
        locatable(subject, example, &page).await;
        count += 1;
        let Some(next) = page.next else { break };
        if count >= PAGES || cursor.as_ref() == Some(&next) {
            return subject.verdicts.fail(Id::List, format!("{}: after {count} pages there is always one more", example.from));
        }
        cursor = Some(next);
    }
    if bucket {
        subject.verdicts.expect(Id::List, seen.len() == OBJECTS, || format!("{}: the remote has {OBJECTS} objects, {} are listed", example.from, seen.len()));
    }
    subject.verdicts.note(Id::List, format!("{}: {} paths in {count} pages", example.from, seen.len()));
}

async fn locatable(subject: &mut Subject, example: &Example, page: &Page) {
    let paths: Vec<&str> = page.entries.iter().map(|entry| entry.path.as_str()).collect();
    if paths.is_empty() {
        return;
    }
    let plan = match subject.locate(&example.text, &paths).await {
        Ok(plan) => plan,
        Err(error) => return subject.verdicts.fail(Id::List, format!("{}: what it lists it cannot plan: {error}", example.from)),
    };
    let bad = plan.locations.iter().position(Result::is_err);
    subject
        .verdicts
        .expect(Id::List, bad.is_none(), || format!("{}: it lists {:?} and cannot plan it: {}", example.from, bad.and_then(|at| paths.get(at)), shown(&plan)));
}

/// An error is an error: an empty page would say that nothing is there.
async fn faults(subject: &mut Subject, example: &Example, prefix: &str, document: &'static str) {
    for fault in Fault::ALL {
        let found = page(subject, example, prefix, None, Mood { fault: Some(fault), document, ..Mood::default() }).await;
        if subject.script.asked().is_empty() {
            continue;
        }
        let meant = match fault {
            Fault::Refused => "rejected",
            Fault::NotFound => "not_found",
            Fault::Unavailable | Fault::Slow => "unavailable",
        };
        match found {
            Ok(_) => subject.verdicts.fail(Id::List, format!("{}: the remote is {fault:?}, and a page is returned", example.from)),
            Err(error) => subject.verdicts.expect(Id::List, kind(error.kind()) == meant, || {
                format!("{}: the remote is {fault:?}, and the error is {} ({error})", example.from, kind(error.kind()))
            }),
        }
    }
}

/// Answers or errors: a trap is found by whoever looks at every call.
async fn strangers(subject: &mut Subject, example: &Example, prefix: &str, document: &'static str) {
    let mood = || Mood { document, ..Mood::default() };
    for cursor in CURSORS {
        let _ = page(subject, example, prefix, Some(cursor), mood()).await;
    }
    for prefix in PREFIXES {
        let _ = page(subject, example, prefix, None, mood()).await;
    }
    let long = "x".repeat(4096);
    let _ = page(subject, example, &long, Some(&long), mood()).await;
}
