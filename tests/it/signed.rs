//! Signed URLs: what one opens without a token, for every connector, and when it no longer does.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use portcullis_tests::api::{Answer, Api};
use portcullis_tests::aws::{Entry, Service};
use portcullis_tests::scene::{CUSTOMER, MEDIA, READER_ROLE, SHARED, trust};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::kinds::{Kind, Remotes};
use crate::play::{play, play_with, ready_role, role_body};

const FILMS: &str = "/api/v1/connections/films";

fn top() -> String {
    format!("s3://{MEDIA}/top.txt")
}

pub async fn sign_as(api: &Api, connection: &str, body: &Value) -> Answer {
    api.post(&format!("/api/v1/connections/{connection}/sign"), body).await
}

/// Its path and query: where the gateway is may change meanwhile.
pub async fn signed(api: &Api, connection: &str, source: &str, method: &str) -> String {
    let signed = sign_as(api, connection, &json!({"source_path": source, "method": method})).await.expect(201);
    assert_eq!(signed["method"], method);
    let url = signed["url"].as_str().unwrap();
    url[url.find("/s?token=").unwrap_or_else(|| panic!("{url}"))..].to_owned()
}

/// The bytes of the token in a URL.
fn bytes(url: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(url.split_once("token=").unwrap().1).unwrap()
}

/// Whole, in part, unchanged, its head; what lies outside is not signed. Without any token.
pub async fn opens(remotes: &Remotes, api: &Api, kind: &Kind, name: &str) {
    let (id, nobody) = (kind.id, api.with_token(""));
    let asked = remotes.asked();
    let mut urls = Vec::new();
    for (source, content) in &kind.files {
        urls.push((signed(api, name, source, "GET").await, content));
    }
    assert_eq!(remotes.asked(), asked, "{id}: signing asks nobody");
    for (url, content) in &urls {
        let whole = nobody.get(url).await;
        assert_eq!((whole.status.as_u16(), &whole.text()), (200, *content), "{id}");
    }
    let (url, content) = &urls[0];
    let part = nobody.send(Method::GET, url, &[("range", "bytes=2-5")], None).await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, "2345"), "{id}");
    assert_eq!(part.headers["content-range"], format!("bytes 2-5/{}", content.len()), "{id}");
    if let Some(etag) = part.headers.get("etag") {
        let known = nobody.send(Method::GET, url, &[("if-none-match", etag.to_str().unwrap())], None).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0), "{id}");
    }
    let bodiless = signed(api, name, &kind.files[0].0, "HEAD").await;
    let head = nobody.send(Method::HEAD, &bodiless, &[], None).await;
    assert_eq!((head.status.as_u16(), &head.headers["content-length"]), (200, &content.len().to_string().parse().unwrap()), "{id}");
    nobody.get(&bodiless).await.problem(403, "method_not_signed");
    assert_eq!(nobody.send(Method::HEAD, url, &[], None).await.status, 403, "{id}: HEAD is not GET");

    let (outside, status, code) = kind.outside;
    sign_as(api, name, &json!({"source_path": outside})).await.problem(status, code);
    for url in [url, &bodiless] {
        let token = [url.as_bytes().to_vec(), bytes(url)].concat();
        for secret in kind.secrets {
            let value = kind.settings[secret].as_str().unwrap().as_bytes();
            assert!(!token.windows(value.len()).any(|part| part == value), "{id}: {secret} is in the URL");
        }
    }
}

#[tokio::test]
async fn l09_b05_c24_l08_a_url_opens_what_each_built_in_connector_reads_and_hands_out_no_key() {
    let remotes = Remotes::start().await;
    let gateway = remotes.given().start().await;
    let api = gateway.api();
    for kind in remotes.built_in() {
        let name = format!("my_{}", kind.id);
        let made = api.post("/api/v1/connections", &kind.body(&name)).await.expect(201);
        kind.trusted(&remotes, &made);
        // L8: what a test lets through can list, can read, can sign.
        let tested = api.post(&format!("/api/v1/connections/{name}/test"), &json!({})).await.expect(200);
        assert_eq!(tested["status"], "ready", "{tested:#}");
        opens(&remotes, &api, &kind, &name).await;
        let answer = sign_as(&api, &name, &json!({"source_path": kind.files[0].0})).await.expect(201);
        assert!(answer["url"].as_str().unwrap().starts_with(&format!("{}/s?token=", gateway.url())), "it leads here: {answer}");
        for (key, session) in remotes.aws.sessions() {
            let token = bytes(answer["url"].as_str().unwrap());
            for secret in [key.as_bytes(), session.as_bytes()] {
                assert!(!token.windows(secret.len()).any(|part| part == secret) && !answer.to_string().contains(std::str::from_utf8(secret).unwrap()));
            }
        }
    }
    assert!(!remotes.aws.sessions().is_empty());
}

