//! What a sealed secret survives, and what it must not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::model::{ConnectionName, Digest, ExternalId, Timestamp};

// `Secret` and `Vault` must not be printable: with a `Debug` of their own these lines are ambiguous and do not compile.
trait NotPrintable<A> {
    fn proof() {}
}
struct Printable;
impl<T: ?Sized> NotPrintable<()> for T {}
impl<T: ?Sized + std::fmt::Debug> NotPrintable<Printable> for T {}
const _: fn() = || {
    <Secret as NotPrintable<_>>::proof();
    <Vault as NotPrintable<_>>::proof();
    <Connection as NotPrintable<_>>::proof();
};

fn vault() -> Vault {
    Vault::new(&[7; 32]).expect("a key")
}

/// A connection of `acme` with `secret` sealed in revision 1 as its field `password`.
fn connection(vault: &Vault, secret: &[u8]) -> Connection {
    let mut connection = Connection::new(
        ConnectionId(uuid::Uuid::from_u128(1)),
        OrgId::new("acme").expect("an organization"),
        ConnectionName::new("one").expect("a name"),
        "https_basic".to_owned(),
        Digest([0; 32]),
        ExternalId::new("x".repeat(32)).expect("an id"),
        Timestamp::from_millis(0),
    );
    let sealed = vault.seal(&connection.org, connection.id, "password", 1, &Secret::new(secret.to_vec())).expect("sealed");
    connection.secrets.insert("password".to_owned(), sealed);
    connection
}

fn code<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "it worked".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn m19_a_secret_that_was_moved_does_not_open() {
    type Change = fn(&mut Connection);
    let moves: &[(&str, Change)] = &[
        ("to another field", |c| {
            let sealed = c.secrets["password"].clone();
            c.secrets.insert("token".to_owned(), sealed);
            c.secrets.remove("password");
        }),
        ("to another organization", |c| c.org = OrgId::new("rival").expect("an organization")),
        ("to another connection", |c| c.id = ConnectionId(uuid::Uuid::from_u128(2))),
        ("to another revision", |c| {
            c.revision = 2;
            c.secrets.get_mut("password").expect("there").revision = 2;
        }),
        ("to before it was sealed", |c| c.revision = 0),
        ("to another key's name", |c| c.secrets.get_mut("password").expect("there").key_id = "00000000".to_owned()),
    ];
    let vault = vault();
    for (what, change) in moves {
        let mut moved = connection(&vault, b"hunter2");
        change(&mut moved);
        let name = moved.secrets.keys().next().expect("one").clone();
        assert_eq!(code(vault.unseal(&moved, &name)), "secret_unreadable", "{what}");
    }
    assert_eq!(code(vault.unseal(&connection(&vault, b"x"), "none")), "no_such_secret");
    assert_eq!(code(Vault::new(&[8; 32]).expect("a key").unseal(&connection(&vault, b"hunter2"), "password")), "secret_unreadable");
}

#[test]
fn m19_parts_cannot_be_shifted_against_each_other() {
    let vault = vault();
    let id = ConnectionId(uuid::Uuid::from_u128(1));
    let seal = |org: &str, field: &str| (OrgId::new(org).expect("an organization"), field.to_owned());
    let ((org_a, field_a), (org_b, field_b)) = (seal("ab", "c"), seal("a", "bc"));
    let sealed = vault.sealer.seal(Place::Field { org: &org_a, connection: id, field: &field_a, revision: 1 }, &Secret::new(vec![1])).expect("sealed");
    assert!(vault.sealer.open(Place::Field { org: &org_b, connection: id, field: &field_b, revision: 1 }, &sealed).is_none());
    assert!(vault.sealer.open(Place::Proof, &sealed).is_none());
}

#[test]
fn m19_every_flipped_bit_and_every_cut_is_refused() {
    let vault = vault();
    let whole = connection(&vault, b"hunter2");
    let bytes = STANDARD.decode(&whole.secrets["password"].sealed).expect("base64");
    let open = |bytes: &[u8]| {
        let mut changed = whole.clone();
        changed.secrets.get_mut("password").expect("there").sealed = STANDARD.encode(bytes);
        code(vault.unseal(&changed, "password"))
    };
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&flipped), "secret_unreadable", "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(open(&bytes[..length]), "secret_unreadable", "{length} bytes");
    }
    assert_eq!(open(&bytes), "it worked");
}

#[test]
fn h04_secrets_are_at_most_8_kib_and_come_back_as_they_were() {
    let vault = vault();
    let whole = connection(&vault, b"");
    let too_long = vault.seal(&whole.org, whole.id, "password", 1, &Secret::new(vec![0; MAX_SECRET + 1]));
    assert_eq!(code(too_long), "secret_too_large");
    for secret in [vec![], b"p:w:d".to_vec(), "пароль".into(), vec![0xff; MAX_SECRET]] {
        let opened = vault.unseal(&connection(&vault, &secret), "password");
        assert!(opened.is_ok_and(|opened| opened.expose() == secret), "{} bytes", secret.len());
    }
    let (one, two) = (connection(&vault, b"same"), connection(&vault, b"same"));
    assert_ne!(one.secrets["password"].sealed, two.secrets["password"].sealed, "each sealing has a nonce of its own");
}

