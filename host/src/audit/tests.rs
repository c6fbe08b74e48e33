//! The log as an intruder, a kill and a full disk find it, and what it counts.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::files::path;
use super::*;
use crate::model::{Actor, By, Connection, Credential, Digest, HttpObject, JobId, Kind, OrgId, Purpose, Timestamp, TokenId};
use crate::policy::{Action, AddressPolicy, Grant};

const KEY: [u8; 32] = [7; 32];
const ALL: Keep = Keep { bytes: u64::MAX, age: Duration::MAX };
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn note(number: usize) -> What {
    What::Log(Note { verb: "started", detail: Some(format!("note {number}")) })
}

/// A folder with a log of so many lines, each written alone.
fn written(lines: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, told) = Log::open(folder.path(), Key(KEY), ALL).unwrap();
    assert_eq!(told, None);
    for number in 1..=lines {
        log.append(&[note(number)], NOW).unwrap();
    }
    log.anchor(NOW).unwrap();
    folder
}

fn text(folder: &Path) -> Vec<String> {
    fs::read_to_string(path(folder, 1)).unwrap().lines().map(str::to_owned).collect()
}

fn put(folder: &Path, lines: &[String]) {
    fs::write(path(folder, 1), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

fn broken(folder: &Path) -> Option<(Option<u64>, String)> {
    verify(folder, KEY).unwrap().broken.map(|broken| (broken.line, broken.why))
}

#[test]
fn b14_whatever_is_done_to_a_line_is_found_at_its_number() {
    let log = written(20);
    let whole = verify(log.path(), KEY).unwrap();
    assert_eq!((whole.lines, whole.first, whole.last, whole.unfinished, whole.broken), (20, Some(1), Some(20), false, None));
    let good = text(log.path());
    let changed = |number: usize, change: &dyn Fn(&str) -> String| {
        let mut lines = good.clone();
        lines[number - 1] = change(&lines[number - 1]);
        lines
    };
    let without =
        |numbers: std::ops::Range<usize>| good.iter().enumerate().filter(|(at, _)| !numbers.contains(&(at + 1))).map(|(_, line)| line.clone()).collect();
    let swapped = |one: usize, other: usize| {
        let mut lines = good.clone();
        lines.swap(one - 1, other - 1);
        lines
    };
    let cases: Vec<(&str, Vec<String>, Option<u64>, &str)> = vec![
        ("another word", changed(7, &|line| line.replace("note 7", "note 8")), Some(7), "changed"),
        ("another time", changed(7, &|line| line.replacen("2023", "2024", 1)), Some(7), "changed"),
        ("another hash before", changed(7, &|line| line.replacen("\"prev\":\"", "\"prev\":\"0", 1)), Some(7), "changed"),
        ("a line cut short", changed(7, &|line| line[..line.len() / 2].to_owned()), Some(7), "changed"),
        ("a line made longer", changed(7, &|line| format!("{line} ")), Some(7), "changed"),
        ("no hash", changed(7, &|line| line.split(",\"hash\"").next().unwrap().to_owned() + "}"), Some(7), "changed"),
        ("a line emptied", changed(7, &|_| String::new()), Some(7), "changed"),
        ("a line left out", without(7..8), Some(7), "missing, or were moved"),
        ("two lines swapped", swapped(7, 9), Some(7), "missing, or were moved"),
        ("a line twice", [&good[..7], &good[6..]].concat(), Some(8), "missing, or were moved"),
        ("the first lines left out", without(1..4), Some(1), "at its beginning are missing"),
        ("the last line left out", without(20..21), None, "at its end are missing"),
        ("the last lines left out", without(11..21), None, "at its end are missing"),
        ("all of it", Vec::new(), None, "at its end are missing"),
    ];
    for (what, lines, line, why) in cases {
        put(log.path(), &lines);
        let (found, told) = broken(log.path()).unwrap_or_else(|| panic!("{what}: not found"));
        assert!(found == line && told.contains(why), "{what}: line {found:?}: {told}");
    }
    put(log.path(), &good);
    assert_eq!(broken(log.path()), None, "as it was");
}

#[test]
fn b14_a_line_of_somebody_without_the_key_does_not_fit() {
    let log = written(3);
    let mut lines = text(log.path());
    let mut last = (3, serde_json::from_str::<Value>(&lines[2]).unwrap()["hash"].as_str().unwrap().to_owned());
    let forged = Key([8; 32]).line(&mut last, NOW, &note(4)).unwrap();
    lines.push(String::from_utf8(forged).unwrap().trim_end().to_owned());
    put(log.path(), &lines);
    assert_eq!(broken(log.path()).unwrap().0, Some(4));
    // Nor does an anchor that says it ended earlier.
    put(log.path(), &lines[..2]);
    for forged in [
        json!({"first": 1, "first_prev": "0".repeat(64), "last": 2, "last_hash": "0".repeat(64), "mac": "0".repeat(64)}).to_string(),
        "{}".to_owned(),
        String::new(),
    ] {
        fs::write(log.path().join("anchor.json"), forged).unwrap();
        assert!(broken(log.path()).unwrap().1.contains("another master key"));
    }
    fs::remove_file(log.path().join("anchor.json")).unwrap();
    assert!(broken(log.path()).unwrap().1.contains("missing"));
    assert!(verify(&log.path().join("none"), KEY).unwrap_err().code() == "audit_not_found");
    assert!(verify(written(1).path(), [9; 32]).unwrap().broken.is_some(), "another key");
}

#[test]
fn b14_a_line_that_a_kill_cut_off_is_cut_away_and_told_wherever_it_was_cut() {
    let whole = written(5);
    let lines = text(whole.path());
    let length = lines[4].len();
    for cut in [1, 2, length / 2, length - 1, length] {
        let log = written(4);
        let mut file = OpenOptions::new().append(true).open(path(log.path(), 1)).unwrap();
        file.write_all(&lines[4].as_bytes()[..cut]).unwrap();
        let before = verify(log.path(), KEY).unwrap();
        assert!(before.unfinished && before.broken.is_none(), "{cut}: {before:?}");
        let (mut opened, told) = Log::open(log.path(), Key(KEY), ALL).unwrap();
        assert!(told.as_ref().is_some_and(|note| note.verb == "repaired" && note.detail.as_ref().unwrap().contains(&cut.to_string())), "{told:?}");
        opened.append(&[What::Log(told.unwrap())], NOW).unwrap();
        opened.anchor(NOW).unwrap();
        let after = verify(log.path(), KEY).unwrap();
        assert_eq!((after.lines, after.unfinished, after.broken), (5, false, None), "{cut}");
    }
    // A kill between a line and the anchor: there is nothing to mend.
    let log = written(2);
    let (mut opened, _) = Log::open(log.path(), Key(KEY), ALL).unwrap();
    opened.append(&[note(3)], NOW).unwrap();
    drop(opened);
    assert_eq!(Log::open(log.path(), Key(KEY), ALL).unwrap().1, None);
    assert_eq!(verify(log.path(), KEY).unwrap().lines, 3);
}

#[test]
fn b14_a_log_that_was_shortened_goes_on_apart_and_stays_found() {
    for (what, kept, line) in [("the end", 6, Some(1)), ("everything", 0, Some(1))] {
        let log = written(10);
        let lines = text(log.path());
        put(log.path(), &lines[..kept]);
        let (mut opened, told) = Log::open(log.path(), Key(KEY), ALL).unwrap();
        assert_eq!(told.unwrap().verb, "damaged", "{what}");
        opened.append(&[note(11)], NOW).unwrap();
        opened.anchor(NOW).unwrap();
        let found = verify(log.path(), KEY).unwrap().broken.unwrap();
        assert_eq!((found.file.as_str(), found.line), ("00000002.jsonl", line), "{what}: {}", found.why);
        assert_eq!(text(log.path()).len(), kept, "{what}: evidence is left alone");
        assert_eq!(Log::open(log.path(), Key(KEY), ALL).unwrap().1, None, "{what}: told once");
    }
    let log = written(10);
    let mut lines = text(log.path());
    lines[4] = lines[4].replace("note 5", "note 6");
    put(log.path(), &lines);
    assert_eq!(Log::open(log.path(), Key(KEY), ALL).unwrap().1.unwrap().verb, "damaged");
    assert_eq!(broken(log.path()).unwrap().0, Some(5));
}

#[test]
fn b14_old_files_are_dropped_and_what_is_left_is_still_whole() {
    let long = What::Log(Note { verb: "started", detail: Some("x".repeat(64 << 10)) });
    let full = |keep: Keep| {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(folder.path(), Key(KEY), keep).unwrap();
        for day in 0..16_u64 {
            log.append(&vec![long.clone(); 20], NOW.plus(Duration::from_secs(day * 24 * 3600))).unwrap();
            log.anchor(NOW.plus(Duration::from_secs(day * 24 * 3600))).unwrap();
        }
        folder
    };
    for (what, keep, most) in [
        ("too many", Keep { bytes: 12 << 20, age: Duration::MAX }, 12 << 20),
        ("too old", Keep { bytes: u64::MAX, age: Duration::from_secs(5 * 24 * 3600) }, 14 << 20),
    ] {
        let folder = full(keep);
        let numbers = files::numbers(folder.path()).unwrap();
        let bytes: u64 = numbers.iter().map(|number| fs::metadata(path(folder.path(), *number)).unwrap().len()).sum();
        assert!(numbers[0] > 1 && bytes <= most, "{what}: {numbers:?}, {bytes} bytes");
        let dropped = Filter { verb: Some("dropped".to_owned()), ..Filter::default() };
        let (mut notes, mut before) = (Vec::new(), None);
        loop {
            let page = read::page(folder.path(), &dropped, before, 10).unwrap();
            notes.extend(page.lines.iter().map(|line| line["detail"].as_str().unwrap().to_owned()));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let verified = verify(folder.path(), KEY).unwrap();
        assert!(verified.broken.is_none() && verified.first > Some(1), "{what}: {verified:?}");
        assert_eq!(verified.last, Some(320 + notes.len() as u64), "{what}");
        let last = format!("to {}, of 2023-11-", verified.first.unwrap() - 1);
        match what {
            "too many" => assert!(notes[0].contains(&last) && notes.last().unwrap().starts_with("lines 1 to "), "{notes:?}"),
            _ => assert_eq!(notes, [""; 0], "that is as it was asked for"),
        }
        assert_eq!(Log::open(folder.path(), Key(KEY), keep).unwrap().1, None, "{what}");
        fs::remove_file(path(folder.path(), numbers[0])).unwrap();
        let why = broken(folder.path()).unwrap().1;
        assert!(why.contains("at its beginning are missing"), "{what}: one more is missing: {why}");
    }
    assert_eq!(files::numbers(full(ALL).path()).unwrap().len(), 4, "and none is dropped without a reason");
}

#[test]
fn b14_that_lines_are_dropped_for_want_of_room_is_told_once_and_before_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), Key(KEY), Keep { bytes: 1 << 20, age: Duration::MAX }).unwrap();
    let long = What::Log(Note { verb: "started", detail: Some("x".repeat(64 << 10)) });
    log.append(&vec![long; 70], NOW).unwrap();
    log.anchor(NOW).unwrap();
    let obstacle = folder.path().join("anchor.new");
    fs::create_dir(&obstacle).unwrap();
    let later = NOW.plus(Duration::from_secs(60));
    log.append(&[note(71)], later).unwrap();
    for _ in 0..3 {
        assert_eq!(log.anchor(later).unwrap_err().code(), "audit_unavailable");
        assert_eq!(files::numbers(folder.path()).unwrap(), [1, 2], "nothing is gone that the anchor counts on");
    }
    fs::remove_dir(obstacle).unwrap();
    log.anchor(later).unwrap();
    assert_eq!(files::numbers(folder.path()).unwrap(), [2]);
    let page = read::page(folder.path(), &Filter::default(), None, 10).unwrap();
    let said: Vec<_> = page.lines.iter().map(|line| line["detail"].as_str().unwrap()).collect();
    assert_eq!(said, ["lines 1 to 70, of 2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z, because the log is longer than audit.max_bytes", "note 71"]);
    assert_eq!(broken(folder.path()), None);
}

