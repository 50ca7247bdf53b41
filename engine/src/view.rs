//! An immutable snapshot of who owns which slot and who answers now: what the data plane routes by.
//!
//! The control plane publishes a new one when the map or somebody's liveness changes. The two are apart: a member that
//! does not answer keeps its slots, and only loses its turn as primary.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{Epoch, NodeId, Slot, Version};
use crate::mutant::{self, Mutant};
use crate::ring::{Ring, Seat};

/// Who is a member, and how slots are placed on them. It changes by join, leave and removal only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The edition; it grows with every change.
    pub epoch: Epoch,
    /// The members, by ascending id.
    pub members: Vec<Member>,
    /// Copies of each slot, as configured; fewer exist while there are fewer members.
    pub replicas: u8,
    /// Points on the ring for a member of weight 1.
    pub virtual_nodes: u16,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the map.
    pub id: NodeId,
    /// Its name, unique in the cluster: its points on the ring are hashed from it.
    pub name: String,
    /// Its share of the slots, relative to the others'. At least 1.
    pub weight: u32,
    /// Where peers reach it, `host:port`; empty where there is no network.
    pub peer_address: String,
    /// Where clients reach it, `host:port`; empty where there is no network.
    pub http_address: String,
}

/// What the data plane routes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The node that holds this view.
    pub me: NodeId,
    /// Which of its node's views this is: a later one replaces an earlier one.
    pub generation: u64,
    /// The members.
    pub map: Arc<Map>,
    ring: Arc<Ring>,
    alive: Alive,
    /// What has to be made up for with each member, in the map's order.
    pulls: Arc<[Pull]>,
    /// For each slot the first replica that is alive, or `NOBODY`.
    primaries: Arc<[u16]>,
}

/// What this node may have missed of a member's writes: the data plane asks the member for what is above `since`
/// whenever `round` has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pull {
    /// Grows each time that one of the two was away, or may have been.
    pub round: u64,
    /// Grows each time that the member itself may be gone, with what it was about to tell: others may know of it.
    pub losses: u64,
    /// Every write of the member up to this version has reached this node.
    pub since: Version,
}

const NOBODY: u16 = u16::MAX;

impl View {
    /// The first view of a node: it believes in everybody until it learns otherwise.
    ///
    /// # Panics
    /// When `me` is not in the map, or the map's members are not in ascending order of distinct ids below 65,535.
    pub fn first(me: NodeId, map: Arc<Map>) -> View {
        assert!(map.members.is_sorted_by(|a, b| a.id < b.id), "members out of order");
        assert!(map.members.iter().any(|m| m.id == me) && map.members.iter().all(|m| m.id.0 != NOBODY));
        let seats: Vec<Seat<'_>> =
            map.members.iter().map(|m| Seat { node: m.id, name: &m.name, weight: m.weight }).collect();
        let ring = Arc::new(Ring::build(&seats, map.virtual_nodes, map.replicas));
        let alive = Alive::of(map.members.iter().map(|m| m.id));
        let primaries = primaries(&ring, &alive);
        // It has just started and holds nothing: what the others have is new to it.
        let pulls = map.members.iter().map(|_| Pull { round: 1, losses: 0, since: Version::ZERO }).collect();
        View { me, generation: 1, map, ring, alive, pulls, primaries }
    }

    /// The first view of another node of the same map: it shares the ring, which takes a while to build.
    ///
    /// # Panics
    /// When `me` is not in the map.
    pub fn seen_by(&self, me: NodeId) -> View {
        assert!(self.member(me).is_some(), "{me} is not in the map");
        let fresh = Pull { round: 1, losses: 0, since: Version::ZERO };
        View { me, generation: 0, ..self.clone() }.with(|_| true, |_| fresh)
    }

