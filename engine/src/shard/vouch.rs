//! What the answers of other replicas make of a key: which version is the current one, if anybody can vouch for any.
//!
//! The highest version wins, unless a replica that has nothing has seen something newer of the slot go. It cannot say
//! what that was, so nothing older is believed: a cache may forget, and must not remember wrongly. An entry of this
//! node itself is doubted only by what happened since it last knew all that the other did.

use super::Shard;
use super::gather::Found;
use super::local::{self, Known, Place, Put};
use crate::effect::{Event, Outbox};
use crate::id::{NodeId, Slot, Version};
use crate::record::Record;
use crate::request::{Entry, Key};
use crate::store::Store;
use crate::time::{Time, UnixMs};

/// Why a key is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Somebody reads or writes it: it becomes the most recently used.
    Client,
    /// It was missed. Where there is no room it may stay where it is.
    CatchUp,
    /// As that, and an old owner of the slot, which is in sync, was asked alone.
    Fill {
        /// What was known here to have gone from the slot when it was asked.
        floor: Version,
    },
}

impl Shard {
    /// Judges what others hold against what is here now, keeps what wins, drops what nobody vouches for, and returns
    /// the entry when a client wants it.
    pub(super) fn judge(
        &mut self,
        time: Time,
        key: &Key,
        found: &[(NodeId, Found)],
        purpose: Use,
        out: &mut Outbox,
    ) -> Option<Entry> {
        let entry = self.merge(time, key, found, purpose, out)?;
        let at = self.place(key);
        if purpose != Use::Client || entry.version > self.sources.doubted_up_to(at.slot, found) {
            return Some(entry);
        }
        // Nobody is left who knows what happened in the slot while those who hold it were away.
        let vouched = found.iter().any(|(_, f)| f.holding.version == Some(entry.version) && vouches(f));
        if vouched || entry.version > self.sources.orphans.floor(at.slot) {
            return Some(entry);
        }
        // Whoever is missing may come back and vouch for it.
        if self.sources.is_hidden(at.slot, entry.version) {
            self.drop_unvouched(time.unix, key, at, entry.version, out);
        }
        None
    }

    /// The highest version wins.
    fn merge(
        &mut self,
        time: Time,
        key: &Key,
        found: &[(NodeId, Found)],
        purpose: Use,
        out: &mut Outbox,
    ) -> Option<Entry> {
        let at = self.place(key);
        let me = self.me;
        let others = found.iter().filter(|(node, _)| *node != me);
        // One whose deadline has passed by the clock of this node wins as well: what it replaced must not stay here.
        let elsewhere = others.clone().filter_map(|(_, found)| found.entry.as_ref());
        let best = elsewhere.max_by_key(|entry| entry.version).cloned();
        for (_, found) in others.clone() {
            self.clock.observe(found.holding.version.unwrap_or(Version::ZERO).max(found.holding.floor));
        }
        let present = self.known(time.unix, key, at, out).present;
        let is_disowned = present.is_some_and(|version| self.is_disowned(at.slot, version, others.clone()));
        let gone = others.filter(|(_, found)| found.holding.version.is_none());
        let newer = best.filter(|entry| Some(entry.version) > present);
        let Some(entry) = newer else {
            let version = present?;
            let floor = gone.filter_map(|(node, found)| {
                let since = self.sources.missed_since(*node, at.slot)?;
                Some(found.holding.floor).filter(|floor| *floor > since)
            });
            if is_disowned || floor.max() > Some(version) {
                self.drop_unvouched(time.unix, key, at, version, out);
                return None;
            }
            return if purpose == Use::Client { self.take(time.unix, key, at, out) } else { None };
        };
        let floor = gone.map(|(_, found)| found.holding.floor).max().unwrap_or_default();
        let own = self.gone.floor(at.slot);
        let known = matches!(purpose, Use::Fill { floor } if floor == own);
        // An old owner that comes back, or is suspected by others, does not know what these have decided meanwhile.
        let own = if known { self.sources.decided_by_others(at.slot) } else { own };
        let floor = if present.is_none() { floor.max(own) } else { floor };
        if floor > entry.version {
            match (present, purpose) {
                (Some(version), _) => self.drop_unvouched(time.unix, key, at, version, out),
                (None, Use::Fill { .. }) => out.event(|| Event::Unvouched { key: key.clone(), version: entry.version }),
                (None, _) => {}
            }
            return None;
        }
        self.catch_up(time.unix, key, at, &entry, purpose, out);
        Some(entry).filter(|entry| entry.deadline.is_none_or(|deadline| deadline > time.unix))
    }

