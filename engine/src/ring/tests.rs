extern crate std;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use proptest::prelude::*;

use super::*;
use crate::hash::Fingerprint;
use crate::limits::DEFAULT_VIRTUAL_NODES;

/// Members by name and weight; ids follow the order of the list.
type Members = Vec<(String, u32)>;

fn members(names: impl IntoIterator<Item = impl Into<String>>) -> Members {
    names.into_iter().map(|name| (name.into(), 1)).collect()
}

fn seats(members: &Members) -> Vec<Seat<'_>> {
    members
        .iter()
        .enumerate()
        .map(|(index, (name, weight))| Seat { node: NodeId(index as u16), name, weight: *weight, zone: "" })
        .collect()
}

fn build(members: &Members) -> Ring {
    Ring::build(&seats(members), DEFAULT_VIRTUAL_NODES, 3)
}

/// The owners' names of a slot: what the ring promises does not depend on ids.
fn named<'a>(ring: &Ring, members: &'a Members, slot: Slot) -> Vec<&'a str> {
    ring.owners(slot).iter().map(|node| members[usize::from(node.0)].0.as_str()).collect()
}

fn fingerprint(ring: &Ring, members: &Members) -> u64 {
    let mut fingerprint = Fingerprint::default();
    for slot in Slot::all() {
        named(ring, members, slot).iter().for_each(|name| fingerprint.add(name.as_bytes()));
        fingerprint.add(b"\n");
    }
    fingerprint.0
}

/// How many slots have another primary in the other ring.
fn moved(before: (&Ring, &Members), after: (&Ring, &Members)) -> u64 {
    let primary = |(ring, members), slot| named(ring, members, slot)[0];
    Slot::all().filter(|slot| primary(before, *slot) != primary(after, *slot)).count() as u64
}

fn assert_sound(ring: &Ring, members: &Members, replicas: usize) {
    let mut counts = BTreeMap::new();
    for slot in Slot::all() {
        let owners = ring.owners(slot);
        assert_eq!(owners.len(), replicas.min(members.len()));
        assert!(
            owners.iter().enumerate().all(|(place, node)| !owners[..place].contains(node)),
            "slot {slot}: {owners:?}"
        );
        *counts.entry(owners[0]).or_insert(0_u64) += 1;
    }
    let total: u64 = members.iter().map(|(_, weight)| u64::from(*weight)).sum();
    for (index, (name, weight)) in members.iter().enumerate() {
        let count = counts.get(&NodeId(index as u16)).copied().unwrap_or(0);
        assert_eq!(u64::from(ring.primary_count(NodeId(index as u16))), count);
        let share = u64::from(SLOTS) * u64::from(*weight);
        let spare = if members.len() > 204 { 4 } else { 0 };
        let most = (share * 1_050 / (total * 1_000)).max(share.div_ceil(total)).max(share / total + spare);
        assert!(count <= most, "{name} has {count} slots, fair is {share}/{total}");
    }
}

