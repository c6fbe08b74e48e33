//! A child process that ends with its test.

use std::process::{Child, Command, ExitStatus};

/// Killed when dropped.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    /// `None`: it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub fn kill(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
