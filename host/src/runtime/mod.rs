//! Loads, limits and calls components. WIT types end here: what goes in and out is `model`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::broker::Broker;
use crate::model::{Capability, Description, Digest, Finding, Page, Plan, Principal, Result, SetupStep};
use crate::policy::Grant;

#[derive(Clone, Debug)]
pub struct Limits {
    /// CPU time of one call (epochs).
    pub cpu: Duration,
    /// Wall time of one call, host calls included.
    pub wall: Duration,
    /// Sum of all linear memories and tables of one call.
    pub memory_bytes: usize,
    pub output_bytes: usize,
    pub host_calls: u32,
    pub log_bytes: usize,
    pub component_bytes: usize,
    /// Calls at the same time; more wait up to a second, then `Unavailable` (`plugins_busy`).
    pub concurrency: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(1),
            wall: Duration::from_secs(30),
            memory_bytes: 64 << 20,
            output_bytes: 4 << 20,
            host_calls: 64,
            log_bytes: 64 << 10,
            component_bytes: 32 << 20,
            concurrency: 64,
        }
    }
}

pub struct RuntimeConfig {
    pub limits: Limits,
    /// Compiled forms, each authenticated with `cache_key`; `None` compiles anew at each start.
    pub cache_dir: Option<PathBuf>,
    pub cache_key: [u8; 32],
}

pub struct Runtime;

/// A loaded component. Cheap to share; each call runs in a fresh instance.
pub struct Plugin;

impl Runtime {
    pub fn new(_config: RuntimeConfig, _broker: Option<Arc<Broker>>) -> Result<Arc<Self>> {
        todo!()
    }
    /// Checks size, imports and world, compiles (or takes the compiled form from the cache), calls `describe` and validates it.
    pub async fn load(self: &Arc<Self>, _wasm: &[u8], _granted: &BTreeSet<Capability>) -> Result<Arc<Plugin>> {
        todo!()
    }
}

impl Plugin {
    #[must_use]
    pub fn digest(&self) -> Digest {
        todo!()
    }
    #[must_use]
    pub fn description(&self) -> &Description {
        todo!()
    }
    /// What the component's import list asks for: read, not believed.
    #[must_use]
    pub fn imports(&self) -> &BTreeSet<Capability> {
        todo!()
    }
    pub async fn normalize(&self, _settings: &Value) -> Result<Value> {
        todo!()
    }
    pub async fn setup(&self, _settings: &Value, _principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>> {
        todo!()
    }
    /// 1 to 1000 sources. The answer has one entry for each.
    pub async fn locate(&self, _settings: &str, _sources: &[&str]) -> Result<Plan> {
        todo!()
    }
    pub async fn check(&self, _grant: &Arc<Grant>, _test_location: Option<&str>) -> Result<Vec<Finding>> {
        todo!()
    }
    pub async fn list(&self, _grant: &Arc<Grant>, _prefix: &str, _cursor: Option<&str>, _limit: u32) -> Result<Page> {
        todo!()
    }
}
