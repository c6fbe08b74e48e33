//! The process as the kernel sees it, read when it is asked for.

use std::fs;

use metrics::{Counter, Gauge};
use rustix::process::{Resource, getrlimit};

/// Of the kernel's clock in /proc: 100 a second on every Linux that is in use.
const TICKS: u64 = 100;

pub struct Process {
    pub cpu: Counter,
    pub resident: Gauge,
    pub virtual_size: Gauge,
    pub open_fds: Gauge,
    pub max_fds: Gauge,
    pub threads: Gauge,
}

impl Process {
    /// What cannot be read stays as it was.
    pub fn read(&self) {
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            // The second field is the program's name, and may hold anything but its last bracket. utime and stime are the 14th and 15th.
            let after = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
            let ticks: u64 = after.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
            self.cpu.absolute(ticks / TICKS);
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let number = |name: &str| -> Option<f64> {
                let text = status.lines().find_map(|line| line.strip_prefix(name))?;
                text.trim_start_matches(':').split_ascii_whitespace().next()?.parse().ok()
            };
            for (gauge, name, unit) in [(&self.resident, "VmRSS", 1024.0), (&self.virtual_size, "VmSize", 1024.0), (&self.threads, "Threads", 1.0)] {
                if let Some(number) = number(name) {
                    gauge.set(number * unit);
                }
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // The one that reads the folder is among them.
            self.open_fds.set(u32::try_from(open.count().saturating_sub(1)).unwrap_or(u32::MAX));
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            self.max_fds.set(u32::try_from(most).unwrap_or(u32::MAX));
        }
    }
}
