//! Lists buckets and finds their regions: the control plane, through AWS's SDK with a leased session.

use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Region as SdkRegion};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::date_time::Format;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::lease::Leases;
use super::place::Places;
use super::s3::check_partition;
use super::s3_error::{self, Refusal};
use super::sdk::{Sdk, not_asked};
use crate::model::{BucketName, Clock, Credential, Entry, Error, Page, Region, Result};
use crate::policy::Grant;

/// What S3 lists at a time, and the longest cursor that is passed on to it.
const MOST_KEYS: u32 = 1000;
const LONGEST_CURSOR: usize = 2048;

pub(super) struct Lists {
    pub sdk: Sdk,
    pub places: Arc<Places>,
    pub leases: Arc<Leases>,
    pub clock: Clock,
}

impl Lists {
    pub async fn list(&self, grant: &Arc<Grant>, credential: &Credential, bucket: &BucketName, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        if cursor.is_some_and(|cursor| cursor.is_empty() || cursor.len() > LONGEST_CURSOR) {
            return Err(invalid_cursor());
        }
        let mut region = self.places.of(bucket, None).region.clone();
        let mut moved = false;
        loop {
            let client = self.client(grant, credential, &region).await?;
            let request = client
                .list_objects_v2()
                .bucket(bucket.as_str())
                .prefix(prefix)
                .delimiter("/")
                // Keys may hold what XML cannot.
                .encoding_type(EncodingType::Url)
                .max_keys(i32::try_from(limit.clamp(1, MOST_KEYS)).unwrap_or(1))
                .set_continuation_token(cursor.map(str::to_owned));
            match request.send().await {
                Ok(answer) => return page(bucket, &answer),
                Err(error) => {
                    let (refusal, code) = self.refusal(error)?;
                    if !moved && let Some(other) = refusal.other_region(&region) {
                        moved = true;
                        region = self.places.learn(bucket, other).region.clone();
                    } else if cursor.is_some() && code.as_deref() == Some("InvalidArgument") {
                        return Err(invalid_cursor());
                    } else {
                        return Err(refusal.into_error());
                    }
                }
            }
        }
    }

    /// HeadBucket says it where listing is allowed (and mostly where not); GetBucketLocation is asked where it does not.
    pub async fn bucket_region(&self, grant: &Arc<Grant>, credential: &Credential, bucket: &BucketName) -> Result<Region> {
        let asked = self.places.of(bucket, None).region.clone();
        let client = self.client(grant, credential, &asked).await?;
        let said = match client.head_bucket().bucket(bucket.as_str()).send().await {
            Ok(answer) => answer.bucket_region().and_then(|name| Region::new(name).ok()),
            Err(error) => error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region")).and_then(|name| Region::new(name).ok()),
        };
        let region = match said {
            Some(region) => region,
            None => match client.get_bucket_location().bucket(bucket.as_str()).send().await {
                Ok(answer) => location(answer.location_constraint().map(|constraint| constraint.as_str()))?,
                Err(error) => return Err(self.refusal(error)?.0.into_error()),
            },
        };
        self.places.learn(bucket, region.clone());
        Ok(region)
    }

    async fn client(&self, grant: &Arc<Grant>, credential: &Credential, region: &Region) -> Result<aws_sdk_s3::Client> {
        check_partition(credential, region.partition())?;
        let session = self.leases.session(grant, credential).await?;
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(region.as_str().to_owned()))
            .http_client(self.sdk.http.clone())
            .timeout_config(Sdk::timeouts())
            .retry_config(Sdk::retries())
            .force_path_style(self.sdk.path_style)
            .disable_s3_express_session_auth(true)
            .credentials_provider(session.signer.for_sdk());
        config.set_endpoint_url(self.sdk.endpoint_url.clone());
        Ok(aws_sdk_s3::Client::from_conf(config.build()))
    }

    /// The remote's refusal, judged by the same table as on the byte path; an error where it could not be asked at all.
    fn refusal<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(&self, error: SdkError<E, Response>) -> Result<(Refusal, Option<String>)> {
        let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
        let message = error.as_service_error().and_then(|error| error.message()).map(str::to_owned);
        let Some(raw) = error.raw_response() else {
            return Err(not_asked("S3", error));
        };
        let kept = ["x-amz-bucket-region", "retry-after", "date"];
        let headers: HeaderMap =
            kept.into_iter().filter_map(|name| Some((HeaderName::from_static(name), HeaderValue::from_str(raw.headers().get(name)?).ok()?))).collect();
        Ok((s3_error::of_sdk(raw.status().as_u16(), code.as_deref(), message.as_deref(), headers, (self.clock)()), code))
    }
}

