//! A token is good for what it was made for, and for nothing that was changed in it.

use std::time::Duration;

use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LIFE: Duration = Duration::from_secs(900);

fn signer(key: u8) -> Signer {
    Signer([key; 32])
}

fn signed() -> Signed {
    Signed {
        org: OrgId::new("acme").unwrap(),
        token: TokenId(Uuid::from_u128(7)),
        connection: ConnectionId(Uuid::from_u128(9)),
        version: 3,
        head: false,
        expires_at: NOW.plus(LIFE),
        source: SourcePath::new("s3://films/日本 #1.mp4").unwrap(),
    }
}

fn code(outcome: Result<Signed>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned())
}

#[test]
fn l09_a_token_comes_back_as_it_was_made_until_its_time_is_over() {
    let (mine, text) = (signer(1), signer(1).seal(&signed()));
    assert_eq!(mine.judge(&text, false, NOW).unwrap(), signed());
    let end = NOW.plus(LIFE);
    let last = Timestamp::from_millis(end.millis() - 1);
    for (now, told) in [(Timestamp::from_millis(0), "ok"), (last, "ok"), (end, "signed_url_expired"), (end.plus(LIFE), "signed_url_expired")] {
        assert_eq!(code(mine.judge(&text, false, now)), told, "{now}");
    }
    let bodiless = mine.seal(&Signed { head: true, ..signed() });
    for (text, head, told) in [(&text, true, "method_not_signed"), (&bodiless, true, "ok"), (&bodiless, false, "method_not_signed")] {
        assert_eq!(code(mine.judge(text, head, NOW)), told);
    }
}

#[test]
fn l09_what_was_altered_in_any_bit_of_any_part_is_nobodys() {
    let mine = signer(1);
    let text = mine.seal(&signed());
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();
    assert_eq!(bytes.len(), MAC + 51 + "acme".len() + signed().source.as_str().len());
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(code(mine.judge(&BASE64_URL_SAFE_NO_PAD.encode(altered), false, NOW)), "invalid_signature", "bit {bit}");
    }
    for length in 0..text.len() {
        assert_eq!(code(mine.judge(&text[..length], false, NOW)), "invalid_signature", "cut to {length}");
    }
    for (what, other) in [
        ("longer", format!("{text}A")),
        ("padded", format!("{text}=")),
        ("in another alphabet", text.replace(['-', '_'], "+")),
        ("much longer", "A".repeat(1 << 20)),
        ("twice", text.repeat(2)),
        ("nothing", String::new()),
        ("another key's", signer(2).seal(&signed())),
    ] {
        if other != text {
            assert_eq!(code(mine.judge(&other, false, NOW)), "invalid_signature", "{what}");
        }
    }
    // Forged or expired, the time is not looked at before the signature is.
    assert_eq!(code(mine.judge(&signer(2).seal(&signed()), false, NOW.plus(LIFE))), "invalid_signature");
}

#[test]
fn l09_no_two_things_to_open_have_one_token_and_the_longest_has_room() {
    let mine = signer(1);
    let longest = SourcePath::new("k".repeat(4096)).unwrap();
    let variants = [
        signed(),
        Signed { org: OrgId::new("acm").unwrap(), source: SourcePath::new("es3://films/日本 #1.mp4").unwrap(), ..signed() },
        Signed { token: TokenId(Uuid::from_u128(8)), ..signed() },
        Signed { connection: ConnectionId(Uuid::from_u128(8)), ..signed() },
        Signed { version: 4, ..signed() },
        Signed { head: true, ..signed() },
        Signed { expires_at: NOW.plus(LIFE * 2), ..signed() },
        Signed { org: OrgId::new("o".repeat(64)).unwrap(), source: longest, ..signed() },
    ];
    let texts: std::collections::BTreeSet<String> = variants.iter().map(|one| mine.seal(one)).collect();
    assert_eq!(texts.len(), variants.len());
    for one in variants {
        let text = mine.seal(&one);
        assert!(text.len() <= MAX_SIGNED && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{}", text.len());
        assert_eq!(mine.open(&text), Some(one));
    }
}

#[test]
fn l09_a_stranger_learns_the_code_and_the_log_the_reason() {
    let error = Error::rejected("upstream_auth_failed", "arn:aws:iam::1:role/x may not").with_remedy("change role x").with_retry_after(7);
    let told = for_a_stranger(error);
    assert_eq!((told.kind(), told.code(), told.retry_after()), (Kind::Rejected, "upstream_auth_failed", Some(7)));
    assert!(!told.message().contains("arn:") && told.remedy().is_some_and(|remedy| !remedy.contains("role x")));
    assert!(format!("{told:?}").contains("arn:aws:iam::1:role/x may not"), "{told:?}");
}
