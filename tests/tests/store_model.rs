//! The store against a naive model: a vector in recency order. Every answer, removal, order and byte must agree.
//!
//! Over a million operations at each run, hostile sizes, clocks that jump, and hashes that collide.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vitrine_engine::hash::{KeyHasher, slot};
use vitrine_engine::id::{NodeId, Slot, Version};
use vitrine_engine::limits::{MAX_KEY, MAX_MEDIA};
use vitrine_engine::store::{Cause, EntryRef, Limits, Store, TooLarge, digest_of};
use vitrine_engine::time::UnixMs;

const START: u64 = 1_700_000_000_000;
const YEAR: i64 = 365 * 86_400_000;

#[test]
fn agrees_under_good_hashes() {
    check(240, 2_000, |_, hash| hash);
}

#[test]
fn agrees_when_all_hashes_are_equal() {
    check(120, 2_000, |_, _| u64::MAX);
}

#[test]
fn agrees_when_hashes_crowd_at_both_ends() {
    check(120, 2_000, |key, _| if key % 2 == 0 { key as u64 % 3 } else { u64::from(u32::MAX) - key as u64 % 3 });
}

#[test]
fn agrees_when_there_are_many_keys() {
    // Few cases, but long ones over a thousand keys: segments and chunks grow, shift and wear.
    let limits = Limits { entries: Some(800), bytes: Some(60_000) };
    for mode in 0..3_u64 {
        let mut pair = Pair::new(limits, |_, hash| hash);
        let mut state = mode + 1;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..30_000 {
            let key = random(1_000) as u16;
            pair.apply(&match random(20) {
                0..=9 => Op::Set {
                    key,
                    length: random(40) as usize,
                    media: 0,
                    ttl: (random(3) < mode).then(|| 1 + random(100_000) as i64),
                },
                10..=16 => Op::Get(key),
                17 if random(40) == 0 => Op::Digest([0, 50, 1_000][random(3) as usize]),
                17 => Op::Remove(key),
                18 => Op::Expire(random(50) as u32),
                _ => Op::Clock(random(2_000) as i64),
            });
        }
        pair.compare();
    }
}

/// Runs that many random cases of that many operations each, under hashes made of the key's number and its true hash.
fn check(cases: u32, operations: usize, hashes: fn(u16, u64) -> u64) {
    let limits = (
        prop_oneof![4 => (1..40_u32).prop_map(Some), 1 => Just(None), 1 => Just(Some(0))],
        prop_oneof![3 => (60..6_000_u64).prop_map(Some), 2 => Just(None)],
    );
    let limits = limits.prop_map(|(entries, bytes)| Limits { entries, bytes });
    let script = prop::collection::vec(operation(), operations..operations + 1);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(limits in limits, script in script)| {
        let mut pair = Pair::new(limits, hashes);
        for (number, op) in script.iter().enumerate() {
            pair.apply(op);
            if number % 16 == 0 {
                pair.compare();
            }
        }
        pair.compare();
    });
}

#[derive(Clone, Debug)]
enum Op {
    Get(u16),
    Peek(u16),
    Set {
        key: u16,
        length: usize,
        media: usize,
        ttl: Option<i64>,
    },
    Remove(u16),
    Restamp(u16),
    Rank(u16, u32),
    Scan(u32),
    /// Goes on with working out the digests, through so many places; 0 for none of them any more.
    Digest(u32),
    Expire(u32),
    Clock(i64),
    Clone,
    Clear,
}

fn operation() -> impl Strategy<Value = Op> {
    let key = || 0..60_u16;
    let length = prop_oneof![6 => 0..100_usize, 1 => 0..7_000_usize];
    let media = prop_oneof![8 => Just(0), 1 => 1..30_usize, 1 => Just(MAX_MEDIA), 1 => Just(MAX_MEDIA + 1)];
    let ttl = prop_oneof![
        6 => Just(None),
        6 => (1..5_000_i64).prop_map(Some),
        1 => (-3_000..=0_i64).prop_map(Some),
        1 => (1..100 * YEAR).prop_map(Some),
    ];
    prop_oneof![
        30 => key().prop_map(Op::Get),
        5 => key().prop_map(Op::Peek),
        30 => (key(), length, media, ttl).prop_map(|(key, length, media, ttl)| Op::Set { key, length, media, ttl }),
        8 => key().prop_map(Op::Remove),
        3 => key().prop_map(Op::Restamp),
        3 => (key(), 0..50_u32).prop_map(|(key, at_most)| Op::Rank(key, at_most)),
        1 => (0..10_u32).prop_map(Op::Scan),
        2 => prop_oneof![1 => Just(0), 12 => 1..10_u32, 4 => Just(u32::MAX)].prop_map(Op::Digest),
        10 => prop_oneof![0..5_u32, Just(u32::MAX)].prop_map(Op::Expire),
        12 => prop_oneof![8 => 0..400_i64, 2 => 0..20_000_i64, 2 => -5_000..0_i64, 1 => -YEAR..YEAR]
            .prop_map(Op::Clock),
        1 => Just(Op::Clone),
        1 => prop_oneof![9 => Just(Op::Clone), 1 => Just(Op::Clear)],
    ]
}

