//! Recipes as tables; the secrets are in the closure.

use proptest::prelude::*;

use super::*;

/// 1994-11-06T08:49:37Z, RFC 9110's own example.
const NOW: Timestamp = Timestamp::from_millis(784_111_777_500);

fn secrets(name: &str) -> Result<Bytes> {
    let value: &[u8] = match name {
        "password" => b"p:w:d",
        "cyrillic" => "пароль".as_bytes(),
        "empty" => b"",
        "token" => b"abc.DEF-_~+/==",
        "spaced" => b"a b",
        "line" => b"abc\r\nX-Evil: 1",
        "quoted" => b"a\"b,c",
        "long" => return Ok(Zeroizing::new(vec![b'k'; 8 << 10])),
        "binary" => &[0, 255, 7],
        _ => return Err(Error::internal("secret_unreadable", "no such secret")),
    };
    Ok(Zeroizing::new(value.to_vec()))
}

/// A ranged GET.
fn evaluated(credential: &Credential) -> Result<Headers> {
    let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=0-9")), (header::IF_MATCH, HeaderValue::from_static("\"e\""))]);
    evaluate(credential, &secrets, Asked { method: "GET", path: "/a%20b//c", headers: &headers, now: NOW })
}

fn value(credential: &Credential) -> Result<String> {
    let (_, value) = evaluated(credential)?.pop().expect("a header");
    let secret = !credential.secret_names().is_empty();
    assert_eq!(value.is_sensitive(), secret, "what a secret went into, and nothing else");
    assert!(!format!("{value:?}").contains("abc"), "a sensitive header is not shown");
    Ok(value.to_str().expect("text").to_owned())
}

fn of_pieces(pieces: Vec<Piece>) -> Result<String> {
    value(&Credential::Headers(vec![Header { name: "x-api-key".to_owned(), pieces }]))
}

fn basic_with(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: password.to_owned() }
}

#[test]
fn h01_h02_h09_what_is_no_credential_is_refused() {
    let refused = [
        basic_with("al:ice", "password"),
        basic_with("al\nice", "password"),
        basic_with("alice", "line"),
        Credential::Bearer { token: "empty".to_owned() },
        Credential::Bearer { token: "spaced".to_owned() },
        Credential::Bearer { token: "line".to_owned() },
        Credential::Bearer { token: "cyrillic".to_owned() },
    ];
    for credential in refused {
        assert_eq!(value(&credential).expect_err("refused").code(), "credential_unusable", "{credential:?}");
    }
    assert_eq!(value(&basic_with("alice", "nowhere")).expect_err("absent").code(), "secret_unreadable");
}

#[test]
fn h01_h02_h04_basic_and_bearer_are_exact() {
    assert_eq!(value(&basic_with("alice", "password")).expect("p:w:d"), format!("Basic {}", STANDARD.encode("alice:p:w:d")));
    assert_eq!(value(&basic_with("alice", "empty")).expect("an empty password"), "Basic YWxpY2U6");
    assert_eq!(value(&basic_with("üser", "cyrillic")).expect("UTF-8"), format!("Basic {}", STANDARD.encode("üser:пароль")));
    assert!(value(&basic_with("alice", "long")).is_ok());
    assert_eq!(value(&Credential::Bearer { token: "token".to_owned() }).expect("a token"), "Bearer abc.DEF-_~+/==");
    assert_eq!(value(&Credential::Bearer { token: "quoted".to_owned() }).expect("visible"), "Bearer a\"b,c");
    assert!(evaluated(&Credential::Anonymous).expect("anonymous").is_empty());
}

#[test]
fn h03_pieces_that_make_no_header_are_refused() {
    let text = |text: &str| Piece::Text(text.to_owned());
    let refused = [
        ("no piece", vec![]),
        ("too many", vec![text("a"); 33]),
        ("names itself", vec![Piece::Concat(vec![0])]),
        ("names a later one", vec![Piece::Base64Encode(1), text("a")]),
        ("a line break", vec![text("a\r\nb")]),
        ("a line feed", vec![text("a\nb: c")]),
        ("a line feed in a part", vec![text("a"), text("\n"), Piece::Concat(vec![0, 1])]),
        ("a secret with one", vec![Piece::Secret("line".to_owned())]),
        ("a space at the end", vec![text("a ")]),
        ("bytes", vec![Piece::Secret("binary".to_owned())]),
        ("not ASCII", vec![text("ü")]),
        ("empty", vec![text("")]),
        ("not base64", vec![text("$$$"), Piece::Base64Decode(0)]),
        ("grows without end", {
            let mut pieces = vec![text(&"x".repeat(1024))];
            pieces.extend((0..20).map(|index| Piece::Concat(vec![index, index])));
            pieces
        }),
    ];
    for (why, pieces) in refused {
        assert_eq!(of_pieces(pieces).expect_err(why).code(), "credential_unusable", "{why}");
    }
}

#[test]
fn pieces_are_evaluated_in_order() {
    let text = |text: &str| Piece::Text(text.to_owned());
    let cases = [
        (vec![Piece::Secret("token".to_owned())], "abc.DEF-_~+/==".to_owned()),
        (vec![text("Token "), Piece::Secret("token".to_owned()), Piece::Concat(vec![0, 1])], "Token abc.DEF-_~+/==".to_owned()),
        (vec![Piece::Secret("binary".to_owned()), Piece::Base64Encode(0)], "AP8H".to_owned()),
        (vec![text("aGk="), Piece::Base64Decode(0)], "hi".to_owned()),
        (vec![Piece::Timestamp(TimestampFormat::HttpDate)], "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        (vec![Piece::Timestamp(TimestampFormat::Rfc3339)], "1994-11-06T08:49:37Z".to_owned()),
        (vec![Piece::Timestamp(TimestampFormat::UnixSeconds)], "784111777".to_owned()),
        (vec![Piece::Timestamp(TimestampFormat::Basic)], "19941106T084937Z".to_owned()),
        (vec![Piece::Timestamp(TimestampFormat::BasicDate)], "19941106".to_owned()),
        (vec![Piece::Request(RequestPart::Method)], "GET".to_owned()),
        (vec![Piece::Request(RequestPart::Path)], "/a%20b//c".to_owned()),
        (vec![Piece::Request(RequestPart::Range)], "bytes=0-9".to_owned()),
        (vec![Piece::Request(RequestPart::IfMatch)], "\"e\"".to_owned()),
        (vec![text("none: "), Piece::Request(RequestPart::IfNoneMatch), text("."), Piece::Concat(vec![0, 1, 2])], "none: .".to_owned()),
        (vec![Piece::Secret("binary".to_owned()), Piece::HexEncode(0)], "00ff07".to_owned()),
        // FIPS 180-4's example; lines are joined before they are hashed.
        (vec![text("abc"), Piece::Sha256(0), Piece::HexEncode(1)], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()),
        (vec![text("a\nb"), Piece::Base64Encode(0)], "YQpi".to_owned()),
        // RFC 4231, test case 2.
        (
            vec![text("Jefe"), text("what do ya want for nothing?"), Piece::HmacSha256 { key: 0, message: 1 }, Piece::Base64Encode(2)],
            STANDARD.encode(hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hex")),
        ),
    ];
    for (pieces, expected) in cases {
        assert_eq!(of_pieces(pieces).expect("a header"), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn h02_basic_is_base64_of_the_exact_bytes(user in "[^:\\pC]{0,40}", password in "\\PC{0,40}") {
        let made = basic(user.as_bytes(), password.as_bytes()).expect("a header");
        prop_assert_eq!(made.to_str().expect("text"), format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    }
}
