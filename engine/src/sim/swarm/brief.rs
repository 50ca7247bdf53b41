//! Runs of a few seconds in which everything happens at once.
//!
//! In the minute of a [`Plan`] that faults strike, each by its own dice, two of them seldom meet within the time that a
//! message is under way. Here nothing waits: a node that has just started goes down again, a link is clogged around
//! the very write that its sender does not survive, a map is passed on between two crashes. What takes three things
//! within half a second is met far more often, and a run takes a sixth of the time.

mod more;
mod slow;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::Plan;
use crate::cluster::Heartbeat;
use crate::id::NodeId;
use crate::record::Fsync;
use crate::request::{Condition, Key, ReadLevel, WriteLevel};
use crate::rng::Rng;
use crate::shard::Tuning;
use crate::sim::client::Verb;
use crate::sim::command::Command;
use crate::sim::network::{Link, Network};
use crate::sim::world::WorldConfig;
use crate::time::Instant;

/// How long the nodes are left to themselves before something happens.
const BEFORE: Duration = Duration::from_millis(300);
/// How long everything is left in peace afterwards: longer than any client waits or any peer is suspected, and for as
/// long as two changes of the map take, one after the other.
const PEACE: Duration = Duration::from_secs(15);
/// How long it takes to read what is left.
const AFTER: Duration = Duration::from_secs(3);

/// How much there is of what things happen to: the least and the most.
struct Width {
    nodes: (u64, u64),
    replicas: (u64, u64),
    /// The most machines that join.
    joiners: u16,
    strikes: (u64, u64),
}

/// What most runs are: few nodes, which all keep nearly everything.
const NARROW: Width = Width { nodes: (2, 4), replicas: (2, 3), joiners: 1, strikes: (8, 40) };
/// What some are: here a lane has owners at whom nothing happens, and changes of the map overtake one another.
const WIDE: Width = Width { nodes: (3, 6), replicas: (2, 4), joiners: 2, strikes: (8, 80) };

/// What is being done to a world, as it is being made up.
struct Making {
    rng: Rng,
    /// Nodes that there are at first; machines may join them.
    nodes: u16,
    keys: u64,
    /// The longest time from one thing to the next, in milliseconds.
    gap: u64,
    joined: u16,
    /// How many may.
    joiners: u16,
    members: bool,
    writes: u32,
    now: Instant,
    acts: Vec<(Instant, Command)>,
}

/// The plan of a seed, with what some runs have besides.
pub(super) fn plan(seed: u64) -> Plan {
    thick(seed, width(seed), |plan| {
        slow::stretch(plan);
        slow::rest(plan);
    })
}

/// The same without rests, and none slower than others.
pub(super) fn restless(seed: u64) -> Plan {
    thick(seed, width(seed), |_| ())
}

/// The same with few nodes.
pub(super) fn narrow(seed: u64) -> Plan {
    thick(seed, &NARROW, |_| ())
}

fn width(seed: u64) -> &'static Width {
    if Rng::new(seed, "brief width").chance(400_000) { &WIDE } else { &NARROW }
}

fn thick(seed: u64, width: &Width, slower: fn(&mut Plan)) -> Plan {
    let (mut plan, mut keys) = struck(seed, width);
    keys.extend(more::more(&mut plan));
    slower(&mut plan);
    end(&mut plan, keys, PEACE + more::PEACE);
    more::load_in_peace(&mut plan);
    plan
}

/// The same without what some have besides.
pub(super) fn plain(seed: u64) -> Plan {
    let (mut plan, keys) = struck(seed, &NARROW);
    end(&mut plan, keys, PEACE);
    plan
}

/// The time in which everything happens, and the keys that are written in it.
fn struck(seed: u64, width: &Width) -> (Plan, Vec<Key>) {
    let mut rng = Rng::new(seed, "brief");
    let config = config(seed, width, &mut rng);
    let (keys, gap, members) = (rng.between(3, 20), rng.between(5, 400), rng.chance(600_000));
    let (nodes, joiners, now, acts) = (config.nodes, width.joiners, Instant(0), Vec::new());
    let mut making = Making { rng, nodes, keys, gap, joined: 0, joiners, members, writes: 0, now, acts };
    making.write(NodeId(1), 1_000_000, false);
    making.now = making.now + BEFORE;
    for _ in 0..making.rng.between(width.strikes.0, width.strikes.1) {
        making.strike();
        making.pass();
    }
    let Making { acts, now, .. } = making;
    (Plan { config, acts, end: now }, (0..keys).map(name).collect())
}

/// Peace for so long, and what is left is read.
fn end(plan: &mut Plan, keys: Vec<Key>, peace: Duration) {
    let read = |key| Command::Ask { client: 1, node: None, key, verb: Verb::Get(ReadLevel::Primary) };
    plan.acts.push((plan.end, Command::Peace));
    plan.end = plan.end + peace;
    plan.acts.push((plan.end, Command::Verdict));
    plan.acts.extend(keys.into_iter().map(|key| (plan.end, read(key))));
    plan.end = plan.end + AFTER;
    plan.acts.push((plan.end, Command::Verdict));
}

