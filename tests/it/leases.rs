//! Sessions at their end, seen from outside: one exchange for everybody who waits, and an outage of STS that no reader notices.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use portcullis::audit::Uses;
use portcullis::broker::{Broker, BrokerConfig, Read};
use portcullis::connections::{Connections, NewConnection, Parts, Platform};
use portcullis::fetch::{FetchConfig, Fetcher, Limits};
use portcullis::model::{Capability, Clock, ConnectionName, OrgId, Random, Region, Result, RoleArn, Timestamp};
use portcullis::plugins::{self, Plugins};
use portcullis::policy::AddressPolicy;
use portcullis::runtime::{Compiler, Runtime, RuntimeConfig};
use portcullis::store::MemoryStore;
use portcullis::vault::Vault;
use portcullis_tests::aws::{AwsDouble, Entry, Fault, Keys, Service};
use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, GATEWAY_USER, MEDIA, MEDIA_REGION, PLATFORM, READER_ROLE, fixture, trust};
use serde_json::json;
use tempfile::TempDir;

use crate::house::component;
use crate::play::{play, ready_role};

const ROLE: &str = "media/reader";
/// The gateway lets go of a session this long before its end.
const LAST_MOMENTS: i64 = 30;

fn exchanges(aws: &AwsDouble) -> Vec<Entry> {
    aws.journal().into_iter().filter(|entry| entry.service == Some(Service::Sts)).collect()
}

#[tokio::test]
async fn t07_b11_a_thousand_fetches_at_a_sessions_end_open_one_session_and_none_fails() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    // Changed settings have a session of their own, which their test opens: one that is over in three seconds at the latest.
    play.aws.sessions_end_after(CUSTOMER, ROLE, Some(LAST_MOMENTS + 3));
    assert_eq!(play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200)["status"], "ready");
    play.aws.sessions_end_after(CUSTOMER, ROLE, None);
    tokio::time::sleep(Duration::from_millis(3100)).await;
    play.aws.forget_journal();
    let reads = (0..1000).map(|_| play.api.read("films", &source));
    let answers = futures_util::future::join_all(reads).await;
    let failed: Vec<String> = answers.iter().filter(|answer| answer.status != 200 || answer.text() != "jpeg a").map(|answer| answer.text()).collect();
    assert!(failed.is_empty(), "{} of 1000 failed: {:?}", failed.len(), failed.first());
    let exchanges = exchanges(&play.aws);
    let roles: Vec<&str> = exchanges.iter().map(|entry| entry.params["RoleArn"].as_str()).collect();
    assert_eq!(roles, [READER_ROLE], "one call of STS");
    assert_eq!(play.aws.journal().iter().filter(|entry| entry.action.as_deref() == Some("s3:GetObject")).count(), 1000);
}

#[tokio::test]
async fn b11_t10_readers_notice_nothing_of_an_outage_of_sts_that_ends_before_the_session_does() {
    const LIFE: Duration = Duration::from_secs(6);
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    play.aws.sessions_end_after(CUSTOMER, ROLE, Some(LAST_MOMENTS + 6));
    assert_eq!(play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200)["status"], "ready");
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");
    play.aws.sessions_end_after(CUSTOMER, ROLE, None);
    play.aws.forget_journal();
    let opened = Instant::now();
    play.aws.fail(Service::Sts, 1_000, Fault::InternalError);
    let (mut reads, mut down) = (0, true);
    // Past the end of the session: whoever reads then reads with the one that came after the outage.
    while opened.elapsed() < LIFE + Duration::from_millis(500) {
        let read = play.api.read("films", &source).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "jpeg a"), "after {:?}, STS down: {down}", opened.elapsed());
        reads += 1;
        let refused = exchanges(&play.aws).iter().filter(|entry| entry.status == 500).count();
        if down && refused > 0 {
            play.aws.mend(Service::Sts);
            down = false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!down, "a new session was asked for ahead of the end, during the outage");
    let granted = exchanges(&play.aws).iter().filter(|entry| entry.status == 200).count();
    assert_eq!(granted, 1, "one session follows the first, for {reads} reads");
    assert!(opened.elapsed() >= LIFE && reads > 20, "{reads} reads");
}

