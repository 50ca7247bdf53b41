//! What a shard tells a snapshot, a part at a time, while it goes on serving.
//!
//! Nothing is copied first and nothing stands still: between two parts the store changes, and what is told is one entry
//! as it was then, another as it was later. The log makes that one state: it has every change since before the first
//! part, and is read over the snapshot. `docs/snapshots.md` says why no change is missed and none counts twice.

use super::Shard;
use crate::codec::snapshot::{Encoder, Kept};
use crate::id::{SLOTS, Version};
use crate::limits::MAX_PAGE_FLOORS;

/// Places of the store that are worth looking at in one go, so that a lock is held for a bounded time.
pub const WALKED: u32 = 64;
/// Cursors below this are places in the store, from it on slots.
const FLOORS: u64 = 1 << 63;

impl Shard {
    /// Puts into the snapshot what is held in so many places from `cursor` on, and after the last of them what the
    /// slots have seen go. Returns the cursor to go on with, or `None` at the end. It starts at 0.
    ///
    /// A call ends once the block is full; the caller then ends the block, without the lock.
    pub fn walk(&self, cursor: u64, places: u32, snapshot: &mut Encoder) -> Option<u64> {
        if cursor >= FLOORS {
            return self.walk_floors(cursor - FLOORS, snapshot);
        }
        let mut place = cursor;
        for _ in 0..places.max(1) {
            // What has expired and was not freed yet is told too: a floor that says so does not stand yet.
            let next = self.store.scan(place, 1, &mut |key, entry| {
                let (value, media) = (entry.value, entry.media);
                snapshot.entry(&Kept { key, value, media, version: entry.version, deadline: entry.deadline });
            });
            let Some(next) = next else { return Some(FLOORS) };
            place = next;
            if snapshot.is_full() {
                break;
            }
        }
        Some(place)
    }

    fn walk_floors(&self, from: u64, snapshot: &mut Encoder) -> Option<u64> {
        let mut floors = self.gone.above(from.min(u64::from(SLOTS)) as u16, Version::ZERO);
        floors.by_ref().take(MAX_PAGE_FLOORS).for_each(|(slot, version)| snapshot.floor(slot, version));
        floors.next().map(|(slot, _)| FLOORS + u64::from(slot.number()))
    }
}
