//! What a shard tells a replica that missed something: which keys it has that are newer, and what it has seen go.
//!
//! A page at a time, each from a cursor that the asker brings back: nothing is remembered of who asks, work and bytes
//! of a page are bounded, and a page that is lost is asked for again.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Shard;
use super::sources::AGAIN;
use crate::effect::Outbox;
use crate::id::{Lanes, NodeId, RequestId, SLOTS, Slot, Version};
use crate::limits::{MAX_PAGE_BYTES, MAX_PAGE_FLOORS, MAX_PAGE_KEYS, MAX_PAGE_PLACES};
use crate::message::{Message, Slots};
use crate::request::Key;
use crate::view::View;

/// What is asked for.
pub(super) struct Asked {
    pub(super) lanes: Lanes,
    pub(super) since: Version,
    pub(super) cursor: u64,
    pub(super) gained: bool,
    pub(super) slots: Option<Slots>,
}

/// Cursors below this are places in the store, for keys; from it on they are slots, for floors.
///
/// Keys come first: what goes from the store before its key is listed is in the floors that are listed later.
pub(super) const FLOORS: u64 = 1 << 63;

impl Shard {
    /// Answers a `Sync` with a page.
    pub(super) fn list(&mut self, view: &View, from: NodeId, id: RequestId, asked: Asked, out: &mut Outbox) {
        let Asked { lanes: asked, since, cursor, gained, slots } = asked;
        let lanes = asked.and(self.lanes);
        // What is written here while the asker is believed dead does not reach it: no page would be the last word.
        let Some(slot) = asked.first().filter(|_| view.is_alive(from) && !lanes.is_empty()) else { return };
        if !gained {
            self.sources.tells(lanes, since, self.seen.unix);
        }
        let shared = |slot: Slot| {
            let replicas = view.replicas(slot);
            let both = lanes.contains(slot) && replicas.contains(&from) && replicas.contains(&view.me);
            // Where digests are known to be the same there is nothing to be told.
            both && (!gained || view.gains(from, slot)) && slots.as_ref().is_none_or(|slots| slots.contains(slot))
        };
        // What is withheld now may be told in a moment, and then need not be asked for again.
        if gained && self.sources.may_yet_vouch(from, lanes) {
            return;
        }
        // It has been told the rest, and repeats its question until there is something to be told.
        if gained && since >= AGAIN && self.sources.may_yet_tell(from, lanes) {
            return;
        }
        let vouches = lanes.and(if gained { self.sources.vouched_to(from) } else { self.sources.vouched() });
        // Who gains a slot would serve what nobody vouches for.
        let hidden = |slot: Slot, version: Version| match gained {
            true => self.sources.is_unvouched(slot, version),
            false => self.sources.is_hidden(slot, version),
        };
        let shown = |slot: Slot, version: Version| shared(slot) && !hidden(slot, version);
        let lists_keys = cursor < FLOORS && slots.as_ref().is_none_or(|slots| !slots.is_empty());
        let (keys, more) = if lists_keys { self.page_of_keys(cursor, since, shown) } else { (Vec::new(), None) };
        let (floors, next) = match more {
            Some(place) => (Vec::new(), Some(place)),
            None => self.page_of_floors(cursor.saturating_sub(FLOORS), since, shared),
        };
        self.counters.listed += keys.len() as u64;
        out.send(from, Message::Listed { id, slot, lanes, cursor, next, vouches, floors, keys });
    }

    /// What was removed from slots beginning with that one, and the cursor to go on with.
    fn page_of_floors(
        &self,
        from: u64,
        since: Version,
        shared: impl Fn(Slot) -> bool,
    ) -> (Vec<(Slot, Version)>, Option<u64>) {
        let mut floors = self.gone.above(from.min(u64::from(SLOTS)) as u16, since).filter(|(slot, _)| shared(*slot));
        let page = floors.by_ref().take(MAX_PAGE_FLOORS.min(self.tuning.batch as usize)).collect();
        (page, floors.next().map(|(slot, _)| FLOORS + u64::from(slot.number())))
    }

    /// What is held in places beginning with that one, and the cursor to go on with.
    fn page_of_keys(
        &self,
        mut place: u64,
        since: Version,
        shown: impl Fn(Slot, Version) -> bool,
    ) -> (Vec<(Key, Version)>, Option<u64>) {
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for visited in 1.. {
            let next = self.store.scan(place, 1, &mut |key, entry| {
                // What has expired and was not freed yet is not among the floors either: the asker has to be told.
                if entry.version > since && shown(crate::hash::slot(key), entry.version) {
                    bytes += key.len();
                    let key = Key::new(Bytes::copy_from_slice(key)).expect("a stored key has a key's length");
                    keys.push((key, entry.version));
                }
            });
            let Some(next) = next else { return (keys, None) };
            if visited >= MAX_PAGE_PLACES
                || keys.len() >= MAX_PAGE_KEYS.min(self.tuning.batch as usize)
                || bytes >= MAX_PAGE_BYTES
            {
                return (keys, Some(next));
            }
            place = next;
        }
        unreachable!("a page has a limit")
    }
}
