//! Names are unique, ids belong to one organization, and a stale writer loses.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::{ConnectionState, Digest, ExternalId, Timestamp};
use crate::store::MemoryStore;

fn records() -> Records {
    Records(Arc::new(MemoryStore::default()))
}

fn connection(org: &str, name: &str, number: u128) -> Connection {
    Connection {
        state: ConnectionState::Ready,
        ..Connection::new(
            ConnectionId(uuid::Uuid::from_u128(number)),
            OrgId::new(org).unwrap(),
            ConnectionName::new(name).unwrap(),
            if number.is_multiple_of(2) { "https_basic" } else { "https_bearer" }.to_owned(),
            Digest([0; 32]),
            ExternalId::new("pc-000000000000000000000000").unwrap(),
            Timestamp::from_millis(0),
        )
    }
}

fn names(found: &[Connection]) -> Vec<&str> {
    found.iter().map(|connection| connection.name.as_str()).collect()
}

#[tokio::test]
async fn a04_v12_another_organizations_connection_is_as_good_as_none() {
    let records = records();
    let made = records.insert(connection("acme", "films", 1)).await.unwrap().connection;
    let (acme, evil) = (OrgId::new("acme").unwrap(), OrgId::new("evil").unwrap());
    let long = "x".repeat(10_000);
    for (org, name_or_id) in [
        (&evil, "films"),
        (&evil, &*made.id.to_string()),
        (&acme, "never"),
        (&acme, "../films"),
        (&acme, "\0"),
        (&acme, ""),
        (&acme, long.as_str()),
        (&acme, "FILMS"),
    ] {
        let Err(error) = records.find(org, name_or_id).await else { panic!("{org} finds {name_or_id}") };
        assert_eq!(error.to_string(), no_such_connection().to_string());
    }
    for name_or_id in ["films", &made.id.to_string()] {
        assert_eq!(records.find(&acme, name_or_id).await.unwrap().connection.id, made.id);
    }
}

#[tokio::test]
async fn c10_p08_a_name_is_taken_once_in_an_organization() {
    let records = records();
    let films = records.insert(connection("acme", "films", 1)).await.unwrap();
    records.insert(connection("acme", "music", 2)).await.unwrap();
    records.insert(connection("evil", "films", 3)).await.map(drop).expect("another organization has names of its own");
    for (what, outcome) in [
        ("create", records.insert(connection("acme", "films", 4)).await.map(drop)),
        ("rename", records.replace(&films, Connection { name: ConnectionName::new("music").unwrap(), ..films.connection.clone() }).await.map(drop)),
    ] {
        assert_eq!(outcome.expect_err(what).code(), "name_taken", "{what}");
    }
    let acme = OrgId::new("acme").unwrap();
    let renamed = records.replace(&films, Connection { name: ConnectionName::new("movies").unwrap(), ..films.connection.clone() }).await.unwrap();
    assert!(records.find(&acme, "films").await.is_err(), "the old name is free");
    records.insert(connection("acme", "films", 5)).await.map(drop).expect("and can be taken");
    records.remove(&renamed).await.unwrap();
    assert!(records.find(&acme, "movies").await.is_err());
    assert!(records.find(&acme, &renamed.connection.id.to_string()).await.is_err());
}

#[tokio::test]
async fn p08_an_identity_is_taken_once_in_an_organization() {
    let records = records();
    let same = Some(uuid::Uuid::from_u128(7));
    let one = |org: &str, name: &str, number| Connection { identity: same, ..connection(org, name, number) };
    let films = records.insert(one("acme", "films", 1)).await.unwrap();
    assert_eq!(records.insert(one("acme", "movies", 2)).await.map(drop).expect_err("taken").code(), "duplicate_connection");
    assert_eq!(records.insert(one("acme", "films", 3)).await.map(drop).expect_err("both are taken").code(), "name_taken");
    records.insert(one("evil", "films", 4)).await.map(drop).expect("another organization has identities of its own");
    let renamed = records.replace(&films, Connection { name: ConnectionName::new("movies").unwrap(), ..films.connection.clone() }).await.unwrap();
    assert_eq!(records.insert(one("acme", "films", 5)).await.map(drop).expect_err("under another name").code(), "duplicate_connection");
    records.remove(&renamed).await.unwrap();
    records.insert(one("acme", "movies", 6)).await.map(drop).expect("what was deleted takes nothing");
}

#[tokio::test]
async fn p12_what_was_deleted_is_known_by_its_organization_until_its_name_is_taken_again() {
    let records = records();
    let films = records.insert(connection("acme", "films", 1)).await.unwrap();
    records.remove(&films).await.unwrap();
    let id = films.connection.id.to_string();
    let code = async |org: &str, name_or_id: &str| records.find(&OrgId::new(org).unwrap(), name_or_id).await.map(drop).expect_err("gone").code().to_owned();
    for name_or_id in ["films", &id] {
        assert_eq!(code("acme", name_or_id).await, "connection_deleted");
        assert_eq!(code("evil", name_or_id).await, "connection_not_found");
    }
    let music = records.insert(connection("acme", "music", 2)).await.unwrap();
    records.replace(&music, Connection { name: ConnectionName::new("films").unwrap(), ..music.connection.clone() }).await.unwrap();
    assert_eq!(records.find(&OrgId::new("acme").unwrap(), "films").await.unwrap().connection.id, music.connection.id);
    assert_eq!(code("acme", "music").await, "connection_not_found", "that one was renamed");
    assert_eq!(code("acme", &id).await, "connection_deleted");
}

