//! TLS: nothing is sent before the certificate is verified, and the end of a body is the end the remote meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::rig::{addresses, body, read_head, request};
use crate::fetch::{FetchConfig, Fetcher, Limits, Lookup, Outbound};
use crate::model::Kind;

const HOST: &str = "assets.cust.example";

/// A certificate authority, in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Portcullis test authority");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), certificate.pem()).expect("written");
        Self { issuer: Issuer::new(params, key), file }
    }

    fn fetcher(&self) -> Fetcher {
        let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) }));
        let config = FetchConfig { addresses: addresses(), extra_ca: vec![self.file.path().to_owned()], limits: Limits::default() };
        Fetcher::with_lookup(config, lookup).expect("a fetcher")
    }

    /// A server with a certificate for `names`; `change` may spoil it.
    fn server(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        configured(certificate.der().clone(), &key, rustls::DEFAULT_VERSIONS)
    }
}

fn configured(certificate: rustls_pki_types::CertificateDer<'static>, key: &KeyPair, versions: &[&'static rustls::SupportedProtocolVersion]) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a server")
}

/// Listens; counts requests that it could read; answers each and then closes, with a close_notify or without.
async fn serve(config: ServerConfig, answer: &'static str, close_notify: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let requests = Arc::new(AtomicUsize::new(0));
    let (acceptor, count) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else { return };
                let Some(head) = read_head(&mut tls).await else { return };
                assert!(head.contains(&format!("\r\nhost: {HOST}")), "{head}");
                count.fetch_add(1, Ordering::SeqCst);
                tls.write_all(answer.as_bytes()).await.expect("written");
                tls.flush().await.expect("flushed");
                if close_notify {
                    tls.shutdown().await.ok();
                }
            });
        }
    });
    (port, requests)
}

fn outbound(port: u16) -> Outbound {
    let mut request = Outbound { https: true, host: HOST.to_owned(), ..request(port, "/") };
    request.headers.insert("authorization", "Bearer canary".parse().expect("a value"));
    request
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn e20_m21_a_server_that_is_not_who_it_should_be_is_sent_nothing() {
    let authority = Authority::new();
    let self_signed = {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![HOST.to_owned()]).expect("names").self_signed(&key).expect("a certificate");
        configured(certificate.der().clone(), &key, rustls::DEFAULT_VERSIONS)
    };
    for (what, config) in [
        ("expired", authority.server(&[HOST], |params| params.not_after = date_time_ymd(2020, 1, 1))),
        ("not yet valid", authority.server(&[HOST], |params| params.not_before = date_time_ymd(2100, 1, 1))),
        ("another name", authority.server(&["evil.example"], |_| {})),
        ("a name above", authority.server(&["cust.example"], |_| {})),
        ("a common name only", authority.server(&[], |params| params.distinguished_name.push(DnType::CommonName, HOST))),
        ("self-signed", self_signed),
        ("another authority", Authority::new().server(&[HOST], |_| {})),
    ] {
        let (port, requests) = serve(config, HELLO, true).await;
        let error = authority.fetcher().send(outbound(port)).await.err().expect(what);
        assert_eq!((error.kind(), error.code()), (Kind::Rejected, "upstream_tls"), "{what}: {error:?}");
        assert!(error.message().contains("certificate"), "{what}: {error}");
        assert_eq!(requests.load(Ordering::SeqCst), 0, "{what}");
    }
}

#[tokio::test]
async fn e20_a_good_certificate_of_an_added_authority_is_trusted() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![HOST.to_owned()]).expect("names").signed_by(&key, &authority.issuer).expect("a certificate");
        let (port, requests) = serve(configured(certificate.der().clone(), &key, versions), HELLO, true).await;
        let fetcher = authority.fetcher();
        assert_eq!(body(fetcher.send(outbound(port)).await).await, Ok("hello".to_owned()));
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        assert_eq!(fetcher.extra_ca_pem().len(), 1);
    }
}

#[tokio::test]
async fn u18_a_body_without_length_ends_with_close_notify_or_is_truncated() {
    let authority = Authority::new();
    let unframed = "HTTP/1.1 200 OK\r\n\r\nhello";
    for (answer, close_notify, expected) in [(unframed, false, Err("truncated")), (unframed, true, Ok("hello")), (HELLO, false, Ok("hello"))] {
        let (port, _) = serve(authority.server(&[HOST], |_| {}), answer, close_notify).await;
        let found = body(authority.fetcher().send(outbound(port)).await).await;
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "close_notify {close_notify}: {answer:?}");
    }
}

#[tokio::test]
async fn e20_a_server_without_tls_is_an_error_of_tls() {
    let upstream = super::rig::Upstream::scripted(|mut socket, _| async move {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    })
    .await;
    let error = Authority::new().fetcher().send(outbound(upstream.port)).await.err().expect("no TLS there");
    assert_eq!(error.code(), "upstream_tls", "{error:?}");
}

#[test]
fn e20_a_file_without_certificates_is_refused_at_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(file.path(), content).expect("written");
        let config = FetchConfig { addresses: addresses(), extra_ca: vec![file.path().to_owned()], limits: Limits::default() };
        assert_eq!(Fetcher::new(config).err().map(|error| error.code().to_owned()).as_deref(), Some("invalid_ca_file"), "{content:?}");
    }
}

/// Answers each request of a socket; after the second it says something unasked, or says goodbye and keeps the socket.
#[tokio::test]
async fn u05_u18_a_tls_socket_is_used_again_unless_something_comes_unasked_or_it_is_closed() {
    for unasked in [Some("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), None] {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(&[HOST], |_| {})));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut tls = acceptor.accept(socket).await.expect("a handshake");
                    for number in 1.. {
                        let Some(_) = read_head(&mut tls).await else { return };
                        let more = unasked.filter(|_| number == 2).unwrap_or_default();
                        tls.write_all(format!("{HELLO}{more}").as_bytes()).await.expect("written");
                        tls.flush().await.expect("flushed");
                        if number == 2 && unasked.is_none() {
                            tls.get_mut().1.send_close_notify();
                            tls.flush().await.expect("flushed");
                        }
                    }
                });
            }
        });
        let fetcher = authority.fetcher();
        for _ in 0..6 {
            assert_eq!(body(fetcher.send(outbound(port)).await).await, Ok("hello".to_owned()));
            // What comes after an answer has come.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(accepted.load(Ordering::SeqCst), 3, "{unasked:?}");
    }
}
