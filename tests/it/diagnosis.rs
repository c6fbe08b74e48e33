//! SPEC B6: a matrix of faults, each produced as the real service would, and the one code that a test of the connection gives it.
//!
//! `docs/diagnosis.md` is this matrix: the test holds it, and writes it anew with `DIAGNOSIS_WRITE=1`.

mod aws;
mod web;

use std::collections::BTreeMap;

use portcullis_tests::ministack::root;

/// What a test of a connection found about one cause.
pub struct Outcome {
    /// In words, for the document.
    pub cause: &'static str,
    pub check: &'static str,
    pub code: &'static str,
    /// What fails beside it, because it does.
    pub also: &'static [(&'static str, &'static str)],
    pub findings: Vec<Found>,
    /// None of these may be told to anybody.
    pub secrets: Vec<String>,
}

#[derive(Debug)]
pub struct Found {
    pub check: String,
    pub passed: bool,
    pub code: String,
    pub message: String,
    pub remedy: Option<String>,
}

impl Outcome {
    /// What is wrong with it, if anything.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expected: Vec<(&str, &str)> = self.also.to_vec();
        expected.push((self.check, self.code));
        let failed: Vec<(&str, &str)> = self.findings.iter().filter(|found| !found.passed).map(|found| (found.check.as_str(), found.code.as_str())).collect();
        if failed != expected {
            wrong.push(format!("{}: expected {expected:?}, found {failed:?}: {:#?}", self.cause, self.findings));
        }
        for found in &self.findings {
            let told = format!("{} {}", found.message, found.remedy.as_deref().unwrap_or_default());
            if found.message.is_empty() || !found.passed && found.remedy.as_ref().is_none_or(String::is_empty) {
                wrong.push(format!("{}: evidence or remedy is missing: {found:?}", self.cause));
            }
            if found.passed != (found.code == "ok") {
                wrong.push(format!("{}: what passed is 'ok', and nothing else: {found:?}", self.cause));
            }
            if self.secrets.iter().any(|secret| told.contains(secret)) {
                wrong.push(format!("{}: a secret is told", self.cause));
            }
        }
        wrong
    }

    fn row(&self) -> String {
        let found = self.findings.iter().find(|found| found.code == self.code);
        let remedy = found.and_then(|found| found.remedy.clone()).unwrap_or_default();
        // A policy to paste is the connection's own: no two are the same.
        let remedy = remedy.split_once(" {").map_or(remedy.as_str(), |(words, _)| words);
        format!("| `{}` | `{}` | {} | {} |\n", self.code, self.check, self.cause, remedy.replace('|', "\\|"))
    }
}

const HEAD: &str = "# Why a connection does not work

A test of a connection (`portcullis connection test`, `POST /api/v1/connections/{name}/test`) looks at one thing after the other, and stops where going on
could tell nothing new. Each thing looked at is a finding: `check` says what, `code` what was found (`ok`, or one of these), the message what was seen,
the remedy what to do. What was not come to is not in the answer.

The order for AWS: settings, STS in the region, the role (with the connection's own external id, without one, with another one), whose session it is,
where the bucket is, list, head, a ranged read, the object's key, the clock, the signature. For https: name resolution, connection, TLS, the token, the request.
Bytes go through the gateway, so a bucket needs no CORS, and what can be read can be signed: a signed URL (`POST …/sign`) is the gateway's own, for every
connector. S3's native signed URLs are not offered: one would outlive a connection that was disabled or deleted.

This table is written by the test that produces each of these faults (`tests/it/diagnosis.rs`).

| code | check | cause | what to do |
|---|---|---|---|
";

/// A hundred faults are slow answers and retries: side by side they take as long as the slowest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b06_l05_l06_l08_l12_p09_e20_e23_h08_u01_u16_each_cause_has_its_own_code_evidence_and_remedy() {
    let (aws, web) = tokio::join!(aws::outcomes(), web::outcomes());
    let outcomes: Vec<Outcome> = aws.into_iter().chain(web).collect();
    let mut wrong: Vec<String> = outcomes.iter().flat_map(Outcome::wrong).collect();
    let mut codes: BTreeMap<&str, &str> = BTreeMap::new();
    for outcome in &outcomes {
        if let Some(other) = codes.insert(outcome.code, outcome.cause) {
            wrong.push(format!("'{other}' and '{}' share {}", outcome.cause, outcome.code));
        }
    }
    let document = outcomes.iter().fold(HEAD.to_owned(), |document, outcome| document + &outcome.row());
    println!("{document}\n{} causes, {} codes", outcomes.len(), codes.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(codes.len() >= 40, "{} codes", codes.len());
    let file = root().join("docs/diagnosis.md");
    if std::env::var_os("DIAGNOSIS_WRITE").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let new: Vec<&str> = document.lines().filter(|line| !kept.lines().any(|known| known == *line)).collect();
    assert!(kept == document, "{} is not this matrix: run the test with DIAGNOSIS_WRITE=1. New in it:\n{}", file.display(), new.join("\n"));
}
