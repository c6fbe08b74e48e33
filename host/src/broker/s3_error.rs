//! What S3 means when it refuses: status, `<Code>` and region become one error. Reads at most 16 KiB of the answer and expands nothing in it.

use http::{HeaderMap, header};
use quick_xml::Reader;
use quick_xml::events::Event;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::answer;
use crate::fetch::Inbound;
use crate::model::{Error, Region, Timestamp};

const LONGEST: usize = 16 << 10;

pub(super) struct Refusal {
    status: u16,
    /// S3's error code; `None` for a HEAD, which has no body.
    code: Option<String>,
    region: Option<Region>,
    headers: HeaderMap,
    now: Timestamp,
}

pub(super) async fn read(inbound: Inbound, now: Timestamp) -> Refusal {
    // A body that is too long, broken off or no XML leaves the status to say what it can.
    let body = inbound.body.bytes(LONGEST).await;
    let (code, named) = body.map_or((None, None), |body| parse(&body));
    let region = header_region(&inbound.headers).or(named);
    Refusal { status: inbound.status.as_u16(), code, region, headers: inbound.headers, now }
}

impl Refusal {
    /// U13: the bucket's own region, where S3 names one that is not `asked`.
    pub fn other_region(&self, asked: &Region) -> Option<Region> {
        let about_region = matches!(self.status, 301 | 307 | 400);
        self.region.as_ref().filter(|region| about_region && *region != asked).cloned()
    }

    /// U14. An answer without a body (to a HEAD) may mean this with a 400; `suspected`: it is taken to.
    pub fn session_expired(&self, suspected: bool) -> bool {
        match self.code.as_deref() {
            Some(code) => matches!(code, "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken"),
            None => suspected && self.status == 400,
        }
    }

    pub fn into_error(self) -> Error {
        let told = |text: &str| match &self.code {
            Some(code) => format!("{text} (S3: {code})"),
            None => text.to_owned(),
        };
        match (self.status, self.code.as_deref().unwrap_or_default()) {
            (_, "NoSuchBucket") => Error::not_found("bucket_not_found", "there is no such bucket"),
            (_, "NoSuchKey") => Error::not_found("file_not_found", "there is no such object"),
            (_, "NoSuchVersion") => Error::not_found("file_not_found", "there is no such version of the object"),
            (_, "RequestTimeTooSkewed") => self.clock_skew(),
            (_, "SlowDown" | "Throttling" | "RequestLimitExceeded" | "TooManyRequests") => answer::throttled(&self.headers),
            (_, "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken") => Error::unavailable("session_expired", told("AWS does not accept the session")),
            (_, "SignatureDoesNotMatch" | "AuthorizationHeaderMalformed") => {
                Error::rejected("signature_rejected", told("AWS does not accept the request's signature"))
                    .with_remedy("The endpoint or a proxy before it may rewrite requests; the bucket's region may be wrong.")
            }
            (_, "InvalidObjectState") => Error::rejected("object_archived", "the object is archived and has to be restored first")
                .with_remedy("Restore the object in S3, or leave it out."),
            (_, "KMS.DisabledException" | "KMS.NotFoundException" | "KMS.InvalidStateException" | "KMS.KMSInvalidStateException") => {
                Error::rejected("kms_key_unusable", told("the object's encryption key cannot be used"))
            }
            (_, "InvalidAccessKeyId") => Error::rejected("permission_denied", told("AWS does not know the session's key")),
            (404 | 410, _) => Error::not_found("file_not_found", told("there is no such object")),
            (401 | 403, _) => Error::rejected("permission_denied", told("S3 does not let the gateway read this")).with_remedy(
                "Look at the role's permissions (s3:GetObject on the object, kms:Decrypt on its key), the bucket's policy, and whether the object is there: \
                 who may not list a bucket is told this about a missing object, too.",
            ),
            (412, _) => answer::changed(),
            (300..=399, _) => answer::redirect(),
            (503, "") => answer::throttled(&self.headers),
            (408 | 429, _) => answer::throttled(&self.headers),
            (500..=599, _) => answer::unavailable(&self.headers, self.status),
            (status, _) => Error::rejected("s3_request_refused", told(&format!("S3 refused the request with status {status}"))),
        }
    }

