//! Why a call ended: wasmtime's error, with the call's account, as the gateway's. A trap is the plugin's fault, never a panic of the host.

use std::time::Duration;

use tokio::time::error::Elapsed;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use super::breaker;
use super::gate;
use super::lift::contract;
use super::limits::{Crossed, Meter};
use crate::model::{Error, Result};

/// The answer of a call that was given `wall` time.
pub fn settle<T>(outcome: Result<wasmtime::Result<T>, Elapsed>, meter: &Meter) -> Result<T> {
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(judge(error, meter)),
        Err(_) => Err(Error::plugin_fault("plugin_deadline", "the plugin's call took too long")),
    }
}

fn judge(error: wasmtime::Error, meter: &Meter) -> Error {
    if let Some(crossed) = error.downcast_ref::<Crossed>() {
        return match crossed {
            Crossed::Cpu => Error::plugin_fault("plugin_deadline", "the plugin's call used up its CPU time"),
            Crossed::Suspended => breaker::suspended(Duration::ZERO),
            Crossed::HostCalls => Error::plugin_fault("host_calls_exceeded", "the plugin's call asked the host too often"),
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return gate::busy();
    }
    if too_large(&error) {
        return Error::plugin_fault("output_too_large", "the plugin returned more than it may");
    }
    if meter.refused_memory {
        return Error::plugin_fault("plugin_memory", "the plugin ran out of the memory it may use").with_source(error);
    }
    if misused_handle(&error) {
        return Error::plugin_fault("plugin_trap", "the plugin crashed: it used a handle that it does not have, or had too many").with_source(error);
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => Error::plugin_fault("plugin_trap", format!("the plugin crashed: {trap}")).with_source(error),
        // What is left is an answer that breaks the component's own types: invalid UTF-8, an unknown case, a list outside of memory.
        None => contract("its answer is malformed").with_source(error),
    }
}

/// Nor for these: of a resource that the guest made itself.
fn misused_handle(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.to_string();
        ["unknown handle index", "cannot allocate another handle", "cannot lend resource", "not a resource", "owned resource"]
            .iter()
            .any(|words| cause.contains(words))
    })
}

/// wasmtime's error for this has no public type.
fn too_large(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().starts_with("too much data is being copied between the host and the guest"))
}
