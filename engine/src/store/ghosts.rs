//! Whom S3-FIFO remembers after they went: the hashes of the latest to leave its small queue, and nothing else of them.
//!
//! Depends on nothing. Everything takes constant time, and memory is bounded by what it was made for. Two keys with the
//! same 32 bits of hash are one ghost: the second of them is then taken for the first, and begins in the main queue.

use alloc::vec;
use alloc::vec::Vec;

/// Hashes in the order in which they came, each once.
#[derive(Clone)]
pub struct Ghosts {
    /// Numbered from 1 on; the first is nobody, so that fresh memory is empty lists.
    all: Vec<Ghost>,
    /// The first ghost of each chain; a power of two of them, or none.
    chains: Vec<u32>,
    /// The places of `all` that are free, linked by `chain`.
    free: u32,
    newest: u32,
    oldest: u32,
    len: u32,
    room: u32,
}

#[derive(Clone, Copy, Default)]
struct Ghost {
    hash: u32,
    chain: u32,
    older: u32,
    newer: u32,
}

impl Ghosts {
    /// Nobody, and room for so many.
    pub fn new(most: u32) -> Ghosts {
        let chains = if most == 0 { 0 } else { most.next_power_of_two() as usize };
        Ghosts { all: Vec::new(), chains: vec![0; chains], free: 0, newest: 0, oldest: 0, len: 0, room: most }
    }

    /// The bytes that so many take at most.
    pub fn bytes(most: u32) -> u64 {
        let ghost = (4 * size_of::<u32>()) as u64;
        if most == 0 { 0 } else { u64::from(most.next_power_of_two()) * 4 + (u64::from(most) + 1) * ghost }
    }

    /// Remembers one, and forgets the oldest until there are no more than `most`. Who is there stays in its place.
    pub fn insert(&mut self, hash: u32, most: u32) {
        let most = most.min(self.room);
        if most == 0 || self.find(hash) != 0 {
            return;
        }
        while self.len >= most {
            self.forget(self.oldest);
        }
        if self.all.is_empty() {
            self.add_place();
        }
        let id = if self.free == 0 {
            self.add_place();
            self.all.len() as u32 - 1
        } else {
            self.free
        };
        self.free = self.all[id as usize].chain;
        let chain = self.chain(hash);
        self.all[id as usize] = Ghost { hash, chain: self.chains[chain], older: self.newest, newer: 0 };
        self.chains[chain] = id;
        // The ghost of number 0 takes what is written behind the end of the list.
        self.all[self.newest as usize].newer = id;
        if self.oldest == 0 {
            self.oldest = id;
        }
        self.newest = id;
        self.len += 1;
    }

    /// Was it remembered? It is not any more.
    pub fn take(&mut self, hash: u32) -> bool {
        let id = self.find(hash);
        if id != 0 {
            self.forget(id);
        }
        id != 0
    }

    fn find(&self, hash: u32) -> u32 {
        if self.len == 0 {
            return 0;
        }
        let mut id = self.chains[self.chain(hash)];
        while id != 0 && self.all[id as usize].hash != hash {
            id = self.all[id as usize].chain;
        }
        id
    }

    fn forget(&mut self, id: u32) {
        let Ghost { hash, chain, older, newer } = self.all[id as usize];
        let first = self.chain(hash);
        if self.chains[first] == id {
            self.chains[first] = chain;
        } else {
            let mut before = self.chains[first];
            while self.all[before as usize].chain != id {
                before = self.all[before as usize].chain;
            }
            self.all[before as usize].chain = chain;
        }
        self.all[older as usize].newer = newer;
        self.all[newer as usize].older = older;
        if older == 0 {
            self.oldest = newer;
        }
        if newer == 0 {
            self.newest = older;
        }
        self.all[id as usize].chain = self.free;
        self.free = id;
        self.len -= 1;
    }

    /// One more place. The vector doubles as usual, but never beyond what `bytes` accounts for.
    fn add_place(&mut self) {
        let (held, most) = (self.all.len(), self.room as usize + 1);
        if held == self.all.capacity() {
            self.all.reserve_exact(held.max(4).min(most - held));
        }
        self.all.push(Ghost::default());
    }

    fn chain(&self, hash: u32) -> usize {
        // Stripes choose by the upper half of the hash and segments by the top of the lower: its low bits are even.
        hash as usize & (self.chains.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn ghosts_are_a_queue_of_hashes() {
        let (mut ghosts, mut model, mut rng) = (Ghosts::new(20), Vec::<u32>::new(), Rng::new(1, "ghosts"));
        for step in 0..if cfg!(miri) { 300 } else { 100_000 } {
            let (hash, most) = (rng.below(50) as u32 * 7, rng.between(0, 30) as u32);
            let at = model.iter().position(|held| *held == hash);
            if rng.chance(500_000) {
                assert_eq!(ghosts.take(hash), at.is_some(), "{step}");
                at.map(|at| model.remove(at));
            } else {
                ghosts.insert(hash, most);
                let most = most.min(20) as usize;
                if at.is_none() && most > 0 {
                    model.drain(..(model.len() + 1).saturating_sub(most));
                    model.push(hash);
                }
            }
            assert_eq!(ghosts.len as usize, model.len());
        }
        assert!(ghosts.all.len() <= 21, "places are used again");
        let mut nobody = Ghosts::new(0);
        nobody.insert(1, 9);
        assert!(!nobody.take(1));
    }

    #[test]
    fn ghosts_take_no_more_memory_than_they_say() {
        for most in [1, 2, 5, 20, 33, 1_025] {
            let mut ghosts = Ghosts::new(most);
            for hash in 0..3 * most {
                ghosts.insert(hash, most);
                let ghost = size_of::<Ghost>() * ghosts.all.capacity();
                let taken = (ghost + size_of::<u32>() * ghosts.chains.capacity()) as u64;
                assert!(taken <= Ghosts::bytes(most), "{taken} bytes of {most} ghosts");
            }
            assert_eq!(ghosts.len, most);
        }
    }
}
