//! A whole gateway in this process, with components that are not embedded in its binary: what their recipes make of real requests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::app::App;
use portcullis::broker::{Broker, BrokerConfig, Object, Read};
use portcullis::config::Config;
use portcullis::connections::NewConnection;
use portcullis::fetch::{FetchConfig, Fetcher, Limits, Lookup};
use portcullis::model::{Capability, ConnectionState, Finding, OrgId, Region, Result};
use portcullis::policy::AddressPolicy;
use portcullis::runtime::{Compiler, Runtime, RuntimeConfig};
use serde_json::Value;
use tempfile::TempDir;

pub struct House {
    app: App,
    org: OrgId,
    _folder: TempDir,
}

/// A component that was built: `<target>/components/<id>.wasm`.
pub fn component(id: &str) -> Vec<u8> {
    let path = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join(format!("components/{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make components`", path.display()))
}

/// `ca`: the authority of the remotes on this machine.
pub async fn house(components: &[&str], ca: &Path) -> House {
    House::build(components, &[ca.to_owned()], Limits::default(), None).await
}

impl House {
    /// `lookup`: instead of the system's resolver, for the connectors of `components`; the embedded ones keep that, and the default limits.
    pub async fn build(components: &[&str], authorities: &[PathBuf], limits: Limits, lookup: Option<Lookup>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        let trusted: Vec<String> = authorities.iter().map(|ca| ca.display().to_string()).collect();
        let file = folder.path().join("portcullis.toml");
        std::fs::write(&file, format!("data_dir = {data:?}\n[egress]\nallow_networks = [\"127.0.0.0/8\"]\nextra_ca = {trusted:?}\n")).unwrap();
        let config = Config::load(Some(&file)).unwrap_or_else(|error| panic!("{error}"));
        let (app, _) = App::start(&config, Compiler::Child(portcullis_tests::gateway::binary())).await.unwrap();
        let addresses = AddressPolicy { allow_networks: config.settings.egress.allow_networks.clone(), allow_http: false };
        let outbound = FetchConfig { addresses, extra_ca: authorities.to_vec(), limits };
        let fetcher = match lookup {
            Some(lookup) => Fetcher::with_lookup(outbound, lookup),
            None => Fetcher::new(outbound),
        };
        let aws = BrokerConfig { role_arn: None, region: Region::new("us-east-1").unwrap(), endpoint_url: None, path_style: false };
        let broker = Broker::new(aws, app.vault.clone(), Arc::new(fetcher.unwrap()), app.clock.clone(), app.random.clone(), app.audit.uses.clone()).unwrap();
        let sandbox = RuntimeConfig { limits: portcullis::runtime::Limits::default(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] };
        let runtime = Runtime::new(sandbox, Some(Arc::new(broker))).unwrap();
        for id in components {
            let plugin = runtime.load(&component(id), &BTreeSet::from([Capability::Http])).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
            app.plugins.register(plugin).unwrap();
        }
        Self { app, org: OrgId::new("default").unwrap(), _folder: folder }
    }

    /// Made, and tested at once: its state, and what the test found.
    pub async fn connect(&self, name: &str, kind: &str, settings: Value, test_location: Option<&str>) -> (ConnectionState, Vec<Finding>) {
        let settings = settings.as_object().unwrap().clone();
        let (name, connector, test_location) = (name.to_owned(), kind.to_owned(), test_location.map(str::to_owned));
        let new = NewConnection { id: None, name: name.clone(), connector, settings, test_location, description: String::new(), enabled: true };
        let made = self.app.connections.create(&self.org, new, false).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        (made.state, made.last_test.map(|test| test.findings).unwrap_or_default())
    }

    /// One that serves.
    pub async fn ready(&self, name: &str, kind: &str, settings: Value, test_location: &str) {
        let (state, findings) = self.connect(name, kind, settings, Some(test_location)).await;
        assert_eq!(state, ConnectionState::Ready, "{name}: {findings:?}");
    }

    pub async fn test(&self, name: &str) -> (ConnectionState, Vec<Finding>) {
        self.app.connections.test(&self.org, name, None, true).await.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    pub async fn open(&self, name: &str, source: &str, read: Read) -> Result<Object> {
        self.app.connections.open(&self.org, name, source, read).await
    }

    pub async fn read(&self, name: &str, source: &str) -> Result<String> {
        let object = self.open(name, source, Read::default()).await?;
        Ok(String::from_utf8(object.body.bytes(1 << 20).await?.to_vec()).unwrap())
    }
}
