//! The swarm: of each seed a cluster, a network, loads and faults of its own.
//!
//! Every run switches a random set of features off (Groce et al., "Swarm Testing", 2012): what one fault hides, its
//! absence shows. Rates lie in the ranges of two simulators that have found much: TigerBeetle's VOPR loses up to 30% of
//! the packets, repeats up to 50%, lets 2 to 20 be under way on a path, clogs paths for up to 5 s and pauses and
//! crashes replicas; FoundationDB clogs links for 0.5 ms to 10 s and swizzles half of the machines.
//!
//! A seed says everything about a run: a minute of faults; then, half of the time, a while in which only a random core
//! is healed; then peace, and a little load in peace; and in the end the verdict.

mod brief;
mod buggify;
mod peace;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::buggify::buggify;
use self::peace::Ending;
use super::check::Violation;
use super::command::{Command, Span};
use super::fault::{Fault, Faults};
use super::network::Network;
use super::workload::{Shape, Workload};
use super::world::{Seen, World, WorldConfig};
use crate::id::NodeId;
use crate::rng::Rng;
use crate::shard::Tuning;
use crate::store::{Limits, Policy};
use crate::time::Instant;

/// How long faults strike, in simulated time.
pub const RUN: Duration = Duration::from_secs(60);

/// A world and what is done to it, each thing at its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The world at its beginning.
    pub config: WorldConfig,
    /// What is done to it, in order.
    pub acts: Vec<(Instant, Command)>,
    /// When it is over.
    pub end: Instant,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Its fingerprint.
    pub fingerprint: u64,
    /// Things that happened.
    pub events: u64,
    /// Its length in simulated time.
    pub simulated: Duration,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
    /// What it has come across.
    pub seen: Seen,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Plan {
        let (mut plan, ending) = Plan::begun(seed);
        buggify(&mut plan);
        plan.config.policy = policy(seed);
        ending.end(&mut plan);
        count(&mut plan);
        plan
    }

    /// Another one, of a few seconds in which everything happens at once: what takes several faults within the time
    /// that a message is under way is met far more often.
    pub fn brief(seed: u64) -> Plan {
        brief::plan(seed)
    }

    /// The same without rests, and none slower than others: what was found before some were is found so again.
    pub fn restless_brief(seed: u64) -> Plan {
        brief::restless(seed)
    }

    /// The same with few nodes also where there are many, as it was before there were.
    pub fn narrow_brief(seed: u64) -> Plan {
        brief::narrow(seed)
    }

    /// The same without counters, deadlines, and whatever else was added to brief runs since the first of them failed.
    pub fn plain_brief(seed: u64) -> Plan {
        brief::plain(seed)
    }

    /// The same without counters, with exact LRU, and with nodes whose timers, bounds and memories are as usual: what
    /// was found before these could differ is found so again.
    pub fn plain(seed: u64) -> Plan {
        let (mut plan, ending) = Plan::begun(seed);
        ending.end(&mut plan);
        plan
    }

    /// The time in which faults strike, and what comes after it.
    fn begun(seed: u64) -> (Plan, Ending) {
        let mut rng = Rng::new(seed, "swarm");
        let config = config(seed, &mut rng);
        let mut acts = Vec::new();
        let mut now = Instant(0);
        acts.push((now, Command::Faults(faults(&mut rng))));
        let loads = rng.between(1, 3) as u32;
        for _ in 0..loads {
            acts.push((now, Command::Workload(workload(&mut rng))));
            now = now + RUN / loads;
        }
        let core = rng.chance(500_000).then(|| core(config.nodes, &mut rng));
        let calm = Workload { rate: 60, retries: 0, ..workload(&mut rng) };
        (Plan { config, acts, end: now }, Ending { core, calm })
    }

    /// Carries it out.
    pub fn run(&self) -> World {
        let mut world = World::new(self.config.clone());
        for (at, command) in &self.acts {
            world.run_until(*at, u64::MAX);
            world.obey(command.clone());
        }
        world.run_until(self.end, u64::MAX);
        world
    }

    /// The same with what chance has done in that run written out, without the dice, and without what was to be done
    /// to machines that were not there: a script may not name them.
    pub fn written_out(&self, world: &World) -> Plan {
        let mut idle = world.idle().iter().peekable();
        let given = self.acts.iter().filter(|(_, command)| !matches!(command, Command::Faults(_)));
        let done = given.filter(|act| idle.next_if_eq(act).is_none()).cloned();
        let mut acts: Vec<(Instant, Command)> = done.collect();
        for struck in world.struck() {
            acts.insert(acts.partition_point(|(at, _)| *at <= struck.0), struck.clone());
        }
        Plan { acts, ..self.clone() }
    }

    /// The script that does the same.
    pub fn script(&self) -> String {
        let mut text = format!("{}\nnetwork {}\n", self.config, self.config.network);
        let mut now = Instant(0);
        let mut pass = |text: &mut String, at: Instant| {
            if at > now {
                text.push_str(&format!("run {}\n", Span(at.since(now))));
                now = at;
            }
        };
        for (at, command) in &self.acts {
            pass(&mut text, *at);
            text.push_str(&format!("{command}\n"));
        }
        pass(&mut text, self.end);
        text
    }
}

