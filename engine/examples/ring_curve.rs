//! Measures the ring: how balance, movement and building time go with virtual nodes, bound and members.
//!
//! `cargo run --release -p vitrine-engine --example ring_curve` prints the tables of `docs/ring.md` in a minute or two.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use vitrine_engine::id::{NodeId, SLOTS, Slot};
use vitrine_engine::limits::DEFAULT_VIRTUAL_NODES;
use vitrine_engine::map::{Map, Member};
use vitrine_engine::ring::{BOUND, Ring, Seat, position};
use vitrine_engine::view::View;

fn main() {
    println!("## Virtual nodes (32 members and a joiner)\n");
    header("virtual nodes");
    for virtual_nodes in [64, 128, 256, 512, 1_024, 2_048] {
        row(&format!("{virtual_nodes}"), 32, |seats| Ring::build(seats, virtual_nodes, 3));
    }
    println!("\n## Bound (32 members and a joiner)\n");
    header("bound");
    for bound in [1_010, 1_025, 1_050, 1_075, 1_100, 1_250, u32::MAX] {
        let name = if bound == u32::MAX { "none".into() } else { format!("{}.{:03}", bound / 1_000, bound % 1_000) };
        row(&name, 32, |seats| Ring::build_bounded(seats, DEFAULT_VIRTUAL_NODES, 3, bound));
    }
    println!("\n## Members\n");
    header("members");
    for members in [1, 2, 3, 4, 5, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 1_023] {
        row(&format!("{members}"), members, |seats| Ring::build(seats, DEFAULT_VIRTUAL_NODES, 3));
    }
    println!("\n## Other ways to refuse a slot (32 members and a joiner; primaries only)\n");
    header("way");
    row("nearest pairs first (ours)", 32, |seats| Ring::build(seats, DEFAULT_VIRTUAL_NODES, 1));
    row("first come, by slot number", 32, |seats| first_come(seats, |slot| slot));
    row("first come, slots shuffled", 32, |seats| first_come(seats, |slot| slot.wrapping_mul(40_503) % SLOTS));
    row("no bound", 32, |seats| Ring::build_bounded(seats, DEFAULT_VIRTUAL_NODES, 1, u32::MAX));
    row("rendezvous, no bound", 32, rendezvous);
    println!("\n## Time\n\n| members | virtual nodes | `Ring::build` | `View::with_alive` |\n|--:|--:|--:|--:|");
    for (members, virtual_nodes) in [(5, 512), (32, 256), (32, 512), (32, 1_024), (128, 512), (1_024, 512)] {
        times(members, virtual_nodes);
    }
}

