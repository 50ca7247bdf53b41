//! How fast a crash is found out, how seldom somebody is suspected without reason, and what that costs: the figures of
//! `docs/membership.md`. Times are simulated: they are the same on every machine.
//!
//! `VITRINE_MINUTES=10` runs the quiet cluster for as long as the page says; a minute is run by default.

use std::time::Duration;

use vitrine_engine::id::NodeId;
use vitrine_engine::sim::{Command, Mark, Network, World, WorldConfig};

const LOST: NodeId = NodeId(3);

#[test]
fn a_crash_is_found_out_within_two_seconds_and_not_before_one() {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for seed in 1..=20 {
        let (soonest, latest) = detection(seed);
        first.push(soonest);
        last.push(latest);
    }
    first.sort_unstable();
    last.sort_unstable();
    eprintln!("the first knows after {first:?} ms, all know after {last:?} ms");
    eprintln!("median {} ms, worst {} ms", last[10], last[19]);
    assert!(first[0] >= 1_000 && last[19] <= 2_000, "{first:?}, {last:?}");
}

/// Milliseconds from the crash of a node until the first of four others believes it dead, and until all do.
fn detection(seed: u64) -> (u64, u64) {
    let config = WorldConfig { seed, nodes: 5, checks: false, trace: 0, ..WorldConfig::default() };
    let mut world = World::new(config);
    world.run_for(Duration::from_millis(3_000 + seed * 37));
    world.obey(Command::Crash(LOST));
    let mut first = None;
    for ms in 1..10_000 {
        world.run_for(Duration::from_millis(1));
        let nodes = world.machines().iter().filter_map(|machine| machine.node());
        let dead = nodes.filter(|node| !node.view().is_alive(LOST)).count();
        if dead > 0 {
            first.get_or_insert(ms);
        }
        if dead == 4 {
            return (first.unwrap_or(ms), ms);
        }
    }
    panic!("seed {seed}: nobody noticed for ten seconds");
}

#[test]
fn nobody_is_suspected_where_messages_are_lost() {
    let minutes = std::env::var("VITRINE_MINUTES").map_or(1, |text| text.parse().expect("a whole number"));
    let network = Network { loss: 50_000, ..Network::default() };
    let config = WorldConfig { nodes: 50, replicas: 3, network, trace: 0, virtual_nodes: 64, ..WorldConfig::default() };
    let mut world = World::new(config);
    // What nodes ask each other when they have just started is no measure.
    world.run_for(Duration::from_secs(2));
    let sent = |world: &World| world.flights().last().map_or(0, |flight| flight.id);
    let before = sent(&world);
    world.run_for(Duration::from_secs(60 * minutes));
    let each = (sent(&world) - before) / (60 * minutes * 50);
    let marks = world.seen().marks;
    eprintln!(
        "50 nodes, {minutes} min, 5% lost: {} suspicions, {each} messages a second and node",
        marks.count(Mark::SuspectedAlive)
    );
    assert_eq!(marks.count(Mark::SuspectedAlive), 0);
    assert!((1..600).contains(&each), "{each} messages a second and node");
}

#[test]
fn a_partial_partition_is_no_partition() {
    for seed in 1..=5 {
        let config = WorldConfig { seed, nodes: 5, replicas: 3, trace: 0, ..WorldConfig::default() };
        let mut world = World::new(config);
        world.run_for(Duration::from_secs(1));
        // Every node hears n1 alone.
        let others = || (2..=5).map(NodeId);
        let ways = others().flat_map(|from| others().filter(move |to| *to != from).map(move |to| (from, to)));
        world.obey(Command::Cut(ways.collect()));
        world.run_for(Duration::from_secs(60));
        let marks = world.seen().marks;
        assert_eq!((marks.count(Mark::SuspectedAlive), marks.count(Mark::Rejoined)), (0, 0), "seed {seed}");
        let through = |node: NodeId| {
            let machine = world.machines().iter().find(|machine| machine.id() == node);
            let routes = machine.and_then(|machine| machine.node()).expect("it is up").routes();
            routes.ways().iter().filter_map(|way| way.through).collect::<Vec<_>>()
        };
        assert_eq!(through(NodeId(1)), []);
        for node in others() {
            assert_eq!(through(node), [NodeId(1); 3], "{node}, seed {seed}");
        }
    }
}
