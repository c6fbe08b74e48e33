//! Slots and their parts, without a guest.

use super::*;
use crate::model::OrgId;
use crate::runtime::orgs::Orgs;

fn id(name: &str) -> OrgId {
    OrgId::new(name).unwrap()
}

fn code(outcome: Result<Pass<'_>>) -> String {
    outcome.err().map(|error| error.code().to_owned()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn p26_when_all_slots_are_taken_a_call_waits_a_second_and_is_told_busy() {
    let (gate, one, two) = (Gate::new(2), Share::new(2), Share::new(2));
    let first = gate.enter(&one, None, false).await.unwrap();
    let _second = gate.enter(&two, None, false).await.unwrap();
    let started = tokio::time::Instant::now();
    let error = gate.enter(&Share::new(2), None, false).await.err().expect("no third slot");
    assert_eq!((error.code(), error.retry_after()), ("plugins_busy", Some(1)));
    assert_eq!(started.elapsed(), WAIT);
    drop(first);
    assert!(gate.enter(&one, None, false).await.is_ok(), "a slot that was given back is free");
}

#[tokio::test(start_paused = true)]
async fn b12_one_plugin_gets_three_quarters_of_the_slots_and_remote_calls_half() {
    let (gate, greedy, other) = (Gate::new(4), Share::new(4), Share::new(4));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(gate.enter(&greedy, None, false).await.unwrap());
    }
    assert_eq!(code(gate.enter(&greedy, None, false).await), "plugins_busy");
    assert!(gate.enter(&other, None, false).await.is_ok(), "another plugin is not held up");

    let (gate, shares) = (Gate::new(4), [Share::new(4), Share::new(4), Share::new(4)]);
    let _held = (gate.enter(&shares[0], None, true).await.unwrap(), gate.enter(&shares[1], None, true).await.unwrap());
    assert!(gate.enter(&shares[2], None, true).await.is_err());
    assert!(gate.enter(&shares[2], None, false).await.is_ok(), "planning goes on while remotes are slow");
}

#[tokio::test(start_paused = true)]
async fn b12_o13_one_organization_gets_half_of_the_slots_whatever_plugins_it_uses() {
    let (gate, orgs) = (Gate::new(8), Orgs::new(8));
    let (greedy, other) = (orgs.get(&id("greedy")), orgs.get(&id("other")));
    let plugins: Vec<Share> = (0..8).map(|_| Share::new(8)).collect();
    let mut held = Vec::new();
    for plugin in &plugins[..4] {
        held.push(gate.enter(plugin, Some(&greedy), false).await.unwrap());
    }
    let started = tokio::time::Instant::now();
    assert_eq!(code(gate.enter(&plugins[4], Some(&greedy), false).await), "plugins_busy", "on a plugin that nobody uses");
    assert_eq!(started.elapsed(), WAIT);
    for plugin in &plugins[..4] {
        held.push(gate.enter(plugin, Some(&other), false).await.unwrap());
    }
    held.remove(0);
    assert!(gate.enter(&plugins[4], Some(&greedy), false).await.is_ok(), "a slot that was given back is free");
}

#[tokio::test(start_paused = true)]
async fn b12_an_organization_holds_neither_a_plugin_that_others_use_nor_its_own_planning() {
    let (gate, orgs, plugin) = (Gate::new(8), Orgs::new(8), Share::new(8));
    let (greedy, other) = (orgs.get(&id("greedy")), orgs.get(&id("other")));
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(gate.enter(&plugin, Some(&greedy), true).await.unwrap());
    }
    assert_eq!(code(gate.enter(&plugin, Some(&greedy), true).await), "plugins_busy", "half of its part may wait for remotes");
    for _ in 0..2 {
        held.push(gate.enter(&plugin, Some(&greedy), false).await.expect("the rest plans"));
    }
    assert_eq!(code(gate.enter(&plugin, Some(&greedy), false).await), "plugins_busy");
    for remote in [true, false] {
        assert!(gate.enter(&plugin, Some(&other), remote).await.is_ok(), "another organization, the same plugin");
    }
}

#[tokio::test]
async fn p26_the_queue_is_bounded() {
    let (gate, share) = (Gate::new(1), Share::new(1));
    let _held = gate.enter(&share, None, false).await.unwrap();
    let waiting: Vec<_> = (0..17).map(|_| Box::pin(gate.enter(&share, None, false))).collect();
    let outcomes = futures_util::future::select_all(waiting).await;
    assert!(outcomes.0.is_err());
    assert_eq!(outcomes.1, 16, "the one that found the queue full is answered first");
}

#[tokio::test(start_paused = true)]
async fn p26_o13_one_organization_does_not_fill_the_queue_for_others() {
    let (gate, orgs, share) = (Gate::new(4), Orgs::new(4), Share::new(4));
    let (greedy, other) = (orgs.get(&id("greedy")), orgs.get(&id("other")));
    let _held = (gate.enter(&share, Some(&greedy), false).await.unwrap(), gate.enter(&share, Some(&greedy), false).await.unwrap());
    let another = Share::new(4);
    let _rest = (gate.enter(&share, None, false).await.unwrap(), gate.enter(&another, None, false).await.unwrap());
    let mut waiting: Vec<_> = (0..33).map(|_| Box::pin(gate.enter(&share, Some(&greedy), false))).collect();
    let (refused, last, _) = futures_util::future::select_all(&mut waiting).await;
    assert_eq!((code(refused), last), ("plugins_busy".to_owned(), 32), "its queue is full");
    let started = tokio::time::Instant::now();
    assert_eq!(code(gate.enter(&share, Some(&other), false).await), "plugins_busy");
    assert_eq!(started.elapsed(), WAIT, "the other one had a place, and waited for a slot");
}