#[test]
fn golden_tables() {
    let check = |members: Members, expected: u64, slots: &[(u16, &[&str])]| {
        let ring = build(&members);
        for (number, owners) in slots {
            assert_eq!(named(&ring, &members, Slot::new(*number).unwrap()), *owners, "slot {number}");
        }
        assert_eq!(fingerprint(&ring, &members), expected, "{members:?}");
    };
    // Made by a second implementation, in another language, that sorts the pairs of slots and points.
    check(members(["a"]), 0x9fc9_282d_8a39_1572, &[(0, &["a"]), (16_383, &["a"])]);
    check(
        members(["n1", "n2", "n3"]),
        0x6830_c7ee_850d_48bf,
        &[
            (0, &["n3", "n1", "n2"]),
            (5_061, &["n1", "n3", "n2"]),
            (8_191, &["n2", "n1", "n3"]),
            (12_182, &["n1", "n2", "n3"]),
            (16_383, &["n3", "n1", "n2"]),
        ],
    );
    check(
        members((1..=5).map(|i| format!("node-{i}"))),
        0x381f_0d7c_2389_3489,
        &[
            (0, &["node-3", "node-4", "node-2"]),
            (5_061, &["node-1", "node-2", "node-3"]),
            (8_191, &["node-1", "node-3", "node-5"]),
            (12_182, &["node-4", "node-5", "node-1"]),
            (16_383, &["node-3", "node-4", "node-2"]),
        ],
    );
    check(
        members((0..32).map(|i| format!("10.0.0.{i}:7000"))),
        0x228f_1af2_6160_d0cc,
        &[
            (0, &["10.0.0.26:7000", "10.0.0.3:7000", "10.0.0.1:7000"]),
            (8_191, &["10.0.0.11:7000", "10.0.0.25:7000", "10.0.0.2:7000"]),
            (16_383, &["10.0.0.26:7000", "10.0.0.3:7000", "10.0.0.1:7000"]),
        ],
    );
    check(
        alloc::vec![("small".into(), 1), ("middle".into(), 2), ("large".into(), 5), ("Kälte".into(), 3)],
        0x79ed_18cb_8a98_2ba5,
        &[
            (0, &["Kälte", "large", "middle"]),
            (5_061, &["middle", "Kälte", "large"]),
            (8_191, &["large", "Kälte", "middle"]),
            (12_182, &["small", "large", "Kälte"]),
        ],
    );
}

#[test]
fn neither_ids_nor_the_order_of_seats_decide() {
    let members = members(["n1", "n2", "n3", "n4", "n5"]);
    let mut shuffled = seats(&members);
    shuffled.rotate_left(2);
    shuffled.swap(0, 3);
    assert_eq!(Ring::build(&shuffled, 512, 3), build(&members));
    let renumbered: Members = members.iter().rev().cloned().collect();
    assert_eq!(fingerprint(&build(&renumbered), &renumbered), fingerprint(&build(&members), &members));
}

#[test]
fn points_stand_where_the_owners_say() {
    // With no bound the primary is whoever stands first at or after the slot: the plain ring.
    let members = members(["n1", "n2", "n3", "n4", "n5"]);
    let plain = Ring::build_bounded(&seats(&members), 64, 3, u32::MAX);
    assert_eq!(plain.points().len(), 5 * 64);
    assert!(plain.points().is_sorted_by_key(|point| point.position));
    for slot in Slot::all() {
        let from = plain.points().partition_point(|point| point.position < position(slot));
        let mut met = Vec::new();
        for point in plain.points()[from..].iter().chain(&plain.points()[..from]) {
            if met.len() < 3 && !met.contains(&point.node) {
                met.push(point.node);
            }
        }
        assert_eq!(plain.owners(slot), met, "slot {slot}");
    }
    // The bound changes who of them is first, and brings another in only when all of them are full.
    let bounded = Ring::build(&seats(&members), 64, 3);
    let mut sent_on = 0;
    for slot in Slot::all() {
        let (owners, plain) = (bounded.owners(slot), plain.owners(slot));
        sent_on += u32::from(owners[0] != plain[0]);
        let rest: Vec<NodeId> = plain.iter().copied().filter(|node| *node != owners[0]).take(2).collect();
        assert_eq!(owners[1..], rest, "slot {slot}");
    }
    assert!(sent_on > 0, "with 64 virtual nodes somebody is over the bound");
}

#[test]
fn primaries_are_the_nearest_pairs_first() {
    // The definition, taken literally: all pairs of a slot and a point by distance; a pair is skipped when the slot has
    // a primary or the member is full. The walks of `build` must come to the same.
    let check = |members: Members, virtual_nodes, bound| {
        let ring = Ring::build_bounded(&seats(&members), virtual_nodes, 1, bound);
        let pair = |slot, point: &Point| (point.position.wrapping_sub(position(slot)), slot, point.node);
        let points = ring.points();
        let mut pairs: Vec<_> =
            Slot::all().flat_map(|slot| points.iter().map(move |point| pair(slot, point))).collect();
        pairs.sort_unstable();
        let mut rooms = rooms(&seats(&members), bound);
        let mut primaries = alloc::vec![None; usize::from(SLOTS)];
        for (_, slot, node) in pairs {
            let (primary, room) = (&mut primaries[usize::from(slot.number())], &mut rooms[usize::from(node.0)]);
            if primary.is_none() && *room > 0 {
                *primary = Some(node);
                *room -= 1;
            }
        }
        for slot in Slot::all() {
            assert_eq!(Some(ring.owners(slot)[0]), primaries[usize::from(slot.number())], "slot {slot} of {members:?}");
        }
    };
    check(members(["a", "b", "c"]), 16, BOUND);
    check(members(["a", "b", "c"]), 16, 1_000);
    check(members((0..32).map(|i| format!("n{i}"))), 2, BOUND);
    check(alloc::vec![("small".into(), 1), ("large".into(), 7)], 4, BOUND);
}