fn page(bucket: &BucketName, answer: &ListObjectsV2Output) -> Result<Page> {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let exact = |key: Option<&str>| -> Result<String> {
        let key = key.unwrap_or_default();
        if encoded { decoded(key) } else { Ok(key.to_owned()) }
    };
    let entries = answer.contents().iter().map(|object| {
        Ok(Entry {
            path: format!("s3://{bucket}/{}", exact(object.key())?),
            size: object.size().and_then(|size| u64::try_from(size).ok()),
            etag: object.e_tag().map(str::to_owned),
            last_modified: object.last_modified().and_then(|moment| moment.fmt(Format::DateTime).ok()),
        })
    });
    let prefixes = answer.common_prefixes().iter().map(|common| exact(common.prefix()));
    let next = if answer.is_truncated() == Some(true) { answer.next_continuation_token().map(str::to_owned) } else { None };
    Ok(Page { entries: entries.collect::<Result<_>>()?, prefixes: prefixes.collect::<Result<_>>()?, next })
}

/// `encoding-type=url` is the encoding of forms: a space is '+', a '+' is `%2B`.
fn decoded(key: &str) -> Result<String> {
    let spaced = key.replace('+', "%20");
    let key = percent_decode_str(&spaced).decode_utf8().map_err(|_| Error::unavailable("bad_listing", "S3 listed a key that is not UTF-8"))?;
    Ok(key.into_owned())
}

/// GetBucketLocation's old spellings: nothing for us-east-1, `EU` for eu-west-1.
fn location(constraint: Option<&str>) -> Result<Region> {
    let name = match constraint {
        None | Some("") => "us-east-1",
        Some("EU") => "eu-west-1",
        Some(name) => name,
    };
    Region::new(name).map_err(|_| {
        Error::unavailable("unknown_region", "S3 names a region that this gateway does not know")
            .with_remedy("An operator installs a newer release of the gateway.")
    })
}

fn invalid_cursor() -> Error {
    Error::invalid("invalid_cursor", "the continuation token is not one that this listing gave")
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{CommonPrefix, Object};

    use super::*;

    #[test]
    fn u19_l16_keys_are_exact_whether_encoded_or_not() {
        let list = |encoding: Option<EncodingType>, key: &str| {
            let answer = ListObjectsV2Output::builder()
                .set_encoding_type(encoding)
                .contents(Object::builder().key(key).size(3).e_tag("\"e\"").build())
                .common_prefixes(CommonPrefix::builder().prefix(key).build())
                .is_truncated(false)
                .next_continuation_token("ignored")
                .build();
            page(&BucketName::new("bkt").expect("a bucket"), &answer).expect("a page")
        };
        for (encoded, key) in [("a+b%2Bc%25d", "a b+c%d"), ("%E6%97%A5/%23%3F", "日/#?"), ("plain/key", "plain/key"), ("a%250A", "a%0A")] {
            let page = list(Some(EncodingType::Url), encoded);
            assert_eq!(page.entries[0].path, format!("s3://bkt/{key}"));
            assert_eq!(page.prefixes[0], key, "what to ask for next");
            assert_eq!(page.next, None, "no next page without IsTruncated");
        }
        assert_eq!(list(None, "a+b%2Bc").entries[0].path, "s3://bkt/a+b%2Bc");
        assert!(decoded("%ff").is_err());
    }

    #[test]
    fn u13_old_names_of_regions() {
        assert_eq!(location(None).expect("a region").as_str(), "us-east-1");
        assert_eq!(location(Some("EU")).expect("a region").as_str(), "eu-west-1");
        assert_eq!(location(Some("ap-south-1")).expect("a region").as_str(), "ap-south-1");
        assert!(location(Some("xx-fake-9")).is_err());
    }
}
