//! Finding out in which slots two nodes differ, before anything is listed: by one number for each slot.
//!
//! A slot's digest stands for all keys that are held of it, with their versions, and for what the slot has seen go.
//! Where the digests of two nodes are equal, a listing of that slot would have named what is here in the very version,
//! and nothing gone that is not known here: it would have changed nothing. Every other slot is listed. The asker
//! compares an answer with what it holds when the answer comes; what is written from the moment on at which the other
//! has given it reaches the asker by itself, as it does from the moment of a page that lists.
//!
//! Digests belong to the store and to nobody's pull. They are worked out by a walk when somebody first asks, a bounded
//! part for each question, follow every change from then on, and are forgotten when nobody has asked for a while.

use alloc::vec::Vec;
use core::time::Duration;

use super::pull::{Digests, Pulling};
use super::{Pending, Shard, Work};
use crate::effect::Outbox;
use crate::id::{Lanes, NodeId, RequestId, SLOTS, Slot, Version};
use crate::limits::{MAX_PAGE_DIGESTS, MAX_PAGE_KEYS, MAX_PAGE_PLACES};
use crate::message::{Message, Slots};
use crate::store::digest_of;
use crate::time::{Instant, Time};
use crate::view::View;

/// What is asked for.
pub(super) struct Asked {
    pub(super) lanes: Lanes,
    pub(super) since: Version,
    pub(super) cursor: u64,
}

/// An answer, as it came.
pub(super) struct Told {
    pub(super) lanes: Lanes,
    pub(super) cursor: u64,
    pub(super) next: Option<u64>,
    pub(super) digests: Vec<(Slot, u64)>,
}

/// Cursors below this count questions while digests are being worked out; from it on they are slots.
const SLOTS_FROM: u64 = 1 << 63;

/// A node with fewer entries is told of every key: digests would say no less.
const LEAST_ENTRIES: u32 = 16;

/// Digests are forgotten when nobody has asked for them for so long: until then a change of the store costs a little
/// more.
const KEPT: Duration = Duration::from_secs(10);

/// Where a run keeps batches small, so many times more is done for digests in one go than for a listing.
pub(crate) const FACTOR: u32 = 8;

impl Shard {
    /// Is it worth while to compare digests before anything, or anything more, of that pull is listed? Where what was
    /// missed is known to be recent a first page is listed, which often is all.
    pub(super) fn may_compare(&self, pulling: &Pulling) -> bool {
        let much = pulling.since == Version::ZERO || pulling.told >= MAX_PAGE_KEYS.min(self.tuning.batch as usize);
        much && !pulling.gained && pulling.digests == Digests::Unasked && self.store.len() >= LEAST_ENTRIES
    }

