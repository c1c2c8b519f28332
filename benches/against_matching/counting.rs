//! How often memory was asked for.
#![allow(unsafe_code, reason = "an allocator cannot be counted otherwise; every call goes straight to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

/// One thread works here, so a load and a store count right, and cost the peers next to nothing.
fn count() {
    ASKED.store(ASKED.load(Relaxed) + 1, Relaxed);
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Since the beginning.
pub fn allocations() -> u64 {
    ASKED.load(Relaxed)
}
