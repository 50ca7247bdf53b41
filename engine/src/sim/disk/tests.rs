//! A log that is cut off at any byte, or changed at any byte, gives a state that was there, or is refused; so does a
//! snapshot with any part of the log behind it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::cluster::Heartbeat;
use crate::codec::snapshot::{self, Encoder};
use crate::codec::wal::HEADER;
use crate::effect::Outbox;
use crate::node::{Node, NodeConfig};
use crate::shard::{Retry, ShardConfig};
use crate::sim::Script;
use crate::store::Limits;
use crate::time::{Instant, Time};
use crate::view::{Map, Member};

/// What a node holds: for each key its version, its value and its deadline.
type State = BTreeMap<Bytes, (Version, Bytes, Option<UnixMs>)>;

/// Every kind of record, long ones and short ones, a segment whose end was written again, and a restart.
const RECORDED: &str = "cluster nodes=2 replicas=2 seed=11 fsync=always
    c1 set a 1
    c2 set b 2 ttl=1h
    c3 incr n 5
    settle
    c1 touch b ttl=2h
    c2 del a
    c3 incr n -7
    settle
    disk n1 fails
    c1 set long 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
    c2 set a 3
    settle
    disk n1 heals
    run 2s
    c1 set c 4
    c1 set a 5
    settle
    n1 crash
    run 3s
    c2 set d 6
    c2 del c
    settle
    n1 restart
    run 3s
    c3 set e 7
    c3 incr n
    settle";

fn recorded() -> Disk {
    let world = Script::parse(RECORDED).and_then(|script| script.run()).expect("it runs");
    assert_eq!(world.violations(), []);
    let disk = world.machines()[0].disk().expect("it has disks").clone();
    assert!(disk.segments.len() >= 2, "{} segments", disk.segments.len());
    disk
}

/// A node that has yet to read its log.
fn node() -> Node {
    let shard = ShardConfig {
        me: NodeId(1),
        limits: Limits { entries: Some(100), bytes: None },
        seed: 1,
        hash_seed: (1, 2),
        retry: Retry::default(),
        clock_skew: core::time::Duration::from_millis(100),
    };
    let config = NodeConfig { shard, stripes: 1, heartbeat: Heartbeat::default(), recorded: true };
    let map = Map::first([1, 2].map(|id| Member::new(NodeId(id), alloc::format!("n{id}"))).into(), 2, 8);
    Node::new(&config, Arc::new(map), TIME)
}

const TIME: Time = Time { instant: Instant(0), unix: UnixMs(0) };

fn held_by(node: &Node) -> State {
    let held = node.shards()[0].store().by_recency();
    let copied = |key: &[u8]| Bytes::copy_from_slice(key);
    held.map(|(key, entry)| (copied(key), (entry.version, copied(entry.value), entry.deadline))).collect()
}

/// What a node holds that has read these records.
fn read_by_a_node<'a>(records: impl IntoIterator<Item = &'a Record>) -> State {
    let (mut node, mut out) = (node(), Outbox::new());
    records.into_iter().for_each(|record| node.recover(TIME, record, &mut out));
    held_by(&node)
}

/// A snapshot that is begun when so many records are written, and walked a place at a time between those that follow.
fn snapshot(records: &[Record], begun: usize) -> Vec<u8> {
    let (mut node, mut out, mut bytes) = (node(), Outbox::new(), Vec::new());
    let first = Lsn(begun as u64 + 1);
    let header = snapshot::Header { cluster: CLUSTER, node: NodeId(1), first, begun: UnixMs(0), salt: 7 };
    let mut encoder = Encoder::plain(&header, &mut bytes);
    let mut cursor = Some(0);
    let mut written = 0;
    while written < begun || cursor.is_some() {
        if let Some(record) = records.get(written) {
            node.recover(TIME, record, &mut out);
            written += 1;
        }
        if written > begun || written == records.len() {
            cursor = cursor.and_then(|cursor| node.shards()[0].walk(cursor, 1, &mut encoder));
            encoder.end_block(&mut bytes);
        }
    }
    encoder.finish(Lsn(written as u64 + 1), UnixMs(0), &mut bytes);
    bytes
}

