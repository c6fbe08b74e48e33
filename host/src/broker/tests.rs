//! The broker against remotes that are scripted byte by byte: what is sent, how often, and what becomes of the answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::lease::tests::FakeSts;
use super::*;
use crate::fetch::{FetchConfig, Limits};
use crate::model::{
    AssumeRole, Connection, ConnectionId, ConnectionName, ConnectionState, Digest, ExternalId, Header, HttpObject, Kind, OAuth2, ObjectKey, OrgId, Piece,
    S3Object, Timestamp,
};
use crate::policy::{AddressPolicy, Egress, EgressRule, Grant, WebRequest};
use crate::vault::Secret;

const CANARY: &str = "c4n4ry/+secret";

/// Answers each request with the next line of its script, on a socket of its own; remembers what it was asked.
struct Remote {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Remote {
    async fn scripted<T: Into<String>>(answers: impl IntoIterator<Item = T>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, mut answers): (_, VecDeque<String>) = (heads.clone(), answers.into_iter().map(Into::into).collect());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = socket.read_u8().await else { break };
                    head.push(byte);
                }
                let head = String::from_utf8(head).expect("ASCII");
                if let Some(length) =
                    head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|length| length.parse().ok()))
                {
                    let mut body = vec![0; length];
                    socket.read_exact(&mut body).await.expect("a body");
                }
                seen.lock().expect("unpoisoned").push(head);
                let answer = answers.pop_front().unwrap_or_else(|| answer(500, "x-why: script-at-its-end", ""));
                _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, heads }
    }
    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("unpoisoned").clone()
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn s3_error(status: u16, headers: &str, code: &str) -> String {
    answer(status, headers, &format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>"))
}

fn line<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

struct World {
    s3: s3::S3,
    web: web::Web,
    sts: Arc<FakeSts>,
    grant: Arc<Grant>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(remote: &Remote) -> Self {
        let random: Random = Arc::new(|bytes| SystemRandom::new().fill(bytes).expect("randomness"));
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Arc::new(Vault::open(&folder.path().join("key"), true, &random).expect("a vault"));
        let addresses = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().expect("a network")], allow_http: true };
        let fetcher = Arc::new(Fetcher::new(FetchConfig { addresses, extra_ca: Vec::new(), limits: Limits::default() }).expect("a fetcher"));
        let sts = Arc::new(FakeSts::default());
        let now = sts.now.clone();
        now.store(1_700_000_000_000, std::sync::atomic::Ordering::SeqCst);
        let clock: Clock = Arc::new(move || Timestamp::from_millis(now.load(std::sync::atomic::Ordering::SeqCst)));
        let region = Region::new("us-east-1").expect("a region");
        let role = RoleArn::new("arn:aws:iam::999999999999:role/Gateway").expect("an ARN");
        let uses = Uses::new(clock.clone());
        let leases = lease::Leases::new(sts.clone(), Some(role), region.clone(), clock.clone(), random, uses.clone());
        let endpoint = format!("http://127.0.0.1:{}", remote.port).parse().expect("a URL");
        let places = Arc::new(place::Places::new(region, Some(&endpoint), true).expect("places"));
        let tokens = oauth2::Tokens::new(vault.clone(), fetcher.clone(), clock.clone(), uses.clone());
        Self {
            grant: grant(&vault, remote.port),
            s3: s3::S3 { places, fetcher: fetcher.clone(), leases, clock: clock.clone() },
            web: web::Web { vault, fetcher, tokens, clock },
            sts,
            _folder: folder,
        }
    }
    async fn s3(&self, key: &str, read: Read) -> Result<Object> {
        let object = S3Object { bucket: BucketName::new("bkt").expect("a bucket"), key: ObjectKey::new(key).expect("a key"), region: None, version_id: None };
        self.s3.open(&self.grant, &role(), &object, &read).await
    }
    fn permit(&self, remote: &Remote, credential: &Credential) -> (Permit, WebRequest) {
        let object = HttpObject { url: format!("http://127.0.0.1:{}/a%20b//c?x=%0d%0a", remote.port), headers: Vec::new() };
        let permit = self.grant.permit_http(Action::Read, &object, credential).expect("a permit");
        let Resource::Web(request) = permit.resource().clone() else { panic!("a web request") };
        (permit, request)
    }
    async fn web(&self, remote: &Remote, credential: &Credential) -> Result<Object> {
        let (permit, request) = self.permit(remote, credential);
        self.web.open(&permit, &request, &Read::default()).await
    }
    async fn document(&self, remote: &Remote, credential: &Credential, limit: usize) -> Result<String> {
        let (permit, request) = self.permit(remote, credential);
        self.web.document(&permit, &request, limit).await
    }
    fn sessions_opened(&self) -> usize {
        self.sts.asked.lock().expect("unpoisoned").iter().filter(|asked| asked.chained).count()
    }
}

