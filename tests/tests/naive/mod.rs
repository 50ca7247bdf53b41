//! The four policies as a person would write them down: lists of items, the oldest first, and loops over them.

use vitrine_engine::id::Version;
use vitrine_engine::store::{Cause, Limits, Policy, Store};
use vitrine_engine::time::UnixMs;

/// Who went, and why.
pub type Gone = Vec<(Vec<u8>, Cause)>;

/// A store that does everything by going through lists.
#[derive(Clone)]
pub struct Naive {
    policy: Policy,
    limits: Limits,
    /// LRU and SIEVE have one; S3-FIFO a small and a main one; W-TinyLFU window, probation and protection.
    queues: [Vec<Item>; 3],
    /// The key where SIEVE goes on.
    hand: Option<u16>,
    /// The hashes that S3-FIFO remembers, the oldest first.
    ghosts: Vec<u32>,
    sketch: NaiveSketch,
    /// Keys that may be remembered besides the entries.
    remembered: usize,
}

/// What is known of an entry.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: u16,
    pub hash: u32,
    pub length: usize,
    pub version: Version,
    pub deadline: Option<UnixMs>,
    pub uses: u32,
}

/// A row of counters for every line of the real one.
#[derive(Clone)]
struct NaiveSketch {
    lines: Vec<[u8; 128]>,
    added: usize,
}

impl Naive {
    pub fn new(policy: Policy, limits: Limits) -> Naive {
        let by_bytes = limits.bytes.map_or(usize::MAX, |bytes| bytes as usize / 512);
        let remembered = by_bytes.min(limits.entries.map_or(usize::MAX, |entries| entries as usize));
        let remembered = if remembered == usize::MAX { 0 } else { remembered };
        let lines = if remembered == 0 { 0 } else { (remembered / 8).max(1).next_power_of_two() };
        let sketch = NaiveSketch { lines: vec![[0; 128]; lines], added: 0 };
        Naive { policy, limits, queues: Default::default(), hand: None, ghosts: Vec::new(), sketch, remembered }
    }

    pub fn len(&self) -> usize {
        self.queues.iter().map(Vec::len).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.queues.iter().flatten().map(Item::bytes).sum()
    }

    pub fn find(&self, key: u16) -> Option<&Item> {
        self.queues.iter().flatten().find(|item| item.key == key)
    }

    /// Takes an item out, and moves the hand off it.
    pub fn take(&mut self, key: u16) -> Option<Item> {
        for queue in &mut self.queues {
            if let Some(at) = queue.iter().position(|item| item.key == key) {
                if self.hand == Some(key) {
                    self.hand = queue.get(at + 1).map(|item| item.key);
                }
                return Some(queue.remove(at));
            }
        }
        None
    }

    /// The length of the value; `Err(true)` when it had expired.
    pub fn get(&mut self, key: u16, hash: u32, now: UnixMs) -> Result<usize, bool> {
        let Some(item) = self.find(key) else { return Err(false) };
        assert_eq!(item.hash, hash);
        if item.expired(now) {
            self.take(key);
            return Err(true);
        }
        let length = item.length;
        self.used(key);
        Ok(length)
    }

    /// What was replaced, and who went; `None` when it does not fit.
    pub fn set(&mut self, item: Item, now: UnixMs) -> Option<(Option<Version>, Gone)> {
        let most = self.limits.bytes.map_or(u64::MAX, |bytes| bytes - self.reserved());
        if item.bytes() > most {
            return None;
        }
        let mut gone = Gone::new();
        if self.find(item.key).is_some_and(|old| old.expired(now)) {
            self.take(item.key);
            gone.push((item.name(), Cause::Expired));
        }
        if let Some(old) = self.find(item.key).cloned() {
            self.used(item.key);
            let (list, at) = self.place(item.key);
            let fits = self.bytes() - old.bytes() + item.bytes() <= most;
            let kept = Item { uses: self.queues[list][at].uses, ..item };
            if fits {
                self.queues[list][at] = kept;
            } else {
                self.take(kept.key);
                self.make_room(0, kept.bytes(), most, now, &mut gone);
                self.queues[list].push(kept);
            }
            return Some((Some(old.version), gone));
        }
        let mut list = 0;
        match self.policy {
            Policy::S3Fifo => {
                if let Some(at) = self.ghosts.iter().position(|ghost| *ghost == item.hash) {
                    self.ghosts.remove(at);
                    list = 1;
                }
            }
            Policy::WTinyLfu => self.sketch.add(item.hash),
            Policy::Lru | Policy::Sieve => {}
        }
        self.make_room(1, item.bytes(), most, now, &mut gone);
        self.queues[list].push(item);
        Some((None, gone))
    }

    fn make_room(&mut self, entries: usize, bytes: u64, most: u64, now: UnixMs, gone: &mut Gone) {
        loop {
            let cause = if self.limits.entries.is_some_and(|limit| self.len() + entries > limit as usize) {
                Cause::Entries
            } else if self.bytes() + bytes > most {
                Cause::Bytes
            } else {
                return;
            };
            let victim = self.victim(true).expect("there is somebody");
            gone.push((victim.name(), if victim.expired(now) { Cause::Expired } else { cause }));
        }
    }

    fn place(&self, key: u16) -> (usize, usize) {
        let at = |queue: &Vec<Item>| queue.iter().position(|item| item.key == key);
        self.queues.iter().enumerate().find_map(|(list, queue)| Some((list, at(queue)?))).expect("it is held")
    }

