//! What a replica does with changes that a primary sends, and with questions about what it holds.

use super::Shard;
use super::local::{self, Put};
use crate::effect::{Event, Outbox};
use crate::id::{NodeId, RequestId, Version};
use crate::message::{Change, Message, Verdict};
use crate::request::{Entry, Holding, Key};
use crate::time::{Time, UnixMs};

impl Shard {
    /// A primary says what a key's state is now.
    pub(super) fn replicate(
        &mut self,
        time: Time,
        from: NodeId,
        id: RequestId,
        key: &Key,
        change: Change,
        out: &mut Outbox,
    ) {
        let version = change.version();
        let verdict = self.apply(time.unix, key, change, out);
        out.send(from, Message::Replicated { id, slot: key.slot(), version, verdict });
    }

    /// Applies a change that is above what is known, and refuses any other. Repeating a change changes nothing.
    pub(super) fn apply(&mut self, now: UnixMs, key: &Key, change: Change, out: &mut Outbox) -> Verdict {
        let version = change.version();
        self.clock.observe(version);
        let held = self.held(now, key, out);
        if held == version {
            return Verdict::Applied;
        }
        if held > version {
            self.counters.refused += 1;
            out.event(|| Event::Refused { key: key.clone(), offered: version, held });
            return Verdict::Refused { held };
        }
        let removed = match change {
            Change::Remove { .. } => {
                self.remove(now, key, version, out);
                true
            }
            Change::Put(entry) => match self.put(now, key, &entry, out) {
                Put::Stored => false,
                Put::Expired => true,
                // What does not fit here is as good as evicted at once: what it replaces must not stay.
                Put::TooLarge { .. } => {
                    self.remove(now, key, version, out);
                    true
                }
            },
        };
        self.counters.replicated += 1;
        out.event(|| Event::Applied { key: key.clone(), version, removed, primary: false });
        Verdict::Applied
    }

    /// A coordinator asks what this replica holds.
    pub(super) fn fetch(&mut self, time: Time, from: NodeId, id: RequestId, key: &Key, body: bool, out: &mut Outbox) {
        let (holding, entry) = self.holding(time.unix, key, body, out);
        out.send(from, Message::Fetched { id, slot: key.slot(), holding, entry });
    }

    /// What is held for a key. With the body it counts as a use of the entry, without it is only a look.
    pub(super) fn holding(&mut self, now: UnixMs, key: &Key, body: bool, out: &mut Outbox) -> (Holding, Option<Entry>) {
        let entry = if body { self.take(now, key, out) } else { None };
        let floor = self.floors.floor(key.slot());
        let held = match (&entry, body) {
            (Some(entry), _) => Some((entry.version, entry.deadline, Self::size(key, entry))),
            (None, true) => None,
            (None, false) => self.peek(now, key).map(|entry| {
                let entry = local::owned(&entry);
                (entry.version, entry.deadline, Self::size(key, &entry))
            }),
        };
        let rank = if body { None } else { self.rank(key) };
        let holding = Holding {
            version: held.map(|(version, ..)| version),
            deadline: held.and_then(|(_, deadline, _)| deadline),
            bytes: held.map_or(0, |(.., bytes)| bytes),
            rank,
            floor,
        };
        (holding, entry)
    }

    /// The version to compare with others': the entry's, or the floor when there is none.
    pub(super) fn known(holding: &Holding) -> Version {
        holding.version.unwrap_or(holding.floor)
    }

    fn rank(&self, key: &Key) -> Option<u32> {
        self.store.rank(self.store.hash(key.as_bytes()), key.as_bytes(), Holding::RANKED)
    }

    fn size(key: &Key, entry: &Entry) -> u64 {
        crate::store::Store::entry_bytes(
            key.as_bytes().len(),
            entry.value.bytes.len(),
            entry.value.media.len(),
            entry.deadline.is_some(),
        )
    }
}