fn role() -> Credential {
    let role_arn = RoleArn::new("arn:aws:iam::123456789012:role/Reader").expect("an ARN");
    Credential::AwsAssumeRole(AssumeRole { role_arn, duration_seconds: 3600, region: None })
}

fn grant(vault: &Vault, port: u16) -> Arc<Grant> {
    let (id, org) = (ConnectionId(uuid::Uuid::from_u128(7)), OrgId::new("acme").expect("an org"));
    let sealed = vault.seal(&org, id, "secret", 1, &Secret::new(CANARY.as_bytes().to_vec())).expect("sealed");
    let now = Timestamp::from_millis(0);
    let connection = Connection {
        secrets: BTreeMap::from([("secret".to_owned(), sealed)]),
        state: ConnectionState::Ready,
        ..Connection::new(
            id,
            org,
            ConnectionName::new("customer").expect("a name"),
            "aws_iam_role".to_owned(),
            Digest([0; 32]),
            ExternalId::new("portcullis-0123456789abcdef0123").expect("an id"),
            now,
        )
    };
    let egress = Egress(vec![
        EgressRule::S3 { bucket: Some(BucketName::new("bkt").expect("a bucket")), prefix: String::new() },
        EgressRule::Web { plain_http: true, host: "127.0.0.1".to_owned(), port, path_prefix: String::new() },
    ]);
    Arc::new(Grant { connection, egress, capabilities: BTreeSet::new(), asked_anew: None, by: By::GATEWAY })
}

async fn body(object: Object) -> String {
    String::from_utf8(object.body.bytes(1 << 20).await.expect("a body").to_vec()).expect("UTF-8")
}

const WHOLE: &str = "etag: \"e\"";

#[tokio::test]
async fn s09_s16_b02_a_signed_read_is_what_goes_over_the_wire() {
    let remote = Remote::scripted([answer(206, "etag: \"e\"\r\ncontent-range: bytes 0-3/9\r\nx-amz-meta-owner: someone\r\nx-amz-request-id: 1", "data")]).await;
    let world = World::new(&remote);
    let read = Read { range: ByteRange::parse("bytes=0-3"), if_match: Some("\"e\"".to_owned()), ..Read::default() };
    let object = world.s3("a+b//x?y #", read).await.expect("an object");
    assert_eq!((object.status, object.meta().content_range.as_deref(), object.meta().content_length), (206, Some("bytes 0-3/9"), Some(4)));
    assert_eq!(body(object).await, "data");
    let heads = remote.heads();
    let [head] = heads.as_slice() else { panic!("one request: {heads:?}") };
    assert!(head.starts_with("GET /bkt/a%2Bb//x%3Fy%20%23 HTTP/1.1\r\n"), "{head}");
    assert_eq!(line(head, "host"), Some(format!("127.0.0.1:{}", remote.port).as_str()));
    assert_eq!(line(head, "range"), Some("bytes=0-3"));
    assert_eq!(line(head, "if-match"), Some("\"e\""));
    assert_eq!(line(head, "x-amz-security-token"), Some("token"));
    assert_eq!(line(head, "x-amz-date"), Some("20231114T221320Z"));
    assert!(line(head, "authorization").expect("signed").starts_with("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20231114/us-east-1/s3/aws4_request, "));
}

#[tokio::test]
async fn u11_e16_a_redirect_is_one_request_and_an_error() {
    for status in [301, 302, 303, 307, 308] {
        let remote = Remote::scripted([answer(status, "location: http://169.254.169.254/\r\nx-amz-bucket-region: evil.example/", "")]).await;
        let error = World::new(&remote).s3("k", Read::default()).await.err().expect("refused");
        assert_eq!((error.kind(), error.code()), (Kind::Rejected, "redirect_denied"), "{status}");
        assert_eq!(remote.heads().len(), 1);
    }
}