/// A gateway's way to an object, in this process, by a clock that the test moves; AWS's moves with it.
struct Clocked {
    aws: AwsDouble,
    connections: Connections,
    org: OrgId,
    ahead: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Clocked {
    async fn new(keys: Keys) -> Self {
        let mut scene = fixture();
        let user = scene.accounts.iter_mut().find(|account| account.id == PLATFORM).unwrap().users.iter_mut().find(|user| user.name == GATEWAY_USER);
        user.unwrap().keys = Some(keys);
        let aws = AwsDouble::with(&scene).await;
        let ahead = Arc::new(AtomicI64::new(0));
        let moved = ahead.clone();
        let clock: Clock = Arc::new(move || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            Timestamp::from_millis(i64::try_from(now).unwrap() + moved.load(Ordering::SeqCst) * 1000)
        });
        let random: Random = Arc::new(|buffer| buffer.fill_with(|| uuid::Uuid::new_v4().as_bytes()[0]));
        let folder = tempfile::tempdir().unwrap();
        let addresses = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true };
        let vault = Arc::new(Vault::open(&folder.path().join("key"), true, &random).unwrap());
        let fetcher = Arc::new(Fetcher::new(FetchConfig { addresses: addresses.clone(), extra_ca: Vec::new(), limits: Limits::default() }).unwrap());
        let role_arn = RoleArn::new(GATEWAY_ROLE).unwrap();
        let config = BrokerConfig {
            role_arn: Some(role_arn.clone()),
            region: Region::new(MEDIA_REGION).unwrap(),
            endpoint_url: Some(aws.endpoint().clone()),
            path_style: true,
        };
        let broker = Arc::new(Broker::new(config, vault.clone(), fetcher, clock.clone(), random.clone(), Uses::new(clock.clone())).unwrap());
        let sandbox = RuntimeConfig { limits: portcullis::runtime::Limits::default(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] };
        let runtime = Runtime::new(sandbox, Some(broker.clone())).unwrap();
        let store = Arc::new(MemoryStore::default());
        let parts = plugins::Parts { runtime: runtime.clone(), store: store.clone(), folder: folder.path().join("plugins"), clock: clock.clone() };
        let plugins = Arc::new(Plugins::new(parts));
        plugins.register(runtime.load(&component("aws_iam_role"), &BTreeSet::from([Capability::Aws])).await.unwrap()).unwrap();
        let platform = Platform {
            name: "Portcullis".to_owned(),
            account_id: None,
            role_arn: Some(role_arn),
            default_connection: ConnectionName::new("portcullis").unwrap(),
            external_id_required: true,
        };
        let connections = Connections::new(Parts { store, vault, broker, plugins, platform, addresses, clock, random });
        Self { aws, connections, org: OrgId::new("acme").unwrap(), ahead, _folder: folder }
    }

    fn pass(&self, seconds: u32) {
        self.ahead.fetch_add(i64::from(seconds), Ordering::SeqCst);
        self.aws.advance(Duration::from_secs(u64::from(seconds)));
    }

    async fn read(&self) -> Result<String> {
        let object = self.connections.open(&self.org, "films", &format!("s3://{MEDIA}/train/a.jpg"), Read::default()).await?;
        Ok(String::from_utf8(object.body.bytes(1 << 20).await?.to_vec()).unwrap())
    }

    /// Ready, with a session of its own.
    async fn connect(&self, ttl: u32) {
        let settings = json!({"iam_role_arn": READER_ROLE, "bucket_name": MEDIA, "session_ttl": ttl}).as_object().unwrap().clone();
        let test_location = Some(format!("s3://{MEDIA}/train/a.jpg"));
        let new = NewConnection {
            id: None,
            name: "films".to_owned(),
            connector: "aws_iam_role".to_owned(),
            settings,
            test_location,
            description: String::new(),
            enabled: true,
        };
        let made = self.connections.create(&self.org, new, false).await.unwrap();
        self.trusts(Some(made.external_id.as_str()));
        let (_, findings) = self.connections.test(&self.org, "films", None, true).await.unwrap();
        assert!(findings.iter().all(|finding| finding.passed), "{findings:#?}");
    }

    fn trusts(&self, external_id: Option<&str>) {
        self.aws.trust(CUSTOMER, ROLE, &trust(external_id));
    }
}

const ALONE: &str = "PORTCULLIS_TEST_ALONE";

/// STS refuses what is shorter than 900 seconds (`strict` shows it): the session is asked for as long, and dropped here when the connection's time is up, though AWS would
/// serve it on.
#[test]
fn c10_c10b_a_session_of_a_minute_is_asked_for_as_fifteen_and_dropped_after_one() {
    const NAME: &str = "leases::c10_c10b_a_session_of_a_minute_is_asked_for_as_fifteen_and_dropped_after_one";
    let keys = Keys { access_key_id: "AKIAPORTCULLISCLOCK0".to_owned(), secret_access_key: "x".repeat(40), session_token: None };
    // The gateway's own identity is the environment of its process: the test runs itself again, with one.
    if std::env::var_os(ALONE).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").env("AWS_ACCESS_KEY_ID", &keys.access_key_id);
        let output = again.env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(a_session_of_a_minute(keys));
}

async fn a_session_of_a_minute(keys: Keys) {
    let house = Clocked::new(keys).await;
    let sessions = |house: &Clocked| -> Vec<String> {
        let opened = exchanges(&house.aws).into_iter().filter(|entry| entry.params.get("RoleArn").is_some_and(|role| role == READER_ROLE));
        opened.map(|entry| entry.params["DurationSeconds"].clone()).collect()
    };
    house.connect(60).await;
    assert_eq!(house.read().await.unwrap(), "jpeg a");
    assert!(!sessions(&house).is_empty() && sessions(&house).iter().all(|seconds| seconds == "900"), "{:?}", sessions(&house));

    // The customer takes the trust away. What is open stays open, for as long as the connection says.
    house.trusts(Some("another-id-than-the-connections"));
    house.aws.forget_journal();
    house.pass(25);
    assert_eq!(house.read().await.unwrap(), "jpeg a", "within its minute, with the session that is there");
    assert_eq!(sessions(&house), Vec::<String>::new());
    house.pass(36);
    house.aws.forget_journal();
    let error = house.read().await.expect_err("its minute is over");
    assert_eq!(error.code(), "role_cannot_be_assumed", "{error:?}");
    assert_eq!(sessions(&house), ["900"], "another one was asked for");
    let reads = house.aws.journal().into_iter().filter(|entry| entry.service == Some(Service::S3)).count();
    assert_eq!(reads, 0, "nothing was asked with the session that AWS would have served for 14 minutes more");
}
