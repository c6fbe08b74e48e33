//! What every store promises, as one suite that runs over each backend.

use std::sync::Arc;

use bytes::Bytes;

use super::{Expect, MAX_BATCH, MAX_KEY, MAX_VALUE, MemoryStore, Op, SledStore, Store};

fn put(key: &str, value: &str, expect: Expect) -> Op {
    Op::Put { key: key.to_owned(), value: Bytes::copy_from_slice(value.as_bytes()), expect }
}

fn delete(key: &str, expect: Expect) -> Op {
    Op::Delete { key: key.to_owned(), expect }
}

async fn value(store: &dyn Store, key: &str) -> Option<(u64, String)> {
    let found = store.get(key).await.expect("readable")?;
    Some((found.version, String::from_utf8(found.value.to_vec()).expect("text")))
}

fn some(version: u64, text: &str) -> Option<(u64, String)> {
    Some((version, text.to_owned()))
}

async fn what_crosses_a_limit_is_refused_and_nothing_is_written(store: Arc<dyn Store>) {
    let (long_key, long_value) = ("k".repeat(MAX_KEY + 1), "v".repeat(MAX_VALUE + 1));
    let many = (0..=MAX_BATCH).map(|n| put(&format!("many/{n}"), "", Expect::Any)).collect();
    let cases: Vec<(&str, Vec<Op>, &str)> = vec![
        ("an empty key", vec![put("a", "1", Expect::Any), put("", "1", Expect::Any)], "key_too_large"),
        ("a long key", vec![put("a", "1", Expect::Any), put(&long_key, "1", Expect::Any)], "key_too_large"),
        ("a long value", vec![put("a", "1", Expect::Any), put("b", &long_value, Expect::Any)], "value_too_large"),
        ("a long batch", many, "batch_too_large"),
        ("a key twice", vec![put("a", "1", Expect::Any), delete("a", Expect::Any)], "duplicate_key"),
    ];
    for (what, batch, code) in cases {
        assert_eq!(store.apply(batch).await.expect_err(what).code(), code, "{what}");
    }
    for limit in [0, 1001] {
        assert_eq!(store.scan("", None, limit).await.expect_err("a bad limit").code(), "scan_too_large");
    }
    assert_eq!(store.get("").await.expect_err("an empty key").code(), "key_too_large");
    assert!(store.scan("", None, 1).await.expect("readable").is_empty(), "nothing was written");
}

async fn an_unmet_expectation_writes_nothing_of_the_batch(store: Arc<dyn Store>) {
    store.apply(vec![put("there", "1", Expect::Absent)]).await.expect("written");
    let cases: Vec<(&str, Op)> = vec![
        ("put: it is there", put("there", "x", Expect::Absent)),
        ("put: another version", put("there", "x", Expect::Version(2))),
        ("put: no such record", put("none", "x", Expect::Version(1))),
        ("put: version 0 is no record", put("none", "x", Expect::Version(0))),
        ("delete: it is there", delete("there", Expect::Absent)),
        ("delete: another version", delete("there", Expect::Version(7))),
        ("delete: no such record", delete("none", Expect::Version(1))),
    ];
    for (what, op) in cases {
        let error = store.apply(vec![put("before", "1", Expect::Any), op, put("after", "1", Expect::Any)]).await.expect_err(what);
        assert_eq!((error.code(), error.kind()), ("stale_version", crate::model::Kind::Conflict), "{what}");
        assert_eq!(value(&*store, "there").await, some(1, "1"), "{what}");
        assert_eq!((value(&*store, "before").await, value(&*store, "after").await), (None, None), "{what}");
    }
}

async fn versions_count_the_writes_of_a_key(store: Arc<dyn Store>) {
    assert_eq!(value(&*store, "k").await, None);
    store.apply(vec![]).await.expect("an empty batch is fine");
    store.apply(vec![put("k", "a", Expect::Absent)]).await.expect("written");
    store.apply(vec![put("k", "b", Expect::Version(1))]).await.expect("written");
    store.apply(vec![put("k", "c", Expect::Any), put("other", "x", Expect::Any)]).await.expect("written");
    assert_eq!((value(&*store, "k").await, value(&*store, "other").await), (some(3, "c"), some(1, "x")));
    store.apply(vec![delete("k", Expect::Version(3)), delete("none", Expect::Any), delete("nor this", Expect::Absent)]).await.expect("deleted");
    assert_eq!(value(&*store, "k").await, None);
    store.apply(vec![put("k", "d", Expect::Absent)]).await.expect("written");
    assert_eq!(value(&*store, "k").await, some(1, "d"));
    let largest = "v".repeat(MAX_VALUE);
    store.apply(vec![put(&"k".repeat(MAX_KEY), &largest, Expect::Any)]).await.expect("the limits are inclusive");
    assert_eq!(value(&*store, &"k".repeat(MAX_KEY)).await, some(1, &largest));
}

