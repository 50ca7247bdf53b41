//! Consistent hashing of 16,384 slots over weighted members, with a bound on the load of each.
//!
//! The circle has 2^32 positions. A member stands on it at as many points as its weight times the virtual nodes, and
//! the slots stand evenly around it. A slot belongs to the members met first on the walk clockwise from it. Nothing but
//! the members' names and weights decides: not their ids, not the order of the seats, not the platform.
//!
//! Loads are bounded (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016): pairs of a slot
//! and a point are taken by the distance between them, nearest first, and a member that has its share and five percent
//! takes no more. The slots that a full member refuses are so those furthest behind its points, which a joiner's points
//! would take first: a change of the members moves what it must and little else. `docs/ring.md` has the figures.

use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;

use crate::id::{NodeId, SLOTS, Slot};
use crate::limits;
use crate::sorted::sort_by_key;

/// A member as the ring sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat<'a> {
    /// Its number.
    pub node: NodeId,
    /// Its name; its points are hashed from it.
    pub name: &'a str,
    /// Its share, relative to the others'. At least 1.
    pub weight: u32,
    /// What fails together with it; members without one are in the same.
    pub zone: &'a str,
}

/// For each slot its owners, the preferred primary first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    width: usize,
    owners: Vec<NodeId>,
    /// How many owners each slot has, where that is not the width for all: while slots move.
    counts: Vec<u8>,
    points: Vec<Point>,
    /// Slots by preferred primary, by ascending id.
    primaries: Vec<(NodeId, u16)>,
}

/// One of the places on the circle where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// On the circle of 2^32 positions, as [`position`] gives a slot's.
    pub position: u32,
    /// Who stands there.
    pub node: NodeId,
}

impl Ring {
    /// Round and round, slot by slot, whoever had them before: what [`crate::mutant::Mutant::ModuloHash`] does.
    pub(crate) fn dealt_out(&self, nodes: &[NodeId]) -> Ring {
        let width = self.width.min(nodes.len());
        let of = |slot: usize| (0..width).map(move |place| nodes[(slot + place) % nodes.len()]);
        let owners = (0..usize::from(SLOTS)).flat_map(of).collect();
        Ring { width, owners, counts: Vec::new(), ..self.clone() }
    }

