//! The test of a connection, against a remote that is played: what passes when all is well, and what fails when it is not.

use super::example::{Example, role_of};
use super::locate::{Good, target};
use super::report::Id;
use super::script::{Ask, Asked, Fault, Mood};
use super::sources::Place;
use super::subject::Subject;
use crate::broker::ExternalIdVerdict;
use crate::model::{Finding, Result};

pub async fn check(subject: &mut Subject, example: &Example, good: &[Good]) {
    subject.verdicts.reach(Id::CheckFaults);
    let Some(first) = good.first() else { return };
    let mut asked = Vec::new();
    for location in [None, Some(first.source.as_str())] {
        let (findings, calls) = run(subject, example, location, Mood::default()).await;
        all_well(subject, example, location, &findings);
        asks(subject, example, location, first, &calls);
        asked.extend(calls);
    }
    if asked.is_empty() {
        subject.verdicts.note(Id::CheckFaults, "it asks the remote nothing");
    } else {
        faults(subject, example, &first.source, &asked).await;
    }
    elsewhere(subject, example).await;
}

async fn run(subject: &mut Subject, example: &Example, location: Option<&str>, mood: Mood) -> (Result<Vec<Finding>>, Vec<Asked>) {
    subject.script.play(mood);
    let findings = subject.check(&example.grant, location).await;
    let asked = subject.script.asked();
    (findings, asked)
}

fn told(location: Option<&str>) -> &'static str {
    if location.is_some() { "with a test location" } else { "without a test location" }
}

fn all_well(subject: &mut Subject, example: &Example, location: Option<&str>, findings: &Result<Vec<Finding>>) {
    let at = format!("{}, {}", example.from, told(location));
    match findings {
        Err(error) => subject.verdicts.fail(Id::Check, format!("{at}: {error}")),
        Ok(findings) => {
            for finding in findings {
                subject
                    .verdicts
                    .expect(Id::Check, finding.passed, || format!("{at}: all is well, and '{}' finds {}: {}", finding.check, finding.code, finding.message));
                subject
                    .verdicts
                    .expect(Id::Check, !finding.passed || finding.code == "ok", || format!("{at}: '{}' passes with the code {}", finding.check, finding.code));
                subject.verdicts.expect(Id::Check, !finding.message.trim().is_empty(), || format!("{at}: '{}' has no words", finding.check));
            }
            let names: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
            subject.verdicts.note(Id::Check, format!("{at}: {}", names.join(", ")));
        }
    }
}

/// A test that asks for something else than what is read later, or in another way, proves nothing.
fn asks(subject: &mut Subject, example: &Example, location: Option<&str>, first: &Good, calls: &[Asked]) {
    if let Some(other) = calls.iter().find(|call| call.credential != first.credential) {
        let why = format!("{}: it asks with {:?}, and plans with {:?}", example.from, other.credential, first.credential);
        subject.verdicts.fail(Id::Check, why);
    }
    let place = target(&first.target);
    if location.is_some() && !calls.is_empty() {
        let asked = calls.iter().any(|call| call.place.as_deref() == Some(place.as_str()));
        subject.verdicts.expect(Id::Check, asked, || format!("{}: with the test location {:?} it never asks for {place}", example.from, first.source));
    }
    let probes = calls.iter().any(|call| call.what == Ask::Probe);
    if role_of(&first.credential).is_some() {
        subject
            .verdicts
            .expect(Id::CheckFaults, probes, || format!("{}: it assumes a role, and never asks whether the role requires the external id", example.from));
    }
}

/// Whatever is refused, whoever cannot answer: somebody has to hear of it.
async fn faults(subject: &mut Subject, example: &Example, source: &str, asked: &[Asked]) {
    let mut kinds: Vec<Ask> = asked.iter().map(|call| call.what).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let everything = Fault::ALL.into_iter().map(|fault| (None, fault));
    let each = kinds.iter().flat_map(|only| [Fault::Refused, Fault::Unavailable].map(|fault| (Some(*only), fault)));
    for (only, fault) in everything.chain(each) {
        let mood = Mood { fault: Some(fault), only, ..Mood::default() };
        let what = only.map_or_else(|| format!("every request is {fault:?}"), |only| format!("{only:?} alone is {fault:?}"));
        fails(subject, example, source, mood, &what).await;
    }
    if kinds.contains(&Ask::Probe) {
        for verdict in [ExternalIdVerdict::NotRequired, ExternalIdVerdict::AnyAccepted, ExternalIdVerdict::Unverified] {
            let what = format!("the external id is {verdict:?}");
            fails(subject, example, source, Mood { verdict, ..Mood::default() }, &what).await;
        }
    }
    if kinds.contains(&Ask::Identity) {
        let mood = Mood { other_account: true, ..Mood::default() };
        fails(subject, example, source, mood, "the session belongs to another account").await;
    }
    if kinds.contains(&Ask::Document) {
        // What it makes of it is its own; that it does not trap is what counts.
        for document in ["", "\u{0}", "<html>", "{\"a\":"] {
            let _ = run(subject, example, Some(source), Mood { document, ..Mood::default() }).await;
        }
    }
}

async fn fails(subject: &mut Subject, example: &Example, source: &str, mood: Mood, what: &str) {
    let (findings, asked) = run(subject, example, Some(source), mood.clone()).await;
    // Nobody hears of what was not asked for.
    if mood.only.is_some_and(|only| !asked.iter().any(|call| call.what == only)) {
        return;
    }
    match findings {
        Err(error) => subject.verdicts.fail(Id::CheckFaults, format!("{}: {what}: {error}", example.from)),
        Ok(findings) => {
            let failed: Vec<&Finding> = findings.iter().filter(|finding| !finding.passed).collect();
            subject.verdicts.expect(Id::CheckFaults, !failed.is_empty(), || format!("{}: {what}, and every finding passes", example.from));
            subject.verdicts.expect(Id::CheckFaults, failed.iter().all(|finding| finding.code != "ok"), || {
                format!("{}: {what}: it fails with the code 'ok'", example.from)
            });
        }
    }
}

/// A test location that is not this connection's fails, without a question to anybody about it.
async fn elsewhere(subject: &mut Subject, example: &Example) {
    let mut locations = vec!["https://evil.example/x".to_owned()];
    locations
        .extend(Place::of(example).iter().filter_map(|place| if let Place::S3 { bucket, .. } = place { Some(format!("s3://{bucket}/../x")) } else { None }));
    for location in locations {
        let (findings, _) = run(subject, example, Some(&location), Mood::default()).await;
        let passes = findings.as_ref().is_ok_and(|findings| findings.iter().all(|finding| finding.passed));
        subject.verdicts.expect(Id::Check, !passes, || format!("{}: the test location {location:?} cannot be planned, and every finding passes", example.from));
    }
}