/// A store and its model, driven together.
struct Pair {
    store: Store,
    hashes: fn(u16, u64) -> u64,
    limits: Limits,
    /// The most recently used last.
    model: Vec<Item>,
    now: UnixMs,
    stamp: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    key: u16,
    value: Vec<u8>,
    media: Vec<u8>,
    version: Version,
    deadline: Option<UnixMs>,
    /// When it must have been freed at the latest, leaving the promised second aside.
    due: UnixMs,
}

type Removed = Vec<(Vec<u8>, Version, Cause)>;

impl Pair {
    fn new(limits: Limits, hashes: fn(u16, u64) -> u64) -> Pair {
        let store = Store::new(limits, KeyHasher::new((3, 4)));
        Pair { store, hashes, limits, model: Vec::new(), now: UnixMs(START), stamp: 0 }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Get(key) => self.get(key),
            Op::Peek(key) => {
                let (bytes, hash) = self.named(key);
                let found = self.store.peek(self.now, hash, &bytes);
                let item = self.model.iter().find(|item| item.key == key && !item.expired(self.now));
                assert_eq!(found, item.map(Item::entry));
            }
            Op::Set { key, length, media, ttl } => self.set(key, length, media, ttl),
            Op::Remove(key) => {
                let (bytes, hash) = self.named(key);
                let removed = self.store.remove(self.now, hash, &bytes);
                let item = self.take(key).filter(|item| !item.expired(self.now));
                assert_eq!(removed, item.map(|item| item.version));
            }
            Op::Restamp(key) => {
                let ((bytes, hash), version) = (self.named(key), self.version());
                let item = self.model.iter_mut().find(|item| item.key == key);
                assert_eq!(self.store.restamp(hash, &bytes, version), item.is_some());
                item.into_iter().for_each(|item| item.version = version);
            }
            Op::Rank(key, at_most) => {
                let (bytes, hash) = self.named(key);
                let rank = self.model.iter().position(|item| item.key == key).map(|rank| rank as u32);
                assert_eq!(self.store.rank(hash, &bytes, at_most), rank.filter(|rank| *rank <= at_most));
            }
            Op::Scan(budget) => {
                let (mut cursor, mut seen) = (Some(0), Vec::new());
                while let Some(at) = cursor {
                    cursor = self.store.scan(at, budget, &mut |key, _| seen.push(key.to_vec()));
                }
                let mut keys: Vec<Vec<u8>> = self.model.iter().map(|item| name(item.key)).collect();
                seen.sort();
                keys.sort();
                assert_eq!(seen, keys);
            }
            Op::Digest(0) => self.store.forget_digests(),
            Op::Digest(budget) => {
                if self.store.digest_some(budget) {
                    self.compare_digests();
                }
            }
            Op::Expire(budget) => self.expire(budget),
            Op::Clock(ms) => self.now = UnixMs(self.now.0.saturating_add_signed(ms)),
            Op::Clone => self.store = self.store.clone(),
            Op::Clear => {
                self.store.clear();
                self.model.clear();
            }
        }
        assert_eq!(self.store.len() as usize, self.model.len());
        assert_eq!(self.store.bytes(), self.bytes());
        assert!(self.limits.entries.is_none_or(|limit| self.store.len() <= limit));
        assert!(self.limits.bytes.is_none_or(|limit| self.store.bytes() <= limit));
    }

    /// What was worked out a part at a time, while the store changed, is what comes of what is there now.
    fn compare_digests(&self) {
        let mut expected = BTreeMap::new();
        for item in &self.model {
            let key = name(item.key);
            let sum = expected.entry(slot(&key)).or_insert(0_u64);
            *sum = sum.wrapping_add(digest_of(&key, item.version));
        }
        for at in Slot::all() {
            assert_eq!(self.store.digest(at), Some(expected.get(&at).copied().unwrap_or(0)), "slot {at}");
        }
    }

    fn get(&mut self, key: u16) {
        let (bytes, hash) = self.named(key);
        let (mut removed, mut expected) = (Removed::new(), Removed::new());
        let item = self.take(key).filter(|item| item.keep_if_live(self.now, &mut expected));
        let found = self.store.get(self.now, hash, &bytes, &mut |r| removed.push((r.key.to_vec(), r.version, r.cause)));
        assert_eq!(found, item.as_ref().map(Item::entry));
        assert_eq!(removed, expected);
        self.model.extend(item);
    }

    fn set(&mut self, key: u16, length: usize, media: usize, ttl: Option<i64>) {
        let ((bytes, hash), version) = (self.named(key), self.version());
        let value: Vec<u8> = (0..length).map(|at| (at as u64).wrapping_mul(version.stamp) as u8).collect();
        let deadline = ttl.map(|ttl| UnixMs(self.now.0.saturating_add_signed(ttl)));
        let due = deadline.unwrap_or_default().max(self.now);
        let item = Item { key, value, media: vec![b'm'; media], version, deadline, due };
        let mut removed = Removed::new();
        let mut note = |r: vitrine_engine::store::Removal<'_>| removed.push((r.key.to_vec(), r.version, r.cause));
        let answer = self.store.set(self.now, hash, &bytes, item.entry(), &mut note);

        let most = self.limits.bytes.unwrap_or(u64::MAX);
        let fits =
            self.limits.entries != Some(0) && item.bytes() <= most && media <= MAX_MEDIA && bytes.len() <= MAX_KEY;
        if !fits {
            let TooLarge { bytes, limit } = answer.expect_err("it does not fit");
            assert!(bytes == item.bytes() && limit < bytes && removed.is_empty());
            return;
        }
        let mut expected = Removed::new();
        let old = self.take(key).filter(|item| item.keep_if_live(self.now, &mut expected));
        loop {
            let cause = if self.limits.entries.is_some_and(|limit| self.model.len() as u32 + 1 > limit) {
                Cause::Entries
            } else if self.bytes() + item.bytes() > most {
                Cause::Bytes
            } else {
                break;
            };
            let oldest = self.model.remove(0);
            let cause = if oldest.expired(self.now) { Cause::Expired } else { cause };
            expected.push((name(oldest.key), oldest.version, cause));
        }
        self.model.push(item);
        assert_eq!(answer, Ok(old.map(|old| old.version)));
        assert_eq!(removed, expected);
    }

    fn expire(&mut self, budget: u32) {
        let before = self.store.next_expiry();
        let mut removed = Removed::new();
        let more = self.store.expire(self.now, budget, &mut |r| removed.push((r.key.to_vec(), r.version, r.cause)));
        assert!(removed.len() as u64 <= u64::from(budget));
        assert!(removed.is_empty() || before.is_some_and(|before| before <= self.now), "announced");
        for (key, version, cause) in removed {
            let at = self.model.iter().position(|item| name(item.key) == key).expect("it was there");
            let item = self.model.remove(at);
            assert!(item.expired(self.now) && item.version == version && cause == Cause::Expired, "{item:?}");
        }
        if !more {
            let late = self.model.iter().find(|item| item.deadline.is_some() && item.due.0 + 1_000 <= self.now.0);
            assert_eq!(late, None, "not freed within a second at {}", self.now);
            assert!(self.store.next_expiry().is_none_or(|next| next > self.now));
        }
        let with_deadline = self.model.iter().filter(|item| item.deadline.is_some());
        let soonest = with_deadline.map(|item| item.due).min();
        assert_eq!(self.store.next_expiry().is_some(), soonest.is_some());
        assert!(self.store.next_expiry().unwrap_or_default().0 < soonest.unwrap_or_default().0 + 1_000);
    }

    /// Everything, in order.
    fn compare(&self) {
        let keys: Vec<Vec<u8>> = self.model.iter().map(|item| name(item.key)).collect();
        let all = || keys.iter().map(Vec::as_slice).zip(self.model.iter().map(Item::entry));
        assert!(self.store.oldest_first().eq(all()));
        assert!(self.store.by_recency().eq(all().rev()));
    }

    fn named(&self, key: u16) -> (Vec<u8>, u64) {
        let bytes = name(key);
        let hash = (self.hashes)(key, self.store.hash(&bytes));
        (bytes, hash)
    }

    fn version(&mut self) -> Version {
        self.stamp += 1;
        Version { stamp: self.stamp, node: NodeId((self.stamp % 70_000) as u16) }
    }

    fn take(&mut self, key: u16) -> Option<Item> {
        let at = self.model.iter().position(|item| item.key == key)?;
        Some(self.model.remove(at))
    }

    fn bytes(&self) -> u64 {
        self.model.iter().map(Item::bytes).sum()
    }
}

impl Item {
    fn entry(&self) -> EntryRef<'_> {
        EntryRef { value: &self.value, media: &self.media, version: self.version, deadline: self.deadline }
    }

    fn expired(&self, now: UnixMs) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// False when it has expired, which is noted.
    fn keep_if_live(&self, now: UnixMs, removed: &mut Removed) -> bool {
        if self.expired(now) {
            removed.push((name(self.key), self.version, Cause::Expired));
        }
        !self.expired(now)
    }

    fn bytes(&self) -> u64 {
        Store::entry_bytes(name(self.key).len(), self.value.len(), self.media.len(), self.deadline.is_some())
    }
}

/// The key of that number: short ones and long ones, some a prefix of others, two at the bound and past it.
fn name(key: u16) -> Vec<u8> {
    match key {
        0 => vec![0],
        1 => vec![0, 0],
        2 => vec![7; MAX_KEY],
        3 => vec![7; MAX_KEY + 1],
        4..20 => vec![b'k'; usize::from(key) * 20],
        _ => key.to_be_bytes().to_vec(),
    }
}
