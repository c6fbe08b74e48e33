//! The binary: hands the arguments to `cli` and its answer to the shell. Nothing is decided here.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
