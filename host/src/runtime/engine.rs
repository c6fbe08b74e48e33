//! The engine: what the compiler accepts, how much is set aside for instances, and the clock that interrupts guests.

use std::thread;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use super::Limits;
use super::limits::{COMPONENT_METADATA, CORE_INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES, TICK};
use crate::model::{Error, Result};

/// Pages of a memory that stay mapped between calls: with `PAGEMAP_SCAN` only those that were touched are reset, without a page fault later.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 64 << 10;
/// A plugin written in Rust touches 10 to 20 KiB of its native stack.
const KEEP_STACK: usize = 32 << 10;

/// One engine for each process. Fails when the address space for the pool cannot be reserved.
pub fn engine(limits: &Limits) -> Result<Engine> {
    let engine = Engine::new(&running(limits))
        .map_err(|error| Error::internal("sandbox_unavailable", "the sandbox cannot be set up on this machine").with_source(error))?;
    tick(&engine)?;
    Ok(engine)
}

/// What a compiled form depends on: the same in the process that compiles and in the one that runs it.
pub fn compiling() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        // The smallest set that Rust, C, JavaScript and Python guests need; GC, threads and component-async are not even compiled in.
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .shared_memory(false)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .async_stack_zeroing(true)
        // Nobody reads a guest's frames: no maps for them in the compiled form, no walk on a trap.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

fn running(limits: &Limits) -> Config {
    let mut config = compiling();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let calls = limits.concurrency.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
        .total_memories(calls.saturating_mul(MEMORIES))
        .total_tables(calls.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .max_component_instance_size(COMPONENT_METADATA)
        .max_core_instance_size(COMPONENT_METADATA)
        .max_memory_size(limits.memory_bytes)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .async_stack_keep_resident(KEEP_STACK)
        // A third of a fresh call's time with it (Linux 6.7 and later); older kernels fall back by themselves.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Advances the epoch every `TICK`, from a thread of its own: a guest that never yields may hold every other one. Ends with the engine.
fn tick(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let ticker = thread::Builder::new().name("plugin-ticker".to_owned());
    let thread = ticker.spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    });
    thread.map(drop).map_err(|error| Error::internal("sandbox_unavailable", "no thread for the plugins' clock").with_source(error))
}
