//! The breaker with a clock of its own: no guest runs here.

use super::*;
use crate::runtime::orgs::Orgs;

struct Case {
    breaker: Arc<Breaker>,
    orgs: Orgs,
    now: Instant,
}

fn case() -> Case {
    Case { breaker: Breaker::new(Digest([7; 32]), 5), orgs: Orgs::new(8), now: Instant::now() }
}

impl Case {
    fn admit(&self, org: &str) -> Result<Watch> {
        self.breaker.admit(&self.orgs.get(&OrgId::new(org).unwrap()), self.now)
    }

    /// Calls once: refused, or with this outcome.
    fn call(&self, org: &str, outcome: Result<()>) -> Option<u32> {
        match self.admit(org) {
            Ok(mut watch) => {
                watch.settle(&outcome, self.now);
                None
            }
            Err(error) => {
                assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "plugin_suspended"));
                error.retry_after()
            }
        }
    }

    fn trap(&self, org: &str) -> Option<u32> {
        self.call(org, Err(Error::plugin_fault("plugin_trap", "")))
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }
}

#[test]
fn p30_five_faults_within_a_minute_suspend_the_plugin_for_that_organization_alone() {
    let mut case = case();
    for number in 0..5 {
        assert_eq!(case.trap("one"), None, "fault {number}");
        case.after(10);
    }
    assert_eq!(case.call("one", Ok(())), None, "ten seconds have passed since the fifth: this one tried");
    for _ in 0..5 {
        assert_eq!(case.trap("one"), None);
    }
    assert_eq!(case.call("one", Ok(())), Some(20));
    assert_eq!(case.call("two", Ok(())), None);
    assert_eq!(case.trap("two"), None);
    assert_eq!(case.call("two", Ok(())), None, "one fault is nothing");
}

#[test]
fn p30_faults_that_are_far_apart_and_errors_of_others_suspend_nothing() {
    let mut case = case();
    for _ in 0..50 {
        assert_eq!(case.trap("one"), None);
        case.after(16);
    }
    for error in [Error::invalid("invalid_field", ""), Error::unavailable("plugins_busy", ""), Error::rejected("permission_denied", "")] {
        let code = error.code().to_owned();
        let mut error = Some(error);
        for _ in 0..20 {
            assert_eq!(case.call("one", Err(error.take().unwrap_or_else(|| Error::invalid("invalid_field", "")))), None, "{code}");
        }
    }
}

#[test]
fn p30_one_call_tries_and_each_that_fails_doubles_the_time() {
    let mut case = case();
    for _ in 0..5 {
        case.trap("one");
    }
    for pause in [10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(case.call("one", Ok(())), Some(pause), "refused without running");
        case.after(u64::from(pause) - 1);
        assert_eq!(case.call("one", Ok(())), Some(1));
        case.after(1);
        let trial = case.admit("one").ok();
        assert!(trial.is_some());
        assert_eq!(case.call("one", Ok(())), Some(1), "another one does not run beside it");
        drop(trial);
        assert_eq!(case.trap("one"), None, "its client left: the next one tries");
    }
    case.after(300);
    assert_eq!(case.call("one", Ok(())), None);
    assert_eq!(case.call("one", Ok(())), None, "a success ends it");
    for _ in 0..4 {
        assert_eq!(case.trap("one"), None, "and its faults are forgotten");
    }
    assert_eq!(case.call("one", Ok(())), None);
    assert_eq!(case.trap("one"), None);
    assert_eq!(case.call("one", Ok(())), Some(300), "but not how often it was suspended");

    case.after(300).call("one", Ok(()));
    case.after(601);
    for _ in 0..5 {
        case.trap("one");
    }
    assert_eq!(case.call("one", Ok(())), Some(10), "until it was quiet for long");
}

#[test]
fn p30_calls_that_end_after_it_was_suspended_are_not_counted_and_should_end() {
    let case = case();
    let mut under_way: Vec<Watch> = (0..20).map(|_| case.admit("one").ok().unwrap()).collect();
    for watch in &mut under_way {
        assert_eq!(watch.is_over(), case.call("one", Ok(())).is_some());
        watch.settle(&Err::<(), _>(Error::plugin_fault("plugin_deadline", "")), case.now);
    }
    assert!(under_way[19].is_over());
    assert_eq!(case.call("one", Ok(())), Some(10), "suspended once, not four times");
}

#[tokio::test(start_paused = true)]
async fn p29_p30_a_call_that_was_given_up_late_is_a_fault_and_one_that_was_given_up_early_is_none() {
    let case = case();
    for _ in 0..20 {
        drop(case.admit("one").ok().unwrap());
    }
    for _ in 0..5 {
        let mut watch = case.admit("one").ok().unwrap();
        watch.spent = true;
    }
    assert_eq!(case.call("one", Ok(())), Some(10));
}

#[test]
fn p30_what_is_remembered_is_bounded() {
    let mut case = case();
    for _ in 0..5 {
        case.trap("first");
    }
    case.after(1);
    for number in 0..MOST - 1 {
        case.trap(&format!("org-{number}"));
    }
    assert_eq!(case.call("first", Ok(())), Some(9));
    for number in 0..3 * MOST {
        case.trap(&format!("more-{number}"));
    }
    assert_eq!(case.breaker.records().len(), MOST);
    assert_eq!(case.breaker.count.load(Ordering::Relaxed), MOST);
}

#[test]
fn p30_a_suspension_says_for_whom_since_when_until_when_and_why() {
    let mut case = case();
    for _ in 0..4 {
        case.trap("one");
        case.trap("two");
    }
    assert_eq!(case.breaker.suspensions(case.now), [], "faults alone are none");
    case.call("one", Err(Error::plugin_fault("plugin_memory", "")));
    let (since, org) = (case.now, OrgId::new("one").unwrap());
    let first = Suspension { plugin: Digest([7; 32]), org, since, until: since + FIRST, code: "plugin_memory".to_owned() };
    assert_eq!(case.breaker.suspensions(case.now), std::slice::from_ref(&first));
    case.after(10);
    assert_eq!(case.breaker.suspensions(case.now), [], "the next call tries");
    case.trap("one");
    let longer = Suspension { until: case.now + 2 * FIRST, code: "plugin_trap".to_owned(), ..first };
    assert_eq!(case.breaker.suspensions(case.now), [longer], "it failed again: the same suspension goes on");
    case.after(20).call("one", Ok(()));
    case.after(1);
    assert_eq!(case.breaker.suspensions(case.now), []);
}
