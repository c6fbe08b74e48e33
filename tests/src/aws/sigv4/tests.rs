use http::request::Parts;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{Flaw, Form, PathRule, decode, encode, read, sha256_hex};

const SUITE: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn verify(parts: &Parts, secret: &str, payload: &str, rule: PathRule, now: OffsetDateTime) -> Result<(), Flaw> {
    read(parts)?.expect("it is signed").verify(parts, secret, payload, rule, now)
}

/// AWS's signing test suite (awslabs/aws-c-auth): request, signed headers, signature in the header form.
#[test]
fn the_signatures_of_awss_own_suite_verify() {
    let date = ("X-Amz-Date", "20150830T123600Z");
    let host = ("Host", "example.amazonaws.com");
    for (name, method, target, headers, signed, payload, signature) in [
        ("get-vanilla", "GET", "/", vec![host, date], "host;x-amz-date", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("get-utf8", "GET", "/ሴ", vec![host, date], "host;x-amz-date", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        (
            "get-header-key-duplicate",
            "GET",
            "/",
            vec![host, ("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1"), date],
            "host;my-header1;x-amz-date",
            "",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "get-header-value-trim",
            "GET",
            "/",
            vec![host, ("My-Header1", " value1"), ("My-Header2", " \"a   b   c\""), date],
            "host;my-header1;my-header2;x-amz-date",
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-relative-relative-normalized",
            "GET",
            "/example1/example2/../..",
            vec![host, date],
            "host;x-amz-date",
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-slashes-normalized",
            "GET",
            "//example//",
            vec![host, date],
            "host;x-amz-date",
            "",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            vec![host, date],
            "host;x-amz-date",
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-query-order-encoded",
            "GET",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            vec![host, date],
            "host;x-amz-date",
            "",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "get-unreserved",
            "GET",
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            vec![host, date],
            "host;x-amz-date",
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-vanilla-with-session-token",
            "GET",
            "/",
            vec![host, ("X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"), date],
            "host;x-amz-date;x-amz-security-token",
            "",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            vec![
                ("Content-Type", "application/x-www-form-urlencoded"),
                host,
                ("Content-Length", "13"),
                date,
                ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
            ],
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            "Param1=value1",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
    ] {
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={signed}, Signature={signature}");
        let mut headers = headers;
        headers.push(("Authorization", &authorization));
        let parts = parts(method, target, &headers);
        assert_eq!(verify(&parts, SUITE, &sha256_hex(payload.as_bytes()), PathRule::Normalized, datetime!(2015-08-30 12:36 UTC)), Ok(()), "{name}");
    }
}

/// The same suite, in the query form.
#[test]
fn the_presigned_requests_of_awss_own_suite_verify() {
    let fixed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z";
    for (name, target) in [
        (
            "get-vanilla",
            format!("/?{fixed}&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
        ),
        (
            "get-vanilla-query-order-encoded",
            format!(
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1&{fixed}&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature=c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787"
            ),
        ),
        (
            "get-vanilla-with-session-token",
            format!(
                "/?{fixed}&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Security-Token=6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c"
            ),
        ),
    ] {
        let parts = parts("GET", &target, &[("host", "example.amazonaws.com")]);
        assert_eq!(verify(&parts, SUITE, EMPTY, PathRule::Normalized, datetime!(2015-08-30 12:40 UTC)), Ok(()), "{name}");
    }
}

/// The worked examples of the S3 API reference ("Authenticating Requests").
#[test]
fn the_examples_of_the_s3_reference_verify() {
    let common = [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", EMPTY), ("x-amz-date", "20130524T000000Z")];
    let now = datetime!(2013-05-24 00:00 UTC);
    for (target, range, signed, signature) in [
        (
            "/test.txt",
            Some(("range", "bytes=0-9")),
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/?lifecycle", None, "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/?max-keys=2&prefix=J", None, "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ] {
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}");
        let mut headers = common.to_vec();
        headers.extend(range);
        headers.push(("authorization", &authorization));
        assert_eq!(verify(&parts("GET", target, &headers), S3, EMPTY, PathRule::Exact, now), Ok(()), "{target}");
    }
    let presigned = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let parts = parts("GET", presigned, &[("host", "examplebucket.s3.amazonaws.com")]);
    assert_eq!(verify(&parts, S3, "UNSIGNED-PAYLOAD", PathRule::Exact, now + Duration::hours(23)), Ok(()));
    assert_eq!(verify(&parts, S3, "UNSIGNED-PAYLOAD", PathRule::Exact, now + Duration::hours(25)), Err(Flaw::Expired));
    assert_eq!(verify(&parts, S3, "UNSIGNED-PAYLOAD", PathRule::Exact, now - Duration::minutes(16)), Err(Flaw::NotYetValid));
}

#[test]
fn whatever_was_changed_after_signing_is_found() {
    let good = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let base = [("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY), ("x-amz-date", "20130524T000000Z")];
    let now = datetime!(2013-05-24 00:00 UTC);
    let outcome = |method: &str, target: &str, change: Option<(&'static str, &'static str)>, authorization: &str, secret: &str, now| {
        let mut headers: Vec<(&str, &str)> = base.iter().map(|(name, value)| change.filter(|(changed, _)| changed == name).unwrap_or((name, value))).collect();
        headers.extend(change.filter(|(changed, _)| !base.iter().any(|(name, _)| name == changed)));
        headers.push(("authorization", authorization));
        verify(&parts(method, target, &headers), secret, EMPTY, PathRule::Exact, now)
    };
    let mismatch = Err(Flaw::Mismatch);
    assert_eq!(outcome("GET", "/test.txt", None, good, S3, now), Ok(()));
    assert_eq!(outcome("GET", "/test.txt", None, good, SUITE, now), mismatch, "another secret");
    assert_eq!(outcome("HEAD", "/test.txt", None, good, S3, now), mismatch, "another method");
    assert_eq!(outcome("GET", "/Test.txt", None, good, S3, now), mismatch, "another key");
    assert_eq!(outcome("GET", "//test.txt", None, good, S3, now), mismatch, "S3 does not normalize");
    assert_eq!(outcome("GET", "/test.txt?acl", None, good, S3, now), mismatch, "another query");
    assert_eq!(outcome("GET", "/test.txt", Some(("range", "bytes=0-99")), good, S3, now), mismatch, "another range");
    assert_eq!(outcome("GET", "/test.txt", Some(("host", "other.s3.amazonaws.com")), good, S3, now), mismatch, "another host");
    assert_eq!(outcome("GET", "/test.txt", None, &good.replace("us-east-1", "eu-west-1"), S3, now), mismatch, "another region");
    assert_eq!(
        outcome("GET", "/test.txt", Some(("x-amz-security-token", "t")), good, S3, now),
        Err(Flaw::Unsigned("x-amz-security-token".into())),
        "an unsigned x-amz- header"
    );
    assert_eq!(outcome("GET", "/test.txt", None, &good.replace("host;", ""), S3, now), Err(Flaw::Unsigned("host".into())), "the host left open");
    assert_eq!(outcome("GET", "/test.txt", None, good, S3, now + Duration::seconds(901)), Err(Flaw::Skewed), "15 minutes late");
    assert_eq!(outcome("GET", "/test.txt", None, good, S3, now - Duration::seconds(901)), Err(Flaw::Skewed), "15 minutes early");
    assert_eq!(outcome("GET", "/test.txt", None, good, S3, now + Duration::seconds(899)), Ok(()));
    for broken in [
        good.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        good.replace("aws4_request", "aws4"),
        good.replace("20130524/", "20130525/"),
        good.replace("host;range", "range;host"),
        good.replace("f0e8", "F0"),
        good.replace("Signature=", "Sig="),
    ] {
        assert!(matches!(outcome("GET", "/test.txt", None, &broken, S3, now), Err(Flaw::Malformed(_))), "{broken}");
    }
    assert_eq!(outcome("GET", "/test.txt?X-Amz-Signature=x", None, good, S3, now), Err(Flaw::Twice));
}

#[test]
fn an_unsigned_request_is_told_from_a_broken_one() {
    assert!(read(&parts("GET", "/k?x=1", &[("host", "b")])).unwrap().is_none());
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    for expires in ["0", "604801", "-1", "x"] {
        assert!(matches!(read(&parts("GET", &format!("/k?{query}&X-Amz-Expires={expires}"), &[("host", "b")])), Err(Flaw::Malformed(_))), "{expires}");
    }
    assert_eq!(read(&parts("GET", &format!("/k?{query}&X-Amz-Expires=60"), &[("host", "b")])).unwrap().unwrap().form, Form::Query { expires: 60 });
}

#[test]
fn keys_are_decoded_exactly() {
    for (wire, key) in [
        ("/a%2Fb", Some("/a/b")),
        ("/a%252Fb", Some("/a%2Fb")),
        ("/a+b", Some("/a b")),
        ("/a%2Bb", Some("/a+b")),
        ("/%", None),
        ("/%4", None),
        ("/%+1", None),
        ("/%zz", None),
    ] {
        assert_eq!(decode(wire, true), key.map(|key| key.as_bytes().to_vec()), "{wire}");
    }
    assert_eq!(encode("a b+c/é~".as_bytes(), true), "a%20b%2Bc/%C3%A9~");
}
