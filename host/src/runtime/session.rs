//! A guest ready to run, and one run of it: a slot, a fresh store, an instance, a time to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre};

use super::Runtime;
use super::bindings::portcullis::connector::types;
use super::bindings::{FullConnector, FullConnectorIndices};
use super::breaker::{Breaker, Suspension};
use super::call::{Call, Power};
use super::fault;
use super::gate::{Pass, Share};
use super::imports::VERSION;
use super::pace::Pace;
use crate::model::{Digest, OrgId, Result};
use crate::policy::Grant;

/// A compiled component, whose calls are counted.
pub struct Guest {
    pub digest: Digest,
    runtime: Arc<Runtime>,
    exports: Exports,
    share: Share,
    breaker: Arc<Breaker>,
    /// Some call has logged more than it may.
    log_cut: AtomicBool,
}

/// A component with its imports resolved, and where its exports are.
pub struct Exports {
    pre: InstancePre<Call>,
    all: FullConnectorIndices,
    locate: ComponentExportIndex,
}

/// One instance, for one call.
pub struct Session<'a> {
    pub store: Store<Call>,
    pub ends: Instant,
    instance: Instance,
    exports: &'a Exports,
    _pass: Pass<'a>,
    log_cut: &'a AtomicBool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.log_cut.fetch_or(self.store.data().log.was_cut(), Ordering::Relaxed);
    }
}

/// Calls one export of a session: `call!(session, function, arguments…)`.
macro_rules! call {
    ($session:ident, $function:ident $(, $argument:expr)*) => {{
        let ends = $session.ends;
        let called = async {
            let exports = $session.exports()?;
            exports.portcullis_connector_connector().$function(&mut $session.store $(, $argument)*).await
        };
        let outcome = tokio::time::timeout_at(ends, called).await;
        $crate::runtime::session::settle(outcome, &mut $session.store)
    }};
}
pub(super) use call;

/// The answer of a call, and what it says of the plugin. Waiting for a remote until the end is no fault of its own.
pub(super) fn settle<T>(outcome: Result<wasmtime::Result<T>, Elapsed>, store: &mut Store<Call>) -> Result<T> {
    let call = store.data_mut();
    let waited = outcome.is_err() && call.may_ask() && !call.meter.is_spent();
    let answer = fault::settle(outcome, &call.meter);
    if let Some(watch) = call.watch.as_mut().filter(|_| !waited) {
        watch.settle(&answer, Instant::now());
    }
    answer
}

impl Exports {
    /// Of a component that has them all. Their types are compared when they are called: `describe` is, before a plugin is taken in.
    pub fn of(pre: InstancePre<Call>) -> wasmtime::Result<Self> {
        let all = FullConnectorIndices::new(&pre)?;
        let component = pre.component();
        let interface = component.get_export_index(None, &*format!("portcullis:connector/connector@{VERSION}"));
        let locate = component.get_export_index(interface.as_ref(), "locate").ok_or_else(|| wasmtime::format_err!("there is no 'locate'"))?;
        Ok(Self { pre, all, locate })
    }
}

impl Session<'_> {
    pub fn exports(&mut self) -> wasmtime::Result<FullConnector> {
        self.exports.all.load(&mut self.store, &self.instance)
    }

    /// What requests wait for: of the exports only this one is looked up.
    pub async fn locate(&mut self, settings: &str, sources: &[&str]) -> Result<Result<types::Plan, types::Error>> {
        let ends = self.ends;
        let called = async {
            let locate = self.instance.get_typed_func::<(&str, &[&str]), (Result<types::Plan, types::Error>,)>(&mut self.store, self.exports.locate)?;
            let (answer,) = locate.call_async(&mut self.store, (settings, sources)).await?;
            Ok(answer)
        };
        let outcome = timeout_at(ends, called).await;
        settle(outcome, &mut self.store)
    }
}

impl Guest {
    pub fn new(runtime: Arc<Runtime>, digest: Digest, exports: Exports) -> Self {
        let (share, breaker) = (Share::new(runtime.limits.concurrency), Breaker::new(digest, runtime.limits.faults));
        Self { digest, runtime, exports, share, breaker, log_cut: AtomicBool::new(false) }
    }

    pub fn suspensions(&self, now: Instant) -> Vec<Suspension> {
        self.breaker.suspensions(now)
    }

    /// Whether a call of it has ever logged more than it may.
    pub fn logged_too_much(&self) -> bool {
        self.log_cut.load(Ordering::Relaxed)
    }

    /// What the plugin says of itself, unchecked.
    pub async fn describe(&self) -> Result<String> {
        let mut session = self.session(None, None).await?;
        call!(session, call_describe)
    }

    /// An instance for `org`, or for nobody, that may ask the remote in the name of `grant`, or nobody.
    pub async fn session(&self, org: Option<&OrgId>, grant: Option<&Arc<Grant>>) -> Result<Session<'_>> {
        let Runtime { engine, limits, gate, orgs, lanes, remote, .. } = &*self.runtime;
        let org = org.map(|org| orgs.get(org));
        let watch = org.as_ref().map(|org| self.breaker.admit(org, Instant::now())).transpose()?;
        let power = grant.zip(remote.as_ref()).map(|(grant, remote)| Power { grant: Arc::clone(grant), remote: Arc::clone(remote) });
        let pass = gate.enter(&self.share, org.as_ref(), power.is_some()).await?;
        let ends = Instant::now() + limits.wall;
        let mut store = Call::new(self.digest, limits, power, Pace::new(lanes, org), watch).store(engine, limits);
        // Instantiation runs code too, where a component has a start function.
        let outcome = timeout_at(ends, self.exports.pre.instantiate_async(&mut store)).await;
        let instance = match outcome {
            Ok(Ok(instance)) => instance,
            failed => settle(failed, &mut store)?,
        };
        Ok(Session { store, ends, instance, exports: &self.exports, _pass: pass, log_cut: &self.log_cut })
    }
}
