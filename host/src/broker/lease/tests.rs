//! The credential engine against a token service that counts, refuses and goes away.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use super::*;
use crate::model::{BucketName, Connection, ConnectionName, ConnectionState, Digest, ExternalId};
use crate::policy::{Egress, EgressRule};

const GATEWAY: &str = "arn:aws:iam::999999999999:role/Gateway";
const CUSTOMER: &str = "arn:aws:iam::123456789012:role/Reader";

/// What was asked, as far as tests look at it.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Asked {
    pub chained: bool,
    role: String,
    name: String,
    external_id: Option<String>,
    policy: String,
    tags: Vec<(&'static str, String)>,
    duration: u32,
    region: String,
}

#[derive(Default)]
pub(in crate::broker) struct FakeSts {
    pub now: Arc<AtomicI64>,
    pub asked: Mutex<Vec<Asked>>,
    down: AtomicBool,
    throttled: AtomicBool,
    /// The role may be assumed without an id / with any.
    open: AtomicBool,
    any_id: AtomicBool,
    /// The role does not let a probe in, whatever its id.
    picky: AtomicBool,
    /// Added to the expiry, in seconds.
    odd_expiry: AtomicI64,
    identities: AtomicUsize,
}

#[async_trait]
impl Sts for FakeSts {
    async fn assume_role(&self, ask: &Ask) -> Result<Granted> {
        self.asked.lock().expect("unpoisoned").push(Asked {
            chained: ask.session.is_some(),
            role: ask.role_arn.as_str().to_owned(),
            name: ask.session_name.clone(),
            external_id: ask.external_id.clone(),
            policy: ask.policy.clone(),
            tags: ask.tags.clone(),
            duration: ask.duration_seconds,
            region: ask.region.as_str().to_owned(),
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::unavailable("sts_unavailable", "STS could not be asked"));
        }
        if ask.session.is_some() {
            if self.throttled.load(Ordering::SeqCst) {
                return Err(Error::unavailable("sts_throttled", "STS asks for fewer requests"));
            }
            let accepted = match ask.external_id.as_deref() {
                None => self.open.load(Ordering::SeqCst),
                Some(id) => id == external_id() || self.any_id.load(Ordering::SeqCst),
            };
            if !accepted || (self.picky.load(Ordering::SeqCst) && ask.session_name == "gw-extid-probe") {
                return Err(Error::rejected("role_cannot_be_assumed", "AWS does not let the gateway assume the role"));
            }
        }
        let expiry = self.now.load(Ordering::SeqCst) + i64::from(ask.duration_seconds) * 1000 + self.odd_expiry.load(Ordering::SeqCst) * 1000;
        Ok(Granted {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Secret::new(b"secret".to_vec()),
            session_token: "token".to_owned(),
            expiration: Timestamp::from_millis(expiry),
        })
    }
    async fn caller_identity(&self, _session: &Session, region: &Region) -> Result<Identity> {
        self.identities.fetch_add(1, Ordering::SeqCst);
        Ok(Identity { account: "123456789012".to_owned(), arn: format!("arn:aws:sts::123456789012:assumed-role/Reader/{region}") })
    }
}

fn external_id() -> String {
    "portcullis-0123456789abcdef0123".to_owned()
}

struct World {
    sts: Arc<FakeSts>,
    leases: Arc<Leases>,
}

