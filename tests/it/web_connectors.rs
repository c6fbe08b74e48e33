//! The connectors that come as files, against the strict origin: each opens its own tree and no other, and each refusal has its code.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign};
use aws_sigv4::sign::v4;
use portcullis::broker::Read;
use portcullis::model::{ByteRange, ConnectionState};
use portcullis_tests::origin::guard::{BUCKET, TOKEN_PATH};
use portcullis_tests::origin::{Fault, Origin, Seen, Settings};
use serde_json::{Value, json};
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::house::{House, house};

const FILES: [&str; 4] = ["https_header", "https_public", "https_oauth2", "gcs_hmac"];

async fn scene_with(settings: Settings) -> (House, Origin) {
    let origin = Origin::with(settings).await.unwrap();
    for tree in ["public", "key", "oauth", BUCKET] {
        origin.put(&format!("/{tree}/a.txt"), format!("{tree} a"));
    }
    (house(&FILES, origin.ca()).await, origin)
}

async fn scene() -> (House, Origin) {
    scene_with(Settings::default()).await
}

fn on(origin: &Origin, more: Value) -> Value {
    let mut settings = json!({"hostname": "localhost", "port": origin.port()});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn key(origin: &Origin) -> Value {
    on(origin, json!({"header_name": "X-Api-Key", "api_key": origin.settings().api_key}))
}

fn oauth(origin: &Origin) -> Value {
    let settings = origin.settings();
    on(
        origin,
        json!({"path_prefix": "oauth", "token_path": TOKEN_PATH, "client_id": settings.client_id, "client_secret": settings.client_secret, "scope": "files.read"}),
    )
}

fn hmac(origin: &Origin) -> Value {
    let settings = origin.settings();
    on(origin, json!({"bucket_name": BUCKET, "access_id": settings.access_id, "secret": settings.hmac_secret}))
}

fn changed(mut settings: Value, name: &str, value: &str) -> Value {
    settings[name] = json!(value);
    settings
}

fn tokens_asked(origin: &Origin) -> usize {
    origin.journal().iter().filter(|seen| seen.target == TOKEN_PATH).count()
}

#[tokio::test]
async fn each_connector_opens_its_own_tree_and_no_other() {
    let (house, origin) = scene().await;
    house.ready("keyed", "https_header", key(&origin), &origin.url("/key/a.txt")).await;
    house.ready("open", "https_public", on(&origin, json!({})), &origin.url("/public/a.txt")).await;
    house.ready("tokened", "https_oauth2", changed(oauth(&origin), "path_prefix", "oauth"), "a.txt").await;
    house.ready("signed", "gcs_hmac", hmac(&origin), &format!("gs://{BUCKET}/a.txt")).await;
    for (name, tree, foreign) in [("keyed", "key", "oauth"), ("open", "public", "key"), ("tokened", "oauth", "public"), ("signed", BUCKET, "public")] {
        assert_eq!(house.read(name, &origin.url(&format!("/{tree}/a.txt"))).await.unwrap(), format!("{tree} a"), "{name}");
        let refused = house.read(name, &origin.url(&format!("/{foreign}/a.txt"))).await;
        match (name, foreign) {
            // Bound to a folder: denied before anybody is asked.
            ("tokened" | "signed", _) => assert_eq!(refused.expect_err(name).code(), "scope_violation", "{name}"),
            _ => assert_eq!(refused.expect_err(name).code(), "upstream_auth_failed", "{name}"),
        }
        assert_eq!(house.read(name, &origin.url(&format!("/{tree}/nothing"))).await.expect_err(name).code(), "file_not_found", "{name}");
    }
    let seen = origin.journal();
    assert!(seen.iter().filter(|seen| seen.target.starts_with("/public/")).all(|seen| seen.authorization.is_none()), "nothing is sent where nothing is wanted");
}

#[tokio::test]
async fn a_wrong_secret_is_found_when_the_connection_is_made() {
    let (house, origin) = scene().await;
    for (name, kind, settings, location, code) in [
        ("keyed", "https_header", changed(key(&origin), "api_key", "wrong"), origin.url("/key/a.txt"), "upstream_auth_failed"),
        ("elsewhere", "https_header", changed(key(&origin), "header_name", "x-other"), origin.url("/key/a.txt"), "upstream_auth_failed"),
        ("open", "https_public", on(&origin, json!({})), origin.url("/key/a.txt"), "credentials_wanted"),
        ("no_client", "https_oauth2", changed(oauth(&origin), "client_secret", "wrong"), "a.txt".to_owned(), "oauth2_client_not_accepted"),
        ("no_scope", "https_oauth2", changed(oauth(&origin), "scope", "files.write"), "a.txt".to_owned(), "oauth2_scope_not_accepted"),
        ("no_endpoint", "https_oauth2", changed(oauth(&origin), "token_path", "nowhere"), "a.txt".to_owned(), "oauth2_refused"),
        ("signed", "gcs_hmac", changed(hmac(&origin), "secret", "wrongwrongwrongwrong"), "a.txt".to_owned(), "permission_denied"),
        ("stranger", "gcs_hmac", changed(hmac(&origin), "access_id", "GOOG1SOMEBODYELSE00000"), "a.txt".to_owned(), "permission_denied"),
    ] {
        let (state, findings) = house.connect(name, kind, settings, Some(&location)).await;
        let codes: Vec<&str> = findings.iter().filter(|finding| !finding.passed).map(|finding| finding.code.as_str()).collect();
        assert_eq!((state, codes), (ConnectionState::Error, vec![code]), "{name}: {findings:?}");
    }
}

#[tokio::test]
async fn one_token_serves_every_request_until_it_is_withdrawn() {
    let (house, origin) = scene().await;
    house.ready("files", "https_oauth2", oauth(&origin), "a.txt").await;
    // A test forgets what was known before it.
    let asked = tokens_asked(&origin);
    let reads = (0..20).map(|_| house.read("files", "a.txt"));
    assert!(futures_util::future::join_all(reads).await.into_iter().all(|read| read.unwrap() == "oauth a"));
    assert!(tokens_asked(&origin) <= asked + 1, "twenty at once ask for one token at most");
    let asked = tokens_asked(&origin);
    origin.revoke_tokens();
    assert_eq!(house.read("files", "a.txt").await.unwrap(), "oauth a", "one that was withdrawn is replaced");
    assert_eq!(tokens_asked(&origin), asked + 1);
    let basic: Vec<Seen> = origin.journal().into_iter().filter(|seen| seen.target == TOKEN_PATH).collect();
    assert!(basic.iter().all(|seen| seen.authorization.as_ref().is_some_and(|value| value.starts_with("Basic "))));
}

#[tokio::test]
async fn each_failure_of_the_token_endpoint_has_its_code() {
    let (house, origin) = scene().await;
    house.ready("files", "https_oauth2", oauth(&origin), "a.txt").await;
    for (fault, code) in [
        (Fault::Status(503), "oauth2_unavailable"),
        (Fault::RetryAfter(429, 1), "oauth2_throttled"),
        (Fault::Redirect(302, "https://evil.example/".into()), "oauth2_refused"),
        (Fault::Status(200), "oauth2_bad_answer"),
        (Fault::Status(400), "oauth2_refused"),
    ] {
        origin.fail(1, fault.clone());
        assert_eq!(house.read("files", "a.txt").await.expect_err("no token").code(), code, "{fault:?}");
        // A failure is remembered for a moment, and what is remembered is forgotten with a test.
        let (_, findings) = house.test("files").await;
        assert!(findings.iter().all(|finding| finding.passed), "{findings:?}");
    }
}

#[tokio::test]
async fn l16_a_signature_covers_the_object_that_is_asked_for() {
    let (house, origin) = scene().await;
    house.ready("media", "gcs_hmac", hmac(&origin), "a.txt").await;
    for (name, path) in [
        ("a b+c.jpg", "a%20b%2Bc.jpg"),
        ("100%.txt", "100%25.txt"),
        ("a#b?c&d=e;f", "a%23b%3Fc%26d%3De%3Bf"),
        ("日本語/🧪.png", "%E6%97%A5%E6%9C%AC%E8%AA%9E/%F0%9F%A7%AA.png"),
        ("a//b/", "a//b/"),
        ("'q' (x)[y]~-_.", "%27q%27%20%28x%29%5By%5D~-_."),
    ] {
        origin.put(&format!("/{BUCKET}/{path}"), name.to_owned());
        assert_eq!(house.read("media", &format!("gs://{BUCKET}/{name}")).await.unwrap(), name);
    }
    let ranged = Read { range: ByteRange::parse("bytes=0-3"), ..Read::default() };
    let object = house.open("media", "a.txt", ranged).await.unwrap();
    assert_eq!((object.status, object.body.bytes(100).await.unwrap().as_ref()), (206, &b"gcs-"[..]));
    let head = house.open("media", "a.txt", Read { head: true, ..Read::default() }).await.unwrap();
    assert_eq!((head.status, head.meta().content_length), (200, Some(11)));
    let etag = head.meta().etag.unwrap();
    let same = house.open("media", "a.txt", Read { if_none_match: Some(etag), ..Read::default() }).await.unwrap();
    assert_eq!(same.status, 304);
    let signed: Vec<Seen> = origin.journal().into_iter().filter(|seen| seen.status < 400 && seen.target.starts_with("/gcs-media/")).collect();
    assert!(signed.len() >= 10);
    for seen in signed {
        assert_eq!(
            seen.authorization.as_deref(),
            Some(reference(&origin, &seen).as_str()),
            "AWS's own signer makes the same of {} {}",
            seen.method,
            seen.target
        );
    }
}

/// What AWS's signer makes of a request that the origin saw.
fn reference(origin: &Origin, seen: &Seen) -> String {
    let settings = origin.settings();
    let keys = aws_credential_types::Credentials::new(&settings.access_id, &settings.hmac_secret, None, None, "test");
    let identity = keys.into();
    let mut signing = SigningSettings::default();
    signing.percent_encoding_mode = PercentEncodingMode::Single;
    signing.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    signing.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let moment = PrimitiveDateTime::parse(&seen.headers["x-amz-date"], format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(moment.assume_utc().unix_timestamp().unsigned_abs());
    let params = v4::SigningParams::builder().identity(&identity).region("auto").name("s3").time(time).settings(signing).build().unwrap().into();
    let url = format!("https://{}{}", seen.host, seen.target);
    let request = SignableRequest::new(&seen.method, url, std::iter::empty(), SignableBody::Bytes(&[])).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    instructions.headers().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value.to_owned()).unwrap()
}
