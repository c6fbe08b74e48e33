//! Credentials and locations that are refused, and how the others arrive.

use super::*;
use crate::runtime::bindings::portcullis::connector::types::{
    AssumeRoleCredential, BasicCredential, Credential as Wit, HeaderCredential, Hmac, HttpObject as WitHttp, Oauth2Credential, Piece as WitPiece,
    RequestPart as WitPart, TimestampFormat as WitTime,
};

fn header(pieces: Vec<WitPiece>) -> Wit {
    Wit::Headers(vec![HeaderCredential { name: "x-api-key".into(), pieces }])
}
fn role(arn: &str, duration_seconds: u32, region: Option<&str>) -> Wit {
    Wit::AwsAssumeRole(AssumeRoleCredential { role_arn: arn.into(), duration_seconds, region: region.map(Into::into) })
}
fn basic(username: &str, password: &str) -> Wit {
    Wit::Basic(BasicCredential { username: username.into(), password: password.into() })
}
fn oauth2(token_url: &str, client_id: &str) -> Wit {
    Wit::Oauth2ClientCredentials(Oauth2Credential {
        token_url: token_url.into(),
        client_id: client_id.into(),
        client_secret: "key".into(),
        scope: None,
        audience: None,
    })
}

const ARN: &str = "arn:aws:iam::123456789012:role/Gateway";

#[test]
fn p13_p15_a_credential_that_breaks_the_contract_is_refused() {
    let cases = [
        ("a user name with a colon", basic("a:b", "password")),
        ("a user name with a newline", basic("a\r\nX-Evil: 1", "password")),
        ("no user name", basic("", "password")),
        ("a secret's name that is none", basic("user", "../password")),
        ("no secret's name", Wit::Bearer(String::new())),
        ("a header's name with a newline", Wit::Headers(vec![HeaderCredential { name: "x\r\ny".into(), pieces: vec![WitPiece::Text("a".into())] }])),
        ("a header's name in upper case", Wit::Headers(vec![HeaderCredential { name: "X-Key".into(), pieces: vec![WitPiece::Text("a".into())] }])),
        ("no headers", Wit::Headers(Vec::new())),
        ("too many headers", Wit::Headers(vec![HeaderCredential { name: "x-key".into(), pieces: vec![WitPiece::Text("a".into())] }; 9])),
        ("no pieces", header(vec![])),
        ("too many pieces", header(vec![WitPiece::Text("a".into()); 33])),
        ("text with a newline", header(vec![WitPiece::Text("a\r\nb".into())])),
        ("text that is too long", header(vec![WitPiece::Text("a".repeat(4097))])),
        ("text with a carriage return", header(vec![WitPiece::Text("a\rb".into())])),
        ("a piece that names itself", header(vec![WitPiece::Base64Encode(0)])),
        ("a digest of itself", header(vec![WitPiece::Sha256(0)])),
        ("hex of a later one", header(vec![WitPiece::HexEncode(1), WitPiece::Text("a".into())])),
        ("a piece that names a later one", header(vec![WitPiece::Concat(vec![1]), WitPiece::Text("a".into())])),
        ("an HMAC over a piece that is not there", header(vec![WitPiece::Secret("key".into()), WitPiece::HmacSha256(Hmac { key: 0, message: u32::MAX })])),
        ("a session of 59 seconds", role(ARN, 59, None)),
        ("a session of 3601 seconds", role(ARN, 3601, None)),
        ("a user's ARN", role("arn:aws:iam::123456789012:user/x", 900, None)),
        ("an unknown region", role(ARN, 900, Some("mars-north-1"))),
        ("a token URL with a newline", oauth2("https://a.example/\n", "id")),
        ("no client id", oauth2("https://a.example/", "")),
    ];
    for (what, wit) in cases {
        let error = credential(wit).err().unwrap_or_else(|| panic!("accepted: {what}"));
        assert_eq!(error.code(), "plugin_contract", "{what}");
    }
}

#[test]
fn credentials_arrive_as_they_were_written() {
    let pieces = vec![
        WitPiece::Secret("key".into()),
        WitPiece::Text("v1:".into()),
        WitPiece::HmacSha256(Hmac { key: 0, message: 1 }),
        WitPiece::Base64Encode(2),
        WitPiece::Concat(vec![1, 3]),
        WitPiece::Request(WitPart::IfNoneMatch),
        WitPiece::Timestamp(WitTime::BasicDate),
        WitPiece::Sha256(5),
        WitPiece::HexEncode(7),
    ];
    let expected = vec![
        Piece::Secret("key".into()),
        Piece::Text("v1:".into()),
        Piece::HmacSha256 { key: 0, message: 1 },
        Piece::Base64Encode(2),
        Piece::Concat(vec![1, 3]),
        Piece::Request(RequestPart::IfNoneMatch),
        Piece::Timestamp(TimestampFormat::BasicDate),
        Piece::Sha256(5),
        Piece::HexEncode(7),
    ];
    assert_eq!(credential(header(pieces)).unwrap(), Credential::Headers(vec![Header { name: "x-api-key".into(), pieces: expected }]));
    assert_eq!(credential(basic("ann", "password")).unwrap(), Credential::Basic { username: "ann".into(), password: "password".into() });
    for seconds in [60, 3600] {
        assert!(matches!(credential(role(ARN, seconds, Some("eu-west-1"))).unwrap(), Credential::AwsAssumeRole(role) if role.duration_seconds == seconds));
    }
}

#[test]
fn p13_urls_and_headers_are_in_wire_form_or_refused() {
    let http = |url: &str, headers: &[(&str, &str)]| {
        http_object(WitHttp { url: url.into(), headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect() })
    };
    let long = format!("https://a.example/{}", "x".repeat(8192));
    for url in ["", "https://a.example/a b", "https://a.example/\r\nHost: evil", "https://a.example/\0", "https://аssets.example/", &long] {
        assert_eq!(http(url, &[]).expect_err(url).code(), "invalid_location");
    }
    for header in [("", "a"), ("Accept", "a"), ("a:b", "c"), ("accept", "a\r\nx: y"), ("accept", "\u{1b}")] {
        assert!(http("https://a.example/", &[header]).is_err(), "{header:?}");
    }
    assert!(http("https://a.example/", &[("accept", "a"); 17]).is_err());
    assert!(http("https://a.example/%20?q=1", &[("accept", "image/*, */*;q=0.1")]).is_ok());
}