    /// Does this node hide that, and somebody who knows what there is has nothing, and nobody has it who does? It was
    /// told to nobody, and would be told to nobody once it is hidden no longer.
    fn is_disowned<'a>(
        &self,
        slot: Slot,
        version: Version,
        others: impl Iterator<Item = &'a (NodeId, Found)> + Clone,
    ) -> bool {
        let mut knowing = others.map(|(_, found)| &found.holding).filter(|holding| holding.before == Version::ZERO);
        self.sources.is_hidden(slot, version)
            && knowing.clone().any(|holding| holding.version.is_none())
            && knowing.all(|holding| holding.version != Some(version))
    }

    /// Keeps an entry that was missed, and that others vouch for.
    fn catch_up(&mut self, now: UnixMs, key: &Key, at: Place, entry: &Entry, purpose: Use, out: &mut Outbox) {
        let Known { present, .. } = self.known(now, key, at, out);
        if purpose != Use::Client && present.is_none() && !self.has_room_for(key, entry) {
            return self.leave_out(key, at, entry.version, out);
        }
        let removed = match self.put(now, key, at, entry, out) {
            Put::Stored => false,
            Put::Expired => true,
            // What it replaces must not stay.
            Put::TooLarge { .. } if present.is_some() => {
                self.remove(now, key, at, entry.version, out);
                true
            }
            Put::TooLarge { .. } => return self.leave_out(key, at, entry.version, out),
        };
        self.counters.caught_up += 1;
        out.event(|| Event::Applied { key: key.clone(), version: entry.version, removed, primary: false });
    }

    fn leave_out(&mut self, key: &Key, at: Place, version: Version, out: &mut Outbox) {
        self.counters.left_out += 1;
        // What it replaced may still be under way to here.
        self.floors.raise(at.slot, version.preceding());
        out.event(|| Event::LeftOut { key: key.clone(), version });
    }

    /// A full store makes room only for what was written later than what would have to go: what others use may not push
    /// out what is used here.
    fn has_room_for(&self, key: &Key, entry: &Entry) -> bool {
        let (value, media) = (entry.value.bytes.len(), entry.value.media.len());
        let bytes = Store::entry_bytes(key.as_bytes().len(), value, media, entry.deadline.is_some());
        let next = || self.store.next_to_go();
        self.store.has_room(bytes) || next().is_some_and(|(_, next)| next.version < entry.version)
    }

    /// Is what is here as good as nothing, since nobody is there who knows whether it is current? It is dropped where
    /// nobody can come back who does.
    pub(super) fn is_orphan(&mut self, now: UnixMs, key: &Key, at: Place, out: &mut Outbox) -> bool {
        let version = self.peek(now, key, at).map(|entry| entry.version);
        let Some(version) = version.filter(|version| self.sources.is_unvouched(at.slot, *version)) else {
            return false;
        };
        if self.sources.is_hidden(at.slot, version) {
            self.drop_unvouched(now, key, at, version, out);
        }
        true
    }

    pub(super) fn drop_unvouched(&mut self, now: UnixMs, key: &Key, at: Place, version: Version, out: &mut Outbox) {
        self.floors.raise(at.slot, version);
        // Who comes back with something older hears of it here, and may not reach whoever knew better.
        self.gone.raise(at.slot, version);
        self.store.remove(now, at.hash, key.as_bytes());
        self.log(out, || Record::Forget { key: key.clone(), version });
        self.counters.unvouched += 1;
        out.event(|| Event::Unvouched { key: key.clone(), version });
    }

    /// A copy of what is stored, without a use of it.
    pub(super) fn copy(&self, now: UnixMs, key: &Key, at: Place) -> Option<Entry> {
        self.peek(now, key, at).map(|entry| local::owned(&entry))
    }
}

/// Does a replica vouch for the version that it holds?
pub(super) fn vouches(found: &Found) -> bool {
    found.holding.version > Some(found.holding.before)
}
