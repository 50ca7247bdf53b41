//! Each deliberate mistake breaks a promise in one of the swarm's 200 seeds.
//!
//! `cargo test -p vitrine-engine --features mutants --test mutants`; only this build has the mistakes in it.

use std::panic::{catch_unwind, set_hook, take_hook};
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
    for mistake in Mutant::ALL {
        mutant::set(Some(mistake));
        let found = search(SEEDS);
        match &found {
            Found { broken: Some((seed, what)), .. } => {
                eprintln!("{mistake:?}: seed {seed}: {what}");
                if mistake == Mutant::AcknowledgeEarly {
                    shrinks(*seed);
                }
            }
            // An assertion of the engine says that something is wrong, and not what it costs anybody.
            Found { asserted: Some(seed), .. } => eprintln!("{mistake:?}: seed {seed}: an assertion alone"),
            Found { .. } => eprintln!("{mistake:?}: nothing"),
        }
        if found.broken.is_none() {
            alive.push(mistake);
        }
    }
    mutant::set(None);
    assert!(alive.is_empty(), "no promise is broken in {SEEDS} seeds with {alive:?}");
    assert_eq!(search(20), Found::default(), "without a mutant there is nothing to find");
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

/// What was found first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// A seed that breaks a promise, and how.
    broken: Option<(u64, String)>,
    /// One in which an assertion fails.
    asserted: Option<u64>,
}

/// Looks for a seed that breaks a promise, also past those that fail an assertion; every core looks.
fn search(seeds: u64) -> Found {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let found = Mutex::new(Found::default());
    let look = || {
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            let ran = catch_unwind(|| swarm::run(seed).violations.first().map(ToString::to_string));
            let mut found = found.lock().expect("nobody panics with the lock");
            match ran {
                Ok(None) => {}
                Ok(Some(what)) => {
                    over.store(true, Ordering::Relaxed);
                    if found.broken.as_ref().is_none_or(|(before, _)| seed < *before) {
                        found.broken = Some((seed, what));
                    }
                }
                Err(_) => found.asserted = Some(found.asserted.map_or(seed, |before| before.min(seed))),
            }
        }
    };
    // What an assertion says is said two hundred times otherwise.
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(look);
        }
    });
    set_hook(hook);
    found.into_inner().expect("nobody panics with the lock")
}
