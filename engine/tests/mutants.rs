//! Each deliberate mistake is found by the swarm within its 200 seeds.
//!
//! `cargo test -p vitrine-engine --features mutants --test mutants`; only this build has the mistakes in it.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vitrine_engine::mutant::{self, Mutant};
use vitrine_engine::sim::swarm::{self, Plan};
use vitrine_engine::sim::{Script, shrink};

/// As many as the swarm's test runs.
const SEEDS: u64 = 200;

#[test]
fn every_mutant_is_caught() {
    let mut alive = Vec::new();
    for caught in Mutant::ALL {
        mutant::set(Some(caught));
        match first_failure(SEEDS) {
            Some((seed, what)) => {
                eprintln!("{caught:?}: seed {seed}: {what}");
                if caught == Mutant::AcknowledgeEarly {
                    shrinks(seed);
                }
            }
            None => alive.push(caught),
        }
    }
    mutant::set(None);
    assert!(alive.is_empty(), "{SEEDS} seeds do not notice {alive:?}");
    assert_eq!(first_failure(20), None, "without a mutant there is nothing to find");
}

/// A failing run is made smaller, and the script that is printed of it still fails in the same way.
fn shrinks(seed: u64) {
    let plan = Plan::of(seed);
    let world = plan.run();
    let promise = world.violations().first().expect("it was caught").promise;
    let small = shrink(&plan, &world, 150).expect("the run written out fails as well");
    assert!(small.acts.len() < plan.written_out(&world).acts.len().max(2), "{} commands", small.acts.len());
    eprintln!("{}", small.script());
    let again = Script::parse(&small.script()).and_then(|script| script.run()).expect("a printed script runs");
    assert_eq!(again.violations().first().map(|violation| violation.promise), Some(promise));
}

/// The first seed found to break a promise, and what it broke; every core looks.
fn first_failure(seeds: u64) -> Option<(u64, String)> {
    let (next, found) = (AtomicU64::new(0), AtomicBool::new(false));
    let first: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let look = || {
        while !found.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            // An assertion of the engine's own is as good as a check's.
            let what = match catch_unwind(|| swarm::run(seed)) {
                Ok(report) => report.violations.first().map(ToString::to_string),
                Err(_) => Some("an assertion failed".to_string()),
            };
            if let Some(what) = what {
                found.store(true, Ordering::Relaxed);
                let mut first = first.lock().expect("nobody panics with the lock");
                if first.as_ref().is_none_or(|(before, _)| seed < *before) {
                    *first = Some((seed, what));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(look);
        }
    });
    first.into_inner().expect("nobody panics with the lock")
}
