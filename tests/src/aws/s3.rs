//! S3, the reading half: objects, listings, where a bucket is. There is no way to write through the network.

use http::Method;
use http::request::Parts;
use time::OffsetDateTime;
use time::macros::format_description;

use super::auth::Caller;
use super::error::AwsError;
use super::list;
use super::partition;
use super::policy::Context;
use super::sigv4::{decode, pairs};
use super::sts::Judged;
use super::world::{Bucket, Content, Object, World};

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

pub enum Body {
    Empty,
    Text(String),
    Object { content: Content, first: u64, length: u64 },
}

struct Target {
    bucket: String,
    key: String,
}

pub fn handle(world: &World, caller: &Caller, parts: &Parts, now: OffsetDateTime, judged: &mut Judged) -> Result<Answer, AwsError> {
    let query: Vec<(String, String)> =
        pairs(parts.uri.query().unwrap_or("")).into_iter().filter(|(name, _)| !name.starts_with("X-Amz-") && name != "x-id").collect();
    let target = target(parts)?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(AwsError::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource."));
    }
    if target.bucket.is_empty() {
        return Err(not_implemented("ListBuckets"));
    }
    let bucket = world
        .bucket(&target.bucket)
        .filter(|bucket| caller.region.as_ref().is_none_or(|region| partition::of_region(region) == partition::of_region(&bucket.region)))
        .ok_or_else(|| AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").detail("BucketName", &target.bucket))?;
    let request = Request { bucket, target: &target, caller, query: &query, now };
    let wants = |name: &str| query.iter().any(|(key, _)| key == name);
    if target.key.is_empty() {
        match (&parts.method, wants("location"), wants("list-type")) {
            (&Method::GET, true, false) => request.location(judged),
            (&Method::GET, false, true) => request.list(judged),
            (&Method::HEAD, false, false) => request.head_bucket(judged),
            _ => Err(not_implemented("this operation on a bucket")),
        }
    } else {
        match query.iter().find(|(name, value)| !(name == "versionId" && value == "null")) {
            Some((name, _)) if name == "versionId" => Err(AwsError::new(400, "InvalidArgument", "Invalid version id specified")),
            Some((name, _)) => Err(not_implemented(name)),
            None => request.object(parts, judged),
        }
    }
}

struct Request<'a> {
    bucket: &'a Bucket,
    target: &'a Target,
    caller: &'a Caller,
    query: &'a [(String, String)],
    now: OffsetDateTime,
}