#[tokio::test]
async fn u13_a_bucket_elsewhere_costs_one_more_request_once() {
    let remote =
        Remote::scripted([s3_error(301, "x-amz-bucket-region: eu-central-1", "PermanentRedirect"), answer(200, WHOLE, "one"), answer(200, WHOLE, "two")]).await;
    let world = World::new(&remote);
    assert_eq!(body(world.s3("k", Read::default()).await.expect("an object")).await, "one");
    assert_eq!(body(world.s3("k", Read::default()).await.expect("an object")).await, "two");
    let regions: Vec<_> = remote.heads().iter().map(|head| line(head, "authorization").expect("signed").split('/').nth(2).map(str::to_owned)).collect();
    assert_eq!(regions, ["us-east-1", "eu-central-1", "eu-central-1"].map(|region| Some(region.to_owned())));
    assert_eq!(world.sessions_opened(), 1);
}

#[tokio::test]
async fn u13_regions_that_point_at_each_other_end() {
    let remote = Remote::scripted([
        s3_error(301, "x-amz-bucket-region: eu-central-1", "PermanentRedirect"),
        s3_error(301, "x-amz-bucket-region: us-west-2", "PermanentRedirect"),
    ])
    .await;
    assert_eq!(World::new(&remote).s3("k", Read::default()).await.err().expect("refused").code(), "redirect_denied");
    assert_eq!(remote.heads().len(), 2);
}

#[tokio::test]
async fn u14_an_expired_session_is_opened_again_once() {
    let expired = || s3_error(400, "", "ExpiredToken");
    let remote = Remote::scripted([expired(), answer(200, WHOLE, "data")]).await;
    let world = World::new(&remote);
    assert_eq!(body(world.s3("k", Read::default()).await.expect("an object")).await, "data");
    assert_eq!(world.sessions_opened(), 2);

    let remote = Remote::scripted([expired(), expired(), expired()]).await;
    let world = World::new(&remote);
    assert_eq!(world.s3("k", Read::default()).await.err().expect("refused").code(), "session_expired");
    assert_eq!((remote.heads().len(), world.sessions_opened()), (2, 2));
}

#[tokio::test]
async fn u14_a_bad_head_does_not_open_session_after_session() {
    let remote = Remote::scripted((0..5).map(|_| answer(400, "", ""))).await;
    let world = World::new(&remote);
    let head = || Read { head: true, ..Read::default() };
    for _ in 0..3 {
        assert_eq!(world.s3("k", head()).await.err().expect("refused").code(), "s3_request_refused");
    }
    assert_eq!((remote.heads().len(), world.sessions_opened()), (3, 1));
    world.sts.now.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.s3("k", head()).await.err().expect("refused").code(), "s3_request_refused");
    assert_eq!((remote.heads().len(), world.sessions_opened()), (5, 2), "an old session is suspected, once");
}

#[tokio::test]
async fn u10_u16_what_is_not_the_object_is_never_passed_on() {
    let range = Read { range: ByteRange::parse("bytes=0-3"), ..Read::default() };
    let cases = [
        (answer(200, "content-type: text/html", "<html>log in</html>"), Read::default(), "not_an_object"),
        (answer(200, "", "<Error><Code>InternalError</Code></Error>"), Read::default(), "not_an_object"),
        (answer(206, "etag: \"e\"\r\ncontent-range: bytes 1-4/9", "data"), range.clone(), "range_mismatch"),
        (answer(206, WHOLE, "data"), range.clone(), "range_mismatch"),
        (answer(204, WHOLE, ""), Read::default(), "s3_request_refused"),
        (answer(304, WHOLE, ""), Read::default(), "redirect_denied"),
        (s3_error(404, "", "NoSuchKey"), Read::default(), "file_not_found"),
        (s3_error(403, "", "AccessDenied"), Read::default(), "permission_denied"),
        (s3_error(503, "", "SlowDown"), Read::default(), "upstream_throttled"),
        (s3_error(412, "", "PreconditionFailed"), Read { if_match: Some("\"old\"".to_owned()), ..Read::default() }, "object_changed"),
        (answer(403, "", &"x".repeat(100_000)), Read::default(), "permission_denied"),
    ];
    for (script, read, code) in cases {
        let remote = Remote::scripted([script]).await;
        assert_eq!(World::new(&remote).s3("k", read).await.err().expect(code).code(), code);
    }
    let remote = Remote::scripted([answer(416, "content-range: bytes */2", "<Error><Code>InvalidRange</Code></Error>")]).await;
    let object = World::new(&remote).s3("k", range).await.expect("an answer about the range");
    assert_eq!((object.status, object.meta().content_range.as_deref()), (416, Some("bytes */2")));
    assert_eq!(body(object).await, "");
}

