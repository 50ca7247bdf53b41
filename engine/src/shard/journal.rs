//! What a shard hands to the log, what waits for it, and how a shard is filled again from it.
//!
//! Every change of the store that was decided, by a client, a primary or a pull, is one record, in the order in which
//! it was applied. What says to somebody that a change is kept here waits for its record: the answer to a write, and a
//! replica's confirmation. That a primary sends a change to its replicas does not: all write it down at the same time.

use super::decide::Did;
use super::local::{Place, Put, noted};
use super::purge::Purging;
use super::{Asker, EXPIRY_BATCH, Shard};
use crate::clock::FLOOR_AHEAD;
use crate::effect::{Effect, Event, Outbox, Served};
use crate::id::{Lsn, Slot, Version};
use crate::message::Message;
use crate::mutant::{self, Mutant};
use crate::record::Record;
use crate::request::{Entry, Key, Outcome};
use crate::store::{Cause, Removal};
use crate::time::{Time, UnixMs};

/// The record that must be on disk before it is said that this one is kept: itself.
pub(super) fn waits_for(record: Lsn) -> Option<Lsn> {
    match () {
        () if mutant::on(Mutant::AcknowledgeUnsynced) => None,
        () if mutant::on(Mutant::ApplyBeforeLog) => Some(Lsn(record.0 - 1)),
        () => Some(record),
    }
}

impl Shard {
    /// Hands a record to the log.
    pub(super) fn log(&mut self, out: &mut Outbox, record: impl FnOnce() -> Record) {
        if let Some(lsn) = out.record(record) {
            self.logged = Some(lsn);
        }
    }

    /// Answers whoever asked, in this node's name.
    pub(super) fn reply(&mut self, asker: Asker, slot: Slot, outcome: Outcome, out: &mut Outbox) {
        self.reply_from(self.serving(slot), None, asker, slot, outcome, out);
    }

    /// Answers whoever asked, with what that node said.
    pub(super) fn reply_for(&mut self, served: Served, asker: Asker, slot: Slot, outcome: Outcome, out: &mut Outbox) {
        self.reply_from(served, None, asker, slot, outcome, out);
    }

    /// Answers whoever asked, in this node's name, once the log is on disk up to that record.
    pub(super) fn reply_after(
        &mut self,
        after: Option<Lsn>,
        asker: Asker,
        slot: Slot,
        outcome: Outcome,
        out: &mut Outbox,
    ) {
        self.reply_from(self.serving(slot), after, asker, slot, outcome, out);
    }

    /// This node answers, and says how it stands to the slot.
    fn serving(&self, slot: Slot) -> Served {
        Served { by: self.me, isolated: self.sources.view().is_some_and(|view| view.is_isolated(slot)) }
    }

    fn reply_from(
        &mut self,
        served: Served,
        after: Option<Lsn>,
        asker: Asker,
        slot: Slot,
        outcome: Outcome,
        out: &mut Outbox,
    ) {
        // What did not happen, or may have, need not be on disk.
        let after = after.filter(|_| outcome.is_ok()).and_then(waits_for);
        out.effects.push(match asker {
            Asker::Client(client) => Effect::Reply { client, outcome, served, after },
            Asker::Peer(id) => {
                self.answered.end(id, &outcome);
                let isolated = served.isolated;
                Effect::Send { to: id.node, message: Message::Answer { id, slot, isolated, outcome }, after }
            }
        });
    }

    /// Takes in what an earlier start of this node has written down, record by record in their order, before its first
    /// view. What is read back is in doubt, like all that a node holds which was away.
    pub fn recover(&mut self, time: Time, record: &Record, out: &mut Outbox) {
        // Nothing expires before all is read: a later record may have moved the deadline.
        let now = UnixMs(0);
        self.seen = time;
        self.purging = Purging::Unsure;
        match record {
            Record::Put { key, entry } => {
                let at = self.place(key);
                self.clock.observe(entry.version);
                // Not above the floor of its slot: an entry that was fetched may be older than what its slot has seen
                // go, and whether it was believed was decided then.
                if self.known(now, key, at, out).present.is_none_or(|present| present < entry.version) {
                    match entry.deadline.filter(|_| mutant::on(Mutant::RelativeTtl)) {
                        Some(deadline) => {
                            let left = deadline.since(entry.version.unix());
                            let entry = Entry { deadline: time.unix.checked_add(left), ..entry.clone() };
                            self.keep_again(now, key, at, &entry, out);
                        }
                        None => self.keep_again(now, key, at, entry, out),
                    }
                }
            }
            Record::Remove { key, version } => {
                let at = self.place(key);
                self.clock.observe(*version);
                if self.known(now, key, at, out).present.is_none_or(|present| present <= *version) {
                    self.lose(now, key, at, *version);
                }
            }
            Record::Touch { key, from, version, deadline } => {
                let at = self.place(key);
                self.clock.observe(*version);
                match self.copy(now, key, at) {
                    Some(entry) if entry.version == *from => {
                        let entry = Entry { version: *version, deadline: *deadline, ..entry };
                        self.keep_again(now, key, at, &entry, out);
                    }
                    // What it changed had no room while the log was read, in which nobody reads: it has gone under its
                    // later version too, or an older copy elsewhere would be taken for the latest.
                    None if self.floors.floor(at.slot) >= *from => {
                        let removal = Removal { key: key.as_bytes(), version: *version, cause: Cause::Entries };
                        noted!(self, now, Some(out)).left(&removal);
                    }
                    _ => {}
                }
            }
            Record::Forget { key, version } => {
                let at = self.place(key);
                if self.known(now, key, at, out).present.is_some_and(|present| present <= *version) {
                    self.store.remove(now, at.hash, key.as_bytes());
                }
            }
            Record::Floor { slot, version } => {
                self.clock.observe(*version);
                self.floors.raise(*slot, *version);
                self.gone.raise(*slot, *version);
            }
            Record::Synced { .. } => {}
        }
    }

