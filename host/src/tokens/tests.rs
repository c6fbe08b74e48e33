//! Who gets in, and who no longer does.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use super::*;
use crate::model::Kind;
use crate::store::MemoryStore;

struct World {
    tokens: Tokens,
    store: Arc<dyn Store>,
    now: Arc<AtomicI64>,
    acme: OrgId,
}

impl World {
    fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default()))
    }
    fn over(store: Arc<dyn Store>) -> Self {
        let now = Arc::new(AtomicI64::new(1_000_000));
        let (clock_now, count) = (Arc::clone(&now), AtomicU8::new(1));
        let clock: Clock = Arc::new(move || Timestamp::from_millis(clock_now.load(Ordering::SeqCst)));
        let random: Random = Arc::new(move |buffer: &mut [u8]| buffer.fill(count.fetch_add(1, Ordering::SeqCst)));
        Self { tokens: Tokens::new(Arc::clone(&store), clock, random), store, now, acme: OrgId::new("acme").expect("an organization") }
    }
    /// With the organization `acme`.
    async fn with_acme() -> Self {
        let world = Self::new();
        world.tokens.create_organization(world.acme.clone(), String::new()).await.expect("made");
        world
    }
    async fn mint(&self, role: Role) -> Minted {
        self.minted(self.tokens.mint(&self.acme, role, "ci", None).await)
    }
    fn minted(&self, result: Result<Minted>) -> Minted {
        result.unwrap_or_else(|error| panic!("{error:?}"))
    }
    async fn code(&self, text: &str) -> String {
        match self.tokens.check(text).await {
            Ok(_) => "let in".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }
}

#[tokio::test]
async fn c39_whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let world = World::with_acme().await;
    let minted = world.mint(Role::Member).await;
    let (cut, longer, upper) = (&minted.text[..46], format!("{}0", minted.text), minted.text.to_uppercase());
    let hash = &minted.record.hash;
    let huge = "x".repeat(8192);
    for wrong in ["", "pct_", cut, &longer, &upper, hash, &huge, "\0", "../../x"] {
        let error = world.tokens.check(wrong).await.expect_err("not a token");
        assert_eq!((error.kind(), error.code(), error.message()), (Kind::Denied, "unauthorized", "a valid token is needed"), "{wrong:?}");
    }
    let caller = world.tokens.check(&minted.text).await.expect("valid");
    assert_eq!((caller.org, caller.role, caller.token), (world.acme.clone(), Role::Member, minted.record.id));
}

#[tokio::test]
async fn c39_a_revoked_token_is_refused_at_once_also_when_it_was_cached() {
    let world = World::with_acme().await;
    let (admin, member) = (world.mint(Role::Admin).await, world.mint(Role::Member).await);
    for _ in 0..2 {
        assert_eq!(world.code(&member.text).await, "let in");
    }
    let revoked = world.tokens.revoke(&world.acme, member.record.id).await.expect("revoked");
    assert_eq!(revoked.id, member.record.id);
    assert_eq!((world.code(&member.text).await, world.code(&admin.text).await), ("unauthorized".to_owned(), "let in".to_owned()));
    assert_eq!(world.tokens.revoke(&world.acme, member.record.id).await.expect_err("gone").code(), "token_not_found");
}

#[tokio::test]
async fn c39_a_token_read_before_a_revocation_is_not_cached_after_it() {
    let world = World::with_acme().await;
    let (_admin, member) = (world.mint(Role::Admin).await, world.mint(Role::Member).await);
    let seen = world.tokens.cache.generation();
    let entry = cache::Entry { caller: world.tokens.check(&member.text).await.expect("valid"), expires_at: None };
    world.tokens.revoke(&world.acme, member.record.id).await.expect("revoked");
    world.tokens.cache.put(seen, Hash::of(&member.text), entry);
    assert_eq!(world.code(&member.text).await, "unauthorized");
}

#[tokio::test]
async fn c39_an_expired_token_is_refused_also_when_it_was_cached() {
    let world = World::with_acme().await;
    for past in [0, 1_000_000] {
        let result = world.tokens.mint(&world.acme, Role::Member, "ci", Some(Timestamp::from_millis(past))).await;
        assert_eq!(result.err().map(|error| error.field_errors()[0].pointer.clone()).as_deref(), Some("/expires_at"));
    }
    let minted = world.minted(world.tokens.mint(&world.acme, Role::Member, "ci", Some(Timestamp::from_millis(1_000_010))).await);
    assert_eq!(world.code(&minted.text).await, "let in");
    world.now.store(1_000_009, Ordering::SeqCst);
    assert_eq!(world.code(&minted.text).await, "let in");
    world.now.store(1_000_010, Ordering::SeqCst);
    assert_eq!(world.code(&minted.text).await, "unauthorized");
    assert_eq!(World::over(Arc::clone(&world.store)).code(&minted.text).await, "let in", "the other clock says it is early");
}

