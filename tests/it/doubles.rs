//! Sentences about AWS that hold on our double and on the referee alike: so neither is trusted alone.

use std::time::Duration;

use http::Method;
use portcullis_tests::aws::Keys;
use portcullis_tests::aws_client::AwsClient;
use portcullis_tests::scene::{
    CUSTOMER, EXTERNAL_ID, GATEWAY_ROLE, GATEWAY_USER, MEDIA, MEDIA_REGION, NEAR, ODD_KEYS, PLATFORM, READER_ROLE, statements, trust,
};
use portcullis_tests::stack::AwsStack;
use serde_json::json;

use crate::play::on_both;

on_both! { the_trust_policy_decides, signatures_and_tokens_are_verified, policies_meet, presigned_requests_end, keys_are_exact_bytes, pages_cover_a_listing }

/// A session of the gateway's role, tagged.
async fn gateway(aws: &dyn AwsStack, client: &AwsClient, organization: Option<&str>) -> Keys {
    let user = aws.keys(PLATFORM, GATEWAY_USER);
    let tag = organization.map(|organization| [("Tags.member.1.Key", "organization"), ("Tags.member.1.Value", organization)]);
    client.assume(&user, GATEWAY_ROLE, tag.as_ref().map_or(&[], |tag| tag.as_slice())).await.expect("the gateway's own role")
}

async fn reader(client: &AwsClient, gateway: &Keys, params: &[(&str, &str)]) -> Keys {
    let mut all = vec![("ExternalId", EXTERNAL_ID)];
    all.extend(params);
    client.assume(gateway, READER_ROLE, &all).await.expect("the customer's role")
}

mod bodies {
    use super::*;