/// What is in a snapshot and how far its log has to reach, if it is whole.
fn read_snapshot(bytes: &[u8], first: usize) -> Option<(Vec<Record>, Lsn)> {
    Saved { first: Lsn(first as u64 + 1), bytes: bytes.to_vec(), ..Saved::default() }.read()
}

/// What was there after each record, the first being nothing: worked out from what the records mean, and no more.
fn history(records: &[Record]) -> Vec<State> {
    let mut state = State::new();
    let mut states = [state.clone()].to_vec();
    for record in records {
        match record {
            Record::Put { key, entry } => {
                let value = (entry.version, entry.value.bytes.clone(), entry.deadline);
                state.insert(Bytes::copy_from_slice(key.as_bytes()), value);
            }
            Record::Remove { key, .. } | Record::Forget { key, .. } => {
                state.remove(key.as_bytes());
            }
            Record::Touch { key, from, version, deadline } => {
                if let Some(held) = state.get_mut(key.as_bytes()).filter(|held| held.0 == *from) {
                    (held.0, held.2) = (*version, *deadline);
                }
            }
            Record::Floor { .. } | Record::Synced { .. } => {}
        }
        states.push(state.clone());
    }
    states
}

#[test]
fn a_log_cut_off_at_any_byte_gives_a_state_that_was_there() {
    let whole = recorded();
    let all = whole.clone().read();
    assert_eq!((all.damaged, all.wrong, all.torn), (None, None, 0));
    let states = history(&all.records);
    assert!(states.len() > 20 && states.last().is_some_and(|last| last.len() >= 4), "{states:?}");
    let mut reached = 0;
    for at in 0..whole.segments.len() {
        // A segment has its name only when its header is on disk.
        for length in HEADER..=whole.segments[at].bytes.len() {
            let mut disk = whole.clone();
            disk.segments.truncate(at + 1);
            disk.segments[at].bytes.truncate(length);
            let read = disk.read();
            assert_eq!((read.damaged, read.wrong), (None, None), "segment {at}, byte {length}");
            assert_eq!(read.records[..], all.records[..read.records.len()], "segment {at}, byte {length}");
            if read.records.len() != reached || length == HEADER {
                reached = read.records.len();
                assert_eq!(read_by_a_node(&read.records), states[reached], "segment {at}, byte {length}");
            }
        }
    }
    assert_eq!(reached + 1, states.len());
}

#[test]
fn a_log_changed_at_any_byte_is_refused_or_ends_there() {
    let whole = recorded();
    let all = whole.clone().read();
    let (mut refused, mut shorter) = (0, 0);
    for at in 0..whole.segments.len() {
        for byte in 0..whole.segments[at].bytes.len() {
            let mut disk = whole.clone();
            disk.segments[at].bytes[byte] ^= 1 << (byte % 8);
            let read = disk.read();
            assert_eq!(read.wrong, None, "segment {at}, byte {byte}");
            assert_eq!(read.records[..], all.records[..read.records.len()], "segment {at}, byte {byte}");
            match read.damaged {
                Some(_) => refused += 1,
                // In the last sync, or behind what was written again.
                None => shorter += 1,
            }
        }
    }
    assert!(refused > 4 * shorter && shorter > 0, "{refused} refused, {shorter} not");
}

