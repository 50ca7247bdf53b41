//! Questions to every replica of a key: reads at `quorum`, `explain`, and whatever concerns a key that is in doubt
//! here.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::vouch::{Use, vouches};
use super::{Asker, Pending, Shard, Work, others};
use crate::effect::Outbox;
use crate::error::Failure;
use crate::id::{NodeId, RequestId, Slot, Version};
use crate::message::{Change, Message, Wanted};
use crate::request::{Answer, Entry, Holding, Inspection, Key, Outcome, Request};
use crate::time::{Instant, Time};
use crate::view::View;

/// A question that replicas have yet to answer.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    /// Nobody, where this node asks for itself.
    asker: Option<Asker>,
    key: Key,
    purpose: Purpose,
    found: Vec<(NodeId, Found)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The highest version of a majority.
    Read,
    /// What everybody holds.
    Inspect,
    /// A read that this node would answer alone if the key were not in doubt here.
    Doubt,
    /// A write that depends on what is there, where that is in doubt.
    Decide(Request),
    /// A key that a pull has found to be in question.
    Settle {
        /// The pull.
        pull: u64,
        /// Whether a copy is wanted, or first of all what there is.
        wanted: Wanted,
        /// The one who is asked; everybody where it is none.
        only: Option<Only>,
    },
}

/// An old owner of a slot that this node gains, which is asked alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Only {
    pub(super) node: NodeId,
    /// What this node knew to have gone from the slot when it asked. The other knew that as well, and its answer may
    /// be older than whatever has gone since.
    pub(super) floor: Version,
}

/// What one replica holds.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) holding: Holding,
    pub(super) entry: Option<Entry>,
}

impl Shard {
    #[expect(clippy::too_many_arguments, reason = "the request's fields and the state machine's own three")]
    pub(super) fn gather(
        &mut self,
        time: Time,
        view: &View,
        asker: Option<Asker>,
        deadline: Instant,
        key: Key,
        purpose: Purpose,
        out: &mut Outbox,
    ) {
        let slot = key.slot();
        let alive = view.alive_replicas(slot);
        let needed = view.majority(slot);
        if purpose == Purpose::Read && alive < needed {
            return self.respond(asker, &key, Err(Failure::Unavailable { needed, alive }), out);
        }
        let bytes = purpose.payload();
        let waiting = purpose.asked(view, &key);
        if let Err(failure) = self.room(bytes, &waiting) {
            return self.respond(asker, &key, Err(failure), out);
        }
        let mut found = Vec::new();
        if purpose.counts_own(view, slot) {
            let (holding, entry) = self.holding(time.unix, &key, purpose.wanted(), out);
            found.push((self.me, Found { holding, entry }));
        }
        let gathering = Gathering { asker, purpose, found, key };
        let serial = self.hold(time.instant, deadline, bytes, waiting.clone(), Work::Gather(gathering));
        self.send_gather(serial, &waiting, out);
        self.settle_gather(time, view, serial, false, out);
    }

