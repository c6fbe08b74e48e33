//! The compiler as a process of its own: a component on standard input, its compiled form on standard output, and limits before it reads a byte.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid, geteuid, nice, set_dumpable_behavior, setrlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use wasmtime::Engine;

use super::compile::reason;
use super::{MAX_COMPONENT, engine};

/// The hidden verb that starts it.
pub const VERB: &str = "compile-plugin";
/// Before a compiled form, so that no other program is taken for this one.
pub const GREETING: &[u8] = b"portcullis compiled\0";
/// Its exit code when the component is refused; the output says why.
pub const REFUSED: i32 = 3;
const UNCONFINED: u8 = 4;
/// Its whole environment. Each further thread takes address space, which is limited, and the allocator would set aside a gibibyte (it counts in KiB).
pub const ENVIRONMENT: [(&str, &str); 2] = [("RAYON_NUM_THREADS", "2"), ("MIMALLOC_ARENA_RESERVE", "65536")];

const MEMORY: u64 = 1 << 30;
/// Seconds, of all threads together. The largest components that we know, of 12 and 20 MiB, take half of it.
const CPU: u64 = 30;
const FILES: u64 = 32;
const NICE: i32 = 5;
/// The user and group that own nothing.
const NOBODY: u32 = 65534;
/// A component of nothing.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// For `main`, before any thread runs.
#[must_use]
pub fn run() -> ExitCode {
    let Ok(engine) = Engine::new(&engine::compiling()) else { return ExitCode::from(UNCONFINED) };
    if confine(CPU).is_err() || settle_threads(&engine).is_err() {
        return ExitCode::from(UNCONFINED);
    }
    match compile(&engine) {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Of the process, and of the thread that calls: what it starts later is as confined.
fn confine(cpu: u64) -> rustix::io::Result<()> {
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::As, MEMORY)?;
    limit(Resource::Cpu, cpu)?;
    nice(NICE)?;
    if geteuid().is_root() {
        // No limit of processes binds the machine's root. Where this fails it is no such root (a namespace without that user), or has no
        // more power than any user.
        let _ = become_nobody();
    }
    set_no_new_privs(true)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

fn become_nobody() -> rustix::io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

/// The compiler has its threads from the first component on; after them there is none more, and no other program. The limit is on what
/// this process may start, not on what its user already runs.
fn settle_threads(engine: &Engine) -> io::Result<()> {
    engine.precompile_component(EMPTY).map_err(io::Error::other)?;
    limit(Resource::Nproc, 0).map_err(io::Error::from)
}

fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}

fn compile(engine: &Engine) -> io::Result<ExitCode> {
    let mut wasm = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT as u64 + 1).read_to_end(&mut wasm)?;
    let mut out = io::stdout().lock();
    let code = match engine.precompile_component(&wasm) {
        Ok(compiled) => {
            out.write_all(GREETING)?;
            out.write_all(&compiled)?;
            ExitCode::SUCCESS
        }
        Err(error) => {
            out.write_all(reason(&error).as_bytes())?;
            ExitCode::from(u8::try_from(REFUSED).unwrap_or(UNCONFINED))
        }
    };
    out.flush()?;
    Ok(code)
}

#[cfg(test)]
#[path = "tests/compile_child.rs"]
mod tests;