impl World {
    fn new() -> Self {
        Self::with_role(Some(GATEWAY))
    }
    fn with_role(role: Option<&str>) -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let sts = Arc::new(FakeSts { now: now.clone(), ..FakeSts::default() });
        let clock: Clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let random: Random = Arc::new(|bytes| bytes.fill(0xAB));
        let role = role.map(|role| RoleArn::new(role).expect("an ARN"));
        Self { leases: Leases::new(sts.clone(), role, Region::new("us-east-1").expect("a region"), clock.clone(), random, Uses::new(clock)), sts }
    }
    fn pass(&self, seconds: i64) {
        self.sts.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
    fn asked(&self) -> Vec<Asked> {
        self.sts.asked.lock().expect("unpoisoned").clone()
    }
    fn asked_for_customer(&self) -> usize {
        self.asked().iter().filter(|asked| asked.chained).count()
    }
    async fn session(&self, grant: &Arc<Grant>, credential: &Credential) -> Result<Arc<Session>> {
        self.leases.session(grant, credential).await
    }
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn grant_of(org: &str, egress: Vec<EgressRule>) -> Arc<Grant> {
    let now = Timestamp::from_millis(0);
    let connection = Connection {
        state: ConnectionState::Ready,
        ..Connection::new(
            ConnectionId(uuid::Uuid::from_u128(7)),
            OrgId::new(org).expect("an org"),
            ConnectionName::new("customer").expect("a name"),
            "aws_iam_role".to_owned(),
            Digest([0; 32]),
            ExternalId::new(external_id()).expect("an id"),
            now,
        )
    };
    Arc::new(Grant { connection, egress: Egress(egress), capabilities: BTreeSet::new(), asked_anew: None, by: By::GATEWAY })
}

fn grant() -> Arc<Grant> {
    grant_of("acme", vec![EgressRule::S3 { bucket: Some(BucketName::new("bkt").expect("a bucket")), prefix: "train/".to_owned() }])
}

fn role(ttl: u32) -> AssumeRole {
    AssumeRole { role_arn: RoleArn::new(CUSTOMER).expect("an ARN"), duration_seconds: ttl, region: None }
}

fn credential(ttl: u32) -> Credential {
    Credential::AwsAssumeRole(role(ttl))
}

#[tokio::test(start_paused = true)]
async fn t07_a_thousand_at_once_open_one_session() {
    let world = Arc::new(World::new());
    let grant = grant();
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (world, grant) = (world.clone(), grant.clone());
            tokio::spawn(async move { world.session(&grant, &credential(3600)).await.is_ok() })
        })
        .collect();
    for task in waiting {
        assert!(task.await.expect("not stopped"));
    }
    assert_eq!(world.asked().len(), 2, "one for the gateway's own session, one for the customer's");
}

#[tokio::test(start_paused = true)]
async fn t07_a_thousand_at_once_fail_alike() {
    let world = Arc::new(World::new());
    world.sts.throttled.store(true, Ordering::SeqCst);
    let grant = grant();
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let (world, grant) = (world.clone(), grant.clone());
            tokio::spawn(async move { world.session(&grant, &credential(3600)).await.err().map(|error| error.code().to_owned()) })
        })
        .collect();
    for task in waiting {
        assert_eq!(task.await.expect("not stopped").as_deref(), Some("sts_throttled"));
    }
    assert_eq!(world.asked_for_customer(), 1);
}

#[tokio::test(start_paused = true)]
async fn t11_c10_what_is_asked_of_sts() {
    let world = World::new();
    world.session(&grant(), &credential(3600)).await.expect("a session");
    let asked = world.asked();
    let [gateway, customer] = asked.as_slice() else { panic!("two calls: {asked:?}") };
    assert_eq!((gateway.role.as_str(), gateway.chained, gateway.external_id.as_deref(), gateway.duration), (GATEWAY, false, None, 3600));
    assert_eq!(gateway.tags, vec![("organization", "acme".to_owned())]);
    assert!(gateway.policy.contains("sts:AssumeRole") && !gateway.policy.contains("s3:"), "the session that assumes cannot read: {}", gateway.policy);
    assert_eq!((customer.role.as_str(), customer.chained, customer.name.as_str()), (CUSTOMER, true, "portcullis-acme"));
    assert_eq!(customer.external_id.as_deref(), Some(external_id().as_str()));
    assert_eq!(customer.region, "us-east-1");
    assert!(customer.tags.is_empty(), "a customer's role is not asked to take tags");
    assert!(customer.policy.contains("arn:aws:s3:::bkt/train/*"), "{}", customer.policy);
}

