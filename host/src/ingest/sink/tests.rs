//! What lies in the folder, and what never does.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::Value;

use super::*;
use crate::model::{AssetId, DatasetId, SourcePath};

fn body(frames: Vec<Result<&[u8]>>) -> Body {
    let frames: Vec<_> = frames.into_iter().map(|frame| frame.map(|data| Frame::data(Bytes::copy_from_slice(data)))).collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}

fn place(org: &str, path: &str) -> AssetPlace {
    let (org, dataset, source_path) = (OrgId::new(org).unwrap(), DatasetId::new("d..1").unwrap(), SourcePath::new(path).unwrap());
    AssetPlace { asset: AssetId::of(&org, &dataset, &source_path), org, dataset, source_path, metadata: BTreeMap::from([("k".to_owned(), Value::from(1))]) }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

async fn sink() -> (tempfile::TempDir, LocalSink) {
    let root = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(root.path().join("assets")).await.unwrap();
    (root, sink)
}

#[tokio::test]
async fn u05_what_arrives_cut_or_broken_leaves_nothing() {
    let (root, sink) = sink().await;
    let large = vec![7; CHUNK + 1];
    let promised = |length| ObjectMeta { content_length: Some(length), ..ObjectMeta::default() };
    let broken = || Err(Error::unavailable("truncated", "cut"));
    for (what, meta, frames) in [
        ("an error at once", promised(3), vec![broken()]),
        ("an error after some", promised(3), vec![Ok(&b"a"[..]), broken()]),
        ("an error after a chunk", ObjectMeta::default(), vec![Ok(&large[..]), broken()]),
        ("less than promised", promised(3), vec![Ok(&b"ab"[..])]),
        ("more than promised", promised(3), vec![Ok(&b"abcd"[..])]),
        ("nothing, though promised", promised(3), vec![]),
    ] {
        assert_eq!(sink.put(&place("acme", "s3://b/k"), &meta, body(frames)).await.expect_err(what).code(), "truncated", "{what}");
        assert!(files(root.path()).is_empty(), "{what}");
    }
}

#[tokio::test]
async fn s11_no_source_path_leads_out_of_the_folder() {
    let (root, sink) = sink().await;
    for path in ["../../../etc/passwd", "/etc/passwd", "s3://b/../../x", "https://h/..%2f..%2fx", "a\nb", "🧪"] {
        let stored = sink.put(&place("acme", path), &ObjectMeta::default(), body(vec![Ok(path.as_bytes())])).await.expect("written");
        assert!(stored.location.starts_with("acme/blobs/"), "{}", stored.location);
    }
    let inside = root.path().join("assets/acme");
    assert_eq!(files(root.path()).iter().filter(|path| path.starts_with(&inside)).count(), 12);
    assert_eq!(files(root.path()).len(), 12);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_for_each_organization() {
    let (root, sink) = sink().await;
    let mut locations = Vec::new();
    for (org, path) in [("acme", "s3://b/1"), ("acme", "s3://b/2"), ("rival", "s3://b/1")] {
        locations.push(sink.put(&place(org, path), &ObjectMeta::default(), body(vec![Ok(b"same")])).await.expect("written").location);
    }
    assert!(locations[0] == locations[1] && locations[2].starts_with("rival/"));
    let blobs: Vec<_> = files(root.path()).into_iter().filter(|path| path.to_string_lossy().contains("/blobs/")).collect();
    assert_eq!(blobs.len(), 2);
    assert!(blobs.iter().all(|path| fs::read(path).unwrap() == b"same"));
}

#[tokio::test]
async fn u20_objects_of_every_size_come_out_as_they_went_in() {
    let (root, sink) = sink().await;
    let large: Vec<u8> = (0..3 * CHUNK + 5).map(|n| (n % 251) as u8).collect();
    for content in [&b""[..], b"x", &large[..CHUNK], &large] {
        let frames = content.chunks(64 * 1024 + 1).map(Ok).collect();
        let meta = ObjectMeta {
            content_length: Some(content.len() as u64),
            content_type: Some("image/png".to_owned()),
            etag: Some("\"e\"".to_owned()),
            ..ObjectMeta::default()
        };
        let place = place("acme", "s3://b/k");
        let stored = sink.put(&place, &meta, body(frames)).await.expect("written");
        assert_eq!(fs::read(root.path().join("assets").join(&stored.location)).unwrap(), content);
        assert_eq!((stored.size, stored.blake3.as_str()), (content.len() as u64, blake3::hash(content).to_hex().as_str()));
        assert_eq!((stored.content_type.as_deref(), stored.etag.as_deref()), (Some("image/png"), Some("\"e\"")));
        let record = fs::read(root.path().join(format!("assets/acme/datasets/d..1/{}.json", place.asset))).unwrap();
        let record: Value = serde_json::from_slice(&record).expect("JSON");
        assert_eq!((&record["blob"]["blake3"], &record["source_path"], &record["metadata"]["k"]), (&json!(stored.blake3), &json!("s3://b/k"), &json!(1)));
    }
    assert!(fs::read_dir(root.path().join("assets/.tmp")).unwrap().next().is_none(), "no temporary file is left");
}

#[tokio::test]
async fn c38_what_the_folder_lost_it_does_not_hold() {
    let (root, sink) = sink().await;
    let place = place("acme", "s3://b/k");
    let stored = sink.put(&place, &ObjectMeta::default(), body(vec![Ok(b"bytes")])).await.expect("written");
    let path = root.path().join("assets").join(&stored.location);
    assert!(sink.holds(&place.org, &stored).await);
    assert!(!sink.holds(&OrgId::new("rival").unwrap(), &stored).await);
    assert!(!sink.holds(&place.org, &Stored { blake3: "../../x".to_owned(), ..stored.clone() }).await);
    fs::write(&path, b"cut").unwrap();
    assert!(!sink.holds(&place.org, &stored).await);
    let again = sink.put(&place, &ObjectMeta::default(), body(vec![Ok(b"bytes")])).await.expect("written");
    assert!(again == stored && fs::read(&path).unwrap() == b"bytes", "it is written anew");
}

#[tokio::test]
async fn a_start_removes_what_was_half_written() {
    let (root, sink) = sink().await;
    fs::write(root.path().join("assets/.tmp/77"), b"half").unwrap();
    drop(sink);
    let sink = LocalSink::open(root.path().join("assets")).await.unwrap();
    assert!(files(root.path()).is_empty());
    sink.ready().await.expect("ready");
    fs::remove_dir_all(root.path().join("assets")).unwrap();
    assert_eq!(sink.ready().await.expect_err("gone").code(), "sink_failed");
}
