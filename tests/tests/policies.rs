//! Every policy of the store against a naive one: lists of keys, searched from the front, by the text of the papers.
//!
//! A million operations for each run: reads, writes of other sizes, deletions, deadlines, clocks, copies, under limits
//! of entries, of bytes, and of both. Every answer, every removal, its cause, all bytes and who goes next must agree.

use vitrine_engine::hash::KeyHasher;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::store::{Cause, EntryRef, Limits, Policy, Removal, Store};
use vitrine_engine::time::UnixMs;

mod naive;

use naive::{Gone, Item, Naive};

#[test]
fn lru_is_the_naive_one() {
    check(Policy::Lru);
}

#[test]
fn sieve_is_the_naive_one() {
    check(Policy::Sieve);
}

#[test]
fn s3_fifo_is_the_naive_one() {
    check(Policy::S3Fifo);
}

#[test]
fn w_tinylfu_is_the_naive_one() {
    check(Policy::WTinyLfu);
}

fn check(policy: Policy) {
    let limits = [
        (Some(1), None),
        (Some(2), None),
        (Some(9), None),
        (Some(40), None),
        (Some(250), None),
        (None, Some(300)),
        (None, Some(9_000)),
        (None, Some(40_000)),
        (Some(60), Some(6_000)),
        (None, None),
    ];
    let (mut hits, mut evicted, mut expired) = (0, 0, 0);
    for (seed, (entries, bytes)) in (1..).zip(limits) {
        let mut pair = Pair::new(policy, Limits { entries, bytes }, seed);
        for _ in 0..100_000 {
            pair.step();
        }
        (hits, evicted, expired) = (hits + pair.hits, evicted + pair.evicted, expired + pair.expired);
    }
    assert!(
        hits > 300_000 && evicted > 100_000 && expired > 3_000,
        "{hits} hits, {evicted} evicted, {expired} expired"
    );
}

/// A store and the naive one, driven together.
struct Pair {
    store: Store,
    naive: Naive,
    limits: Limits,
    now: UnixMs,
    state: u64,
    steps: u64,
    hits: u64,
    evicted: u64,
    expired: u64,
}

