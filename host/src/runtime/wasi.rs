//! An empty WASI, for languages that need one to start: no files, no environment, no sockets, clocks that stand still, no randomness.

use std::time::Duration;

use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::call::Call;
use super::limits::HANDLES;

/// Made when the guest first asks for it: most guests never do.
#[derive(Default)]
pub struct EmptyWasi(Option<Box<(WasiCtx, ResourceTable)>>);

struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}
impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }
    fn now(&self) -> u64 {
        0
    }
}

fn empty() -> Box<(WasiCtx, ResourceTable)> {
    let context = WasiCtxBuilder::new()
        .wall_clock(Still)
        .monotonic_clock(Still)
        .secure_random(Deterministic::new(vec![0]))
        .insecure_random(Deterministic::new(vec![0]))
        .insecure_random_seed(0)
        .max_random_size(4096)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build();
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    Box::new((context, table))
}

impl WasiView for Call {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = &mut **self.wasi.0.get_or_insert_with(empty);
        WasiCtxView { ctx, table }
    }
}
