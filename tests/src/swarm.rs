//! The swarm: many seeds, each with a cluster, a network, a load and faults of its own.
//!
//! Every run switches a random set of features off (Groce et al., "Swarm Testing", 2012): what one fault hides, its
//! absence shows. A seed says everything about a run.

use std::time::Duration;

use vitrine_engine::rng::Rng;
use vitrine_engine::sim::{Faults, Network, Shape, Workload, World, WorldConfig};
use vitrine_engine::store::Limits;

/// How long faults strike, in simulated time.
pub const RUN: Duration = Duration::from_secs(60);
/// How long everything is left in peace afterwards: longer than any client waits or any peer is suspected.
pub const PEACE: Duration = Duration::from_secs(15);

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The fingerprint of the whole run.
    pub fingerprint: u64,
    /// Things that happened.
    pub events: u64,
    /// Promises that were broken, in words.
    pub violations: Vec<String>,
    /// What the run has come across.
    pub seen: Seen,
}

/// What a run has come across: a swarm that never meets a thing proves nothing about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Some node crashed.
    pub crashes: bool,
    /// Some link was cut.
    pub cuts: bool,
    /// Some change was refused as out of date.
    pub refusals: bool,
    /// Some message had to be repeated.
    pub retries: bool,
    /// Some entry was evicted for want of room for entries.
    pub evictions_by_entries: bool,
    /// Some entry was evicted for want of room for bytes.
    pub evictions_by_bytes: bool,
    /// Some entry expired.
    pub expiries: bool,
    /// Some request ended at its deadline.
    pub timeouts: bool,
    /// No node crashed, so that nothing acknowledged may be missing.
    pub nothing_lost_checked: bool,
}

/// The world of a seed, its load and its faults at work.
pub fn world(seed: u64) -> World {
    let mut rng = Rng::new(seed, "swarm");
    let nodes = rng.between(1, 7) as u16;
    let some = |rng: &mut Rng, per_million| rng.chance(per_million);
    let network = Network {
        delay: Duration::from_micros(rng.between(50, 2_000)),
        jitter: Duration::from_micros(rng.between(10, 10_000)),
        loss: if some(&mut rng, 600_000) { rng.between(1, 80_000) as u32 } else { 0 },
        duplicate: if some(&mut rng, 600_000) { rng.between(1, 80_000) as u32 } else { 0 },
    };
    let limits = match rng.below(4) {
        0 => Limits { entries: Some(rng.between(1, 60) as u32), bytes: None },
        1 => Limits { entries: None, bytes: Some(rng.between(300, 20_000)) },
        2 => Limits { entries: Some(rng.between(1, 60) as u32), bytes: Some(rng.between(300, 20_000)) },
        _ => Limits { entries: Some(10_000), bytes: None },
    };
    let config = WorldConfig {
        seed,
        nodes,
        replicas: rng.between(1, 3) as u8,
        limits,
        virtual_nodes: rng.between(8, 64) as u16,
        network,
        clock_skew: Duration::from_millis(rng.between(0, 400)),
        checks: true,
        trace: 0,
        ..WorldConfig::default()
    };
    let mut world = World::new(config);
    let shapes = [Shape::Zipf, Shape::Uniform, Shape::Scan, Shape::Hot];
    let any_level = some(&mut rng, 700_000);
    let defaults = Workload::default();
    world.workload(Some(Workload {
        shape: *rng.pick(&shapes).expect("four shapes"),
        keys: rng.between(1, 300) as u32,
        rate: rng.between(20, 400) as u32,
        writes: rng.between(5, 70) as u8,
        deletes: rng.between(0, 20) as u8,
        conditional: rng.between(0, 40) as u8,
        expiring: if some(&mut rng, 700_000) { rng.between(1, 100) as u8 } else { 0 },
        ttl: Duration::from_millis(rng.between(50, 20_000)),
        value_bytes: rng.between(0, 400) as u32,
        clients: rng.between(1, 20) as u16,
        write_level: if any_level { None } else { defaults.write_level },
        read_level: if any_level { None } else { defaults.read_level },
    }));
    let every = |rng: &mut Rng, per_million, low, high| {
        rng.chance(per_million).then(|| Duration::from_millis(rng.between(low, high)))
    };
    world.faults(Faults {
        crash: every(&mut rng, 500_000, 5_000, 40_000),
        restart: Some(Duration::from_millis(rng.between(500, 10_000))),
        cut: every(&mut rng, 600_000, 1_000, 20_000),
        heal: Some(Duration::from_millis(rng.between(500, 10_000))),
        clock: every(&mut rng, 500_000, 1_000, 20_000),
    });
    world
}

/// Runs a seed to its end: faults, then peace, then the verdict.
pub fn run(seed: u64) -> Report {
    let mut world = world(seed);
    world.run_for(RUN);
    world.workload(None);
    world.peace();
    world.run_for(PEACE);
    world.verdict();
    let seen = world.seen();
    Report {
        seed,
        fingerprint: world.fingerprint(),
        events: world.events(),
        violations: world.violations().iter().map(ToString::to_string).collect(),
        seen: Seen {
            crashes: seen.crashes > 0,
            cuts: seen.cuts > 0,
            refusals: seen.counters.refused > 0,
            retries: seen.counters.retries > 0,
            evictions_by_entries: seen.counters.evicted_entries > 0,
            evictions_by_bytes: seen.counters.evicted_bytes > 0,
            expiries: seen.counters.expired > 0,
            timeouts: seen.counters.timeouts > 0,
            nothing_lost_checked: seen.crashes == 0,
        },
    }
}

/// Runs many seeds, on every core; reports come in the order of the seeds.
pub fn run_all(seeds: &[u64], each: impl Fn(&Report) + Sync) -> Vec<Report> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let reports = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let report = run(*seed);
                    each(&report);
                    reports.lock().expect("no thread panics with the lock").push(report);
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("no thread panics with the lock");
    reports.sort_by_key(|report| report.seed);
    reports
}
