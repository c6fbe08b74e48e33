//! One exchange however many wait; what becomes of its failure.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::*;

struct Thing {
    number: usize,
    obtained: Timestamp,
}

impl Perishable for Thing {
    fn obtained(&self) -> Timestamp {
        self.obtained
    }
    fn usable_until(&self) -> Timestamp {
        self.obtained.plus(Duration::from_secs(100))
    }
    fn refresh_at(&self) -> Timestamp {
        self.obtained.plus(Duration::from_secs(50))
    }
}

struct World {
    now: Arc<AtomicI64>,
    calls: Arc<AtomicUsize>,
    clock: Clock,
    slot: Arc<Slot<Thing>>,
}

impl World {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(0));
        let hand = now.clone();
        Self { now, calls: Arc::default(), clock: Arc::new(move || Timestamp::from_millis(hand.load(Ordering::SeqCst))), slot: Arc::new(Slot::new()) }
    }
    fn at(&self, seconds: i64) {
        self.now.store(seconds * 1000, Ordering::SeqCst);
    }
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
    fn exchange(&self, fails: bool) -> impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = Result<Thing>> + Send>> + use<> {
        let (calls, clock) = (self.calls.clone(), self.clock.clone());
        move || {
            Box::pin(async move {
                let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                if fails {
                    Err(Error::unavailable("down", "it is down").with_remedy("wait").with_retry_after(3))
                } else {
                    Ok(Thing { number, obtained: clock() })
                }
            })
        }
    }
    async fn get(&self, fails: bool) -> Result<usize> {
        self.slot.get(&self.clock, None, self.exchange(fails)).await.map(|thing| thing.number)
    }
    /// Lets tasks that run ahead of anybody's need finish (time is paused: this takes none).
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn crowd(world: &Arc<World>, fails: bool) -> Vec<Result<usize>> {
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.get(fails).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in waiting {
        answers.push(task.await.expect("not stopped"));
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn t07_a_failure_is_everybodys_and_is_tried_again_only_later() {
    let world = Arc::new(World::new());
    for answer in crowd(&world, true).await {
        let error = answer.expect_err("it is down");
        assert_eq!(
            (error.kind(), error.code(), error.message(), error.remedy(), error.retry_after()),
            (crate::model::Kind::Unavailable, "down", "it is down", Some("wait"), Some(3))
        );
    }
    assert_eq!(world.calls(), 1);
    assert!(world.get(false).await.is_err(), "the failure is remembered");
    world.at(1);
    assert_eq!(world.get(false).await.expect("up again"), 2);
}

#[tokio::test(start_paused = true)]
async fn t07_one_exchange_for_a_thousand() {
    let world = Arc::new(World::new());
    for answer in crowd(&world, false).await {
        assert_eq!(answer.expect("a thing"), 1);
    }
    assert_eq!(world.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn b11_one_refresh_ahead_and_nobody_waits_for_it() {
    let world = Arc::new(World::new());
    assert_eq!(world.get(false).await.expect("a thing"), 1);
    world.at(49);
    assert_eq!(world.get(false).await.expect("a thing"), 1);
    world.settle().await;
    assert_eq!(world.calls(), 1, "too early to refresh");
    world.at(50);
    for answer in crowd(&world, false).await {
        assert!(answer.is_ok());
    }
    world.settle().await;
    assert_eq!(world.calls(), 2);
    assert_eq!(world.get(false).await.expect("the new one"), 2);
}

#[tokio::test(start_paused = true)]
async fn b11_an_outage_is_ridden_out_and_asked_about_ever_less_often() {
    let world = Arc::new(World::new());
    assert_eq!(world.get(false).await.expect("a thing"), 1);
    for second in 50..100 {
        world.at(second);
        assert_eq!(world.get(true).await.expect("the old one serves"), 1, "second {second}");
        world.settle().await;
    }
    assert!((4..=6).contains(&world.calls()), "{} calls in 50 seconds of outage", world.calls());
    world.at(102);
    assert_eq!(world.get(true).await.expect_err("expired").code(), "down");
}

#[tokio::test(start_paused = true)]
async fn p29_a_caller_who_leaves_neither_stops_nor_doubles_the_exchange() {
    let world = Arc::new(World::new());
    let first = tokio::spawn({
        let world = world.clone();
        async move { world.get(false).await }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    first.abort();
    assert_eq!(world.get(false).await.expect("the first one's"), 1);
    assert_eq!(world.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_value_is_obtained_again_and_only_the_one_meant() {
    let world = World::new();
    let first = world.slot.get(&world.clock, None, world.exchange(false)).await.expect("a thing");
    world.slot.drop_value(&first);
    assert_eq!(world.get(false).await.expect("a new one"), 2);
    world.slot.drop_value(&first);
    assert_eq!(world.get(false).await.expect("still the new one"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_now_is_not_answered_from_before() {
    let world = World::new();
    assert_eq!(world.get(false).await.expect("a thing"), 1);
    let since = |second: i64| Some(Timestamp::from_millis(second * 1000));
    world.at(10);
    assert_eq!(world.slot.get(&world.clock, since(10), world.exchange(true)).await.err().expect("down").code(), "down");
    assert_eq!(world.get(true).await.expect("others keep the old one"), 1);
    assert_eq!(world.slot.get(&world.clock, since(10), world.exchange(false)).await.err().expect("the failure is of now").code(), "down");
    world.now.store(10_500, Ordering::SeqCst);
    let later = Some(Timestamp::from_millis(10_500));
    assert_eq!(world.slot.get(&world.clock, later, world.exchange(false)).await.expect("a failure of before is not repeated").number, 3);
    assert_eq!(world.slot.get(&world.clock, later, world.exchange(false)).await.expect("one for the whole test").number, 3);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_never_ends_is_given_up() {
    let world = World::new();
    let error = world.slot.get(&world.clock, None, std::future::pending).await.err().expect("given up");
    assert_eq!(error.code(), "credential_exchange_timeout");
}

#[test]
fn slots_are_bounded_and_the_oldest_go_first() {
    let slots: Slots<Thing> = Slots::new(3);
    let org = |number: u32| OrgId::new(format!("org-{number}")).expect("an org");
    let first = slots.of_org(&org(0), &Credential::Anonymous);
    assert!(Arc::ptr_eq(&first, &slots.of_org(&org(0), &Credential::Anonymous)));
    assert!(!Arc::ptr_eq(&first, &slots.of_org(&org(1), &Credential::Anonymous)), "another organization's");
    for number in 2..10 {
        slots.of_org(&org(number), &Credential::Anonymous);
    }
    assert_eq!(slots.inner.read().expect("unpoisoned").owners.len(), 3);
    assert!(!Arc::ptr_eq(&first, &slots.of_org(&org(0), &Credential::Anonymous)), "it was the oldest");
    for number in 0..20 {
        slots.of_org(&org(0), &Credential::Bearer { token: format!("{number}") });
    }
    let inner = slots.inner.read().expect("unpoisoned");
    assert!(inner.owners.values().all(|owned| owned.slots.len() <= SLOTS_PER_OWNER));
    assert_eq!(inner.oldest_first.len(), inner.owners.len());
    drop(inner);
    slots.forget(&org(0), ConnectionId(uuid::Uuid::nil()));
    slots.forget(&org(99), ConnectionId(uuid::Uuid::nil()));
    let inner = slots.inner.read().expect("unpoisoned");
    assert_eq!((inner.owners.len(), inner.oldest_first.len()), (2, 2), "what is forgotten takes no room");
}
