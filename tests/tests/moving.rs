//! A machine joins a cluster of five under load: what moves, how long that takes under a limit, and what its clients
//! notice; and what they do of any other change. Times are simulated: the figures of `docs/membership.md` are the same
//! on every machine.
//!
//! ```sh
//! cargo test -p vitrine-tests --test moving -- --nocapture
//! ```

use std::time::Duration;

use vitrine_engine::id::{NodeId, Slot};
use vitrine_engine::map::Phase;
use vitrine_engine::request::{Answer, Condition, Key, ReadLevel, WriteLevel};
use vitrine_engine::shard::Progress;
use vitrine_engine::sim::{Command, Reply, Verb, World, WorldConfig};
use vitrine_engine::store::Limits;
use vitrine_engine::time::Instant;

const NODES: u16 = 5;
const JOINER: NodeId = NodeId(6);
const KEYS: u64 = 2_000;
/// Bytes of a value.
const SIZE: usize = 4_096;
/// One read every so often.
const PAUSE: Duration = Duration::from_millis(2);

/// What came of a join.
#[derive(Debug)]
struct Moved {
    /// From the wish until nothing moves any more.
    took: Duration,
    /// What the joiner fetched.
    progress: Progress,
    /// Slots of which it is a replica in the end.
    slots: u64,
    /// Slots whose preferred primary is another than before.
    primaries: u64,
    /// Bytes of keys and values in these slots.
    ideal: u64,
    /// Before, during and after.
    readings: [Reading; 3],
    /// The most keys that were known and waited at a time, and whether the slots came bit by bit.
    most_waiting: u64,
    steps: usize,
}

/// What clients were told.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    reads: u64,
    hits: u64,
    failures: u64,
    /// Sum and maximum of the time that a read took, in microseconds.
    took: u64,
    most: u64,
}

impl Reading {
    /// Takes in what clients were told since that moment, and moves it on.
    fn add(&mut self, world: &World, since: &mut Instant) {
        for told in world.history().rev().take_while(|told| told.told >= *since) {
            let took = told.told.since(told.asked).as_micros() as u64;
            (self.took, self.most) = (self.took + took, self.most.max(took));
            self.reads += 1;
            self.hits += u64::from(matches!(&told.reply, Reply::Outcome(Ok(Answer::Found(_)))));
            self.failures += u64::from(matches!(&told.reply, Reply::Outcome(Err(_)) | Reply::Lost | Reply::Refused));
        }
        *since = Instant(world.now().0 + 1);
    }
}

fn key(number: u64) -> Key {
    Key::new(format!("key-{number}")).expect("a key")
}

fn world(move_rate: u64) -> World {
    let config = WorldConfig {
        seed: 11,
        nodes: NODES,
        replicas: 3,
        limits: Limits::default(),
        move_rate: Some(move_rate),
        trace: 0,
        ..WorldConfig::default()
    };
    let mut world = World::new(config);
    world.run_for(Duration::from_secs(1));
    for number in 0..KEYS {
        let (value, level) = (vec![b'v'; SIZE].into(), WriteLevel::Live);
        let verb = Verb::Set { value, ttl: None, condition: Condition::Always, level };
        world.obey(Command::Ask { client: 1, node: None, key: key(number), verb });
        world.run_for(Duration::from_micros(200));
    }
    assert!(world.settle(Duration::from_secs(10)));
    world
}

/// Reads all keys, one after the other and around, until that is so; at least once around.
fn read(world: &mut World, until: impl Fn(&World) -> bool, each: impl FnMut(&World)) -> Reading {
    read_by(world, &[1, 2, 3, 4, 5], until, each)
}

/// The same by these clients.
fn read_by(
    world: &mut World,
    clients: &[u16],
    until: impl Fn(&World) -> bool,
    mut each: impl FnMut(&World),
) -> Reading {
    let mut reading = Reading::default();
    let mut number = 0;
    let mut since = Instant(world.now().0 + 1);
    while number < KEYS || !until(world) {
        let verb = Verb::Get(ReadLevel::Primary);
        // Every client has a node of its own.
        let client = clients[number as usize % clients.len()];
        world.obey(Command::Ask { client, node: None, key: key(number * 7 % KEYS), verb });
        number += 1;
        world.run_for(PAUSE);
        each(world);
        reading.add(world, &mut since);
        assert!(number < 100 * KEYS, "it never ends");
    }
    assert!(world.settle(Duration::from_secs(5)));
    reading.add(world, &mut since);
    assert_eq!(reading.reads, number, "every read is answered");
    reading
}

fn join(move_rate: u64) -> Moved {
    let mut world = world(move_rate);
    let primaries = |world: &World| -> Vec<NodeId> {
        let node = world.machines()[0].node().expect("it is up");
        Slot::all().map(|slot| node.view().replicas(slot)[0]).collect()
    };
    let before = primaries(&world);
    let first = read(&mut world, |_| true, |_| {});
    let begun = world.now();
    world.obey(Command::Join(1, String::new()));
    let joiner = |world: &World| world.machines().get(usize::from(JOINER.0) - 1).and_then(|m| m.node().cloned());
    let (mut most_waiting, mut seen, mut ended) = (0, std::collections::BTreeSet::new(), None);
    let is_over = |world: &World| {
        world.map().member(JOINER).is_some()
            && world.machines().iter().all(|m| {
                m.node().is_some_and(|node| {
                    node.view().map.phase == Phase::Steady && node.view().map.member(JOINER).is_some()
                })
            })
    };
    let second = read(&mut world, is_over, |world| {
        if let Some(machine) = world.machines().get(usize::from(JOINER.0) - 1)
            && let Some(node) = machine.node()
        {
            let progress = node.progress();
            most_waiting = most_waiting.max(progress.keys_waiting);
            assert!(progress.slots_through <= progress.slots);
            seen.insert(progress.keys);
        }
        if is_over(world) {
            ended.get_or_insert(world.now());
        }
    });
    let took = ended.expect("it is over").since(begun);
    let third = read(&mut world, |_| true, |_| {});
    assert_eq!(world.violations(), []);
    let node = joiner(&world).expect("it runs");
    let after = primaries(&world);
    let held = |number: &u64| node.view().is_replica(key(*number).slot());
    Moved {
        took,
        progress: node.progress(),
        slots: Slot::all().filter(|slot| node.view().is_replica(*slot)).count() as u64,
        primaries: before.iter().zip(&after).filter(|(a, b)| a != b).count() as u64,
        ideal: (0..KEYS).filter(held).map(|number| (key(number).as_bytes().len() + SIZE) as u64).sum(),
        readings: [first, second, third],
        most_waiting,
        steps: seen.len(),
    }
}