    /// The next view, with other beliefs about who is alive. This node always believes in itself.
    pub fn with_alive(&self, is_alive: impl Fn(NodeId) -> bool) -> View {
        let believed = self.map.members.iter().map(|m| m.id).filter(|id| *id == self.me || is_alive(*id));
        let alive = Alive::of(believed);
        if mutant::on(Mutant::ModuloHash) {
            let alive_ids: Vec<NodeId> =
                self.map.members.iter().map(|m| m.id).filter(|id| alive.contains(*id)).collect();
            let ring = Arc::new(self.ring.dealt_out(&alive_ids));
            let primaries = primaries(&ring, &alive);
            return View { generation: self.generation + 1, alive, primaries, ring, ..self.clone() };
        }
        let primaries = if alive == self.alive { self.primaries.clone() } else { primaries(&self.ring, &alive) };
        View { generation: self.generation + 1, alive, primaries, ..self.clone() }
    }

    /// The next view, with other beliefs about who is alive and other things to make up for.
    pub fn with(&self, is_alive: impl Fn(NodeId) -> bool, pull: impl Fn(NodeId) -> Pull) -> View {
        let pulls = self.map.members.iter().map(|m| pull(m.id)).collect();
        View { pulls, ..self.with_alive(is_alive) }
    }

    /// What has to be made up for with a member.
    pub fn pull(&self, node: NodeId) -> Option<Pull> {
        let index = self.map.members.binary_search_by_key(&node, |m| m.id).ok()?;
        Some(self.pulls[index])
    }

    /// The slot's replicas, the preferred primary first: distinct, alive or not.
    pub fn replicas(&self, slot: Slot) -> &[NodeId] {
        self.ring.owners(slot)
    }

    /// The first replica of the slot that is believed alive.
    pub fn primary(&self, slot: Slot) -> Option<NodeId> {
        let node = self.primaries[usize::from(slot.number())];
        (node != NOBODY).then_some(NodeId(node))
    }

    /// True when this node is the slot's primary.
    pub fn is_primary(&self, slot: Slot) -> bool {
        self.primary(slot) == Some(self.me)
    }

    /// True when this node holds a replica of the slot.
    pub fn is_replica(&self, slot: Slot) -> bool {
        self.replicas(slot).contains(&self.me)
    }

    /// Is that member believed alive? Somebody who is no member is not.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.alive.contains(node)
    }

    /// How many of the slot's replicas are believed alive.
    pub fn alive_replicas(&self, slot: Slot) -> u8 {
        self.replicas(slot).iter().filter(|node| self.is_alive(**node)).count() as u8
    }

    /// The member of that id.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        let index = self.map.members.binary_search_by_key(&node, |m| m.id).ok()?;
        Some(&self.map.members[index])
    }

    /// The ring, for whoever draws it.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

/// The members believed alive, a bit each: asked for every replica of every slot when a view is made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alive(Vec<u64>);

impl Alive {
    /// Those, in ascending order. No word is left empty at the end, so that equal sets are equal.
    fn of(members: impl Iterator<Item = NodeId>) -> Alive {
        let mut words = Vec::new();
        for node in members {
            let word = usize::from(node.0 / 64);
            words.resize(word + 1, 0);
            words[word] |= 1 << (node.0 % 64);
        }
        Alive(words)
    }

    fn contains(&self, node: NodeId) -> bool {
        self.0.get(usize::from(node.0 / 64)).is_some_and(|word| word >> (node.0 % 64) & 1 == 1)
    }
}

