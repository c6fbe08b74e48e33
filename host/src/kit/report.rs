//! What the kit found: one verdict for each check, the evidence for it, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::Digest;

/// Of one check: more would say the same again.
const EVIDENCE: usize = 6;
const LONGEST: usize = 400;

macro_rules! checks {
    ($($id:ident $name:literal $about:literal $remedy:literal)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id { $($id),* }

        impl Id {
            /// In the order of the report.
            pub const ALL: &[Self] = &[$(Self::$id),*];
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Self::$id => $name),* } }
            #[must_use]
            pub fn about(self) -> &'static str { match self { $(Self::$id => $about),* } }
            /// What to do when it fails.
            #[must_use]
            pub fn remedy(self) -> &'static str { match self { $(Self::$id => $remedy),* } }
        }
    };
}

checks! {
    Size "size" "the component is not larger than 32 MiB" "Leave out what is not needed: debug information, names, a runtime's optional parts."
    Form "form" "it is a component that the gateway can compile" "Make a component of the core module (`portcullis plugin build`), without threads, GC or 64-bit memories."
    Imports "imports" "it imports what plugins get and what it declares, no more and no less" "Build without WASI, for the smallest world in wit/; list in `capabilities` exactly what is called."
    World "world" "it exports portcullis:connector/connector of this version" "Build it against the wit/ of this gateway; export all six functions."
    Describe "describe" "its description is whole, and the same each time" "Give the id, title, version and summary, and a title and a description for each setting; see `describe` in plugins/README.md."
    Secrets "secrets" "each secret is marked as one" "Mark each password, key and token `writeOnly: true`, a plain string without a default."
    Settings "settings" "settings made up from its schema, and those given, are accepted" "Make schema and `normalize` agree, or give settings that belong together: --settings FILE, or a golden file."
    Normalize "normalize" "normalized settings fit the schema, and normalizing them again changes nothing" "Return settings in one spelling; what was returned has to be accepted as it is."
    HostileSettings "hostile_settings" "wrong settings are field errors that name the setting, never a trap, and what is accepted can be used" "Answer each wrong setting with an error and a JSON Pointer to it; refuse unknown settings, wrong types and control characters."
    Plan "plan" "each scheme it claims has source paths that it can plan, the same each time" "Plan the source paths that the description claims; where none can be made up, add a golden file with some."
    Batch "batch" "a batch is answered like its paths one by one, in order, up to 1000" "Answer each source path by itself and in its place: no state between paths, no early end."
    OneBad "one_bad_path" "one bad path among good ones fails alone" "Return an error for that one location; a whole plan fails only when the settings are no good."
    Forms "forms" "every public form of an object's address that it claims leads to that exact object" "Take every S3 form (path and host style, dual stack, FIPS, accelerated), decode https keys once, s3:// keys never."
    Egress "egress" "nothing it plans leaves the connection's egress, and the egress is no wider than the plans" "Plan only below the egress that `describe` declares, in wire form; name settings in the templates, not `*`."
    HostilePaths "hostile_paths" "addresses of others, signed URLs and look-alikes are refused" "Compare scheme, host and port as a whole; refuse users, signatures, dot segments and what is no object."
    Recipes "recipes" "credentials name the secrets of its schema, each of them, and roles from its settings" "Name secrets by their property, use each that is asked for, and take the role from the settings."
    Steady "steady_credential" "the credential does not depend on the path or its place in the batch" "Make the credential from the settings alone."
    Setup "setup" "its setup leaves nothing to fill in, grants reading and no more, and is the same each time" "Fill in every value; write JSON documents as JSON; allow the exact read actions on the exact resources."
    Trust "trust" "its policies name the gateway and, where a role is assumed, require the external id" "Render the principal that `setup` is given, and a StringEquals condition on sts:ExternalId with the id it is given."
    Check "check" "the test of a connection passes when all is well, and asks for what would be read, with the credential of the plan" "Return at least one finding; ask the remote for the test location with the plan's own credential."
    CheckFaults "check_faults" "whatever the remote refuses, or cannot do, is a failed finding" "Make a failed finding, with its own code, of every error that a host call returns; probe the external id."
    List "list" "a listing comes in pages to its end, within the limit, with paths that it can plan" "Pass prefix, cursor and limit on as they are; return paths that `locate` accepts; return errors as errors."
    Errors "errors" "errors have the kind that their code stands for, words, and no secret of a URL" "Use the codes of plugins/README.md with their kinds; never repeat a source path's query in a message."
    Limits "limits" "it keeps the limits of a call with room to spare" "Use at most half of the time, output, host calls and log of a call and three quarters of its memory."
    Traps "traps" "it never traps and never answers what the contract does not allow" "Handle every input: return an error instead of crashing, and keep codes, pointers and names in their form."
    Golden "golden" "it plans what its golden files say" "Read the difference; if it is meant, run again with --bless and commit the file."
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// An earlier failure left nothing to look at.
    Skipped,
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub id: &'static str,
    pub about: &'static str,
    pub outcome: Outcome,
    /// Why it failed, or what it rests on.
    pub evidence: Vec<String>,
    /// What to do, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub passed: bool,
    pub digest: Digest,
    pub connector: Option<String>,
    pub version: Option<String>,
    /// How often the component was called.
    pub calls: u32,
    pub checks: Vec<Check>,
}

