//! What S3 means when it refuses: status, `<Code>` and region become one error. Reads at most 16 KiB of the answer and expands nothing in it.

use http::{HeaderMap, header};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{answer, denial};
use crate::fetch::Inbound;
use crate::model::{Error, Region, Timestamp};

const LONGEST: usize = 16 << 10;

pub(super) struct Refusal {
    status: u16,
    /// S3's error code; `None` for a HEAD, which has no body.
    code: Option<String>,
    /// S3's sentence: looked into, never passed on.
    message: Option<String>,
    region: Option<Region>,
    headers: HeaderMap,
    now: Timestamp,
}

pub(super) async fn read(inbound: Inbound, now: Timestamp) -> Refusal {
    // A body that is too long, broken off or no XML leaves the status to say what it can.
    let body = inbound.body.bytes(LONGEST).await;
    let Said { code, message, region } = body.map_or_else(|_| Said::default(), |body| parse(&body));
    let region = header_region(&inbound.headers).or(region);
    Refusal { status: inbound.status.as_u16(), code, message, region, headers: inbound.headers, now }
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
        const RESTORE: &str = "Restore the object in S3, or leave it out.";
        const LATER: &str = "Test again later.";
        let told = |text: &str| match &self.code {
            Some(code) => format!("{text} (S3: {code})"),
            None => text.to_owned(),
        };
        let date = || self.headers.get(header::DATE).and_then(|value| value.to_str().ok());
        match (self.status, self.code.as_deref().unwrap_or_default()) {
            (_, "NoSuchBucket") => Error::not_found("bucket_not_found", "there is no such bucket")
                .with_remedy("Check the bucket's name, and that it is in the partition of AWS that the role is in (aws, aws-cn, aws-us-gov)."),
            (_, "NoSuchVersion") => {
                Error::not_found("file_not_found", "there is no such version of the object").because("version_not_found").with_remedy("Check the version id.")
            }
            (404, _) if self.headers.contains_key("x-amz-delete-marker") => {
                Error::not_found("file_not_found", told("the object was deleted: a delete marker is in its place"))
                    .because("object_deleted")
                    .with_remedy("Restore it in S3 by removing the delete marker, or name another object.")
            }
            (_, "RequestTimeTooSkewed") => answer::clock_skew(date(), self.now, "S3's"),
            (_, "SlowDown" | "Throttling" | "RequestLimitExceeded" | "TooManyRequests") => answer::throttled(&self.headers).because("s3_throttled"),
            (_, "ExpiredToken" | "TokenRefreshRequired") => Error::unavailable("session_expired", told("AWS calls the session expired, and a new one, too"))
                .with_remedy("An operator compares the gateway's clock with the real time."),
            (_, "InvalidToken") => Error::unavailable("session_expired", told("AWS does not accept the session's token"))
                .because("session_token_not_accepted")
                .with_remedy("See whether sessions of the role were revoked (IAM, the role, Revoke sessions), then test again."),
            (_, "InvalidAccessKeyId") => Error::rejected("permission_denied", told("AWS does not know the session's key"))
                .because("session_key_unknown")
                .with_remedy("The bucket and the gateway may be in different partitions of AWS, or the endpoint is not the one that gave the session out."),
            (_, "SignatureDoesNotMatch" | "AuthorizationHeaderMalformed") => {
                Error::rejected("signature_rejected", told("AWS does not accept the request's signature"))
                    .with_remedy("The endpoint or a proxy before it may rewrite requests; the bucket's region may be wrong.")
            }
            (_, "InvalidObjectState") => Error::rejected("object_archived", "the object is archived and has to be restored first").with_remedy(RESTORE),
            (_, "InvalidRequest") if self.says("Server Side Encryption") => {
                Error::rejected("s3_request_refused", told("the object is encrypted with a key that its owner keeps (SSE-C)"))
                    .because("customer_key_wanted")
                    .with_remedy("Copy the object under a key of S3 or KMS: this gateway never holds a customer's encryption key.")
            }
            (_, "KMS.DisabledException") => key(told("the object's encryption key is disabled"), "kms_key_disabled", "Enable the key in KMS."),
            (_, "KMS.NotFoundException") => {
                key(told("the object's encryption key is not there any more"), "kms_key_not_found", "Without its key the object is lost: leave it out.")
            }
            (_, "KMS.InvalidStateException" | "KMS.KMSInvalidStateException") => key(
                told("the object's encryption key is about to be deleted, or not ready"),
                "kms_key_invalid_state",
                "Cancel the key's deletion in KMS, or wait until it is ready.",
            ),
            (_, "AllAccessDisabled") => Error::rejected("permission_denied", told("AWS has disabled all access to this bucket"))
                .because("all_access_disabled")
                .with_remedy("The bucket's owner asks AWS Support."),
            (_, "AccountProblem" | "NotSignedUp" | "InvalidPayer") => {
                Error::rejected("permission_denied", told("there is a problem with the AWS account that owns the bucket"))
                    .because("account_problem")
                    .with_remedy("The bucket's owner looks at the account's billing, or asks AWS Support.")
            }
            (404 | 410, _) => Error::not_found("file_not_found", told("there is no such object"))
                .with_remedy("Check the key: upper and lower case, spaces and slashes count."),
            (401 | 403, _) => self.denied(told("S3 does not let the gateway do this")),
            (412, _) => answer::changed(),
            (300..=399, "PermanentRedirect" | "TemporaryRedirect" | "Redirect") => answer::redirect()
                .because("bucket_region_unsettled")
                .with_remedy("Set the bucket's region in the connection or its source path; a bucket that was just made or moved settles within an hour."),
            (300..=399, _) => answer::redirect(),
            (503, "") => answer::throttled(&self.headers).because("s3_throttled"),
            (408 | 429, _) => answer::throttled(&self.headers).because("s3_throttled"),
            (503, _) => answer::unavailable(&self.headers, self.status).because("s3_unavailable"),
            (500..=599, _) => answer::unavailable(&self.headers, self.status).because("s3_internal_error"),
            (200, _) => Error::unavailable("s3_bad_answer", "the answer is not one of S3's: something else answered")
                .with_remedy("See whether a proxy or a login page is between the gateway and S3."),
            (status, _) => Error::rejected("s3_request_refused", told(&format!("S3 refused the request with status {status}"))).with_remedy(LATER),
        }
    }

    /// The same about an object: who may not list its bucket is not told that it is missing, but that listing is denied.
    pub fn into_object_error(self) -> Error {
        if self.status == 403 && self.says("perform: s3:ListBucket") {
            return Error::rejected("permission_denied", "there is no such object, and S3 does not say so to who may not list the bucket (S3: AccessDenied)")
                .because("missing_and_not_listable")
                .with_remedy("Check the key; allow s3:ListBucket on the bucket, and S3 tells what is missing from what is denied.");
        }
        self.into_error()
    }

    fn says(&self, words: &str) -> bool {
        self.message.as_ref().is_some_and(|message| message.contains(words))
    }

    fn denied(&self, told: String) -> Error {
        match self.message.as_deref().and_then(denial::of_s3) {
            Some(denial) => Error::rejected("permission_denied", format!("{told}: {}", denial.words)).because(denial.cause).with_remedy(denial.remedy),
            None => Error::rejected("permission_denied", told).with_remedy(
                "Look at the role's permissions (s3:GetObject on the object, kms:Decrypt on its key), the bucket's policy, and whether the object is there: \
                 who may not list a bucket is told this about a missing object, too.",
            ),
        }
    }
}

