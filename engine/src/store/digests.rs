//! One number for all that is held of each slot, so that two stores can tell where they differ without naming keys.
//!
//! The sum of a hash of each key with its version: in whatever order they came, the same entries have the same sum, and
//! other ones another, but for a chance of 2^-64. Sums are kept only while somebody asks for them: the first ask begins
//! a walk through the store, a part at a time, and from then on what changes behind the walk is taken in as it changes.
//! While nobody asks, a change of the store costs one look whether somebody does.

use alloc::boxed::Box;

use crate::id::{LANES, SLOTS, Slot, Version};
use crate::mutant::{self, Mutant};

/// The sums of all slots, as far as the walk has come.
#[derive(Clone)]
pub struct Digests {
    /// A lane lies in one stripe, and a store has those of its stripe alone.
    lanes: [Option<Box<[u64; WIDTH]>>; LANES as usize],
    /// Entries of hashes below this are in.
    walked: u64,
}

impl Digests {
    /// Of nothing yet: the walk begins at 0.
    pub fn new() -> Digests {
        Digests { lanes: [const { None }; LANES as usize], walked: 0 }
    }

    /// Where the walk goes on; `None` when it is over.
    pub fn rest(&self) -> Option<u64> {
        (self.walked != DONE).then_some(self.walked)
    }

    /// The walk has come so far.
    pub fn walk_to(&mut self, next: Option<u64>) {
        self.walked = next.unwrap_or(DONE);
    }

    /// The walk has met an entry.
    pub fn meet(&mut self, key: &[u8], version: Version) {
        self.add(key, number(key, version));
    }

    /// The version of a key changes; `None` for no entry.
    #[cold]
    #[inline(never)]
    pub fn change(&mut self, hash: u32, key: &[u8], before: Option<Version>, after: Option<Version>) {
        if u64::from(hash) >= self.walked {
            return;
        }
        let of = |version: Option<Version>| version.map_or(0, |version| number(key, version));
        self.add(key, of(after).wrapping_sub(of(before)));
    }

    /// The sum of a slot: 0 where nothing is held.
    pub fn of(&self, slot: Slot) -> u64 {
        let (lane, place) = at(slot);
        self.lanes[lane].as_ref().map_or(0, |sums| sums[place])
    }

    fn add(&mut self, key: &[u8], much: u64) {
        let (lane, place) = at(crate::hash::slot(key));
        let sums = self.lanes[lane].get_or_insert_with(|| Box::new([0; WIDTH]));
        sums[place] = sums[place].wrapping_add(much);
    }
}

/// What a key in a version counts for, the same on every node: xxh3 of the version under that of the key.
pub fn number(key: &[u8], version: Version) -> u64 {
    let version = if mutant::on(Mutant::DigestKeysOnly) { Version::ZERO } else { version };
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&version.stamp.to_le_bytes());
    bytes[8..].copy_from_slice(&version.node.0.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, xxhash_rust::xxh3::xxh3_64(key))
}

fn at(slot: Slot) -> (usize, usize) {
    (usize::from(slot.number() % LANES), usize::from(slot.number() / LANES))
}

/// Slots of a lane.
const WIDTH: usize = (SLOTS / LANES) as usize;
/// Above all hashes: the walk is over.
const DONE: u64 = u64::MAX;
