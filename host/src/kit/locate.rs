//! Planning: what it can plan at all, the same each time, in batches as alone, and one bad path among good ones.

use super::example::{Example, is_plain_refusal};
use super::golden::shown;
use super::report::Id;
use super::sources::{candidates, vary};
use super::subject::Subject;
use crate::model::{Credential, Error, Location, Plan, Result, Target};

/// The most that is planned at once.
const BATCH: usize = 1000;
/// Places of a full batch that are planned alone as well: around the sizes at which somebody may have cut.
const SAMPLED: [usize; 17] = [0, 1, 2, 9, 10, 63, 64, 99, 100, 101, 255, 256, 499, 511, 512, 998, 999];
const VARIED: usize = 62;

/// A source path that it plans.
#[derive(Clone, Debug)]
pub struct Good {
    pub source: String,
    pub target: Target,
    pub credential: Credential,
}

/// What was planned for one example, for whoever looks at the credentials later.
#[derive(Default)]
pub struct Planned {
    pub good: Vec<Good>,
    /// Of every plan: what it holds, and what its locations name.
    pub credentials: Vec<Credential>,
    pub unused: Option<Credential>,
}

impl Planned {
    /// Each location with its credential, or its error.
    pub fn record(&mut self, sources: &[&str], plan: Plan) -> Vec<Result<Good, Error>> {
        for credential in &plan.credentials {
            if !self.credentials.contains(credential) {
                self.credentials.push(credential.clone());
            }
        }
        let used = |index: usize| plan.locations.iter().flatten().any(|location| location.credential == index);
        if plan.locations.iter().all(Result::is_ok)
            && let Some((_, credential)) = plan.credentials.iter().enumerate().find(|(index, _)| !used(*index))
        {
            self.unused = Some(credential.clone());
        }
        let credentials = plan.credentials;
        let good = |(source, location): (&&str, Result<Location, Error>)| {
            let Location { target, credential } = location?;
            let credential = credentials.get(credential).cloned().ok_or_else(|| Error::plugin_fault("unknown_credential", "no such credential"))?;
            Ok(Good { source: (*source).to_owned(), target, credential })
        };
        let found: Vec<Result<Good, Error>> = sources.iter().zip(plan.locations).map(good).collect();
        self.good.extend(found.iter().flatten().cloned());
        found
    }
}

/// Plans `sources` together; `Err` where the plan failed as a whole.
pub async fn plan(subject: &mut Subject, example: &Example, planned: &mut Planned, sources: &[&str]) -> Result<Vec<Result<Good, Error>>> {
    let plan = subject.locate(&example.text, sources).await?;
    Ok(planned.record(sources, plan))
}

/// One source path alone.
pub async fn one(subject: &mut Subject, example: &Example, planned: &mut Planned, source: &str) -> Result<Good, Error> {
    let mut found = plan(subject, example, planned, &[source]).await?;
    found.pop().unwrap_or_else(|| Err(Error::plugin_fault("plugin_contract", "no location")))
}

/// What it can plan. Empty where it plans nothing with these settings.
pub async fn look(subject: &mut Subject, example: &Example, planned: &mut Planned) -> Vec<Good> {
    let description = subject.description();
    let mut good: Vec<Good> = Vec::new();
    let mut refused = None;
    for source in candidates(example, &description.source_schemes) {
        match one(subject, example, planned, &source).await {
            Ok(found) => good.push(found),
            Err(error) => refused = Some(error),
        }
    }
    for scheme in &description.source_schemes {
        let begins = |source: &str| source.get(..=scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(&format!("{scheme}:")));
        subject.verdicts.expect(Id::Plan, good.iter().any(|good| begins(&good.source)), || {
            let why = refused.as_ref().map(|error| format!(" ({})", error.code())).unwrap_or_default();
            format!("{}: no source path of the scheme '{scheme}' could be made up that it plans{why}", example.from)
        });
    }
    if let Some(first) = good.first() {
        let source = [first.source.as_str()];
        let (once, again) = (subject.locate(&example.text, &source).await, subject.locate(&example.text, &source).await);
        let same = matches!((&once, &again), (Ok(once), Ok(again)) if shown(once) == shown(again));
        subject.verdicts.expect(Id::Plan, same, || format!("{}: '{}' is not planned the same twice", example.from, first.source));
        subject.verdicts.note(Id::Plan, format!("{}: {} kinds of source paths", example.from, good.len()));
    }
    good
}

