//! Which slots have lost touch with a majority of their replicas, as this node sees it.
//!
//! Such a slot is served all the same: a cache that stops is of no use, and `write=quorum` is there for who wants to be
//! refused. But the other side of a partition may serve it too, so every answer about it says so.

use vitrine_engine::id::{SLOTS, Slot};
use vitrine_engine::view::View;

/// The slots without a majority, in one view.
#[derive(Clone, Debug, Default)]
pub struct Isolated {
    /// A bit a slot; empty when there are none.
    slots: Vec<u64>,
    /// How many of them this node leads.
    led: u64,
}

impl Isolated {
    /// Those of that view.
    pub fn of(view: &View) -> Isolated {
        let mut isolated = Isolated::default();
        if view.map.members.iter().all(|member| view.is_alive(member.id)) {
            return isolated;
        }
        for slot in Slot::all().filter(|slot| view.is_isolated(*slot)) {
            let number = usize::from(slot.number());
            isolated.slots.resize(usize::from(SLOTS) / 64, 0);
            isolated.slots[number / 64] |= 1 << (number % 64);
            isolated.led += u64::from(view.is_primary(slot));
        }
        isolated
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Is that slot one of them?
    pub fn contains(&self, slot: Slot) -> bool {
        let number = usize::from(slot.number());
        self.slots.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many of them this node leads.
    pub fn led(&self) -> u64 {
        self.led
    }
}
