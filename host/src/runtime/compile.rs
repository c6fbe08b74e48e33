//! Who compiles a component (SECURITY P21): a child process that its limits end, so that no component takes the gateway's memory, time or life.
//!
//! What comes back is native code and is believed: it is the work of our own binary, through a pipe that nobody else holds. The child is
//! there for what a component makes a compiler use, not for a compiler that turned against us.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use wasmtime::Engine;

use super::compile_child::{ENVIRONMENT, GREETING, REFUSED, VERB};
use crate::model::{Error, Result};

/// The child is ended after it, and whoever waits for a compilation in this process has waited long enough. More than its CPU time: the
/// machine is others', too.
const PATIENCE: Duration = Duration::from_secs(90);
/// Of a compiled form: 32 MiB of component become a few times as much.
pub const LARGEST: u64 = 512 << 20;
const LONGEST_REASON: usize = 4 << 10;

/// Chosen by whoever makes a `Runtime`.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// `<program> compile-plugin`, for components by anyone.
    Child(PathBuf),
    /// This process: for tests and tools whose components are their own. A compilation cannot be stopped.
    InProcess,
}

/// Why there is no compiled form.
pub enum Failed {
    /// The compiler's own words.
    Refused(String),
    Other(Error),
}

impl Compiler {
    /// The program that runs now, even if its file has been replaced since: parent and child have the same compiler.
    #[must_use]
    pub fn this_program() -> Self {
        Self::Child(PathBuf::from("/proc/self/exe"))
    }

    /// The compiled form.
    pub async fn compile(&self, engine: &Engine, wasm: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let working = match self {
            Self::Child(program) => {
                let running = Running::start(program.clone()).await?;
                return running.compile(wasm).await;
            }
            Self::InProcess => {
                let engine = engine.clone();
                tokio::task::spawn_blocking(move || engine.precompile_component(&wasm).map_err(|error| Failed::Refused(reason(&error))))
            }
        };
        match tokio::time::timeout(PATIENCE, working).await {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(panicked)) => Err(crashed().with_source(panicked).into()),
            Err(_) => Err(too_complex().into()),
        }
    }
}

/// All of its causes on one line.
pub fn reason(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
}

/// Ended when it is dropped, whatever it does.
struct Running(Child);

impl Running {
    async fn start(program: PathBuf) -> Result<Self, Failed> {
        let spawned = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(program);
            // Nothing of ours: no environment, no folder, no open file.
            command.arg(VERB).env_clear().envs(ENVIRONMENT).current_dir("/");
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
        });
        match spawned.await {
            Ok(Ok(child)) => Ok(Self(child)),
            Ok(Err(error)) => Err(unavailable("the compiler cannot be started").with_source(error).into()),
            Err(error) => Err(unavailable("the compiler cannot be started").with_source(error).into()),
        }
    }

    async fn compile(mut self, wasm: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let (Some(input), Some(output)) = (self.0.stdin.take(), self.0.stdout.take()) else { return Err(unavailable("the compiler has no pipes").into()) };
        let talking = tokio::task::spawn_blocking(move || talk(input, output, &wasm));
        let said = match tokio::time::timeout(PATIENCE, talking).await {
            Ok(Ok(Ok(said))) => said,
            Ok(Ok(Err(error))) => return Err(unavailable("the compiler cannot be talked to").with_source(error).into()),
            Ok(Err(error)) => return Err(unavailable("the compiler cannot be talked to").with_source(error).into()),
            Err(_) => return Err(too_complex().into()),
        };
        // It has closed its output, and ends by itself or by `drop`.
        let ended = tokio::task::spawn_blocking(move || self.0.wait()).await;
        match ended {
            Ok(Ok(status)) => judge(status, said),
            Ok(Err(error)) => Err(unavailable("the compiler's end cannot be seen").with_source(error).into()),
            Err(error) => Err(unavailable("the compiler's end cannot be seen").with_source(error).into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // That it has ended is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child reads to the end before it writes: neither waits for the other.
fn talk(mut input: ChildStdin, output: ChildStdout, wasm: &[u8]) -> io::Result<Vec<u8>> {
    match input.write_all(wasm) {
        // Its status says why it left.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    drop(input);
    let mut said = Vec::new();
    output.take(LARGEST + 1).read_to_end(&mut said)?;
    Ok(said)
}

fn judge(status: ExitStatus, mut said: Vec<u8>) -> Result<Vec<u8>, Failed> {
    match status.code() {
        // Another program that ends well has said something else.
        Some(0) if said.starts_with(GREETING) && said.len() as u64 <= LARGEST => {
            said.drain(..GREETING.len());
            Ok(said)
        }
        Some(0) if said.len() as u64 > LARGEST => Err(too_complex().into()),
        Some(code) if code == REFUSED => {
            said.truncate(LONGEST_REASON);
            Err(Failed::Refused(String::from_utf8_lossy(&said).into_owned()))
        }
        Some(101) => Err(crashed().into()),
        Some(code) => Err(unavailable(&format!("the compiler ended with the code {code}")).into()),
        // Out of time (SIGXCPU, SIGKILL), of memory (SIGABRT) or of stack (SIGSEGV).
        None => {
            tracing::warn!(signal = status.signal(), "the compiler was ended while it compiled a plugin's component");
            Err(too_complex().into())
        }
    }
}

fn too_complex() -> Error {
    Error::limit("component_too_complex", "the component takes more time or memory to compile than it may")
}

/// A panic of the compiler is this component's problem.
fn crashed() -> Error {
    Error::invalid("invalid_component", "the component cannot be compiled")
}

fn unavailable(what: &str) -> Error {
    Error::internal("compiler_unavailable", what)
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}
