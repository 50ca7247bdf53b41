//! What a shard has forgotten: for each slot, the highest version that was removed from it.
//!
//! A change that arrives late, repeated or overtaken must not bring back what was deleted, overwritten or expired
//! since. Instead of remembering every removed key, a slot remembers the highest version it has removed, and refuses
//! changes at or below it for keys that it does not hold. The price is a refusal now and then for a change that would
//! have been welcome; the primary then moves on above the floor. Memory is bounded by the number of slots.
//!
//! A shard keeps two such books. One is of all removals, evictions included, and guards against late messages. The
//! other is of what a replica that was away cannot know: deletions, and evictions and expiries of what it may not have
//! been told of. By that one replicas judge each other's entries: `docs/replication.md`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{SLOTS, Slot, Version};
use crate::mutant::{self, Mutant};

/// The floors of all slots, in chunks that exist once they are needed. Clones share those that neither has changed: the
/// simulator keeps hundreds of clones of a node.
#[derive(Clone, Debug)]
pub(super) struct Floors {
    chunks: Vec<Option<Arc<[Version; CHUNK]>>>,
}

/// Slots of a chunk: few, because where keys are few each may be in a slot far from the others.
const CHUNK: usize = 16;

impl Floors {
    pub(super) fn new() -> Floors {
        Floors { chunks: (0..usize::from(SLOTS) / CHUNK).map(|_| None).collect() }
    }

    /// The floor of a slot: [`Version::ZERO`] while nothing was removed from it.
    pub(super) fn floor(&self, slot: Slot) -> Version {
        let number = usize::from(slot.number());
        self.chunks[number / CHUNK].as_ref().map_or(Version::ZERO, |chunk| chunk[number % CHUNK])
    }

    /// The slots from that number on whose floors are above a version, in order, with their floors.
    pub(super) fn above(&self, from: u16, version: Version) -> impl Iterator<Item = (Slot, Version)> {
        let first = usize::from(from) / CHUNK;
        // Chunks before the first slot have nothing that is asked for.
        let chunks = self.chunks.iter().enumerate().skip(first).filter_map(|(at, chunk)| Some((at, chunk.as_ref()?)));
        let floors = chunks.flat_map(|(at, chunk)| (at * CHUNK..).zip(chunk.iter().copied()));
        let above = floors.filter(move |(number, floor)| *number >= usize::from(from) && *floor > version);
        above.filter_map(|(number, floor)| Some((Slot::new(number as u16)?, floor)))
    }

    /// Something of that version was removed from the slot.
    pub(super) fn raise(&mut self, slot: Slot, version: Version) {
        if mutant::on(Mutant::ForgetFloors) {
            return;
        }
        if version <= self.floor(slot) {
            return;
        }
        let number = usize::from(slot.number());
        let chunk = self.chunks[number / CHUNK].get_or_insert_with(|| Arc::new([Version::ZERO; CHUNK]));
        Arc::make_mut(chunk)[number % CHUNK] = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    #[test]
    fn a_floor_only_rises_and_is_the_slots_own() {
        let mut floors = Floors::new();
        let (slot, next) = (Slot::of_hash(63), Slot::of_hash(64));
        let version = |stamp| Version { stamp, node: NodeId(1) };
        floors.raise(slot, version(5));
        floors.raise(slot, version(3));
        assert_eq!(floors.floor(slot), version(5));
        assert_eq!(floors.floor(next), Version::ZERO);
        floors.raise(next, version(9));
        let above = |from, than| floors.above(from, version(than)).map(|(slot, _)| slot.number()).collect::<Vec<_>>();
        assert_eq!(above(0, 0), [63, 64]);
        assert_eq!(above(64, 0), [64]);
        assert_eq!(above(0, 5), [64]);
        assert_eq!(above(65, 0), [0; 0]);
    }

    #[test]
    fn clones_share_what_neither_has_raised() {
        let mut one = Floors::new();
        let (slot, far) = (Slot::of_hash(63), Slot::of_hash(9_000));
        let version = |stamp| Version { stamp, node: NodeId(1) };
        one.raise(slot, version(5));
        one.raise(far, version(5));
        let two = one.clone();
        one.raise(slot, version(7));
        one.raise(far, version(4));
        assert_eq!((one.floor(slot), two.floor(slot)), (version(7), version(5)));
        let shared = |slot: Slot| {
            let chunk =
                |floors: &Floors| floors.chunks[usize::from(slot.number()) / CHUNK].clone().expect("it was raised");
            Arc::ptr_eq(&chunk(&one), &chunk(&two))
        };
        assert!(shared(far) && !shared(slot));
    }
}