    fn used(&mut self, key: u16) {
        let (list, at) = self.place(key);
        match self.policy {
            Policy::Lru => self.move_to_end(list, at, list),
            Policy::Sieve => self.queues[0][at].uses = 1,
            Policy::S3Fifo => {
                let uses = &mut self.queues[list][at].uses;
                *uses = (*uses + 1).min(3);
            }
            Policy::WTinyLfu => {
                self.sketch.add(self.queues[list][at].hash);
                if list == 1 {
                    self.move_to_end(1, at, 2);
                    while self.queues[2].len() > self.main_share() * 4 / 5 {
                        self.move_to_end(2, 0, 1);
                    }
                } else {
                    self.move_to_end(list, at, list);
                }
            }
        }
    }

    fn move_to_end(&mut self, from: usize, at: usize, to: usize) {
        let item = self.queues[from].remove(at);
        self.queues[to].push(item);
    }

    fn main_share(&self) -> usize {
        let held = self.len();
        held.saturating_sub((held / 100).max(1))
    }

    /// Whoever goes now, taken out, and remembered if `remember`.
    pub fn victim(&mut self, remember: bool) -> Option<Item> {
        if self.len() == 0 {
            return None;
        }
        match self.policy {
            Policy::Lru => Some(self.queues[0].remove(0)),
            Policy::Sieve => {
                let hand = self.hand.and_then(|key| self.queues[0].iter().position(|item| item.key == key));
                let mut at = hand.unwrap_or(0);
                while self.queues[0][at].uses > 0 {
                    self.queues[0][at].uses = 0;
                    at = (at + 1) % self.queues[0].len();
                }
                self.hand = Some(self.queues[0][at].key);
                self.take(self.queues[0][at].key)
            }
            Policy::S3Fifo => {
                let held = self.len();
                let tenth = held / 10;
                loop {
                    if self.queues[1].len() > held - tenth || self.queues[0].is_empty() {
                        let mut oldest = self.queues[1].remove(0);
                        if oldest.uses == 0 {
                            return Some(oldest);
                        }
                        oldest.uses -= 1;
                        self.queues[1].push(oldest);
                        continue;
                    }
                    while !self.queues[0].is_empty() {
                        let mut oldest = self.queues[0].remove(0);
                        if oldest.uses < 2 {
                            if remember {
                                self.remember(oldest.hash, held);
                            }
                            return Some(oldest);
                        }
                        oldest.uses = 0;
                        self.queues[1].push(oldest);
                    }
                }
            }
            Policy::WTinyLfu => {
                while self.queues[1].len() + self.queues[2].len() < self.main_share() {
                    self.move_to_end(0, 0, 1);
                }
                let main = if self.queues[1].is_empty() { 2 } else { 1 };
                let (Some(candidate), Some(victim)) = (self.queues[0].first(), self.queues[main].first()) else {
                    let only = if self.queues[0].is_empty() { main } else { 0 };
                    return Some(self.queues[only].remove(0));
                };
                if self.sketch.frequency(candidate.hash) > self.sketch.frequency(victim.hash) {
                    let victim = self.queues[main].remove(0);
                    self.move_to_end(0, 0, 1);
                    return Some(victim);
                }
                Some(self.queues[0].remove(0))
            }
        }
    }

    fn remember(&mut self, hash: u32, held: usize) {
        let nine_tenths = |of: usize| of - of.div_ceil(10);
        let most = nine_tenths(held).min(nine_tenths(self.remembered));
        if most > 0 && !self.ghosts.contains(&hash) {
            while self.ghosts.len() >= most {
                self.ghosts.remove(0);
            }
            self.ghosts.push(hash);
        }
    }

    /// Bytes of the limit that the policy takes, by the sizes that its documentation names.
    fn reserved(&self) -> u64 {
        match self.policy {
            Policy::Lru | Policy::Sieve => 0,
            Policy::S3Fifo => match (self.remembered - self.remembered.div_ceil(10)) as u64 {
                0 => 0,
                ghosts => ghosts.next_power_of_two() * 4 + (ghosts + 1) * 16,
            },
            Policy::WTinyLfu => self.sketch.lines.len() as u64 * 64,
        }
    }
}

impl NaiveSketch {
    fn places(&self, hash: u32) -> (usize, [usize; 4]) {
        let mut mixed = u64::from(hash).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^= mixed >> 33;
        let line = (mixed >> 32) % self.lines.len() as u64;
        (line as usize, [0, 1, 2, 3].map(|row| row * 32 + ((mixed >> (5 * row)) % 32) as usize))
    }

    fn add(&mut self, hash: u32) {
        if self.lines.is_empty() {
            return;
        }
        let (line, places) = self.places(hash);
        for place in places {
            self.lines[line][place] = (self.lines[line][place] + 1).min(15);
        }
        self.added += 1;
        if self.added.is_multiple_of(80) {
            let next = (self.added / 80 - 1) % self.lines.len();
            self.lines[next].iter_mut().for_each(|count| *count /= 2);
        }
    }

    fn frequency(&self, hash: u32) -> u8 {
        if self.lines.is_empty() {
            return 0;
        }
        let (line, places) = self.places(hash);
        places.into_iter().map(|place| self.lines[line][place]).min().unwrap_or(0)
    }
}

impl Item {
    pub fn name(&self) -> Vec<u8> {
        name(self.key)
    }

    pub fn expired(&self, now: UnixMs) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn bytes(&self) -> u64 {
        Store::entry_bytes(self.name().len(), self.length, 0, self.deadline.is_some())
    }
}

pub fn name(key: u16) -> Vec<u8> {
    key.to_be_bytes().to_vec()
}

pub fn number(name: &[u8]) -> u16 {
    name.iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
}