fn header(first: &str) {
    let loads = "fullest: primaries | fullest: copies";
    let moves = "moved, mean | moved, worst | strayed, mean";
    println!("| {first} | {loads} | {moves} | copies moved, mean | worst | slots with a new owner |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
}

/// A table of owners: the ring's, or another way's.
trait Table {
    fn owners(&self, slot: Slot) -> &[NodeId];
}

impl Table for Ring {
    fn owners(&self, slot: Slot) -> &[NodeId] {
        Ring::owners(self, slot)
    }
}

impl Table for Vec<NodeId> {
    fn owners(&self, slot: Slot) -> &[NodeId] {
        std::slice::from_ref(&self[usize::from(slot.number())])
    }
}

/// One line: sets of names, each with a joiner after `members`. Loads are relative to the fair share, movement to the
/// share of one member after the join.
fn row<T: Table>(name: &str, members: usize, build: impl Fn(&[Seat<'_>]) -> T) {
    let sets = 40;
    let (mut fullest, mut copies, mut moved, mut strayed, mut sets_moved) = (vec![], vec![], vec![], vec![], vec![]);
    let mut touched = vec![];
    for set in 0..sets {
        let names = names(set, members + 1);
        let seats = seats(&names);
        let (before, after) = (build(&seats[..members]), build(&seats));
        let joiner = NodeId(members as u16);
        let fair = f64::from(SLOTS) / (members + 1) as f64;
        let width = after.owners(Slot::default()).len() as f64;
        let (mut primaries, mut held) = (vec![0_u32; members + 1], vec![0_u32; members + 1]);
        let (mut changed, mut astray, mut gained, mut refilled) = (0_u32, 0_u32, 0_u32, 0_u32);
        for slot in Slot::all() {
            let (old, new) = (before.owners(slot), after.owners(slot));
            primaries[usize::from(new[0].0)] += 1;
            new.iter().for_each(|node| held[usize::from(node.0)] += 1);
            changed += u32::from(old[0] != new[0]);
            astray += u32::from(old[0] != new[0] && new[0] != joiner);
            let added = new.iter().filter(|node| !old.contains(node)).count() as u32;
            gained += added;
            refilled += u32::from(added > 0);
        }
        let most = |counts: &[u32]| f64::from(counts.iter().copied().max().unwrap_or(0));
        fullest.push(most(&primaries) / fair);
        copies.push(most(&held) / fair / width);
        moved.push(f64::from(changed) / fair);
        strayed.push(f64::from(astray) / fair);
        sets_moved.push(f64::from(gained) / fair / width);
        touched.push(100.0 * f64::from(refilled) / f64::from(SLOTS));
    }
    let worst = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    println!(
        "| {name} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.1} % |",
        worst(&fullest),
        worst(&copies),
        mean(&moved),
        worst(&moved),
        mean(&strayed),
        mean(&sets_moved),
        worst(&sets_moved),
        mean(&touched),
    );
}

/// Bounded loads as they are usually built: slots are placed one after the other, each at the first member with room.
fn first_come(seats: &[Seat<'_>], order: impl Fn(u16) -> u16) -> Vec<NodeId> {
    let ring = Ring::build_bounded(seats, DEFAULT_VIRTUAL_NODES, 1, u32::MAX);
    let points = ring.points();
    let room = u64::from(SLOTS) * u64::from(BOUND) / (1_000 * seats.len() as u64);
    let mut taken = vec![0; seats.len()];
    let mut owners = vec![NodeId(0); usize::from(SLOTS)];
    for slot in (0..SLOTS).map(order).filter_map(Slot::new) {
        let from = points.partition_point(|point| point.position < position(slot));
        let mut walk = points[from..].iter().chain(&points[..from]);
        let owner = walk.find(|point| taken[usize::from(point.node.0)] < room).expect("there is room for all").node;
        taken[usize::from(owner.0)] += 1;
        owners[usize::from(slot.number())] = owner;
    }
    owners
}

/// Highest random weight: each slot at the member whose hash with it is the highest.
fn rendezvous(seats: &[Seat<'_>]) -> Vec<NodeId> {
    let score = |seat: &Seat<'_>, slot: Slot| {
        let mut fingerprint = vitrine_engine::hash::Fingerprint(u64::from(slot.number()));
        fingerprint.add(seat.name.as_bytes());
        fingerprint.0
    };
    let owner = |slot| seats.iter().max_by_key(|seat| score(seat, slot)).expect("there are seats").node;
    Slot::all().map(owner).collect()
}

fn times(members: usize, virtual_nodes: u16) {
    let names = names(0, members);
    let seats = seats(&names);
    let members = seats.iter().map(|seat| Member::new(seat.node, seat.name)).collect();
    let view = View::first(NodeId(0), Arc::new(Map::first(members, 3, virtual_nodes)));
    let build = fastest(|| drop(black_box(Ring::build(&seats, virtual_nodes, 3))));
    let with_alive = fastest(|| drop(black_box(view.with_alive(|node| node.0 % 5 != 1))));
    println!("| {} | {virtual_nodes} | {build:.2} ms | {with_alive:.3} ms |", seats.len());
}

/// The fastest of twenty runs, in milliseconds.
fn fastest(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..20).map(time).fold(f64::INFINITY, f64::min)
}

/// Names in the forms that people give.
fn names(set: usize, members: usize) -> Vec<String> {
    let name = |index| match set % 4 {
        0 => format!("s{set}-n{index}"),
        1 => format!("10.0.{set}.{index}:7000"),
        2 => format!("cache-{index}.eu{set}.example"),
        _ => format!("{set}{index}"),
    };
    (0..members).map(name).collect()
}

fn seats(names: &[String]) -> Vec<Seat<'_>> {
    names
        .iter()
        .enumerate()
        .map(|(index, name)| Seat { node: NodeId(index as u16), name, weight: 1, zone: "" })
        .collect()
}
