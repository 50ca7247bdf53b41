//! Freeing what is kept elsewhere now: entries of slots that have moved away from this node.
//!
//! A part at each tick. They are neither read nor listed any more, and nothing is remembered of their going: they have
//! not gone, they have moved. Those for which nobody was left to vouch were given to nobody, and go with their slots.
//! Before the node comes to keep one of those slots again, all of them must be free: what has happened to them
//! meanwhile is not known here.
//!
//! What nobody is left to vouch for, in a slot that stays, goes as well. A start would forget that nobody vouches, and
//! serve it again.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Shard, Work};
use crate::effect::{Event, Outbox};
use crate::id::Version;
use crate::record::Record;
use crate::request::Key;
use crate::time::UnixMs;
use crate::view::View;

/// Places of the store that are looked at in one go, so that a lock is held for a bounded time.
const LOOKED_AT: u32 = 1_024;

/// Where the search for entries goes on that this node keeps no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purging {
    /// There are none.
    Done,
    /// A log may have brought back some that were not freed yet when the node went down, and also some of slots that it
    /// keeps by a later map than it began with: nothing is looked for until the map is known to be the latest.
    Unsure,
    /// At that place of the store.
    At(u64),
}

impl Purging {
    /// Is there something to do at the next tick?
    pub(super) fn is_due(self) -> bool {
        matches!(self, Purging::At(_))
    }
}

impl Shard {
    /// Another view is about to be adopted: notes what has to be freed by it.
    pub(super) fn give_up_slots(&mut self, view: &View, out: &mut Outbox) {
        let (gains, loses) = (self.sources.would_gain(view), self.sources.would_lose(view));
        if gains && let Some(before) = self.sources.view().cloned() {
            while self.purging.is_due() {
                self.free_some(&before, out);
            }
        }
        if self.sources.view().is_some_and(|before| before.map != view.map) {
            let orphans = &self.sources.orphans;
            for slot in orphans.iter().filter(|slot| !view.is_replica(*slot)) {
                self.withheld.insert(slot, orphans.floor(slot));
            }
        }
        if loses || self.purging == Purging::Unsure && view.is_sure() {
            self.begin_to_purge();
        }
    }

    fn begin_to_purge(&mut self) {
        self.given_up = self.sources.orphans.given_up().collect();
        self.purging = Purging::At(0);
    }

    /// Is there something to be freed that is not looked for yet?
    pub(super) fn has_to_purge(&self) -> bool {
        self.purging == Purging::Done && self.sources.orphans.given_up().next().is_some()
    }

    /// Frees some of what this node keeps no longer, unless it is still telling others of it.
    pub(super) fn purge_some(&mut self, view: &View, out: &mut Outbox) {
        if self.has_to_purge() {
            self.begin_to_purge();
        }
        let telling = |work: &Work| matches!(work, Work::Write(writing) if !view.is_replica(writing.slot()));
        if self.purging.is_due() && !self.pending.values().any(|pending| telling(&pending.work)) {
            self.free_some(view, out);
        }
    }

    fn free_some(&mut self, view: &View, out: &mut Outbox) {
        let Purging::At(place) = self.purging else { return };
        let [mut moved, mut unvouched] = [const { Vec::<(Key, Version)>::new() }; 2];
        let given_up = &self.given_up;
        let next = self.store.scan(place, LOOKED_AT, &mut |key, entry| {
            let slot = crate::hash::slot(key);
            let list = match given_up.get(&slot) {
                _ if !view.is_replica(slot) => &mut moved,
                Some(up_to) if entry.version <= *up_to => &mut unvouched,
                _ => return,
            };
            let key = Key::new(Bytes::copy_from_slice(key)).expect("a stored key has a key's length");
            list.push((key, entry.version));
        });
        self.purging = next.map_or(Purging::Done, Purging::At);
        self.counters.moved += moved.len() as u64;
        for (key, version) in moved {
            let hash = self.store.hash(key.as_bytes());
            // At the beginning of time nothing has expired: it goes, deadline or not.
            self.store.remove(UnixMs(0), hash, key.as_bytes());
            self.log(out, || Record::Forget { key: key.clone(), version });
            let slot = key.slot();
            match self.withheld.get(&slot).is_some_and(|before| version <= *before) {
                true => out.event(|| Event::Unvouched { key, version }),
                false => out.event(|| Event::Moved { key, version }),
            }
        }
        for (key, version) in unvouched {
            let at = self.place(&key);
            self.drop_unvouched(UnixMs(0), &key, at, version, out);
        }
        if self.purging == Purging::Done {
            self.withheld.clear();
            let given_up = core::mem::take(&mut self.given_up);
            if !given_up.is_empty() {
                given_up.into_iter().for_each(|(slot, up_to)| self.sources.orphans.dropped(slot, up_to));
                self.sources.sum_up();
            }
        }
    }
}
