//! Where our double is as strict as AWS and the referee is not, and the faults and the journal that only the double has.

use std::time::Duration;

use http::Method;
use portcullis_tests::aws::{AwsDouble, Fault, Keys, Service};
use portcullis_tests::aws_client::AwsClient;
use portcullis_tests::scene::{EXTERNAL_ID, GATEWAY_ROLE, GATEWAY_USER, MEDIA, MEDIA_REGION, PLATFORM, READER_ROLE, SHARED, fixture, statements};
use serde_json::json;

struct Play {
    aws: AwsDouble,
    client: AwsClient,
    user: Keys,
    gateway: Keys,
    reader: Keys,
}

async fn play() -> Play {
    let aws = AwsDouble::with(&fixture()).await;
    let client = AwsClient::new(aws.endpoint());
    let user = aws.user_credentials(PLATFORM, GATEWAY_USER);
    let gateway = client.assume(&user, GATEWAY_ROLE, &[]).await.unwrap();
    let reader = client.assume(&gateway, READER_ROLE, &[("ExternalId", EXTERNAL_ID)]).await.unwrap();
    Play { aws, client, user, gateway, reader }
}

#[tokio::test]
async fn assume_role_checks_its_parameters_as_aws_does() {
    let Play { aws: _aws, client, user, gateway, .. } = play().await;
    let long = "x".repeat(65);
    let policy = statements(json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "a".repeat(2048)}])).to_string();
    let id = ("ExternalId", EXTERNAL_ID);
    for (sentence, keys, role, params, outcome) in [
        ("59 s", &gateway, READER_ROLE, vec![id, ("DurationSeconds", "59")], "400 ValidationError"),
        ("899 s", &gateway, READER_ROLE, vec![id, ("DurationSeconds", "899")], "400 ValidationError"),
        ("a number that is none", &gateway, READER_ROLE, vec![id, ("DurationSeconds", "1h")], "400 ValidationError"),
        ("more than an hour from a session", &gateway, READER_ROLE, vec![id, ("DurationSeconds", "3601")], "400 ValidationError"),
        ("more than the role allows", &user, GATEWAY_ROLE, vec![("DurationSeconds", "7200")], "400 ValidationError"),
        ("a session name with a space", &gateway, READER_ROLE, vec![id, ("RoleSessionName", "a b")], "400 ValidationError"),
        ("a session name of 65", &gateway, READER_ROLE, vec![id, ("RoleSessionName", &long)], "400 ValidationError"),
        ("an external id of one letter", &gateway, READER_ROLE, vec![("ExternalId", "x")], "400 ValidationError"),
        ("an ARN that is none", &gateway, "reader", vec![id], "400 ValidationError"),
        ("a session policy that is too long", &gateway, READER_ROLE, vec![id, ("Policy", &policy)], "400 ValidationError"),
        ("a session policy that is none", &gateway, READER_ROLE, vec![id, ("Policy", "{}")], "400 MalformedPolicyDocument"),
        ("a parameter the double does not know", &gateway, READER_ROLE, vec![id, ("SerialNumber", "x")], "400 ValidationError"),
    ] {
        let reply = client.assume(keys, role, &params).await.expect_err(sentence);
        assert_eq!(reply.outcome(), outcome, "{sentence}");
    }
    client.assume(&gateway, READER_ROLE, &[id, ("DurationSeconds", "900")]).await.unwrap();
    assert_eq!(client.sts(Some(&gateway), &[("Action", "GetSessionToken")]).await.outcome(), "400 InvalidAction");
    assert_eq!(client.sts(None, &[("Action", "GetCallerIdentity")]).await.outcome(), "403 MissingAuthenticationToken");
}

#[tokio::test]
async fn sessions_and_signatures_age_with_the_clock() {
    let Play { aws, mut client, reader, .. } = play().await;
    let target = format!("/{MEDIA}/train/a.jpg");
    aws.advance(Duration::from_secs(901));
    assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), "403 RequestTimeTooSkewed");
    client.skew = 901;
    assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), "200");
    aws.advance(Duration::from_secs(3600));
    client.skew += 3600;
    assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), "400 ExpiredToken");
    assert_eq!(client.sts(Some(&reader), &[("Action", "GetCallerIdentity")]).await.outcome(), "403 ExpiredToken");
}