    pub async fn the_trust_policy_decides(aws: &dyn AwsStack) {
        let client = AwsClient::new(aws.endpoint());
        let user = aws.keys(PLATFORM, GATEWAY_USER);
        let session = gateway(aws, &client, None).await;
        let missing = "arn:aws:iam::444455556666:role/media/nobody";
        let tag = [("ExternalId", EXTERNAL_ID), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
        for (sentence, keys, role, params, allowed) in [
            ("no external id", &session, READER_ROLE, &[][..], false),
            ("another external id", &session, READER_ROLE, &[("ExternalId", "wrong-one")][..], false),
            ("its first letters", &session, READER_ROLE, &[("ExternalId", &EXTERNAL_ID[..5])][..], false),
            ("the right one in another case", &session, READER_ROLE, &[("ExternalId", "CORRECT-HORSE-BATTERY-STAPLE")][..], false),
            ("the right one from the user behind the gateway's role", &user, READER_ROLE, &[("ExternalId", EXTERNAL_ID)][..], false),
            ("a role that is not there", &session, missing, &[("ExternalId", EXTERNAL_ID)][..], false),
            ("session tags that the trust policy does not allow", &session, READER_ROLE, &tag[..], false),
            ("the right one", &session, READER_ROLE, &[("ExternalId", EXTERNAL_ID)][..], true),
        ] {
            match client.assume(keys, role, params).await {
                Ok(_) => assert!(allowed, "{sentence}"),
                Err(reply) => assert_eq!((reply.outcome().as_str(), allowed), ("403 AccessDenied", false), "{sentence}"),
            }
        }
        // A trust policy that is loosened or tightened decides from then on.
        for (external_id, without, with_other) in [(None, true, true), (Some("another-one"), false, false)] {
            aws.trust(CUSTOMER, "media/reader", &trust(external_id)).await;
            assert_eq!(client.assume(&session, READER_ROLE, &[]).await.is_ok(), without, "{external_id:?}");
            assert_eq!(client.assume(&session, READER_ROLE, &[("ExternalId", "some-probe")]).await.is_ok(), with_other, "{external_id:?}");
        }
    }

    pub async fn signatures_and_tokens_are_verified(aws: &dyn AwsStack) {
        let client = AwsClient::new(aws.endpoint());
        let session = gateway(aws, &client, None).await;
        let good = reader(&client, &session, &[]).await;
        let with = |change: fn(&mut Keys)| {
            let mut keys = good.clone();
            change(&mut keys);
            keys
        };
        let path = format!("/{MEDIA}/train/a.jpg");
        for (sentence, keys, s3, sts) in [
            ("a wrong secret", with(|keys| keys.secret_access_key.push('x')), "403 SignatureDoesNotMatch", "403 SignatureDoesNotMatch"),
            ("an unknown key", with(|keys| keys.access_key_id = "ASIAQQQQQQQQQQQQQQQQ".into()), "403 InvalidAccessKeyId", "403 InvalidClientTokenId"),
            ("no session token", with(|keys| keys.session_token = None), "403 InvalidAccessKeyId", "403 InvalidClientTokenId"),
            ("another session token", with(|keys| keys.session_token = Some("FwoGZXother".into())), "400 InvalidToken", "403 InvalidClientTokenId"),
            ("everything right", good.clone(), "200", "200"),
        ] {
            assert_eq!(client.get(&keys, MEDIA_REGION, &path).await.outcome(), s3, "S3: {sentence}");
            assert_eq!(client.sts(Some(&keys), &[("Action", "GetCallerIdentity")]).await.outcome(), sts, "STS: {sentence}");
        }
        assert_eq!(client.s3(None, MEDIA_REGION, Method::GET, &path, &[]).await.outcome(), "403 AccessDenied", "not signed at all");
        let mut late = AwsClient::new(aws.endpoint());
        late.skew = -1000;
        assert_eq!(late.get(&good, MEDIA_REGION, &path).await.outcome(), "403 RequestTimeTooSkewed", "signed 1,000 seconds ago");
        let identity = client.sts(Some(&good), &[("Action", "GetCallerIdentity")]).await;
        assert_eq!(identity.element("Arn").as_deref(), Some("arn:aws:sts::444455556666:assumed-role/reader/test-session"));
        assert_eq!(identity.element("Account").as_deref(), Some("444455556666"));
    }

    pub async fn policies_meet(aws: &dyn AwsStack) {
        let client = AwsClient::new(aws.endpoint());
        let untagged = gateway(aws, &client, None).await;
        let acme = gateway(aws, &client, Some("acme")).await;
        let other = gateway(aws, &client, Some("other")).await;
        let train = statements(json!([
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{MEDIA}/train/*")},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{MEDIA}"), "Condition": {"StringLike": {"s3:prefix": "train/*"}}},
        ]))
        .to_string();
        let all = reader(&client, &untagged, &[]).await;
        let narrow = reader(&client, &untagged, &[("Policy", &train)]).await;
        let object = |bucket: &str, key: &str| format!("/{bucket}/{key}");
        let listing = |bucket: &str, prefix: &str| format!("/{bucket}?list-type=2&prefix={prefix}");
        let (near, east) = (NEAR, "us-east-1");
        for (sentence, keys, region, target, outcome) in [
            ("the role reads its bucket", &all, MEDIA_REGION, object(MEDIA, "private/x.txt"), "200"),
            ("the role lists it", &all, MEDIA_REGION, listing(MEDIA, ""), "200"),
            ("the role has nothing to do with another bucket", &all, east, object(near, "a.txt"), "403 AccessDenied"),
            ("a session policy narrows reading", &narrow, MEDIA_REGION, object(MEDIA, "private/x.txt"), "403 AccessDenied"),
            ("a session policy lets through what it names", &narrow, MEDIA_REGION, object(MEDIA, "train/a.jpg"), "200"),
            ("a session policy narrows listing", &narrow, MEDIA_REGION, listing(MEDIA, "private/"), "403 AccessDenied"),
            ("and listing everything", &narrow, MEDIA_REGION, format!("/{MEDIA}?list-type=2"), "403 AccessDenied"),
            ("listing below its prefix", &narrow, MEDIA_REGION, listing(MEDIA, "train/"), "200"),
            ("a bucket policy asks for the organization's tag: none", &untagged, east, object(near, "a.txt"), "403 AccessDenied"),
            ("another organization's", &other, east, object(near, "a.txt"), "403 AccessDenied"),
            ("the organization's", &acme, east, object(near, "a.txt"), "200"),
            ("listing by the organization's tag", &acme, east, listing(near, ""), "200"),
            ("listing by another's", &other, east, listing(near, ""), "403 AccessDenied"),
            ("the gateway's own role does not read customers' buckets", &acme, MEDIA_REGION, object(MEDIA, "train/a.jpg"), "403 AccessDenied"),
            ("a bucket that is not there", &all, MEDIA_REGION, object("customer-nowhere", "a"), "404 NoSuchBucket"),
            ("a key that is not there, for one who may list", &all, MEDIA_REGION, object(MEDIA, "train/none"), "404 NoSuchKey"),
        ] {
            assert_eq!(client.get(keys, region, &target).await.outcome(), outcome, "{sentence}");
        }
    }

    pub async fn presigned_requests_end(aws: &dyn AwsStack) {
        let mut client = AwsClient::new(aws.endpoint());
        let session = gateway(aws, &client, None).await;
        let keys = reader(&client, &session, &[]).await;
        let path = format!("/{MEDIA}/train/a.jpg");
        let fresh = client.presign(&keys, MEDIA_REGION, &path, Duration::from_secs(60));
        let get = async |target: &str| AwsClient::new(aws.endpoint()).s3(None, MEDIA_REGION, Method::GET, target, &[]).await.outcome();
        assert_eq!(get(&fresh).await, "200");
        assert_eq!(get(&fresh.replace("train/a", "train/b")).await, "403 SignatureDoesNotMatch", "for another object");
        assert_eq!(get(&fresh.replace("Expires=60", "Expires=600")).await, "403 SignatureDoesNotMatch", "made to last longer");
        client.skew = -120;
        assert_eq!(get(&client.presign(&keys, MEDIA_REGION, &path, Duration::from_secs(60))).await, "403 AccessDenied", "a minute too old");
    }

    pub async fn keys_are_exact_bytes(aws: &dyn AwsStack) {
        let client = AwsClient::new(aws.endpoint());
        let session = gateway(aws, &client, None).await;
        let keys = reader(&client, &session, &[]).await;
        for key in ODD_KEYS {
            let encoded: Vec<String> = key.split('/').map(|part| percent_encoding::utf8_percent_encode(part, UNRESERVED).to_string()).collect();
            let reply = client.get(&keys, MEDIA_REGION, &format!("/{MEDIA}/{}", encoded.join("/"))).await;
            assert_eq!((reply.outcome().as_str(), reply.text().as_str()), ("200", key), "{key}");
        }
    }

    pub async fn pages_cover_a_listing(aws: &dyn AwsStack) {
        let client = AwsClient::new(aws.endpoint());
        let session = gateway(aws, &client, None).await;
        let keys = reader(&client, &session, &[]).await;
        let all =
            |name: &str, text: &str| text.split(&format!("<{name}>")).skip(1).filter_map(|rest| rest.split('<').next().map(str::to_owned)).collect::<Vec<_>>();
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..20 {
            let more =
                token.map(|token: String| format!("&continuation-token={}", percent_encoding::utf8_percent_encode(&token, UNRESERVED))).unwrap_or_default();
            let page = client.get(&keys, MEDIA_REGION, &format!("/{MEDIA}?list-type=2&max-keys=2&prefix=train%2F&delimiter=%2F{more}")).await;
            assert_eq!(page.outcome(), "200");
            let text = page.text();
            assert!(all("Key", &text).len() + all("CommonPrefixes", &text).len() <= 2, "{text}");
            found.extend(all("Key", &text));
            found.extend(text.split("<CommonPrefixes>").skip(1).filter_map(|rest| all("Prefix", rest).into_iter().next()));
            token = page.element("NextContinuationToken");
            assert_eq!(page.element("IsTruncated").as_deref(), Some(if token.is_some() { "true" } else { "false" }));
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, ["train/a.jpg", "train/b.jpg", "train/deep/"]);
    }
}

const UNRESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