    /// All has been read: what is over goes, by this node's clock or by the latest version that was read, which may be
    /// ahead of the time by as much as a floor. So a clock that was set back since by more than that brings nothing
    /// back, and versions that are ahead of the time end nothing early.
    pub fn recovered(&mut self, time: Time, out: &mut Outbox) {
        let over = time.unix.max(self.latest().unix() - FLOOR_AHEAD[0]);
        let mut noted = noted!(self, over, Some(out));
        while self.store.expire(over, EXPIRY_BATCH, &mut |removal| noted.removal(&removal)) {}
    }

    fn keep_again(&mut self, now: UnixMs, key: &Key, at: Place, entry: &Entry, out: &mut Outbox) {
        let cause = match self.keep(now, key, at, entry, out) {
            Put::Stored => return,
            Put::Expired => Cause::Expired,
            // There was more room when it was written. What it replaced must not stay.
            Put::TooLarge { .. } => {
                self.lose(now, key, at, entry.version);
                Cause::Bytes
            }
        };
        out.event(|| Event::Dropped { key: key.clone(), version: entry.version, cause });
    }

    /// Puts an entry in and writes it down.
    pub(super) fn put(&mut self, now: UnixMs, key: &Key, at: Place, entry: &Entry, out: &mut Outbox) -> Put {
        let done = self.keep(now, key, at, entry, out);
        match done {
            Put::Stored => self.log(out, || Record::Put { key: key.clone(), entry: entry.clone() }),
            Put::Expired => {
                let version = entry.version;
                self.log(out, || Record::Remove { key: key.clone(), version });
            }
            Put::TooLarge { .. } => {}
        }
        done
    }

    /// The key, which is known to hold nothing newer, has no value from that version on, and the log says so.
    pub(super) fn remove(&mut self, now: UnixMs, key: &Key, at: Place, version: Version, out: &mut Outbox) {
        self.lose(now, key, at, version);
        self.log(out, || Record::Remove { key: key.clone(), version });
    }

    /// Puts in what a write came to. A touch leaves the value as it is, which is not written down again.
    pub(super) fn put_as(
        &mut self,
        did: Did,
        present: Option<Version>,
        (now, key, at): (UnixMs, &Key, Place),
        entry: &Entry,
        out: &mut Outbox,
    ) -> Put {
        match (did, present) {
            (Did::Touched, Some(from)) => self.touch(now, key, at, from, entry, out),
            _ => self.put(now, key, at, entry, out),
        }
    }

    /// Gives what is there another version, and nothing else.
    pub(super) fn restamp(&mut self, now: UnixMs, key: &Key, at: Place, version: Version, out: &mut Outbox) {
        let Some((from, deadline)) = self.peek(now, key, at).map(|entry| (entry.version, entry.deadline)) else {
            return;
        };
        self.store.restamp(at.hash, key.as_bytes(), version);
        self.log(out, || Record::Touch { key: key.clone(), from, version, deadline });
    }

    /// Gives a value another version or deadline: a change of that entry which leaves the value as it is.
    fn touch(&mut self, now: UnixMs, key: &Key, at: Place, from: Version, entry: &Entry, out: &mut Outbox) -> Put {
        let (version, deadline) = (entry.version, entry.deadline);
        let done = self.keep(now, key, at, entry, out);
        match done {
            Put::Stored => self.log(out, || Record::Touch { key: key.clone(), from, version, deadline }),
            Put::Expired => self.log(out, || Record::Remove { key: key.clone(), version }),
            Put::TooLarge { .. } => {}
        }
        done
    }
}
