//! Where plans lead: each public form to its exact object, nothing outside of the egress, nothing of anybody else's.

use super::example::Example;
use super::locate::{Good, Planned, one, plan, target};
use super::report::Id;
use super::sources::{Place, anything, not_ours, origin, s3_forms, web_forms};
use super::subject::Subject;
use crate::model::{Credential, Error, HttpObject, Kind, Location, ObjectKey, Region, Result, S3Object, Target};
use crate::policy::Action;

/// The gateway's own judge says whether a location may be read.
fn judge(example: &Example, good: &Good) -> Result<()> {
    let location = Location { target: good.target.clone(), credential: 0 };
    example.grant.permit(Action::Read, &location, std::slice::from_ref(&good.credential)).map(drop)
}

/// A secret that the schema has and these settings do not is the customer's to set.
fn allowed(subject: &Subject, example: &Example, good: &Good) -> Result<()> {
    match judge(example, good) {
        Err(error) if error.code() == "secret_not_set" && good.credential.secret_names().iter().all(|name| subject.schema.is_secret(name)) => Ok(()),
        verdict => verdict,
    }
}

pub fn inside(subject: &mut Subject, example: &Example, planned: &Planned) {
    for good in &planned.good {
        let verdict = allowed(subject, example, good);
        subject.verdicts.expect(Id::Egress, verdict.is_ok(), || {
            let why = verdict.err().map(|error| error.to_string()).unwrap_or_default();
            format!("{}: {:?} becomes {}: {why}", example.from, good.source, target(&good.target))
        });
    }
}

pub async fn forms(subject: &mut Subject, example: &Example, planned: &mut Planned, good: &[Good]) {
    let schemes = subject.description().source_schemes;
    subject.verdicts.reach(Id::Forms);
    for place in Place::of(example) {
        match place {
            Place::S3 { bucket, prefix } => {
                let at = good.iter().find_map(|good| if let Target::S3(object) = &good.target { object.region.clone() } else { None });
                let Some(region) = at.map_or_else(|| Region::new("us-east-1"), Ok).ok() else { continue };
                for (form, key) in s3_forms(&bucket, &prefix, &region, &schemes) {
                    let found = one(subject, example, planned, &form).await;
                    let same = matches!(&found, Ok(Good { target: Target::S3(object), .. }) if object.bucket.as_str() == bucket && object.key.as_str() == key);
                    subject.verdicts.expect(Id::Forms, same, || wrong(example, &form, &format!("s3://{bucket}/{key}"), &found));
                }
            }
            Place::Web { host, port, prefix } if schemes.iter().any(|scheme| scheme == "https") => {
                // A second host, for tokens, holds no objects.
                let below = format!("{}{prefix}/", origin(&host, port));
                let here = |good: &Good| matches!(&good.target, Target::Http(object) if same_url(&object.url, &good.source) && object.url.starts_with(&below));
                if !good.iter().any(here) {
                    continue;
                }
                for (form, url) in web_forms(&host, port, &prefix) {
                    let found = one(subject, example, planned, &form).await;
                    let same = matches!(&found, Ok(Good { target: Target::Http(object), .. }) if same_url(&object.url, &url));
                    subject.verdicts.expect(Id::Forms, same, || wrong(example, &form, &url, &found));
                }
            }
            Place::Web { .. } => {}
        }
    }
}

fn wrong(example: &Example, form: &str, meant: &str, found: &Result<Good, Error>) -> String {
    let found = found.as_ref().map_or_else(|error| format!("the error {error}"), |good| target(&good.target));
    format!("{}: {form:?} stands for {meant:?}, and becomes {found:?}", example.from)
}

fn same_url(one: &str, other: &str) -> bool {
    matches!((url::Url::parse(one), url::Url::parse(other)), (Ok(one), Ok(other)) if one == other)
}

pub async fn hostile(subject: &mut Subject, example: &Example, planned: &mut Planned) {
    subject.verdicts.reach(Id::HostilePaths);
    for place in Place::of(example) {
        let sources = not_ours(&place);
        for (source, found) in each(subject, example, planned, &sources).await {
            if let Ok(good) = found {
                subject.verdicts.fail(Id::HostilePaths, format!("{}: {source:?} is not this connection's, and becomes {}", example.from, target(&good.target)));
            }
        }
        let sources = anything(&place);
        for (source, found) in each(subject, example, planned, &sources).await {
            // What it calls outside should be outside for the gateway, too.
            if let Err(error) = &found
                && error.kind() == Kind::Denied
                && reachable(example, &source, planned)
            {
                let why = format!("{}: it refuses {source:?} as outside ({}), and its egress would allow it", example.from, error.code());
                subject.verdicts.fail(Id::Egress, why);
            }
        }
    }
}

/// Whether the egress would let this very address be read.
fn reachable(example: &Example, source: &str, planned: &Planned) -> bool {
    let Some(credential) = planned.credentials.first() else { return false };
    // Where tokens come from is in the egress, and is no place for objects.
    if matches!(credential, Credential::OAuth2ClientCredentials(oauth2) if source.starts_with(&oauth2.token_url)) {
        return false;
    }
    if let Some((bucket, key)) = source.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
        let (Ok(bucket), Ok(key)) = (crate::model::BucketName::new(bucket), ObjectKey::new(key)) else { return false };
        return example.grant.permit_s3(Action::Read, &S3Object { bucket, key, region: None, version_id: None }, credential).is_ok();
    }
    example.grant.permit_http(Action::Read, &HttpObject { url: source.to_owned(), headers: Vec::new() }, credential).is_ok()
}

/// All together; one by one where that fails as a whole, which is noted elsewhere.
async fn each(subject: &mut Subject, example: &Example, planned: &mut Planned, sources: &[String]) -> Vec<(String, Result<Good, Error>)> {
    let texts: Vec<&str> = sources.iter().map(String::as_str).collect();
    if let Ok(found) = plan(subject, example, planned, &texts).await {
        return sources.iter().cloned().zip(found).collect();
    }
    let mut found = Vec::new();
    for source in sources {
        let one = one(subject, example, planned, source).await;
        found.push((source.clone(), one));
    }
    found
}
