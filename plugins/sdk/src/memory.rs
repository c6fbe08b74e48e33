//! The guest's allocator. An instance lives for one call and all of its memory goes with it, so pieces are laid end to end and
//! only the last one is ever taken back: allocating is an addition.
//!
//! It begins in the memory that the instance begins with. Growing it would cost the host two changes of page protection for
//! each call, on all of its processors.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE: usize = 64 << 10;
/// Grown by so much at least.
const STEP: usize = 16;

/// A guest has one thread: the atomics are there for the type system, and cost nothing.
struct EndToEnd {
    next: AtomicUsize,
    end: AtomicUsize,
}

#[global_allocator]
static MEMORY: EndToEnd = EndToEnd { next: AtomicUsize::new(0), end: AtomicUsize::new(0) };

#[expect(unsafe_code, reason = "the linker puts this symbol behind the guest's data; only its address is used")]
fn heap_base() -> usize {
    unsafe extern "C" {
        static __heap_base: u8;
    }
    // SAFETY: the address of a symbol that the linker defines; nothing is read.
    unsafe { ptr::addr_of!(__heap_base) as usize }
}

impl EndToEnd {
    /// Whether everything up to `to` is memory.
    fn reaches(&self, to: usize) -> bool {
        let end = self.end.load(Relaxed);
        if to <= end {
            return true;
        }
        let pages = (to - end).div_ceil(PAGE).max(STEP);
        if wasm32::memory_grow(0, pages) == usize::MAX {
            return false;
        }
        self.end.store(end + pages * PAGE, Relaxed);
        true
    }

    /// `start`, if there is memory for a piece of `size` there; the next piece begins behind it.
    fn take(&self, start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size)?;
        self.reaches(end).then(|| {
            self.next.store(end, Relaxed);
            start
        })
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by definition")]
// SAFETY: pieces never overlap: each begins at or after `next`, which is the end of the one before it. `next` goes back only
// over the last piece, when its owner gives it up.
unsafe impl GlobalAlloc for EndToEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut next = self.next.load(Relaxed);
        if next == 0 {
            next = heap_base();
            self.end.store(wasm32::memory_size(0) * PAGE, Relaxed);
        }
        let start = next.checked_next_multiple_of(layout.align()).and_then(|start| self.take(start, layout.size()));
        start.map_or(ptr::null_mut(), |start| start as *mut u8)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece as usize + layout.size() == self.next.load(Relaxed) {
            self.next.store(piece as usize, Relaxed);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if piece as usize + layout.size() == self.next.load(Relaxed) {
            return self.take(piece as usize, size).map_or(ptr::null_mut(), |start| start as *mut u8);
        }
        if size <= layout.size() {
            return piece;
        }
        // SAFETY: the alignment is the old one, and the caller promises that the size fits it.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: the new piece is larger, and lies behind the old one.
            unsafe { ptr::copy_nonoverlapping(piece, moved, layout.size()) };
        }
        moved
    }
}