    /// Places every slot, the fullest member within [`BOUND`] of its fair share (or four slots, in a crowd of more than
    /// 204 members).
    ///
    /// There are as many owners a slot as `replicas`, or as there are seats when those are fewer. A weight or a number
    /// of virtual nodes of zero counts as one; where [`limits::MAX_POINTS`] would be passed, everybody has
    /// proportionally fewer points, and at least one.
    pub fn build(seats: &[Seat<'_>], virtual_nodes: u16, replicas: u8) -> Ring {
        Ring::build_bounded(seats, virtual_nodes, replicas, BOUND)
    }

    /// The same with another bound, in thousandths of the fair share: what the curve in `docs/ring.md` is measured
    /// with. A bound below 1,000 counts as 1,000; one of `u32::MAX` never refuses.
    pub fn build_bounded(seats: &[Seat<'_>], virtual_nodes: u16, replicas: u8, bound: u32) -> Ring {
        let width = usize::from(replicas).min(seats.len());
        let mut seats = seats.to_vec();
        sort_by_key(&mut seats, |seat| (seat.name, seat.node));
        let stands = stands(&seats, virtual_nodes);
        let primaries = settle(&seats, &stands, bound);
        let mut counts: Vec<(NodeId, u16)> = seats.iter().map(|seat| (seat.node, 0)).collect();
        primaries.iter().for_each(|rank| counts[*rank as usize].1 += 1);
        sort_by_key(&mut counts, |(node, _)| *node);
        Ring {
            width,
            owners: owners(&seats, &stands, &primaries, width),
            counts: Vec::new(),
            points: stands
                .iter()
                .map(|stand| Point { position: stand.position(), node: seats[stand.rank()].node })
                .collect(),
            primaries: counts,
        }
    }

    /// The slot's owners: distinct, the preferred primary first, as many as there are copies. Slots on their way have
    /// more ([`Ring::joined`]).
    pub fn owners(&self, slot: Slot) -> &[NodeId] {
        let start = usize::from(slot.number()) * self.width;
        let count = self.counts.get(usize::from(slot.number())).map_or(self.width, |count| usize::from(*count));
        &self.owners[start..start + count]
    }

    /// Slots on their way from one placement to another: owned by who has them in the first, and then by who has them
    /// in the second as well. The points are the second's.
    pub fn joined(first: &Ring, second: &Ring) -> Ring {
        let new = |slot| second.owners(slot).iter().copied().filter(move |node| !first.owners(slot).contains(node));
        second.owned_by(|slot| first.owners(slot).iter().copied().chain(new(slot)))
    }

    /// The same members, where these own the slots.
    fn owned_by<I: Iterator<Item = NodeId>>(&self, of: impl Fn(Slot) -> I) -> Ring {
        let counts: Vec<u8> = Slot::all().map(|slot| of(slot).count() as u8).collect();
        let width = usize::from(counts.iter().copied().max().unwrap_or(0));
        let mut owners = vec![NodeId(0); usize::from(SLOTS) * width];
        for slot in Slot::all() {
            let places = &mut owners[usize::from(slot.number()) * width..][..width];
            places.iter_mut().zip(of(slot)).for_each(|(place, node)| *place = node);
        }
        Ring { width, owners, counts, points: self.points.clone(), primaries: self.primaries.clone() }
    }

    /// Where the members stand on the circle, clockwise from zero.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// How many slots have that member as their preferred primary.
    pub fn primary_count(&self, node: NodeId) -> u16 {
        self.primaries.binary_search_by_key(&node, |(node, _)| *node).map_or(0, |index| self.primaries[index].1)
    }
}

/// Where a slot stands on the circle: the members met clockwise from there, that position included, are its owners.
pub fn position(slot: Slot) -> u32 {
    u32::from(slot.number()) * (u32::MAX / u32::from(SLOTS) + 1)
}

/// How many slots a member may have as their primary, in thousandths of its fair share; rounded down to whole slots,
/// yet never below the fair share rounded up.
pub const BOUND: u32 = 1_050;

/// With more members than this, the slots are too few to be shared out by percents: five of them are less than
/// [`SPARE`] slots. Everybody may then have that many more than its share.
const CROWD: usize = 204;
const SPARE: u128 = 4;

/// A point and the rank of its member among the names, in one number that sorts by position, then name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stand(u64);

impl Stand {
    fn position(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn rank(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
}

/// All points, clockwise. A member's points are the first of an endless sequence of its own, so that another weight or
/// another number of virtual nodes adds points or takes some away, and moves none.
fn stands(seats: &[Seat<'_>], virtual_nodes: u16) -> Vec<Stand> {
    let asked = |seat: &Seat<'_>| u128::from(virtual_nodes.max(1)) * u128::from(seat.weight.max(1));
    let total: u128 = seats.iter().map(asked).sum();
    let most = limits::MAX_POINTS as u128;
    // Proportionally, and not by halves: where the limit is passed, each joiner takes a few points from everybody.
    let count = |seat| if total <= most { asked(seat) } else { (asked(seat) * most / total).max(1) };
    let mut stands = Vec::with_capacity(seats.iter().map(count).sum::<u128>() as usize);
    for (rank, seat) in seats.iter().enumerate() {
        let mut state = xxhash_rust::xxh3::xxh3_64(seat.name.as_bytes());
        for _ in 0..count(seat) {
            stands.push(Stand(split_mix(&mut state) >> 32 << 32 | rank as u64));
        }
    }
    sort_by_key(&mut stands, |stand| *stand);
    stands
}

/// The next number of a SplitMix64 sequence (Steele, Lea, Flood, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// For each slot the rank of its primary, nearest pairs first.
///
/// Found without sorting the pairs: each slot walks clockwise until a member takes it, and a full member takes a slot
/// that is nearer than its furthest one, which then walks on (deferred acceptance: Gale, Shapley, 1962). As both sides
/// rank pairs by distance, there is one stable result, whatever the order of asking, and it is that of nearest pairs
/// first.
fn settle(seats: &[Seat<'_>], stands: &[Stand], bound: u32) -> Vec<u32> {
    if seats.is_empty() {
        return Vec::new();
    }
    let rooms = rooms(seats, bound);
    // The slots that each member has, the furthest on top: distance from slot to point, then slot.
    let mut taken: Vec<BinaryHeap<u64>> = seats.iter().map(|_| BinaryHeap::new()).collect();
    // How far each slot has walked. There is room for all of them, so that none walks a full circle.
    let mut reached: Vec<usize> = firsts(stands).into_iter().map(|first| first % stands.len()).collect();
    for slot in Slot::all() {
        let mut walker = slot;
        loop {
            let stand = stands[reached[usize::from(walker.number())]];
            let distance = stand.position().wrapping_sub(position(walker));
            let claim = u64::from(distance) << 16 | u64::from(walker.number());
            let (heap, room) = (&mut taken[stand.rank()], rooms[stand.rank()]);
            if heap.len() < room {
                heap.push(claim);
                break;
            }
            if let Some(mut furthest) = heap.peek_mut().filter(|furthest| claim < **furthest) {
                walker = Slot::of_hash((*furthest & 0xffff) as u16);
                *furthest = claim;
            }
            let next = &mut reached[usize::from(walker.number())];
            *next = (*next + 1) % stands.len();
        }
    }
    reached.iter().map(|here| stands[*here].rank() as u32).collect()
}

/// How many slots each member has room for; never fewer in all than there are slots.
fn rooms(seats: &[Seat<'_>], bound: u32) -> Vec<usize> {
    let total: u128 = seats.iter().map(|seat| u128::from(seat.weight.max(1))).sum();
    let spare = if seats.len() > CROWD { SPARE } else { 0 };
    let room = |seat: &Seat<'_>| {
        let share = u128::from(SLOTS) * u128::from(seat.weight.max(1));
        let bounded = share * u128::from(bound.max(1_000)) / (total * 1_000);
        bounded.max(share.div_ceil(total)).max(share / total + spare).min(u128::from(SLOTS)) as usize
    };
    seats.iter().map(room).collect()
}

/// For each slot the first point met clockwise, its own position included; past the last point, the number of points.
fn firsts(stands: &[Stand]) -> Vec<usize> {
    let mut next = 0;
    let first = |slot| {
        while next < stands.len() && stands[next].position() < position(slot) {
            next += 1;
        }
        next
    };
    Slot::all().map(first).collect()
}

/// For each slot its owners: the primary, then of each other zone the member met first clockwise, and where there are
/// too few zones the members met first that are not among them.
///
/// Zones change nothing about who is primary, nor about anything where all are in one.
///
/// A slot that the bound sent on keeps the member that refused it as its second owner: the set of owners is that of the
/// plain ring unless the primary was found past it, so that a change of the members moves few sets.
fn owners(seats: &[Seat<'_>], stands: &[Stand], primaries: &[u32], width: usize) -> Vec<NodeId> {
    let mut owners = vec![NodeId(0); primaries.len() * width];
    if width == 0 {
        return owners;
    }
    // The walk is made once for all slots, counter-clockwise: who stands at a point is met first from there, and before
    // those who are met from the next one. A lap ahead of it learns whom the last points meet.
    let mut met = Met { width, zones: zones(seats), nearest: Vec::new(), of_zones: Vec::new() };
    stands.iter().rev().for_each(|stand| met.meet(stand.rank()));
    let firsts = firsts(stands);
    let mut here = stands.len();
    for (slot, primary) in primaries.iter().enumerate().rev() {
        while here > firsts[slot] {
            here -= 1;
            met.meet(stands[here].rank());
        }
        let primary = *primary as usize;
        for (place, rank) in owners[slot * width..][..width].iter_mut().zip(met.owners(primary)) {
            *place = seats[rank].node;
        }
    }
    owners
}

/// Who is met on the walk from a place on the circle, by rank.
struct Met {
    width: usize,
    /// Each member's zone, as a number.
    zones: Vec<usize>,
    /// The nearest members, as many as a slot has owners.
    nearest: Vec<usize>,
    /// The nearest member of each of the nearest zones, as many as that and one more, that of the primary.
    of_zones: Vec<usize>,
}

impl Met {
    /// One step back on the walk: that member is the nearest from here.
    fn meet(&mut self, rank: usize) {
        if self.nearest.first() == Some(&rank) {
            return;
        }
        self.nearest.retain(|other| *other != rank);
        self.nearest.insert(0, rank);
        self.nearest.truncate(self.width);
        let zones = &self.zones;
        self.of_zones.retain(|other| zones[*other] != zones[rank]);
        self.of_zones.insert(0, rank);
        self.of_zones.truncate(self.width + 1);
    }

    /// The owners of a slot that stands here and has that primary.
    fn owners(&self, primary: usize) -> impl Iterator<Item = usize> {
        let apart = self.of_zones.iter().copied().filter(move |rank| self.zones[*rank] != self.zones[primary]);
        let apart = apart.take(self.width - 1);
        let chosen = move |rank: usize| {
            let other = self.zones[rank] != self.zones[primary];
            rank == primary || other && self.of_zones.iter().take(self.width + 1).any(|of| *of == rank)
        };
        let rest = self.nearest.iter().copied().filter(move |rank| !chosen(*rank));
        core::iter::once(primary).chain(apart).chain(rest)
    }
}

/// Each seat's zone, as a number: the rank of the first seat in it.
fn zones(seats: &[Seat<'_>]) -> Vec<usize> {
    let first = |seat: &Seat<'_>| seats.iter().position(|other| other.zone == seat.zone).unwrap_or(0);
    seats.iter().map(first).collect()
}

mod stand_in;

#[cfg(test)]
mod tests;
