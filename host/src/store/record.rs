//! How a record lies on disk: 8 bytes version, 8 bytes checksum, value. The checksum covers the key too, so that a record that
//! turns up under another key is as wrong as one whose bits have flipped.

use bytes::Bytes;

use super::Record;
use crate::model::{Error, Result};

const HEADER: usize = 16;

pub(super) fn encode(key: &str, version: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&checksum(key, version, value));
    bytes.extend_from_slice(value);
    bytes
}

/// `Internal` (`store_corrupt`), naming the key, when this is not what `encode` made for it.
pub(super) fn decode(key: &str, bytes: &[u8]) -> Result<Record> {
    let (version, value) = split(key, bytes)?;
    Ok(Record { version, value: Bytes::copy_from_slice(value) })
}

/// The version alone, checked in the same way.
pub(super) fn version(key: &str, bytes: &[u8]) -> Result<u64> {
    split(key, bytes).map(|(version, _)| version)
}

pub(super) fn corrupt(key: &str, why: &str) -> Error {
    Error::internal("store_corrupt", format!("the record {key:?} is damaged: {why}")).with_remedy("check the disk, then restore the data folder from a backup")
}

fn split<'a>(key: &str, bytes: &'a [u8]) -> Result<(u64, &'a [u8])> {
    let (version, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| corrupt(key, "it is cut off"))?;
    let (sum, value) = rest.split_first_chunk::<8>().ok_or_else(|| corrupt(key, "it is cut off"))?;
    let version = u64::from_be_bytes(*version);
    if *sum == checksum(key, version, value) { Ok((version, value)) } else { Err(corrupt(key, "its checksum does not match")) }
}

/// BLAKE3, cut to 64 bits: against accidents, not against an attacker (secrets are sealed by `vault`).
fn checksum(key: &str, version: u64, value: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key.as_bytes());
    hasher.update(&version.to_be_bytes());
    hasher.update(value);
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c09_every_flipped_bit_is_detected() {
        let good = encode("connections/acme/one", 7, b"{\"role\":\"x\"}");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = decode("connections/acme/one", &bad).expect_err("a flipped bit");
            assert_eq!(error.code(), "store_corrupt", "bit {bit}");
            assert!(error.message().contains("connections/acme/one"), "the message names the key");
        }
        assert_eq!(decode("connections/acme/one", &good).expect("as written").version, 7);
    }

    #[test]
    fn c09_a_record_under_another_key_or_cut_short_is_detected() {
        let good = encode("connections/acme/one", 7, b"value");
        assert!(decode("connections/rival/one", &good).is_err());
        for length in 0..good.len() {
            assert!(decode("connections/acme/one", &good[..length]).is_err(), "{length} bytes");
        }
    }
}
