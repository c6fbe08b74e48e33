//! `azure_blob` against Azurite, Microsoft's own emulator: it verifies each SharedKey signature, and was written by nobody here.

use portcullis::broker::Read;
use portcullis::model::{ByteRange, ConnectionState};
use portcullis_tests::azurite::Azurite;
use serde_json::{Value, json};

use crate::house::house;

const ACCOUNT: &str = "acmemedia";
/// 64 bytes in base64, as Azure's keys are.
const KEY: &str = "bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzIG1hZGUtdXAga2V5IG9mIHRoZSB0ZXN0cyBtYWRlLXVwIGtleSBvZg==";
const OTHER_KEY: &str = "YW5vdGhlciBrZXkgb2YgdGhlIHRlc3RzIGFub3RoZXIga2V5IG9mIHRoZSB0ZXN0cyBhbm90aGVyIGtleSBvZg==";

fn settings(azurite: &Azurite, key: &str, container: &str) -> Value {
    json!({"account_name": ACCOUNT, "account_key": key, "container": format!("{ACCOUNT}/{container}"), "hostname": "localhost", "port": azurite.port()})
}

#[tokio::test]
async fn azurite_takes_the_signature_of_every_read() {
    let azurite = Azurite::start(ACCOUNT, KEY).await;
    azurite.make_container(ACCOUNT, "media").await;
    azurite.make_container(ACCOUNT, "private").await;
    azurite.put(ACCOUNT, "private/a.txt", b"private").await;
    let house = house(&["azure_blob"], &azurite.ca()).await;
    let blobs = ["a.txt", "deep/er/b.txt", "a%20b%2Bc.jpg", "%E6%97%A5%E6%9C%AC.png", "x%25y%23z%3Fq.txt"];
    for blob in blobs {
        azurite.put(ACCOUNT, &format!("media/{blob}"), format!("0123456789 {blob}").as_bytes()).await;
    }
    house.ready("blobs", "azure_blob", settings(&azurite, KEY, "media"), "a.txt").await;
    for blob in blobs {
        let url = format!("https://localhost:{}/{ACCOUNT}/media/{blob}", azurite.port());
        for source in [blob, &url] {
            assert_eq!(house.read("blobs", source).await.unwrap_or_else(|error| panic!("{source}: {error:?}")), format!("0123456789 {blob}"));
        }
    }
    let ranged = Read { range: ByteRange::parse("bytes=2-5"), ..Read::default() };
    let object = house.open("blobs", "a.txt", ranged).await.unwrap();
    assert_eq!((object.status, object.body.bytes(100).await.unwrap().as_ref()), (206, &b"2345"[..]), "the range is signed");
    let head = house.open("blobs", "a.txt", Read { head: true, ..Read::default() }).await.unwrap();
    assert_eq!((head.status, head.meta().content_length), (200, Some(16)));
    let etag = head.meta().etag.unwrap();
    let same = house.open("blobs", "a.txt", Read { if_match: Some(etag.clone()), ..Read::default() }).await.unwrap();
    assert_eq!(same.status, 200, "the condition is signed");
    let unchanged = house.open("blobs", "a.txt", Read { if_none_match: Some(etag), ..Read::default() }).await.unwrap();
    assert_eq!(unchanged.status, 304);
    let stale = house.open("blobs", "a.txt", Read { if_match: Some("\"0x0\"".to_owned()), ..Read::default() }).await;
    assert_eq!(stale.err().expect("changed").code(), "object_changed");
}

#[tokio::test]
async fn what_azurite_or_the_gateway_refuses_has_its_code() {
    let azurite = Azurite::start(ACCOUNT, KEY).await;
    azurite.make_container(ACCOUNT, "media").await;
    azurite.make_container(ACCOUNT, "private").await;
    azurite.put(ACCOUNT, "media/a.txt", b"a").await;
    azurite.put(ACCOUNT, "private/a.txt", b"private").await;
    let house = house(&["azure_blob"], &azurite.ca()).await;
    let (state, findings) = house.connect("wrong_key", "azure_blob", settings(&azurite, OTHER_KEY, "media"), Some("a.txt")).await;
    assert_eq!((state, findings.last().unwrap().code.as_str()), (ConnectionState::Error, "permission_denied"), "{findings:?}");
    let (state, findings) = house.connect("no_blob", "azure_blob", settings(&azurite, KEY, "media"), Some("nothing")).await;
    assert_eq!((state, findings.last().unwrap().code.as_str()), (ConnectionState::Error, "file_not_found"), "{findings:?}");
    house.ready("blobs", "azure_blob", settings(&azurite, KEY, "media"), "a.txt").await;
    let url = |rest: &str| format!("https://localhost:{}/{rest}", azurite.port());
    for (source, code) in [
        (url(&format!("{ACCOUNT}/private/a.txt")), "scope_violation"),
        (url(&format!("{ACCOUNT}/media/../private/a.txt")), "unsupported_key"),
        (url(&format!("{ACCOUNT}/media/%2e%2e/private/a.txt")), "unsupported_key"),
        (url(&format!("{ACCOUNT}/media/a.txt?sv=2021-12-02&sig=abc%3D")), "presigned_url"),
        (url(&format!("{ACCOUNT}/media/a.txt?comp=metadata")), "unsupported_query"),
        ("https://acmemedia.blob.core.windows.net/media/a.txt".to_owned(), "scope_violation"),
    ] {
        assert_eq!(house.read("blobs", &source).await.expect_err(&source).code(), code, "{source}");
    }
}
