//! What is read and changed in this stripe's own store, with the floors and counters that go with it.

use bytes::Bytes;

use super::sources::Sources;
use super::{Counters, Floors, Shard};
use crate::effect::{Event, Outbox};
use crate::id::{Slot, Version};
use crate::mutant::{self, Mutant};
use crate::request::{Answer, Entry, Key, Outcome, ReadLevel, Value};
use crate::store::{Cause, EntryRef, Removal};
use crate::time::{Time, UnixMs};
use crate::view::View;

/// What the hot path found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local<'a> {
    /// The entry, to be copied out while the stripe is locked.
    Found(EntryRef<'a>),
    /// This node may answer, and there is nothing.
    Missing,
    /// This node may not answer alone: [`Shard::submit`] the request.
    Elsewhere,
}

/// Where a key is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The store's hash of the key ([`crate::store::Store::hash`]).
    pub hash: u64,
    /// The key's slot.
    pub slot: Slot,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The version of its entry.
    pub(super) present: Option<Version>,
    /// What a change must be above: that version, or what the slot has forgotten.
    pub(super) held: Version,
}

/// What became of an entry that was put in.
pub(super) enum Put {
    /// It is there.
    Stored,
    /// Its deadline had passed: what was there before is gone.
    Expired,
    /// It does not fit even alone: nothing was changed.
    TooLarge {
        /// Bytes that it would take.
        bytes: u64,
    },
}

/// Takes down what leaves the store: floors rise, counters count, watchers see it.
pub(super) struct Noted<'a> {
    pub(super) now: UnixMs,
    pub(super) floors: &'a mut Floors,
    pub(super) gone: &'a mut Floors,
    pub(super) sources: &'a Sources,
    pub(super) counters: &'a mut Counters,
    pub(super) out: Option<&'a mut Outbox>,
}

impl Noted<'_> {
    /// An entry has left the store.
    pub(super) fn removal(&mut self, removal: &Removal<'_>) {
        self.counters.removal(removal.cause);
        self.left(removal);
    }

    /// A version has gone from here, whether the store still had it or not.
    pub(super) fn left(&mut self, removal: &Removal<'_>) {
        let slot = crate::hash::slot(removal.key);
        self.floors.raise(slot, removal.version);
        if self.sources.may_be_news(slot, removal.version, self.now) {
            self.gone.raise(slot, removal.version);
        }
        if let Some(out) = &mut self.out {
            out.event(|| Event::Dropped {
                key: Key::new(Bytes::copy_from_slice(removal.key)).expect("a stored key has a key's length"),
                version: removal.version,
                cause: removal.cause,
            });
        }
    }
}

/// Borrows what [`Noted`] needs, and leaves the store free.
macro_rules! noted {
    ($shard:expr, $now:expr, $out:expr) => {
        $crate::shard::local::Noted {
            now: $now,
            floors: &mut $shard.floors,
            gone: &mut $shard.gone,
            sources: &$shard.sources,
            counters: &mut $shard.counters,
            out: $out,
        }
    };
}
pub(super) use noted;

