//! Many seeds, a simulated minute of faults each, every promise checked.
//!
//! `VITRINE_SEEDS=20000 VITRINE_FIRST_SEED=1000` runs others; `VITRINE_SEED=42` runs one and prints its trace's end.
//! Besides, brief ones, in which everything happens at once: `VITRINE_BRIEF=20000`.

use vitrine::cli::sim::run_seeds;
use vitrine_engine::sim::swarm::{self, Plan, Report};
use vitrine_engine::sim::{Mark, RECONCILES, World};
use vitrine_engine::store::Policy;

/// Seeds that failed once. They run every time.
const REGRESSIONS: &str = include_str!("../data/failing-seeds.txt");
/// The same of brief ones.
const BRIEF_REGRESSIONS: &str = include_str!("../data/failing-brief-seeds.txt");

#[test]
fn every_seed_keeps_every_promise() {
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
fn every_brief_run_keeps_every_promise() {
    let first = number("VITRINE_FIRST_SEED").unwrap_or(0);
    let mut seeds: Vec<u64> = (first..first + number("VITRINE_BRIEF").unwrap_or(600)).collect();
    let known: Vec<u64> = listed(BRIEF_REGRESSIONS).map(|words| words[0].parse().expect("a seed")).collect();
    seeds.extend(known.iter().filter(|seed| !(first..first + seeds.len() as u64).contains(seed)).collect::<Vec<_>>());
    // As they were found: some before there was more to these runs than plain values, than few nodes, or any slow one.
    let ways = [
        (Plan::brief as fn(u64) -> Plan, seeds),
        (Plan::restless_brief, known.clone()),
        (Plan::narrow_brief, known.clone()),
        (Plan::plain_brief, known),
    ];
    for (plan, seeds) in ways {
        let reports = run_seeds(&seeds, |seed| swarm::report(seed, &plan(seed).run()), |_| ());
        let broken = reports.iter().filter(|report| !report.violations.is_empty());
        let broken: Vec<String> =
            broken.map(|report| failure(report).replace("vitrine sim", "vitrine sim --brief")).collect();
        assert!(broken.is_empty(), "{} of {} seeds broke a promise:\n{}", broken.len(), seeds.len(), broken.join("\n"));
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 11] {
        assert_eq!(swarm::run(seed), swarm::run(seed));
        assert_eq!(Plan::brief(seed).run().fingerprint(), Plan::brief(seed).run().fingerprint());
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
    listed(REGRESSIONS).map(|words| {
        let seed = words[0].parse().unwrap_or_else(|_| panic!("no seed: {words:?}"));
        let policy = words.get(1).map_or(Policy::Lru, |word| Policy::named(word).expect("a policy's name"));
        (seed, policy)
    })
}

/// The words of each line, without what is said about it.
fn listed(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.split('#').next()).map(|line| line.split_whitespace().collect());
    lines.filter(|words: &Vec<&str>| !words.is_empty())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
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
