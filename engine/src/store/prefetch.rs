//! A word to the processor about what will be needed soon.
//!
//! Depends on nothing, and changes nothing but time.

/// Begins to load the cache line where this starts, and waits for nothing. Does nothing where the compiler has no
/// stable instruction for it.
#[inline]
pub fn prefetch<T>(what: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing and faults nowhere, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(what.cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = what;
}
