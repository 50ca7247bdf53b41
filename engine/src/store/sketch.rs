//! About how often each key was asked for lately: the count-min sketch of TinyLFU, in counters of four bits.
//!
//! Depends on nothing. A key has four counters in one line of 64 bytes, so that a use of it costs one access to memory,
//! and its frequency is the least of the four, at most 15. What is counted grows old: every counter is halved once in
//! ten uses for each word of the sketch. The paper halves all of them at once; here a line is halved at every eightieth
//! use, in turn, so that no use of a large cache waits for all of them.

use alloc::vec;
use alloc::vec::Vec;

/// Frequencies by hash.
#[derive(Clone)]
pub struct Sketch {
    /// Lines of eight words of sixteen counters.
    lines: Vec<[u64; 8]>,
    /// Uses until the next line is halved.
    until: u32,
    /// The line that is halved next.
    next: u32,
}

impl Sketch {
    /// Nothing counted, for about so many keys: a word for each. None: every frequency is 0.
    pub fn new(keys: u32) -> Sketch {
        Sketch { lines: vec![[0; 8]; Sketch::lines(keys) as usize], until: HALVED_AFTER, next: 0 }
    }

    /// The bytes that it takes.
    pub fn bytes(keys: u32) -> u64 {
        u64::from(Sketch::lines(keys)) * 64
    }

    fn lines(keys: u32) -> u32 {
        if keys == 0 { 0 } else { (keys / 8).max(1).next_power_of_two() }
    }

    /// Counts a use.
    pub fn add(&mut self, hash: u32) {
        if self.lines.is_empty() {
            return;
        }
        let (line, counters) = self.place(hash);
        for (row, at) in counters.into_iter().enumerate() {
            let word = &mut self.lines[line][2 * row + (at & 1) as usize];
            let shift = at >> 1 << 2;
            if *word >> shift & 15 != 15 {
                *word += 1 << shift;
            }
        }
        self.until -= 1;
        if self.until == 0 {
            self.until = HALVED_AFTER;
            for word in &mut self.lines[self.next as usize] {
                *word = *word >> 1 & HALVED;
            }
            self.next = (self.next + 1) % self.lines.len() as u32;
        }
    }

    /// About how often it was used, at most 15.
    pub fn frequency(&self, hash: u32) -> u32 {
        if self.lines.is_empty() {
            return 0;
        }
        let (line, counters) = self.place(hash);
        let counts = counters.into_iter().enumerate().map(|(row, at)| {
            let word = self.lines[line][2 * row + (at & 1) as usize];
            (word >> (at >> 1 << 2) & 15) as u32
        });
        counts.fold(15, u32::min)
    }

    /// The line of a hash, and for each of four rows one of the thirty-two counters of two words.
    fn place(&self, hash: u32) -> (usize, [u32; 4]) {
        // The last steps of MurmurHash3: every bit of the hash decides on every bit of the place.
        let mut mixed = u64::from(hash).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^= mixed >> 33;
        let line = (mixed >> 32) as usize & (self.lines.len() - 1);
        (line, [0, 5, 10, 15].map(|shift| (mixed >> shift) as u32 & 31))
    }
}

/// Uses between two lines that are halved: ten for each word of a line.
const HALVED_AFTER: u32 = 80;
/// What is left of a word of counters that was shifted by one.
const HALVED: u64 = 0x7777_7777_7777_7777;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_counted_and_grow_old() {
        let mut sketch = Sketch::new(1_024);
        assert_eq!(sketch.lines.len(), 128);
        for uses in 1..=20 {
            sketch.add(7);
            assert_eq!(sketch.frequency(7), uses.min(15));
        }
        assert_eq!(sketch.frequency(8), 0);
        // Ten uses for each word, of keys that are asked for once: they leave little behind.
        (0..10_240).for_each(|hash| sketch.add(1_000 + hash * 77));
        assert!((7..=9).contains(&sketch.frequency(7)), "{}", sketch.frequency(7));
        let mut empty = Sketch::new(0);
        empty.add(1);
        assert_eq!((empty.frequency(1), Sketch::bytes(0), Sketch::bytes(1)), (0, 0, 64));
    }

    #[test]
    fn a_frequency_is_never_below_the_count_before_it_grows_old() {
        let mut sketch = Sketch::new(64);
        let mut counts = [0; 40];
        for step in 0..79_u32 {
            let key = step * step % 40;
            counts[key as usize] += 1;
            sketch.add(key.wrapping_mul(0x9e37_79b9));
        }
        for (key, count) in (0..).zip(counts) {
            assert!(sketch.frequency(u32::wrapping_mul(key, 0x9e37_79b9)) >= count.min(15));
        }
    }
}
