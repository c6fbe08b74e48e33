//! TLS 1.2 and 1.3 with verified chain and name. Trusted: the system's roots and what the operator added.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::cause;
use super::resolve::literal;
use super::stream::Stream;
use crate::model::{Error, Result};

pub(super) struct Tls {
    connector: TlsConnector,
    extra_ca_pem: Vec<Vec<u8>>,
}

impl Tls {
    /// `Invalid` (`invalid_ca_file`) for a file that cannot be read or holds no certificate.
    pub(super) fn new(extra_ca: &[PathBuf]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "a file of the system's trusted certificates could not be read");
        }
        roots.add_parsable_certificates(native.certs);
        let mut extra_ca_pem = Vec::with_capacity(extra_ca.len());
        for path in extra_ca {
            let wrong = |why: &str| {
                Error::invalid("invalid_ca_file", format!("the certificate file {} {why}", path.display()))
                    .with_remedy("egress.extra_ca names PEM files with certificate authorities that the gateway's user can read.")
            };
            let pem = std::fs::read(path).map_err(|error| wrong("cannot be read").with_source(error))?;
            let mut count = 0;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| wrong("is not PEM").with_source(error))?;
                roots.add(certificate).map_err(|error| wrong("holds a certificate that cannot be used as a root").with_source(error))?;
                count += 1;
            }
            if count == 0 {
                return Err(wrong("holds no certificate"));
            }
            extra_ca_pem.push(pem);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Error::internal("tls_setup", "TLS cannot be set up").with_source(error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), extra_ca_pem })
    }

    pub(super) fn extra_ca_pem(&self) -> &[Vec<u8>] {
        &self.extra_ca_pem
    }

    /// Nothing of the request is written before the certificate is verified for this very host.
    pub(super) async fn handshake(&self, host: &str, tcp: TcpStream, limit: Duration) -> Result<Stream> {
        let name = match literal(host) {
            Some(address) => ServerName::from(address),
            None => {
                ServerName::try_from(host.to_owned()).map_err(|error| Error::internal("unsendable_request", "the host is not a DNS name").with_source(error))?
            }
        };
        match tokio::time::timeout(limit, self.connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(refused(host, error)),
            Err(_) => Err(Error::unavailable("upstream_timeout", format!("{host} did not finish its TLS handshake in time"))
                .because("tls_timeout")
                .with_remedy("See whether the server is overloaded, and whether something between cuts TLS off; then test again.")),
        }
    }
}

fn refused(host: &str, error: std::io::Error) -> Error {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let told = match reason {
        Some(reason) => {
            let cause = cause::of_tls(reason);
            let message = match reason {
                rustls::Error::InvalidCertificate(_) => format!("the certificate of {host} is not valid: {}", cause.words),
                _ => format!("TLS with {host} failed: {}", cause.words),
            };
            Error::rejected("upstream_tls", message).because(cause.name).with_remedy(cause.remedy)
        }
        None => Error::unavailable("upstream_tls", format!("{host} closed the connection during the TLS handshake"))
            .because("tls_closed")
            .with_remedy("Check the port; something between may cut TLS off."),
    };
    told.with_source(error)
}
