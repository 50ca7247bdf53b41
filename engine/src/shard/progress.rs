//! How far slots that move to this node have come.

use super::{Pending, Shard, Work};
use crate::id::Slot;
use crate::view::View;

/// How far slots that move to this node have come, and what was fetched for it. Of one stripe, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Slots that it gains by the change of the map that is under way; 0 when none is.
    pub slots: u32,
    /// Of those, the ones of which it has all that there is.
    pub slots_through: u32,
    /// Keys of them that it has been told of, and has yet to fetch. Further ones may still be listed.
    pub keys_waiting: u64,
    /// Keys that were fetched for such slots, since the node started.
    pub keys: u64,
    /// Bytes of those keys and their values.
    pub bytes: u64,
    /// Bytes that were fetched because the node had missed them, since it started.
    pub bytes_missed: u64,
}

impl Progress {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Progress) -> Progress {
        Progress {
            slots: self.slots + other.slots,
            slots_through: self.slots_through + other.slots_through,
            keys_waiting: self.keys_waiting + other.keys_waiting,
            keys: self.keys + other.keys,
            bytes: self.bytes + other.bytes,
            bytes_missed: self.bytes_missed + other.bytes_missed,
        }
    }
}

impl Shard {
    /// How far slots that move to this node have come. Looks at every slot while a change is under way: for whoever
    /// asks now and then.
    pub fn progress(&self, view: &View) -> Progress {
        let gained = Slot::all().filter(|slot| self.lanes.contains(*slot) && view.gains(view.me, *slot));
        let (mut slots, mut slots_through) = (0, 0);
        for slot in gained {
            slots += 1;
            slots_through += u32::from(!self.sources.is_filling(slot));
        }
        let waiting = self.pending.values().map(|pending| match pending {
            Pending { work: Work::Pull(pulling), .. } => pulling.waiting_for_gained(),
            _ => 0,
        });
        Progress {
            slots,
            slots_through,
            keys_waiting: waiting.sum(),
            keys: self.counters.filled,
            bytes: self.counters.filled_bytes,
            bytes_missed: self.counters.missed_bytes,
        }
    }
}
