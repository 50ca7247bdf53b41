//! From hash bits to entries: an open-addressed table in many segments, of cache lines with six buckets each.
//!
//! Depends on `chunks`, and on `entries` for their addresses alone. A line compares the tags of its six at once,
//! without a branch for each, so that a processor that guesses ahead goes on to the next request while this one waits
//! for memory. That, more than the number of steps, decides what a look-up costs once the table is larger than the
//! caches: see `docs/store.md`.
//!
//! A home is the hash's fraction of the segment, and whoever finds it full lives in a line further right (linear
//! probing by lines). A line counts who went past it, so that a search ends where nobody did (Bronson and Shi,
//! "Open-sourcing F14", 2019), and remembers of each entry how far it is from home, so that a removal brings back
//! somebody from further right without looking at entries: no tombstones, and after any number of evictions the table
//! is as good as a new one. Growing by an eighth keeps the load between 0.78 and 0.88, at some 13 bytes an entry. It
//! adds lines in chunks and gives none back: replaced tables would leave holes that nothing else fits into.

use alloc::vec;
use alloc::vec::Vec;

use super::chunks::Chunked;
use super::entries::At;
use super::prefetch::prefetch;

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

/// Six buckets in one cache line.
#[derive(Clone, Copy)]
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
struct Line {
    at: [Option<At>; WIDTH],
    /// A byte for each bucket, the first the lowest: the lowest byte of the entry's hash bits; anything in a free one.
    /// The two bytes above them count the entries that live further right than here though their homes do not. The
    /// count sticks at its highest.
    tags: u64,
    /// A byte for each bucket: how many lines its entry is from its home; [`FAR`] for so many and more, [`FREE`] in a
    /// free bucket. Nothing above them.
    away: u64,
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
            let mut same = equal(line.tags, hash as u8);
            while let Some(bucket) = first(same) {
                if let Some(at) = line.at[bucket]
                    && is_it(at)
                {
                    return Some(at);
                }
                same &= same - 1;
            }
            if line.passed() == 0 {
                return None;
            }
            home += 1;
        }
    }

    /// Begins to load the line where a search for that hash starts.
    #[inline]
    pub fn prefetch(&self, hash: u32) {
        let segment = &self.segments[self.segment(hash)];
        if segment.homes != 0 {
            prefetch(&segment.lines[segment.home(hash, self.bits)]);
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

    /// Shows entries by ascending hash, a part at each call: visits `budget` lines or hashes (at least one) from
    /// `cursor` on, a hash, and returns the hash to go on with, or `None` at the end. Whoever is there throughout is
    /// shown once, however the table changes between calls. `hash_of` gives the hash bits of any entry.
    pub fn scan(
        &self,
        cursor: u64,
        budget: u32,
        hash_of: impl Fn(At) -> u32,
        each: &mut impl FnMut(At),
    ) -> Option<u64> {
        let (mut next, mut visited) = (cursor, 0);
        while let Ok(from) = u32::try_from(next) {
            if visited >= budget.max(1) {
                return Some(next);
            }
            let number = self.segment(from);
            let segment = &self.segments[number];
            if segment.homes == 0 {
                next = self.first_hash(number + 1, 0);
                continue;
            }
            let home = segment.home(from, self.bits);
            let hashes =
                || segment.of_home(home, self.bits, &hash_of).map(|(_, hash)| hash).filter(|hash| *hash >= from);
            next = match hashes().min() {
                Some(lowest) => {
                    let same = segment.of_home(home, self.bits, &hash_of).filter(|(_, hash)| *hash == lowest);
                    same.for_each(|(at, _)| each(at));
                    u64::from(lowest) + 1
                }
                None if home + 1 < segment.homes => self.first_hash(number, home + 1),
                None => self.first_hash(number + 1, 0),
            };
            visited += 1;
        }
        None
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

    /// The lowest hash whose home is that line of that segment; past all hashes behind the last segment.
    fn first_hash(&self, segment: usize, home: u32) -> u64 {
        let homes = self.segments.get(segment).map_or(1, |segment| u64::from(segment.homes.max(1)));
        let fraction = (u64::from(home) << 32).div_ceil(homes);
        // The fraction loses its lowest bits: round up, never into the line before.
        ((segment as u64) << 32 | fraction).div_ceil(1 << self.bits)
    }
}

impl Line {
    const NONE: Line = Line { at: [None; WIDTH], tags: 0, away: (LOW * FREE as u64) & SIX };

    /// How many entries live further right though their homes do not; as many or more when it is at its highest.
    #[inline]
    fn passed(&self) -> u16 {
        (self.tags >> PASSED) as u16
    }

    /// One more went past this line.
    fn count_one(&mut self) {
        if self.passed() != u16::MAX {
            self.tags += 1 << PASSED;
        }
    }

    /// The first free bucket.
    #[inline]
    fn free(&self) -> Option<usize> {
        first(equal(self.away, FREE))
    }

    /// The bucket of an entry with that hash.
    #[inline]
    fn bucket(&self, hash: u32, at: At) -> Option<usize> {
        let mut same = equal(self.tags, hash as u8);
        while let Some(bucket) = first(same) {
            if self.at[bucket] == Some(at) {
                return Some(bucket);
            }
            same &= same - 1;
        }
        None
    }

    /// The first bucket whose entry is known to be so many lines from home, or more; at least one and fewer than
    /// [`FAR`].
    #[inline]
    fn strayed(&self, lines: u32) -> Option<usize> {
        // No byte is above 127, so that none of these sums carries into the next.
        let enough = self.away + LOW * u64::from(128 - lines);
        let too_far = self.away + LOW * u64::from(128 - FAR);
        first(enough & !too_far & HIGH & SIX)
    }

    fn put(&mut self, bucket: usize, at: At, tag: u8, away: u32) {
        self.at[bucket] = Some(at);
        set_byte(&mut self.tags, bucket, tag);
        set_byte(&mut self.away, bucket, away.min(FAR) as u8);
    }

    /// Empties a bucket. Returns what it held, with its tag and its distance from home.
    fn take(&mut self, bucket: usize) -> (Option<At>, u8, u32) {
        let away = byte(self.away, bucket);
        set_byte(&mut self.away, bucket, FREE);
        (self.at[bucket].take(), byte(self.tags, bucket), u32::from(away))
    }

    /// One of those who went past is no longer there.
    fn count_back(&mut self) {
        if self.passed() != u16::MAX {
            self.tags -= 1 << PASSED;
        }
    }
}

/// The highest bit of each byte that is equal to this one; above the first, which is right, now and then of another.
#[inline]
fn equal(bytes: u64, to: u8) -> u64 {
    let differences = bytes ^ (u64::from(to) * LOW);
    // Finding a zero byte: Warren, "Hacker's Delight", 6-1.
    differences.wrapping_sub(LOW) & !differences & HIGH & SIX
}

/// The bucket of the lowest of such bits.
#[inline]
fn first(bits: u64) -> Option<usize> {
    (bits != 0).then(|| bits.trailing_zeros() as usize / 8)
}

/// The byte of a bucket.
#[inline]
fn byte(of: u64, bucket: usize) -> u8 {
    (of >> (8 * bucket)) as u8
}

/// Gives a bucket another byte.
#[inline]
fn set_byte(of: &mut u64, bucket: usize, to: u8) {
    *of = (*of & !(0xff << (8 * bucket))) | (u64::from(to) << (8 * bucket));
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
        let home = self.home(hash, bits);
        for here in home.. {
            if here == self.lines.len() {
                self.lines.push(Line::NONE);
            }
            let line = &mut self.lines[here];
            if let Some(free) = line.free() {
                line.put(free, at, hash as u8, here - home);
                return;
            }
            line.count_one();
        }
    }

    fn remove(&mut self, hash: u32, at: At, bits: u32) {
        let mut here = self.home(hash, bits);
        let bucket = loop {
            let line = &mut self.lines[here];
            if let Some(bucket) = line.bucket(hash, at) {
                break bucket;
            }
            line.count_back();
            here += 1;
        };
        self.len -= 1;
        self.lines[here].take(bucket);
        // Who went past this line comes back to it, and leaves room for the next.
        let mut hole = (here, bucket);
        while let Some((from, bucket)) = self.passer(hole.0) {
            let (at, tag, away) = self.lines[from].take(bucket);
            (hole.0..from).for_each(|passed| self.lines[passed].count_back());
            let at = at.expect("a free bucket's entry did not stray");
            self.lines[hole.0].put(hole.1, at, tag, away - (from - hole.0));
            hole = (from, bucket);
        }
    }

    /// The nearest entry right of a line that may live in it.
    fn passer(&self, hole: u32) -> Option<(u32, usize)> {
        let mut here = hole;
        while self.lines[here].passed() != 0 && here - hole + 1 < FAR && here + 1 < self.lines.len() {
            here += 1;
            if let Some(bucket) = self.lines[here].strayed(here - hole) {
                return Some((here, bucket));
            }
        }
        None
    }

    /// The entries whose home is that line, with their hashes.
    fn of_home(&self, home: u32, bits: u32, hash_of: impl Fn(At) -> u32) -> impl Iterator<Item = (At, u32)> {
        let past = (home..self.lines.len()).find(|here| self.lines[*here].passed() == 0);
        let lines = home..past.map_or(self.lines.len(), |last| last + 1);
        let buckets = lines.flat_map(|here| (0..WIDTH).map(move |bucket| (here, bucket)));
        buckets.filter_map(move |(here, bucket)| {
            let line = &self.lines[here];
            let at = line.at[bucket]?;
            let away = byte(line.away, bucket);
            if away < FAR as u8 && u32::from(away) != here - home {
                return None;
            }
            let hash = hash_of(at);
            (self.home(hash, bits) == home).then_some((at, hash))
        })
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
const WIDTH: usize = 6;
/// So many lines from home, or more.
const FAR: u32 = 126;
/// In the place of a distance: nobody is there.
const FREE: u8 = 127;
/// The lowest bit, and the highest, of each byte of a word; and the bytes of a line's buckets.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;
const SIX: u64 = u64::MAX >> 16;
/// Where a line's count of those who went past begins.
const PASSED: u32 = 48;
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
        entries.insert(&New { version: Version::ZERO, hash, key: b"", value: b"", media: b"" }, 0, None)
    }

    /// Every entry that a whole scan shows, in steps of `budget`, while `meanwhile` runs between the steps.
    fn scanned(
        index: &mut Index,
        entries: &mut Entries,
        budget: u32,
        mut meanwhile: impl FnMut(&mut Index, &mut Entries),
    ) -> Vec<At> {
        let (mut seen, mut next) = (Vec::new(), Some(0));
        while let Some(cursor) = next {
            next = index.scan(cursor, budget, |at| entries.hash(at), &mut |at| seen.push(at));
            assert!(next.is_none_or(|next| next > cursor), "a scan goes on");
            meanwhile(index, entries);
        }
        seen
    }

    /// Steps from one look at everything to the next.
    const EVERY: u32 = if cfg!(miri) { 16 } else { 64 };

    /// Inserts and removes by a small generator, and compares with a map; hashes are cut by `mask`, so that they
    /// collide.
    fn check(expected: u64, steps: u32, mask: u32) {
        let (mut index, mut entries, mut model) = (Index::new(expected), Entries::new(0), BTreeMap::new());
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
            if step % EVERY == 0 {
                for (id, at) in &model {
                    let found = index.find(entries.hash(*at), |it| it == *at);
                    assert_eq!(found, Some(*at), "{id} in step {step}");
                }
                let mut seen = scanned(&mut index, &mut entries, step % 50, |_, _| ());
                assert_eq!(seen.len(), model.len());
                seen.retain(|at| !model.values().any(|known| known == at));
                assert_eq!(seen, []);
                assert_eq!(index.segments.iter().map(|s| s.len as usize).sum::<usize>(), model.len());
            }
        }
        for at in model.into_values() {
            index.remove(entries.hash(at), at);
        }
        let stuck = 0;
        let passed = |s: &Segment| (0..s.lines.len()).all(|home| [0, stuck].contains(&s.lines[home].passed()));
        assert!(index.segments.iter().all(passed), "who has gone is not counted");
        index.clear();
        assert_eq!(index.find(0, |_| true), None);
    }

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let masks = [u32::MAX, 0, 0xffff_ff00, 1, 0xff, 0xffff_0000, 0x8000_0000];
        let (steps, masks) = if cfg!(miri) { (2 * EVERY + 1, &masks[..3]) } else { (40_000, &masks[..]) };
        for mask in masks.iter().copied() {
            check(0, steps, mask);
            check(100_000, steps, mask);
        }
    }

    #[test]
    fn a_scan_shows_whoever_is_there_throughout_while_the_table_changes() {
        let count = if cfg!(miri) { 40 } else { 3_000 };
        for (expected, mask) in [(0, u32::MAX), (40_000, u32::MAX), (0, 0xffff_fe00), (40_000, 0x1f00_00ff)] {
            let (mut index, mut entries) = (Index::new(expected), Entries::new(0));
            let mut number = 0_u32;
            let mut add = |index: &mut Index, entries: &mut Entries| {
                number += 1;
                let hash = number.wrapping_mul(0x9e37_79b9) & mask;
                let at = entry(entries, hash);
                index.insert(hash, at, |at| entries.hash(at));
                at
            };
            let mut passing: Vec<At> = (0..count).map(|_| add(&mut index, &mut entries)).collect();
            let throughout = passing.split_off(count / 2);
            let mut more = 2 * count;
            let mut seen = scanned(&mut index, &mut entries, 50, |index, entries| {
                for _ in 0..20.min(more) {
                    let at = add(index, entries);
                    if more % 3 == 0 {
                        passing.push(at);
                    }
                    more -= 1;
                }
                // Who goes leaves holes, which others come back to.
                for at in passing.split_off(passing.len().saturating_sub(10)) {
                    index.remove(entries.hash(at), at);
                    // The entry stays in its list, so that no other gets its address.
                }
            });
            assert!(more < 2 * count, "it changed meanwhile");
            seen.sort_by_key(|at| at.address());
            let missed =
                throughout.iter().filter(|at| seen.binary_search_by_key(&at.address(), |at| at.address()).is_err());
            assert_eq!(missed.count(), 0, "{expected} {mask:x}");
        }
    }

    #[test]
    fn evictions_without_end_leave_the_table_as_good_as_new() {
        let count = if cfg!(miri) { 100 } else { 20_000 };
        let (mut index, mut entries) = (Index::new(u64::from(count)), Entries::new(0));
        let hash = |number: u32| number.wrapping_mul(0x9e37_79b9).rotate_left(7).wrapping_mul(0x85eb_ca6b);
        let passed = |index: &Index| {
            let lines =
                index.segments.iter().flat_map(|s| (0..s.lines.len()).map(|home| u64::from(s.lines[home].passed())));
            lines.sum::<u64>()
        };
        let mut fresh = 0;
        for number in 0..20 * count {
            if number >= count {
                let oldest = entries.oldest(0).unwrap();
                index.remove(entries.hash(oldest), oldest);
                entries.remove(oldest);
            }
            let at = entry(&mut entries, hash(number));
            index.insert(hash(number), at, |at| entries.hash(at));
            if number == count {
                fresh = passed(&index);
            }
        }
        let worn = passed(&index);
        assert!(worn <= fresh * 2 + 100, "{worn} steps past full lines, {fresh} at first");
    }
}
