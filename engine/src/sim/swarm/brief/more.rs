//! What some brief runs have besides, each thing by dice of its own, so that a new one leaves the others as they are:
//! counters and deadlines in place of plain values; clocks that jump, entries that are forgotten, disks that fail and
//! snapshots among the rest; small stores, worse networks and zones; and what makes any run unusually bad.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::buggify::buggify;
use super::super::{Plan, policy};
use super::name;
use crate::id::NodeId;
use crate::request::{Key, ReadLevel};
use crate::rng::Rng;
use crate::sim::client::Verb;
use crate::sim::command::Command;
use crate::sim::fault::DiskFault;
use crate::sim::workload::Workload;
use crate::sim::world::skewed;
use crate::store::Limits;
use crate::time::Instant;

/// How much longer everything is left in peace: pages of a key each that are late come one after the other.
pub(super) const PEACE: Duration = Duration::from_secs(30);
/// How long a little load is put on in peace, and how long it is left to end.
const CALM: Duration = Duration::from_secs(4);
/// Keys that are counted.
const COUNTERS: u64 = 3;

/// Adds it to the plan of a seed. Returns what is counted.
pub(super) fn more(plan: &mut Plan) -> Vec<Key> {
    let seed = plan.config.seed;
    // The dice of one, where it is switched on in that share of the runs.
    let switched_on = |name, share| {
        let mut rng = Rng::new(seed, name);
        rng.chance(share).then_some(rng)
    };
    if switched_on("brief, unusually bad", 500_000).is_some() {
        buggify(plan);
        plan.config.policy = policy(seed);
    }
    if let Some(mut rng) = switched_on("brief network", 200_000) {
        plan.config.network.duplicate = rng.between(1_000, 300_000) as u32;
        plan.config.network.capacity = rng.chance(300_000).then(|| rng.between(4, 20) as u32);
    }
    if let Some(mut rng) = switched_on("brief stores", 250_000) {
        plan.config.limits = match rng.below(2) {
            0 => Limits { entries: Some(rng.between(1, 15) as u32), bytes: None },
            _ => Limits { entries: None, bytes: Some(rng.between(300, 3_000)) },
        };
    }
    if let Some(mut rng) = switched_on("brief zones", 200_000) {
        plan.config.zones = rng.between(1, 3) as u16;
    }
    let counts = switched_on("brief counters", 300_000);
    let counted = (0..COUNTERS).filter(|_| counts.is_some()).map(counter).collect();
    counts.into_iter().for_each(|rng| count(plan, rng));
    if let Some(rng) = switched_on("brief deadlines", 350_000) {
        expire(plan, rng);
    }
    if let Some(rng) = switched_on("brief reads", 400_000) {
        read(plan, rng);
    }
    if let Some(rng) = switched_on("brief faults", 500_000) {
        strike(plan, rng);
    }
    if let Some(rng) = switched_on("brief load", 250_000) {
        let load = workload(rng, 500);
        plan.acts.insert(0, (Instant(0), Command::Workload(load)));
        plan.acts.push((plan.end, Command::NoWorkload));
    }
    counted
}

/// Some writes count instead.
fn count(plan: &mut Plan, mut rng: Rng) {
    for (_, act) in &mut plan.acts {
        let Command::Ask { key, verb, .. } = act else { continue };
        let (Verb::Set { level, .. } | Verb::Delete(level)) = verb else { continue };
        if rng.chance(500_000) {
            *key = counter(rng.below(COUNTERS));
            *verb = match rng.below(8) {
                0 => Verb::Delete(*level),
                1 => Verb::Touch { ttl: span(&mut rng), level: *level },
                2 => Verb::Increment { by: -rng.between(1, 9).cast_signed(), level: *level },
                _ => Verb::Increment { by: 1, level: *level },
            };
        }
    }
}

/// Some writes have a time to live, and others give one.
fn expire(plan: &mut Plan, mut rng: Rng) {
    let share = rng.between(50_000, 800_000) as u32;
    for (_, act) in &mut plan.acts {
        let Command::Ask { verb, .. } = act else { continue };
        if !rng.chance(share) {
            continue;
        }
        match verb {
            Verb::Set { level, .. } if rng.chance(200_000) => {
                *verb = Verb::Touch { ttl: span(&mut rng), level: *level }
            }
            Verb::Set { ttl, .. } => *ttl = span(&mut rng),
            _ => {}
        }
    }
}

