//! The connectors this gateway has: each plugin with its compiled settings schema, under its connector's id.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::settings::Schema;
use crate::model::{Error, Result};
use crate::runtime::Plugin;

pub struct Connector {
    pub plugin: Arc<Plugin>,
    pub schema: Schema,
}

#[derive(Default)]
pub struct Catalogue(RwLock<BTreeMap<String, Arc<Connector>>>);

impl Catalogue {
    /// A name once taken is never shadowed: `Conflict` (`connector_exists`).
    pub fn add(&self, plugin: Arc<Plugin>) -> Result<()> {
        let id = plugin.description().id.clone();
        let schema = Schema::compile(&plugin.description().settings)?;
        let mut connectors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if connectors.contains_key(&id) {
            return Err(Error::conflict("connector_exists", format!("there is a connector '{id}' already")));
        }
        connectors.insert(id, Arc::new(Connector { plugin, schema }));
        Ok(())
    }

    pub fn get(&self, id: &str) -> Option<Arc<Connector>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// By id.
    pub fn all(&self) -> Vec<Arc<Connector>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub fn ids(&self) -> String {
        let connectors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        connectors.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