/// Runs a seed to its end.
pub fn run(seed: u64) -> Report {
    report(seed, &Plan::of(seed).run())
}

/// What became of a world.
pub fn report(seed: u64, world: &World) -> Report {
    Report {
        seed,
        fingerprint: world.fingerprint(),
        events: world.events(),
        simulated: world.now().since(Instant(0)),
        violations: world.violations().to_vec(),
        seen: world.seen(),
    }
}

/// Who goes when there is no room: another policy than LRU in three of ten runs.
fn policy(seed: u64) -> Policy {
    let mut policies = Rng::new(seed, "policy");
    if policies.chance(400_000) { *policies.pick(&Policy::ALL).expect("four policies") } else { Policy::Lru }
}

fn config(seed: u64, rng: &mut Rng) -> WorldConfig {
    let nodes = rng.between(1, 7) as u16;
    // Some networks are good, most are bad, and a few are worse than any that a cache is put into.
    let bad = |rng: &mut Rng, most: u64| match rng.below(10) {
        0..4 => 0,
        4..9 => rng.between(1, 80_000) as u32,
        _ => rng.between(80_000, most) as u32,
    };
    let network = Network {
        delay: Duration::from_micros(rng.between(50, 2_000)),
        jitter: Duration::from_micros(rng.between(10, 10_000)),
        loss: bad(rng, 300_000),
        duplicate: bad(rng, 500_000),
        capacity: rng.chance(200_000).then(|| rng.between(2, 20) as u32),
    };
    let limits = match rng.below(4) {
        0 => Limits { entries: Some(rng.between(1, 60) as u32), bytes: None },
        1 => Limits { entries: None, bytes: Some(rng.between(300, 20_000)) },
        2 => Limits { entries: Some(rng.between(1, 60) as u32), bytes: Some(rng.between(300, 20_000)) },
        _ => Limits { entries: Some(10_000), bytes: None },
    };
    // A dice of its own, so that it changes nothing else of the seeds that have failed once.
    let mut batches = Rng::new(seed, "batch");
    let batch = if batches.chance(300_000) { batches.between(1, 6) as u32 } else { u32::MAX };
    let mut rates = Rng::new(seed, "move rate");
    let move_rate = rates.chance(200_000).then(|| rates.between(50_000, 1_000_000));
    let mut zones = Rng::new(seed, "zones");
    let zones = if zones.chance(300_000) { zones.between(1, 4) as u16 } else { 0 };
    WorldConfig {
        seed,
        tuning: Tuning { batch, ..Tuning::default() },
        move_rate,
        zones,
        nodes,
        replicas: rng.between(1, 3) as u8,
        limits,
        virtual_nodes: rng.between(8, 64) as u16,
        network,
        clock_skew: Duration::from_millis(rng.between(0, 400)),
        checks: true,
        trace: 0,
        ..WorldConfig::default()
    }
}