fn primaries(ring: &Ring, alive: &Alive) -> Arc<[u16]> {
    let primary = |slot| ring.owners(slot).iter().find(|node| alive.contains(**node)).map_or(NOBODY, |node| node.0);
    Slot::all().map(primary).collect()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::format;
    use alloc::vec;

    fn view(me: u16, ids: &[u16], replicas: u8) -> View {
        let member = |id: &u16| Member {
            id: NodeId(*id),
            name: format!("n{id}"),
            weight: 1,
            peer_address: format!("10.0.0.{id}:7000"),
            http_address: String::new(),
        };
        let members = ids.iter().map(member).collect();
        View::first(NodeId(me), Arc::new(Map { epoch: Epoch(4), members, replicas, virtual_nodes: 64 }))
    }

    #[test]
    fn the_primary_is_the_first_replica_alive() {
        let first = view(1, &[1, 2, 3, 4, 5], 3);
        let check = |dead: &[u16]| {
            let view = first.with_alive(|node| !dead.contains(&node.0));
            let alive = |node: &NodeId| !dead.contains(&node.0) || *node == view.me;
            for slot in Slot::all() {
                assert_eq!(view.replicas(slot), first.replicas(slot), "liveness moves no data");
                let expected = view.replicas(slot).iter().copied().find(alive);
                assert_eq!(view.primary(slot), expected, "slot {slot}, dead {dead:?}");
                assert_eq!(view.is_primary(slot), expected == Some(NodeId(1)));
                assert_eq!(view.is_replica(slot), view.replicas(slot).contains(&NodeId(1)));
                let count = view.replicas(slot).iter().filter(|node| alive(node)).count();
                assert_eq!(usize::from(view.alive_replicas(slot)), count);
            }
            for node in (0..8).map(NodeId) {
                assert_eq!(view.is_alive(node), (1..=5).contains(&node.0) && alive(&node), "{node}, dead {dead:?}");
            }
            view
        };
        check(&[]);
        check(&[3]);
        check(&[2, 5]);
        // A node believes in itself, whatever it is told.
        assert!(check(&[1]).is_alive(NodeId(1)));
        // With everybody else dead, the slots that this node has no replica of have no primary.
        let alone = check(&[2, 3, 4, 5]);
        let orphans = Slot::all().filter(|slot| alone.primary(*slot).is_none());
        assert_eq!(orphans.count(), Slot::all().filter(|slot| !alone.is_replica(*slot)).count());
        assert!(Slot::all().any(|slot| alone.primary(slot).is_none()));
    }

    #[test]
    fn fewer_members_are_fewer_replicas() {
        let check = |ids: &[u16], replicas, expected| {
            let view = view(ids[0], ids, replicas);
            assert!(Slot::all().all(|slot| view.replicas(slot).len() == expected), "{ids:?}, {replicas} replicas");
        };
        check(&[9], 3, 1);
        check(&[1, 2], 3, 2);
        check(&[1, 2, 3], 3, 3);
        check(&[1, 2, 3, 4], 3, 3);
        check(&[1, 2, 3, 4], 1, 1);
    }

    #[test]
    fn views_follow_one_another() {
        let first = view(2, &[2, 70, 65_534], 2);
        assert_eq!((first.generation, first.map.epoch), (1, Epoch(4)));
        let second = first.with_alive(|node| node != NodeId(65_534));
        assert_eq!((second.generation, second.is_alive(NodeId(65_534)), second.is_alive(NodeId(70))), (2, false, true));
        // Back to where it was: the same routes under a later number.
        let third = second.with_alive(|_| true);
        assert_eq!(View { generation: 1, ..third }, first);
        assert_eq!(first.member(NodeId(70)).map(|m| m.name.as_str()), Some("n70"));
        assert_eq!(first.member(NodeId(3)), None);
    }

    #[test]
    fn nodes_of_one_map_share_its_ring() {
        let ids = [1, 2, 3];
        let one = view(1, &ids, 2).with_alive(|_| false);
        let two = one.seen_by(NodeId(2));
        assert_eq!(two, view(2, &ids, 2));
        assert!(Arc::ptr_eq(&one.ring, &two.ring) && Arc::ptr_eq(&one.map, &two.map));
        // Where nobody's liveness changes, nothing is worked out again.
        assert!(Arc::ptr_eq(&two.primaries, &two.with_alive(|_| true).primaries));
    }

    #[test]
    fn maps_that_cannot_be_are_refused() {
        let refused = |me, ids: Vec<u16>| {
            let outcome = std::panic::catch_unwind(|| view(me, &ids, 1));
            assert!(outcome.is_err(), "{me} in {ids:?}");
        };
        refused(3, vec![1, 2]);
        refused(1, vec![1, 1]);
        refused(1, vec![2, 1]);
        refused(1, vec![1, 65_535]);
    }
}