    /// U15: names the offset, which is all that an operator needs to know.
    fn clock_skew(&self) -> Error {
        let date = self.headers.get(header::DATE).and_then(|value| value.to_str().ok()).and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok());
        let message = match date {
            Some(date) => {
                let offset = self.now.seconds() - date.unix_timestamp();
                let (amount, way) = (offset.unsigned_abs(), if offset < 0 { "behind" } else { "ahead of" });
                format!("the gateway's clock is {amount} seconds {way} S3's")
            }
            None => "the gateway's clock is too far from S3's".to_owned(),
        };
        Error::unavailable("clock_skew", message).with_remedy("An operator sets the gateway's clock (NTP).")
    }
}

/// `<Error><Code>` and `<Error><Region>`. No entity is expanded, nothing nested deeper is read, nothing after the first doubt.
fn parse(body: &[u8]) -> (Option<String>, Option<Region>) {
    let (mut code, mut region) = (None, None);
    let Ok(text) = std::str::from_utf8(body) else { return (None, None) };
    let mut reader = Reader::from_str(text);
    let (mut depth, mut inside) = (0_u32, Field::Other);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                depth += 1;
                inside = match (depth, tag.local_name().as_ref()) {
                    (1, b"Error") => Field::Other,
                    (1, _) => return (None, None),
                    (2, b"Code") => Field::Code,
                    (2, b"Region") => Field::Region,
                    _ => Field::Other,
                };
            }
            Ok(Event::Text(text)) => match (&inside, std::str::from_utf8(&text)) {
                (Field::Code, Ok(text)) => code = plain_code(text),
                (Field::Region, Ok(text)) => region = Region::new(text).ok(),
                _ => {}
            },
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                inside = Field::Other;
            }
            Ok(Event::Eof) | Err(_) => return (code, region),
            Ok(_) => {}
        }
    }
}

enum Field {
    Code,
    Region,
    Other,
}

/// A remote's word that looks like a code, and so may stand in a message.
fn plain_code(text: &str) -> Option<String> {
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    sound.then(|| text.to_owned())
}

fn header_region(headers: &HeaderMap) -> Option<Region> {
    headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok()).and_then(|name| Region::new(name).ok())
}