#[test]
fn a22_nothing_is_written_behind_what_a_failed_write_left() {
    let log = written(2);
    let (mut opened, _) = Log::open(log.path(), Key(KEY), ALL).unwrap();
    // It can neither be written nor cut; then what seems to be written cannot be cut either.
    let good = opened.write_to(OpenOptions::new().write(true).open("/dev/full").unwrap());
    opened.append(&[note(3)], NOW).unwrap_err();
    opened.write_to(OpenOptions::new().write(true).open("/dev/null").unwrap());
    assert_eq!(opened.append(&[note(3)], NOW).unwrap_err().code(), "audit_unavailable");
    OpenOptions::new().append(true).open(path(log.path(), 1)).unwrap().write_all(b"{\"seq\":3,\"ti").unwrap();
    opened.write_to(good);
    opened.append(&[note(3)], NOW).unwrap();
    opened.anchor(NOW).unwrap();
    assert_eq!((told(log.path()), broken(log.path())), (["started note 1", "started note 2", "started note 3"].map(str::to_owned).to_vec(), None));
}

#[test]
fn b14_a_page_looks_at_so_much_answers_with_so_much_and_leaves_nothing_out() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(folder.path(), Key(KEY), ALL).unwrap();
    let long = What::Log(Note { verb: "started", detail: Some("x".repeat(200 << 10)) });
    for _ in 0..9 {
        log.append(&vec![long.clone(); 10], NOW).unwrap();
    }
    let read = |filter: Filter| {
        let (mut seqs, mut pages, mut before) = (Vec::new(), Vec::new(), None);
        loop {
            let page = read::page(folder.path(), &filter, before, 500).unwrap();
            pages.push(page.lines.iter().map(|line| line.to_string().len()).sum::<usize>());
            seqs.extend(page.lines.iter().map(|line| line["seq"].as_u64().unwrap()));
            before = page.next;
            if before.is_none() {
                return (seqs, pages);
            }
        }
    };
    let (seqs, pages) = read(Filter::default());
    assert_eq!(seqs, (1..=90).rev().collect::<Vec<_>>());
    assert!(pages.iter().all(|bytes| (1..=2 << 20).contains(bytes)), "{pages:?}");
    let none = Filter { verb: Some("stopped".to_owned()), ..Filter::default() };
    assert_eq!(read(none), (Vec::new(), vec![0, 0]), "18 MiB are looked at in two");
}