fn workload(rng: &mut Rng) -> Workload {
    let any_level = rng.chance(700_000);
    let expiring = rng.chance(700_000);
    let defaults = Workload::default();
    Workload {
        shape: *rng.pick(&Shape::ALL).expect("five shapes"),
        keys: rng.between(1, 300) as u32,
        rate: rng.between(20, 400) as u32,
        writes: rng.between(5, 70) as u8,
        deletes: if rng.chance(700_000) { rng.between(1, 20) as u8 } else { 0 },
        conditional: if rng.chance(600_000) { rng.between(1, 60) as u8 } else { 0 },
        expiring: if expiring { rng.between(1, 100) as u8 } else { 0 },
        ttl: Duration::from_millis(rng.between(50, 20_000)),
        storm: rng.chance(250_000),
        value_bytes: rng.between(0, 400) as u32,
        big: if rng.chance(300_000) { rng.between(1, 20) as u8 } else { 0 },
        retries: if rng.chance(400_000) { rng.between(1, 4) as u8 } else { 0 },
        clients: rng.between(1, 20) as u16,
        counters: 0,
        write_level: if any_level { None } else { defaults.write_level },
        read_level: if any_level { None } else { defaults.read_level },
    }
}

/// Lets the loads of some runs count as well. A dice of its own changes nothing else of them.
fn count(plan: &mut Plan) {
    let mut rng = Rng::new(plan.config.seed, "counters");
    if !rng.chance(300_000) {
        return;
    }
    let counters = rng.between(5, 60) as u8;
    for (_, command) in &mut plan.acts {
        if let Command::Workload(workload) = command {
            workload.counters = counters;
        }
    }
}

/// Each kind of fault with its share of the runs, and its mean time from the one to the other, in milliseconds.
const RATES: [(Fault, u32, u64, u64); 12] = [
    (Fault::Crash, 400_000, 5_000, 40_000),
    (Fault::Pause, 400_000, 3_000, 30_000),
    (Fault::Rolling, 100_000, 15_000, 60_000),
    (Fault::Cut, 400_000, 1_000, 20_000),
    (Fault::Isolate, 250_000, 4_000, 30_000),
    (Fault::Sides, 250_000, 4_000, 30_000),
    (Fault::Clog, 300_000, 1_000, 10_000),
    (Fault::Swizzle, 150_000, 5_000, 30_000),
    (Fault::Drift, 300_000, 2_000, 20_000),
    (Fault::Strobe, 200_000, 5_000, 30_000),
    (Fault::Partial, 250_000, 4_000, 30_000),
    (Fault::Churn, 350_000, 2_000, 20_000),
];

fn faults(rng: &mut Rng) -> Faults {
    // A tenth of the runs are left in peace: what is promised while nothing goes wrong is checked there most strictly.
    if rng.chance(100_000) {
        return Faults::default();
    }
    let mut faults = Faults::default();
    for (fault, share, least, most) in RATES {
        if rng.chance(share) {
            faults = faults.with(fault, Some(Duration::from_millis(rng.between(least, most))));
        }
    }
    if rng.chance(400_000) {
        faults = faults.with(Fault::Clock, Some(Duration::from_millis(rng.between(1_000, 20_000))));
    }
    for mends in [Fault::Restart, Fault::Resume, Fault::Heal] {
        faults = faults.with(mends, Some(Duration::from_millis(rng.between(500, 10_000))));
    }
    faults.crashing_writers(if rng.chance(200_000) { rng.between(100, 5_000) as u32 } else { 0 })
}

/// Some of the nodes, at least one.
fn core(nodes: u16, rng: &mut Rng) -> Vec<NodeId> {
    let sure = NodeId(rng.between(1, u64::from(nodes)) as u16);
    (1..=nodes).map(NodeId).filter(|node| *node == sure || rng.chance(600_000)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Script;

    #[test]
    fn a_run_is_the_same_from_its_seed_from_its_commands_and_from_its_script() {
        // The last two do things to machines that are not there yet.
        let plans = [Plan::of(3), Plan::of(8), Plan::of(21), Plan::brief(3), Plan::brief(29)];
        for (at, plan) in plans.into_iter().enumerate() {
            let world = plan.run();
            let seed = plan.config.seed;
            assert_eq!(world.fingerprint(), plan.run().fingerprint(), "seed {seed}");
            assert_eq!(world.idle().is_empty(), at < 3, "seed {seed}");
            let written_out = plan.written_out(&world);
            let again = written_out.run();
            assert_eq!((world.fingerprint(), world.now()), (again.fingerprint(), again.now()), "seed {seed}");
            let script = Script::parse(&written_out.script()).expect("a printed script is a script");
            let again = script.run().expect("a printed script runs");
            assert_eq!((world.fingerprint(), world.now()), (again.fingerprint(), again.now()), "seed {seed}");
        }
    }
}