    /// A replica says what it holds.
    pub(super) fn fetched(
        &mut self,
        time: Time,
        view: &View,
        from: NodeId,
        id: RequestId,
        found: Found,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Gather(_), .. }) = self.pending.get(&id.serial) else { return };
        if id.node != self.me || !self.heard(id.serial, from) {
            return;
        }
        let bytes = found.entry.as_ref().map_or(0, |entry| entry.value.bytes.len());
        let full = self.pending_bytes.saturating_add(bytes) > self.tuning.pending_bytes;
        let Some(pending) = self.pending.get_mut(&id.serial) else { return };
        let Work::Gather(gathering) = &mut pending.work else { return };
        // What this node asks for itself is bounded by the keys that it settles at a time.
        if full && gathering.asker.is_some() {
            return self.give_up_gather(id.serial, out);
        }
        pending.bytes += bytes;
        self.pending_bytes += bytes;
        gathering.found.push((from, found));
        self.settle_gather(time, view, id.serial, false, out);
    }

    /// The view has changed: who is asked is asked anew, under another name, since what was said before one of them was
    /// away counts no longer, however late it comes.
    pub(super) fn gather_anew(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let serial = self.rename(serial);
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.pending.get(&serial) else { return };
        let (key, wanted) = (gathering.key.clone(), gathering.purpose.wanted());
        let found = match gathering.purpose.counts_own(view, key.slot()) {
            true => {
                let (holding, entry) = self.holding(time.unix, &key, wanted, out);
                vec![(self.me, Found { holding, entry })]
            }
            false => Vec::new(),
        };
        let Some(pending) = self.pending.get_mut(&serial) else { return };
        let Work::Gather(gathering) = &mut pending.work else { return };
        let bytes = gathering.purpose.payload();
        self.pending_bytes -= pending.bytes - bytes;
        pending.bytes = bytes;
        gathering.found = found;
        let targets = gathering.purpose.asked(view, &gathering.key);
        self.wait_for(time.instant, serial, targets.clone());
        // It may have stood in a line under its old name.
        self.sent_anew(time.instant, serial);
        self.send_gather(serial, &targets, out);
        self.settle_gather(time, view, serial, false, out);
    }

    /// Answers when enough replicas have, or no more can.
    pub(super) fn settle_gather(&mut self, time: Time, view: &View, serial: u64, last: bool, out: &mut Outbox) {
        let Some(Pending { work: Work::Gather(_), .. }) = self.pending.get(&serial) else { return };
        self.wait_for_living(serial, view);
        let Some(Pending { work: Work::Gather(gathering), waiting, .. }) = self.pending.get(&serial) else { return };
        let needed = view.majority(gathering.key.slot());
        // What nobody else keeps by this map, somebody may keep by a later one.
        let sure = view.is_sure() || matches!(gathering.purpose, Purpose::Inspect | Purpose::Settle { .. });
        let heard = waiting.is_empty() && sure;
        let enough = sure
            && gathering.purpose == Purpose::Read
            && gathering.found.len() >= usize::from(needed)
            // Where one of them may have missed something, a majority may not know what the others do.
            && (heard || !gathering.found.iter().any(|(_, found)| found.holding.doubt));
        if !(enough || heard || last) {
            return;
        }
        let Some(Pending { deadline, work: Work::Gather(gathering), .. }) = self.release(serial) else { return };
        let Gathering { asker, key, purpose, found, .. } = gathering;
        let outcome = match purpose {
            Purpose::Inspect => Ok(inspected(view, &key, &found)),
            Purpose::Read if enough => self.newest(time, &key, &found, out),
            Purpose::Read if !last => Err(Failure::Unavailable { needed, alive: view.alive_replicas(key.slot()) }),
            Purpose::Doubt if heard => self.resolved(time, &key, &found, out),
            Purpose::Decide(request) if heard => {
                let is_there = self.judge(time, &key, &found, Use::Client, out).is_some();
                return self.decided(time, view, asker, deadline, (request, is_there), out);
            }
            Purpose::Settle { pull, wanted, only } => {
                return self.settle_one(time, view, pull, (wanted, only), key, &found, out);
            }
            Purpose::Read | Purpose::Doubt | Purpose::Decide(_) => {
                self.counters.timeouts += 1;
                Err(Failure::Timeout)
            }
        };
        self.respond(asker, &key, outcome, out);
    }

    pub(super) fn gather_due(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(pending) = self.pending.get(&serial) else { return };
        if pending.deadline <= time.instant {
            return self.settle_gather(time, view, serial, true, out);
        }
        let again = self.repeat(time, serial);
        self.send_gather(serial, &again, out);
    }

    /// There is no room for what the replicas say. Nothing was decided yet.
    fn give_up_gather(&mut self, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.release(serial) else { return };
        self.counters.busy += 1;
        self.respond(gathering.asker, &gathering.key, Err(Failure::Busy { limit: "MAX_PENDING_BYTES" }), out);
    }

    /// A read of a key in doubt, now that all have said what they hold.
    fn resolved(&mut self, time: Time, key: &Key, found: &[(NodeId, Found)], out: &mut Outbox) -> Outcome {
        let entry = self.judge(time, key, found, Use::Client, out);
        self.noted_read(key, entry, out)
    }

    /// A key of a pull, now that all have said what they hold.
    #[expect(clippy::too_many_arguments, reason = "the gathering's fields and the state machine's own three")]
    fn settle_one(
        &mut self,
        time: Time,
        view: &View,
        pull: u64,
        (wanted, only): (Wanted, Option<Only>),
        key: Key,
        found: &[(NodeId, Found)],
        out: &mut Outbox,
    ) {
        let entries = found.iter().filter_map(|(_, found)| found.entry.as_ref());
        let values: u64 = entries.clone().map(|entry| entry.value.bytes.len() as u64).sum();
        let bytes = values + entries.count() as u64 * key.as_bytes().len() as u64;
        if only.is_some() {
            self.budget.came(bytes);
            self.filling.remove(&key);
            self.counters.filled += u64::from(bytes > 0);
            self.counters.filled_bytes += bytes;
        } else {
            self.counters.missed_bytes += bytes;
        }
        // A pull that is forgotten was overtaken by another absence, in which this may have gone out of date.
        if !self.pulls(pull) {
            return;
        }
        let present = self.peek(time.unix, &key, self.place(&key)).map(|entry| entry.version);
        let elsewhere = found.iter().filter_map(|(_, found)| found.holding.version).max();
        // What has gone from the one that was asked alone may be what was said to have gone, or not.
        let went = |holding: &Holding| holding.version.is_none() && present.is_some_and(|held| holding.floor > held);
        let unsure = only.is_some() && found.iter().any(|(_, f)| f.holding.doubt || went(&f.holding));
        let more = wanted == Wanted::Version && elsewhere > present;
        if more || unsure {
            if self.room(0, &others(view, key.slot())).is_err() {
                // Nothing is made of half an answer.
                return self.ask_later(time, view, pull, key, elsewhere, out);
            }
            let only = only.filter(|_| !unsure);
            if only.is_some() {
                self.budget.asked();
                self.filling.insert(key.clone());
            }
            let purpose = Purpose::Settle { pull, wanted: Wanted::Copy, only };
            return self.gather(time, view, None, Instant::NEVER, key, purpose, out);
        }
        let purpose = only.filter(|_| !unsure).map_or(Use::CatchUp, |only| Use::Fill { floor: only.floor });
        self.judge(time, &key, found, purpose, out);
        let lacking = found.iter().filter(|(node, found)| *node != self.me && found.holding.version.is_none());
        let gone = lacking.map(|(_, found)| (key.slot(), found.holding.floor)).max();
        self.settled_one(time, view, pull, gone, out);
    }

    /// The highest version wins, and whoever had an older one is told. A replica that has nothing and has seen
    /// something newer of the slot go cannot tell: then nobody can vouch for the value, and it is a miss.
    fn newest(&mut self, time: Time, key: &Key, found: &[(NodeId, Found)], out: &mut Outbox) -> Outcome {
        let known = found.iter().filter_map(|(_, found)| found.holding.version).max();
        let gone = found.iter().filter(|(_, found)| found.holding.version.is_none());
        let floor = gone.map(|(_, found)| found.holding.floor).max().unwrap_or(Version::ZERO);
        let doubted = self.sources.doubted_up_to(key.slot(), found);
        let told = found.iter().filter(|(_, found)| found.holding.version > Some(doubted) || vouches(found));
        let best = told.filter_map(|(_, found)| found.entry.as_ref()).max_by_key(|entry| entry.version);
        let vouched = best.filter(|entry| {
            let live = entry.deadline.is_none_or(|deadline| deadline > time.unix);
            live && Some(entry.version) >= known && entry.version >= floor
        });
        let Some(entry) = vouched else {
            self.counters.misses += 1;
            return Ok(Answer::Missing);
        };
        self.counters.hits += 1;
        for (node, found) in found {
            if Self::version_of(&found.holding) >= entry.version {
                continue;
            }
            let change = Change::Put(entry.clone());
            if *node == self.me {
                self.apply(time.unix, key, change, out);
            } else {
                let id = RequestId { node: self.me, serial: self.next_serial() };
                out.send(*node, Message::Replicate { id, key: key.clone(), change });
            }
        }
        Ok(Answer::Found(entry.clone()))
    }

    fn respond(&mut self, asker: Option<Asker>, key: &Key, outcome: Outcome, out: &mut Outbox) {
        if let Some(asker) = asker {
            self.reply(asker, key.slot(), outcome, out);
        }
    }

    pub(super) fn send_gather(&mut self, serial: u64, targets: &[NodeId], out: &mut Outbox) {
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.pending.get(&serial) else { return };
        let id = RequestId { node: self.me, serial };
        let wanted = gathering.purpose.wanted();
        for to in targets {
            out.send(*to, Message::Fetch { id, key: gathering.key.clone(), wanted });
        }
    }
}

