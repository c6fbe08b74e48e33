//! The gateway's own certificate and its key, from their files: judged before they are used, read again when the operator says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Date, Month, PrimitiveDateTime, Time};

use crate::model::{Error, Result, Timestamp};

/// So long before its end a certificate is called for.
pub const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

pub struct Certificate {
    pub config: Arc<ServerConfig>,
    /// Of the certificate, not of the chain above it.
    pub expires: Timestamp,
}

/// `Invalid`: `tls_certificate_unusable`, `tls_key_unusable`, `tls_key_mismatch`.
pub fn load(cert: &Path, key: &Path) -> Result<Certificate> {
    let wrong = |code: &'static str, path: &Path, why: &str| Error::invalid(code, format!("{} {why}", path.display()));
    let bad_certificate = |why: &str| {
        wrong("tls_certificate_unusable", cert, why).with_remedy("server.tls.cert is a PEM file: the certificate first, then those between it and the root.")
    };
    let bad_key = |why: &str| wrong("tls_key_unusable", key, why).with_remedy("server.tls.key is a PEM file with one private key (PKCS#8, PKCS#1 or SEC1).");
    let pem = std::fs::read(cert).map_err(|error| bad_certificate(&format!("cannot be read: {error}")))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| bad_certificate("is not PEM").with_source(error))?;
    let first = chain.first().ok_or_else(|| bad_certificate("holds no certificate"))?;
    let expires = not_after(first).ok_or_else(|| bad_certificate("holds something that is no certificate"))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&format!("cannot be read: {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let signer = provider.key_provider.load_private_key(secret).map_err(|error| bad_key("holds a key that cannot be used").with_source(error))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|error| {
        wrong("tls_key_mismatch", key, &format!("is not the key of {}", cert.display()))
            .with_remedy("Name the key that the certificate was made for.")
            .with_source(error)
    })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| Error::internal("tls_setup", "TLS cannot be set up").with_source(error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { config: Arc::new(config), expires })
}

/// The end of a certificate's validity (RFC 5280, 4.1.2.5). `None`: it is none.
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(der)?;
    let (_, signed, _) = element(certificate)?;
    let (tag, _, after_first) = element(signed)?;
    // The version, which version 1 leaves out, the serial number, the algorithm and the issuer.
    let mut rest = if tag == 0xa0 { after_first } else { signed };
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, after_begin) = element(validity)?;
    let (tag, end, _) = element(after_begin)?;
    moment(tag, std::str::from_utf8(end).ok()?)
}

/// Tag, content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(length) {
        short @ 0..=0x7f => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (UTCTime) or `YYYYMMDDHHMMSSZ` (GeneralizedTime).
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(Timestamp::from_millis(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp() * 1000))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn made(folder: &Path, name: &str, year: i32) -> (PathBuf, PathBuf) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 3);
        let (cert, path) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&cert, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&path, key.serialize_pem()).unwrap();
        (cert, path)
    }

    #[test]
    fn m21_a_certificate_and_its_key_are_taken_and_anything_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = made(folder.path(), "one", 2035);
        // 3 February 2035.
        assert_eq!(load(&cert, &key).map(|loaded| loaded.expires.seconds()).unwrap(), 2_054_073_600);
        let (late, late_key) = made(folder.path(), "late", 2051);
        assert_eq!(load(&late, &late_key).map(|loaded| loaded.expires.seconds()).unwrap(), 2_558_995_200, "GeneralizedTime");
        let text = folder.path().join("text");
        std::fs::write(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        for (cert, key, code) in [
            (&cert, &late_key, "tls_key_mismatch"),
            (&folder.path().join("none"), &key, "tls_certificate_unusable"),
            (&key, &key, "tls_certificate_unusable"),
            (&text, &key, "tls_certificate_unusable"),
            (&cert, &folder.path().join("none"), "tls_key_unusable"),
            (&cert, &cert, "tls_key_unusable"),
        ] {
            let Err(error) = load(cert, key) else { panic!("{code}") };
            assert_eq!(error.code(), code);
            assert!(error.remedy().is_some());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_certificates_run_over_its_end() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        for end in 0..der.der().len() {
            assert_eq!(not_after(der.der().get(..end).unwrap_or_default()), None, "{end}");
        }
        for bytes in [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 0x80], &[0x30, 0xff], &[]] {
            assert_eq!(not_after(bytes), None);
        }
    }
}