/// A time to live, seldom for ever.
fn span(rng: &mut Rng) -> Option<Duration> {
    let most = *rng.pick(&[100, 1_000, 20_000]).expect("three spans");
    rng.chance(800_000).then(|| Duration::from_millis(rng.between(10, most)))
}

/// Others read in between.
fn read(plan: &mut Plan, mut rng: Rng) {
    let share = rng.between(50_000, 500_000) as u32;
    among(plan, |act, nodes| {
        let Command::Ask { key, .. } = act else { return None };
        rng.chance(share).then(|| {
            let (client, node) = (rng.between(1, 5) as u16, NodeId(rng.between(1, nodes) as u16));
            let level = *rng.pick(&ReadLevel::ALL).expect("three levels");
            Command::Ask { client, node: Some(node), key: key.clone(), verb: Verb::Get(level) }
        })
    });
}

/// What else can happen to a node.
fn strike(plan: &mut Plan, mut rng: Rng) {
    let share = rng.between(20_000, 300_000) as u32;
    let (has_disks, zones) = (plan.config.fsync.is_some(), u64::from(plan.config.zones));
    let skew = Duration::from_millis(rng.between(0, 400));
    plan.config.clock_skew = skew;
    among(plan, |_, nodes| {
        if !rng.chance(share) {
            return None;
        }
        let node = NodeId(rng.between(1, nodes) as u16);
        Some(match rng.below(8) {
            0 | 1 => Command::Clock(node, skewed(&mut rng, skew)),
            2 | 3 => Command::Forget(node, name(rng.below(5))),
            4 if has_disks => Command::Save(node),
            5 if has_disks => Command::Disk(node, *rng.pick(&DiskFault::ALL).expect("eight kinds")),
            6 if has_disks => Command::Disk(node, DiskFault::Heals),
            7 if zones > 0 => Command::Zone(node, format!("z{}", rng.between(1, zones + 1))),
            7 => Command::Isolate(node),
            _ => Command::Swizzle(Duration::from_millis(rng.between(1, 500))),
        })
    });
}

/// Puts what is said of each act before it, at the same moment. What is said is told how many machines there are by
/// then.
pub(super) fn among(plan: &mut Plan, mut before: impl FnMut(&Command, u64) -> Option<Command>) {
    let mut nodes = u64::from(plan.config.nodes);
    for (at, act) in core::mem::take(&mut plan.acts) {
        plan.acts.extend(before(&act, nodes).map(|more| (at, more)));
        nodes += u64::from(matches!(act, Command::Join(..)));
        plan.acts.push((at, act));
    }
}

/// Puts a little load on some runs in peace, which is held to what is promised in calm.
pub(super) fn load_in_peace(plan: &mut Plan) {
    let mut rng = Rng::new(plan.config.seed, "brief calm");
    if !rng.chance(300_000) {
        return;
    }
    plan.acts.push((plan.end, Command::Workload(workload(rng, 100))));
    plan.end = plan.end + CALM;
    plan.acts.push((plan.end, Command::NoWorkload));
    plan.end = plan.end + CALM;
    plan.acts.push((plan.end, Command::Verdict));
}

/// A load on the same few keys, of so many requests a second at most.
fn workload(mut rng: Rng, most: u64) -> Workload {
    Workload {
        keys: rng.between(3, 20) as u32,
        rate: rng.between(20, most) as u32,
        writes: rng.between(10, 60) as u8,
        deletes: rng.between(0, 20) as u8,
        conditional: rng.between(0, 40) as u8,
        expiring: rng.between(0, 40) as u8,
        ttl: Duration::from_millis(rng.between(50, 5_000)),
        counters: rng.between(0, 40) as u8,
        write_level: if rng.chance(500_000) { None } else { Workload::default().write_level },
        ..Workload::default()
    }
}

fn counter(number: u64) -> Key {
    Key::new(format!("c{number}")).expect("a key's length")
}