impl Gathering {
    /// Is it about a key that a pull has found to be in question?
    pub(super) fn settles(&self) -> bool {
        matches!(self.purpose, Purpose::Settle { .. })
    }

    /// Has that member said what it holds?
    pub(super) fn is_told_by(&self, member: NodeId) -> bool {
        self.found.iter().any(|(from, _)| *from == member)
    }

    /// Adds it to a hash; `name` gives the name of a pull.
    pub(super) fn digest(&self, name: impl Fn(u64) -> RequestId, state: &mut impl Hasher) {
        (self.asker, &self.key).hash(state);
        match &self.purpose {
            Purpose::Read => state.write_u8(0),
            Purpose::Inspect => state.write_u8(1),
            Purpose::Doubt => state.write_u8(2),
            Purpose::Decide(request) => request.hash(state),
            Purpose::Settle { pull, wanted, only } => {
                (name(*pull), *wanted as u8, only.map(|only| (only.node, only.floor))).hash(state);
            }
        }
        let mut found: Vec<_> = self.found.iter().collect();
        found.sort_unstable_by_key(|(node, _)| *node);
        for (node, Found { holding, entry }) in found {
            (node, holding, entry).hash(state);
        }
    }
}

impl Purpose {
    fn wanted(&self) -> Wanted {
        match self {
            Purpose::Inspect => Wanted::Facts,
            Purpose::Read | Purpose::Doubt => Wanted::Value,
            Purpose::Decide(_) => Wanted::Copy,
            Purpose::Settle { wanted, .. } => *wanted,
        }
    }

