//! A component that breaks one rule after the other, installed in a whole gateway: each breach has its own code, harms nobody else, and sees no secret.
//!
//! The gateway runs in this process, so that the plugin gets a shorter time than an installed one does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::app::App;
use portcullis::broker::{Broker, BrokerConfig, Read};
use portcullis::config::Config;
use portcullis::connections::NewConnection;
use portcullis::fetch::{FetchConfig, Fetcher, Limits};
use portcullis::model::{Capability, OrgId, Region, Result};
use portcullis::policy::AddressPolicy;
use portcullis::runtime::{Compiler, Runtime, RuntimeConfig};
use portcullis_tests::origin::Origin;
use serde_json::{Map, json};
use tempfile::TempDir;

const TOKEN: &str = "tok-8f2e6c";

struct House {
    app: App,
    origin: Origin,
    _folder: TempDir,
}

/// Of each connection its own: what one plugin does to one of them is not held against another.
fn org(connection: &str) -> OrgId {
    OrgId::new(connection).unwrap()
}

fn component() -> PathBuf {
    let path = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("components/hostile.wasm");
    assert!(path.exists(), "{} is not there: run `make components`", path.display());
    path
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    origin.put("/bearer/a.txt", "bearer a");
    // What its server sends back holds the very secret that was sent: it must not come through.
    origin.put("/", format!("echo of {TOKEN}"));
    let text = format!(
        "data_dir = {:?}\n[egress]\nallow_networks = [\"127.0.0.0/8\"]\nextra_ca = [{:?}]\n",
        folder.path().join("data").display().to_string(),
        origin.ca().display().to_string()
    );
    let file = folder.path().join("portcullis.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file)).unwrap_or_else(|error| panic!("{error}"));
    let (app, _) = App::start(&config, Compiler::Child(portcullis_tests::gateway::binary())).await.unwrap();
    let addresses = AddressPolicy { allow_networks: config.settings.egress.allow_networks.clone(), allow_http: false };
    let fetcher = Arc::new(Fetcher::new(FetchConfig { addresses, extra_ca: vec![origin.ca().to_owned()], limits: Limits::default() }).unwrap());
    let aws = BrokerConfig { role_arn: None, region: Region::new("us-east-1").unwrap(), endpoint_url: None, path_style: false };
    let broker = Broker::new(aws, app.vault.clone(), fetcher, app.clock.clone(), app.random.clone(), app.audit.uses.clone()).unwrap();
    let limits = portcullis::runtime::Limits { cpu: Duration::from_millis(300), ..portcullis::runtime::Limits::default() };
    let runtime = Runtime::new(RuntimeConfig { limits, compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] }, Some(Arc::new(broker))).unwrap();
    let granted = BTreeSet::from([Capability::Aws, Capability::Http]);
    let plugin = runtime.load(&std::fs::read(component()).unwrap(), &granted).await.unwrap();
    app.plugins.register(plugin).unwrap();
    House { app, origin, _folder: folder }
}