#[test]
fn h14_a_sealed_record_shows_nothing_of_the_secret() {
    let canary = b"canary-4f1d-secret";
    let text = serde_json::to_string(&connection(&vault(), canary)).expect("JSON");
    let forms = [String::from_utf8_lossy(canary).into_owned(), STANDARD.encode(canary), hex::encode(canary)];
    assert!(forms.iter().all(|form| !text.contains(form)), "{text}");
}

#[test]
fn h15_another_key_cannot_prove_itself() {
    let (ours, other) = (vault(), Vault::new(&[8; 32]).expect("a key"));
    let proof = ours.proof().expect("sealed");
    ours.proves(&proof).expect("the same key");
    vault().proves(&proof).expect("the same key after a restart");
    let named = format!("{}:{}", ours.sealer.key_id(), other.proof().expect("sealed").split_once(':').expect("two parts").1);
    for wrong in [other.proof().expect("sealed"), named, String::new(), "x".to_owned(), "07070707:AAAA".to_owned()] {
        assert_eq!(code(ours.proves(&wrong)), "wrong_master_key", "{wrong}");
    }
}

#[test]
fn derived_keys_differ_by_purpose_and_by_master_key() {
    let vault = vault();
    let keys = [vault.derive("cache"), vault.derive("cursors"), vault.derive(""), Vault::new(&[8; 32]).expect("a key").derive("cache"), [7; 32], [0; 32]];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key), "{index}");
    }
    assert_eq!(vault.derive("cache"), self::vault().derive("cache"));
}

#[test]
fn keys_are_derived_as_rfc_5869_says() {
    use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
    let derivation = Salt::new(HKDF_SHA256, b"portcullis master key").extract(&[7; 32]);
    let mut expected = [0; 32];
    derivation.expand(&[b"derive:cache"], HKDF_SHA256).expect("short").fill(&mut expected).expect("its length");
    assert_eq!(vault().derive("cache"), expected);
}

struct KeyFile(tempfile::TempDir);

impl KeyFile {
    fn holding(text: &str, mode: u32) -> Self {
        let file = Self(tempfile::tempdir().expect("a folder"));
        fs::write(file.path(), text).expect("written");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("changed");
        file
    }
    fn path(&self) -> PathBuf {
        self.0.path().join("master.key")
    }
    fn open(&self, create: bool) -> Result<Vault> {
        let random: Random = Arc::new(|buffer: &mut [u8]| buffer.fill(9));
        Vault::open(&self.path(), create, &random)
    }
}

#[test]
fn h15_a_bad_key_file_is_refused_and_left_as_it_is() {
    let good = "ab".repeat(32);
    let cases = [
        ("open to the group", good.clone(), 0o640, "master_key_not_private"),
        ("open to all", good.clone(), 0o604, "master_key_not_private"),
        ("empty", String::new(), 0o600, "master_key_unusable"),
        ("too short", good[2..].to_owned(), 0o600, "master_key_unusable"),
        ("too long", format!("{good}ab"), 0o600, "master_key_unusable"),
        ("more behind it", format!("{good}\n\nmore"), 0o600, "master_key_unusable"),
        ("not hex", "xy".repeat(32), 0o600, "master_key_unusable"),
    ];
    for (what, text, mode, expected) in cases {
        let file = KeyFile::holding(&text, mode);
        for create in [false, true] {
            assert_eq!(code(file.open(create)), expected, "{what}");
        }
        assert_eq!(fs::read_to_string(file.path()).expect("there"), text, "{what}");
    }
    for mode in [0o600, 0o400] {
        assert_eq!(code(KeyFile::holding(&format!("{good}\n"), mode).open(false)), "it worked");
    }
}

#[test]
fn h15_a_missing_key_is_made_only_when_told_to() {
    let file = KeyFile(tempfile::tempdir().expect("a folder"));
    assert_eq!(code(file.open(false)), "no_master_key");
    assert_eq!(fs::read_dir(file.0.path()).expect("listed").count(), 0, "nothing was made");
    let proof = file.open(true).expect_or_panic().proof().expect("sealed");
    assert_eq!(fs::metadata(file.path()).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(file.path()).expect("there"), format!("{}\n", "09".repeat(32)));
    assert_eq!(fs::read_dir(file.0.path()).expect("listed").count(), 1, "no temporary file is left");
    file.open(true).expect_or_panic().proves(&proof).expect("the key stays");
}

/// `Result::expect` wants a `Debug` that the vault does not have.
trait ExpectOrPanic<T> {
    fn expect_or_panic(self) -> T;
}
impl<T> ExpectOrPanic<T> for Result<T> {
    fn expect_or_panic(self) -> T {
        self.unwrap_or_else(|error| panic!("{error:?}"))
    }
}
