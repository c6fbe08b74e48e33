//! What one call may use, and the account of what it has used. Whoever crosses a limit learns which one from its error's code.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// How often a running guest is looked at: so long does it keep others of its thread waiting.
pub const TICK: Duration = Duration::from_millis(2);
/// CPU time of a call that nobody minds; one that runs longer is paced.
pub const LONG: Duration = Duration::from_millis(100);
/// One host call, whatever the remote does: epochs do not reach into the host.
pub const HOST_CALL: Duration = Duration::from_secs(10);
/// How long a call waits for a free slot.
pub const WAIT: Duration = Duration::from_secs(1);
pub const LOG_LINE: usize = 1 << 10;
pub const SOURCES: usize = 1000;
/// A document that `http.get-document` returns.
pub const DOCUMENT: usize = 256 << 10;

// The shape of a component: one written in Rust has 3 core instances and 2 tables, Python's has about 30 instances.
pub const CORE_INSTANCES: u32 = 64;
pub const MEMORIES: u32 = 2;
pub const TABLES: u32 = 8;
pub const TABLE_ELEMENTS: usize = 64 << 10;
/// The host's own bookkeeping for one instance.
pub const COMPONENT_METADATA: usize = 1 << 20;
/// Handles of resources at the same time: a component's own, and those that an empty WASI gives out.
pub const HANDLES: usize = 1024;

/// A limit that was crossed, as the error that ends the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Crossed {
    #[error("the call used up its CPU time")]
    Cpu,
    #[error("the call made too many host calls")]
    HostCalls,
    #[error("the plugin was suspended while the call ran long")]
    Suspended,
}

/// Memory and CPU time of one call. wasmtime's own limiter judges each memory by itself; this one sums them.
pub struct Meter {
    left_bytes: usize,
    ticks: u64,
    left_ticks: u64,
    /// A growth was refused. The guest may cope with that; if it dies, this is why.
    pub refused_memory: bool,
}

impl Meter {
    pub fn new(limits: &super::Limits) -> Self {
        let ticks = limits.cpu.as_millis() / TICK.as_millis();
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
        Self { left_bytes: limits.memory_bytes, ticks, left_ticks: ticks, refused_memory: false }
    }

    /// The guest ran into the end of a tick. Time spent in host calls or waiting is not charged, since the deadline moves only when the guest
    /// runs into it.
    pub fn tick(&mut self) -> Result<(), Crossed> {
        self.left_ticks = self.left_ticks.saturating_sub(1);
        if self.left_ticks == 0 { Err(Crossed::Cpu) } else { Ok(()) }
    }

    /// It has run for longer than calls do.
    pub fn is_long(&self) -> bool {
        u128::from(self.ticks.saturating_sub(self.left_ticks)).saturating_mul(TICK.as_millis()) >= LONG.as_millis()
    }

    /// It has used half of its CPU time.
    pub fn is_spent(&self) -> bool {
        self.left_ticks <= self.ticks / 2
    }

    fn take(&mut self, bytes: usize) -> bool {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => {
                self.left_bytes = left;
                true
            }
            None => {
                self.refused_memory = true;
                false
            }
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.take(desired.saturating_sub(current)))
    }
    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current).saturating_mul(size_of::<usize>());
        Ok(self.take(bytes))
    }
    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }
    fn tables(&self) -> usize {
        TABLES as usize
    }
    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p03_memories_and_tables_share_one_sum() {
        let limits = crate::runtime::Limits { memory_bytes: 1000, ..Default::default() };
        let mut meter = Meter::new(&limits);
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(!meter.refused_memory);
        assert!(!meter.memory_growing(0, 401, None).unwrap(), "a second memory counts too");
        assert!(meter.refused_memory);
        assert!(meter.table_growing(10, 60, None).unwrap(), "50 elements of 8 bytes still fit");
        assert!(!meter.table_growing(60, 61, None).unwrap());
        assert!(!meter.table_growing(0, usize::MAX, None).unwrap());
    }

    #[test]
    fn p01_cpu_time_is_counted_in_ticks() {
        let limits = crate::runtime::Limits { cpu: 4 * TICK, ..Default::default() };
        let mut meter = Meter::new(&limits);
        assert!(meter.tick().is_ok() && !meter.is_spent());
        assert!(meter.tick().is_ok() && meter.is_spent() && !meter.is_long());
        assert!(meter.tick().is_ok());
        assert_eq!(meter.tick().err(), Some(Crossed::Cpu));
        assert_eq!(meter.tick().err(), Some(Crossed::Cpu));
        let mut meter = Meter::new(&crate::runtime::Limits::default());
        for _ in 0..LONG.as_millis() / TICK.as_millis() {
            assert!(!meter.is_long() && meter.tick().is_ok());
        }
        assert!(meter.is_long() && !meter.is_spent());
    }
}
