//! The master key and the store belong together: a record in the store proves that the key is the one it was written under.

use std::path::Path;

use bytes::Bytes;

use crate::model::{Error, Random, Result};
use crate::store::{Expect, Op, Record, Store};
use crate::vault::Vault;

const PROOF: &str = "vault/proof";

/// SECURITY H15: a wrong or missing key ends the start; nothing is written and no new key is made. Only a store without a proof,
/// which is a new one, gets a key.
pub async fn open(store: &dyn Store, key_file: &Path, random: &Random) -> Result<Vault> {
    match store.get(PROOF).await? {
        Some(record) => {
            let vault = Vault::open(key_file, false, random)?;
            prove(&vault, &record)?;
            Ok(vault)
        }
        None => {
            let vault = Vault::open(key_file, true, random)?;
            store.apply(vec![Op::Put { key: PROOF.to_owned(), value: Bytes::from(vault.proof()?), expect: Expect::Absent }]).await?;
            Ok(vault)
        }
    }
}

/// Whether the key in the file is the one that the store was written under. A store without a proof is new: any key will do.
pub async fn check(store: &dyn Store, key_file: &Path, random: &Random) -> Result<()> {
    match store.get(PROOF).await? {
        Some(record) => prove(&Vault::open(key_file, false, random)?, &record),
        None => Ok(()),
    }
}

fn prove(vault: &Vault, record: &Record) -> Result<()> {
    let proof =
        std::str::from_utf8(&record.value).map_err(|error| Error::internal("store_corrupt", "the proof of the master key is not text").with_source(error))?;
    vault.proves(proof)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryStore;

    fn random(byte: u8) -> Random {
        Arc::new(move |buffer: &mut [u8]| buffer.fill(byte))
    }

    #[tokio::test]
    async fn h15_a_wrong_or_missing_key_ends_the_start_and_none_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let key_file = folder.path().join("master.key");
        open(&store, &key_file, &random(1)).await.map(drop).expect("a new store gets a key");
        open(&store, &key_file, &random(9)).await.map(drop).expect("and opens with it again");

        let elsewhere = folder.path().join("gone.key");
        assert!(open(&store, &elsewhere, &random(2)).await.is_err(), "missing");
        assert!(!elsewhere.exists(), "no key is made for a store that has one");

        let other = folder.path().join("other.key");
        open(&MemoryStore::default(), &other, &random(3)).await.map(drop).unwrap();
        let before = store.scan("", None, 10).await.unwrap();
        let Err(error) = open(&store, &other, &random(4)).await else { panic!("a wrong key is accepted") };
        assert_eq!(error.code(), "wrong_master_key");
        assert_eq!(store.scan("", None, 10).await.unwrap(), before);
    }
}