/// The same table for the SDK's answers (listing).
pub(super) fn of_sdk(status: u16, code: Option<&str>, headers: HeaderMap, now: Timestamp) -> Refusal {
    Refusal { status, code: code.and_then(plain_code), region: header_region(&headers), headers, now }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::model::Kind;

    fn refusal(status: u16, code: &str, headers: &[(&'static str, &'static str)]) -> Refusal {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        of_sdk(status, Some(code).filter(|code| !code.is_empty()), headers, Timestamp::from_millis(784_111_777_000))
    }

    #[test]
    fn u16_each_refusal_of_s3_has_its_own_code() {
        let cases = [
            (404, "NoSuchKey", Kind::NotFound, "file_not_found"),
            (404, "NoSuchBucket", Kind::NotFound, "bucket_not_found"),
            (404, "NoSuchVersion", Kind::NotFound, "file_not_found"),
            (404, "", Kind::NotFound, "file_not_found"),
            (403, "AccessDenied", Kind::Rejected, "permission_denied"),
            (403, "", Kind::Rejected, "permission_denied"),
            (403, "SignatureDoesNotMatch", Kind::Rejected, "signature_rejected"),
            (403, "InvalidObjectState", Kind::Rejected, "object_archived"),
            (403, "RequestTimeTooSkewed", Kind::Unavailable, "clock_skew"),
            (400, "ExpiredToken", Kind::Unavailable, "session_expired"),
            (400, "InvalidArgument", Kind::Rejected, "s3_request_refused"),
            (301, "PermanentRedirect", Kind::Rejected, "redirect_denied"),
            (302, "", Kind::Rejected, "redirect_denied"),
            (412, "PreconditionFailed", Kind::Rejected, "object_changed"),
            (503, "SlowDown", Kind::Unavailable, "upstream_throttled"),
            (503, "", Kind::Unavailable, "upstream_throttled"),
            (503, "ServiceUnavailable", Kind::Unavailable, "upstream_unavailable"),
            (500, "InternalError", Kind::Unavailable, "upstream_unavailable"),
        ];
        for (status, code, kind, ours) in cases {
            let error = refusal(status, code, &[]).into_error();
            assert_eq!((error.kind(), error.code()), (kind, ours), "{status} {code}");
        }
        assert_eq!(refusal(503, "SlowDown", &[("retry-after", "9")]).into_error().retry_after(), Some(9));
    }

    #[test]
    fn u13_m15_only_a_region_that_aws_has_is_believed() {
        let frankfurt = Region::new("eu-central-1").expect("a region");
        let ours = Region::new("us-east-1").expect("a region");
        for (status, named, expected) in [
            (301, "evil.example/", None),
            (301, "xx-fake-9", None),
            (301, "us-east-1", None),
            (403, "eu-central-1", None),
            (301, "eu-central-1", Some(&frankfurt)),
            (307, "eu-central-1", Some(&frankfurt)),
            (400, "eu-central-1", Some(&frankfurt)),
        ] {
            assert_eq!(refusal(status, "", &[("x-amz-bucket-region", named)]).other_region(&ours).as_ref(), expected, "{status} {named}");
        }
    }

    #[test]
    fn u14_an_expired_session_is_recognized() {
        assert!(refusal(400, "ExpiredToken", &[]).session_expired(false));
        assert!(refusal(400, "", &[]).session_expired(true));
        assert!(!refusal(400, "", &[]).session_expired(false));
        assert!(!refusal(400, "InvalidArgument", &[]).session_expired(true));
        assert!(!refusal(403, "", &[]).session_expired(true));
    }

    #[test]
    fn u15_a_clock_that_is_off_is_named_with_its_offset() {
        let error = refusal(403, "RequestTimeTooSkewed", &[("date", "Sun, 06 Nov 1994 08:59:37 GMT")]).into_error();
        assert_eq!(error.message(), "the gateway's clock is 600 seconds behind S3's");
    }

    #[test]
    fn u19_a_code_is_read_and_nothing_else() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"AccessDenied\"><!ENTITY y \"&x;&x;&x;\">]><Error><Code>&y;</Code></Error>";
        let deep = "<Error>".to_owned() + &"<a>".repeat(2000) + "<Code>AccessDenied</Code>";
        let long = format!("<Error><Code>{}</Code></Error>", "A".repeat(65));
        for text in [
            bomb,
            &deep,
            &long,
            "",
            "<html><Code>NoSuchKey</Code></html>",
            "<Error><Message><Code>NoSuchKey</Code></Message></Error>",
            "<Error><Code>a\u{1b}[31m</Code></Error>",
            "{}",
        ] {
            assert_eq!(parse(text.as_bytes()), (None, None), "{}", text.chars().take(60).collect::<String>());
        }
        assert_eq!(parse(b"\xff\xfe"), (None, None));
        let real = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        assert_eq!(parse(real.as_bytes()), (Some("NoSuchKey".to_owned()), None));
        let elsewhere = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message><Region>eu-central-1</Region></Error>";
        assert_eq!(parse(elsewhere.as_bytes()), (Some("AuthorizationHeaderMalformed".to_owned()), Region::new("eu-central-1").ok()));
        assert_eq!(parse(elsewhere.replace("eu-central-1", "evil.example/").as_bytes()).1, None);
    }
}