impl Pair {
    fn new(policy: Policy, limits: Limits, seed: u64) -> Pair {
        let mut store = Store::new(limits, KeyHasher::new((5, 6)));
        store.evict_by(policy);
        let naive = Naive::new(policy, limits);
        let now = UnixMs(1_700_000_000_000);
        Pair { store, naive, limits, now, state: seed, steps: 0, hits: 0, evicted: 0, expired: 0 }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    /// Some keys are asked for often, and some once in a while.
    fn key(&mut self) -> u16 {
        let spread = [10, 60, 400][self.random(3) as usize];
        self.random(spread) as u16
    }

    fn step(&mut self) {
        self.steps += 1;
        let key = self.key();
        match self.random(100) {
            0..50 => {
                if !self.get(key) {
                    self.set(key);
                }
            }
            50..80 => drop(self.get(key)),
            80..90 => self.set(key),
            90..93 => self.remove(key),
            93..95 => self.now = UnixMs(self.now.0 + self.random(3_000)),
            95..97 => self.expire(),
            97 if self.random(50) == 0 => self.store = self.store.clone(),
            98 if self.random(500) == 0 => {
                self.store.clear();
                self.naive = Naive::new(self.store.policy(), self.limits);
            }
            _ => self.purge(key),
        }
        let next = self.store.oldest_first().next().map(|(key, _)| key.to_vec());
        assert_eq!(next, self.naive.clone().victim(false).map(|item| item.name()), "who goes next, {}", self.steps);
        assert_eq!((self.store.len() as usize, self.store.bytes()), (self.naive.len(), self.naive.bytes()));
        assert!(self.limits.entries.is_none_or(|limit| self.store.len() <= limit));
        assert!(self.limits.bytes.is_none_or(|limit| self.store.bytes() + self.store.reserved() <= limit));
        if self.steps.is_multiple_of(64) {
            self.compare_orders(key);
        }
    }

    fn get(&mut self, key: u16) -> bool {
        let (name, hash) = self.named(key);
        let mut gone = Gone::new();
        let mut note = |r: Removal<'_>| gone.push((r.key.to_vec(), r.cause));
        let found = self.store.get(self.now, hash, &name, &mut note).map(|entry| entry.value.len());
        let expected = self.naive.get(key, hash as u32, self.now);
        assert_eq!(found, expected.as_ref().copied().ok());
        assert_eq!(gone, if expected == Err(true) { vec![(name, Cause::Expired)] } else { Gone::new() });
        self.hits += u64::from(found.is_some());
        self.expired += gone.len() as u64;
        found.is_some()
    }

    fn set(&mut self, key: u16) {
        let (name, hash) = self.named(key);
        let length = [8, 8, 30, 200][self.random(4) as usize];
        let deadline = (self.random(4) == 0).then(|| UnixMs(self.now.0 + self.random(20_000)));
        let version = Version { stamp: self.steps, node: NodeId(1) };
        let value = vec![7; length];
        let item = Item { key, hash: hash as u32, length, version, deadline, uses: 0 };
        let mut gone = Gone::new();
        let mut note = |r: Removal<'_>| gone.push((r.key.to_vec(), r.cause));
        let entry = EntryRef { value: &value, media: b"", version, deadline };
        let answer = self.store.set(self.now, hash, &name, entry, &mut note);
        match self.naive.set(item, self.now) {
            Some((replaced, expected)) => {
                assert_eq!(answer, Ok(replaced));
                assert_eq!(gone, expected, "step {}", self.steps);
            }
            None => assert!(answer.is_err() && gone.is_empty()),
        }
        self.evicted += gone.iter().filter(|(_, cause)| *cause != Cause::Expired).count() as u64;
    }

    fn remove(&mut self, key: u16) {
        let (name, hash) = self.named(key);
        let removed = self.store.remove(self.now, hash, &name);
        let expected = self.naive.take(key).filter(|item| !item.expired(self.now));
        assert_eq!(removed, expected.map(|item| item.version));
    }

    fn purge(&mut self, key: u16) {
        let (name, hash) = self.named(key);
        let mut gone = 0;
        self.store.purge(self.now, hash, &name, &mut |_| gone += 1);
        let expired = self.naive.find(key).is_some_and(|item| item.expired(self.now));
        if expired {
            self.naive.take(key);
        }
        assert_eq!(gone, u64::from(expired));
        self.expired += gone;
    }

    fn expire(&mut self) {
        let mut gone = Vec::new();
        self.store.expire(self.now, u32::MAX, &mut |r: Removal<'_>| gone.push(r.key.to_vec()));
        for name in gone {
            let item = self.naive.take(naive::number(&name)).expect("it was there");
            assert!(item.expired(self.now));
            self.expired += 1;
        }
    }

    /// The order of eviction is a walk over everybody, the same both ways; with LRU and SIEVE it is who really goes.
    fn compare_orders(&mut self, key: u16) {
        let forth: Vec<Vec<u8>> = self.store.oldest_first().map(|(key, _)| key.to_vec()).collect();
        let mut back: Vec<Vec<u8>> = self.store.by_recency().map(|(key, _)| key.to_vec()).collect();
        back.reverse();
        assert_eq!(forth, back);
        let mut naive = self.naive.clone();
        let real: Vec<Vec<u8>> = core::iter::from_fn(|| naive.victim(true).map(|item| item.name())).collect();
        if matches!(self.store.policy(), Policy::Lru | Policy::Sieve) {
            assert_eq!(forth, real);
        }
        let sorted = |mut names: Vec<Vec<u8>>| {
            names.sort();
            names
        };
        let (name, hash) = self.named(key);
        assert_eq!(
            self.store.rank(hash, &name, 999),
            forth.iter().position(|other| *other == name).map(|rank| rank as u32)
        );
        assert_eq!(sorted(forth), sorted(real));
    }

    fn named(&self, key: u16) -> (Vec<u8>, u64) {
        let name = naive::name(key);
        let hash = self.store.hash(&name);
        (name, hash)
    }
}