#[tokio::test]
async fn l09_p13_p12_a_url_ends_at_once_when_its_connection_is_changed_disabled_or_deleted() {
    let mut play = play().await;
    let (api, nobody) = (play.api.clone(), play.api.with_token(""));
    let made = ready_role(&api, &play.aws, "films").await;
    let url = signed(&api, "films", &top(), "GET").await;
    let same = signed(&api, made["connection_id"].as_str().unwrap(), &top(), "GET").await;
    // A test changes nothing that a URL is for.
    api.post(&format!("{FILMS}/test"), &json!({})).await.expect(200);
    for url in [&url, &same] {
        assert_eq!(nobody.get(url).await.text(), "0123456789");
    }
    for (change, back) in [
        (json!({"enabled": false}), Some(json!({"enabled": true}))),
        (json!({"description": "new"}), None),
        (json!({"name": "other"}), Some(json!({"name": "films"}))),
        (json!({"config": {"session_ttl": 1800}}), None),
    ] {
        let url = signed(&api, "films", &top(), "GET").await;
        let bodiless = signed(&api, "films", &top(), "HEAD").await;
        assert_eq!(nobody.get(&url).await.text(), "0123456789", "before {change}");
        let changed = api.patch(FILMS, &change).await.expect(200);
        let asked = play.aws.journal().len();
        nobody.get(&url).await.problem(403, "signed_url_revoked");
        assert_eq!(nobody.send(Method::HEAD, &bodiless, &[], None).await.status, 403, "{change}");
        assert_eq!(play.aws.journal().len(), asked, "{change}: nobody was asked");
        if let Some(back) = back {
            api.patch(&format!("/api/v1/connections/{}", changed["connection_id"].as_str().unwrap()), &back).await.expect(200);
            nobody.get(&url).await.problem(403, "signed_url_revoked");
        }
        assert_eq!(api.read("films", &top()).await.text(), "0123456789", "after {change}");
    }
    // One that fails its test serves nobody; its version is the same when it passes again.
    let url = signed(&api, "films", &top(), "GET").await;
    play.aws.trust(CUSTOMER, "media/reader", &trust(Some("another")));
    assert_eq!(api.post(&format!("{FILMS}/test"), &json!({})).await.expect(200)["status"], "error");
    nobody.get(&url).await.problem(403, "signed_url_revoked");
    sign_as(&api, "films", &json!({"source_path": top()})).await.problem(409, "connection_not_ready");
    play.aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str()));
    assert_eq!(api.post(&format!("{FILMS}/test"), &json!({})).await.expect(200)["status"], "ready");
    assert_eq!(nobody.get(&url).await.text(), "0123456789");

    play.gateway.kill();
    play.gateway.restart().await;
    let (api, nobody) = (play.gateway.api(), play.gateway.api().with_token(""));
    assert_eq!(nobody.get(&url).await.text(), "0123456789", "it outlives a restart");

    api.delete(FILMS).await.expect(200);
    nobody.get(&url).await.problem(403, "signed_url_revoked");
    ready_role(&api, &play.aws, "films").await;
    nobody.get(&url).await.problem(403, "signed_url_revoked");
    api.patch(FILMS, &json!({"enabled": false})).await.expect(200);
    sign_as(&api, "films", &json!({"source_path": top()})).await.problem(409, "connection_disabled");
}

