//! A logical backup: every record as a line of JSON. The answer to a store that no tool can repair.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{MAX_SCAN, Store};
use crate::model::{Error, Result};

const FORMAT: u32 = 1;

/// Writes a head (`{"portcullis_export":1}`), a line `{"key","version","value"}` (base64) for each record in key order, and a foot
/// `{"records","blake3"}` whose hash covers all bytes before it: a file without a matching foot is not whole. Returns the number of
/// records. Secrets are in it as they are in the store: sealed. Writing blocks; records written meanwhile may or may not be in it.
pub async fn export(store: &dyn Store, out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut hasher = blake3::Hasher::new();
    let mut records = 0;
    let mut line = |out: &mut (dyn Write + Send), value: &serde_json::Value| {
        let text = format!("{value}\n");
        hasher.update(text.as_bytes());
        let sum = hasher.finalize().to_hex();
        out.write_all(text.as_bytes()).map(|()| sum).map_err(|error| Error::unavailable("export_failed", "the export could not be written").with_source(error))
    };
    let mut sum = line(out, &json!({ "portcullis_export": FORMAT }))?;
    let mut after: Option<String> = None;
    loop {
        let page = store.scan("", after.as_deref(), MAX_SCAN).await?;
        for (key, record) in &page {
            sum = line(out, &json!({ "key": key, "version": record.version, "value": STANDARD.encode(&record.value) }))?;
            records += 1;
        }
        match page.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => break,
        }
    }
    line(out, &json!({ "records": records, "blake3": sum.as_str() }))?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Expect, MemoryStore, Op};

    #[tokio::test]
    async fn c16_an_export_holds_every_record_and_proves_that_it_is_whole() {
        let store = MemoryStore::default();
        for start in (0..2500).step_by(500) {
            let batch = (start..start + 500).map(|n| Op::Put { key: format!("k/{n:05}"), value: vec![0xff, n as u8].into(), expect: Expect::Absent }).collect();
            store.apply(batch).await.expect("written");
        }
        let mut out = Vec::new();
        assert_eq!(export(&store, &mut out).await.expect("exported"), 2500);
        let text = String::from_utf8(out).expect("text");
        let (body, foot) = text.trim_end().rsplit_once('\n').expect("lines");
        let foot: serde_json::Value = serde_json::from_str(foot).expect("JSON");
        assert_eq!(foot["records"], 2500);
        assert_eq!(foot["blake3"], blake3::hash(format!("{body}\n").as_bytes()).to_hex().as_str());
        let lines: Vec<serde_json::Value> = body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0]["portcullis_export"], 1);
        assert_eq!((lines.len(), &lines[1]["key"], &lines[2500]["key"]), (2501, &json!("k/00000"), &json!("k/02499")));
        assert_eq!(lines[2500]["value"], STANDARD.encode([0xff, 2499_u16 as u8]));
    }
}
