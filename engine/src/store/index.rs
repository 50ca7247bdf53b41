//! From hash bits to entries: an open-addressed table in many segments, of cache lines with seven buckets each.
//!
//! Depends on `chunks`, and on `entries` for their addresses alone. A line compares the tags of its seven at once,
//! without a branch for each, so that a processor that guesses ahead goes on to the next request while this one waits
//! for memory. That, more than the number of steps, decides what a look-up costs once the table is larger than the
//! caches: see `docs/store.md`.
//!
//! A home is the hash's fraction of the segment, and whoever finds it full lives in a line further right (linear
//! probing by lines). A line counts who went past it, so that a search ends where nobody did, and a removal moves
//! nobody and leaves no tombstones (Bronson and Shi, "Open-sourcing F14", 2019): a cache that evicts with every
//! insertion would fill hashbrown's tables with those until they double. Growing by an eighth keeps the load between
//! 0.78 and 0.88, at some 11 bytes an entry. It adds lines in chunks and gives none back: replaced tables would leave
//! holes that nothing else fits into.

use alloc::vec;
use alloc::vec::Vec;

use super::chunks::Chunked;
use super::entries::At;

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
    lines: Chunked<Line, CHUNK>,
    homes: u32,
    len: u32,
}

/// Seven buckets in one cache line.
#[derive(Clone, Copy)]
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
struct Line {
    at: [Option<At>; WIDTH],
    /// The lowest byte of each entry's hash bits; anything in a free bucket.
    tags: [u8; WIDTH],
    /// How many entries live further right than here though their homes do not. Sticks at its highest.
    passed: u8,
}

impl Index {
    /// An empty table for about `expected` entries; any number fits. Only the number of segments depends on it, which
    /// bounds how many entries one insertion may have to move.
    pub fn new(expected: u64) -> Index {
        let segments = (expected / SEGMENT).clamp(1, MAX_SEGMENTS).next_power_of_two();
        let empty = Segment { lines: Chunked::new(), homes: 0, len: 0 };
        Index { segments: vec![empty; segments as usize], bits: segments.trailing_zeros() }
    }

    /// The entry with these hash bits that `is_it` says yes to.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(At) -> bool) -> Option<At> {
        let segment = &self.segments[self.segment(hash)];
        if segment.homes == 0 {
            return None;
        }
        let mut home = segment.home(hash, self.bits);
        loop {
            let line = &segment.lines[home];
            let mut same = line.same(hash);
            while same != 0 {
                if let Some(at) = line.at[same.trailing_zeros() as usize / 8 % WIDTH]
                    && is_it(at)
                {
                    return Some(at);
                }
                same &= same - 1;
            }
            if line.passed == 0 {
                return None;
            }
            home += 1;
        }
    }

    /// Adds an entry, which must not be there. `hash_of` gives the hash bits of any entry.
    pub fn insert(&mut self, hash: u32, at: At, hash_of: impl Fn(At) -> u32) {
        let segment = self.segment(hash);
        self.segments[segment].insert(hash, at, self.bits, hash_of);
    }

    /// Takes an entry, which must be there under that hash.
    pub fn remove(&mut self, hash: u32, at: At) {
        let segment = self.segment(hash);
        self.segments[segment].remove(hash, at, self.bits);
    }

    /// Puts one entry in the place of another, which must be there, under the same hash.
    pub fn replace(&mut self, hash: u32, old: At, new: At) {
        let number = self.segment(hash);
        let segment = &mut self.segments[number];
        let mut home = segment.home(hash, self.bits);
        loop {
            let mut buckets = segment.lines[home].at.iter_mut();
            if let Some(bucket) = buckets.find(|bucket| **bucket == Some(old)) {
                *bucket = Some(new);
                return;
            }
            home += 1;
        }
    }

    /// Shows entries a part at each call: visits `budget` buckets (at least one) from `cursor` on, and returns the
    /// cursor to go on with, or `None` at the end. It starts at 0. Between calls the table may change: who is there
    /// throughout is shown at least once.
    ///
    /// A cursor is the lowest hash of a run of lines, the segment's homes, and how far into the run the scan has come.
    /// Growing puts nobody from a run to the left of its lowest hash; a run that has grown is shown from its beginning.
    pub fn scan(&self, cursor: u64, budget: u32, each: &mut impl FnMut(At)) -> Option<u64> {
        let (hash, homes, offset) = ((cursor >> 32) as u32, (cursor >> 16) as u16, cursor as u16);
        let mut number = self.segment(hash);
        let mut run = self.segments[number].home(hash, self.bits);
        let mut offset = if homes == self.segments[number].homes as u16 { u32::from(offset) } else { 0 };
        let mut visited = 0;
        loop {
            let segment = &self.segments[number];
            while run + offset / BUCKETS < segment.lines.len() {
                let home = run + offset / BUCKETS;
                if visited >= budget.max(1) && offset <= u32::from(u16::MAX) {
                    let hash = self.first_hash(number, run);
                    return Some(u64::from(hash) << 32 | u64::from(segment.homes as u16) << 16 | u64::from(offset));
                }
                let line = &segment.lines[home];
                if let Some(at) = line.at[offset as usize % WIDTH] {
                    each(at);
                }
                visited += 1;
                offset += 1;
                if offset.is_multiple_of(BUCKETS) && line.passed == 0 && home + 1 < segment.homes {
                    (run, offset) = (home + 1, 0);
                }
            }
            number += 1;
            (run, offset) = (0, 0);
            if number == self.segments.len() {
                return None;
            }
        }
    }

    /// Takes everything out and gives the memory back.
    pub fn clear(&mut self) {
        for segment in &mut self.segments {
            *segment = Segment { lines: Chunked::new(), homes: 0, len: 0 };
        }
    }

    #[inline]
    fn segment(&self, hash: u32) -> usize {
        ((u64::from(hash) << self.bits) >> 32) as usize
    }

    /// The lowest hash whose home is that line of that segment.
    fn first_hash(&self, segment: usize, home: u32) -> u32 {
        let homes = u64::from(self.segments[segment].homes.max(1));
        let fraction = (u64::from(home) << 32).div_ceil(homes);
        let hash = ((segment as u64) << 32 | fraction) >> self.bits;
        // The fraction loses its lowest bits: round up, never into the line before.
        let exact = (u64::from(hash as u32) << self.bits) & u64::from(u32::MAX) >= fraction;
        hash as u32 + u32::from(!exact)
    }
}