#[tokio::test]
async fn b14_few_pages_are_read_at_once_and_no_organization_keeps_all_of_them() {
    let readers = Readers::default();
    let enter = |org: &str| readers.enter(&org_id(org));
    let (first, _second) = (enter("acme").unwrap(), enter("acme").unwrap());
    let busy = enter("acme").err().unwrap();
    assert_eq!((busy.code(), busy.retry_after()), ("audit_busy", Some(1)));
    let _others = (enter("other").unwrap(), enter("third").unwrap());
    assert_eq!(enter("fourth").err().unwrap().code(), "audit_busy");
    drop(first);
    drop(enter("fourth").unwrap());
    drop(enter("acme").unwrap());
}

#[tokio::test]
async fn b14_the_log_is_read_while_it_cannot_be_written_and_only_a_first_page_waits_for_it() {
    let (log, clock) = (written(9), clock().0);
    let (queue, mut orders) = mpsc::channel(1);
    let audit = Audit { uses: Uses::new(clock), queue, folder: log.path().to_owned(), readers: Readers::default() };
    let acme = org_id("acme");
    let seqs = |page: Page| page.lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>();
    let next = audit.page(&acme, Filter::default(), Some(5), 2).await.unwrap();
    assert!(orders.try_recv().is_err(), "nobody was asked to write");
    assert_eq!(seqs(next), [4, 3]);
    let failing = async {
        let Some(Order::Flush(answer)) = orders.recv().await else { panic!("no flush") };
        answer.send(Err(Error::unavailable("audit_unavailable", "full"))).unwrap();
    };
    let (first, ()) = tokio::join!(audit.page(&acme, Filter::default(), None, 2), failing);
    assert_eq!(seqs(first.unwrap()), [9, 8]);
    drop(orders);
    assert_eq!(seqs(audit.page(&acme, Filter::default(), None, 1).await.unwrap()), [9], "when nothing is ever written again");
}

