//! Against AWS's published examples, and against AWS's own signer on keys that nobody picked.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;

use super::*;
use crate::model::ObjectKey;

/// The access key of AWS's documentation.
const EXAMPLE_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const EXAMPLE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z
const EXAMPLE_MOMENT: Timestamp = Timestamp::from_millis(1_369_353_600_000);

fn signer(token: Option<&str>) -> Signer {
    Signer::new(EXAMPLE_ID.to_owned(), Secret::new(EXAMPLE_SECRET.as_bytes().to_vec()), token).expect("a signer")
}

fn region(name: &str) -> Region {
    Region::new(name).expect("a region")
}

fn authorization(signer: &Signer, request: &ToSign<'_>, region: &Region, now: Timestamp) -> String {
    let mut headers = HeaderMap::new();
    signer.sign(request, &mut headers, region, now).expect("signed");
    assert!(headers[header::AUTHORIZATION].is_sensitive());
    headers[header::AUTHORIZATION].to_str().expect("text").to_owned()
}

#[test]
fn published_examples_of_the_s3_api_reference_are_signed_alike() {
    // "Authenticating Requests: Using the Authorization Header", examples GET Bucket Lifecycle and GET Bucket (List Objects).
    let cases = [
        ("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ];
    for (query, signature) in cases {
        let request = ToSign { method: "GET", authority: "examplebucket.s3.amazonaws.com", path: "/", query };
        assert_eq!(
            authorization(&signer(None), &request, &region("us-east-1"), EXAMPLE_MOMENT),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                 SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
            )
        );
    }
}

#[test]
fn published_example_of_a_derived_key() {
    // "Examples of how to derive a signing key": the HMAC of nothing under the derived key stands for the key itself.
    let key = derive_key(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", b"20120215", "us-east-1", "iam");
    let published = hex::decode("f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d").expect("hex");
    let published = hmac::Key::new(hmac::HMAC_SHA256, &published);
    assert_eq!(hmac::sign(&key, b"").as_ref(), hmac::sign(&published, b"").as_ref());
}

#[test]
fn a_date_is_written_as_aws_wants_it() {
    let cases = [
        (1_369_353_600_000, "20130524T000000Z"),
        (1_369_353_600_999, "20130524T000000Z"),
        (1_369_353_601_000, "20130524T000001Z"),
        (951_782_399_000, "20000228T235959Z"),
        (951_868_799_000, "20000229T235959Z"),
        (4_102_444_799_000, "20991231T235959Z"),
    ];
    for (millis, text) in cases {
        assert_eq!(String::from_utf8_lossy(&amz_date(Timestamp::from_millis(millis))), text);
    }
}

#[test]
fn a_new_day_or_region_gets_its_own_key_and_few_are_kept() {
    let signer = signer(Some("token"));
    let request = ToSign { method: "GET", authority: "b.s3.amazonaws.com", path: "/k", query: "" };
    let day = Duration::from_secs(86_400);
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..20 {
        for name in ["us-east-1", "eu-central-1"] {
            let now = EXAMPLE_MOMENT.plus(day * number);
            let first = authorization(&signer, &request, &region(name), now);
            assert_eq!(first, authorization(&signer, &request, &region(name), now), "the cached key signs alike");
            assert!(seen.insert(first));
        }
    }
    assert!(signer.derived.read().expect("unpoisoned").len() <= KEPT_KEYS);
}

/// What AWS's signer makes of the same request.
fn reference(token: Option<&str>, method: &str, url: &str, region: &str, now: Timestamp) -> String {
    let credentials = aws_credential_types::Credentials::new(EXAMPLE_ID, EXAMPLE_SECRET, token.map(str::to_owned), None, "test");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis().unsigned_abs()))
        .settings(settings)
        .build()
        .expect("parameters")
        .into();
    let request = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(&[])).expect("a request");
    let (instructions, _) = sign(request, &params).expect("signed").into_parts();
    let found = instructions.headers().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value.to_owned());
    found.expect("an authorization header")
}

fn assert_like_reference(key: &str, version: Option<&str>, token: Option<&str>, method: &str, now: Timestamp) {
    let mut path = "/".to_owned();
    push_path(&mut path, key);
    let mut query = String::new();
    if let Some(version) = version {
        query.push_str("versionId=");
        push_query_value(&mut query, version);
    }
    let url = if query.is_empty() {
        format!("https://bkt.s3.eu-central-1.amazonaws.com{path}")
    } else {
        format!("https://bkt.s3.eu-central-1.amazonaws.com{path}?{query}")
    };
    let request = ToSign { method, authority: "bkt.s3.eu-central-1.amazonaws.com", path: &path, query: &query };
    let ours = authorization(&signer(token), &request, &region("eu-central-1"), now);
    assert_eq!(ours, reference(token, method, &url, "eu-central-1", now), "{key:?}");
}

#[test]
fn s08_s09_s10_s15_keys_are_encoded_once() {
    let cases = [
        ("a b.jpg", "/a%20b.jpg"),
        ("a+b.jpg", "/a%2Bb.jpg"),
        ("100%.txt", "/100%25.txt"),
        ("a%2Fb", "/a%252Fb"),
        ("/a", "//a"),
        ("a//b", "/a//b"),
        ("//", "///"),
        ("a/", "/a/"),
        ("日本/🧪", "/%E6%97%A5%E6%9C%AC/%F0%9F%A7%AA"),
        ("-._~", "/-._~"),
        ("a\nb\x7f", "/a%0Ab%7F"),
    ];
    for (key, wire) in cases {
        let mut path = "/".to_owned();
        push_path(&mut path, key);
        assert_eq!(path, wire, "{key:?}");
    }
}

#[test]
fn s08_s18_odd_keys_are_signed_as_awss_signer_signs_them() {
    let longest = "k".repeat(1024);
    let slashes = "/".repeat(1000);
    let odd = [
        "a b.jpg",
        "a+b.jpg",
        "100%.txt",
        "a%2Fb",
        "a//b",
        "/a",
        "a",
        "a/",
        "//",
        &slashes,
        "日本語/🧪.png",
        "x\u{202e}y",
        "x\u{200b}y",
        "x?y",
        "x#y",
        "x&y",
        "x=y",
        "x;y",
        "x:y",
        "x@y",
        "x,y",
        "x$y",
        "x!y",
        "x*y",
        "x'y",
        "x(y)",
        "x[y]",
        "x\\y",
        "x^y",
        "x~y",
        "x\"y",
        "x<y>",
        "a\nb",
        "a\x7fb",
        &longest,
    ];
    for key in odd {
        for token in [None, Some("FwoGZXIvYXdzEBY+/=")] {
            assert_like_reference(key, None, token, "GET", EXAMPLE_MOMENT);
        }
    }
    assert_like_reference("k", Some("L4kqtJlcpXroDTDmpUMLUo+/= &"), Some("token"), "HEAD", EXAMPLE_MOMENT);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn s16_any_key_is_signed_as_awss_signer_signs_it(key in "[^\0]{1,64}", seconds in 0i64..4_102_444_800, head: bool, token in proptest::option::of("[!-~]{1,64}")) {
        prop_assume!(ObjectKey::new(key.clone()).is_ok());
        let now = Timestamp::from_millis(seconds * 1000);
        assert_like_reference(&key, None, token.as_deref(), if head { "HEAD" } else { "GET" }, now);
    }
}
