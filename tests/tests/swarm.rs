//! Many seeds, a simulated minute of faults each, every promise checked.
//!
//! `VITRINE_SEEDS=20000 VITRINE_FIRST_SEED=1000` runs others; `VITRINE_SEED=42` runs one and prints its trace's end.

use vitrine::cli::sim::run_seeds;
use vitrine_engine::sim::swarm::{self, Plan, Report};
use vitrine_engine::sim::{Mark, RECONCILES, World};
use vitrine_engine::store::Policy;

/// Seeds that failed once. They run every time.
const REGRESSIONS: &str = include_str!("../data/failing-seeds.txt");

#[test]
fn every_seed_keeps_every_promise() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"));
    let first = number("VITRINE_FIRST_SEED").unwrap_or(0);
    let mut seeds: Vec<u64> = match number("VITRINE_SEED") {
        Some(seed) => vec![seed],
        None => (first..first + number("VITRINE_SEEDS").unwrap_or(200)).collect(),
    };
    let swarming = seeds.len() > 100;
    let known: Vec<u64> = regressions().map(|(seed, _)| seed).collect();
    if swarming {
        seeds.extend(known.iter().filter(|seed| !seeds.contains(seed)).copied().collect::<Vec<_>>());
    }
    let reports = run_seeds(&seeds, swarm::run, |report| {
        if !report.violations.is_empty() {
            eprintln!("{}", failure(report));
        }
    });
    let broken: Vec<String> = reports.iter().filter(|report| !report.violations.is_empty()).map(failure).collect();
    assert!(broken.is_empty(), "{} of {} seeds broke a promise:\n{}", broken.len(), reports.len(), broken.join("\n"));
    if swarming {
        met(&reports);
        // As they were found: some before nodes could be unusually bad.
        let policies: std::collections::BTreeMap<u64, Policy> = regressions().collect();
        let plainly = |seed| {
            let mut plan = Plan::plain(seed);
            plan.config.policy = policies[&seed];
            swarm::report(seed, &plan.run())
        };
        let plainly = run_seeds(&known, plainly, |_| ());
        let broken: Vec<String> = plainly.iter().filter(|report| !report.violations.is_empty()).map(failure).collect();
        assert!(broken.is_empty(), "without what is unusually bad:\n{}", broken.join("\n"));
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 11] {
        assert_eq!(swarm::run(seed), swarm::run(seed));
    }
}

#[test]
fn a_clone_goes_the_same_way() {
    let plan = Plan::of(5);
    let mut world = World::new(plan.config);
    for (_, command) in plan.acts.into_iter().take(2) {
        world.obey(command);
    }
    world.run_for(swarm::RUN / 4);
    let mut other = world.clone();
    world.run_for(swarm::RUN / 4);
    other.run_for(swarm::RUN / 4);
    assert_eq!((world.fingerprint(), world.events()), (other.fingerprint(), other.events()));
}

/// The seeds that failed once, and the policy of the stores where they are run plainly.
fn regressions() -> impl Iterator<Item = (u64, Policy)> {
    let lines = REGRESSIONS.lines().filter_map(|line| line.split('#').next()).filter(|line| !line.trim().is_empty());
    lines.map(|line| {
        let mut words = line.split_whitespace();
        let seed = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no seed: {line}"));
        let policy = words.next().map_or(Policy::Lru, |word| Policy::named(word).expect("a policy's name"));
        (seed, policy)
    })
}

/// Each interesting thing happened in some run, and not in all of them.
fn met(reports: &[Report]) {
    let mut missing = Vec::new();
    for mark in Mark::ALL {
        let runs = reports.iter().filter(|report| report.seen.marks.count(mark) > 0).count();
        let times: u64 = reports.iter().map(|report| report.seen.marks.count(mark)).sum();
        eprintln!("{times:>9} times in {runs:>4} of {} runs: {}", reports.len(), mark.name());
        if (runs == 0 || runs == reports.len()) && (mark != Mark::CalmAgain || RECONCILES) {
            missing.push(mark.name());
        }
    }
    assert!(missing.is_empty(), "in no run or in all of {}: {missing:?}", reports.len());
}

fn failure(report: &Report) -> String {
    let violations = report.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
    format!("seed {}: {violations}\n  again, and smaller: vitrine sim --seed {}", report.seed, report.seed)
}
