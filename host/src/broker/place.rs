//! Where a bucket is asked: host, region and path, built by us from validated names; never taken from a plugin or an answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use url::Url;

use crate::fetch::authority;
use crate::model::{BucketName, Error, Region, Result};

/// Buckets whose place is remembered.
const KEPT: usize = 10_000;

/// Where one bucket is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub region: Region,
    /// The region's; kept because finding it costs more than the rest of a request's checks.
    pub partition: &'static str,
    pub https: bool,
    pub host: String,
    pub port: u16,
    /// The `Host` header as `fetch` sends it.
    pub authority: String,
    /// "/" or "/bucket/": what comes before the key.
    pub base: String,
}

/// An operator's override (doubles, S3-compatible stores).
struct Endpoint {
    https: bool,
    host: String,
    port: u16,
    is_name: bool,
}

pub(super) struct Places {
    endpoint: Option<Endpoint>,
    path_style: bool,
    region: Region,
    known: RwLock<HashMap<BucketName, Known>>,
}

struct Known {
    place: Arc<Place>,
    /// S3 itself named the region: it counts more than what a source path says.
    learnt: bool,
}

impl Places {
    pub fn new(region: Region, endpoint: Option<&Url>, path_style: bool) -> Result<Self> {
        Ok(Self { endpoint: endpoint.map(Endpoint::new).transpose()?, path_style, region, known: RwLock::default() })
    }

    /// `given`: the region that the location names.
    pub fn of(&self, bucket: &BucketName, given: Option<&Region>) -> Arc<Place> {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.get(bucket)
                && (found.learnt || given.is_none_or(|given| *given == found.place.region))
            {
                return found.place.clone();
            }
        }
        self.remember(bucket, given.unwrap_or(&self.region).clone(), false)
    }

    /// S3 said that the bucket is in `region`.
    pub fn learn(&self, bucket: &BucketName, region: Region) -> Arc<Place> {
        self.remember(bucket, region, true)
    }

    fn remember(&self, bucket: &BucketName, region: Region, learnt: bool) -> Arc<Place> {
        let place = Arc::new(self.build(bucket, region));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT && !known.contains_key(bucket) {
            // Cheap to build again: at worst one more request for each bucket.
            known.clear();
        }
        known.insert(bucket.clone(), Known { place: place.clone(), learnt });
        place
    }

    fn build(&self, bucket: &BucketName, region: Region) -> Place {
        let (https, base_host, port, is_name) = match &self.endpoint {
            Some(endpoint) => (endpoint.https, endpoint.host.clone(), endpoint.port, endpoint.is_name),
            None => (true, format!("s3.{region}.{}", region.dns_suffix()), 443, true),
        };
        // The TLS wildcard of S3 covers one label: a bucket with dots goes into the path. So it does where there is no name to put it before.
        let in_path = self.path_style || !is_name || bucket.as_str().contains('.');
        let (host, base) = if in_path { (base_host, format!("/{bucket}/")) } else { (format!("{bucket}.{base_host}"), "/".to_owned()) };
        let authority = authority(https, &host, port).into_owned();
        Place { partition: region.partition(), region, https, host, port, authority, base }
    }
}

impl Place {
    pub fn url(&self, target: &str) -> String {
        format!("{}://{}{}{target}", if self.https { "https" } else { "http" }, self.authority, self.base)
    }
}