fn changed(number: u128, org: &str) -> Changed {
    Changed {
        org: Some(org_id(org)),
        actor: Actor::Token(TokenId(uuid::Uuid::from_u128(number % 2))),
        verb: if number.is_multiple_of(3) { "delete" } else { "create" },
        subject: "connection",
        id: number.to_string(),
        connection: None,
        name: None,
        before: None,
        after: Some(Digest([1; 32])),
        powers: Vec::new(),
    }
}

fn org_id(org: &str) -> OrgId {
    OrgId::new(org).unwrap()
}

/// What the lines in the first file say, as `<verb> <id or detail>`.
fn told(folder: &Path) -> Vec<String> {
    let lines = text(folder).into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    lines.map(|line| format!("{} {}{}", word(&line, "verb"), word(&line, "id"), word(&line, "detail")).trim_end().to_owned()).collect()
}

fn clock() -> (Clock, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(NOW.millis()));
    let read = Arc::clone(&now);
    (Arc::new(move || Timestamp::from_millis(read.load(Ordering::Relaxed))), now)
}

fn grant(org: &str) -> Arc<Grant> {
    let connection: Connection = serde_json::from_value(json!({
        "id": uuid::Uuid::from_u128(1), "org": org, "name": "press", "description": "", "type": "https_bearer", "plugin": format!("sha256:{}", "ab".repeat(32)),
        "settings": {"hostname": "files.example"}, "secrets": {"token": {"key_id": "k", "revision": 1, "sealed": ""}}, "external_id": "pc-0123456789012345678901234",
        "test_location": null, "state": "ready", "revision": 1, "version": 3, "last_test": null, "last_good_at": null,
        "created_at": NOW, "updated_at": NOW,
    }))
    .unwrap();
    let egress = crate::policy::Egress::expand(
        &["https://{settings.hostname}".to_owned()],
        &connection.settings,
        &AddressPolicy { allow_networks: Vec::new(), allow_http: false },
    );
    Arc::new(Grant { connection, egress: egress.unwrap(), capabilities: BTreeSet::new(), asked_anew: None, by: By::GATEWAY })
}

