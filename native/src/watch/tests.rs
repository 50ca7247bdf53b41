use std::path::Path;

use bytes::Bytes;
use vitrine_engine::error::Failure;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::request::{Answer, Condition, Key, Operation, Outcome, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::time::{Time, UnixMs};
use vitrine_engine::view::{Map, Member, View};

use super::*;
use crate::clock::HandClock;
use crate::effects::Wire;
use crate::shards::{Read, ShardsConfig, Submitted};

struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<vitrine_engine::cluster::Routes>) {}
}

const START: Time = Time { instant: Instant(0), unix: UnixMs(1_790_000_000_000) };

struct Node {
    clock: Arc<HandClock>,
    shards: Arc<Shards>,
    metrics: Arc<Metrics>,
    keeper: Keeper,
}

/// A node by itself, whose floor is in that folder.
fn node(folder: &Path) -> Node {
    let map = Arc::new(Map::first(vec![Member::new(NodeId(1), "n1".to_owned())], 1, 16));
    let config =
        ShardsConfig { entries: None, bytes: 64 << 20, stripes: Some(4), workers: 1, seed: 1, hash_seed: (2, 3) };
    let clock = Arc::new(HandClock::at(START));
    let view = Arc::new(View::first(NodeId(1), map));
    let shards = Arc::new(Shards::new(&config, view, Arc::clone(&clock) as _, Arc::new(Nobody)));
    let metrics = Arc::new(Metrics::new(1));
    let floor = VersionFloor::read(folder, "n1", START.unix).expect("a floor, or none");
    let mut keeper = Keeper::new(floor, Arc::clone(&shards), Arc::clone(&metrics));
    keeper.keep();
    Node { clock, shards, metrics, keeper }
}

impl Node {
    fn put(&self, key: &str) -> Outcome {
        let key = Key::new(Bytes::copy_from_slice(key.as_bytes())).expect("a key");
        let value = Value { bytes: Bytes::from_static(b"v"), ..Value::default() };
        let operation = Operation::Set { value, deadline: None, condition: Condition::Always, level: WriteLevel::One };
        match self.shards.submit(Request { key, operation, timeout: Duration::from_secs(1) }) {
            Submitted::Now(reply) => reply.outcome,
            Submitted::Later(_) => panic!("there is nobody to wait for"),
        }
    }

    /// Every stripe takes a write, each under what is on disk.
    fn takes_writes(&self, folder: &Path) {
        let floor = VersionFloor::read(folder, "n1", self.shards.now().unix).expect("a floor").version();
        for key in (0..40).map(|number| format!("key-{number}")) {
            let Ok(Answer::Stored { version, .. }) = self.put(&key) else { panic!("{key} is not stored") };
            assert!(version <= floor, "{version} is above {floor}");
        }
        assert!(!self.metrics.clock.floor_low.load(Ordering::Acquire));
    }

    /// None does, and reads go on.
    fn takes_none(&self) {
        for key in (0..40).map(|number| format!("key-{number}")) {
            assert_eq!(self.put(&key), Err(Failure::ReadOnly), "{key}");
            let read = self.shards.read(self.shards.now(), key.as_bytes(), ReadLevel::Primary);
            assert!(matches!(read, Read::Found(_)), "{key}");
        }
    }
}

#[test]
fn a_disk_that_stands_still_stops_writes_before_versions_pass_the_floor() {
    let base = tempfile::tempdir().expect("a folder");
    let [folder, away] = ["data", "away"].map(|name| base.path().join(name));
    std::fs::create_dir(&folder).expect("a folder");
    let mut node = node(&folder);
    node.takes_writes(&folder);
    // The folder is gone: nothing can be written. What is on disk is ten seconds ahead.
    std::fs::rename(&folder, &away).expect("moved");
    node.clock.advance(Duration::from_secs(7));
    node.keeper.keep();
    assert_eq!(node.metrics.clock.floor_failures.load(Ordering::Relaxed), 1);
    node.takes_writes(&away);
    node.clock.advance(Duration::from_secs(5));
    node.takes_none();
    node.keeper.keep();
    assert!(node.metrics.clock.floor_low.load(Ordering::Acquire), "it is to be seen");
    node.takes_none();
    // It is writable again, and nobody has to do anything else.
    std::fs::rename(&away, &folder).expect("moved back");
    node.keeper.keep();
    node.takes_writes(&folder);
}

#[test]
fn versions_that_others_have_pulled_ahead_wait_for_the_floor_above_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = node(folder.path());
    node.takes_writes(folder.path());
    let ahead = START.unix.checked_add(Duration::from_secs(3_000)).expect("a time");
    // It has seen one that is 50 minutes ahead.
    node.shards.start_above(Version::new(ahead, 7, NodeId(2)));
    node.takes_none();
    node.keeper.keep();
    node.takes_writes(folder.path());
    // A later self starts above all of that, whatever its clock says.
    let again = self::node(folder.path());
    assert!(again.shards.latest().unix() > ahead);
    again.takes_writes(folder.path());
}

#[test]
fn clocks_that_differ_are_an_alarm_for_as_long_as_they_do() {
    let mut alarm = Alarm::default();
    let mut said = Vec::new();
    // An hour ahead, and followed by a tenth, until it is set right at the end of the fourth hour.
    for second in 0..5 * 3_600 {
        let ahead = if (60..4 * 3_600).contains(&second) { 3_600_000_000 - (second - 60) * 100_000 } else { 0 };
        let now = Instant(second as u64 * 1_000_000);
        said.extend(alarm.look(Look { jump: None, ahead }, now).map(|what| (second, what)));
    }
    let lasts = (1..4).map(|hour| (60 + hour * 3_600, Said::Lasts));
    let expected: Vec<_> = [(60, Said::Begins)].into_iter().chain(lasts).chain([(4 * 3_600, Said::Ends)]).collect();
    assert_eq!(said, expected);
    for ahead in [500_000, -500_000, 0] {
        assert_eq!(alarm.look(Look { jump: None, ahead }, Instant(0)), None, "{ahead}");
    }
    assert_eq!(alarm.look(Look { jump: None, ahead: -500_001 }, Instant(0)), Some(Said::Begins));
}
