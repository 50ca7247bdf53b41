//! Making up for what was missed: a pull from one replica, page by page, key by key.
//!
//! Pages say which newer keys the other has, and then what it has seen go: what goes while they are being listed is
//! among it. What it has seen go is compared with what this node holds, and every key that is in question, here or
//! there, is settled by asking all replicas of it that are alive: `vouch.rs` judges their answers. Reads of the lanes
//! ask them too until the pull is done, so nothing waits for it.
//!
//! A pull that is out of date, because one of the two was away once more, is forgotten with all that it had under way:
//! nothing that was learned before counts afterwards.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use bytes::Bytes;

use super::gather::{Only, Purpose};
use super::listing::FLOORS;
use super::sources::{AGAIN, Call};
use super::{Pending, Shard, Work, others};
use crate::effect::{Event, Outbox};
use crate::id::{Lanes, NodeId, RequestId, Slot, Version};
use crate::limits::{MAX_CLOCK_AHEAD, MAX_SETTLING};
use crate::map::Phase;
use crate::message::{Message, Slots, Wanted};
use crate::mutant::{self, Mutant};
use crate::request::Key;
use crate::sorted::{SortedMap, sort_by_key};
use crate::time::{Instant, Time};
use crate::view::View;

/// A pull that runs.
#[derive(Clone, Debug)]
pub(super) struct Pulling {
    pub(super) from: NodeId,
    pub(super) lanes: Lanes,
    pub(super) since: Version,
    /// It is about slots that this node gains.
    pub(super) gained: bool,
    /// How far the two have compared what they have.
    pub(super) digests: Digests,
    /// The slots that are listed: those in which the two are known to differ. `None`: all of them.
    pub(super) slots: Option<Slots>,
    /// Keys that the other has listed.
    pub(super) told: usize,
    /// The page that is asked for, or was taken in last.
    pub(super) cursor: u64,
    /// It has not come yet.
    pub(super) waiting: bool,
    /// The page of the listing after it.
    next: Option<u64>,
    /// Lanes for which the other vouches, as far as it has said.
    vouches: Lanes,
    /// What the other has seen go since, by ascending slot.
    floors: Vec<(Slot, Version)>,
    /// What has gone from slots of the keys that were asked about, where somebody had nothing. The other may have
    /// listed the key, and then what it had seen go, before that went as well.
    gone: SortedMap<Slot, Version>,
    /// Where the comparison of the floors with this store goes on.
    comparing: Comparing,
    todo: VecDeque<Todo>,
    /// Keys of which the other replicas are being asked.
    settling: u32,
}

/// How far two nodes have compared the digests of their slots (`compare.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Digests {
    /// Not at all.
    Unasked,
    /// This node works out its own.
    Own,
    /// The other is asked for its own.
    Asked,
    /// They have been compared.
    Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Comparing {
    /// Floors are still coming.
    Later,
    /// At that place of the store.
    At(u64),
    Done,
}

/// A key in question.
#[derive(Clone, Debug, Hash)]
enum Todo {
    /// The other has it in that version.
    Listed(Key, Version),
    /// It is here, and the other has seen something newer of its slot go.
    Held(Key),
}

/// One page, as it came.
pub(super) struct Page {
    pub(super) lanes: Lanes,
    pub(super) cursor: u64,
    pub(super) next: Option<u64>,
    pub(super) vouches: Lanes,
    pub(super) floors: Vec<(Slot, Version)>,
    pub(super) keys: Vec<(Key, Version)>,
}

/// Places of the own store that are compared in one go, so that a lock is held for a bounded time.
const COMPARED: u32 = 1_024;

/// When a pull looks again whose keys are all being fetched by another one.
const FETCHED_BY_ANOTHER: Duration = Duration::from_millis(5);

impl Todo {
    fn key(&self) -> &Key {
        match self {
            Todo::Listed(key, _) | Todo::Held(key) => key,
        }
    }
}

impl Pulling {
    /// Keys of gained slots that are known and have not come.
    pub(super) fn waiting_for_gained(&self) -> u64 {
        if self.gained { self.todo.len() as u64 + u64::from(self.settling) } else { 0 }
    }

    /// The other answers for those lanes alone. What lives in another stripe over there is a pull of its own.
    pub(super) fn narrow(&mut self, lanes: Lanes) -> Option<Call> {
        let elsewhere = self.lanes.without(lanes);
        self.lanes = lanes;
        let &mut Pulling { from, since, gained, .. } = self;
        (!elsewhere.is_empty()).then_some(Call { from, lanes: elsewhere, since, gained })
    }