fn permit(grant: &Arc<Grant>, path: &str, credential: &Credential) -> crate::policy::Permit {
    grant.permit_http(Action::Read, &HttpObject { url: format!("https://files.example{path}"), headers: Vec::new() }, credential).unwrap()
}

fn bearer() -> Credential {
    Credential::Bearer { token: "token".to_owned() }
}

fn by(token: u128) -> Option<By> {
    Some(By { actor: Actor::Token(TokenId(uuid::Uuid::from_u128(token))), purpose: Purpose::Fetch })
}

fn used(uses: &Uses) -> Vec<Used> {
    uses.take().into_iter().map(|what| if let What::Use(used) = what { used } else { panic!("{what:?}") }).collect()
}

#[test]
fn b14_uses_that_differ_in_nothing_are_one_line_and_none_is_lost() {
    let (clock, now) = clock();
    let (uses, acme) = (Uses::new(clock), grant("acme"));
    for number in 0..100 {
        now.fetch_add(1, Ordering::Relaxed);
        let permit = permit(&acme, &format!("/a/{}?signature=canary", number % 50), &bearer());
        uses.begin(&permit, by(1)).unwrap().end(Ok(())).unwrap();
    }
    let of_acme = used(&uses);
    let [one] = of_acme.as_slice() else { panic!("{of_acme:?}") };
    assert_eq!((one.count, one.objects.len(), one.unlisted), (100, 32, 68));
    assert_eq!((one.target.as_str(), one.objects[0].as_str(), one.outcome.as_str()), ("https://files.example", "/a/0", "ok"));
    assert_eq!((one.how, one.verb, one.version, one.since), (How::SendSecret, Purpose::Fetch, Some(3), NOW.plus(Duration::from_millis(1))));
    assert!(!serde_json::to_string(one).unwrap().contains("canary"), "no query");
    assert_eq!(used(&uses), [], "each is told once");

    let permitted = permit(&acme, "/a", &bearer());
    let refused = || Err::<(), _>(Error::rejected("permission_denied", "no"));
    uses.begin(&permitted, by(1)).unwrap().end(Ok(())).unwrap();
    uses.begin(&permitted, by(2)).unwrap().end(Ok(())).unwrap();
    uses.begin(&permitted, by(1)).unwrap().end(refused()).unwrap_err();
    drop(uses.begin(&permitted, by(1)).unwrap());
    uses.begin(&permitted, None).unwrap().end(Ok(())).unwrap();
    let other = grant("other");
    uses.begin(&permit(&other, "/a", &bearer()), by(1)).unwrap().end(Ok(())).unwrap();
    let told: Vec<_> = used(&uses).into_iter().map(|used| format!("{} {} {}", used.org, used.actor, used.outcome)).collect();
    let token = |number: u128| format!("token:{}", uuid::Uuid::from_u128(number));
    let expected = [
        format!("acme {} ok", token(1)),
        format!("acme {} permission_denied", token(1)),
        format!("acme {} given_up", token(1)),
        format!("acme {} ok", token(2)),
        "acme gateway ok".to_owned(),
        format!("other {} ok", token(1)),
    ];
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), expected.iter().collect::<BTreeSet<_>>());
    assert_eq!(told.len(), expected.len());

    drop(uses.begin(&permit(&acme, "/a", &Credential::Anonymous), by(1)).unwrap());
    assert_eq!(used(&uses), [], "where nothing is sent there is no use");
}

