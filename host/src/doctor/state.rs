//! The data folder, the master key that belongs to it, the audit log under that key, and the plugins that are installed in it.

use std::path::Path;
use std::sync::Arc;

use super::{Finding, Outcome};
use crate::app::{key, random};
use crate::audit::{self, Found};
use crate::config::Config;
use crate::model::{Error, Result};
use crate::plugins;
use crate::store::{SledStore, Store, check_space, examine_folder};
use crate::vault::Vault;

/// What there is of records.
pub enum Data {
    /// The first start makes them.
    None,
    /// A gateway runs on them: they cannot be looked into.
    InUse,
    Open(Arc<dyn Store>),
    Broken,
}

const FOLDER: &str = "data_folder";
const KEY: &str = "master_key";
const AUDIT: &str = "audit";
const PLUGINS: &str = "plugins";

pub async fn data(config: &Config) -> (Data, [Finding; 3]) {
    let folder = &config.settings.data_dir;
    let (data, found) = match open(folder).await {
        Ok(data) => {
            let seen = match data {
                Data::None => "not there yet: the first start makes it",
                Data::InUse => "a gateway is running on it; its records are not looked into",
                Data::Open(_) | Data::Broken => "ours alone, writable, with room; its records can be read",
            };
            (data, Finding::ok(FOLDER, format!("{}: {seen}", folder.display())))
        }
        Err(error) => (Data::Broken, Finding::failed(FOLDER, &error)),
    };
    let key = Finding::of(KEY, master_key(&data, &config.key_file()).await);
    let log = match (&data, key.outcome) {
        (Data::Broken, _) => Finding::ok(AUDIT, "not looked into: the data folder comes first"),
        (_, Outcome::Failed) => Finding::ok(AUDIT, "not looked into: the master key comes first"),
        _ => audit(&folder.join(audit::FOLDER), &config.key_file()),
    };
    (data, [found, key, log])
}

async fn open(folder: &Path) -> Result<Data> {
    if !folder.exists() {
        super::files::can_be_made(folder).map_err(|why| {
            Error::invalid("data_folder_unusable", format!("the data folder {} is not there and cannot be made: {why}", folder.display()))
                .with_remedy("Make the folder above it, or choose another data_dir.")
        })?;
        return Ok(Data::None);
    }
    examine_folder(folder)?;
    check_space(folder)?;
    // Without one, opening would make it.
    if !folder.join("store").exists() {
        return Ok(Data::None);
    }
    match SledStore::open(folder).await {
        Ok(store) => Ok(Data::Open(Arc::new(store))),
        Err(error) if error.code() == "store_in_use" => Ok(Data::InUse),
        Err(error) => Err(error),
    }
}

async fn master_key(data: &Data, file: &Path) -> Result<String> {
    let seen = |what: &str| format!("{}: {what}", file.display());
    match (data, Vault::open(file, false, &random())) {
        (Data::None, Err(error)) if error.code() == "no_master_key" => {
            let why = super::files::can_be_made(file);
            why.map(|()| seen("not there yet: the first start makes it")).map_err(|why| {
                Error::invalid("master_key_unusable", format!("the master key {} cannot be made: {why}", file.display()))
                    .with_remedy("Make the folder above it, or choose another vault.key_file.")
            })
        }
        // Whether there should be one is not known.
        (Data::Broken, Err(error)) if error.code() == "no_master_key" => Ok(seen("not there")),
        (_, Err(error)) => Err(error),
        (Data::Open(store), Ok(_)) => key::check(&**store, file, &random()).await.map(|()| seen("ours alone, and the one that the records were sealed with")),
        (_, Ok(_)) => Ok(seen("ours alone")),
    }
}

/// What the next start will find, and whether it can be written: a gateway that cannot write it uses no credential.
fn audit(folder: &Path, key: &Path) -> Finding {
    let shown = folder.display();
    let missing = || Finding::ok(AUDIT, format!("{shown}: not there yet: the first start makes it"));
    if !folder.exists() {
        return missing();
    }
    let unusable = |why: &str| {
        Error::unavailable("audit_not_writable", format!("{shown}: {why}"))
            .with_remedy("Give the folder, and what is in it, to the gateway's user: while the log cannot be written no credential is used.")
    };
    let found = super::files::writable(folder).map_err(|why| unusable(&why)).and_then(|()| {
        let vault = Vault::open(key, false, &random())?;
        audit::look(folder, vault.derive(audit::KEY)).map_err(|error| unusable(error.message()))
    });
    match found {
        Ok(Found::Nothing) => missing(),
        Ok(Found::Whole) => Finding::ok(AUDIT, format!("{shown}: it can be written, and ends where its anchor says")),
        Ok(Found::Damaged) => {
            let remedy = "`portcullis audit verify` says where. Keep the folder as it is, and find out who could write to it: the log goes on in a new file.";
            Finding::warning(AUDIT, "audit_damaged", format!("{shown}: lines at its end or its anchor are missing, or were changed"), remedy)
        }
        Err(error) => Finding::failed(AUDIT, &error),
    }
}

pub async fn plugins(config: &Config, data: &Data) -> Finding {
    let Data::Open(store) = data else { return Finding::ok(PLUGINS, "none to look at") };
    match plugins::damaged(store.clone(), config.settings.data_dir.join("plugins")).await {
        Ok(damaged) => match damaged.first() {
            None => Finding::ok(PLUGINS, "each installed version has the file that it was granted with"),
            Some((id, digest, error)) => {
                let mut finding = Finding::failed(PLUGINS, error);
                finding.seen = format!("{id} {digest}: {}", error.message());
                if damaged.len() > 1 {
                    finding.seen = format!("{} (and {} more)", finding.seen, damaged.len() - 1);
                }
                finding
            }
        },
        Err(error) => Finding::failed(PLUGINS, &error),
    }
}
