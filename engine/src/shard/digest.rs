//! Everything that decides what a shard will do, in one number: two shards of the same digest go the same way.
//!
//! For whoever explores every order of events, such as the model of the replication in this package's tests: a state
//! that was met before need not be followed again. What is left out is when pending things are next looked at and the
//! generator of that jitter, which an explorer lets happen at any time, and what only people read, the counters.

use core::hash::{Hash, Hasher};

use super::{Shard, Work};
use crate::id::{RequestId, Version};

impl Shard {
    /// Adds the state to a hash.
    ///
    /// Serials only tell requests apart: `name` gives each the name that it shall go by, so that states which differ in
    /// nothing else are the same. Names must keep the order of the serials of one node.
    pub fn digest(&self, name: impl Fn(RequestId) -> RequestId, state: &mut impl Hasher) {
        for (key, entry) in self.store.by_recency() {
            (key, entry.value, entry.media, entry.version, entry.deadline).hash(state);
        }
        self.clock.latest().hash(state);
        for floors in [&self.floors, &self.gone] {
            state.write_u8(b'/');
            floors.above(0, Version::ZERO).for_each(|floor| floor.hash(state));
        }
        self.sources.digest(state);
        self.store.has_digests().hash(state);
        for (serial, pending) in &self.pending {
            let mut waiting = pending.waiting.clone();
            waiting.sort_unstable();
            (name(RequestId { node: self.me, serial: *serial }), waiting).hash(state);
            match &pending.work {
                Work::Forward(forwarding) => forwarding.digest(state),
                Work::Write(writing) => writing.digest(state),
                Work::Gather(gathering) => {
                    gathering.digest(|pull| name(RequestId { node: self.me, serial: pull }), state);
                }
                Work::Pull(pulling) => pulling.digest(state),
            }
        }
        self.answered.digest(state);
    }

    /// The requests that it has begun and not ended, the oldest first.
    pub fn open_requests(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.pending.keys().map(|serial| RequestId { node: self.me, serial: *serial })
    }
}
