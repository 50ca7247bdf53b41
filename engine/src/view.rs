//! An immutable snapshot of who owns which slot and who answers now: what the data plane routes by.
//!
//! The control plane publishes a new one when the map or somebody's liveness changes. The two are apart: a member that
//! does not answer keeps its slots, and only loses its turn as primary.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{Epoch, NodeId, Slot};
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
    alive: Vec<bool>,
    /// For each slot the first replica that is alive, or `NOBODY`.
    primaries: Vec<u16>,
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
        let alive = map.members.iter().map(|_| true).collect();
        View { me, generation: 1, map, ring, alive, primaries: Vec::new() }.settled()
    }

    /// The next view, with other beliefs about who is alive. This node always believes in itself.
    pub fn with_alive(&self, is_alive: impl Fn(NodeId) -> bool) -> View {
        let alive = self.map.members.iter().map(|m| m.id == self.me || is_alive(m.id)).collect();
        View { generation: self.generation + 1, alive, primaries: Vec::new(), ..self.clone() }.settled()
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
        self.index(node).is_some_and(|index| self.alive[index])
    }

    /// How many of the slot's replicas are believed alive.
    pub fn alive_replicas(&self, slot: Slot) -> u8 {
        self.replicas(slot).iter().filter(|node| self.is_alive(**node)).count() as u8
    }

    /// The member of that id.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.index(node).map(|index| &self.map.members[index])
    }

    /// The ring, for whoever draws it.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    fn index(&self, node: NodeId) -> Option<usize> {
        self.map.members.binary_search_by_key(&node, |m| m.id).ok()
    }

    fn settled(mut self) -> View {
        self.primaries = Slot::all()
            .map(|slot| self.replicas(slot).iter().find(|node| self.is_alive(**node)).map_or(NOBODY, |node| node.0))
            .collect();
        self
    }
}