    pub(super) fn digest(&self, state: &mut impl Hasher) {
        (self.digests, &self.slots, self.told).hash(state);
        (self.from, self.lanes, self.since, self.gained, self.cursor, self.waiting, self.next).hash(state);
        (&self.floors, self.comparing, &self.todo, self.settling).hash(state);
        self.gone.iter().for_each(|gone| gone.hash(state));
    }
}

impl Shard {
    /// Begins every pull that is called for and does not run.
    pub(super) fn start_pulls(&mut self, time: Time, out: &mut Outbox) {
        let due: Vec<Call> = self.sources.due().collect();
        for call in due {
            self.start_pull(time, call, out);
        }
    }

    pub(super) fn start_pull(&mut self, time: Time, call: Call, out: &mut Outbox) {
        let Call { from, lanes, since, gained } = call;
        if let Some(source) = self.sources.find(from) {
            let running = if gained { &mut source.gaining } else { &mut source.pulling };
            *running = running.or(lanes);
        }
        self.counters.pulls += 1;
        let mut pulling = Pulling {
            from,
            lanes,
            since,
            gained,
            digests: Digests::Unasked,
            slots: None,
            told: 0,
            cursor: 0,
            waiting: true,
            next: Some(0),
            vouches: Lanes::NONE,
            floors: Vec::new(),
            gone: SortedMap::new(),
            comparing: Comparing::Later,
            todo: VecDeque::new(),
            settling: 0,
        };
        let compares = self.may_compare(&pulling);
        pulling.waiting = !compares;
        let serial = self.hold(time.instant, Instant::NEVER, 0, Vec::new(), Work::Pull(pulling));
        match compares {
            true => self.begin_to_compare(time, serial, out),
            false => self.send_sync(serial, out),
        }
    }

