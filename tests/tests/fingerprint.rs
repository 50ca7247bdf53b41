//! Same seed, same run: the fingerprint that `web/tests/checks` finds in WebAssembly too, in Node and a browser.

use vitrine_engine::record::Fsync;
use vitrine_engine::sim::Mark;
use vitrine_engine::store::Policy;

include!("../data/fingerprint.rs");

#[test]
fn the_busy_minute_has_its_fingerprint() {
    let (fingerprint, events) = fingerprint();
    assert_eq!((fingerprint, events), FINGERPRINT, "0x{fingerprint:016x}, {events}");
}

#[test]
fn seeds_of_the_swarm_have_their_fingerprints() {
    let found = seeds();
    assert_eq!(found, SEEDS, "{found:#018x?}");
}

/// What the seeds are chosen for is in them.
#[test]
fn the_seeds_have_what_the_minute_has_not() {
    let plans = SEEDS.map(|(seed, ..)| vitrine_engine::sim::swarm::Plan::of(seed));
    let worlds: Vec<_> = plans.iter().map(vitrine_engine::sim::swarm::Plan::run).collect();
    let met = |mark| worlds.iter().any(|world| world.seen().marks.count(mark) > 0);
    let disks = [Mark::StartedFromSnapshot, Mark::DiskFailed, Mark::Torn];
    let members = [Mark::Joined, Mark::Left, Mark::Rezoned, Mark::Moved, Mark::StoodIn, Mark::StoodDown];
    for mark in members.into_iter().chain(disks).chain([Mark::SlotSame]) {
        assert!(met(mark), "{}", mark.name());
    }
    for policy in Policy::ALL {
        assert!(plans.iter().any(|plan| plan.config.policy == policy), "{policy:?}");
    }
    let configs = plans.iter().map(|plan| &plan.config);
    assert!(configs.clone().any(|config| config.zones > 1) && configs.clone().any(|config| config.move_rate.is_some()));
    assert!(configs.clone().any(|config| config.fsync == Some(Fsync::Always)));
}
