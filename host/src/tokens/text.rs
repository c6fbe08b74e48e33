//! A token's text and its hash. The text is nowhere but in the hands of whoever got it.

use aws_lc_rs::digest;

use crate::model::{Error, Random, Result};

/// Characters of the longest token that can be valid: a given one.
pub(super) const LONGEST: usize = 256;
const SHORTEST: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is just above 2^256.
const DIGITS: usize = 43;

/// SHA-256 of a token. A token has 256 random bits, so its hash tells nothing of it and needs no salt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }
    pub(super) fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

pub(super) fn generate(random: &Random) -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    format!("pct_{}", base62(bytes))
}

/// The number that the bytes are, big end first, in 43 digits.
fn base62(mut number: [u8; 32]) -> String {
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = ALPHABET.get(remainder as usize).copied().unwrap_or(b'0');
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// What an operator chose as a token must be as hard to guess as one of ours; its length is all that can be checked.
pub(super) fn check_given(text: &str) -> Result<()> {
    if (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::invalid("weak_bootstrap_token", format!("a bootstrap token is {SHORTEST} to {LONGEST} visible ASCII characters without spaces"))
            .with_remedy("make one with: openssl rand -hex 32"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m20_base62_keeps_all_256_bits() {
        let mut last = [0; 32];
        last[31] = 61;
        for (bytes, text) in [
            ([0; 32], "0".repeat(43)),
            (last, format!("{}z", "0".repeat(42))),
            // 2^256 - 1, computed elsewhere.
            ([0xff; 32], "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1".to_owned()),
        ] {
            let encoded = base62(bytes);
            assert_eq!(encoded, text);
            assert_eq!(decode(&encoded), bytes, "{encoded}");
        }
    }

    fn decode(text: &str) -> [u8; 32] {
        let mut number = [0_u8; 32];
        for digit in text.bytes() {
            let mut carry = ALPHABET.iter().position(|letter| *letter == digit).expect("a digit") as u32;
            for byte in number.iter_mut().rev() {
                let value = u32::from(*byte) * 62 + carry;
                *byte = (value & 0xff) as u8;
                carry = value >> 8;
            }
            assert_eq!(carry, 0, "it fits");
        }
        number
    }
}
