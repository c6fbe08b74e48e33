//! Why a remote could not be reached, read out of what the system's resolver, the socket and TLS said: one cause, in words and with what to do.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::model::Error;

const SPELLING: &str = "Check the spelling of the host name, and that it is in the public DNS.";
const REACHABLE: &str = "Check host name and port, and that the server's firewall lets this gateway in.";
const RENEW: &str = "The server's owner renews its certificate.";

/// A stable name, a sentence without a subject, and what to do.
pub(super) struct Cause {
    pub name: &'static str,
    pub words: String,
    pub remedy: &'static str,
}

impl Cause {
    fn new(name: &'static str, words: impl Into<String>, remedy: &'static str) -> Self {
        Self { name, words: words.into(), remedy }
    }
}

/// The system's resolver says it in words only: those of glibc (`gai_strerror`) and musl.
pub(super) fn of_lookup(error: &io::Error) -> Cause {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if says(&["Name or service not known", "Name does not resolve"]) {
        Cause::new("dns_name_not_found", "there is no such name", SPELLING)
    } else if says(&["No address associated with hostname", "Name has no usable address"]) {
        no_address()
    } else {
        Cause::new("dns_failed", "its DNS servers did not give a usable answer", "See whether the domain's DNS servers work, then test again.")
    }
}

pub(super) fn no_address() -> Cause {
    Cause::new("dns_no_address", "the name is there, without an address", "Give the name an A or AAAA record.")
}

pub(super) fn lookup_timeout() -> Cause {
    Cause::new("dns_timeout", "its DNS servers did not answer in time", "See whether the domain's DNS servers work, then test again.")
}

pub(super) fn connect_timeout() -> Cause {
    Cause::new("connect_timeout", "nothing answered in time", REACHABLE)
}

pub(super) fn of_connect(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Cause::new("connection_refused", "connection refused", "Check the port, and that the server is running; nothing listens there.")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::new("host_unreachable", "no way leads to its address", REACHABLE),
        io::ErrorKind::TimedOut => connect_timeout(),
        kind => Cause::new("connect_failed", kind.to_string(), REACHABLE),
    }
}

pub(super) fn of_tls(error: &rustls::Error) -> Cause {
    use rustls::Error as Tls;
    const VERSION: &str = "The server's owner turns TLS 1.2 or 1.3 on.";
    match error {
        Tls::InvalidCertificate(why) => of_certificate(why),
        Tls::AlertReceived(AlertDescription::ProtocolVersion) | Tls::PeerIncompatible(_) => {
            Cause::new("tls_version_not_supported", "it does not speak a version of TLS that is still safe", VERSION)
        }
        Tls::AlertReceived(AlertDescription::UnrecognisedName) => {
            Cause::new("tls_name_not_served", "the server does not serve this name", "Check the host name: the server is there, and is another one.")
        }
        Tls::AlertReceived(AlertDescription::CertificateRequired) => Cause::new(
            "tls_client_certificate_wanted",
            "the server wants a certificate of the client",
            "The server's owner lets this gateway in without a client certificate: it has none.",
        ),
        Tls::AlertReceived(alert) => Cause::new(
            "tls_refused",
            format!("the server refused the handshake ({alert:?})"),
            "The server's owner looks why it refuses: TLS 1.2 or 1.3 with the usual ciphers, and no client certificate.",
        ),
        Tls::InvalidMessage(_) => {
            Cause::new("tls_not_spoken", "the server does not speak TLS on this port", "Check the port: https is served on another one, mostly 443.")
        }
        _ => Cause::new("tls_failed", error.to_string(), VERSION),
    }
}

fn of_certificate(why: &CertificateError) -> Cause {
    const AUTHORITY: &str = "The server's owner installs a certificate of a public authority with every intermediate certificate; an operator of this gateway can trust a private \
                             authority in egress.extra_ca.";
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::new("tls_certificate_expired", "it has expired", RENEW),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Cause::new(
            "tls_certificate_not_yet_valid",
            "it is not valid yet",
            "The server's owner installs a certificate that is valid by now; if it should be, an operator of this gateway looks at its clock.",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Cause::new(
            "tls_wrong_name",
            "it is for another name",
            "Use the host name that the certificate is for, or let the server's owner add this one as a subject alternative name.",
        ),
        // A signature that does not fit: an authority of that name is trusted, and it is another.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Cause::new("tls_unknown_authority", "an authority signed it that is not trusted, or an intermediate certificate is missing", AUTHORITY)
        }
        CertificateError::Revoked => Cause::new("tls_certificate_revoked", "it was revoked", RENEW),
        // What `openssl req -x509` makes: an authority of its own, shown as the server's certificate.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            Cause::new("tls_self_signed", "the server signed it itself", AUTHORITY)
        }
        other => Cause::new("tls_bad_certificate", format!("{other:?}"), RENEW),
    }
}

