//! One call: a fresh store with its account, and the way from a guest's request to the remote.
//! A guest reaches it during `check` and `list` only, with the capability its plugin was granted, and never past `policy`.

use std::future::Future;
use std::sync::Arc;

use wasmtime::{Engine, Store, UpdateDeadline};

use super::Limits;
use super::bindings::portcullis::connector::types;
use super::breaker::Watch;
use super::host_log::LogBudget;
use super::limits::{Crossed, HANDLES, HOST_CALL, Meter};
use super::lower;
use super::pace::Pace;
use super::remote::Remote;
use super::wasi::EmptyWasi;
use crate::model::{Capability, Digest, Error, Result};
use crate::policy::Grant;

/// What a call may ask of the world: a remote, in the name of one connection.
#[derive(Clone)]
pub struct Power {
    pub grant: Arc<Grant>,
    pub remote: Arc<dyn Remote>,
}

/// The state of one call.
pub struct Call {
    pub meter: Meter,
    pub log: LogBudget,
    pub wasi: EmptyWasi,
    left_host_calls: u32,
    power: Option<Power>,
    pace: Pace,
    /// `None`: nobody's call, while a plugin is loaded.
    pub watch: Option<Watch>,
}

impl Call {
    pub fn new(plugin: Digest, limits: &Limits, power: Option<Power>, pace: Pace, watch: Option<Watch>) -> Self {
        let (meter, log) = (Meter::new(limits), LogBudget::new(plugin, limits.log_bytes));
        Self { meter, log, wasi: EmptyWasi::default(), left_host_calls: limits.host_calls, power, pace, watch }
    }

    /// A store for one call: nothing survives it.
    pub fn store(self, engine: &Engine, limits: &Limits) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|call| &mut call.meter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().tick()?));
        // What the guest may hand over at once, as an answer or as arguments of a host call.
        store.set_hostcall_fuel(limits.output_bytes);
        // Its resources are kept in our memory, not in its own.
        store.set_max_component_handles(HANDLES);
        store
    }

    /// Lets others run, unless it was the guest's last tick.
    fn tick(&mut self) -> Result<UpdateDeadline, Crossed> {
        self.meter.tick()?;
        let long = self.meter.is_long();
        if let Some(watch) = &mut self.watch {
            watch.spent = self.meter.is_spent();
            if long && watch.is_over() {
                return Err(Crossed::Suspended);
            }
        }
        // Tokio's own yield: wasmtime's wakes itself at once, and tokio would then look at its timers and sockets after 61 ticks only.
        Ok(UpdateDeadline::YieldCustom(1, if long { self.pace.turn() } else { Box::pin(tokio::task::yield_now()) }))
    }

    /// Whether time may have gone by in the remote's hands.
    pub fn may_ask(&self) -> bool {
        self.power.is_some()
    }

    /// Counts a host call, lets `work` judge and do it, and answers within `HOST_CALL`.
    /// The outer error ends the guest; the inner one is the guest's to handle.
    pub async fn ask<T, W>(&mut self, needs: Capability, work: impl FnOnce(Power) -> W) -> wasmtime::Result<Result<T, types::Error>>
    where
        W: Future<Output = Result<T>> + Send,
    {
        self.left_host_calls = self.left_host_calls.checked_sub(1).ok_or(Crossed::HostCalls)?;
        let exact = self.power.as_ref().is_some_and(|power| power.grant.asked_anew.is_some());
        self.pace.leave();
        let answer = match self.power(needs) {
            Ok(power) => tokio::time::timeout(HOST_CALL, work(power)).await.unwrap_or_else(|_| Err(too_slow())),
            Err(denied) => Err(denied),
        };
        Ok(answer.map_err(|error| lower::error(&error, exact)))
    }

    fn power(&self, needs: Capability) -> Result<Power> {
        let denied = |message| Error::denied("not_available_here", message);
        let Some(power) = &self.power else { return Err(denied("the host is asked during check and list only")) };
        if !power.grant.capabilities.contains(&needs) {
            return Err(denied("this connection was not granted what the plugin asks for"));
        }
        Ok(power.clone())
    }
}

/// The interface has types only.
impl types::Host for Call {}

fn too_slow() -> Error {
    Error::unavailable("host_call_timeout", format!("no answer within {} s", HOST_CALL.as_secs()))
        .with_remedy("See whether the remote is overloaded, then test again.")
}
