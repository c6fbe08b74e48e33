//! How external ids are made: at random, and for a probe those that come as near to one as another connection's could (SECURITY M02).

use super::{ExternalId, Random, Result};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 27;

impl ExternalId {
    /// 24 base62 characters, 142 bits. Nobody else chooses one.
    pub fn random(random: &Random) -> Result<Self> {
        let mut id = String::from("pc-");
        while id.len() < LENGTH {
            let mut bytes = [0; 32];
            random(&mut bytes);
            // 248 is the largest multiple of 62 in a byte: what is above would favour some characters.
            let fair = bytes.iter().filter(|byte| **byte < 248).filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
            id.extend(fair.take(LENGTH - id.len()).map(|character| char::from(*character)));
        }
        Self::new(id)
    }

    /// Differs in the last character alone: whoever takes both looks at the beginning only.
    pub fn neighbour(&self) -> Result<Self> {
        let mut id = self.as_str().to_owned();
        let last = id.pop();
        id.push(if last == Some('a') { 'b' } else { 'a' });
        Self::new(id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn v07_m02_external_ids_are_unique_and_long_enough_for_128_bits() {
        let calls = AtomicU64::new(0);
        let random: Random = Arc::new(move |buffer: &mut [u8]| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            blake3::Hasher::new().update(&call.to_le_bytes()).finalize_xof().fill(buffer);
        });
        let ids: HashSet<String> = (0..100_000).map(|_| ExternalId::random(&random).expect("valid").to_string()).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.len() == 27 && id.starts_with("pc-") && id[3..].bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }

    #[test]
    fn t02_a_neighbour_differs_in_its_last_character() {
        for (id, neighbour) in [("pc-0123456789abcdefghijklm", "pc-0123456789abcdefghijkla"), ("pc-0123456789abcdefghijkaa", "pc-0123456789abcdefghijkab")] {
            assert_eq!(ExternalId::new(id).expect("valid").neighbour().expect("valid").as_str(), neighbour);
        }
    }
}
