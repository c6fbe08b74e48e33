//! Faults of web servers, of what leads to them and of what they hide behind: a server for each cause.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use portcullis::fetch::{Limits, Lookup};
use portcullis::model::Finding;
use portcullis_tests::origin::guard::TOKEN_PATH;
use portcullis_tests::origin::{Certificate, Fault, Origin, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Found, Outcome};
use crate::house::House;

const FILES: [&str; 3] = ["https_header", "https_public", "https_oauth2"];
const AT_ONCE: usize = 12;
/// A TLS record with a fatal alert (RFC 8446 section 6): the last byte says which.
const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

struct Case {
    cause: &'static str,
    check: &'static str,
    code: &'static str,
    kind: &'static str,
    settings: Value,
    location: String,
}

/// Servers live as long as this.
#[derive(Default)]
struct Street {
    cases: Vec<Case>,
    origins: Vec<Origin>,
    authorities: Vec<PathBuf>,
    sockets: Vec<TcpStream>,
    listeners: Vec<TcpListener>,
}

impl Street {
    /// A public file on a host of that name; port 443 of nobody unless given.
    fn on(&mut self, cause: &'static str, check: &'static str, code: &'static str, host: &str, port: u16) {
        let settings = json!({"hostname": host, "port": port});
        self.cases.push(Case { cause, check, code, kind: "https_public", settings, location: format!("https://{host}:{port}/public/a.jpg") });
    }

    async fn origin(&mut self, certificate: Certificate, fault: Option<Fault>) -> u16 {
        let origin = Origin::with(Settings { certificate, ..Settings::default() }).await.unwrap();
        for tree in ["public", "basic", "key", "oauth"] {
            origin.put(&format!("/{tree}/a.jpg"), "jpeg");
        }
        if let Some(fault) = fault {
            origin.fail(1000, fault);
        }
        let port = origin.port();
        self.authorities.push(origin.ca().to_owned());
        self.origins.push(origin);
        port
    }

    async fn certificate(&mut self, cause: &'static str, code: &'static str, certificate: Certificate) {
        let port = self.origin(certificate, None).await;
        self.on(cause, "tls", code, "files.origin.test", port);
    }

    async fn fault(&mut self, cause: &'static str, code: &'static str, fault: Fault) {
        let port = self.origin(Certificate::Good, Some(fault)).await;
        self.on(cause, "request", code, "files.origin.test", port);
    }

    /// A server that reads what comes first, answers `bytes` and closes, or stays silent.
    async fn raw(&mut self, cause: &'static str, code: &'static str, bytes: Option<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let bytes = bytes.clone();
                tokio::spawn(async move {
                    let mut hello = [0; 4096];
                    _ = socket.read(&mut hello).await;
                    match bytes {
                        Some(bytes) => _ = socket.write_all(&bytes).await,
                        None => tokio::time::sleep(Duration::from_secs(60)).await,
                    }
                });
            }
        });
        self.on(cause, "tls", code, "files.origin.test", port);
    }

    async fn kind(&mut self, cause: &'static str, check: &'static str, code: &'static str, kind: &'static str, more: Value, fault: Option<Fault>) {
        let port = self.origin(Certificate::Good, fault).await;
        let mut settings = json!({"hostname": "localhost", "port": port});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let tree = match kind {
            "https_basic" => "basic",
            "https_oauth2" => "oauth",
            _ => "key",
        };
        self.cases.push(Case { cause, check, code, kind, settings, location: format!("https://localhost:{port}/{tree}/a.jpg") });
    }
}

