//! From hash bits to entry numbers: an open-addressed table in many segments, ordered by hash.
//!
//! Depends on nothing. A bucket keeps all 32 hash bits, so that growing and comparing touch neither entries nor keys,
//! and a look-up costs one cache line. The buckets of a segment are sorted by hash, with gaps: a home is the hash's
//! fraction of the segment, and whoever finds it taken lives further right (linear probing, after Celis, "Robin Hood
//! Hashing", 1986; the order is Amble and Knuth's, 1974). An absent hash is known by the first bucket above it, and a
//! removal moves its right neighbours back instead of leaving tombstones: a cache that evicts with every insertion
//! would fill hashbrown's tables with those until they double. Growing by a quarter keeps the load between 0.7 and 0.88
//! at every size, at 10 bytes an entry.

use alloc::vec;
use alloc::vec::Vec;

/// The table.
#[derive(Clone)]
pub struct Index {
    segments: Vec<Segment>,
    /// The hash bits that choose the segment: as many, from the top.
    bits: u32,
}

#[derive(Clone)]
struct Segment {
    /// The homes, and behind them room for those who live right of the last home.
    buckets: Vec<Bucket>,
    homes: u32,
    len: u32,
}

#[derive(Clone, Copy)]
struct Bucket {
    hash: u32,
    id: u32,
}

impl Index {
    /// An empty table for about `expected` entries; any number fits. Only the number of segments depends on it, which
    /// bounds how many buckets one insertion may have to move.
    pub fn new(expected: u64) -> Index {
        let segments = (expected / SEGMENT).clamp(1, MAX_SEGMENTS).next_power_of_two();
        let empty = Segment { buckets: Vec::new(), homes: 0, len: 0 };
        Index { segments: vec![empty; segments as usize], bits: segments.trailing_zeros() }
    }

    /// The entry with these hash bits that `is_it` says yes to.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let segment = &self.segments[self.segment(hash)];
        for bucket in &segment.buckets[segment.home(hash, self.bits)..] {
            if bucket.hash == hash && bucket.id != EMPTY.id && is_it(bucket.id) {
                return Some(bucket.id);
            }
            if bucket.hash > hash || bucket.id == EMPTY.id {
                return None;
            }
        }
        None
    }

    /// Adds an entry, which must not be there.
    pub fn insert(&mut self, hash: u32, id: u32) {
        let at = self.segment(hash);
        self.segments[at].insert(Bucket { hash, id }, self.bits);
    }

    /// Takes the entry of that number, which must be there under that hash.
    pub fn remove(&mut self, hash: u32, id: u32) {
        let at = self.segment(hash);
        self.segments[at].remove(Bucket { hash, id }, self.bits);
    }

    /// Takes everything out and gives the memory back.
    pub fn clear(&mut self) {
        for segment in &mut self.segments {
            *segment = Segment { buckets: Vec::new(), homes: 0, len: 0 };
        }
    }

    #[inline]
    fn segment(&self, hash: u32) -> usize {
        ((u64::from(hash) << self.bits) >> 32) as usize
    }
}

impl Segment {
    /// Where a hash would like to live: monotone in the hash. Zero in an empty segment.
    #[inline]
    fn home(&self, hash: u32, bits: u32) -> usize {
        let fraction = (u64::from(hash) << bits) as u32;
        ((u64::from(fraction) * u64::from(self.homes)) >> 32) as usize
    }

    fn insert(&mut self, new: Bucket, bits: u32) {
        if u64::from(self.len) * 8 >= u64::from(self.homes) * 7 {
            self.grow(bits);
        }
        let home = self.home(new.hash, bits);
        let rest = &self.buckets[home..];
        let place = home + rest.iter().position(|b| b.id == EMPTY.id || b.hash > new.hash).unwrap_or(rest.len());
        let rest = &self.buckets[place..];
        let hole = place + rest.iter().position(|b| b.id == EMPTY.id).unwrap_or(rest.len());
        if hole == self.buckets.len() {
            // Doubling would cost memory for what is a rare need; an eighth is enough to stay linear.
            self.buckets.reserve_exact(if self.buckets.len() < self.buckets.capacity() {
                0
            } else {
                MARGIN + hole / 8
            });
            self.buckets.push(EMPTY);
        }
        self.buckets.copy_within(place..hole, place + 1);
        self.buckets[place] = new;
        self.len += 1;
    }

    fn remove(&mut self, old: Bucket, bits: u32) {
        let home = self.home(old.hash, bits);
        let found = self.buckets[home..].iter().position(|b| b.id == old.id).expect("an entry is in its index");
        let mut hole = home + found;
        debug_assert_eq!(self.buckets[hole].hash, old.hash);
        while let Some(&next) = self.buckets.get(hole + 1) {
            if next.id == EMPTY.id || self.home(next.hash, bits) > hole {
                break;
            }
            self.buckets[hole] = next;
            hole += 1;
        }
        self.buckets[hole] = EMPTY;
        self.len -= 1;
    }

    /// More homes by a quarter. The order stays, so that this is one pass from left to right.
    fn grow(&mut self, bits: u32) {
        self.homes = self.homes.saturating_add(self.homes / 4).saturating_add(8);
        let old = core::mem::take(&mut self.buckets);
        let mut new = Vec::with_capacity(self.homes as usize + MARGIN);
        for bucket in old.into_iter().filter(|b| b.id != EMPTY.id) {
            let home = self.home(bucket.hash, bits);
            if new.len() < home {
                new.resize(home, EMPTY);
            }
            new.push(bucket);
        }
        if new.len() < self.homes as usize {
            new.resize(self.homes as usize, EMPTY);
        }
        self.buckets = new;
    }
}

/// Nobody's bucket. No entry has this number.
const EMPTY: Bucket = Bucket { hash: 0, id: u32::MAX };
/// Entries that one segment is made for: what one growth may have to move, in some microseconds.
const SEGMENT: u64 = 2_048;
const MAX_SEGMENTS: u64 = 2_048;
/// Room behind the last home.
const MARGIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    /// Inserts and removes by a small generator, and compares with a map; hashes are cut by `mask`, so that they
    /// collide.
    fn check(expected: u64, steps: u32, mask: u32) {
        let (mut index, mut model) = (Index::new(expected), BTreeMap::new());
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for step in 0..steps {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (id, hash) = ((state >> 40) as u32 % 700, (state >> 20) as u32 & mask);
            match model.remove(&id) {
                Some(hash) => index.remove(hash, id),
                None => {
                    index.insert(hash, id);
                    model.insert(id, hash);
                }
            }
            assert_eq!(index.find(hash, |_| false), None);
            if step % 64 == 0 {
                for id in 0..700 {
                    let hash = model.get(&id).copied();
                    assert_eq!(index.find(hash.unwrap_or(0), |it| it == id), hash.map(|_| id), "step {step}");
                }
                let sorted = |s: &Segment| s.buckets.iter().filter(|b| b.id != EMPTY.id).is_sorted_by_key(|b| b.hash);
                assert!(index.segments.iter().all(sorted));
                assert_eq!(index.segments.iter().map(|s| s.len as usize).sum::<usize>(), model.len());
            }
        }
        index.clear();
        assert_eq!(index.find(0, |_| true), None);
    }

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let steps = if cfg!(miri) { 500 } else { 40_000 };
        for mask in [u32::MAX, 0, 1, 0xff, 0xffff_0000, 0x8000_0000, 0xffff_ff00] {
            check(0, steps, mask);
            check(100_000, steps, mask);
        }
    }
}
