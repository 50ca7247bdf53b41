//! Questions to every replica of a key: reads at `quorum`, and `explain`.

use alloc::vec::Vec;

use super::{Asker, Pending, Shard, Work};
use crate::effect::Outbox;
use crate::error::Failure;
use crate::id::{NodeId, RequestId};
use crate::message::{Change, Message};
use crate::request::{Answer, Entry, Holding, Inspection, Key, Outcome};
use crate::time::{Instant, Time};
use crate::view::View;

/// A question that replicas have yet to answer.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    asker: Asker,
    key: Key,
    purpose: Purpose,
    waiting: Vec<NodeId>,
    found: Vec<(NodeId, Found)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The highest version of a majority.
    Read,
    /// What everybody holds.
    Inspect,
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
        asker: Asker,
        deadline: Instant,
        key: Key,
        purpose: Purpose,
        out: &mut Outbox,
    ) {
        let slot = key.slot();
        let alive = view.alive_replicas(slot);
        let needed = majority(view, &key);
        if purpose == Purpose::Read && alive < needed {
            return self.reply(asker, slot, Err(Failure::Unavailable { needed, alive }), out);
        }
        if let Err(failure) = self.room(0) {
            return self.reply(asker, slot, Err(failure), out);
        }
        let replicas = view.replicas(slot).iter().copied();
        let waiting = replicas.filter(|node| *node != self.me && view.is_alive(*node)).collect();
        let mut found = Vec::new();
        if view.is_replica(slot) {
            let (holding, entry) = self.holding(time.unix, &key, purpose == Purpose::Read, out);
            found.push((self.me, Found { holding, entry }));
        }
        let gathering = Gathering { asker, key, purpose, waiting, found };
        let serial = self.hold(time.instant, deadline, 0, Work::Gather(gathering));
        self.send_gather(serial, out);
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
        let Some(pending) = self.pending.get_mut(&id.serial) else { return };
        let Work::Gather(gathering) = &mut pending.work else { return };
        let Some(place) = gathering.waiting.iter().position(|node| *node == from) else { return };
        if id.node != self.me {
            return;
        }
        gathering.waiting.swap_remove(place);
        let bytes = found.entry.as_ref().map_or(0, |entry| entry.value.bytes.len());
        pending.bytes += bytes;
        self.pending_bytes += bytes;
        gathering.found.push((from, found));
        self.settle_gather(time, view, id.serial, false, out);
    }

    /// Answers when enough replicas have, or no more can.
    pub(super) fn settle_gather(&mut self, time: Time, view: &View, serial: u64, last: bool, out: &mut Outbox) {
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.pending.get_mut(&serial) else { return };
        gathering.waiting.retain(|node| view.is_alive(*node));
        let needed = majority(view, &gathering.key);
        let enough = gathering.purpose == Purpose::Read && gathering.found.len() >= usize::from(needed);
        if !(enough || gathering.waiting.is_empty() || last) {
            return;
        }
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.release(serial) else { return };
        let slot = gathering.key.slot();
        let outcome = match gathering.purpose {
            Purpose::Inspect => Ok(inspected(view, &gathering)),
            Purpose::Read if enough => self.newest(time, &gathering, out),
            Purpose::Read if last => Err(Failure::Timeout),
            Purpose::Read => Err(Failure::Unavailable { needed, alive: view.alive_replicas(slot) }),
        };
        if outcome == Err(Failure::Timeout) {
            self.counters.timeouts += 1;
        }
        self.reply(gathering.asker, slot, outcome, out);
    }

    pub(super) fn gather_due(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(pending) = self.pending.get(&serial) else { return };
        if pending.deadline <= time.instant {
            return self.settle_gather(time, view, serial, true, out);
        }
        self.again(time.instant, serial);
        self.send_gather(serial, out);
    }

    /// The highest version wins, and whoever had an older one is told. A floor at or above it means that some replica
    /// has seen it go, or cannot tell: then nobody can vouch for the value, and it is a miss.
    fn newest(&mut self, time: Time, gathering: &Gathering, out: &mut Outbox) -> Outcome {
        let known = gathering.found.iter().map(|(_, found)| Self::version_of(&found.holding)).max();
        let best =
            gathering.found.iter().filter_map(|(_, found)| found.entry.as_ref()).max_by_key(|entry| entry.version);
        let vouched = best
            .filter(|entry| Some(entry.version) >= known && entry.deadline.is_none_or(|deadline| deadline > time.unix));
        let Some(entry) = vouched else {
            self.counters.misses += 1;
            return Ok(Answer::Missing);
        };
        self.counters.hits += 1;
        for (node, found) in &gathering.found {
            if Self::version_of(&found.holding) >= entry.version {
                continue;
            }
            let change = Change::Put(entry.clone());
            if *node == self.me {
                self.apply(time.unix, &gathering.key, change, out);
            } else {
                let id = RequestId { node: self.me, serial: self.next_serial() };
                out.send(*node, Message::Replicate { id, key: gathering.key.clone(), change });
            }
        }
        Ok(Answer::Found(entry.clone()))
    }

    fn send_gather(&mut self, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Gather(gathering), .. }) = self.pending.get(&serial) else { return };
        let id = RequestId { node: self.me, serial };
        let body = gathering.purpose == Purpose::Read;
        for to in &gathering.waiting {
            out.send(*to, Message::Fetch { id, key: gathering.key.clone(), body });
        }
    }
}

fn inspected(view: &View, gathering: &Gathering) -> Answer {
    let held = |node| gathering.found.iter().find(|(from, _)| *from == node).map(|(_, found)| found.holding);
    let replicas = view.replicas(gathering.key.slot()).iter();
    Answer::Inspected(replicas.map(|node| Inspection { node: *node, held: held(*node) }).collect())
}

/// A strict majority of the slot's replicas.
fn majority(view: &View, key: &Key) -> u8 {
    view.replicas(key.slot()).len() as u8 / 2 + 1
}