#[test]
fn b14_what_waits_to_be_written_is_bounded() {
    let (uses, acme) = (Uses::new(clock().0), grant("acme"));
    let permitted = permit(&acme, &format!("/{}", "%C3%A9".repeat(500)), &bearer());
    let mut taken = 0;
    let error = loop {
        match uses.begin(&permitted, by(taken)) {
            Ok(using) => using.end(Ok(())).unwrap(),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert_eq!((taken, error.code(), error.retry_after()), (4096, "audit_unavailable", Some(1)));
    let told = used(&uses);
    assert_eq!(told.len(), 4096);
    let bytes = |told: &[Used]| told.iter().flat_map(|used| &used.objects).map(String::len).sum::<usize>();
    let named = bytes(&told);
    assert!((128 << 10) - 1024 < named && named <= 128 << 10, "{named}");
    for number in 0..10 {
        let other = permit(&grant(&format!("other-{number}")), &format!("/{}", "%C3%A9".repeat(500)), &bearer());
        for token in 0..200 {
            uses.begin(&other, by(token)).unwrap().end(Ok(())).unwrap();
        }
    }
    let others = used(&uses);
    let of = |number: u32| bytes(&others.iter().filter(|used| used.org.as_str() == format!("other-{number}")).cloned().collect::<Vec<_>>());
    assert!((0..8).all(|number| of(number) == named), "one who reads many long paths blanks nobody else's");
    assert!(bytes(&others) <= 1 << 20, "and all of them together are bounded: {}", bytes(&others));
    for used in &told {
        let whole = used.objects.is_empty() && used.unlisted == 1 || used.objects.iter().all(|object| object.len() <= 1024) && used.unlisted == 0;
        assert!(whole && used.count == 1, "{used:?}");
    }
    let long = Uses::new(clock().0);
    for end in ["a", "b"] {
        let permitted = permit(&acme, &format!("/{}{end}", "%C3%A9".repeat(500)), &bearer());
        long.begin(&permitted, by(1)).unwrap().end(Ok(())).unwrap();
    }
    assert_eq!(used(&long)[0].objects.len(), 1, "what is cut off is the same object");
    assert!(uses.begin(&permitted, by(1)).is_ok(), "after they were taken there is room");
    let job = What::Use(Used { actor: Actor::Job(JobId(uuid::Uuid::nil())), objects: vec!["\u{1}".repeat(1024); 32], ..told[0].clone() });
    let line = Key(KEY).line(&mut (0, String::new()), NOW, &job).unwrap();
    assert!(line.len() as u64 <= files::LONGEST_LINE, "{} bytes", line.len());
}

#[tokio::test]
async fn a22_while_the_log_cannot_be_written_no_credential_is_used_and_nothing_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _) = clock();
    let (log, _) = Log::open(folder.path(), Key(KEY), ALL).unwrap();
    let (uses, acme) = (Uses::new(Arc::clone(&clock)), grant("acme"));
    let mut writer = Writer { log: Some(log), uses: Arc::clone(&uses), waiting: Vec::new(), failed: false, ahead: false, clock };
    let permitted = permit(&acme, "/a", &bearer());
    uses.begin(&permitted, by(1)).unwrap().end(Ok(())).unwrap();
    let good = writer.log.as_mut().unwrap().write_to(OpenOptions::new().write(true).open("/dev/full").unwrap());
    for _ in 0..2 {
        assert_eq!(writer.turn(vec![note(1)], true).await.written.unwrap_err().code(), "audit_unavailable");
        assert_eq!(uses.begin(&permitted, by(1)).err().map(|error| error.code().to_owned()).as_deref(), Some("audit_unavailable"));
        assert!(uses.ready().is_err(), "nor is anything changed");
    }
    writer.log.as_mut().unwrap().write_to(good);
    writer.turn(Vec::new(), true).await.anchored.unwrap();
    uses.begin(&permitted, by(1)).unwrap().end(Ok(())).unwrap();
    writer.turn(Vec::new(), true).await.anchored.unwrap();
    assert_eq!(told(folder.path()), ["fetch", "resumed", "fetch"], "the use of before the fault, that it is over, and the next");
    assert_eq!(broken(folder.path()), None);
}