/// Paths like those that it plans; each is good.
pub async fn more(subject: &mut Subject, example: &Example, planned: &mut Planned, good: &[Good]) -> Vec<String> {
    let mut found = Vec::new();
    for number in 0..VARIED {
        let Some(source) = good.iter().cycle().skip(number % good.len().max(1)).find_map(|good| vary(&good.source, number)) else { break };
        if one(subject, example, planned, &source).await.is_ok() {
            found.push(source);
        }
    }
    found
}

/// A batch is its paths one by one.
pub async fn batches(subject: &mut Subject, example: &Example, planned: &mut Planned, good: &[Good]) {
    let varied = more(subject, example, planned, good).await;
    let mut sources: Vec<String> = good.iter().map(|good| good.source.clone()).chain(varied).collect();
    // The same path twice, far from each other and side by side.
    sources.extend(sources.first().cloned());
    sources.extend(sources.last().cloned());
    sources.truncate(BATCH);
    compare(subject, example, planned, &sources, &(0..sources.len()).collect::<Vec<_>>()).await;
    sources.reverse();
    compare(subject, example, planned, &sources, &[0]).await;
    if let Some(full) = full(good) {
        compare(subject, example, planned, &full, &SAMPLED).await;
    }
}

/// As many paths as fit, all different.
fn full(good: &[Good]) -> Option<Vec<String>> {
    let base = good.iter().find(|good| vary(&good.source, 0).is_some())?;
    Some((0..BATCH).filter_map(|number| vary(&base.source, number)).collect())
}

async fn compare(subject: &mut Subject, example: &Example, planned: &mut Planned, sources: &[String], places: &[usize]) {
    let texts: Vec<&str> = sources.iter().map(String::as_str).collect();
    let together = match plan(subject, example, planned, &texts).await {
        Ok(together) => together,
        Err(error) => return subject.verdicts.fail(Id::Batch, format!("{}: {} good paths fail together: {error}", example.from, sources.len())),
    };
    subject.verdicts.reach(Id::Batch);
    for place in places.iter().filter(|place| **place < sources.len()) {
        let Some((source, found)) = sources.get(*place).zip(together.get(*place)) else { continue };
        let alone = one(subject, example, planned, source).await;
        let same = match (found, &alone) {
            (Ok(found), Ok(alone)) => found.target == alone.target,
            (Err(found), Err(alone)) => found.code() == alone.code() && found.kind() == alone.kind(),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        subject.verdicts.expect(Id::Batch, same, || {
            let told = |found: &Result<Good, Error>| found.as_ref().map_or_else(ToString::to_string, |good| target(&good.target));
            format!("{}: '{source}' is {} alone, and {} as number {place} of {}", example.from, told(&alone), told(found), sources.len())
        });
    }
    // Whoever answers each alone rightly but mixes them up past the samples is found by the targets, which are all different.
    if let (true, Some(first)) = (places.len() < sources.len(), together.iter().position(Result::is_err)) {
        subject.verdicts.fail(Id::Batch, format!("{}: number {first} of {} good paths is refused in the batch", example.from, sources.len()));
    }
}

pub async fn one_bad(subject: &mut Subject, example: &Example, planned: &mut Planned, good: &[Good]) {
    let Some(first) = good.first() else { return };
    let mut bad = Vec::new();
    for source in ["https://evil.example/x", "nonsense://kit/x", "\u{1}", ""] {
        match subject.locate(&example.text, &[source]).await {
            Ok(plan) => bad.extend(plan.locations.iter().any(Result::is_err).then_some(source)),
            Err(error) if is_plain_refusal(&error) => {
                subject.verdicts.fail(Id::OneBad, format!("{}: {source:?} fails the whole plan, not its location: {error}", example.from));
            }
            // A trap has been noted.
            Err(_) => {}
        }
    }
    for bad in bad {
        let sources = [&first.source, bad, &first.source, bad, &first.source];
        let found = plan(subject, example, planned, &sources).await;
        let alone = matches!(found.as_deref(), Ok([Ok(one), Err(_), Ok(two), Err(_), Ok(three)])
            if [one, two, three].iter().all(|good| good.target == first.target));
        subject.verdicts.expect(Id::OneBad, alone, || format!("{}: {bad:?} among good paths changes what is planned for them", example.from));
    }
    subject.verdicts.reach(Id::OneBad);
}

pub fn target(target: &Target) -> String {
    match target {
        Target::S3(object) => format!("s3://{}/{}", object.bucket, object.key),
        Target::Http(object) => object.url.clone(),
    }
}