impl House {
    /// A connection whose plugin breaks `mode` in `export`.
    async fn connection(&self, name: &str, mode: Option<(&str, &str)>) {
        let mut settings =
            Map::from_iter([("hostname".to_owned(), json!("localhost")), ("port".to_owned(), json!(self.origin.port())), ("token".to_owned(), json!(TOKEN))]);
        if let Some((mode, export)) = mode {
            settings.extend([("mode".to_owned(), json!(mode)), ("on".to_owned(), json!(export))]);
        }
        let new = NewConnection {
            id: None,
            name: name.to_owned(),
            connector: "hostile".to_owned(),
            settings,
            test_location: None,
            description: String::new(),
            enabled: true,
        };
        self.app.connections.create(&org(name), new, false).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    async fn read(&self, name: &str, source: &str) -> Result<String> {
        let object = self.app.connections.open(&org(name), name, source, Read::default()).await?;
        Ok(String::from_utf8(object.body.bytes(1 << 20).await?.to_vec()).unwrap())
    }

    fn source(&self) -> String {
        self.origin.url("/bearer/a.txt")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_sp01_sp03_sp05_sp06_sp07_sp11_a_hostile_plugin_is_stopped_with_its_own_code_and_the_next_call_works() {
    let house = house().await;
    house.connection("honest", None).await;
    assert_eq!(house.read("honest", &house.source()).await.unwrap(), "bearer a");
    for (index, (mode, code)) in [
        ("loop", "plugin_deadline"),
        ("grow", "plugin_memory"),
        ("recurse", "plugin_trap"),
        ("trap", "plugin_trap"),
        ("huge_output", "output_too_large"),
        ("wrong_credential", "plugin_contract"),
        ("wrong_count", "plugin_contract"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("hostile_{index}");
        house.connection(&name, Some((mode, "locate"))).await;
        let start = Instant::now();
        let error = house.read(&name, &house.source()).await.expect_err(mode);
        assert_eq!(error.code(), code, "{mode}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{mode}: {:?}", start.elapsed());
        assert_eq!(house.read("honest", &house.source()).await.unwrap(), "bearer a", "after {mode}");
    }
}

#[tokio::test]
async fn b03_e22_sp10_sp13_what_a_plugin_returns_outside_its_egress_is_denied_before_anybody_is_asked() {
    let house = house().await;
    house.connection("parrot", Some(("parrot", "locate"))).await;
    let asked = house.origin.journal().len();
    let port = house.origin.port();
    for source in [
        "https://evil.example/x".to_owned(),
        "https://c2VjcmV0.evil.example/".to_owned(),
        "s3://somebody-elses-bucket/key".to_owned(),
        "https://localhost/x".to_owned(),
        format!("https://localhost:{port}@evil.example/"),
        format!("https://evil.example:{port}/"),
        format!("https://localhost.evil.example:{port}/"),
        format!("http://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://0x7f.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        // A name that nobody may resolve would take the resolver's time; a decision takes none.
        let start = Instant::now();
        let error = house.read("parrot", &source).await.expect_err(&source);
        assert!(!error.kind().is_temporary() && !error.code().contains("dns"), "{source}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(2), "{source}");
    }
    for (index, (mode, source)) in [
        ("token_elsewhere", house.source()),
        ("other_role", house.source()),
        ("unknown_secret", house.source()),
        ("headers", "Host: evil.example".to_owned()),
        ("headers", "Authorization: Bearer x".to_owned()),
        ("headers", "X-Evil: a\r\nb: c".to_owned()),
        ("headers", "Transfer-Encoding: chunked".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("hostile_{index}");
        house.connection(&name, Some((mode, "locate"))).await;
        let asked = house.origin.journal().len();
        let error = house.read(&name, &source).await.expect_err(mode);
        assert!(!error.kind().is_temporary(), "{mode} {source}: {error:?}");
        assert_eq!(house.origin.journal().len(), asked, "{mode} {source}: the origin was asked");
    }
    assert!(house.origin.journal().iter().skip(asked).all(|seen| seen.host.starts_with("localhost")));
}

#[tokio::test]
async fn b01_sp12_sp08_a_plugin_sees_no_secret_and_nothing_of_an_earlier_call() {
    let house = house().await;
    house.connection("reveal", Some(("reveal", "check"))).await;
    let (_, findings) = house.app.connections.test(&org("reveal"), "reveal", None, false).await.unwrap();
    let told = serde_json::to_string(&findings).unwrap();
    assert!(told.contains("localhost"), "it told what it saw: {told}");
    use base64::Engine;
    for form in [TOKEN.to_owned(), hex::encode(TOKEN), base64::engine::general_purpose::STANDARD.encode(TOKEN)] {
        assert!(!told.contains(&form), "{told}");
    }
    house.connection("counter", Some(("counter", "locate"))).await;
    for _ in 0..3 {
        _ = house.read("counter", &house.source()).await;
    }
    let counts: Vec<String> = house.origin.journal().into_iter().map(|seen| seen.target).filter(|target| target.contains("/calls/")).collect();
    assert!(!counts.is_empty() && counts.iter().all(|target| target.ends_with("/calls/1")), "each call has a fresh instance: {counts:?}");
}
