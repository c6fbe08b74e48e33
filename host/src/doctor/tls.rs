//! The gateway's certificate: whether it can be used, and for how long.

use super::Finding;
use crate::app::certificate::{self, SOON};
use crate::app::clock;
use crate::config::Config;
use crate::model::Error;

const TLS: &str = "tls";

pub fn tls(config: &Config) -> Finding {
    let Some((cert, key)) = config.settings.server.tls.files() else { return Finding::ok(TLS, "not configured: plain http") };
    let loaded = match certificate::load(cert, key) {
        Ok(loaded) => loaded,
        Err(error) => return Finding::failed(TLS, &error),
    };
    let (now, shown) = (clock()(), cert.display());
    if loaded.expires <= now {
        let error = Error::unavailable("tls_certificate_expired", format!("{shown} expired on {}", loaded.expires));
        return Finding::failed(TLS, &error.with_remedy("Renew it, and send the gateway SIGHUP."));
    }
    if loaded.expires <= now.plus(SOON) {
        return Finding::warning(
            TLS,
            "tls_certificate_expires_soon",
            format!("{shown} expires on {}", loaded.expires),
            "Renew it, and send the gateway SIGHUP.",
        );
    }
    Finding::ok(TLS, format!("{shown} is good until {}", loaded.expires))
}