#[tokio::test(start_paused = true)]
async fn t11_session_names_fit_aws() {
    for org in ["a", &"o".repeat(64), "a_b-c"] {
        let name = session_name(&OrgId::new(org).expect("an org"));
        assert!(name.len() <= 64 && name.starts_with("portcullis-"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn b04_the_gateway_role_is_opened_tagged_and_for_the_egress_only() {
    let world = World::new();
    let (acme, other) = (
        grant_of("acme", vec![EgressRule::S3 { bucket: None, prefix: String::new() }]),
        grant_of("other", vec![EgressRule::S3 { bucket: None, prefix: String::new() }]),
    );
    let first = world.session(&acme, &Credential::AwsGatewayRole).await.expect("a session");
    let second = world.session(&other, &Credential::AwsGatewayRole).await.expect("a session");
    assert!(!Arc::ptr_eq(&first, &second), "the same default connection, another organization, another session");
    let asked = world.asked();
    assert_eq!(
        asked.iter().map(|asked| asked.tags.clone()).collect::<Vec<_>>(),
        vec![vec![("organization", "acme".to_owned())], vec![("organization", "other".to_owned())]]
    );
    assert!(asked.iter().all(|asked| asked.external_id.is_none() && asked.policy.contains("arn:aws:s3:::*") && !asked.policy.contains("sts:")));
}

#[tokio::test(start_paused = true)]
async fn c10b_a_minute_is_asked_as_fifteen_and_dropped_after_one() {
    let world = World::new();
    let (grant, minute) = (grant(), credential(60));
    let first = world.session(&grant, &minute).await.expect("a session");
    assert_eq!(world.asked().last().expect("asked").duration, 900);
    world.sts.down.store(true, Ordering::SeqCst);
    world.pass(59);
    assert!(Arc::ptr_eq(&first, &world.session(&grant, &minute).await.expect("still usable")));
    world.settle().await;
    world.pass(1);
    assert!(world.session(&grant, &minute).await.is_err(), "at 60 s it is gone, though AWS would take it for 840 s more");
}

#[tokio::test(start_paused = true)]
async fn b11_an_outage_of_sts_is_ridden_out_until_the_session_ends() {
    let world = World::new();
    let (grant, hour) = (grant(), credential(3600));
    world.session(&grant, &hour).await.expect("a session");
    world.sts.down.store(true, Ordering::SeqCst);
    for _ in 0..35 {
        world.pass(100);
        assert!(world.session(&grant, &hour).await.is_ok());
        world.settle().await;
    }
    world.pass(70);
    assert_eq!(world.session(&grant, &hour).await.err().expect("expired").code(), "sts_unavailable");
    world.sts.down.store(false, Ordering::SeqCst);
    world.pass(2);
    assert!(world.session(&grant, &hour).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn t10_a_session_is_renewed_five_minutes_ahead_without_anybody_waiting() {
    for ttl in [900, 1800, 3600] {
        let world = World::new();
        let grant = grant();
        let first = world.session(&grant, &credential(ttl)).await.expect("a session");
        let left = first.usable_until.since(first.refresh_at).as_secs();
        assert!(left >= 270, "ttl {ttl}: {left} s before the end");
        world.pass(i64::from(ttl) - 300);
        assert!(Arc::ptr_eq(&first, &world.session(&grant, &credential(ttl)).await.expect("the old one, at once")));
        world.settle().await;
        assert!(!Arc::ptr_eq(&first, &world.session(&grant, &credential(ttl)).await.expect("the new one")));
    }
}

#[tokio::test(start_paused = true)]
async fn t13_an_expiry_that_cannot_be_right_is_refused() {
    for odd in [-3600, -4000, 1_000, 250_000_000_000] {
        let world = World::new();
        world.sts.odd_expiry.store(odd, Ordering::SeqCst);
        assert_eq!(world.session(&grant(), &credential(3600)).await.err().expect("refused").code(), "sts_bad_answer", "{odd}");
    }
    let world = World::new();
    world.sts.odd_expiry.store(300, Ordering::SeqCst);
    let session = world.session(&grant(), &credential(3600)).await.expect("a clock may be five minutes off");
    assert!(session.usable_until.since(session.obtained).as_secs() <= 3600, "no session is kept longer than an hour");
}

#[tokio::test(start_paused = true)]
async fn t17_a_forgotten_connection_has_no_session() {
    let world = World::new();
    let (grant, hour) = (grant(), credential(3600));
    world.session(&grant, &hour).await.expect("a session");
    world.leases.forget(&grant.connection.org, grant.connection.id);
    world.session(&grant, &hour).await.expect("a new session");
    assert_eq!(world.asked_for_customer(), 2);
}

#[tokio::test(start_paused = true)]
async fn c21_another_revision_or_recipe_has_its_own_session() {
    let world = World::new();
    let first = grant();
    world.session(&first, &credential(3600)).await.expect("a session");
    world.session(&first, &credential(1800)).await.expect("a session");
    let mut connection = first.connection.clone();
    connection.revision = 2;
    let second = Arc::new(Grant { connection, egress: first.egress.clone(), capabilities: BTreeSet::new(), asked_anew: None, by: By::GATEWAY });
    world.session(&second, &credential(3600)).await.expect("a session");
    assert_eq!(world.asked_for_customer(), 3);
}

#[tokio::test(start_paused = true)]
async fn roles_that_are_never_asked_for() {
    let cases = [
        (World::new(), GATEWAY, "own_role"),
        (World::new(), "arn:aws-cn:iam::123456789012:role/Reader", "partition_mismatch"),
        (World::with_role(None), CUSTOMER, "aws_not_configured"),
    ];
    for (world, arn, code) in cases {
        let credential = Credential::AwsAssumeRole(AssumeRole { role_arn: RoleArn::new(arn).expect("an ARN"), ..role(3600) });
        assert_eq!(world.session(&grant(), &credential).await.err().expect("refused").code(), code);
        assert!(world.asked().is_empty(), "{code}: nothing is asked");
    }
    assert_eq!(World::new().session(&grant(), &Credential::Anonymous).await.err().expect("no session").code(), "credential_kind");
}

#[tokio::test(start_paused = true)]
async fn t01_t02_l06_the_external_id_is_probed_from_both_sides() {
    let verdict = async |world: &World| world.leases.probe(&grant(), &role(3600)).await.expect("a verdict");
    let open = World::new();
    open.sts.open.store(true, Ordering::SeqCst);
    assert_eq!(verdict(&open).await, ExternalIdVerdict::NotRequired);
    let any = World::new();
    any.sts.any_id.store(true, Ordering::SeqCst);
    assert_eq!(verdict(&any).await, ExternalIdVerdict::AnyAccepted);
    let throttled = World::new();
    throttled.sts.throttled.store(true, Ordering::SeqCst);
    assert_eq!(verdict(&throttled).await, ExternalIdVerdict::Unverified);

    let secure = World::new();
    assert_eq!(verdict(&secure).await, ExternalIdVerdict::Secure);
    let probes: Vec<_> = secure.asked().into_iter().filter(|asked| asked.chained).collect();
    let ids: Vec<_> = probes.iter().map(|probe| probe.external_id.as_deref()).collect();
    let [None, Some(stranger), Some(neighbour), Some(ours)] = ids[..] else { panic!("without, with another's, with one like ours, with ours: {ids:?}") };
    assert_eq!(ours, external_id());
    assert!(stranger.len() == 27 && stranger.starts_with("pc-"), "as another connection's would be: {stranger}");
    assert!(neighbour != ours && neighbour[..neighbour.len() - 1] == ours[..ours.len() - 1], "{neighbour}");
    for probe in &probes {
        assert_eq!((probe.name.as_str(), probe.duration), ("gw-extid-probe", 900));
        assert!(probe.policy.contains("Deny"), "a session that is opened by mistake can do nothing: {}", probe.policy);
    }
    // The role refuses whatever is called gw-extid-probe: that it refuses other ids, too, proves nothing.
    let picky = World::new();
    picky.sts.picky.store(true, Ordering::SeqCst);
    assert_eq!(verdict(&picky).await, ExternalIdVerdict::Unverified);
    let down = World::new();
    down.sts.down.store(true, Ordering::SeqCst);
    assert_eq!(down.leases.probe(&grant(), &role(3600)).await.expect_err("the gateway's own trouble").code(), "sts_unavailable");
}

#[tokio::test(start_paused = true)]
async fn l04_a_test_opens_one_session_anew_and_says_how_long_it_serves() {
    let world = World::new();
    let (grant, minute) = (grant(), credential(60));
    assert_eq!(world.leases.acquire(&grant, &minute).await.expect("a session"), 60);
    world.pass(5);
    assert_eq!(world.leases.acquire(&grant, &minute).await.expect("the same"), 55);
    assert_eq!(world.asked_for_customer(), 1);
    let tested = Arc::new(grant.anew((world.leases.clock)()));
    assert_eq!(world.leases.acquire(&tested, &minute).await.expect("a new one"), 60);
    assert_eq!(world.leases.acquire(&tested, &minute).await.expect("one for the whole test"), 60);
    assert_eq!(world.asked_for_customer(), 2);
    world.sts.down.store(true, Ordering::SeqCst);
    world.pass(5);
    assert!(world.leases.acquire(&Arc::new(grant.anew((world.leases.clock)())), &minute).await.is_err(), "a test sees the outage");
    assert_eq!(world.leases.acquire(&grant, &minute).await.expect("the session still serves"), 55);
}

#[tokio::test(start_paused = true)]
async fn c11_a_session_says_who_it_is() {
    let world = World::new();
    let bedrock = grant_of("acme", Vec::new());
    let credential = Credential::AwsAssumeRole(AssumeRole { region: Some(Region::new("eu-west-1").expect("a region")), ..role(3600) });
    let session = world.session(&bedrock, &credential).await.expect("a session");
    let identity = world.leases.caller_identity(&session, &credential).await.expect("an identity");
    assert!(identity.arn.ends_with("eu-west-1"), "asked in the role's own region");
    assert!(world.asked().last().expect("asked").policy.contains("sts:GetCallerIdentity"));
    assert_eq!(world.sts.identities.load(Ordering::SeqCst), 1);
}
