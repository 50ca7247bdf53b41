//! The replication of one key on three nodes, in every order of events within bounds, checked with `stateright`.
//!
//! The swarm meets what chance brings; here nothing is left out, of little. Each row of [`ROWS`] is explored to its
//! end, from three nodes that all hold a value. With the feature `mutants` every mistake that concerns replication must
//! be found by some row: `cargo test -p vitrine-engine --features mutants --test model`.

mod belief;
mod cluster;
mod promises;
mod state;

use stateright::{Checker, HasDiscoveries, Model};
use vitrine_engine::mutant::MUTANTS;
use vitrine_engine::request::ReadLevel;

use cluster::{Ask, Bounds, Trio};
use promises::Mark;

const ROWS: &[Bounds] = &[
    Bounds { name: "two messages held back", asks: &[Ask::Set, Ask::Delete, GET], held: 2, ..NONE },
    Bounds { name: "a suspicion", asks: &[Ask::Set], suspicions: 1, ..NONE },
    Bounds { name: "a read after a suspicion", asks: &[Ask::Set, ONE], suspicions: 1, ..COARSE },
    Bounds { name: "a write and a crash", asks: &[Ask::Set], crashes: 1, ..COARSE },
    Bounds { name: "a deletion and a crash", asks: &[Ask::Delete], crashes: 1, ..COARSE },
    Bounds { name: "a write and a cut", asks: &[Ask::Set], cuts: 1, ..COARSE },
    Bounds { name: "a deletion and a cut", asks: &[Ask::Delete], cuts: 1, ..COARSE },
    Bounds { name: "a deletion and a cut, little known", asks: &[Ask::Delete], cuts: 1, prompt: false, ..COARSE },
];

const NONE: Bounds =
    Bounds { name: "", asks: &[], coarse: false, held: 0, suspicions: 0, cuts: 0, crashes: 0, prompt: true };

const COARSE: Bounds = Bounds { coarse: true, ..NONE };

const GET: Ask = Ask::Get(ReadLevel::Primary);
const ONE: Ask = Ask::Get(ReadLevel::One);

/// More states than any row has: one that grows beyond it is too large for a test.
const STATES: usize = 1_000_000;
/// The same of steps, which come to states that are known already for the most part.
const STEPS: usize = 8 * STATES;

#[test]
fn every_order_of_events_keeps_every_promise() {
    if MUTANTS {
        return;
    }
    let mut met = 0;
    for row in ROWS {
        let (broken, marks) = explore(row);
        assert_eq!(broken, None, "{}", row.name);
        met |= marks;
    }
    let missing: Vec<Mark> = Mark::ALL.into_iter().filter(|mark| met & mark.bit() == 0).collect();
    assert!(missing.is_empty(), "no row has met {missing:?}");
}

#[cfg(feature = "mutants")]
#[test]
fn every_mistake_in_replication_is_found() {
    use vitrine_engine::mutant::{self, Mutant};
    let mut alive = Vec::new();
    for mistake in [
        Mutant::AcknowledgeEarly,
        Mutant::ReuseVersions,
        Mutant::ForgetFloors,
        Mutant::TrustClock,
        Mutant::ServeOutOfSync,
        Mutant::SkipReconciliation,
        Mutant::CollectTombstones,
    ] {
        mutant::set(Some(mistake));
        match ROWS.iter().find_map(|row| explore(row).0.map(|broken| (row.name, broken))) {
            Some((row, broken)) => eprintln!("{mistake:?}: {row}: {}", broken.lines().next().unwrap_or_default()),
            None => alive.push(mistake),
        }
    }
    mutant::set(None);
    assert!(alive.is_empty(), "no row notices {alive:?}");
}

/// What was broken first, and how, and what was met; prints how far it went.
fn explore(row: &Bounds) -> (Option<String>, u32) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = Trio::new(*row).checker().threads(threads).target_state_count(STEPS);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let (unique, depth) = (checker.unique_state_count(), checker.max_depth());
    eprintln!("{}: {unique} states, {} steps, {depth} deep at most", row.name, checker.state_count());
    let broken = checker.discoveries().into_iter().next().map(|(promise, path)| {
        let last = path.last_state().clone();
        format!("{promise} is broken by {:?}\n{last:?}", path.into_actions())
    });
    assert!(broken.is_some() || unique < STATES, "{}: more than {STATES} states", row.name);
    // Where it stops for having gone far, it is not at its end.
    assert!(broken.is_some() || checker.state_count() < STEPS, "{}: more than {STEPS} steps", row.name);
    (broken, checker.model().met())
}
