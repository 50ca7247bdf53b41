//! What a node that restarts with its log and its peers tell each other grows with what it missed, and hardly with what
//! they hold.
//!
//! `cargo test -p vitrine-tests --test returning -- --nocapture` prints the table of `docs/replication.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vitrine_engine::codec::bytes::Length;
use vitrine_engine::codec::peer::{ClusterTag, encode};
use vitrine_engine::id::NodeId;
use vitrine_engine::message::Envelope;
use vitrine_engine::record::Fsync;
use vitrine_engine::sim::{Cargo, Mark, Place, World, WorldConfig};
use vitrine_engine::store::Limits;

#[test]
fn what_a_restart_costs_goes_by_what_was_missed() {
    let [quiet, few, many] = [0, 100, 1_000].map(|missed| restart(5_000, missed));
    let [quiet_of_more, few_of_more, many_of_more] = [0, 100, 1_000].map(|missed| restart(50_000, missed));
    assert!(quiet < few && few < many, "{quiet}, {few}, {many}");
    // Ten times the keys are not ten times the bytes: there are as many slots as before.
    assert!(quiet_of_more < quiet * 5, "{quiet_of_more} bytes for 50,000 keys, {quiet} for 5,000");
    // Before there were digests it was 25 bytes for each copy that others have of a key of this node, at the least.
    let listed = 50_000 * 2 / 5 * 25;
    assert!(few_of_more < listed / 3 && many_of_more < listed / 2, "{few_of_more} and {many_of_more} bytes");
}

/// Bytes that are sent for its reconciliation by and to one of five nodes, with so many keys, which restarts and missed
/// so many of them.
fn restart(keys: u32, missed: u32) -> usize {
    let config = WorldConfig {
        nodes: 5,
        limits: Limits::default(),
        fsync: Some(Fsync::Always),
        checks: false,
        trace: 0,
        ..WorldConfig::default()
    };
    let mut world = World::new(config);
    write(&mut world, 0..keys, "here");
    world.command("n1 crash").expect("a command");
    world.run_for(Duration::from_secs(3));
    write(&mut world, 0..missed, "while it was down");
    world.command("n1 restart").expect("a command");
    let (seen, caught) = (world.seen(), world.flights().map(|flight| flight.id).collect());
    let told = reconcile(&mut world, caught);
    let bytes: usize = told.values().map(|(_, bytes)| bytes).sum();
    let kinds = told.iter().map(|(kind, (count, bytes))| format!("{kind} {count}: {bytes}"));
    eprintln!("{keys} keys, {missed} missed: {bytes} bytes ({})", kinds.collect::<Vec<_>>().join(", "));
    let after = world.seen();
    let got = after.counters.caught_up - seen.counters.caught_up;
    assert!(u64::from(missed) / 4 <= got && got <= u64::from(missed), "{got} of {missed} came back");
    assert!(after.marks.count(Mark::SlotSame) > 0 && world.machines().iter().all(|m| m.node().is_some()));
    bytes
}

/// Sends every key of the range to n2, which is always up.
fn write(world: &mut World, keys: std::ops::Range<u32>, value: &str) {
    let value = value.replace(' ', "-");
    for key in keys {
        world.command(&format!("c{}@n2 set key-{key:07} {value}", key % 100 + 1)).expect("a command");
        if key % 100 == 99 {
            assert!(world.settle(Duration::from_secs(5)));
        }
    }
    assert!(world.settle(Duration::from_secs(5)));
}

/// Runs until n1 has been in sync for a while: how many messages of each kind there were, and their bytes.
fn reconcile(world: &mut World, mut seen: BTreeSet<u64>) -> BTreeMap<&'static str, (usize, usize)> {
    let mut told: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    let until = world.now() + Duration::from_secs(20);
    while world.next_event().is_some_and(|next| next <= until) {
        world.step();
        for flight in world.flights().filter(|flight| !seen.contains(&flight.id)).collect::<Vec<_>>() {
            seen.insert(flight.id);
            let (Place::Node(from), Place::Node(to), Cargo::Peer(origin, message)) =
                (flight.from, flight.to, &flight.cargo)
            else {
                continue;
            };
            let is_pull = matches!(message.kind(), "sync" | "listed" | "fetch" | "fetched" | "compare" | "compared");
            if is_pull && (from == NodeId(1) || to == NodeId(1)) {
                let mut length = Length::default();
                let envelope = Envelope { from, to, origin: *origin, message: message.clone() };
                encode(&envelope, ClusterTag(0), &mut length);
                let (count, bytes) = told.entry(message.kind()).or_default();
                (*count, *bytes) = (*count + 1, *bytes + length.0);
            }
        }
    }
    let node = world.machines()[0].node().expect("it is up");
    assert!(node.in_doubt().is_empty(), "it is in sync");
    told
}