impl Shard {
    /// The hot path of a read that this node may answer alone: no outbox, no allocation.
    ///
    /// `at` is where the key is: the store's hash of it and its slot.
    pub fn read_local(&mut self, time: Time, view: &View, at: Place, key: &[u8], level: ReadLevel) -> Local<'_> {
        let here = match level {
            ReadLevel::Primary => view.is_primary(at.slot),
            ReadLevel::One => view.answers(at.slot),
            ReadLevel::Quorum => false,
        };
        if !here || self.sources.doubts(at.slot) || view.takes_over(at.slot) || !view.is_sure() {
            return Local::Elsewhere;
        }
        self.seen = time;
        let mut noted = noted!(self, time.unix, None);
        let found = self.store.get(time.unix, at.hash, key, &mut |removal| noted.removal(&removal));
        match found {
            Some(entry) => {
                self.counters.hits += 1;
                Local::Found(entry)
            }
            None => {
                self.counters.misses += 1;
                Local::Missing
            }
        }
    }

    /// Reads from this store, as primary or as replica.
    pub(super) fn read(&mut self, now: UnixMs, key: &Key, out: &mut Outbox) -> Outcome {
        let at = self.place(key);
        let mut entry = self.take(now, key, at, out);
        let every_so_often = (self.counters.hits + self.counters.misses) % 64 == 63;
        if every_so_often && mutant::on(Mutant::Miss) {
            entry = None;
        }
        if every_so_often && mutant::on(Mutant::LoseUnseen) {
            self.store.remove(now, at.hash, key.as_bytes());
        }
        self.noted_read(key, entry, out)
    }

    /// The answer to a read that this node is responsible for.
    pub(super) fn noted_read(&mut self, key: &Key, entry: Option<Entry>, out: &mut Outbox) -> Outcome {
        match entry {
            Some(_) => self.counters.hits += 1,
            None => self.counters.misses += 1,
        }
        out.event(|| Event::Read { key: key.clone(), version: entry.as_ref().map(|entry| entry.version) });
        Ok(entry.map_or(Answer::Missing, Answer::Found))
    }

    /// Where a key is looked for: computed once for everything that an operation does.
    pub(super) fn place(&self, key: &Key) -> Place {
        Place { hash: self.store.hash(key.as_bytes()), slot: key.slot() }
    }

    /// A copy of what is stored; it becomes the most recently used.
    pub(super) fn take(&mut self, now: UnixMs, key: &Key, at: Place, out: &mut Outbox) -> Option<Entry> {
        let mut noted = noted!(self, now, Some(out));
        let found = self.store.get(now, at.hash, key.as_bytes(), &mut |removal| noted.removal(&removal));
        found.map(|entry| owned(&entry))
    }

    /// Forgets a key, as if there were no room for it.
    pub fn evict(&mut self, time: Time, key: &Key, out: &mut Outbox) {
        let at = self.place(key);
        self.known(time.unix, key, at, out);
        if let Some(version) = self.store.remove(time.unix, at.hash, key.as_bytes()) {
            let removal = Removal { key: key.as_bytes(), version, cause: Cause::Entries };
            noted!(self, time.unix, Some(out)).removal(&removal);
        }
    }

    /// What is stored, as it is: no recency changes.
    pub(super) fn peek(&self, now: UnixMs, key: &Key, at: Place) -> Option<EntryRef<'_>> {
        self.store.peek(now, at.hash, key.as_bytes())
    }

    /// What is known of a key before anything is decided about it. An entry whose deadline has passed leaves first, and
    /// its version is remembered.
    pub(super) fn known(&mut self, now: UnixMs, key: &Key, at: Place, out: &mut Outbox) -> Known {
        let mut noted = noted!(self, now, Some(out));
        self.store.purge(now, at.hash, key.as_bytes(), &mut |removal| noted.removal(&removal));
        let present = self.peek(now, key, at).map(|entry| entry.version);
        let held = present.unwrap_or_else(|| self.floors.floor(at.slot));
        Known { present, held: held.max(self.sources.orphans.floor(at.slot)) }
    }

    /// Puts an entry in, which is known to belong there. The log is not told.
    pub(super) fn keep(&mut self, now: UnixMs, key: &Key, at: Place, entry: &Entry, out: &mut Outbox) -> Put {
        if entry.deadline.is_some_and(|deadline| deadline <= now) {
            self.lose(now, key, at, entry.version);
            return Put::Expired;
        }
        let mut noted = noted!(self, now, Some(out));
        let entry = EntryRef {
            value: &entry.value.bytes,
            media: &entry.value.media,
            version: entry.version,
            deadline: entry.deadline,
        };
        let done = self.store.set(now, at.hash, key.as_bytes(), entry, &mut |removal| noted.removal(&removal));
        done.map_or_else(|too_large| Put::TooLarge { bytes: too_large.bytes }, |_| Put::Stored)
    }

    /// The key, which is known to hold nothing newer, has no value from that version on. The log is not told.
    pub(super) fn lose(&mut self, now: UnixMs, key: &Key, at: Place, version: Version) {
        self.floors.raise(at.slot, version);
        if !mutant::on(Mutant::CollectTombstones) {
            self.gone.raise(at.slot, version);
        }
        self.store.remove(now, at.hash, key.as_bytes());
    }
}

pub(super) fn owned(entry: &EntryRef<'_>) -> Entry {
    Entry {
        value: Value { bytes: Bytes::copy_from_slice(entry.value), media: Bytes::copy_from_slice(entry.media) },
        version: entry.version,
        deadline: entry.deadline,
    }
}