fn config(seed: u64, width: &Width, rng: &mut Rng) -> WorldConfig {
    let mut config = WorldConfig {
        seed,
        nodes: rng.between(width.nodes.0, width.nodes.1) as u16,
        replicas: rng.between(width.replicas.0, width.replicas.1) as u8,
        network: Network {
            delay: Duration::from_micros(rng.between(50, 3_000)),
            jitter: Duration::from_micros(rng.between(10, 4_000)),
            loss: if rng.chance(300_000) { rng.between(10_000, 80_000) as u32 } else { 0 },
            duplicate: 0,
            capacity: None,
        },
        fsync: rng.chance(300_000).then_some(Fsync::Always),
        move_rate: rng.chance(300_000).then(|| rng.between(2_000, 50_000)),
        ..WorldConfig::default()
    };
    if rng.chance(300_000) {
        config.tuning = Tuning { batch: rng.between(1, 6) as u32, ..config.tuning };
    }
    let heartbeat = &mut config.heartbeat;
    if rng.chance(200_000) {
        let interval = Duration::from_millis(rng.between(60, 350));
        *heartbeat = Heartbeat { interval, suspect_after: interval * 4, ..*heartbeat };
    }
    if rng.chance(200_000) {
        heartbeat.stand_in_after = Some(Duration::from_millis(rng.between(1_000, 4_000)));
    }
    if rng.chance(100_000) {
        heartbeat.remove_after = Some(Duration::from_millis(rng.between(2_000, 6_000)));
    }
    config
}

fn name(key: u64) -> Key {
    Key::new(format!("k{key}")).expect("a key's length")
}

impl Making {
    /// One thing happens.
    fn strike(&mut self) {
        let node = self.node();
        match self.rng.below(26) {
            0..4 => self.down(node, Command::Crash(node)),
            4 => self.down(node, Command::Wipe(node)),
            5 => self.act(Command::Restart(node)),
            6..8 => {
                let ways = self.ways(node, true);
                self.act(Command::Cut(ways));
            }
            8 => {
                let ways = self.ways(node, false);
                self.act(Command::Cut(ways));
            }
            9 => {
                let ways = self.ways(node, true);
                self.act(Command::Heal(ways));
            }
            10 => self.act(Command::HealAll),
            11..13 => {
                let both = self.rng.chance(300_000);
                let ways = self.ways(node, both);
                self.act(Command::Clog(ways));
            }
            13 => self.act(Command::UnclogAll),
            14 => {
                self.act(Command::Pause(node));
                let paused = self.rng.between(1, self.gap * 4);
                self.after(paused);
                self.act(Command::Resume(node));
            }
            15..18 if self.members => self.change(node),
            _ => {
                let share = self.rng.between(50_000, 800_000) as u32;
                self.write(node, share, true);
            }
        }
    }

    /// Somebody comes, goes, or is to keep more or less.
    fn change(&mut self, node: NodeId) {
        match self.rng.below(5) {
            0..3 if self.joined < self.joiners => {
                self.act(Command::Join(1, String::new()));
                self.joined += 1;
                // It takes a while to be one of those to whom something can happen.
                let waits = if self.rng.chance(700_000) { 1_200 } else { self.gap };
                let waits = self.rng.between(1, waits);
                self.after(waits);
            }
            3 => {
                let force = self.rng.chance(300_000);
                self.act(Command::Leave(node, force));
            }
            _ => {
                let weight = self.rng.between(0, 3) as u32;
                self.act(Command::Weigh(node, weight));
            }
        }
    }

    fn down(&mut self, node: NodeId, how: Command) {
        self.act(how);
        if self.rng.chance(800_000) {
            self.pass();
            self.act(Command::Restart(node));
        }
    }

    /// Some keys are written or deleted, and, where `mixed`, read or written on a condition.
    fn write(&mut self, node: NodeId, share: u32, mixed: bool) {
        self.writes += 1;
        let client = self.rng.between(1, 5) as u16;
        for key in 0..self.keys {
            if !self.rng.chance(share) {
                continue;
            }
            let levels = [WriteLevel::Live, WriteLevel::Live, WriteLevel::One, WriteLevel::Quorum, WriteLevel::All];
            let level = *self.rng.pick(&levels).expect("five levels");
            let value = Bytes::from(format!("v{}", self.writes));
            let set = |condition| Verb::Set { value: value.clone(), ttl: None, condition, level };
            let verb = match self.rng.below(12) {
                _ if !mixed => set(Condition::Always),
                0..3 => Verb::Delete(level),
                3 => Verb::Get(*self.rng.pick(&ReadLevel::ALL).expect("three levels")),
                4 => set(Condition::Absent),
                5 => set(Condition::Present),
                _ => set(Condition::Always),
            };
            self.act(Command::Ask { client, node: Some(node), key: name(key), verb });
        }
    }

    /// A node that there is, or would be if it had joined by now.
    fn node(&mut self) -> NodeId {
        NodeId(self.rng.between(1, u64::from(self.nodes + self.joined)) as u16)
    }

    /// The way from it to another one; where `both`, the way back as well.
    fn ways(&mut self, node: NodeId, both: bool) -> Vec<Link> {
        let other = self.node();
        let other = if other == node { NodeId(node.0 % self.nodes + 1) } else { other };
        let mut ways = alloc::vec![(node, other)];
        ways.extend(both.then_some((other, node)));
        ways
    }

    fn pass(&mut self) {
        let passed = self.rng.between(1, self.gap);
        self.after(passed);
    }

    fn after(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
    }

    fn act(&mut self, command: Command) {
        self.acts.push((self.now, command));
    }
}