    /// Works out the digests of this node, a part of them at a time, and then asks for those of the other.
    pub(super) fn begin_to_compare(&mut self, time: Time, serial: u64, out: &mut Outbox) {
        let over = self.digest_some(time.instant);
        let at = if over { self.backoff(time.instant, 0) } else { Instant(time.instant.0 + 1) };
        if let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) {
            pulling.slots.get_or_insert_with(Slots::none);
            (pulling.cursor, pulling.waiting) = (0, over);
            pulling.digests = if over { Digests::Asked } else { Digests::Own };
        }
        if over {
            self.send_sync(serial, out);
        }
        // The lock is let go of in between.
        self.look_again(serial, at);
    }

    /// Answers a `Compare`.
    pub(super) fn tell_digests(&mut self, view: &View, from: NodeId, id: RequestId, asked: Asked, out: &mut Outbox) {
        let Asked { lanes: asked, since, cursor } = asked;
        let lanes = asked.and(self.lanes);
        // What is written here while the asker is believed dead does not reach it: nothing that is said would last.
        let Some(slot) = asked.first().filter(|_| view.is_alive(from) && !lanes.is_empty()) else { return };
        // From now on the asker may find out that something has gone in the meantime.
        self.sources.tells(lanes, since, self.seen.unix);
        let (digests, next) = match (self.digest_some(self.seen.instant), cursor.checked_sub(SLOTS_FROM)) {
            (true, first) => self.page_of_digests(first.unwrap_or(0), view, from, lanes),
            (false, None) => (Vec::new(), Some(cursor + 1)),
            // They were forgotten between two questions.
            (false, Some(_)) => (Vec::new(), Some(0)),
        };
        out.send(from, Message::Compared { id, slot, lanes, cursor, next, digests });
    }

    /// The digests of slots beginning with that one, and the cursor to go on with.
    fn page_of_digests(&self, first: u64, view: &View, from: NodeId, lanes: Lanes) -> (Vec<(Slot, u64)>, Option<u64>) {
        let shared = |slot: &Slot| {
            let replicas = view.replicas(*slot);
            lanes.contains(*slot) && replicas.contains(&from) && replicas.contains(&view.me)
        };
        let slots = (first.min(u64::from(SLOTS)) as u16..SLOTS).filter_map(Slot::new).filter(shared);
        let mut digests =
            slots.filter_map(|slot| Some((slot, self.digest_of(slot)?))).filter(|(_, digest)| *digest != 0);
        let most = MAX_PAGE_DIGESTS.min(self.tuning.batch.saturating_mul(FACTOR) as usize);
        let page = digests.by_ref().take(most).collect();
        (page, digests.next().map(|(slot, _)| SLOTS_FROM + u64::from(slot.number())))
    }

    /// An answer to a `Compare` has come.
    pub(super) fn compared(
        &mut self,
        time: Time,
        view: &View,
        from: NodeId,
        id: RequestId,
        told: Told,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&id.serial) else { return };
        let waits = pulling.digests == Digests::Asked && pulling.waiting && pulling.cursor == told.cursor;
        let lanes = pulling.lanes.and(told.lanes);
        if !waits || id.node != self.me || pulling.from != from || lanes.is_empty() {
            return;
        }
        let elsewhere = pulling.narrow(lanes);
        let (mut differ, mut known) = (Vec::new(), true);
        for (slot, there) in told.digests.into_iter().filter(|(slot, _)| lanes.contains(*slot)) {
            let here = self.digest_of(slot);
            known &= here.is_some();
            if here == Some(there) {
                // As a page would have it: what was sent before that went may still be under way to here.
                self.floors.raise(slot, self.gone.floor(slot).preceding());
                self.counters.slots_same += 1;
            } else {
                differ.push(slot);
            }
        }
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&id.serial) else { return };
        pulling.slots.get_or_insert_with(Slots::none).extend(differ);
        pulling.cursor = told.next.unwrap_or(0);
        pulling.waiting = told.next.is_some() && known;
        pulling.digests = match pulling.waiting {
            true => Digests::Asked,
            false if known => Digests::Told,
            // This node has forgotten its own in the meantime.
            false => Digests::Own,
        };
        if pulling.waiting {
            self.send_sync(id.serial, out);
        }
        if let Some(call) = elsewhere {
            self.start_pull(time, call, out);
        }
        self.advance(time, view, id.serial, out);
    }

    /// Goes on with working out digests, and keeps them for a while. True when they are known.
    fn digest_some(&mut self, now: Instant) -> bool {
        self.digests_until = now + KEPT;
        self.store.digest_some(MAX_PAGE_PLACES.min(self.tuning.batch.saturating_mul(FACTOR)))
    }

    /// One number for what is held of a slot and for what it has seen go; 0 for nothing. `None` while it is not known.
    fn digest_of(&self, slot: Slot) -> Option<u64> {
        let gone = self.gone.floor(slot);
        // No key is empty.
        let of_gone = if gone == Version::ZERO { 0 } else { digest_of(b"", gone) };
        Some(self.store.digest(slot)?.wrapping_add(of_gone))
    }

    /// When digests are to be forgotten.
    pub(super) fn digests_until(&self) -> Option<Instant> {
        self.store.has_digests().then_some(self.digests_until)
    }

    /// Forgets digests that nobody has asked for in a while.
    pub(super) fn forget_digests(&mut self, now: Instant) {
        if self.digests_until <= now {
            self.store.forget_digests();
        }
    }
}