async fn of_many_who_compare_and_set_exactly_one_wins_each_round(store: Arc<dyn Store>) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 20;
    store.apply(vec![put("counter", "0", Expect::Absent)]).await.expect("written");
    let tasks = (0..TASKS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                loop {
                    let found = store.get("counter").await.expect("read").expect("there");
                    let next = std::str::from_utf8(&found.value).expect("text").parse::<u64>().expect("a number") + 1;
                    match store
                        .apply(vec![put("counter", &next.to_string(), Expect::Version(found.version)), put(&format!("seen/{next:04}"), "", Expect::Absent)])
                        .await
                    {
                        Ok(()) => break,
                        Err(error) => assert_eq!(error.code(), "stale_version"),
                    }
                }
            }
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.expect("no panic");
    }
    let total = TASKS * ROUNDS;
    assert_eq!(value(&*store, "counter").await, some(total + 1, &total.to_string()));
    assert_eq!(store.scan("seen/", None, 1000).await.expect("read").len(), 160, "each step was taken once");
}

async fn a_scan_is_in_key_order_inside_its_prefix_and_pages(store: Arc<dyn Store>) {
    let inside: Vec<String> = (0..250).map(|n| format!("p/{n:03}")).collect();
    let mut batch: Vec<Op> = inside.iter().rev().map(|key| put(key, key, Expect::Absent)).collect();
    batch.extend(["o", "p", "p.", "p0", "q/1", "p/\u{10ffff}"].map(|key| put(key, key, Expect::Absent)));
    store.apply(batch).await.expect("written");
    let keys = |found: Vec<(String, super::Record)>| found.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    type Case<'a> = (&'a str, &'a str, Option<&'a str>, usize, Vec<&'a str>);
    let cases: Vec<Case<'_>> = vec![
        ("no such prefix", "none/", None, 10, vec![]),
        ("the limit holds", "p/", None, 2, vec!["p/000", "p/001"]),
        ("after is exclusive", "p/", Some("p/001"), 2, vec!["p/002", "p/003"]),
        ("after need not be there", "p/", Some("p/0010"), 1, vec!["p/002"]),
        ("after before the prefix", "p/", Some("a"), 1, vec!["p/000"]),
        ("after equal to the prefix", "p/", Some("p/"), 1, vec!["p/000"]),
        ("after behind the prefix", "p/", Some("q"), 10, vec![]),
        ("the last ones", "p/", Some("p/249"), 10, vec!["p/\u{10ffff}"]),
        ("neighbours", "p", None, 3, vec!["p", "p.", "p/000"]),
        ("everything", "", None, 3, vec!["o", "p", "p."]),
    ];
    for (what, prefix, after, limit, expected) in cases {
        assert_eq!(keys(store.scan(prefix, after, limit).await.expect(what)), expected, "{what}");
    }
    let mut paged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = keys(store.scan("p/", after.as_deref(), 17).await.expect("read"));
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        paged.extend(page);
    }
    assert_eq!(paged[..250], inside);
    assert_eq!(paged.len(), 251);
    store.ready().await.expect("ready");
}

/// One line for each backend.
macro_rules! backends {
    ($($promise:ident),* $(,)?) => { $(
        mod $promise {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn memory() {
                super::$promise(std::sync::Arc::new(super::MemoryStore::default())).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sled() {
                let parent = tempfile::tempdir().expect("a folder");
                super::$promise(std::sync::Arc::new(super::SledStore::open(&parent.path().join("data")).await.expect("opened"))).await;
            }
        }
    )* };
}

backends! {
    what_crosses_a_limit_is_refused_and_nothing_is_written,
    an_unmet_expectation_writes_nothing_of_the_batch,
    versions_count_the_writes_of_a_key,
    of_many_who_compare_and_set_exactly_one_wins_each_round,
    a_scan_is_in_key_order_inside_its_prefix_and_pages,
}