async fn street() -> Street {
    let mut street = Street::default();
    for (cause, code, host) in [
        ("the host name is not in the DNS", "dns_name_not_found", "missing.origin.test"),
        ("the domain's DNS servers are silent", "dns_timeout", "silent.origin.test"),
        ("the domain's DNS servers fail", "dns_failed", "broken.origin.test"),
        ("the host name has no address", "dns_no_address", "empty.origin.test"),
        ("the host name leads to a private address", "dns_private_address", "inside.origin.test"),
    ] {
        street.on(cause, "name_resolution", code, host, 443);
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    street.on("nothing listens on the port", "connection", "connection_refused", "files.origin.test", closed);
    let silent = full_listener(&mut street).await;
    street.on("nothing answers at the address", "connection", "connect_timeout", "files.origin.test", silent);

    street.certificate("the server's certificate has expired", "tls_certificate_expired", Certificate::Expired).await;
    street.certificate("the server's certificate is not valid yet", "tls_certificate_not_yet_valid", Certificate::NotYetValid).await;
    street.certificate("the server's certificate is for another name", "tls_wrong_name", Certificate::WrongName).await;
    street.certificate("the server's certificate is by an unknown authority", "tls_unknown_authority", Certificate::Stranger).await;
    street.certificate("the server signed its certificate itself", "tls_self_signed", Certificate::SelfSigned).await;
    street.certificate("the server wants a client's certificate", "tls_client_certificate_wanted", Certificate::WantsClients).await;
    let plain = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec();
    street.raw("the port does not speak TLS", "tls_not_spoken", Some(plain)).await;
    street.raw("the server speaks old TLS only", "tls_version_not_supported", Some(alert(70).to_vec())).await;
    street.raw("the server refuses the handshake", "tls_refused", Some(alert(40).to_vec())).await;
    street.raw("the server serves other names", "tls_name_not_served", Some(alert(112).to_vec())).await;
    street.raw("the server closes during the handshake", "tls_closed", Some(Vec::new())).await;
    street.raw("the server does not finish the handshake", "tls_timeout", None).await;

    for (cause, code, fault) in [
        ("the server does not answer in time", "answer_timeout", Fault::Late(Duration::from_secs(30))),
        ("the server closes without an answer", "closed_without_answer", Fault::Hangup),
        ("the answer's headers are too large or too many", "headers_too_large", Fault::ManyHeaders),
        ("the file has moved for good", "moved_permanently", Fault::Redirect(301, "https://new.example/a.jpg".into())),
        (
            "the server redirects to another host, mostly to log in",
            "redirected_to_another_host",
            Fault::Redirect(302, "https://login.example/?state=canary".into()),
        ),
        ("the server redirects", "redirect_denied", Fault::Redirect(302, "/login".into())),
        ("a login page comes in place of the file", "web_page_instead_of_file", Fault::Page),
        ("the server wants credentials, and the connection has none", "credentials_wanted", Fault::Challenge("Basic realm=\"files\"")),
        ("a proxy before the server wants credentials", "proxy_authentication_wanted", Fault::Status(407)),
        ("the credentials may not read this", "permission_denied", Fault::Status(403)),
        ("the file is gone for good", "file_gone", Fault::Status(410)),
        ("the server does not answer HEAD", "head_not_supported", Fault::Status(405)),
        ("the server gave up waiting", "request_timed_out", Fault::Status(408)),
        ("the server throttles", "upstream_throttled", Fault::RetryAfter(429, 7)),
        ("the file is blocked for legal reasons", "legally_blocked", Fault::Status(451)),
        ("the server refuses in another way", "broken_url", Fault::Status(418)),
        ("the server fails", "server_error", Fault::Status(500)),
        ("a proxy does not reach the server", "bad_gateway", Fault::Status(502)),
        ("the server cannot answer now", "upstream_unavailable", Fault::Status(503)),
    ] {
        street.fault(cause, code, fault).await;
    }

    let basic = |password: &str| json!({"username": "ingest", "password": password});
    street.kind("user name or password are wrong", "request", "upstream_auth_failed", "https_basic", basic("canary-password"), None).await;
    street
        .kind(
            "the server wants another kind of credential",
            "request",
            "other_authentication_wanted",
            "https_basic",
            basic("canary-password"),
            Some(Fault::Challenge("Bearer")),
        )
        .await;
    let own = Settings::default();
    let oauth = |secret: &str, scope: &str| json!({"token_path": TOKEN_PATH, "client_id": own.client_id, "client_secret": secret, "scope": scope});
    let (right, read) = (own.client_secret.as_str(), "files.read");
    for (cause, code, settings, fault) in [
        ("the OAuth 2 client's id or secret are wrong", "oauth2_client_not_accepted", oauth("canary-secret", read), None),
        ("the OAuth 2 client may not have this scope", "oauth2_scope_not_accepted", oauth(right, "files.write"), None),
        ("the token endpoint refuses for another reason", "oauth2_refused", oauth(right, read), Some(Fault::Status(400))),
        ("something that is no token endpoint answers", "oauth2_bad_answer", oauth(right, read), Some(Fault::Status(200))),
        ("the token endpoint throttles", "oauth2_throttled", oauth(right, read), Some(Fault::RetryAfter(429, 7))),
        ("the token endpoint cannot answer now", "oauth2_unavailable", oauth(right, read), Some(Fault::Status(503))),
    ] {
        street.kind(cause, "token", code, "https_oauth2", settings, fault).await;
    }
    let role = json!({"iam_role_arn": "arn:aws:iam::444455556666:role/reader", "bucket_name": "films-bucket"});
    let (cause, location) = ("the gateway has no AWS role of its own", "s3://films-bucket/a.jpg".to_owned());
    street.cases.push(Case { cause, check: "assume_role", code: "aws_not_configured", kind: "aws_iam_role", settings: role, location });
    let healthy = street.origin(Certificate::Good, None).await;
    street.on("", "", "", "files.origin.test", healthy);
    street
}

/// Its queue of sockets to be accepted is full: the kernel drops whatever else comes, as a firewall would.
async fn full_listener(street: &mut Street) -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..16 {
        match tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            Ok(Ok(socket)) => street.sockets.push(socket),
            _ => {
                street.listeners.push(listener);
                return address.port();
            }
        }
    }
    panic!("the queue does not fill");
}

