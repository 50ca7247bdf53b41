//! What a replica does with changes that a primary sends, and with questions about what it holds.

use super::Shard;
use super::journal;
use super::local::{Known, Place, Put};
use crate::effect::{Effect, Event, Outbox};
use crate::error::Failure;
use crate::id::{NodeId, RequestId, Version};
use crate::message::{Change, Message, Verdict, Wanted};
use crate::mutant::{self, Mutant};
use crate::request::{Entry, Holding, Key};
use crate::store::{EntryRef, Store};
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
        let unsynced = mutant::on(Mutant::DeleteUnsynced) && matches!(change, Change::Remove { .. });
        self.sources.decided(from, key.slot(), version);
        let verdict = match self.apply(time.unix, key, change, out) {
            Verdict::Applied if self.refusing == Some(Failure::ReadOnly) => Verdict::Unlogged,
            verdict => verdict,
        };
        // It says that the change is kept here, and so waits until it is; a repeated one for whatever was last.
        let after = self.logged.filter(|_| verdict == Verdict::Applied && !unsynced).and_then(journal::waits_for);
        let message = Message::Replicated { id, slot: key.slot(), version, verdict };
        out.effects.push(Effect::Send { to: from, message, after });
    }

    /// Applies a change that is above what is known, and refuses any other: of that, only what it replaces goes, where
    /// nothing has come in its place. Repeating a change changes nothing.
    pub(super) fn apply(&mut self, now: UnixMs, key: &Key, change: Change, out: &mut Outbox) -> Verdict {
        let version = change.version();
        self.clock.observe(version);
        let at = self.place(key);
        let Known { present, held } = self.known(now, key, at, out);
        if held == version && self.is_known(now, key, at, &change) {
            return Verdict::Applied;
        }
        if held >= version {
            self.counters.refused += 1;
            out.event(|| Event::Refused { key: key.clone(), offered: version, held });
            // There may be something newer. What is here, or on its way to here, is not: and where this is asked for
            // again it is known, so that it is written down.
            if matches!(change, Change::Remove { .. }) && present < Some(version) {
                self.remove(now, key, at, version, out);
                out.event(|| Event::Applied { key: key.clone(), version, removed: true, primary: false });
            }
            return Verdict::Refused { held };
        }
        let removed = match change {
            Change::Remove { .. } => {
                self.remove(now, key, at, version, out);
                true
            }
            Change::Put(entry) => match self.put(now, key, at, &entry, out) {
                Put::Stored => false,
                Put::Expired => true,
                // What does not fit here is as good as evicted at once: what it replaces must not stay.
                Put::TooLarge { .. } => {
                    self.remove(now, key, at, version, out);
                    true
                }
            },
        };
        self.counters.replicated += 1;
        out.event(|| Event::Applied { key: key.clone(), version, removed, primary: false });
        Verdict::Applied
    }

    /// Is this what came with that version before? A node that has lost its memory and whose clock was set back may
    /// give a version a second time: then the primary has to move on above it.
    fn is_known(&self, now: UnixMs, key: &Key, at: Place, change: &Change) -> bool {
        match (self.peek(now, key, at), change) {
            (Some(held), Change::Put(entry)) => {
                let Entry { value, deadline, .. } = entry;
                held.value == &value.bytes[..] && held.media == &value.media[..] && held.deadline == *deadline
            }
            (Some(_), Change::Remove { .. }) => false,
            // It has gone since.
            (None, _) => true,
        }
    }

    /// A coordinator asks what this replica holds.
    pub(super) fn fetch(
        &mut self,
        time: Time,
        from: NodeId,
        id: RequestId,
        key: &Key,
        wanted: Wanted,
        out: &mut Outbox,
    ) {
        let (holding, entry) = self.holding(time.unix, key, wanted, out);
        out.send(from, Message::Fetched { id, slot: key.slot(), holding, entry });
    }

    /// The version of that key that is held, or where there is none the highest that has been seen to go from its slot.
    pub fn latest_of(&self, key: &Key) -> Version {
        let at = self.place(key);
        // At the beginning of time nothing has expired.
        let held = self.store.peek(UnixMs(0), at.hash, key.as_bytes()).map(|entry| entry.version);
        held.unwrap_or_else(|| self.gone.floor(at.slot))
    }

    /// What is held for a key.
    pub(super) fn holding(
        &mut self,
        now: UnixMs,
        key: &Key,
        wanted: Wanted,
        out: &mut Outbox,
    ) -> (Holding, Option<Entry>) {
        let at = self.place(key);
        // What has expired and was not freed yet goes now, and is in the floor that the answer carries: or the asker
        // would keep what it replaced.
        self.known(now, key, at, out);
        let version = self.peek(now, key, at).map(|entry| entry.version);
        let hidden = version.is_some_and(|version| self.sources.is_hidden(at.slot, version));
        let entry = match wanted {
            _ if hidden => None,
            Wanted::Value => self.take(now, key, at, out),
            Wanted::Copy => self.copy(now, key, at),
            Wanted::Facts | Wanted::Version => None,
        };
        let floor = self.gone.floor(at.slot);
        let rank = match wanted {
            Wanted::Facts => self.store.rank(at.hash, key.as_bytes(), Holding::RANKED),
            Wanted::Value | Wanted::Copy | Wanted::Version => None,
        };
        // People are shown what is there, and that it is in doubt.
        let held = self.peek(now, key, at).filter(|_| !hidden || wanted == Wanted::Facts);
        let size = |entry: EntryRef<'_>| {
            let (value, media) = (entry.value.len(), entry.media.len());
            Store::entry_bytes(key.as_bytes().len(), value, media, entry.deadline.is_some())
        };
        let holding = Holding {
            version: held.map(|entry| entry.version),
            deadline: held.and_then(|entry| entry.deadline),
            bytes: held.map_or(0, size),
            rank,
            floor,
            before: self.sources.orphans.floor(at.slot),
            doubt: self.sources.unsure.contains(at.slot) || self.sources.doubts(at.slot) || self.sources.is_aside(),
        };
        (holding, entry)
    }

    /// The version to compare with others': the entry's, or the floor when there is none.
    pub(super) fn version_of(holding: &Holding) -> Version {
        holding.version.unwrap_or(holding.floor)
    }
}
