//! Where the module's memory comes from: rlsf, which is a quarter as large as the standard library's allocator, told to
//! grow in large steps.
//!
//! By itself it asks the browser for one page of 64 KiB at a time, or for just what a large piece needs. Each such step
//! costs the browser a new view of the whole memory and a visit of its garbage collector, and what lies in pools of one
//! page fits nothing large afterwards: keeping the history of a minute took ten times as long as the minute itself.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_size;

use rlsf::SmallGlobalTlsf;

/// The module's allocator.
pub struct Growing(SmallGlobalTlsf);

impl Growing {
    /// Without any memory yet.
    pub const fn new() -> Growing {
        Growing(SmallGlobalTlsf::new())
    }
}

// SAFETY: both are those of the allocator inside.
unsafe impl GlobalAlloc for Growing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let pages = memory_size(0);
        // SAFETY: the caller keeps to what `alloc` asks for.
        let got = unsafe { self.0.alloc(layout) };
        if memory_size(0) != pages {
            // A piece that is taken and given back at once is one free block, which the next ones are cut from.
            let step = (pages * PAGE / 8).clamp(LEAST, MOST);
            if let Ok(step) = Layout::from_size_align(step, ALIGN) {
                // SAFETY: it is not empty, and is given back as it was taken; there may be no room for it.
                unsafe {
                    let spare = self.0.alloc(step);
                    if !spare.is_null() {
                        self.0.dealloc(spare, step);
                    }
                }
            }
        }
        got
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to what `dealloc` asks for.
        unsafe { self.0.dealloc(ptr, layout) }
    }
}

const PAGE: usize = 1 << 16;
/// Bytes of a step: an eighth of what there is, from the one to the other.
const LEAST: usize = 1 << 20;
const MOST: usize = 32 << 20;
const ALIGN: usize = 16;