fn key(message: String, cause: &'static str, remedy: &'static str) -> Error {
    Error::rejected("kms_key_unusable", message).because(cause).with_remedy(remedy)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    region: Option<Region>,
}

/// `<Error><Code>`, `<Message>` and `<Region>`. No entity is expanded, nothing nested deeper is read, nothing after the first doubt.
fn parse(body: &[u8]) -> Said {
    let mut said = Said::default();
    let Ok(text) = std::str::from_utf8(body) else { return said };
    let mut reader = Reader::from_str(text);
    let (mut depth, mut inside) = (0_u32, Field::Other);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                depth += 1;
                inside = match (depth, tag.local_name().as_ref()) {
                    (1, b"Error") => Field::Other,
                    (1, _) => return Said::default(),
                    (2, b"Code") => Field::Code,
                    (2, b"Message") => Field::Message,
                    (2, b"Region") => Field::Region,
                    _ => Field::Other,
                };
            }
            Ok(Event::Text(text)) => match (&inside, std::str::from_utf8(&text)) {
                (Field::Code, Ok(text)) => said.code = plain_code(text),
                // A reference (`&quot;`) ends a piece of text: what is looked for may be in any of them.
                (Field::Message, Ok(text)) => said.message.get_or_insert_default().push_str(text),
                (Field::Region, Ok(text)) => said.region = Region::new(text).ok(),
                _ => {}
            },
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                inside = Field::Other;
            }
            Ok(Event::Eof) | Err(_) => return said,
            Ok(_) => {}
        }
    }
}

enum Field {
    Code,
    Message,
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
pub(super) fn of_sdk(status: u16, code: Option<&str>, message: Option<&str>, headers: HeaderMap, now: Timestamp) -> Refusal {
    Refusal { status, code: code.and_then(plain_code), message: message.map(str::to_owned), region: header_region(&headers), headers, now }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::model::Kind;

    fn refusal(status: u16, code: &str, headers: &[(&'static str, &'static str)]) -> Refusal {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        of_sdk(status, Some(code).filter(|code| !code.is_empty()), None, headers, Timestamp::from_millis(784_111_777_000))
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
            let said = parse(text.as_bytes());
            assert_eq!((said.code, said.region), (None, None), "{}", text.chars().take(60).collect::<String>());
        }
        assert_eq!(parse(b"\xff\xfe"), Said::default());
        let real = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        let said = Said { code: Some("NoSuchKey".to_owned()), message: Some("The specified key does not exist.".to_owned()), region: None };
        assert_eq!(parse(real.as_bytes()), said);
        let elsewhere = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message><Region>eu-central-1</Region></Error>";
        let said = parse(elsewhere.as_bytes());
        assert_eq!((said.code.as_deref(), said.region), (Some("AuthorizationHeaderMalformed"), Region::new("eu-central-1").ok()));
        assert_eq!(parse(elsewhere.replace("eu-central-1", "evil.example/").as_bytes()).region, None);
    }
}
