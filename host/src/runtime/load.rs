//! From bytes to a plugin: size, form, compilation (or its cached result), imports, world, description. Nothing runs before its imports were judged.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::portcullis::connector::{aws, http, log, types};
use super::cache::runnable;
use super::call::Call;
use super::compile::{Failed, reason};
use super::host_log::escape;
use super::imports::{VERSION, wanted};
use super::limits::{MEMORIES, TABLES};
use super::plugin::Plugin;
use super::session::{Exports, Guest};
use super::{Runtime, describe};
use crate::model::{Capability, Digest, Error, Result};

/// `\0asm`, and what tells a component from a core module.
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
const CORE_MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

impl Runtime {
    /// Checks size, imports and world, compiles (or takes the compiled form from the cache), calls `describe` and validates it.
    /// Codes: `component_too_large`, `component_too_complex`, `invalid_component`, `feature_disabled`, `forbidden_import`,
    /// `capability_not_granted`, `incompatible_world`, and those of a call.
    pub async fn load(self: &Arc<Self>, wasm: &[u8], granted: &BTreeSet<Capability>) -> Result<Arc<Plugin>> {
        form(wasm, self.limits.component_bytes)?;
        let digest = sha256(wasm);
        let component = self.component(wasm, digest).await?;
        let component_type = component.component_type();
        let imports = wanted(component_type.imports(&self.engine).map(|(name, _)| name), granted)?;
        fits(&component)?;
        let exports = link(&self.engine, &component, &imports)?;
        let guest = Guest::new(Arc::clone(self), digest, exports);
        let (description, secrets) = describe::check(&guest.describe().await?, &imports)?;
        Ok(Arc::new(Plugin { guest, description, imports, secrets, measured: OnceLock::new() }))
    }

    /// Forgets the compiled form of a component that is not installed: it would lie there for ever.
    pub async fn forget(&self, digest: Digest) {
        let Some(cache) = self.cache.clone() else { return };
        let engine = self.engine.clone();
        // What cannot be removed takes room and nothing else, and `remove` has said so.
        let _ = tokio::task::spawn_blocking(move || cache.remove(&engine, digest)).await;
    }

    async fn component(&self, wasm: &[u8], digest: Digest) -> Result<Component> {
        if let Some(cache) = self.cache.clone() {
            let engine = self.engine.clone();
            if let Ok(Some(component)) = tokio::task::spawn_blocking(move || cache.get(&engine, digest)).await {
                return Ok(component);
            }
        }
        self.compile(wasm.to_vec(), digest).await
    }

    /// A few at a time: each may take a gibibyte.
    async fn compile(&self, wasm: Vec<u8>, digest: Digest) -> Result<Component> {
        let stopped = |error| Error::internal("compiler_stopped", "the compiler is shutting down").with_source(error);
        let _turn = self.compilations.acquire().await.map_err(stopped)?;
        let compiled = self.compiler.compile(&self.engine, wasm).await.map_err(|failed| match failed {
            Failed::Refused(reason) => refused(&reason),
            Failed::Other(error) => error,
        })?;
        let (engine, cache) = (self.engine.clone(), self.cache.clone());
        let made = tokio::task::spawn_blocking(move || {
            // Only here the pool has its say.
            let component = runnable(&engine, &compiled).map_err(|error| refused(&reason(&error)).with_source(error))?;
            if let Some(cache) = cache {
                cache.put(&engine, digest, &compiled);
            }
            Ok(component)
        });
        made.await.unwrap_or_else(|error| Err(Error::internal("compiler_stopped", "the compiled component was not taken in").with_source(error)))
    }
}

/// What a component is known by.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut sum = [0; 32];
    sum.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    Digest(sum)
}

fn form(wasm: &[u8], largest: usize) -> Result<()> {
    if wasm.len() > largest {
        return Err(Error::limit("component_too_large", format!("the component has {} bytes, at most {largest} are allowed", wasm.len())));
    }
    if wasm.starts_with(&CORE_MODULE) {
        let error = Error::invalid("invalid_component", "this is a core WebAssembly module, not a component");
        return Err(error.with_remedy("make a component of it, for instance with `wasm-tools component new`"));
    }
    if !wasm.starts_with(&COMPONENT) {
        return Err(Error::invalid("invalid_component", "this is not a WebAssembly component"));
    }
    Ok(())
}

/// The compiler's refusal. It has no types for its reasons; the words are pinned by tests.
fn refused(reason: &str) -> Error {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let shown = escape(reason, 300);
    // A valid component that no compiler takes on; that it says so at once is no different from running out of time.
    if says(&["type size exceeds the limit", "Unsupported feature: `br_table"]) {
        Error::limit("component_too_complex", format!("the component is too complex to compile: {shown}"))
    } else if says(&["exceeds the limit of", "exceeds the configured maximum", "exceeds the per-instance limit"]) {
        Error::plugin_fault("plugin_memory", format!("the component needs more than a plugin may use: {shown}"))
    } else if says(&["not enabled", "must be enabled", "are disabled", "requires the component model", "not supported", "feature"]) {
        Error::invalid("feature_disabled", format!("the component uses a feature of WebAssembly that is off here: {shown}"))
    } else {
        Error::invalid("invalid_component", format!("the component is not valid: {shown}"))
    }
}

/// Known before it runs: what it instantiates. The pool has refused each memory and table that is too large by itself.
fn fits(component: &Component) -> Result<()> {
    match component.resources_required() {
        Some(needs) if needs.num_memories <= MEMORIES && needs.num_tables <= TABLES => Ok(()),
        _ => Err(Error::plugin_fault("plugin_memory", "the component needs more memories or tables than a plugin may use")),
    }
}

/// Offers what was asked for and granted, and nothing else.
fn link(engine: &Engine, component: &Component, imports: &BTreeSet<Capability>) -> Result<Exports> {
    let mut linker = Linker::<Call>::new(engine);
    let offered = || -> wasmtime::Result<Linker<Call>> {
        types::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?;
        log::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?;
        for capability in imports {
            match capability {
                Capability::Aws => aws::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?,
                Capability::Http => http::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?,
                Capability::Wasi => wasmtime_wasi::p2::add_to_linker_async(&mut linker)?,
            }
        }
        Ok(linker)
    };
    let linker = offered().map_err(|error| Error::internal("host_functions", "the host functions do not fit together").with_source(error))?;
    linker.instantiate_pre(component).and_then(Exports::of).map_err(|error| incompatible(engine, component, error))
}

fn incompatible(engine: &Engine, component: &Component, error: wasmtime::Error) -> Error {
    let component_type = component.component_type();
    let exports: Vec<_> = component_type.exports(engine).map(|(name, _)| escape(name, 100)).take(8).collect();
    let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    let message =
        format!("the component does not fit 'portcullis:connector/connector@{VERSION}': it exports {found} ({})", escape(&error.root_cause().to_string(), 200));
    Error::invalid("incompatible_world", message).with_source(error)
}