#[tokio::test]
async fn l09_c39_a_url_may_do_no_more_than_the_token_that_signed_it_still_may() {
    let play = play().await;
    let nobody = play.api.with_token("");
    ready_role(&play.api, &play.aws, "films").await;
    let mint = async |body: Value| {
        let minted = play.api.post("/api/v1/tokens", &body).await.expect(201);
        (play.api.with_token(minted["token"].as_str().unwrap()), minted)
    };
    // Members use connections, and so sign.
    let (member, minted) = mint(json!({"name": "leaked", "role": "member"})).await;
    let url = signed(&member, "films", &top(), "GET").await;
    let others = signed(&play.api, "films", &top(), "GET").await;
    assert_eq!(nobody.get(&url).await.text(), "0123456789");
    play.api.delete(&format!("/api/v1/tokens/{}", minted["token_id"].as_str().unwrap())).await.expect(200);
    nobody.get(&url).await.problem(403, "signed_url_revoked");
    assert_eq!(nobody.get(&others).await.text(), "0123456789", "that of another token goes on");

    let over = (OffsetDateTime::now_utc() + Duration::from_secs(60)).replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap();
    let (short, _) = mint(json!({"name": "short", "role": "member", "expires_at": over})).await;
    assert_eq!(sign_as(&short, "films", &json!({"source_path": top()})).await.expect(201)["expires_at"], over, "not later than the token itself");

    // An organization's goes with it, through the connection that nobody can delete, too.
    let acme = play.api.token("acme", "member").await;
    let source = format!("s3://{SHARED}/a.txt");
    let url = signed(&acme, "portcullis", &source, "GET").await;
    assert_eq!(nobody.get(&url).await.text(), "shared a");
    play.api.delete("/api/v1/organizations/acme").await.expect(200);
    nobody.get(&url).await.problem(403, "signed_url_revoked");
}

#[tokio::test]
async fn l09_what_was_altered_or_made_up_tells_nothing_and_asks_nobody() {
    let play = play().await;
    let nobody = play.api.with_token("");
    ready_role(&play.api, &play.aws, "films").await;
    let (one, two) = (signed(&play.api, "films", &top(), "GET").await, signed(&play.api, "films", &format!("s3://{MEDIA}/private/x.txt"), "GET").await);
    let asked = play.aws.journal().len();
    let told = |answer: &Answer| {
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("request_id");
        (answer.status.as_u16(), body)
    };
    let made_up = nobody.get(&format!("/s?token={}", "A".repeat(200))).await;
    made_up.problem(403, "invalid_signature");
    let (first, second) = (bytes(&one), bytes(&two));
    // The MAC, the format, the method, the end, the version, connection, token, organization, source path: one bit of each byte.
    for at in 0..first.len() {
        let mut altered = first.clone();
        altered[at] ^= 1 << (at % 8);
        let answer = nobody.get(&format!("/s?token={}", BASE64_URL_SAFE_NO_PAD.encode(altered))).await;
        assert_eq!(told(&answer), told(&made_up), "byte {at}");
    }
    // One's signature on the other's content.
    let crossed = [&first[..32], &second[32..]].concat();
    assert_eq!(told(&nobody.get(&format!("/s?token={}", BASE64_URL_SAFE_NO_PAD.encode(crossed))).await), told(&made_up));
    // A token of the API does not mend it, and is none.
    assert_eq!(told(&play.api.get(&format!("/s?token={}", "A".repeat(200))).await), told(&made_up));
    assert_eq!(told(&nobody.get(&format!("/s?token={}", play.gateway.token())).await), told(&made_up), "A02");
    for (path, status, code) in [
        ("/s".to_owned(), 400, "invalid_parameter"),
        ("/s?token=".to_owned(), 403, "invalid_signature"),
        (format!("{one}&token=x"), 400, "invalid_parameter"),
        (format!("{one}&source_path=s3://{MEDIA}/private/x.txt"), 400, "invalid_parameter"),
        (one.replace("/s?", "/s/?"), 404, "no_such_route"),
        (format!("/s?token={}", "A".repeat(7000)), 403, "invalid_signature"),
    ] {
        nobody.get(&path).await.problem(status, code);
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        nobody.send(method, &one, &[], None).await.problem(405, "method_not_allowed");
    }
    assert_eq!(play.aws.journal().len(), asked, "nobody was asked");
    assert_eq!(nobody.get(&one).await.text(), "0123456789");
    // Of the remote's refusal a stranger learns the code.
    let missing = signed(&play.api, "films", &format!("s3://{MEDIA}/none"), "GET").await;
    let answer = nobody.get(&missing).await;
    answer.problem(404, "file_not_found");
    assert!(!answer.text().contains(MEDIA) && !answer.text().contains("arn:"), "{}", answer.text());
}