impl Request<'_> {
    fn context(&self, listing: bool) -> Context {
        let mut context = self.caller.context(self.now);
        let mut set = |key: &str, value: &str| _ = context.insert(key.to_owned(), vec![value.to_owned()]);
        set("aws:resourceaccount", &self.bucket.account);
        set("s3:resourceaccount", &self.bucket.account);
        for (name, value) in self.query.iter().filter(|(name, _)| listing && ["prefix", "delimiter", "max-keys"].contains(&name.as_str())) {
            set(&format!("s3:{name}"), value);
        }
        context
    }

    fn may(&self, action: &str, resource: &str, listing: bool) -> bool {
        self.caller.may(action, resource, &self.context(listing), self.bucket.policy.as_ref(), &self.bucket.account)
    }

    fn denied(&self, action: &str, resource: &str, listing: bool) -> AwsError {
        self.caller.denied(action, resource, &self.context(listing), self.bucket.policy.as_ref(), &self.bucket.account)
    }

    fn require(&self, action: &str, resource: &str, listing: bool, judged: &mut Judged) -> Result<(), AwsError> {
        let allowed = self.may(action, resource, listing);
        *judged = Judged { action: Some(action.to_owned()), resource: Some(resource.to_owned()), allowed: Some(allowed) };
        if allowed { Ok(()) } else { Err(self.denied(action, resource, listing)) }
    }

    fn bucket_arn(&self) -> String {
        self.bucket.arn(&self.target.bucket)
    }

    /// What was signed for one region is redirected by another.
    fn in_region(&self) -> Result<(), AwsError> {
        match &self.caller.region {
            Some(region) if *region != self.bucket.region => Err(elsewhere(&self.target.bucket, &self.bucket.region)),
            _ => Ok(()),
        }
    }

    fn location(&self, judged: &mut Judged) -> Result<Answer, AwsError> {
        self.require("s3:GetBucketLocation", &self.bucket_arn(), false, judged)?;
        // The first region has no name here, as ever.
        let region = Some(self.bucket.region.as_str()).filter(|region| *region != "us-east-1").unwrap_or_default();
        Ok(xml(format!("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{region}</LocationConstraint>")))
    }

    fn head_bucket(&self, judged: &mut Judged) -> Result<Answer, AwsError> {
        self.in_region()?;
        let region = ("x-amz-bucket-region", self.bucket.region.clone());
        self.require("s3:ListBucket", &self.bucket_arn(), true, judged).map_err(|error| error.header(region.0, &region.1))?;
        Ok(Answer { status: 200, headers: vec![region], body: Body::Empty })
    }

    fn list(&self, judged: &mut Judged) -> Result<Answer, AwsError> {
        self.in_region()?;
        self.require("s3:ListBucket", &self.bucket_arn(), true, judged)?;
        let mut answer = xml(list::page(&self.target.bucket, &self.bucket.objects, self.query)?);
        answer.headers.push(("x-amz-bucket-region", self.bucket.region.clone()));
        Ok(answer)
    }

    fn object(&self, parts: &Parts, judged: &mut Judged) -> Result<Answer, AwsError> {
        self.in_region()?;
        self.require("s3:GetObject", &format!("{}/{}", self.bucket_arn(), self.target.key), false, judged)?;
        let Some(object) = self.bucket.objects.get(&self.target.key) else {
            // Whoever may not list may not learn that it is not there.
            return Err(match self.may("s3:ListBucket", &self.bucket_arn(), true) {
                true => AwsError::new(404, "NoSuchKey", "The specified key does not exist.").detail("Key", &self.target.key),
                false => self.denied("s3:ListBucket", &self.bucket_arn(), true),
            });
        };
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let same = |wanted: &str| wanted == "*" || wanted.split(',').any(|tag| tag.trim().trim_matches('"') == object.etag.trim_matches('"'));
        if header("if-match").is_some_and(|wanted| !same(wanted)) {
            return Err(
                AwsError::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").detail("Condition", "If-Match")
            );
        }
        let mut headers = described(object);
        if header("if-none-match").is_some_and(same) {
            return Ok(Answer { status: 304, headers, body: Body::Empty });
        }
        let size = object.content.len();
        let (status, first, length) = match header("range").and_then(|range| parse_range(range, size)) {
            None => (200, 0, size),
            Some(None) => return Err(AwsError::new(416, "InvalidRange", "The requested range is not satisfiable").detail("ActualObjectSize", size.to_string())),
            Some(Some((first, last))) => {
                headers.push(("content-range", format!("bytes {first}-{last}/{size}")));
                (206, first, last - first + 1)
            }
        };
        Ok(Answer { status, headers, body: Body::Object { content: object.content.clone(), first, length } })
    }
}

/// `None`: not a range that S3 heeds. `Some(None)`: one that the object does not have.
fn parse_range(header: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first, last) {
        ("", suffix) => (size.checked_sub(suffix.parse::<u64>().ok()?.min(size))?, size.checked_sub(1)),
        (first, "") => (first.parse().ok()?, size.checked_sub(1)),
        (first, last) => (first.parse().ok()?, Some(last.parse::<u64>().ok()?.min(size.checked_sub(1)?))),
    };
    Some(last.filter(|last| first <= *last).map(|last| (first, last)))
}

/// Path style, or the bucket before the service in the host's name.
fn target(parts: &Parts) -> Result<Target, AwsError> {
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("").to_ascii_lowercase();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let bucket_in_host = match host.find(".s3.").or_else(|| host.find(".s3-")) {
        Some(at) if host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") => host.get(..at),
        _ => host.strip_suffix(".localhost"),
    };
    let path = decode(parts.uri.path(), true)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| AwsError::new(400, "InvalidURI", "Couldn't parse the specified URI."))?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = bucket_in_host.map_or_else(|| path.split_once('/').unwrap_or((path, "")), |bucket| (bucket, path));
    if key.len() > 1024 {
        return Err(AwsError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(Target { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn described(object: &Object) -> Vec<(&'static str, String)> {
    let modified =
        object.modified.format(format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT")).unwrap_or_default();
    vec![("etag", object.etag.clone()), ("last-modified", modified), ("accept-ranges", "bytes".into()), ("content-type", object.content_type.clone())]
}

fn xml(body: String) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type", "application/xml".into())],
        body: Body::Text(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")),
    }
}

#[must_use]
pub fn elsewhere(bucket: &str, region: &str) -> AwsError {
    AwsError::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
    )
    .detail("Endpoint", format!("{bucket}.s3.{region}.{}", partition::domain(partition::of_region(region))))
    .detail("Bucket", bucket)
    .header("x-amz-bucket-region", region)
}

fn not_implemented(what: &str) -> AwsError {
    AwsError::new(501, "NotImplemented", format!("{what} is not in the double"))
}