#[tokio::test]
async fn p11_a_stale_writer_loses() {
    let records = records();
    let seen = records.insert(connection("acme", "films", 1)).await.unwrap();
    let current = records.replace(&seen, seen.connection.clone()).await.unwrap();
    for outcome in [records.replace(&seen, seen.connection.clone()).await.map(drop), records.remove(&seen).await] {
        assert_eq!(outcome.expect_err("stale").code(), "stale_version");
    }
    records.remove(&current).await.expect("the one who saw the last write");
}

#[tokio::test]
async fn c26_lists_are_in_the_order_of_names_filtered_and_paged() {
    let records = records();
    let (acme, none) = (OrgId::new("acme").unwrap(), ConnectionName::new("portcullis").unwrap());
    for number in (0..250).rev() {
        records.insert(connection("acme", &format!("name_{number:03}"), number)).await.unwrap();
    }
    records.insert(connection("acmeb", "zzz", 900)).await.unwrap();
    let all = records.list(&acme, Filter::default(), &none, None, 1000).await.unwrap();
    assert_eq!((all.connections.len(), all.next), (250, None));
    assert!(all.connections.is_sorted_by_key(|connection| connection.name.clone()));
    let page = records.list(&acme, Filter::default(), &none, Some("name_009"), 2).await.unwrap();
    assert_eq!((names(&page.connections), page.next.as_deref()), (vec!["name_010", "name_011"], Some("name_011")));
    let last = records.list(&acme, Filter::default(), &none, Some("name_247"), 2).await.unwrap();
    assert_eq!((names(&last.connections), last.next), (vec!["name_248", "name_249"], None), "full, and the last");
    let shadowed = ConnectionName::new("name_010").unwrap();
    assert_eq!(names(&records.list(&acme, Filter::default(), &shadowed, Some("name_009"), 2).await.unwrap().connections), ["name_011", "name_012"]);
    let basic = Filter { connector: Some("https_basic"), state: Some(ConnectionState::Ready) };
    assert_eq!(names(&records.list(&acme, basic, &none, Some("name_246"), 10).await.unwrap().connections), ["name_248"]);
    let failed = records.list(&acme, Filter { state: Some(ConnectionState::Error), connector: None }, &none, None, 10).await.unwrap();
    assert!(failed.connections.is_empty() && failed.next.is_none());
}

/// Counts what is asked of a store.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    gets: AtomicUsize,
    written: AtomicUsize,
    scanned: AtomicUsize,
}

#[async_trait::async_trait]
impl Store for Counting {
    async fn get(&self, key: &str) -> Result<Option<crate::store::Record>> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.store.get(key).await
    }
    async fn apply(&self, batch: Vec<Op>) -> Result<()> {
        self.written.fetch_add(batch.len(), Ordering::Relaxed);
        self.store.apply(batch).await
    }
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, crate::store::Record)>> {
        let found = self.store.scan(prefix, after, limit).await?;
        self.scanned.fetch_add(found.len(), Ordering::Relaxed);
        Ok(found)
    }
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn c26_what_the_ten_thousandth_connection_costs_is_what_the_first_did() {
    let store = Arc::new(Counting::default());
    let records = Records(store.clone());
    let (acme, none) = (OrgId::new("acme").unwrap(), ConnectionName::new("portcullis").unwrap());
    let failed = Filter { state: Some(ConnectionState::Error), connector: None };
    let costs = async |number: u128| {
        let count = || [&store.gets, &store.written, &store.scanned].map(|count| count.swap(0, Ordering::Relaxed));
        count();
        let name = format!("name_{number:05}");
        let found = records.insert(connection("acme", &name, number)).await.unwrap();
        let insert = count();
        records.replace(&found, found.connection.clone()).await.unwrap();
        let replace = count();
        records.find(&acme, &name).await.unwrap();
        let find = count();
        records.list(&acme, Filter::default(), &none, Some(&name), 100).await.unwrap();
        let page = count();
        ([insert, replace, find, page], records.list(&acme, failed, &none, None, 100).await.map(|_| count()).unwrap())
    };
    let (first, _) = costs(0).await;
    for number in 1..9_999 {
        records.insert(connection("acme", &format!("name_{number:05}"), number)).await.unwrap();
    }
    let (last, filtered) = costs(9_999).await;
    assert_eq!(first, last, "gets, writes and records scanned of: insert, replace, find, the page at the end");
    assert!(filtered[0] <= MAX_LOOKED_AT && filtered[2] <= MAX_LOOKED_AT, "a filter that nothing fits looks at a bounded number: {filtered:?}");
    let (mut next, mut pages) = (None, 0);
    loop {
        let page = records.list(&acme, failed, &none, next.as_deref(), 100).await.unwrap();
        assert!(page.connections.is_empty());
        pages += 1;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert!((2..=3).contains(&pages), "and its pages end: {pages}");
}

#[tokio::test]
async fn a_connection_that_is_too_large_is_refused_before_it_is_stored() {
    let records = records();
    let large = Connection { description: "x".repeat(MAX_RECORD), ..connection("acme", "films", 1) };
    assert_eq!(records.insert(large).await.map(drop).expect_err("too large").code(), "connection_too_large");
    assert!(records.find(&OrgId::new("acme").unwrap(), "films").await.is_err());
}