#[tokio::test]
async fn a22_a_change_that_was_made_has_its_line_when_the_log_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _) = clock();
    let (log, _) = Log::open(folder.path(), Key(KEY), ALL).unwrap();
    let uses = Uses::new(Arc::clone(&clock));
    let mut writer = Writer { log: Some(log), uses: Arc::clone(&uses), waiting: Vec::new(), failed: false, ahead: false, clock };
    let change = |number: u128| vec![What::Change(changed(number, "acme"))];
    let good = writer.log.as_mut().unwrap().write_to(OpenOptions::new().write(true).open("/dev/full").unwrap());
    writer.turn(change(1), false).await.written.unwrap_err();
    // One that had begun before that was known.
    writer.turn(change(2), false).await.written.unwrap_err();
    assert!(uses.ready().is_err());
    writer.log.as_mut().unwrap().write_to(good);
    writer.turn(Vec::new(), true).await.anchored.unwrap();
    assert!(uses.ready().is_ok());

    // Where only the anchor fails, the change has its line and whoever made it is told so. Nothing else begins, and no line is written for nothing.
    let obstacle = folder.path().join("anchor.new");
    fs::create_dir(&obstacle).unwrap();
    let turn = writer.turn(change(4), true).await;
    assert!(turn.written.is_ok() && turn.anchored.is_err() && uses.ready().is_err());
    for number in [5, 7] {
        assert!(writer.turn(change(number), false).await.written.is_err() && writer.turn(Vec::new(), true).await.anchored.is_err());
    }
    fs::remove_dir(obstacle).unwrap();
    writer.turn(Vec::new(), true).await.anchored.unwrap();
    assert!(uses.ready().is_ok() && writer.waiting.is_empty());
    assert_eq!(told(folder.path()), ["create 1", "create 2", "resumed", "create 4", "create 5", "create 7", "resumed"]);
    assert_eq!(broken(folder.path()), None);
}