#[tokio::test]
async fn a09_the_last_who_can_manage_stays() {
    let world = World::with_acme().await;
    let (admin, _member) = (world.mint(Role::Admin).await, world.mint(Role::Member).await);
    let soon_over = world.minted(world.tokens.mint(&world.acme, Role::Admin, "ci", Some(Timestamp::from_millis(1_000_001))).await);
    world.now.store(1_000_001, Ordering::SeqCst);
    assert_eq!(world.tokens.revoke(&world.acme, admin.record.id).await.expect_err("the last").code(), "last_admin");
    world.tokens.revoke(&world.acme, soon_over.record.id).await.expect("it manages nothing any more");
    let operator = world.mint(Role::Operator).await;
    world.tokens.revoke(&world.acme, admin.record.id).await.expect("the operator can manage");
    assert_eq!(world.tokens.revoke(&world.acme, operator.record.id).await.expect_err("the last").code(), "last_admin");
}

#[tokio::test]
async fn a04_another_organizations_token_is_not_found() {
    let world = World::with_acme().await;
    let (_admin, member) = (world.mint(Role::Admin).await, world.mint(Role::Member).await);
    let rival = OrgId::new("acme-2").expect("an organization");
    assert_eq!(world.tokens.revoke(&rival, member.record.id).await.expect_err("not theirs").code(), "token_not_found");
    assert!(world.tokens.list(&rival, None, 10).await.expect("read").is_empty());
    let mut listed = Vec::new();
    while let Some(next) = world.tokens.list(&world.acme, listed.last().copied(), 1).await.expect("read").pop() {
        listed.push(next.id);
    }
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn a11_m20_the_store_holds_hashes_only() {
    let world = World::with_acme().await;
    let minted = world.mint(Role::Admin).await;
    assert!(minted.text.len() == 47 && minted.text.starts_with("pct_") && minted.text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", minted.text);
    for (key, record) in world.store.scan("", None, 1000).await.expect("read") {
        let text = format!("{key} {}", String::from_utf8_lossy(&record.value));
        assert!(!text.contains(&minted.text) && !text.contains(&minted.text[4..]), "{text}");
    }
    assert_eq!(minted.record.hash, Hash::of(&minted.text).hex());
}

#[tokio::test]
async fn names_of_tokens_are_checked() {
    let world = World::with_acme().await;
    for name in ["", "a\nb", "\u{1b}[31m", &"n".repeat(256)] {
        let error = world.tokens.mint(&world.acme, Role::Member, name, None).await.err().expect("a bad name");
        assert_eq!(error.field_errors()[0].pointer, "/name", "{name:?}");
    }
    world.minted(world.tokens.mint(&world.acme, Role::Member, &"ü".repeat(255), None).await);
}

#[tokio::test]
async fn a_weak_bootstrap_token_is_refused_and_nothing_is_stored() {
    let world = World::new();
    for weak in ["", "short", &"x".repeat(31), &"x".repeat(257), &"pass word".repeat(4), &"ü".repeat(32), &format!("{}\n", "x".repeat(32))] {
        assert_eq!(world.tokens.bootstrap(Some(weak)).await.err().expect("weak").code(), "weak_bootstrap_token", "{weak:?}");
    }
    assert!(world.store.scan("", None, 1).await.expect("read").is_empty());
}

#[tokio::test]
async fn the_first_start_makes_one_operator_token_and_later_ones_none() {
    let world = World::new();
    let first = world.tokens.bootstrap(None).await.ok().flatten().expect("the first");
    assert_eq!((first.record.role, first.record.org.as_str()), (Role::Operator, "default"));
    assert_eq!(world.code(&first.text).await, "let in");
    assert!(world.tokens.bootstrap(None).await.ok().flatten().is_none());
}

#[tokio::test]
async fn a_given_bootstrap_token_works_at_every_start_that_names_it() {
    let world = World::with_acme().await;
    let (one, two) = ("one-".repeat(8), "two-".repeat(8));
    world.mint(Role::Admin).await;
    assert_eq!(world.tokens.bootstrap(Some(&one)).await.ok().flatten().map(|minted| minted.text), Some(one.clone()));
    assert!(world.tokens.bootstrap(Some(&one)).await.ok().flatten().is_none(), "it is there already");
    assert_eq!(world.code(&one).await, "let in");
    let added = world.tokens.bootstrap(Some(&two)).await.ok().flatten().expect("added");
    let first = world.tokens.check(&one).await.expect("still valid").token;
    world.tokens.revoke(&added.record.org, first).await.expect("revoked");
    assert_eq!((world.code(&one).await, world.code(&two).await), ("unauthorized".to_owned(), "let in".to_owned()));
}

#[tokio::test]
async fn an_organization_has_at_most_1000_tokens() {
    let world = World::with_acme().await;
    let record = world.mint(Role::Admin).await.record;
    let table: Table<TokenRecord> = Table::new(Arc::clone(&world.store), "tokens/");
    let more = (1..1000).map(|n| table.putting(&key(&world.acme, TokenId(uuid::Uuid::from_u128(n))), &record, Expect::Absent).expect("JSON")).collect();
    world.store.apply(more).await.expect("written");
    assert_eq!(world.tokens.mint(&world.acme, Role::Member, "one too many", None).await.err().expect("full").code(), "too_many_tokens");
}

#[tokio::test]
async fn c05_an_organization_is_made_before_its_tokens_and_ends_with_them() {
    let world = World::new();
    let none = world.tokens.mint(&world.acme, Role::Admin, "ci", None).await.err().expect("there is none");
    assert_eq!(none.field_errors()[0].pointer, "/organization");
    let made = world.tokens.create_organization(world.acme.clone(), "Films".to_owned()).await.expect("made");
    assert_eq!((made.description.as_str(), made.created_at), ("Films", Timestamp::from_millis(1_000_000)));
    assert_eq!(world.tokens.create_organization(world.acme.clone(), String::new()).await.expect_err("taken").code(), "organization_exists");
    let long = world.tokens.create_organization(OrgId::new("long").expect("an id"), "x".repeat(1001)).await.expect_err("too long");
    assert_eq!(long.field_errors()[0].pointer, "/description");
    let minted = [world.mint(Role::Admin).await, world.mint(Role::Member).await];
    for token in &minted {
        assert_eq!(world.code(&token.text).await, "let in");
    }
    world.tokens.delete_organization(&world.acme).await.expect("deleted");
    for token in &minted {
        assert_eq!(world.code(&token.text).await, "unauthorized", "also when it was cached");
    }
    assert!(world.store.scan("token", None, 10).await.expect("read").is_empty());
    for error in [world.tokens.delete_organization(&world.acme).await.expect_err("gone"), world.tokens.organization(&world.acme).await.expect_err("gone")] {
        assert_eq!(error.code(), "organization_not_found");
    }
    assert_eq!(world.tokens.create_organization(world.acme.clone(), String::new()).await.expect_err("not again").code(), "organization_deleted");
    assert!(world.tokens.mint(&world.acme, Role::Admin, "ci", None).await.is_err());
    let first = OrgId::new("default").expect("an id");
    assert_eq!(world.tokens.delete_organization(&first).await.expect_err("always there").code(), "default_organization");
}

#[tokio::test]
async fn c05_organizations_with_tokens_older_than_their_record_are_adopted_and_listed_by_name() {
    let world = World::new();
    let table: Table<TokenRecord> = Table::new(Arc::clone(&world.store), "tokens/");
    for (number, org) in ["b", "b-2", "a_1", "b", "zz"].into_iter().enumerate() {
        let (org, id) = (OrgId::new(org).expect("an id"), TokenId(uuid::Uuid::from_u128(number as u128)));
        let record = TokenRecord {
            id,
            org: org.clone(),
            role: Role::Admin,
            name: "x".into(),
            hash: format!("{number}"),
            created_at: Timestamp::from_millis(0),
            expires_at: None,
        };
        table.put(&key(&org, id), &record, Expect::Absent).await.expect("written");
    }
    world.tokens.bootstrap(None).await.map(drop).expect("started");
    let names = async |after: Option<&str>, limit| {
        let found = world.tokens.list_organizations(after, limit).await.expect("read");
        found.iter().map(|organization| organization.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 10).await, ["a_1", "b", "b-2", "default", "zz"]);
    assert_eq!(names(Some("b"), 2).await, ["b-2", "default"]);
    world.tokens.bootstrap(None).await.map(drop).expect("and again");
    world.tokens.delete_organization(&OrgId::new("b").expect("an id")).await.expect("deleted");
    assert_eq!(names(None, 2).await, ["a_1", "b-2"]);
}

#[tokio::test]
async fn l09_c39_whose_name_something_was_signed_in_is_known_until_the_token_ends() {
    let world = World::with_acme().await;
    let _admin = world.mint(Role::Admin).await;
    let end = Timestamp::from_millis(2_000_000);
    let short = world.minted(world.tokens.mint(&world.acme, Role::Member, "short", Some(end)).await).record;
    let long = world.mint(Role::Member).await.record;
    let holder = async |org: &OrgId, id| world.tokens.holder(org, id).await.map_err(|error| error.code().to_owned());
    let caller = holder(&world.acme, short.id).await.expect("it is good");
    assert_eq!((caller.org, caller.role, caller.token), (world.acme.clone(), Role::Member, short.id));
    let refused = Some("unauthorized".to_owned());
    assert_eq!(holder(&OrgId::new("other").expect("an organization"), short.id).await.err(), refused, "in another organization");
    world.now.store(end.millis(), Ordering::SeqCst);
    assert_eq!(holder(&world.acme, short.id).await.err(), refused, "its time is over");
    holder(&world.acme, long.id).await.expect("it is good");
    world.tokens.revoke(&world.acme, long.id).await.expect("revoked");
    assert_eq!(holder(&world.acme, long.id).await.err(), refused, "revoked");
}