impl Report {
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.id).collect()
    }
}

/// Collects what is found. A check passes that was reached and has no failure.
#[derive(Default)]
pub struct Verdicts {
    reached: BTreeSet<Id>,
    failures: BTreeMap<Id, Vec<String>>,
    notes: BTreeMap<Id, Vec<String>>,
}

impl Verdicts {
    pub fn reach(&mut self, id: Id) {
        self.reached.insert(id);
    }

    pub fn fail(&mut self, id: Id, why: impl AsRef<str>) {
        self.reach(id);
        add(self.failures.entry(id).or_default(), why.as_ref());
    }

    /// Fails unless it `holds`; reached either way.
    pub fn expect(&mut self, id: Id, holds: bool, why: impl FnOnce() -> String) {
        self.reach(id);
        if !holds {
            self.fail(id, why());
        }
    }

    /// What a passed check rests on.
    pub fn note(&mut self, id: Id, what: impl AsRef<str>) {
        self.reach(id);
        add(self.notes.entry(id).or_default(), what.as_ref());
    }

    pub fn checks(mut self) -> Vec<Check> {
        let check = |id: Id| {
            let failures = self.failures.remove(&id);
            let outcome = match failures {
                Some(_) => Outcome::Failed,
                None if self.reached.contains(&id) => Outcome::Passed,
                None => Outcome::Skipped,
            };
            let evidence = failures.or_else(|| self.notes.remove(&id)).unwrap_or_default();
            Check { id: id.name(), about: id.about(), outcome, evidence, remedy: (outcome == Outcome::Failed).then(|| id.remedy()) }
        };
        Id::ALL.iter().copied().map(check).collect()
    }
}

fn add(list: &mut Vec<String>, text: &str) {
    let cut: String = text.chars().take(LONGEST).collect();
    if list.len() < EVIDENCE && !list.contains(&cut) {
        list.push(cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b09_a_check_that_was_not_reached_did_not_pass() {
        let mut verdicts = Verdicts::default();
        verdicts.note(Id::Size, "9 bytes");
        verdicts.expect(Id::Form, true, String::new);
        verdicts.expect(Id::Batch, false, || "out of order".to_owned());
        let checks = verdicts.checks();
        let outcome = |id: Id| checks.iter().find(|check| check.id == id.name()).map(|check| check.outcome);
        assert_eq!(checks.len(), Id::ALL.len());
        assert_eq!(
            [Id::Size, Id::Form, Id::Batch, Id::List].map(outcome),
            [Some(Outcome::Passed), Some(Outcome::Passed), Some(Outcome::Failed), Some(Outcome::Skipped)]
        );
    }

    #[test]
    fn b09_evidence_is_bounded() {
        let mut list = Vec::new();
        (0..1000).for_each(|number| add(&mut list, &format!("{number}{}", "x".repeat(1000))));
        assert_eq!((list.len(), list.iter().map(String::len).max()), (EVIDENCE, Some(LONGEST)));
    }
}