#[tokio::test]
async fn h01_b01_a_web_read_carries_its_credential_and_nothing_else() {
    let basic = Credential::Basic { username: "al".to_owned(), password: "secret".to_owned() };
    let key = Credential::Headers(vec![Header {
        name: "X-Api-Key".to_owned(),
        pieces: vec![Piece::Text("k=".to_owned()), Piece::Secret("secret".to_owned()), Piece::Concat(vec![0, 1])],
    }]);
    let cases = [
        (Credential::Anonymous, "authorization", None),
        (basic, "authorization", Some(format!("Basic {}", STANDARD.encode(format!("al:{CANARY}"))))),
        (Credential::Bearer { token: "secret".to_owned() }, "authorization", Some(format!("Bearer {CANARY}"))),
        (key, "x-api-key", Some(format!("k={CANARY}"))),
    ];
    for (credential, name, value) in cases {
        let remote = Remote::scripted([answer(200, "", "data")]).await;
        let object = World::new(&remote).web(&remote, &credential).await.expect("an object");
        assert_eq!(body(object).await, "data");
        let heads = remote.heads();
        assert!(heads[0].starts_with("GET /a%20b//c?x=%0d%0a HTTP/1.1\r\n"), "{}", heads[0]);
        assert_eq!(line(&heads[0], name), value.as_deref());
    }
}

#[tokio::test]
async fn h08_a_refused_secret_is_not_tried_again() {
    let remote = Remote::scripted((0..10).map(|_| answer(401, "", CANARY))).await;
    let world = World::new(&remote);
    let error = world.web(&remote, &Credential::Bearer { token: "secret".to_owned() }).await.err().expect("refused");
    assert_eq!((error.code(), remote.heads().len()), ("upstream_auth_failed", 1));
    assert!(!format!("{error:?}").contains(CANARY));
}

#[tokio::test]
async fn h08_an_oauth2_token_is_obtained_once_and_renewed_once() {
    let token = |token: &str| answer(200, "", &format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":600}}"));
    let remote = Remote::scripted([token("t1"), answer(200, "", "one"), answer(200, "", "two"), answer(401, "", ""), token("t2"), answer(401, "", "")]).await;
    let world = World::new(&remote);
    let credential = Credential::OAuth2ClientCredentials(OAuth2 {
        token_url: format!("http://127.0.0.1:{}/token", remote.port),
        client_id: "id".to_owned(),
        client_secret: "secret".to_owned(),
        scope: Some("read".to_owned()),
        audience: None,
    });
    assert_eq!(body(world.web(&remote, &credential).await.expect("an object")).await, "one");
    assert_eq!(body(world.web(&remote, &credential).await.expect("an object")).await, "two");
    assert_eq!(world.web(&remote, &credential).await.err().expect("refused").code(), "upstream_auth_failed");
    let heads = remote.heads();
    let authorizations: Vec<_> = heads.iter().map(|head| line(head, "authorization").unwrap_or_default().to_owned()).collect();
    let client = format!("Basic {}", STANDARD.encode("id:c4n4ry%2F%2Bsecret"));
    assert_eq!(authorizations, [client.as_str(), "Bearer t1", "Bearer t1", "Bearer t1", client.as_str(), "Bearer t2"]);
    assert!(heads[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", heads[0]);
}

#[tokio::test]
async fn b01_m18_a_document_comes_back_without_the_secret() {
    let echo = format!("you sent {CANARY}, {}, {}", STANDARD.encode(format!("al:{CANARY}")), hex::encode(CANARY));
    let remote = Remote::scripted([answer(200, "", &echo), answer(200, "", "\u{e9}"), answer(200, "", &"x".repeat(101))]).await;
    let world = World::new(&remote);
    let basic = Credential::Basic { username: "al".to_owned(), password: "secret".to_owned() };
    let text = world.document(&remote, &basic, 1000).await.expect("a document");
    assert_eq!(text, "you sent [secret], [secret], [secret]");
    assert_eq!(world.document(&remote, &basic, 1000).await.expect("a document"), "\u{e9}");
    let error = world.document(&remote, &basic, 100).await.expect_err("too long");
    assert_eq!((error.kind(), error.code()), (Kind::LimitExceeded, "response_too_large"));
}