#[tokio::test]
async fn a_missing_key_is_not_told_to_whoever_may_not_list() {
    let Play { aws: _aws, client, gateway, .. } = play().await;
    let get_only = statements(json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{MEDIA}/*")}])).to_string();
    let keys = client.assume(&gateway, READER_ROLE, &[("ExternalId", EXTERNAL_ID), ("Policy", &get_only)]).await.unwrap();
    assert_eq!(client.get(&keys, MEDIA_REGION, &format!("/{MEDIA}/train/none")).await.outcome(), "403 AccessDenied");
    assert_eq!(client.get(&keys, MEDIA_REGION, &format!("/{MEDIA}/train/a.jpg")).await.outcome(), "200");
}

#[tokio::test]
async fn a_bucket_policy_reaches_over_accounts_only_with_the_tag() {
    let Play { aws: _aws, client, user, gateway, .. } = play().await;
    let target = format!("/{SHARED}/a.txt");
    assert_eq!(client.get(&gateway, "us-east-1", &target).await.outcome(), "403 AccessDenied", "no tag");
    for (organization, outcome) in [("other", "403 AccessDenied"), ("acme", "200")] {
        let tagged = client.assume(&user, GATEWAY_ROLE, &[("Tags.member.1.Key", "organization"), ("Tags.member.1.Value", organization)]).await.unwrap();
        assert_eq!(client.get(&tagged, "us-east-1", &target).await.outcome(), outcome, "{organization}");
    }
}

#[tokio::test]
async fn another_region_redirects_and_names_the_right_one() {
    let Play { aws: _aws, client, reader, .. } = play().await;
    for (method, target) in
        [(Method::GET, format!("/{MEDIA}/train/a.jpg")), (Method::HEAD, format!("/{MEDIA}")), (Method::GET, format!("/{MEDIA}?list-type=2"))]
    {
        let reply = client.s3(Some(&reader), "us-east-1", method, &target, &[]).await;
        assert_eq!(reply.status, 301, "{target}");
        assert_eq!(reply.headers["x-amz-bucket-region"], MEDIA_REGION, "{target}");
    }
    let location = client.get(&reader, "us-east-1", &format!("/{MEDIA}?location")).await;
    assert!(location.text().contains(&format!(">{MEDIA_REGION}</LocationConstraint>")), "{}", location.text());
}

#[tokio::test]
async fn ranges_and_conditions_are_answered_as_s3_does() {
    let Play { aws: _aws, client, reader, .. } = play().await;
    let target = format!("/{MEDIA}/top.txt");
    let get = async |headers: &[(&str, &str)]| client.s3(Some(&reader), MEDIA_REGION, Method::GET, &target, headers).await;
    let whole = get(&[]).await;
    let etag = whole.headers["etag"].to_str().unwrap().to_owned();
    for (headers, status, body) in [
        (vec![("range", "bytes=2-4")], 206, "234"),
        (vec![("range", "bytes=7-")], 206, "789"),
        (vec![("range", "bytes=-2")], 206, "89"),
        (vec![("range", "bytes=8-100")], 206, "89"),
        (vec![("range", "bytes=0-1,4-5")], 200, "0123456789"),
        (vec![("range", "lines=0-1")], 200, "0123456789"),
        (vec![("if-match", etag.as_str()), ("range", "bytes=0-0")], 206, "0"),
        (vec![("if-none-match", etag.as_str())], 304, ""),
    ] {
        let reply = get(&headers).await;
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (status, body), "{headers:?}");
    }
    assert_eq!(get(&[("range", "bytes=10-")]).await.outcome(), "416 InvalidRange");
    assert_eq!(get(&[("if-match", "\"other\"")]).await.outcome(), "412 PreconditionFailed");
    let head = client.s3(Some(&reader), MEDIA_REGION, Method::HEAD, &target, &[]).await;
    assert_eq!((head.status.as_u16(), head.headers["content-length"].to_str().unwrap(), head.body.len()), (200, "10", 0));
}

#[tokio::test]
async fn nothing_is_written_through_the_network() {
    let Play { aws: _aws, client, reader, .. } = play().await;
    for method in [Method::PUT, Method::DELETE, Method::POST] {
        assert_eq!(client.s3(Some(&reader), MEDIA_REGION, method, &format!("/{MEDIA}/x"), &[]).await.outcome(), "405 MethodNotAllowed");
    }
    for target in [format!("/{MEDIA}/train/a.jpg?acl"), format!("/{MEDIA}?policy"), "/".to_owned()] {
        assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), "501 NotImplemented", "{target}");
    }
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for_and_the_journal_tells() {
    let Play { aws, client, reader, .. } = play().await;
    let target = format!("/{MEDIA}/train/a.jpg");
    for (fault, outcome) in [
        (Fault::Throttle, "503 SlowDown"),
        (Fault::InternalError, "500 InternalError"),
        (Fault::ExpiredToken, "400 ExpiredToken"),
        (Fault::WrongRegion, "301 PermanentRedirect"),
    ] {
        aws.fail(Service::S3, 1, fault);
        assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), outcome);
    }
    aws.forget_journal();
    assert_eq!(client.get(&reader, MEDIA_REGION, &target).await.outcome(), "200", "a fault meets as many requests as it was asked to");
    assert_eq!(client.get(&reader, MEDIA_REGION, &format!("/{SHARED}/a.txt")).await.outcome(), "301 PermanentRedirect");
    let journal = aws.journal();
    let [read, elsewhere] = journal.as_slice() else { panic!("{journal:?}") };
    assert_eq!((read.method.as_str(), read.action.as_deref(), read.allowed, read.status), ("GET", Some("s3:GetObject"), Some(true), 200));
    assert_eq!(read.principal.as_deref(), Some("arn:aws:sts::444455556666:assumed-role/reader/test-session"));
    assert_eq!(read.resource.as_deref(), Some("arn:aws:s3:::customer-media/train/a.jpg"));
    assert_eq!((elsewhere.allowed, elsewhere.code.as_deref()), (None, Some("PermanentRedirect")));
    assert!(journal.iter().all(|entry| !format!("{entry:?}").contains(reader.session_token.as_deref().unwrap())), "no token in a journal");
}