#[tokio::test]
async fn l09_l16_what_is_asked_for_is_bounded_and_any_key_is_signed() {
    let play = play().await;
    let api = &play.api;
    ready_role(api, &play.aws, "films").await;
    for (body, pointer) in [
        (json!({}), "/source_path"),
        (json!({"source_path": ""}), "/source_path"),
        (json!({"source_path": "a\0b"}), "/source_path"),
        (json!({"source_path": "k".repeat(4097)}), "/source_path"),
        (json!({"source_path": top(), "method": "PUT"}), "/method"),
        (json!({"source_path": top(), "method": "get"}), "/method"),
        (json!({"source_path": top(), "expires_in": 0}), "/expires_in"),
        (json!({"source_path": top(), "expires_in": 3601}), "/expires_in"),
        (json!({"source_path": top(), "expires_in": "60"}), "/expires_in"),
        (json!({"source_path": top(), "expires_in": 1.5}), "/expires_in"),
        (json!({"source_path": top(), "version": 1}), "/version"),
    ] {
        let answer = sign_as(api, "films", &body).await;
        answer.problem(422, "invalid_field");
        assert_eq!(answer.pointers(), [pointer], "{body}");
    }
    api.with_token("").post(&format!("{FILMS}/sign"), &json!({"source_path": top()})).await.problem(401, "unauthorized");
    api.post("/api/v1/connections", &role_body("pending")).await.expect(201);
    sign_as(api, "pending", &json!({"source_path": top()})).await.problem(409, "connection_not_ready");
    sign_as(api, "nobody", &json!({"source_path": top()})).await.problem(404, "connection_not_found");
    for (given, seconds) in [(None, 900), (Some(1), 1), (Some(3600), 3600)] {
        let before = OffsetDateTime::now_utc();
        let answer = sign_as(api, "films", &json!({"source_path": top(), "expires_in": given})).await.expect(201);
        let end = OffsetDateTime::parse(answer["expires_at"].as_str().unwrap(), &Rfc3339).unwrap();
        let (least, most) = (before + Duration::from_secs(seconds), OffsetDateTime::now_utc() + Duration::from_secs(seconds));
        assert!(least - Duration::from_millis(1) <= end && end <= most, "{answer}");
    }
    for key in portcullis_tests::scene::ODD_KEYS {
        let url = signed(api, "films", &format!("s3://{MEDIA}/{key}"), "GET").await;
        assert_eq!(api.with_token("").get(&url).await.text(), key, "{key}");
    }

    let answer = sign_as(api, "films", &json!({"source_path": top(), "expires_in": 1})).await.expect(201);
    let path = answer["url"].as_str().unwrap().replace(play.gateway.url(), "");
    let start = Instant::now();
    while api.with_token("").get(&path).await.status == 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    api.with_token("").get(&path).await.problem(403, "signed_url_expired");
}

