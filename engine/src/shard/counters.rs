//! What a shard counts, for metrics and for the page. Nothing is decided by it.

use crate::store::Cause;

/// Totals since the shard began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reads answered from this store with a value.
    pub hits: u64,
    /// Reads answered from this store with a miss.
    pub misses: u64,
    /// Values written here as primary.
    pub sets: u64,
    /// Keys deleted here as primary.
    pub deletes: u64,
    /// Changes applied here as replica.
    pub replicated: u64,
    /// Changes refused here because something newer was known.
    pub refused: u64,
    /// Messages ignored because a version in them lies too far in the future.
    pub incredible: u64,
    /// Requests passed on to another primary.
    pub forwarded: u64,
    /// Reads among those that were not sent, because another of the same key is sent for all who wait for it.
    pub shared: u64,
    /// Requests whose messages were repeated because nobody answered.
    pub retries: u64,
    /// Requests whose messages were due to be repeated and had to wait for others of the same peer.
    pub held_back: u64,
    /// Requests that ended at their deadline.
    pub timeouts: u64,
    /// Requests turned away because a limit was reached.
    pub busy: u64,
    /// Entries evicted because there were too many.
    pub evicted_entries: u64,
    /// Entries evicted because they took too many bytes.
    pub evicted_bytes: u64,
    /// Entries that expired.
    pub expired: u64,
    /// Pulls begun from replicas that this node may have missed something of.
    pub pulls: u64,
    /// Pulls that came to their end.
    pub pulled: u64,
    /// Keys listed for replicas that may have missed them.
    pub listed: u64,
    /// Slots that were not listed for this node, since digests had said that there is nothing to be missed in them.
    pub slots_same: u64,
    /// Entries that were missed and are here now.
    pub caught_up: u64,
    /// Entries that were missed and were left where they are, for want of room here.
    pub left_out: u64,
    /// Entries dropped because a replica has seen them go, or something newer in their place.
    pub unvouched: u64,
    /// Entries freed because their slots have moved to other nodes.
    pub moved: u64,
    /// Keys fetched for slots that this node gains.
    pub filled: u64,
    /// Bytes of those keys and their values.
    pub filled_bytes: u64,
    /// Bytes of keys and values fetched because they had been missed.
    pub missed_bytes: u64,
}

impl Counters {
    pub(super) fn removal(&mut self, cause: Cause) {
        match cause {
            Cause::Expired => self.expired += 1,
            Cause::Entries => self.evicted_entries += 1,
            Cause::Bytes => self.evicted_bytes += 1,
        }
    }

    /// The sum of two.
    pub fn plus(self, other: Counters) -> Counters {
        Counters {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            sets: self.sets + other.sets,
            deletes: self.deletes + other.deletes,
            replicated: self.replicated + other.replicated,
            refused: self.refused + other.refused,
            incredible: self.incredible + other.incredible,
            forwarded: self.forwarded + other.forwarded,
            shared: self.shared + other.shared,
            retries: self.retries + other.retries,
            held_back: self.held_back + other.held_back,
            timeouts: self.timeouts + other.timeouts,
            busy: self.busy + other.busy,
            evicted_entries: self.evicted_entries + other.evicted_entries,
            evicted_bytes: self.evicted_bytes + other.evicted_bytes,
            expired: self.expired + other.expired,
            pulls: self.pulls + other.pulls,
            pulled: self.pulled + other.pulled,
            listed: self.listed + other.listed,
            slots_same: self.slots_same + other.slots_same,
            caught_up: self.caught_up + other.caught_up,
            left_out: self.left_out + other.left_out,
            unvouched: self.unvouched + other.unvouched,
            moved: self.moved + other.moved,
            filled: self.filled + other.filled,
            filled_bytes: self.filled_bytes + other.filled_bytes,
            missed_bytes: self.missed_bytes + other.missed_bytes,
        }
    }
}
