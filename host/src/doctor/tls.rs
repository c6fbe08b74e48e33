//! The gateway's certificate: whether it can be used, and for how long, and who can read its key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Finding, Outcome};
use crate::app::certificate::{self, SOON};
use crate::app::clock;
use crate::config::Config;
use crate::model::Error;

const TLS: &str = "tls";

pub fn tls(config: &Config) -> Vec<Finding> {
    match config.settings.server.tls.files() {
        Some((cert, key)) => {
            let seen = certificate(cert, key);
            // Of files that are not used, who can read them says nothing.
            let open = if seen.outcome == Outcome::Failed { None } else { open_key(key) };
            std::iter::once(seen).chain(open).collect()
        }
        None => vec![Finding::ok(TLS, "not configured: plain http")],
    }
}

/// A group that may read it is somebody's intention, and systemd hands a key over in that way; everybody is nobody's.
fn open_key(key: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode() & 0o777;
    let shown = key.display();
    let seen = || format!("everybody on this machine can get at the key {shown} (mode {mode:03o})");
    (mode & 0o007 != 0).then(|| Finding::warning(TLS, "tls_key_not_private", seen(), format!("chmod o= {shown}")))
}

fn certificate(cert: &Path, key: &Path) -> Finding {
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
