//! Keys, byte by byte (SECURITY S08-S18): ingested through a role from our double and from the referee, which boto3 filled.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_tests::aws::AwsDouble;
use portcullis_tests::aws::fixture::{Fixture, Object};
use portcullis_tests::ministack::Ministack;
use portcullis_tests::scene::{MEDIA, MEDIA_REGION, fixture};
use portcullis_tests::stack::AwsStack;
use serde_json::json;

use crate::ingestion::{ingest, stored};
use crate::play::{gateway_on, play, ready_role};

const OBJECTS: usize = 200;

/// The keys of the rows, and then each odd character by itself: `OBJECTS` in all.
fn keys() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = [
        "s08/a b.jpg",
        "s08/ a",
        "s08/a ",
        "s08/a  b",
        "s09/a+b.jpg",
        "s09/a b+c%20d",
        "s10/100%.txt",
        "s10/a%2Fb",
        "s10/%",
        "s10/%zz",
        "s10/%25",
        "s10/a/b",
        "s11/a//b",
        "s11/a/b",
        "/s11/a",
        "//s11",
        "s11/a/",
        "s11/a//",
        "s15/日本語/🧪.png",
        "s15/a\u{202e}b",
        "s15/a\u{200b}b",
        "s15/é",
        "s15/e\u{301}",
        "s16/x?y",
        "s16/x#y",
        "s16/x&y",
        "s16/x=y",
        "s16/x;y",
        "s16/x:x@y",
        "s16/x,y",
        "s16/x$y",
        "s16/x!y",
        "s16/x*y",
        "s16/x'y",
        "s16/x(y)",
        "s16/x[y]",
        "s16/x\\y",
        "s16/x^y",
        "s16/x~y",
        "s16/x\"y",
        "s16/x<y>",
        "s16/x|y",
        "s16/x`y",
        "s16/{x}",
        "s16/?x-id=GetObject",
        "s16/?versionId=1",
        "s17/a\x7fb",
        ".../.a/a..b/a.",
        "?",
        "#",
        "~",
        "a",
        "A",
        "s3://other/key",
        "https://evil.example/",
        "-rf",
        "CON",
        "s16/%E6%97%A5",
    ]
    .map(str::to_owned)
    .into();
    keys.insert("/".repeat(1000) + "s11");
    keys.insert(format!("s18/{}", "k".repeat(1020)));
    keys.insert(format!("s18/{}", "🧪".repeat(255)));
    for code in (0x20..0x7f).chain(0xa1..0x1ff) {
        let character = char::from_u32(code).unwrap();
        if keys.len() < OBJECTS && !"./".contains(character) {
            keys.insert(format!("each/{character}/{character}{character}.bin"));
        }
    }
    keys
}

/// Not text, different for each key.
fn bytes(key: &str) -> Vec<u8> {
    let seed = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(next).take(1 + usize::try_from(seed % 3000).unwrap()).collect();
    bytes.extend(key.as_bytes());
    bytes
}

fn filled() -> Fixture {
    let mut fixture = fixture();
    let bucket = fixture.accounts.iter_mut().flat_map(|account| &mut account.buckets).find(|bucket| bucket.name == MEDIA).unwrap();
    bucket.objects.extend(keys().into_iter().map(|key| Object { base64: Some(STANDARD.encode(bytes(&key))), key, ..Object::default() }));
    fixture
}

async fn every_key_arrives(aws: &dyn AwsStack) {
    let gateway = gateway_on(aws).await;
    let api = gateway.api();
    ready_role(&api, aws, "films").await;
    let keys = keys();
    assert_eq!(keys.len(), OBJECTS);
    let sources: Vec<String> = keys.iter().map(|key| format!("s3://{MEDIA}/{key}")).collect();
    let job = ingest(&api, "keys", "films", &sources).await;
    assert_eq!((&job["status"], &job["processed"], &job["errored"]), (&json!("completed"), &json!(OBJECTS), &json!(0)), "{job:#}");
    let found = stored(&gateway, "default", "keys");
    let expected: BTreeMap<String, Vec<u8>> = keys.iter().map(|key| (format!("s3://{MEDIA}/{key}"), bytes(key))).collect();
    let differing: Vec<&String> = expected.iter().filter(|(source, bytes)| found.get(*source) != Some(bytes)).map(|(source, _)| source).collect();
    assert!(differing.is_empty() && found.len() == OBJECTS, "{} of {OBJECTS} arrived; these did not: {differing:#?}", found.len());
    // The same objects by their https addresses.
    for key in keys.iter().filter(|key| key.starts_with("s1") || key.starts_with("s0")) {
        let path = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        let read = api.read("films", &format!("https://{MEDIA}.s3.{MEDIA_REGION}.amazonaws.com/{path}")).await;
        assert_eq!((read.status.as_u16(), &read.body[..]), (200, &bytes(key)[..]), "{key:?}");
    }
}

#[tokio::test]
async fn l16_s08_s09_s10_s11_s15_s16_s17_s18_two_hundred_keys_arrive_byte_exact_from_the_double() {
    every_key_arrives(&AwsDouble::with(&filled()).await).await;
}

#[tokio::test]
async fn l16_s08_s09_s10_s11_s15_s16_s17_s18_two_hundred_keys_arrive_byte_exact_from_the_referee() {
    every_key_arrives(&Ministack::with(&filled()).await).await;
}

#[tokio::test]
async fn s12_s17_s18_s21_keys_that_cannot_be_exact_are_refused_before_anybody_is_asked() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    play.aws.forget_journal();
    let long = "k".repeat(1025);
    for (key, code) in [
        (".", "unsupported_key"),
        ("..", "unsupported_key"),
        ("a/./b", "unsupported_key"),
        ("a/../b", "unsupported_key"),
        ("../other-bucket/secret", "unsupported_key"),
        (long.as_str(), "unsupported_key"),
        (&"🧪".repeat(300), "unsupported_key"),
    ] {
        let refused = play.api.read("films", &format!("s3://{MEDIA}/{key}")).await;
        assert_eq!((refused.status.is_client_error(), refused.code().as_str()), (true, code), "{}", refused.text());
    }
    for (source, code) in [
        (format!("https://{MEDIA}.s3.cn-north-1.amazonaws.com.cn/a"), "partition_mismatch"),
        (format!("https://{MEDIA}.s3.us-gov-west-1.amazonaws.com/a"), "partition_mismatch"),
        (format!("https://{MEDIA}.s3.xx-fake-9.amazonaws.com/a"), "unknown_region"),
        (format!("s3://{}/a", MEDIA.to_uppercase()), "invalid_bucket"),
    ] {
        let refused = play.api.read("films", &source).await;
        assert_eq!((refused.status.is_client_error(), refused.code().as_str()), (true, code), "{}", refused.text());
    }
    assert!(play.aws.journal().is_empty(), "nobody was asked");
}