#[test]
fn odd_seats_build() {
    let none = Ring::build(&[], 512, 3);
    assert!(none.owners(Slot::default()).is_empty() && none.points().is_empty());
    assert_eq!(none.primary_count(NodeId(0)), 0);
    let copyless = Ring::build(&seats(&members(["a", "b"])), 512, 0);
    assert!(copyless.owners(Slot::default()).is_empty());
    let check = |members: Members, virtual_nodes, points| {
        let ring = Ring::build(&seats(&members), virtual_nodes, 3);
        assert_eq!(ring.points().len(), points, "{members:?}");
        let weights = members.into_iter().map(|(name, weight)| (name, weight.max(1))).collect();
        assert_sound(&ring, &weights, 3);
    };
    check(members(["a"]), 0, 1);
    check(members(["a", "b"]), 1, 2);
    check(alloc::vec![("none".into(), 0), ("one".into(), 1)], 4, 8);
    check(alloc::vec![("all".into(), u32::MAX), ("one".into(), 1)], u16::MAX, limits::MAX_POINTS);
    check(members((0..700).map(|i| format!("n{i}"))), 512, limits::MAX_POINTS / 700 * 700);
    // Two members of one name stand at the same points: still two owners.
    check(members(["twin", "twin"]), 16, 32);
}