impl Line {
    const NONE: Line = Line { at: [None; WIDTH], tags: [0; WIDTH], passed: 0 };

    /// The highest bit of each byte whose bucket has the tag of that hash; now and then of one that has not.
    #[inline]
    fn same(&self, hash: u32) -> u64 {
        const LOW: u64 = 0x0101_0101_0101_0101;
        let [a, b, c, d, e, f, g] = self.tags;
        let differences = u64::from_le_bytes([a, b, c, d, e, f, g, 0]) ^ (u64::from(hash as u8) * LOW);
        // Finding a zero byte: Warren, "Hacker's Delight", 6-1. The eighth is not a bucket's.
        differences.wrapping_sub(LOW) & !differences & (LOW << 7) & (u64::MAX >> 8)
    }
}

impl Segment {
    /// The line where a hash would like to live: monotone in the hash. Zero in an empty segment.
    #[inline]
    fn home(&self, hash: u32, bits: u32) -> u32 {
        let fraction = (u64::from(hash) << bits) as u32;
        ((u64::from(fraction) * u64::from(self.homes)) >> 32) as u32
    }

    fn insert(&mut self, hash: u32, at: At, bits: u32, hash_of: impl Fn(At) -> u32) {
        if u64::from(self.len) * 8 >= u64::from(self.homes) * WIDTH as u64 * 7 {
            self.grow(bits, hash_of);
        }
        self.place(hash, at, bits);
        self.len += 1;
    }

    fn place(&mut self, hash: u32, at: At, bits: u32) {
        let mut home = self.home(hash, bits);
        loop {
            if home == self.lines.len() {
                self.lines.push(Line::NONE);
            }
            let line = &mut self.lines[home];
            if let Some(free) = line.at.iter().position(Option::is_none) {
                line.at[free] = Some(at);
                line.tags[free] = hash as u8;
                return;
            }
            line.passed = line.passed.saturating_add(1);
            home += 1;
        }
    }

    fn remove(&mut self, hash: u32, at: At, bits: u32) {
        let mut home = self.home(hash, bits);
        loop {
            let line = &mut self.lines[home];
            if let Some(bucket) = line.at.iter().position(|other| *other == Some(at)) {
                line.at[bucket] = None;
                self.len -= 1;
                return;
            }
            if line.passed != u8::MAX {
                line.passed -= 1;
            }
            home += 1;
        }
    }

    /// More homes: twice as many for a start, then by an eighth. The lines stay where they are.
    fn grow(&mut self, bits: u32, hash_of: impl Fn(At) -> u32) {
        self.homes = match self.homes {
            0 => 1,
            few if few < DOUBLED => few * 2,
            many => many.saturating_add(many / 8),
        };
        let mut all = Vec::with_capacity(self.len as usize);
        for home in 0..self.lines.len() {
            all.extend(self.lines[home].at.iter().flatten());
            self.lines[home] = Line::NONE;
        }
        while self.lines.len() < self.homes {
            self.lines.push(Line::NONE);
        }
        for at in all {
            self.place(hash_of(at), at, bits);
        }
    }
}