#[test]
fn a_snapshot_and_any_part_of_its_log_give_a_state_that_was_there() {
    let all = recorded().read().records;
    let states = history(&all);
    let (mut apart, mut read) = (0, 0);
    for begun in 0..=all.len() {
        let bytes = snapshot(&all, begun);
        for length in 0..bytes.len() {
            assert_eq!(read_snapshot(&bytes[..length], begun), None, "begun at {begun}, cut off at byte {length}");
        }
        let (kept, until) = read_snapshot(&bytes, begun).expect("it is whole");
        // Without its log it is no state at all: things are in it that never were together.
        apart += u32::from(!states.contains(&read_by_a_node(&kept)));
        for end in until.0 as usize - 1..=all.len() {
            let state = read_by_a_node(kept.iter().chain(&all[begun..end]));
            assert_eq!(state, states[end], "begun at {begun}, the log ends behind record {end}");
            read += 1;
        }
    }
    assert!(apart > 0 && read > 100, "{apart} of {read}");
}

/// A disk and its node while a snapshot is taken, at each step of it: a record is written between any two. The log
/// before that is in another snapshot already, which was taken in the middle.
fn steps(records: &[Record]) -> Vec<Disk> {
    let (mut disk, mut node, mut out) = (Disk::new(NodeId(1)), node(), Outbox::new());
    let (mut rng, mut steps, mut written) = (Rng::new(1, "salts"), Vec::new(), 0);
    disk.open(UnixMs(0), rng.u64());
    let mut write = |disk: &mut Disk, node: &mut Node| {
        let Some(record) = records.get(written) else { return };
        disk.append(record);
        node.recover(TIME, record, &mut out);
        written += 1;
    };
    for _ in 0..2 {
        (0..records.len() / 3).for_each(|_| write(&mut disk, &mut node));
        assert!(disk.begin_saving());
        while disk.is_saving() {
            write(&mut disk, &mut node);
            let walk = |cursor, encoder: &mut Encoder| node.shards()[0].walk(cursor, 1, encoder);
            if disk.save(UnixMs(0), rng.u64(), walk) == Saves::Waits {
                disk.begin_sync();
                steps.push(disk.clone());
                disk.end_sync();
                disk.turn_after_sync(UnixMs(0), || rng.u64());
            }
            steps.push(disk.clone());
        }
    }
    steps
}

#[test]
fn a_crash_at_any_step_of_a_snapshot_gives_a_state_that_was_there() {
    let records: Vec<Record> =
        recorded().read().records.into_iter().filter(|record| !matches!(record, Record::Synced { .. })).collect();
    let steps = steps(&records);
    let (mut began_with, mut fell_back, mut refused) = ([0, 0], 0, 0);
    for (step, disk) in steps.iter().enumerate() {
        for seed in 0..40 {
            let (mut left, mut rng) = (disk.clone(), Rng::new(seed, "crash"));
            left.crash(&mut rng);
            let read = left.read();
            assert_eq!((read.damaged, read.wrong, read.passed), (None, None, 0), "step {step}, seed {seed}");
            assert!(read.next >= disk.solid_below(), "step {step}, seed {seed}");
            let mut truth = left.truth.clone();
            truth.cut(read.next);
            assert_eq!(truth.differs(&read.versions()), None, "step {step}, seed {seed}");
            began_with[usize::from(read.snapshot.is_some())] += 1;
            // And then the newest snapshot is damaged: what is older is all there, or it is refused.
            let Some(saved) = left.snapshots.last_mut() else { continue };
            let at = rng.below(saved.bytes.len() as u64) as usize;
            saved.bytes[at] ^= 1 << rng.below(8);
            let read = left.read();
            assert_eq!((read.wrong, read.passed > 0), (None, true), "step {step}, seed {seed}");
            match read.damaged {
                Some(_) => refused += 1,
                None => {
                    assert_eq!(truth.differs(&read.versions()), None, "step {step}, seed {seed}");
                    fell_back += 1;
                }
            }
        }
    }
    assert!(steps.len() > 20 && began_with.iter().all(|count| *count > 40), "{} steps, {began_with:?}", steps.len());
    assert!(fell_back > 40 && refused > 40, "{fell_back} fell back, {refused} refused");
}