/// What a client that is not ours was told, if the chain of its error says it: AWS's own speaks to STS, and lists buckets.
#[must_use]
pub fn unreachable(who: &str, error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(of_io(who, io));
        }
        next = error.source();
    }
    None
}

fn of_io(who: &str, error: &io::Error) -> Error {
    // A wrapped one has no source of its own: what is inside has to be asked for.
    match error.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => {
            let cause = inner.downcast_ref::<rustls::Error>().map_or_else(connect_timeout, of_tls);
            Error::unavailable("upstream_tls", format!("TLS with {who} failed: {}", cause.words)).because(cause.name).with_remedy(cause.remedy)
        }
        Some(inner) if inner.is::<io::Error>() => {
            inner.downcast_ref::<io::Error>().map_or_else(|| of_io(who, &io::ErrorKind::Other.into()), |inner| of_io(who, inner))
        }
        _ if error.to_string().contains("failed to lookup address information") => {
            let cause = of_lookup(error);
            Error::unavailable("upstream_dns", format!("no address was found for {who}: {}", cause.words)).because(cause.name).with_remedy(cause.remedy)
        }
        _ => {
            let cause = of_connect(error);
            Error::unavailable("upstream_connect", format!("{who} could not be connected to: {}", cause.words)).because(cause.name).with_remedy(cause.remedy)
        }
    }
}

/// What the server said once the handshake was over (TLS 1.3 asks for a client's certificate and judges it after that).
pub(super) fn late_alert(error: &(dyn StdError + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(alert @ rustls::Error::AlertReceived(_)) = inner {
            return Some(of_tls(alert));
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e23_a_resolver_says_in_words_what_is_wrong() {
        for (text, name) in [
            ("failed to lookup address information: Name or service not known", "dns_name_not_found"),
            ("failed to lookup address information: Name does not resolve", "dns_name_not_found"),
            ("failed to lookup address information: No address associated with hostname", "dns_no_address"),
            ("failed to lookup address information: Temporary failure in name resolution", "dns_failed"),
            ("failed to lookup address information: Try again", "dns_failed"),
        ] {
            let error = io::Error::other(text);
            assert_eq!(of_lookup(&error).name, name, "{text}");
            let told = unreachable("sts.example", &error).expect("an error of the network");
            assert_eq!((told.code(), told.cause()), ("upstream_dns", name));
        }
    }

    #[test]
    fn u16_a_wrapped_error_is_looked_into() {
        let inside = || io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(CertificateError::Expired));
        for error in [inside(), io::Error::other(inside()), io::Error::other(io::Error::other(inside()))] {
            assert_eq!(unreachable("x", &error).expect("known").cause(), "tls_certificate_expired");
        }
        assert_eq!(unreachable("x", &io::Error::from(io::ErrorKind::ConnectionRefused)).expect("known").cause(), "connection_refused");
        assert_eq!(unreachable("x", &io::Error::from(io::ErrorKind::NetworkUnreachable)).expect("known").cause(), "host_unreachable");
        assert!(unreachable("x", &std::fmt::Error).is_none(), "no error of the network");
    }

    #[test]
    fn e20_each_alert_has_its_cause() {
        for (alert, name) in [
            (AlertDescription::ProtocolVersion, "tls_version_not_supported"),
            (AlertDescription::UnrecognisedName, "tls_name_not_served"),
            (AlertDescription::CertificateRequired, "tls_client_certificate_wanted"),
            (AlertDescription::HandshakeFailure, "tls_refused"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert));
            assert_eq!(late_alert(&error).expect("an alert").name, name);
        }
        assert!(late_alert(&io::Error::from(io::ErrorKind::ConnectionReset)).is_none());
    }
}