    /// The replicas to ask.
    fn asked(&self, view: &View, key: &Key) -> Vec<NodeId> {
        match self {
            Purpose::Settle { only: Some(only), .. } => {
                [only.node].into_iter().filter(|node| view.is_alive(*node)).collect()
            }
            _ => others(view, key.slot()),
        }
    }

    /// Is what this node holds a part of the answer? Of one that is aside it is shown to people only.
    fn counts_own(&self, view: &View, slot: Slot) -> bool {
        match self {
            Purpose::Read => view.is_replica(slot) && view.is_alive(view.me),
            Purpose::Inspect => view.is_replica(slot),
            Purpose::Doubt | Purpose::Decide(_) | Purpose::Settle { .. } => false,
        }
    }

    /// Bytes that it keeps in memory.
    fn payload(&self) -> usize {
        match self {
            Purpose::Decide(request) => request.operation.payload(),
            _ => 0,
        }
    }
}

fn inspected(view: &View, key: &Key, found: &[(NodeId, Found)]) -> Answer {
    let held = |node| found.iter().find(|(from, _)| *from == node).map(|(_, found)| found.holding);
    let replicas = view.replicas(key.slot()).iter();
    Answer::Inspected(replicas.map(|node| Inspection { node: *node, held: held(*node) }).collect())
}
