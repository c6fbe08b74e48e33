//! The binary: hands the arguments to `cli` and its answer to the shell. Nothing is decided here.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis::cli::main()
}