fn lookup() -> Lookup {
    Arc::new(|host: String| {
        Box::pin(async move {
            let said = |words: &str| io::Error::other(format!("failed to lookup address information: {words}"));
            match host.split('.').next().unwrap() {
                "missing" => Err(said("Name or service not known")),
                "broken" => Err(said("Temporary failure in name resolution")),
                "empty" => Ok(Vec::new()),
                "inside" => Ok(vec![IpAddr::from([10, 0, 0, 7])]),
                "silent" => std::future::pending().await,
                _ => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            }
        })
    })
}

pub async fn outcomes() -> Vec<Outcome> {
    let mut street = street().await;
    let own = Settings::default();
    let secrets = vec![own.password, own.token, own.api_key, own.client_secret, "canary".to_owned()];
    let limits = Limits { resolve: Duration::from_secs(1), connect: Duration::from_secs(3), head: Duration::from_secs(4), ..Limits::default() };
    let house = House::build(&FILES, &street.authorities, limits, Some(lookup())).await;
    let cases = std::mem::take(&mut street.cases);
    let outcomes: Vec<Outcome> = stream::iter(cases.into_iter().enumerate())
        .map(|(number, case)| {
            let (house, secrets) = (&house, secrets.clone());
            async move {
                let (_, findings) = house.connect(&format!("web_{number:02}"), case.kind, case.settings, Some(&case.location)).await;
                Outcome { cause: case.cause, check: case.check, code: case.code, also: &[], findings: findings.into_iter().map(found).collect(), secrets }
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (healthy, failing): (Vec<Outcome>, Vec<Outcome>) = outcomes.into_iter().partition(|outcome| outcome.code.is_empty());
    for outcome in healthy {
        let told: Vec<(&str, bool)> = outcome.findings.iter().map(|found| (found.check.as_str(), found.passed)).collect();
        assert_eq!(told, ["name_resolution", "connection", "tls", "request"].map(|check| (check, true)), "{:?}", outcome.findings);
    }
    failing
}

fn found(finding: Finding) -> Found {
    let Finding { check, passed, code, message, remedy } = finding;
    Found { check, passed, code, message, remedy }
}
