//! The compiler as a process of its own: a component on standard input, its compiled form on standard output, and limits before it reads a byte.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
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
/// Seconds, of all threads together.
const CPU: u64 = 60;
const FILES: u64 = 32;
const NICE: i32 = 5;

/// For `main`, before any thread runs.
#[must_use]
pub fn run() -> ExitCode {
    if confine().is_err() {
        return ExitCode::from(UNCONFINED);
    }
    match compile() {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Not RLIMIT_NPROC: it counts every process of the user, the gateway's own threads too, and does not bind root.
fn confine() -> rustix::io::Result<()> {
    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::As, MEMORY)?;
    limit(Resource::Cpu, CPU)?;
    nice(NICE).map(drop)
}

fn compile() -> io::Result<ExitCode> {
    let mut wasm = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT as u64 + 1).read_to_end(&mut wasm)?;
    let engine = Engine::new(&engine::compiling()).map_err(io::Error::other)?;
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