#[tokio::test]
async fn l09_l08_a13_a_page_of_any_origin_may_read_the_answer_and_nothing_else() {
    let play = play().await;
    let nobody = play.api.with_token("");
    ready_role(&play.api, &play.aws, "films").await;
    play.aws.put(MEDIA, "page.html", "<script>alert(1)</script>");
    play.aws.put(MEDIA, "evil.js", "alert(1)");
    let origin = ("origin", "https://labels.example");
    let url = signed(&play.api, "films", &top(), "GET").await;
    let preflight =
        nobody.send(Method::OPTIONS, &url, &[origin, ("access-control-request-method", "GET"), ("access-control-request-headers", "range")], None).await;
    assert_eq!((preflight.status.as_u16(), preflight.body.len()), (204, 0));
    assert_eq!(preflight.headers["access-control-allow-methods"], "GET, HEAD");
    assert_eq!(preflight.headers["access-control-allow-origin"], "*");
    for name in ["range", "if-none-match", "if-match", "if-range"] {
        assert!(preflight.headers["access-control-allow-headers"].to_str().unwrap().contains(name), "{name}");
    }
    let read = nobody.send(Method::GET, &url, &[origin, ("range", "bytes=0-1")], None).await;
    let refused = nobody.send(Method::GET, "/s?token=x", &[origin], None).await;
    let page = nobody.get(&signed(&play.api, "films", &format!("s3://{MEDIA}/page.html"), "GET").await).await;
    for answer in [&read, &refused, &page] {
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.headers[name], value, "{name}");
        }
        assert!(!answer.headers.contains_key("access-control-allow-credentials") && !answer.headers.contains_key("set-cookie"));
        let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
        assert!(["etag", "content-range", "content-length", "accept-ranges", "x-request-id"].iter().all(|name| exposed.contains(name)), "{exposed}");
    }
    assert_eq!(
        (read.status.as_u16(), &read.headers["cache-control"], &refused.headers["cache-control"]),
        (206, &"private, no-cache".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"), "what a browser shows of it is inert");
    let script = nobody.get(&signed(&play.api, "films", &format!("s3://{MEDIA}/evil.js"), "GET").await).await;
    assert_eq!((script.text().as_str(), &script.headers["content-type"]), ("alert(1)", &"text/plain".parse().unwrap()), "no script of this origin");
    // The API stays nobody else's.
    let api = play.api.send(Method::OPTIONS, &format!("{FILMS}/sign"), &[origin, ("access-control-request-method", "POST")], None).await;
    assert!(api.status.is_client_error() && api.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{api:?}");
}

#[tokio::test]
async fn l09_a02_no_log_and_no_file_has_a_url_that_was_signed() {
    let mut play = play_with(&[("PORTCULLIS__LOG__LEVEL", "trace")]).await;
    let nobody = play.api.with_token("");
    ready_role(&play.api, &play.aws, "films").await;
    let urls = [
        signed(&play.api, "films", &top(), "GET").await,
        signed(&play.api, "films", &top(), "HEAD").await,
        signed(&play.api, "films", &format!("s3://{MEDIA}/none"), "GET").await,
    ];
    assert_eq!(nobody.get(&urls[0]).await.text(), "0123456789");
    nobody.get(&urls[1]).await.problem(403, "method_not_signed");
    nobody.get(&urls[2]).await.problem(404, "file_not_found");
    nobody.get(&format!("{}A", urls[0])).await.problem(403, "invalid_signature");
    nobody.send(Method::POST, &urls[0], &[], None).await.problem(405, "method_not_allowed");
    nobody.get(&urls[0].replace("/s?", "/s/x?")).await.problem(404, "no_such_route");
    play.api.patch(FILMS, &json!({"description": "new"})).await.expect(200);
    nobody.get(&urls[0]).await.problem(403, "signed_url_revoked");
    play.gateway.kill();
    let log = play.gateway.log();
    assert!(log.contains("/s") && log.contains("signed_url_revoked") && log.contains("answered"), "the requests are in the log: {log}");
    let files = play.gateway.files();
    for path in &files {
        let content = std::fs::read(path).unwrap();
        for url in &urls {
            // Its signature, in either form.
            let (text, mac) = (&url.split_once("token=").unwrap().1.as_bytes()[..42], &bytes(url)[..32]);
            let found = content.windows(text.len()).any(|part| part == text) || content.windows(mac.len()).any(|part| part == mac);
            assert!(!found, "{} has a signed URL", path.display());
        }
    }
    assert!(files.len() > 3, "{files:?}");
}

#[tokio::test]
async fn l09_b11_a_thousand_reads_by_one_url_open_one_session() {
    let mut play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let url = signed(&play.api, "films", &top(), "GET").await;
    // With nothing in memory.
    play.gateway.kill();
    play.gateway.restart().await;
    play.aws.forget_journal();
    let nobody = play.gateway.api().with_token("");
    let answers = futures_util::future::join_all((0..1000).map(|_| nobody.get(&url))).await;
    let failed: Vec<String> = answers.iter().filter(|answer| answer.text() != "0123456789").map(Answer::text).collect();
    assert!(failed.is_empty(), "{} of 1000 failed: {:?}", failed.len(), failed.first());
    let journal = play.aws.journal();
    let opened = |entry: &&Entry| entry.service == Some(Service::Sts) && entry.params.get("RoleArn").is_some_and(|role| role == READER_ROLE);
    assert_eq!(journal.iter().filter(opened).count(), 1, "one session for all");
    assert_eq!(journal.iter().filter(|entry| entry.action.as_deref() == Some("s3:GetObject")).count(), 1000);
}