    /// Forgets the pulls from those members, and with them what they had under way.
    pub(super) fn cancel_pulls(&mut self, from: &[NodeId]) {
        let of_those = |pending: &Pending| matches!(&pending.work, Work::Pull(pulling) if from.contains(&pulling.from));
        let serials: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| of_those(pending)).map(|(serial, _)| *serial).collect();
        for serial in serials {
            self.release(serial);
        }
        for node in from {
            if let Some(source) = self.sources.find(*node) {
                (source.pulling, source.gaining) = (Lanes::NONE, Lanes::NONE);
            }
        }
    }

    /// A page has come.
    pub(super) fn listed(
        &mut self,
        time: Time,
        view: &View,
        from: NodeId,
        id: RequestId,
        page: Page,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&id.serial) else { return };
        let asked = pulling.waiting && !matches!(pulling.digests, Digests::Own | Digests::Asked);
        let answers = id.node == self.me && pulling.from == from && asked && pulling.cursor == page.cursor;
        let lanes = pulling.lanes.and(page.lanes);
        if !answers || lanes.is_empty() {
            return;
        }
        let elsewhere = pulling.narrow(lanes);
        pulling.waiting = false;
        pulling.told += page.keys.len();
        pulling.next = page.next;
        // What one page has withheld is in none that comes after it.
        pulling.vouches = if page.cursor == 0 { page.vouches } else { pulling.vouches.and(page.vouches) };
        // One wrong clock must not carry this one along.
        let credible = |version: Version| version.unix().since(time.unix) <= MAX_CLOCK_AHEAD;
        for (slot, version) in page.floors.iter().filter(|(slot, version)| lanes.contains(*slot) && credible(*version))
        {
            // What was sent before it went may still be under way to here, and arrive after the comparison. That alone:
            // of the very version that was evicted there this node may become a copy.
            self.floors.raise(*slot, version.preceding());
        }
        pulling.floors.extend(page.floors);
        if page.next.is_none() {
            let hides = self.sources.hides(lanes.and(page.vouches));
            pulling.comparing = if pulling.floors.is_empty() && !hides { Comparing::Done } else { Comparing::At(0) };
            sort_by_key(&mut pulling.floors, |floor| *floor);
        }
        let keys = page.keys.into_iter().filter(|(key, version)| lanes.contains(key.slot()) && credible(*version));
        pulling.todo.extend(keys.map(|(key, version)| Todo::Listed(key, version)));
        if let Some(call) = elsewhere {
            self.start_pull(time, call, out);
        }
        self.advance(time, view, id.serial, out);
    }

    /// A key of a pull is in question still, and there is no room to ask more about it: that begins anew.
    pub(super) fn ask_later(
        &mut self,
        time: Time,
        view: &View,
        pull: u64,
        key: Key,
        elsewhere: Option<Version>,
        out: &mut Outbox,
    ) {
        if let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&pull) {
            let todo = elsewhere.map(|version| Todo::Listed(key.clone(), version));
            pulling.todo.push_back(todo.unwrap_or(Todo::Held(key)));
        }
        self.settled_one(time, view, pull, None, out);
    }

    /// A key of a pull is settled, or was given up; that has gone from its slot where somebody had nothing.
    pub(super) fn settled_one(
        &mut self,
        time: Time,
        view: &View,
        serial: u64,
        gone: Option<(Slot, Version)>,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) else { return };
        if let Some((slot, version)) = gone.filter(|(_, version)| *version > Version::ZERO) {
            let known = pulling.gone.get_or_default(slot);
            *known = (*known).max(version);
        }
        pulling.settling = pulling.settling.saturating_sub(1);
        self.advance(time, view, serial, out);
    }

    /// Does the pull still run?
    pub(super) fn pulls(&self, serial: u64) -> bool {
        matches!(self.pending.get(&serial), Some(Pending { work: Work::Pull(_), .. }))
    }

    /// The page has not come in time, or there is more to compare.
    pub(super) fn pull_due(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get(&serial) else { return };
        if pulling.waiting {
            self.again(time.instant, serial);
            self.send_sync(serial, out);
        } else {
            self.advance(time, view, serial, out);
        }
    }

    /// Goes on as far as is possible now.
    pub(super) fn advance(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        loop {
            let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) else { return };
            if pulling.digests == Digests::Own {
                return self.begin_to_compare(time, serial, out);
            }
            if pulling.settling >= MAX_SETTLING.min(self.tuning.batch) {
                return self.look_again(serial, Instant::NEVER);
            }
            if pulling.gained
                && !pulling.todo.is_empty()
                && let Some(at) = self.budget.wait(time.instant)
            {
                return self.look_again(serial, at);
            }
            let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) else { return };
            let filling = &self.filling;
            let next = pulling.todo.iter().position(|todo| !pulling.gained || !filling.contains(todo.key()));
            if next.is_none() && !pulling.todo.is_empty() {
                // Another pull is fetching them.
                return self.look_again(serial, time.instant + FETCHED_BY_ANOTHER);
            }
            if let Some(todo) = next.and_then(|next| pulling.todo.remove(next)) {
                if let Err(todo) = self.settle(time, view, serial, todo, out) {
                    if let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) {
                        pulling.todo.push_front(todo);
                    }
                    return self.look_again(serial, time.instant + self.tuning.pause);
                }
                continue;
            }
            if let Comparing::At(place) = pulling.comparing {
                self.compare(view, serial, place);
                let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get(&serial) else { return };
                if pulling.todo.is_empty() && pulling.comparing != Comparing::Done {
                    // The lock is let go of in between.
                    return self.look_again(serial, Instant(time.instant.0 + 1));
                }
                continue;
            }
            if pulling.settling > 0 || pulling.waiting {
                let wake = if pulling.waiting { self.backoff(time.instant, 0) } else { Instant::NEVER };
                return self.look_again(serial, wake);
            }
            let Some(next) = pulling.next else { return self.end_pull(serial, out) };
            if next < FLOORS
                && let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get(&serial)
                && self.may_compare(pulling)
            {
                return self.begin_to_compare(time, serial, out);
            }
            let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) else { return };
            (pulling.cursor, pulling.waiting) = (next, true);
            self.send_sync(serial, out);
        }
    }

    /// Asks the other replicas for a key, unless what they would say is known. Gives the key back when there is no
    /// room.
    fn settle(&mut self, time: Time, view: &View, serial: u64, todo: Todo, out: &mut Outbox) -> Result<(), Todo> {
        let (key, wanted) = match &todo {
            Todo::Listed(key, version) => {
                let held = self.peek(time.unix, key, self.place(key)).map(|entry| entry.version);
                if held >= Some(*version) {
                    return Ok(());
                }
                (key, Wanted::Copy)
            }
            Todo::Held(key) => (key, Wanted::Version),
        };
        let key = key.clone();
        if self.room(0, &others(view, key.slot())).is_err() {
            return Err(todo);
        }
        // An old owner that is in sync knows all that the others do: the primary is asked alone, and what is written
        // meanwhile comes by itself. Once slots are handed over, whoever is filled late may decide itself.
        let asks_one = view.map.phase == Phase::Filling;
        let slot = key.slot();
        let floor = self.gone.floor(slot);
        let primary = view.primary(slot).filter(|node| *node != self.me);
        let mut only = None;
        if let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) {
            pulling.settling += 1;
            only = (pulling.gained && asks_one).then(|| Only { node: primary.unwrap_or(pulling.from), floor });
        }
        if only.is_some() {
            self.budget.asked();
            self.filling.insert(key.clone());
        }
        self.gather(time, view, None, Instant::NEVER, key, Purpose::Settle { pull: serial, wanted, only }, out);
        Ok(())
    }

    /// Finds entries of this node that are older than what the other has seen go, and those that this node hides, where
    /// the other vouches for what there is.
    fn compare(&mut self, view: &View, serial: u64, place: u64) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get_mut(&serial) else { return };
        let Pulling { floors, from, todo, lanes, vouches, .. } = pulling;
        let (from, vouched, sources) = (*from, lanes.and(*vouches), &self.sources);
        let next = self.store.scan(place, COMPARED.min(self.tuning.batch), &mut |key, entry| {
            let slot = crate::hash::slot(key);
            let floor = floors.binary_search_by_key(&slot, |(slot, _)| *slot).map(|index| floors[index].1);
            let is_hidden = vouched.contains(slot) && sources.is_hidden(slot, entry.version);
            if (is_hidden || floor.is_ok_and(|floor| floor > entry.version)) && view.replicas(slot).contains(&from) {
                let key = Key::new(Bytes::copy_from_slice(key)).expect("a stored key has a key's length");
                todo.push_back(Todo::Held(key));
            }
        });
        pulling.comparing = next.map_or(Comparing::Done, Comparing::At);
    }

    /// The other has been heard out.
    fn end_pull(&mut self, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.release(serial) else { return };
        for (slot, version) in pulling.floors.into_iter().chain(pulling.gone.iter().map(|(slot, gone)| (*slot, *gone)))
        {
            self.gone.raise(slot, version);
        }
        self.counters.pulled += 1;
        if mutant::on(Mutant::StayInDoubt) && self.pulls_running > 0 {
            return;
        }
        if pulling.gained {
            let again = pulling.since >= AGAIN;
            self.sources.gave(pulling.from, pulling.lanes, pulling.vouches, again);
        }
        if let Some(source) = self.sources.find(pulling.from) {
            let above = source.above;
            if !pulling.gained {
                source.open = source.open.without(pulling.lanes);
                source.vouches = source.vouches.or(pulling.vouches.and(pulling.lanes));
                source.pulling = source.pulling.without(pulling.lanes);
            }
            if source.open.or(source.gained).is_empty() {
                out.event(|| Event::Reconciled { with: pulling.from });
            }
            // It has yet to hear this node out, and may not have begun to.
            if !pulling.gained {
                self.sources.tells(pulling.lanes, above, self.seen.unix);
            }
        }
        self.sources.sum_up();
    }

    /// Asks for what is to come next.
    pub(super) fn send_sync(&mut self, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Pull(pulling), .. }) = self.pending.get(&serial) else { return };
        let id = RequestId { node: self.me, serial };
        let &Pulling { from, lanes, since, cursor, gained, ref slots, .. } = pulling;
        let lives = if cursor == 0 { self.sources.lives(from) } else { Vec::new() };
        out.send(
            from,
            match pulling.digests {
                Digests::Own | Digests::Asked => Message::Compare { id, lanes, since, cursor, lives },
                Digests::Unasked | Digests::Told => {
                    Message::Sync { id, lanes, since, cursor, gained, slots: slots.clone(), lives }
                }
            },
        );
    }

    /// Looks at a pending request at that moment, however often it was repeated.
    pub(super) fn look_again(&mut self, serial: u64, at: Instant) {
        if let Some(pending) = self.pending.get_mut(&serial) {
            pending.attempt = 0;
        }
        self.wake_at(serial, at);
    }
}
