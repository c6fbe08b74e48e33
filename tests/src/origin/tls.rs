//! The origin's certificate and the authority that signs it, made anew at each start.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// Which certificate it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1` and `*.origin.test`, by its own authority.
    Good,
    Expired,
    NotYetValid,
    /// For another name.
    WrongName,
    /// By an authority that is not the one in `ca`.
    Stranger,
    /// By itself, as `openssl req -x509` makes one.
    SelfSigned,
    /// A good one, of a server that wants one of its clients, too.
    WantsClients,
}

/// The acceptor and the authority's certificate in PEM.
pub fn acceptor(kind: Certificate) -> io::Result<(TlsAcceptor, String)> {
    let (pem, certificate, key) = issue(kind)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let config = if kind == Certificate::WantsClients {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?).map_err(io::Error::other)?;
        config.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(io::Error::other)?)
    } else {
        config.with_no_client_auth()
    };
    let config = config
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .map_err(io::Error::other)?;
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}

/// For a server that reads its certificate from files.
pub fn write_pem(kind: Certificate, ca: &Path, certificate: &Path, key: &Path) -> io::Result<()> {
    let (authority, issued, secret) = issue(kind)?;
    std::fs::write(ca, authority)?;
    std::fs::write(certificate, issued.pem())?;
    std::fs::write(key, secret.serialize_pem())
}

/// The authority in PEM, the certificate and its key.
fn issue(kind: Certificate) -> io::Result<(String, rcgen::Certificate, KeyPair)> {
    let fail = io::Error::other::<rcgen::Error>;
    let (ca_params, ca_key) = authority()?;
    let pem = ca_params.self_signed(&ca_key).map_err(fail)?.pem();
    let (ca_params, ca_key) = if kind == Certificate::Stranger { authority()? } else { (ca_params, ca_key) };
    let names: &[&str] = if kind == Certificate::WrongName { &["elsewhere.test"] } else { &["localhost", "127.0.0.1", "*.origin.test"] };
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).map_err(fail)?;
    if kind == Certificate::Expired {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    if kind == Certificate::NotYetValid {
        params.not_before = rcgen::date_time_ymd(2100, 1, 1);
    }
    let key = KeyPair::generate().map_err(fail)?;
    if kind == Certificate::SelfSigned {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        return Ok((pem, params.self_signed(&key).map_err(fail)?, key));
    }
    let certificate = params.signed_by(&key, &Issuer::from_params(&ca_params, &ca_key)).map_err(fail)?;
    Ok((pem, certificate, key))
}

fn authority() -> io::Result<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    // Each with a name of its own: two of one name would be told apart by their signatures only.
    params.distinguished_name.push(DnType::CommonName, format!("the authority of a test origin {}", Uuid::new_v4().simple()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok((params, KeyPair::generate().map_err(io::Error::other)?))
}