#[tokio::test]
async fn a22_whoever_made_a_change_without_a_line_is_told_that_it_is_made() {
    let (queue, mut orders) = mpsc::channel(1);
    let audit = Audit { uses: Uses::new(clock().0), queue, folder: PathBuf::new(), readers: Readers::default() };
    for (code, says) in [("audit_unavailable", "its line in the audit log follows"), ("audit_stopped", "the audit log has no line of it")] {
        let failing = async {
            let Some(Order::Write(_, answer)) = orders.recv().await else { panic!("no change") };
            answer.send(Err(Error::internal(code, "the disk is full"))).unwrap();
        };
        let (told, ()) = tokio::join!(audit.change(changed(1, "acme")), failing);
        let error = told.unwrap_err();
        assert!(
            (error.code(), error.kind()) == (code, Kind::Unavailable) && error.message().contains("the change is made") && error.message().contains(says),
            "{error}"
        );
        assert!(error.advice().starts_with("Do not send it again"), "{}", error.advice());
    }
}

#[tokio::test]
async fn b14_a_page_is_the_newest_first_and_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, now) = clock();
    let audit = Audit::start(folder.path(), KEY, ALL, clock).await.unwrap();
    for number in 0..30 {
        now.fetch_add(1000, Ordering::Relaxed);
        audit.change(changed(number, if number < 20 { "acme" } else { "other" })).await.unwrap();
    }
    let reader = org_id("acme");
    let ids = async |filter: Filter, limit: usize| {
        let (mut found, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = audit.page(&reader, filter.clone(), before, limit).await.unwrap();
            assert!(page.lines.len() <= limit);
            found.extend(page.lines.iter().filter_map(|line| line["id"].as_str()?.parse::<u64>().ok()));
            pages += 1;
            before = page.next;
            if before.is_none() {
                return (found, pages);
            }
        }
    };
    assert_eq!(ids(Filter::default(), 7).await, ((0..30).rev().collect(), 5));
    let acme = Filter { org: Some(org_id("acme")), ..Filter::default() };
    assert_eq!(ids(acme.clone(), 100).await.0, (0..20).rev().collect::<Vec<_>>());
    let narrow = Filter { actor: Some(Actor::Token(TokenId(uuid::Uuid::from_u128(0)))), verb: Some("delete".to_owned()), ..acme };
    assert_eq!(ids(narrow, 2).await.0, [18, 12, 6, 0]);
    let since = Filter { since: Some(NOW.plus(Duration::from_secs(28))), ..Filter::default() };
    assert_eq!(ids(since, 100).await.0, [29, 28, 27]);
    audit.stop().await.unwrap();
    let last = audit.page(&reader, Filter::default(), None, 1).await.unwrap();
    assert_eq!(last.lines[0]["verb"], "stopped");
    assert_eq!(broken(folder.path()), None);
}
