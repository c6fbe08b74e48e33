//! The composition root: makes the real clock and the real randomness, puts the parts together, takes them apart in order.

pub mod certificate;
mod components;
pub mod key;
pub mod logging;
mod otlp;
pub mod traces;

use std::sync::Arc;

use ipnet::{IpNet, Ipv6Net};
use tokio_util::sync::CancellationToken;

use crate::audit::{self, Audit};
use crate::broker::{Broker, BrokerConfig};
use crate::config::Config;
use crate::connections::{self, Connections, Platform};
use crate::fetch::{FetchConfig, Fetcher};
use crate::ingest::{self, Ingest, Sink};
use crate::model::{Clock, Error, OrgId, Organization, Random, Result, Timestamp};
use crate::plugins::{self, Plugins};
use crate::policy::AddressPolicy;
use crate::runtime::{Compiler, Runtime, RuntimeConfig};
use crate::store::{SledStore, Store};
use crate::tokens::{Minted, Tokens};
use crate::vault::Vault;

/// The whole gateway but its face.
pub struct App {
    pub store: Arc<dyn Store>,
    pub audit: Arc<Audit>,
    pub vault: Arc<Vault>,
    pub plugins: Arc<Plugins>,
    pub connections: Arc<Connections>,
    pub tokens: Tokens,
    pub ingest: Arc<Ingest>,
    pub sink: Arc<dyn Sink>,
    pub clock: Clock,
    pub random: Random,
    /// Ends what goes on beside the requests.
    background: CancellationToken,
}

impl App {
    /// Opens the data folder, proves the master key, loads the connectors and goes on with unfinished jobs.
    /// The token, on a first start, is for the operator's eyes once. `compiler`: of uploaded components.
    pub async fn start(config: &Config, compiler: Compiler) -> Result<(Self, Option<Minted>)> {
        let settings = &config.settings;
        let (clock, random) = (clock(), random());
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&settings.data_dir).await?);
        let vault = Arc::new(key::open(&*store, &config.key_file(), &random).await?);
        let keep = audit::Keep { bytes: settings.audit.max_bytes, age: config.audit_age() };
        let audit = Audit::start(&settings.data_dir.join(audit::FOLDER), vault.derive(audit::KEY), keep, clock.clone()).await?;
        let addresses = AddressPolicy { allow_networks: settings.egress.allow_networks.clone(), allow_http: settings.egress.allow_http };
        let fetcher = Arc::new(Fetcher::new(FetchConfig {
            addresses: addresses.clone(),
            extra_ca: settings.egress.extra_ca.clone(),
            limits: crate::fetch::Limits::default(),
        })?);
        let broker = Arc::new(Broker::new(aws(config)?, vault.clone(), fetcher, clock.clone(), random.clone(), audit.uses.clone())?);
        let sandbox = RuntimeConfig {
            limits: crate::runtime::Limits::default(),
            compiler,
            cache_dir: Some(config.cache_dir()),
            cache_key: vault.derive("component-cache"),
        };
        let runtime = Runtime::new(sandbox, Some(broker.clone()))?;
        let parts = plugins::Parts { runtime: runtime.clone(), store: store.clone(), folder: settings.data_dir.join("plugins"), clock: clock.clone() };
        let plugins = Arc::new(Plugins::new(parts));
        for plugin in components::load(&runtime).await? {
            plugins.register(plugin)?;
        }
        plugins.start().await?;
        let connections = Arc::new(Connections::new(connections::Parts {
            store: store.clone(),
            vault: vault.clone(),
            broker: broker.clone(),
            plugins: plugins.clone(),
            platform: Platform {
                name: settings.platform.name.clone(),
                account_id: settings.platform.account_id.clone().map(String::from),
                role_arn: settings.platform.role_arn.clone(),
                default_connection: settings.platform.default_connection.clone(),
                external_id_required: settings.platform.external_id_required,
            },
            addresses,
            clock: clock.clone(),
            random: random.clone(),
        }));
        let tokens = Tokens::new(store.clone(), clock.clone(), random.clone());
        let sink: Arc<dyn Sink> = Arc::new(ingest::LocalSink::open(config.sink_path()).await?);
        let parts =
            ingest::Parts { store: store.clone(), connections: connections.clone(), broker, sink: sink.clone(), clock: clock.clone(), random: random.clone() };
        let ingest = Ingest::start(parts, ingest::IngestConfig::default()).await?;
        // Late: whatever fails before leaves the first token, which is shown once, to the next start.
        let given = config.bootstrap_token.as_ref().map(|token| token.as_str());
        // A token that was given is known to whoever gave it.
        let made = tokens.bootstrap(given).await?;
        if let Some(Minted { record, .. }) = &made {
            audit.change(audit::Changed::token_at_start(record)).await?;
        }
        let first = made.filter(|_| given.is_none());
        let background = CancellationToken::new();
        let (watched, stopping) = (connections.clone(), background.clone());
        tokio::spawn(async move { watched.watch(&stopping).await });
        Ok((Self { store, audit, vault, plugins, connections, tokens, ingest, sink, clock, random, background }, first))
    }

    /// `Conflict` (`organization_not_empty`) while it has connections or unfinished jobs. What it ingested stays in the sink.
    pub async fn delete_organization(&self, id: &OrgId) -> Result<Organization> {
        self.tokens.organization(id).await?;
        if self.connections.has_any(id).await? || self.ingest.has_unfinished(id).await? {
            return Err(Error::conflict("organization_not_empty", "the organization has connections or unfinished jobs")
                .with_remedy("Delete its connections and wait for its jobs, then try again."));
        }
        self.tokens.delete_organization(id).await
    }

    /// Leaves what jobs have in flight (`Ingest::drain` waits for it), and writes down what was done.
    pub async fn stop(&self) {
        self.background.cancel();
        self.ingest.stop().await;
        if let Err(error) = self.audit.stop().await {
            tracing::error!(?error, "the last uses of credentials, and changes that waited, are not in the audit log");
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.background.cancel();
    }
}

pub fn aws(config: &Config) -> Result<BrokerConfig> {
    let settings = &config.settings;
    Ok(BrokerConfig {
        role_arn: settings.platform.role_arn.clone(),
        region: settings.aws.region.clone(),
        endpoint_url: config.endpoint_url()?,
        path_style: settings.aws.path_style,
    })
}

/// For what the operator named, and no customer: any address, with the operator's certificate authorities.
pub fn operators_fetcher(config: &Config) -> Result<Arc<Fetcher>> {
    let everywhere = [IpNet::default(), IpNet::V6(Ipv6Net::default())];
    let addresses = AddressPolicy { allow_networks: everywhere.to_vec(), allow_http: true };
    Ok(Arc::new(Fetcher::new(FetchConfig { addresses, extra_ca: config.settings.egress.extra_ca.clone(), limits: crate::fetch::Limits::default() })?))
}

#[must_use]
pub fn clock() -> Clock {
    Arc::new(|| {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    })
}

#[must_use]
pub fn random() -> Random {
    Arc::new(|buffer| {
        if let Err(error) = getrandom::fill(buffer) {
            // A gateway that cannot make keys must not go on with keys that can be guessed.
            tracing::error!(%error, "the operating system gives no randomness");
            std::process::abort();
        }
    })
}