/// Buckets of a line.
const WIDTH: usize = 7;
const BUCKETS: u32 = WIDTH as u32;
/// Homes up to which a segment doubles.
const DOUBLED: u32 = 64;
/// Lines of a chunk: one page of memory.
const CHUNK: usize = 64;
/// Entries that one segment is made for: what one growth may have to move, in some hundred microseconds. Fewer would
/// differ more in their numbers, and grow for that alone.
const SEGMENT: u64 = 8_192;
const MAX_SEGMENTS: u64 = 512;
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Line>() == 64);

#[cfg(test)]
mod tests {
    use super::super::entries::{Entries, New};
    use super::*;
    use crate::id::Version;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn entry(entries: &mut Entries, hash: u32) -> At {
        entries.insert(&New { version: Version::ZERO, hash, key: b"", value: b"", media: b"" })
    }

    /// Every entry that a whole scan shows, in steps of `budget`, while `meanwhile` runs between the steps.
    fn scanned(index: &mut Index, budget: u32, mut meanwhile: impl FnMut(&mut Index)) -> Vec<At> {
        let (mut seen, mut next) = (Vec::new(), Some(0));
        while let Some(cursor) = next {
            let before = seen.len();
            next = index.scan(cursor, budget, &mut |at| seen.push(at));
            assert!(seen.len() - before <= budget.max(1) as usize);
            meanwhile(index);
        }
        seen
    }

    /// Inserts and removes by a small generator, and compares with a map; hashes are cut by `mask`, so that they
    /// collide.
    fn check(expected: u64, steps: u32, mask: u32) {
        let (mut index, mut entries, mut model) = (Index::new(expected), Entries::new(), BTreeMap::new());
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for step in 0..steps {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (id, hash) = ((state >> 40) as u32 % 700, (state >> 20) as u32 & mask);
            match model.remove(&id) {
                Some(at) if step % 5 == 0 => {
                    let hash = entries.hash(at);
                    let other = entry(&mut entries, hash);
                    index.replace(hash, at, other);
                    entries.remove(at);
                    model.insert(id, other);
                }
                Some(at) => {
                    index.remove(entries.hash(at), at);
                    entries.remove(at);
                }
                None => {
                    let at = entry(&mut entries, hash);
                    index.insert(hash, at, |at| entries.hash(at));
                    model.insert(id, at);
                }
            }
            assert_eq!(index.find(hash, |_| false), None);
            if step % 64 == 0 {
                for (id, at) in &model {
                    let found = index.find(entries.hash(*at), |it| it == *at);
                    assert_eq!(found, Some(*at), "{id} in step {step}");
                }
                let mut seen = scanned(&mut index, step % 50, |_| ());
                assert_eq!(seen.len(), model.len());
                seen.retain(|at| !model.values().any(|known| known == at));
                assert_eq!(seen, []);
                assert_eq!(index.segments.iter().map(|s| s.len as usize).sum::<usize>(), model.len());
            }
        }
        for at in model.into_values() {
            index.remove(entries.hash(at), at);
        }
        let stuck = if mask.count_ones() < 9 { u8::MAX } else { 0 };
        let passed = |s: &Segment| (0..s.lines.len()).all(|home| [0, stuck].contains(&s.lines[home].passed));
        assert!(index.segments.iter().all(passed), "who has gone is not counted");
        index.clear();
        assert_eq!(index.find(0, |_| true), None);
    }

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let steps = if cfg!(miri) { 70 } else { 40_000 };
        for mask in [u32::MAX, 0, 1, 0xff, 0xffff_0000, 0x8000_0000, 0xffff_ff00] {
            check(0, steps, mask);
            check(100_000, steps, mask);
        }
    }

    #[test]
    fn a_scan_shows_whoever_is_there_throughout_while_the_table_grows() {
        let count = if cfg!(miri) { 60 } else { 3_000 };
        for (expected, mask) in [(0, u32::MAX), (40_000, u32::MAX), (0, 0xffff_fe00), (40_000, 0x1f00_00ff)] {
            let (mut index, mut entries) = (Index::new(expected), Entries::new());
            let mut number = 0_u32;
            let mut add = |index: &mut Index| {
                number += 1;
                let hash = number.wrapping_mul(0x9e37_79b9) & mask;
                let at = entry(&mut entries, hash);
                index.insert(hash, at, |at| entries.hash(at));
                at
            };
            let throughout: Vec<At> = (0..count).map(|_| add(&mut index)).collect();
            let mut more = 2 * count;
            let mut seen = scanned(&mut index, 50, |index| {
                for _ in 0..20.min(more) {
                    add(index);
                    more -= 1;
                }
            });
            assert!(more < count * 2, "it grew meanwhile");
            seen.sort_by_key(|at| at.address());
            let missed =
                throughout.iter().filter(|at| seen.binary_search_by_key(&at.address(), |at| at.address()).is_err());
            assert_eq!(missed.count(), 0, "{expected} {mask:x}");
        }
    }
}