#[test]
fn a_join_moves_its_share_and_no_more_and_nobody_notices() {
    eprintln!(
        "move rate | took | slots | primaries | bytes fetched / ideal | hits before, during, after | mean | longest ms"
    );
    for rate in [0, 4 << 20, 1 << 20, 256 << 10] {
        let moved = join(rate);
        let Moved { took, progress, slots, primaries, ideal, readings, .. } = &moved;
        let per_cent = |part: u64, of: u64| part as f64 * 100.0 / of as f64;
        let hits = readings.map(|reading| format!("{:.2}", per_cent(reading.hits, reading.reads))).join(", ");
        let mean = readings.map(|r| format!("{:.2}", r.took as f64 / r.reads as f64 / 1e3)).join(", ");
        let most = readings.map(|r| format!("{:.2}", r.most as f64 / 1e3)).join(", ");
        eprintln!(
            "{:>6} KiB/s | {:.2} s | {:.1} % | {:.1} % | {} / {} = {:.3} | {hits} % | {mean} | {most}",
            rate >> 10,
            took.as_secs_f64(),
            per_cent(*slots, 16_384),
            per_cent(*primaries, 16_384),
            progress.bytes,
            ideal,
            progress.bytes as f64 / *ideal as f64,
        );
        // A sixth of the primaries is ideal; a joiner moves at most 1.2 times that.
        assert!(*primaries * 6 <= 16_384 * 12 / 10 && *primaries * 6 >= 16_384 * 9 / 10, "{moved:?}");
        assert_eq!(progress.bytes, *ideal, "every entry is fetched once: {moved:?}");
        assert_eq!((progress.slots, progress.keys_waiting, progress.bytes_missed), (0, 0, 0), "{moved:?}");
        for reading in readings {
            assert_eq!((reading.hits, reading.failures), (reading.reads, 0), "{moved:?}");
        }
        let mean = |reading: &Reading| reading.took / reading.reads;
        assert!(mean(&readings[1]) <= mean(&readings[0]) * 11 / 10, "{moved:?}");
        if let Some(micros) = (*ideal * 1_000_000).checked_div(rate) {
            // What it takes by the rate, and three rounds of heartbeats for the editions.
            let least = Duration::from_micros(micros);
            assert!(*took >= least * 9 / 10 && *took <= least + Duration::from_secs(2), "{least:?}: {moved:?}");
            assert!(moved.most_waiting > 0 && moved.steps > 10, "progress can be seen: {moved:?}");
        }
    }
}

/// What came of another change: before, during and after it, how long it took, and what was fetched in all.
fn changed(command: Command) -> ([Reading; 3], Duration, u64) {
    let mut world = world(0);
    // Everybody but the member that the change is about, which may end.
    let clients = [1, 3, 4, 5];
    let fetched = |world: &World| -> u64 {
        world.machines().iter().filter_map(|machine| machine.node()).map(|node| node.progress().bytes).sum()
    };
    let first = read_by(&mut world, &clients, |_| true, |_| {});
    let (begun, epoch) = (world.now(), world.map().epoch);
    world.obey(command);
    let mut ended = None;
    let is_over = |world: &World| {
        let mut nodes = world.machines().iter().filter_map(|machine| machine.node());
        let done = |map: &vitrine_engine::map::Map| map.phase == Phase::Steady && map.epoch.0 >= epoch.0 + 3;
        world.wanted().is_empty() && nodes.all(|node| done(&node.view().map))
    };
    let second = read_by(&mut world, &clients, is_over, |world| {
        if is_over(world) {
            ended.get_or_insert(world.now());
        }
    });
    let third = read_by(&mut world, &clients, |_| true, |_| {});
    assert_eq!(world.violations(), []);
    ([first, second, third], ended.expect("it is over").since(begun), fetched(&world))
}

#[test]
fn nobody_notices_any_other_change_either() {
    eprintln!("change | took | bytes fetched | hits before, during, after | mean ms");
    for (what, command) in [
        ("drained", Command::Weigh(NodeId(2), 0)),
        ("removed", Command::Leave(NodeId(2), false)),
        ("weight 3", Command::Weigh(NodeId(2), 3)),
    ] {
        let (readings, took, bytes) = changed(command);
        let hits = readings.map(|reading| format!("{:.2}", reading.hits as f64 * 100.0 / reading.reads as f64));
        let mean = readings.map(|reading| format!("{:.2}", reading.took as f64 / reading.reads as f64 / 1e3));
        let (hits, mean) = (hits.join(", "), mean.join(", "));
        eprintln!("{what} | {:.2} s | {bytes} | {hits} % | {mean}", took.as_secs_f64());
        assert!(bytes > 0, "{what}: something has moved");
        for reading in readings {
            assert_eq!((reading.hits, reading.failures), (reading.reads, 0), "{what}: {readings:?}");
        }
    }
}