#[test]
fn every_size_up_to_32_is_balanced_and_a_joiner_moves_little() {
    for set in ["n", "10.0.0.", "cache-eu-west-"] {
        let mut before: Option<(Ring, Members)> = None;
        for count in 1..=32_u64 {
            let members = members((0..count).map(|i| format!("{set}{i}")));
            let ring = build(&members);
            assert_sound(&ring, &members, 3);
            if let Some((smaller, fewer)) = &before {
                // From count - 1 to count members, and back: the same slots move either way.
                let moved = moved((smaller, fewer), (&ring, &members));
                assert!(moved * count * 10 <= u64::from(SLOTS) * 12, "{moved} slots moved at {count} members of {set}");
            }
            before = Some((ring, members));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_members_are_distinct_and_within_the_bound(
        members in prop::collection::btree_map("[a-z0-9.:-]{1,20}", 1_u32..20, 1..40),
        virtual_nodes in 1_u16..600,
        replicas in 1_u8..=8,
    ) {
        let members: Members = members.into_iter().collect();
        let ring = Ring::build(&seats(&members), virtual_nodes, replicas);
        assert_sound(&ring, &members, usize::from(replicas));
    }

    #[test]
    fn a_leaver_moves_its_share(
        names in prop::collection::btree_set("[a-z0-9.:-]{4,20}", 2..32),
        leaver in any::<prop::sample::Index>(),
    ) {
        let all = members(names);
        let mut left = all.clone();
        let gone = left.remove(leaver.index(all.len()));
        let (before, after) = (build(&all), build(&left));
        let moved = moved((&before, &all), (&after, &left));
        let own = u64::from(before.primary_count(NodeId(leaver.index(all.len()) as u16)));
        let fair = u64::from(SLOTS) / all.len() as u64;
        prop_assert!(moved >= own);
        prop_assert!(moved * 10 <= fair * 12 + 10, "{} left: {moved} moved, {own} its own, {fair} fair", gone.0);
    }

    #[test]
    fn a_weight_moves_what_it_adds(
        names in prop::collection::btree_set("[a-z0-9.:-]{4,20}", 2..16),
        who in any::<prop::sample::Index>(),
        weight in 2_u32..6,
    ) {
        let mut lighter = members(names);
        lighter.iter_mut().for_each(|(_, weight)| *weight = 2);
        let mut heavier = lighter.clone();
        heavier[who.index(lighter.len())].1 += weight;
        let (before, after) = (build(&lighter), build(&heavier));
        let node = NodeId(who.index(lighter.len()) as u16);
        let gained = u64::from(after.primary_count(node)) - u64::from(before.primary_count(node));
        let moved = moved((&before, &lighter), (&after, &heavier));
        // What the heavier member gains has to move, and of the rest a fifth of a share may.
        let slack = u64::from(SLOTS) / (5 * lighter.len() as u64);
        prop_assert!(moved <= gained + slack, "{moved} moved, {gained} gained, weight +{weight} of {lighter:?}");
    }
}

/// Seats in so many zones, one after the other.
fn zoned(members: &Members, zones: usize) -> Vec<Seat<'_>> {
    const ZONES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let seats = seats(members);
    seats.into_iter().enumerate().map(|(index, seat)| Seat { zone: ZONES[index % zones], ..seat }).collect()
}

#[test]
fn copies_are_in_different_zones_where_there_are_enough() {
    let check = |count: usize, zones: usize, replicas: u8| {
        let members = members((0..count).map(|i| format!("n{i}")));
        let seats = zoned(&members, zones);
        let (ring, plain) = (Ring::build(&seats, 64, replicas), Ring::build(&self::seats(&members), 64, replicas));
        for slot in Slot::all() {
            let owners = ring.owners(slot);
            let apart: alloc::collections::BTreeSet<&str> =
                owners.iter().map(|node| seats[usize::from(node.0)].zone).collect();
            let distinct: alloc::collections::BTreeSet<NodeId> = owners.iter().copied().collect();
            assert_eq!(distinct.len(), usize::from(replicas).min(count), "slot {slot} of {count} in {zones} zones");
            assert_eq!(apart.len(), zones.min(owners.len()).min(count), "slot {slot} of {count} in {zones} zones");
            // Zones move no primary, and take whoever is met first otherwise.
            assert_eq!(owners[0], plain.owners(slot)[0]);
        }
        if zones == 1 {
            assert_eq!(ring, plain);
        }
    };
    for (count, zones) in [(1, 1), (2, 2), (5, 1), (5, 2), (6, 3), (9, 3), (12, 4), (12, 6)] {
        (1..=4).for_each(|replicas| check(count, zones, replicas));
    }
}

#[test]
fn with_zones_of_equal_size_copies_are_even_and_a_joiner_moves_its_share() {
    // The fullest member's copies, and the copies that are new somewhere when one joins, as thousandths of a share.
    let check = |count: usize, zones: usize, fullest: u64, moved: u64| {
        let members = members((0..count + 1).map(|i| format!("10.0.{}.{}:7000", i / 256, i % 256)));
        let old: Members = members[..count].to_vec();
        let rings = [(&old, count), (&members, count + 1)].map(|(m, _)| Ring::build(&zoned(m, zones), 512, 3));
        let mut copies = BTreeMap::new();
        Slot::all().flat_map(|slot| rings[0].owners(slot)).for_each(|node| *copies.entry(*node).or_insert(0_u64) += 1);
        let most = copies.values().max().copied().unwrap_or(0) * count as u64 * 1_000 / (3 * u64::from(SLOTS));
        let [before, after] = &rings;
        let new: usize = Slot::all()
            .map(|slot| after.owners(slot).iter().filter(|node| !before.owners(slot).contains(node)).count())
            .sum();
        let new = new as u64;
        let share = new * (count as u64 + 1) * 1_000 / (3 * u64::from(SLOTS));
        assert!(most <= fullest && share <= moved, "{count} in {zones}: fullest {most}, moved {share}");
        std::eprintln!("{count} members in {zones} zones: fullest {most}, moved {share}");
    };
    for count in [6, 12, 24] {
        check(count, 3, 1_150, 1_200);
    }
}
