//! Who stands in for members that are away.

use alloc::vec::Vec;

use super::{Ring, Seat, position};
use crate::id::{NodeId, Slot};
use crate::sorted::sort_by_key;

impl Ring {
    /// The same placement while some members are away, who have seats all the same: behind the owners of a slot stand
    /// others, so many that as many owners are present as there are copies, or as there are members present.
    ///
    /// Nobody loses a slot by that, and the owners' order stays as it is. In which order the others come does not
    /// depend on which of them are away: one that stood in and is away itself keeps its place, and another stands
    /// behind it.
    #[must_use]
    pub fn standing_in(&self, seats: &[Seat<'_>], is_away: impl Fn(NodeId) -> bool) -> Ring {
        let added: Vec<Vec<NodeId>> = Slot::all()
            .map(|slot| {
                let present = self.owners(slot).iter().filter(|node| !is_away(**node)).count();
                let mut missing = self.width.saturating_sub(present);
                let mut added = if missing == 0 { Vec::new() } else { self.behind(slot, seats, &is_away) };
                let count = added.iter().position(|node| {
                    missing -= usize::from(!is_away(*node));
                    missing == 0
                });
                // Where there are too few all stand there.
                added.truncate(count.map_or(added.len(), |last| last + 1));
                added
            })
            .collect();
        if added.iter().all(Vec::is_empty) {
            return self.clone();
        }
        let behind = |slot: Slot| added[usize::from(slot.number())].iter();
        self.owned_by(|slot| self.owners(slot).iter().chain(behind(slot)).copied())
    }

    /// All who do not own the slot, in the order in which they stand in: as they are met clockwise from it, of each
    /// zone one after the other; zones in which an owner is present have had their first turn.
    fn behind(&self, slot: Slot, seats: &[Seat<'_>], is_away: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let owners = self.owners(slot);
        let zone = |node: NodeId| seats.iter().find(|seat| seat.node == node).map_or("", |seat| seat.zone);
        let present: Vec<&str> = owners.iter().filter(|node| !is_away(**node)).map(|node| zone(*node)).collect();
        let first = self.points.partition_point(|point| point.position < position(slot));
        let (before, from) = self.points.split_at(first);
        let mut met: Vec<(usize, NodeId)> = Vec::new();
        for node in from.iter().chain(before).map(|point| point.node) {
            if owners.contains(&node) || met.iter().any(|(_, other)| *other == node) {
                continue;
            }
            let own = zone(node);
            let turn = met.iter().filter(|(_, other)| zone(*other) == own).count();
            met.push((turn + usize::from(present.contains(&own)), node));
            if met.len() + owners.len() == seats.len() {
                break;
            }
        }
        let mut turns: Vec<(usize, usize)> = met.iter().enumerate().map(|(at, (turn, _))| (*turn, at)).collect();
        sort_by_key(&mut turns, |turn| *turn);
        turns.into_iter().map(|(_, at)| met[at].1).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    /// Members n1, n2, …, each in one of so many zones in turn.
    fn names(members: u16, zones: u16) -> Vec<(String, String)> {
        (1..=members).map(|id| (format!("n{id}"), format!("z{}", id % zones))).collect()
    }

    fn seats(names: &[(String, String)]) -> Vec<Seat<'_>> {
        (1..).zip(names).map(|(id, (name, zone))| Seat { node: NodeId(id), name, weight: 1, zone }).collect()
    }

    fn check(members: u16, zones: u16, replicas: u8, away: &[u16]) {
        let names = names(members, zones);
        let seats = seats(&names);
        let is_away = |node: NodeId| away.contains(&node.0);
        let base = Ring::build(&seats, 64, replicas);
        let ring = base.standing_in(&seats, is_away);
        // As it was before the last of them went away.
        let earlier = away.split_last().map_or(&[][..], |(_, rest)| rest);
        let earlier = base.standing_in(&seats, |node| earlier.contains(&node.0));
        let present = seats.iter().filter(|seat| !is_away(seat.node)).count();
        let zone = |node: &NodeId| node.0 % zones;
        let mut kept = vec![0_u32; usize::from(members) + 1];
        for slot in Slot::all() {
            let (before, after) = (base.owners(slot), ring.owners(slot));
            assert_eq!(&after[..before.len()], before, "slot {slot}: nobody loses it, and the order stays");
            let there: Vec<NodeId> = after.iter().copied().filter(|node| !is_away(*node)).collect();
            assert_eq!(there.len(), usize::from(replicas).min(present), "slot {slot}: {after:?}");
            let last = away.last().map(|id| NodeId(*id));
            let had = last.filter(|node| earlier.owners(slot).contains(node));
            assert!(had.is_none_or(|node| after.contains(&node)), "slot {slot}: who stood in keeps it: {after:?}");
            let stand_ins = &after[before.len()..];
            assert!(stand_ins.iter().all(|node| !before.contains(node)), "slot {slot}: {after:?}");
            for node in stand_ins.iter().filter(|node| !is_away(**node)) {
                kept[usize::from(node.0)] += 1;
                // Somebody of a zone of its own would have been taken before one that shares its zone.
                let others: Vec<u16> = there.iter().filter(|other| *other != node).map(zone).collect();
                let better = |seat: &Seat<'_>| {
                    !is_away(seat.node) && !there.contains(&seat.node) && !others.contains(&zone(&seat.node))
                };
                let late = stand_ins.iter().any(|node| is_away(*node));
                assert!(late || !others.contains(&zone(node)) || !seats.iter().any(better), "slot {slot}: {after:?}");
            }
        }
        // Everybody who is present takes a part of what there is to be taken.
        let taken = |id: u16| is_away(NodeId(id)) || kept[usize::from(id)] > 0;
        assert!(kept.iter().sum::<u32>() == 0 || (1..=members).all(taken), "{kept:?}");
    }

    #[test]
    fn the_next_on_the_ring_stand_in_for_those_who_are_away() {
        check(5, 1, 2, &[3]);
        check(5, 1, 3, &[3]);
        check(5, 1, 2, &[1, 4]);
        check(6, 3, 2, &[2]);
        check(6, 3, 3, &[2, 5]);
        check(7, 1, 3, &[1, 2, 3]);
    }

    #[test]
    fn nobody_stands_in_where_all_who_are_there_keep_the_slot_already() {
        check(3, 1, 3, &[1]);
        check(2, 1, 2, &[1]);
        check(4, 1, 3, &[1, 2]);
        check(3, 1, 2, &[1, 2, 3]);
        check(5, 1, 2, &[]);
    }
}
