//! The memories of the plugins in a running gateway, read from outside.
//!
//! The sandbox reserves gigabytes of address space for each memory and opens as much of it as the guest uses: what is readable and lies
//! right before a closed gigabyte is a guest's, and nothing of the host is.

use std::fs::File;
use std::os::unix::fs::FileExt;

const RESERVED: u64 = 1 << 30;

/// One after the other, with nothing in between that was not there.
#[must_use]
pub fn read(process: u32) -> Vec<u8> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap_or_else(|error| panic!("the memory of {process} cannot be read: {error}"));
    let mut bytes = Vec::new();
    for (start, end) in spans(&maps) {
        let from = bytes.len();
        bytes.resize(from + usize::try_from(end - start).unwrap(), 0);
        // A guest may have ended since, and what it had is closed again.
        if memory.read_exact_at(&mut bytes[from..], start).is_err() {
            bytes.truncate(from);
        }
    }
    bytes
}

fn spans(maps: &str) -> Vec<(u64, u64)> {
    let (mut spans, mut open, mut before) = (Vec::new(), Vec::new(), 0);
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        if start != before {
            open.clear();
        }
        match words.next().unwrap() {
            "rw-p" => open.push((start, end)),
            "---p" if end - start >= RESERVED => spans.append(&mut open),
            _ => open.clear(),
        }
        before = end;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_before_a_closed_gigabyte_is_a_guests() {
        let maps = "\
1000-3000 rw-p 00000000 00:00 0 [heap]
7000-8000 rw-p 00000000 00:00 0
8000-9000 ---p 00000000 00:00 0
9000-a000 rw-p 00000000 00:01 5 /memfd:wasm-memory-image (deleted)
a000-c000 rw-p 00000000 00:00 0
c000-10000c000 ---p 00000000 00:00 0
10000c000-10000d000 rw-p 00000000 00:00 0
20000c000-30000c000 ---p 00000000 00:00 0
";
        assert_eq!(spans(maps), [(0x9000, 0xa000), (0xa000, 0xc000)]);
    }
}
