//! What is particular to the embedded store: durability, reopening, damage.

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::store::Expect;

fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_owned().into(), expect: Expect::Any }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
    async fn open(&self) -> Result<SledStore> {
        SledStore::open(&self.data()).await
    }
    async fn refusal(&self) -> Error {
        match self.open().await {
            Ok(_) => panic!("it opened"),
            Err(error) => error,
        }
    }
}

#[tokio::test]
async fn c14_a_folder_that_is_not_private_is_refused() {
    let place = Place::new();
    drop(place.open().await.expect("opened"));
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).expect("changed");
    assert_eq!(place.refusal().await.code(), "data_folder_not_private");
}

#[tokio::test]
async fn a_second_gateway_on_the_same_folder_is_refused() {
    let place = Place::new();
    let _first = place.open().await.expect("opened");
    let error = place.refusal().await;
    assert_eq!(error.code(), "store_in_use");
    assert!(error.message().contains("another gateway is running on this data folder"));
}

#[tokio::test]
async fn c15_a_newer_format_is_refused_and_left_alone() {
    let place = Place::new();
    let store = place.open().await.expect("opened");
    store.apply(vec![put("k", "v")]).await.expect("written");
    store.db.open_tree(META).expect("a tree").insert(FORMAT_KEY, record::encode(FORMAT_KEY, 2, b"2")).expect("written");
    drop(store);
    for _ in 0..2 {
        assert_eq!(place.refusal().await.code(), "store_format_newer");
    }
}

#[tokio::test]
async fn c07_a_store_that_lost_its_log_is_not_taken_for_a_new_one() {
    let place = Place::new();
    let store = place.open().await.expect("opened");
    store.apply(vec![put("k", "v")]).await.expect("written");
    drop(store);
    let kept = place.0.path().join("kept");
    fs::rename(place.data().join("store"), &kept).expect("moved");
    let error = place.refusal().await;
    assert_eq!(error.code(), "store_corrupt");
    assert!(error.message().contains(&*place.data().to_string_lossy()), "names the folder: {error}");
    fs::remove_dir_all(place.data().join("store")).expect("removed");
    fs::rename(kept, place.data().join("store")).expect("moved back");
    assert!(place.open().await.expect("opened").get("k").await.expect("read").is_some());
}

#[tokio::test]
async fn c08_an_unfinished_snapshot_is_removed_and_nothing_is_lost() {
    let place = Place::new();
    let store = place.open().await.expect("opened");
    store.apply((0..500).map(|n| put(&format!("k/{n}"), "v")).collect()).await.expect("written");
    drop(store);
    let unfinished = place.data().join("store/snap.FFFFFFFFFFFFFFF0.generating");
    fs::write(&unfinished, b"half of a snapshot").expect("written");
    let store = place.open().await.expect("opened");
    assert!(!unfinished.exists());
    assert_eq!(store.scan("k/", None, 1000).await.expect("read").len(), 500);
}

#[tokio::test]
async fn c09_a_damaged_record_is_named_and_can_be_deleted() {
    let place = Place::new();
    let store = place.open().await.expect("opened");
    store.apply(vec![put("bad", "value"), put("good", "value")]).await.expect("written");
    let mut bytes = store.db.get("bad").expect("read").expect("there").to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    store.db.insert("bad", bytes).expect("written");
    for error in [
        store.get("bad").await.expect_err("damaged"),
        store.scan("", None, 10).await.expect_err("damaged"),
        store.apply(vec![put("bad", "new"), put("good", "new")]).await.expect_err("damaged"),
    ] {
        assert_eq!(error.code(), "store_corrupt");
        assert!(error.message().contains("bad"));
    }
    assert_eq!(store.get("good").await.expect("read").expect("there").version, 1);
    store.apply(vec![Op::Delete { key: "bad".to_owned(), expect: Expect::Any }]).await.expect("deleted");
    assert_eq!(store.scan("", None, 10).await.expect("read").len(), 1);
}

/// Overwrites parts of the log: it opens whole, opens with named damage, or refuses; it never panics and never answers wrongly.
#[tokio::test]
async fn c07_c09_a_damaged_log_never_gives_a_wrong_answer() {
    for round in 0..24_u64 {
        let place = Place::new();
        let store = place.open().await.expect("opened");
        for n in 0..40 {
            store.apply(vec![put(&format!("k/{n:02}"), &format!("value {n:02} {}", "x".repeat(200)))]).await.expect("written");
        }
        drop(store);
        let path = place.data().join("store/db");
        let length = fs::metadata(&path).expect("there").len().min(24 * 1024);
        let mut log = fs::OpenOptions::new().write(true).open(&path).expect("opened");
        log.seek(SeekFrom::Start(length * round / 24)).expect("inside");
        log.write_all(&[0xa5; 64]).expect("written");
        drop(log);
        match place.open().await {
            Err(error) => assert!(["store_corrupt", "store_unreadable", "store_failed"].contains(&error.code()), "{error:?}"),
            Ok(store) => {
                for n in 0..40 {
                    if let Ok(Some(found)) = store.get(&format!("k/{n:02}")).await {
                        assert!(found.value.starts_with(format!("value {n:02} ").as_bytes()), "round {round}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m27_an_acknowledged_write_was_synced_and_writers_share_syncs() {
    let place = Place::new();
    let store = Arc::new(place.open().await.expect("opened"));
    let before = store.syncs();
    for n in 0..10_u64 {
        store.apply(vec![put(&format!("one/{n}"), "v")]).await.expect("written");
        assert_eq!(store.syncs(), before + n + 1, "each lone write is followed by its own sync");
    }
    let before = store.syncs();
    let writes = (0..200).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.apply(vec![put(&format!("many/{n}"), "v")]).await })
    });
    for write in futures_util::future::join_all(writes).await {
        write.expect("no panic").expect("written");
    }
    let shared = store.syncs() - before;
    assert!((1..200).contains(&shared), "{shared} syncs for 200 writers");
}

#[tokio::test(flavor = "multi_thread")]
async fn c01_reopening_finds_everything_that_was_acknowledged() {
    let place = Place::new();
    for generation in 0..4_u64 {
        let store = place.open().await.expect("opened at once, though the lock was just given back");
        assert_eq!(store.scan("k/", None, 1000).await.expect("read").len() as u64, generation * 100);
        store.apply((0..100).map(|n| put(&format!("k/{generation}/{n:03}"), "v")).collect()).await.expect("written");
        store.apply(vec![put("counter", &generation.to_string())]).await.expect("written");
        let counter = store.get("counter").await.expect("read").expect("there");
        assert_eq!((counter.version, &*counter.value), (generation + 1, generation.to_string().as_bytes()));
    }
}
