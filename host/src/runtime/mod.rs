//! Loads, limits and calls components. WIT types end here: what goes in and out is `model`.
//!
//! A guest gets what its import list asks for and an operator granted, and nothing else; it is believed nothing.

mod answers;
mod bindings;
mod breaker;
mod cache;
mod call;
mod compile;
mod compile_child;
mod describe;
mod engine;
mod fault;
mod gate;
mod host_aws;
mod host_http;
mod host_log;
mod imports;
mod lift;
mod limits;
mod load;
mod lower;
mod orgs;
mod pace;
mod plugin;
mod remote;
mod schema;
mod session;
#[cfg(test)]
mod tests;
mod wasi;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::model::Result;
pub use breaker::Suspension;
use cache::Cache;
pub use compile::Compiler;
pub use compile_child::{VERB as COMPILE_VERB, run as compile_as_child};
use gate::Gate;
pub use load::sha256;
use orgs::Orgs;
use pace::Lanes;
pub use plugin::Plugin;
pub use remote::{Head, Remote};

/// Components that are compiled at the same time.
const COMPILATIONS: usize = 2;
/// Bytes of a component.
pub const MAX_COMPONENT: usize = 32 << 20;

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
    /// Calls at the same time; more wait up to a second, then `Unavailable` (`plugins_busy`). One plugin gets three quarters of them, one
    /// organization half, and calls that may wait for a remote half of either.
    pub concurrency: u32,
    /// So many faults of a plugin within a minute, for one organization, and it is not called for it for a while: `Unavailable` (`plugin_suspended`).
    pub faults: u32,
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
            component_bytes: MAX_COMPONENT,
            concurrency: 64,
            faults: 5,
        }
    }
}

pub struct RuntimeConfig {
    pub limits: Limits,
    pub compiler: Compiler,
    /// Compiled forms, each authenticated with `cache_key`; `None` compiles anew at each start.
    pub cache_dir: Option<PathBuf>,
    pub cache_key: [u8; 32],
}

/// The sandbox: one for each process.
pub struct Runtime {
    engine: Engine,
    limits: Limits,
    gate: Gate,
    orgs: Orgs,
    lanes: Lanes,
    remote: Option<Arc<dyn Remote>>,
    cache: Option<Arc<Cache>>,
    compiler: Compiler,
    compilations: Semaphore,
}

impl Runtime {
    /// `remote`: the broker, or what plays it. Without one, host functions answer `denied`. `Internal` (`sandbox_unavailable`) where the machine does not allow a sandbox.
    pub fn new(config: RuntimeConfig, remote: Option<Arc<dyn Remote>>) -> Result<Arc<Self>> {
        let RuntimeConfig { limits, compiler, cache_dir, cache_key } = config;
        Ok(Arc::new(Self {
            engine: engine::engine(&limits)?,
            gate: Gate::new(limits.concurrency),
            orgs: Orgs::new(limits.concurrency),
            lanes: Lanes::new(),
            cache: cache_dir.map(|dir| Arc::new(Cache::new(dir, &cache_key))),
            compiler,
            compilations: Semaphore::new(COMPILATIONS),
            limits,
            remote,
        }))
    }
}
