//! SIGHUP: the certificate and the level of the log are read again. What cannot be used is named in the log, and what was there stays.
//! Connections that are open go on with what they began with.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;

use crate::app::certificate::{self, Certificate, SOON};
use crate::app::logging;
use crate::config::{Config, Settings};
use crate::model::{Clock, Result, Timestamp};

pub struct Reload {
    file: Option<PathBuf>,
    level: logging::Level,
    clock: Clock,
    /// `None`: plain http.
    acceptor: Option<RwLock<TlsAcceptor>>,
}

impl Reload {
    pub fn new(config: &Config, level: logging::Level, clock: Clock) -> Result<Self> {
        let acceptor = load(&config.settings, clock())?.map(RwLock::new);
        Ok(Self { file: config.file.clone(), level, clock, acceptor })
    }

    /// For the next connection.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.acceptor.as_ref().map(|acceptor| acceptor.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub fn now(&self) {
        let config = match Config::load(self.file.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(?error, "the configuration cannot be read again: everything stays as it was");
                return;
            }
        };
        match self.level.set(&config.settings.log.level) {
            Ok(()) => tracing::info!(
                level = config.settings.log.level,
                "the log's level was read again; other keys than log.level and the certificate's files take a restart"
            ),
            Err(error) => tracing::error!(?error, "the log's level stays as it was"),
        }
        match (&self.acceptor, load(&config.settings, (self.clock)())) {
            (None, Ok(None)) => {}
            (Some(current), Ok(Some(new))) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = new;
                tracing::info!("the certificate was read again");
            }
            (_, Ok(_)) => tracing::error!("whether TLS is spoken is decided at the start: restart the gateway"),
            (_, Err(error)) => tracing::error!(?error, "the certificate stays as it was"),
        }
    }
}

fn load(settings: &Settings, now: Timestamp) -> Result<Option<TlsAcceptor>> {
    let Some((cert, key)) = settings.server.tls.files() else { return Ok(None) };
    let Certificate { config, expires } = certificate::load(cert, key)?;
    if expires <= now.plus(SOON) {
        tracing::warn!(cert = %cert.display(), %expires, "the certificate has expired, or will soon");
    }
    Ok(Some(TlsAcceptor::from(config)))
}
