//! P7: what a node may hold.

use alloc::format;
use alloc::string::String;

use crate::store::Limits;

/// What is wrong with so many entries and bytes, the largest entry that anybody has asked to store being `largest`.
pub(super) fn exceeded(entries: u32, bytes: u64, limits: Limits, largest: u64) -> Option<String> {
    let too_many = limits.entries.is_some_and(|limit| entries > limit + 1);
    let too_large = limits.bytes.is_some_and(|limit| bytes > limit.saturating_add(largest));
    (too_many || too_large).then(|| format!("{entries} entries and {bytes} bytes are held of {limits:?}"))
}