impl Endpoint {
    fn new(url: &Url) -> Result<Self> {
        let wrong = || Error::field("/aws/endpoint_url", "an endpoint is http:// or https://, a host and a port, nothing more");
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong()),
        };
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let (Some(host), Some(port), true) = (url.host(), url.port_or_known_default(), plain) else { return Err(wrong()) };
        Ok(Self { https, is_name: matches!(host, url::Host::Domain(_)), host: host.to_string(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(endpoint: Option<&str>, path_style: bool) -> Places {
        let endpoint = endpoint.map(|url| Url::parse(url).expect("a URL"));
        Places::new(Region::new("us-east-1").expect("a region"), endpoint.as_ref(), path_style).expect("places")
    }
    fn bucket(name: &str) -> BucketName {
        BucketName::new(name).expect("a bucket")
    }
    fn region(name: &str) -> Region {
        Region::new(name).expect("a region")
    }

    #[test]
    fn s25_an_endpoint_is_a_scheme_a_host_and_a_port() {
        for url in ["ftp://s3.example/", "https://s3.example/path", "https://s3.example/?a=b", "https://user@s3.example/", "https://s3.example/#f"] {
            let url = Url::parse(url).expect("a URL");
            assert!(Places::new(region("us-east-1"), Some(&url), false).is_err(), "{url}");
        }
    }

    #[test]
    fn s01_s02_s03_the_host_is_rebuilt_by_us() {
        let cases = [
            (None, false, "bkt", "us-west-2", "bkt.s3.us-west-2.amazonaws.com", "/"),
            (None, true, "bkt", "us-west-2", "s3.us-west-2.amazonaws.com", "/bkt/"),
            (None, false, "my.bkt.v1", "us-east-1", "s3.us-east-1.amazonaws.com", "/my.bkt.v1/"),
            (None, false, "bkt", "cn-north-1", "bkt.s3.cn-north-1.amazonaws.com.cn", "/"),
            (None, false, "bkt", "us-gov-west-1", "bkt.s3.us-gov-west-1.amazonaws.com", "/"),
            (None, false, "bkt", "eusc-de-east-1", "bkt.s3.eusc-de-east-1.amazonaws.eu", "/"),
            (Some("http://127.0.0.1:9000"), false, "bkt", "us-east-1", "127.0.0.1:9000", "/bkt/"),
            (Some("http://[::1]:9000"), false, "bkt", "us-east-1", "[::1]:9000", "/bkt/"),
            (Some("https://minio.internal"), false, "bkt", "us-east-1", "bkt.minio.internal", "/"),
            (Some("http://minio.internal:80"), true, "bkt", "us-east-1", "minio.internal", "/bkt/"),
        ];
        for (endpoint, path_style, name, in_region, authority, base) in cases {
            let place = places(endpoint, path_style).of(&bucket(name), Some(&region(in_region)));
            assert_eq!((place.authority.as_str(), place.base.as_str(), place.region.as_str()), (authority, base, in_region));
        }
    }

    #[test]
    fn u13_a_learnt_region_counts_more_than_a_given_one_and_that_more_than_ours() {
        let places = places(None, false);
        let (bkt, frankfurt, oregon) = (bucket("bkt"), region("eu-central-1"), region("us-west-2"));
        assert_eq!(places.of(&bkt, None).region.as_str(), "us-east-1");
        assert_eq!(places.of(&bkt, Some(&oregon)).region, oregon);
        places.learn(&bkt, frankfurt.clone());
        assert_eq!(places.of(&bkt, None).region, frankfurt);
        assert_eq!(places.of(&bkt, Some(&oregon)).region, frankfurt);
        assert_eq!(places.of(&bucket("other"), None).region.as_str(), "us-east-1");
    }

    #[test]
    fn s03_s08_s10_object_urls_are_shown_as_they_go_out() {
        use crate::broker::s3::target_of;
        use crate::model::{ObjectKey, S3Object};
        for (endpoint, name, key, version_id, in_region, url) in [
            (None, "my.bkt", "k", None, Some("us-east-1"), "https://s3.us-east-1.amazonaws.com/my.bkt/k"),
            (None, "bkt", "a b+c.jpg", None, Some("eu-west-1"), "https://bkt.s3.eu-west-1.amazonaws.com/a%20b%2Bc.jpg"),
            (None, "bkt", "a%2Fb//c", Some("v/1"), None, "https://bkt.s3.us-east-1.amazonaws.com/a%252Fb//c?versionId=v%2F1"),
            (None, "bkt", "k", None, Some("cn-north-1"), "https://bkt.s3.cn-north-1.amazonaws.com.cn/k"),
            (Some("http://127.0.0.1:9000"), "bkt", "k", None, Some("eu-west-1"), "http://127.0.0.1:9000/bkt/k"),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            let object = S3Object { bucket: bucket(name), key, region: in_region.map(region), version_id: version_id.map(str::to_owned) };
            assert_eq!(places(endpoint, false).of(&object.bucket, object.region.as_ref()).url(&target_of(&object)), url);
        }
    }
}
