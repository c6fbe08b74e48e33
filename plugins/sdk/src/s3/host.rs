//! Host names of S3, read from the right: partition, region, kind of endpoint, bucket. The request's host is rebuilt by the
//! gateway from bucket and region, so a name that is misread here cannot become a place to send a signature to.

use crate::Error;
use crate::aws::{dns_suffix, looks_like_region, partition_of};

/// `bucket: None` for the path style. `region: None` where the name does not say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    pub bucket: Option<&'a str>,
    pub region: Option<&'a str>,
}

pub(super) fn not_s3(message: &str) -> Error {
    Error::invalid("not_s3", message)
}

const NO_HOST_OF_S3: &str = "the URL's host is not one of Amazon S3";

/// `host`: lower case, without port and without a dot at the end.
pub(super) fn read(host: &str) -> Result<Endpoint<'_>, Error> {
    let (name, suffix) = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"]
        .into_iter()
        .find_map(|suffix| Some((host.strip_suffix(suffix)?.strip_suffix('.')?, suffix)))
        .ok_or_else(|| not_s3(NO_HOST_OF_S3))?;
    let (rest, region) = match split_last(name) {
        (rest, last) if partition_of(last).is_some() => (rest, Some(last)),
        (Some(rest), last) if looks_like_region(last) && is_service(split_last(rest).1) => return Err(unknown_region()),
        _ => (Some(name), None),
    };
    let (rest, service) = split_last(rest.ok_or_else(|| not_s3(NO_HOST_OF_S3))?);
    let (bucket, service, dualstack) = match (rest, service) {
        (Some(rest), "dualstack") => {
            let (bucket, service) = split_last(rest);
            (bucket, service, true)
        }
        (bucket, service) => (bucket, service, false),
    };
    let region = region_of(service, region, dualstack, bucket)?;
    let home = dns_suffix(region.and_then(partition_of).unwrap_or("aws"));
    if home != suffix {
        return Err(not_s3("the URL's region is not under the URL's domain"));
    }
    Ok(Endpoint { bucket, region })
}

/// Judges the label that names the service, and finds the region where that label carries it.
fn region_of<'a>(service: &'a str, region: Option<&'a str>, dualstack: bool, bucket: Option<&str>) -> Result<Option<&'a str>, Error> {
    match (service, region) {
        ("s3", None) if dualstack => Err(not_s3(NO_HOST_OF_S3)),
        ("s3", region) => Ok(region),
        ("s3-fips", Some(region)) => Ok(Some(region)),
        // Acceleration knows buckets by their host name alone.
        ("s3-accelerate", None) if bucket.is_some() => Ok(None),
        ("s3-external-1", None) if !dualstack => Ok(Some("us-east-1")),
        ("s3-website", Some(_)) => Err(website()),
        ("vpce", _) if bucket.is_some_and(|rest| rest.split('.').any(|label| label == "s3")) => {
            Err(unsupported("private endpoints of a VPC are not supported"))
        }
        (service, _) if is_special(service) => Err(unsupported("access points, Outposts, Object Lambda, S3 Express and control endpoints are not supported")),
        (service, None) if !dualstack => match service.strip_prefix("s3-").ok_or_else(|| not_s3(NO_HOST_OF_S3))? {
            rest if rest.strip_prefix("website-").is_some_and(looks_like_region) => Err(website()),
            rest => match rest.strip_prefix("fips-").unwrap_or(rest) {
                region if partition_of(region).is_some() => Ok(Some(region)),
                region if looks_like_region(region) => Err(unknown_region()),
                _ => Err(not_s3(NO_HOST_OF_S3)),
            },
        },
        _ => Err(not_s3(NO_HOST_OF_S3)),
    }
}

fn is_special(service: &str) -> bool {
    let plain = service.strip_suffix("-fips").unwrap_or(service);
    matches!(plain, "s3-accesspoint" | "s3-object-lambda" | "s3-outposts" | "s3-control" | "s3-global") || plain.starts_with("s3express-")
}

fn is_service(label: &str) -> bool {
    label == "dualstack" || label == "s3" || label.starts_with("s3-")
}

/// What is before the last dot, and the label after it.
fn split_last(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once('.').map_or((None, name), |(rest, last)| (Some(rest), last))
}

fn unknown_region() -> Error {
    Error::invalid("unknown_region", "AWS has no region as the URL names it")
}

fn website() -> Error {
    Error::invalid("website_endpoint", "this is the website of a bucket, which serves pages and no signed requests").with_remedy("Write s3://bucket/key.")
}

fn unsupported(message: &str) -> Error {
    Error::invalid("unsupported_s3_form", message).with_remedy("Write s3://bucket/key with the name of the general purpose bucket.")
}
