//! A snapshot is taken a part at a time while everything changes; with the log since then it is what was there.

use alloc::collections::BTreeSet;
use alloc::vec;

use super::journal::{Contents, contents, logged, submit};
use super::*;
use crate::codec::peer::ClusterTag;
use crate::codec::snapshot::{self, Decoder, Encoder, Footer, Step};
use crate::id::Lsn;
use crate::record::Record;

/// What a whole snapshot holds.
fn read(bytes: &[u8]) -> (Vec<Record>, Footer) {
    let (head, mut rest) = bytes.split_at(snapshot::HEADER);
    let mut decoder = Decoder::new(head).expect("a header");
    let mut records = Vec::new();
    loop {
        let (part, after) = rest.split_at(decoder.wants().min(rest.len()));
        rest = after;
        match decoder.feed(part).expect("a whole snapshot") {
            Step::More => {}
            Step::Block(more) => records.extend(more),
            Step::End(footer) => return (records, footer),
        }
    }
}

/// One node that serves while it is walked, and what it has written down.
struct Walked {
    trio: Trio,
    rng: Rng,
    log: Vec<Record>,
    /// What was there after so many records.
    states: Vec<Contents>,
    /// Keys that were evicted at some time, of which nothing is written down.
    evicted: BTreeSet<Vec<u8>>,
}

impl Walked {
    fn new(seed: u64) -> Walked {
        let mut trio = Trio::new(Limits::default());
        trio.alive(&[N1]);
        let states = vec![contents(&trio.shards[0])];
        Walked { trio, rng: Rng::new(seed, "walk"), log: Vec::new(), states, evicted: BTreeSet::new() }
    }

    fn next(&self) -> Lsn {
        Lsn(1 + self.log.len() as u64)
    }

    /// Something happens.
    fn change(&mut self, evictions: bool) {
        let key = Key::new(format!("k{}", self.rng.below(60))).unwrap();
        let (level, condition) = (WriteLevel::Live, Condition::Always);
        let deadline = self.rng.chance(300_000).then(|| UnixMs(START + self.rng.between(500_000, 900_000)));
        let value = Value { bytes: format!("{}", self.rng.below(100)).into(), media: Bytes::from_static(b"a/b") };
        let next = self.next().0;
        let records = match self.rng.below(if evictions { 8 } else { 7 }) {
            0..=2 => {
                let set = Operation::Set { value, deadline, condition, level };
                logged(&mut self.trio, N1, next, submit(&key, set)).1
            }
            3 => logged(&mut self.trio, N1, next, submit(&key, Operation::Delete { condition, level })).1,
            4 => logged(&mut self.trio, N1, next, submit(&key, Operation::Increment { by: 2, level })).1,
            5 => logged(&mut self.trio, N1, next, submit(&key, Operation::Touch { deadline, level })).1,
            6 => {
                // Its slot has moved away.
                let forget = |shard: &mut Shard, time: Time, _: &View, out: &mut Outbox| {
                    let hash = shard.store.hash(key.as_bytes());
                    if let Some(version) = shard.store.remove(time.unix, hash, key.as_bytes()) {
                        shard.log(out, || Record::Forget { key: key.clone(), version });
                    }
                };
                logged(&mut self.trio, N1, next, forget).1
            }
            _ => {
                self.evicted.insert(key.as_bytes().to_vec());
                logged(&mut self.trio, N1, next, |shard, time, _, out| shard.evict(time, &key, out)).1
            }
        };
        assert!(records.len() <= 1, "{records:?}");
        for record in records {
            self.log.push(record);
            self.states.push(contents(&self.trio.shards[0]));
        }
    }

    /// Takes a snapshot, with changes between any two of its parts.
    fn snapshot(&mut self, evictions: bool) -> (Lsn, Vec<u8>) {
        let first = self.next();
        let header = snapshot::Header { cluster: ClusterTag(0), node: N1, first, begun: UnixMs(START), salt: 42 };
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&header, &mut out);
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let places = self.rng.between(1, 4) as u32;
            cursor = self.trio.shards[0].walk(from, places, &mut encoder);
            if self.rng.chance(300_000) {
                encoder.end_block(&mut out);
            }
            for _ in 0..self.rng.below(3) {
                self.change(evictions);
            }
        }
        let until = self.next();
        encoder.finish(until, UnixMs(START), &mut out);
        (first, out)
    }

    /// What a node has that starts with this snapshot and as much of the log.
    fn restored(&self, first: Lsn, snapshot: &[Record], upto: usize) -> Contents {
        let mut shard = shard(N1, Limits::default(), self.trio.now);
        let log = &self.log[first.0 as usize - 1..upto];
        for record in snapshot.iter().chain(log) {
            shard.recover(self.trio.now, record, &mut Outbox::new());
        }
        contents(&shard)
    }
}

#[test]
fn a_snapshot_under_changes_is_what_was_there_with_the_log_since() {
    let mut changed = 0;
    for seed in 0..60 {
        let mut walked = Walked::new(seed);
        (0..80).for_each(|_| walked.change(false));
        let (first, bytes) = walked.snapshot(false);
        let (records, footer) = read(&bytes);
        assert_eq!(footer.until, walked.next());
        changed += footer.until.0 - first.0;
        (0..20).for_each(|_| walked.change(false));
        for upto in footer.until.0 as usize - 1..=walked.log.len() {
            assert_eq!(walked.restored(first, &records, upto), walked.states[upto], "seed {seed}, {upto} records");
        }
    }
    assert!(changed > 500, "{changed} changes during the walks");
}

/// Nothing is written down of an eviction: who was evicted may be back, as the latest that the key had.
#[test]
fn what_was_evicted_meanwhile_is_the_latest_or_not_there() {
    let mut back = 0;
    for seed in 100..140 {
        let mut walked = Walked::new(seed);
        (0..80).for_each(|_| walked.change(true));
        let (first, bytes) = walked.snapshot(true);
        let (records, _) = read(&bytes);
        let mut latest = Contents::new();
        // Read over an empty node, all of the log says what was the latest of each key.
        let all = walked.restored(Lsn(1), &[], walked.log.len());
        latest.extend(all);
        let restored = walked.restored(first, &records, walked.log.len());
        let now = walked.states.last().expect("a state").clone();
        for (key, entry) in &restored {
            assert_eq!(Some(entry), latest.get(key), "seed {seed}: {key:?}");
            back += usize::from(!now.contains_key(key));
        }
        for (key, entry) in contents(&walked.trio.shards[0]) {
            assert_eq!(restored.get(&key), Some(&entry), "seed {seed}: {key:?}");
        }
    }
    assert!(back > 0, "nobody came back");
}

#[test]
fn what_a_slot_has_seen_go_is_told_and_known_again() {
    let mut walked = Walked::new(7);
    (0..200).for_each(|_| walked.change(false));
    let (_, bytes) = walked.snapshot(false);
    let (records, footer) = read(&bytes);
    let mut again = shard(N1, Limits::default(), walked.trio.now);
    for record in &records {
        again.recover(walked.trio.now, record, &mut Outbox::new());
    }
    assert!(footer.floors > 10, "{footer:?}");
    let before = &walked.trio.shards[0];
    for slot in Slot::all() {
        assert!(again.gone.floor(slot) <= before.gone.floor(slot), "{slot:?}");
    }
    let told = records.iter().filter(|record| matches!(record, Record::Floor { .. })).count() as u64;
    assert_eq!(told, footer.floors);
    assert_eq!(records.len() as u64, footer.entries + footer.floors);
}
