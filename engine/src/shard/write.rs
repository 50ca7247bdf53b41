//! Writes at their primary: decided, versioned, applied, replicated, and acknowledged when their level is met.
//!
//! A write outlives its answer: it is repeated to every replica believed alive until that replica has it, so that a
//! later primary does not serve what an acknowledged write has replaced.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::decide::{Did, decide};
use super::gather::Purpose;
use super::local::{self, Known, Put};
use super::{Asker, Pending, Shard, Work, others};
use crate::effect::{Event, Outbox};
use crate::error::Failure;
use crate::id::{Lsn, NodeId, RequestId, Slot, Version};
use crate::map::Phase;
use crate::message::{Change, Message, Verdict};
use crate::mutant::{self, Mutant};
use crate::record::Record;
use crate::request::{Answer, Condition, Key, Operation, Request, WriteLevel};
use crate::time::{Instant, Time, UnixMs};
use crate::view::View;

/// A write that replicas have yet to confirm.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    /// Who waits for the answer; `None` once it has been given.
    asker: Option<Asker>,
    key: Key,
    level: WriteLevel,
    /// The version that the write has: what its answer says.
    version: Version,
    /// The key's version when it was last sent, this write's or that of a later one: what a confirmation must be about.
    sent: Version,
    /// What the answer says was there before.
    existed: bool,
    did: Did,
    /// Replicas that refused it and have been told that nothing is left of it here, in order.
    told_gone: Vec<NodeId>,
    /// The other nodes that have confirmed it, in order. Who of them counts is for the view of the moment to say: one
    /// that is no replica of the slot any more has freed it.
    confirmed: Vec<NodeId>,
    /// The last record that this node has written about it: the answer waits for that one.
    logged: Option<Lsn>,
}

impl Shard {
    /// Carries a write out, as the slot's primary. One that depends on what is there asks first where that is in doubt.
    pub(super) fn write(
        &mut self,
        time: Time,
        view: &View,
        asker: Asker,
        deadline: Instant,
        request: Request,
        out: &mut Outbox,
    ) {
        let depends = match &request.operation {
            Operation::Set { condition, .. } => *condition != Condition::Always,
            _ => true,
        };
        let slot = request.key.slot();
        // Whether there is something to replace is also for the one to say who decided before.
        if depends && self.sources.doubts(slot) || view.takes_over(slot) || !view.is_sure() {
            let key = request.key.clone();
            return self.gather(time, view, Some(asker), deadline, key, Purpose::Decide(request), out);
        }
        self.carry_out(time, view, asker, deadline, (request, None), out);
    }

    /// Carries a write out, now that what was in doubt is known: whether there is something that somebody vouches for.
    pub(super) fn decided(
        &mut self,
        time: Time,
        view: &View,
        asker: Option<Asker>,
        deadline: Instant,
        (request, is_there): (Request, bool),
        out: &mut Outbox,
    ) {
        let Some(asker) = asker else { return };
        if view.is_primary(request.key.slot()) {
            return self.carry_out(time, view, asker, deadline, (request, Some(is_there)), out);
        }
        // Another has taken over meanwhile. Nothing was done here, and whoever passed it on may ask again.
        let timeout = deadline.since(time.instant);
        match asker {
            Asker::Client(_) => self.pass_on(time, view, asker, deadline, Request { timeout, ..request }, out),
            Asker::Peer(_) => {
                let failure = Failure::Indeterminate { copies: 0 };
                self.reply(asker, request.key.slot(), Err(failure), out);
            }
        }
    }

    /// Whether there is something may have been found out before.
    fn carry_out(
        &mut self,
        time: Time,
        view: &View,
        asker: Asker,
        deadline: Instant,
        (request, is_there): (Request, Option<bool>),
        out: &mut Outbox,
    ) {
        let slot = request.key.slot();
        let key = request.key;
        let level = request.operation.level().expect("only writes are written");
        let waiting = others(view, slot);
        if let Err(failure) = self.admit(view, &key, level, &waiting) {
            return self.reply(asker, slot, Err(failure), out);
        }
        let at = self.place(&key);
        let is_there = is_there.unwrap_or_else(|| !self.is_orphan(time.unix, &key, at, out));
        let Known { present, held } = self.known(time.unix, &key, at, out);
        let present = present.filter(|_| is_there);
        let there = || self.peek(time.unix, &key, at).filter(|_| is_there);
        let (put, did) = match decide(request.operation, present, there) {
            Ok(decided) => decided,
            Err(outcome) => return self.reply(asker, slot, outcome, out),
        };
        if !self.clock.may_give(time.unix, held) {
            self.counters.busy += 1;
            return self.reply(asker, slot, Err(Failure::ReadOnly), out);
        }
        let version = self.clock.next(time.unix, held);
        self.sources.decided(self.me, slot, version);
        let change = put.map_or(Change::Remove { version }, |put| put.at(version));
        let removed = match &change {
            Change::Put(entry) => match self.put_as(did, present, (time.unix, &key, at), entry, out) {
                Put::Stored => false,
                Put::Expired => true,
                Put::TooLarge { bytes } => {
                    let limit = self.store.limits().bytes.map_or(u64::MAX, |limit| limit - self.store.reserved());
                    return self.reply(asker, slot, Err(Failure::TooLarge { bytes, limit }), out);
                }
            },
            Change::Remove { .. } => {
                self.remove(time.unix, &key, at, version, out);
                true
            }
        };
        match did {
            Did::Deleted => self.counters.deletes += 1,
            Did::Stored | Did::Added(_) | Did::Touched => self.counters.sets += 1,
        }
        out.event(|| Event::Applied { key: key.clone(), version, removed, primary: true });
        let mut writing = Writing {
            asker: Some(asker),
            key,
            level,
            version,
            sent: version,
            existed: present.is_some(),
            did,
            told_gone: Vec::new(),
            confirmed: Vec::new(),
            logged: self.logged.filter(|_| !(removed && mutant::on(Mutant::DeleteUnsynced))),
        };
        if waiting.is_empty() {
            let outcome = Ok(writing.answer(view));
            return self.reply_after(writing.logged, asker, slot, outcome, out);
        }
        if level == WriteLevel::One || level == WriteLevel::Live && mutant::on(Mutant::AcknowledgeEarly) {
            let outcome = Ok(writing.answer(view));
            writing.asker = None;
            self.reply_after(writing.logged, asker, slot, outcome, out);
        }
        let key = writing.key.clone();
        let serial = self.hold(time.instant, deadline, 0, waiting.clone(), Work::Write(writing));
        let id = RequestId { node: self.me, serial };
        for to in waiting {
            out.send(to, Message::Replicate { id, key: key.clone(), change: change.clone() });
        }
    }

    /// A replica says what it did with a change.
    #[expect(clippy::too_many_arguments, reason = "the message's fields and the state machine's own three")]
    pub(super) fn replicated(
        &mut self,
        time: Time,
        view: &View,
        from: NodeId,
        id: RequestId,
        version: Version,
        verdict: Verdict,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get(&id.serial) else { return };
        if id.node != self.me || version != writing.sent || !self.heard(id.serial, from) {
            return;
        }
        match verdict {
            Verdict::Applied => {
                if let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get_mut(&id.serial) {
                    let place = writing.confirmed.partition_point(|node| *node < from);
                    writing.confirmed.insert(place, from);
                }
                self.settle_write(view, id.serial, out);
            }
            Verdict::Unlogged => self.settle_write(view, id.serial, out),
            Verdict::Refused { held } if !self.tell_gone(time, from, id.serial, out) => {
                self.move_on(time, view, id.serial, held, out);
            }
            Verdict::Refused { .. } => {}
        }
    }

    /// A replica has refused what was written, since it may hold something newer, and nothing is left of it here: it is
    /// told so, once. It may hold what was replaced, and would keep that. False where there is something to be decided.
    fn tell_gone(&mut self, time: Time, from: NodeId, serial: u64, out: &mut Outbox) -> bool {
        let Some(Pending { work: Work::Write(writing), waiting, .. }) = self.pending.get(&serial) else { return false };
        let current = self.peek(time.unix, &writing.key, self.place(&writing.key)).map(|entry| entry.version);
        let Err(place) = writing.told_gone.binary_search(&from) else { return false };
        if writing.removes() || current >= Some(writing.sent) {
            return false;
        }
        let mut waiting = waiting.clone();
        waiting.push(from);
        if let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get_mut(&serial) {
            writing.told_gone.insert(place, from);
        }
        self.wait_for(time.instant, serial, waiting);
        // It may have stood in a line for this replica: there it had no time of its own.
        self.sent_anew(time.instant, serial);
        self.send_write(time.unix, serial, &[from], out);
        true
    }

    /// A replica knows of a version that is not below this write's.
    fn move_on(&mut self, time: Time, view: &View, serial: u64, held: Version, out: &mut Outbox) {
        self.clock.observe(held);
        let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get(&serial) else { return };
        let (key, own, sent) = (writing.key.clone(), writing.version, writing.sent);
        if !view.is_primary(key.slot()) {
            return self.yield_to(time, view, serial, key, out);
        }
        let at = self.place(&key);
        let current = self.peek(time.unix, &key, at).map(|entry| entry.version);
        let known = current.unwrap_or(self.floors.floor(at.slot));
        let next = match (current, writing.removes()) {
            // What is here is newer than what the replica holds, or it has that by another write, which many may be
            // repeated of at a time: it must have it, under this write's name.
            _ if (current.is_some() || writing.removes()) && (known > held || known == held && sent < held) => known,
            // The value is gone from here, and the replica knows of something newer: there is nothing to tell it.
            (None, false) => return self.settle_write(view, serial, out),
            // It is told later, once there may be a version for it.
            _ if !self.clock.may_give(time.unix, held.max(current.unwrap_or(Version::ZERO))) => return,
            // The value here, or its absence, was decided later than what the replica holds, by a clock that was
            // behind.
            (Some(current), _) => {
                let version = self.clock.next(time.unix, current.max(held));
                self.restamp(time.unix, &key, at, version, out);
                version
            }
            (None, _) => {
                let version = self.clock.next(time.unix, held);
                self.floors.raise(at.slot, version);
                self.gone.raise(at.slot, version);
                self.log(out, || Record::Remove { key: key.clone(), version });
                version
            }
        };
        let (targets, logged) = (others(view, key.slot()), self.logged);
        if let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get_mut(&serial) {
            writing.logged = logged;
            if writing.removes() || current == Some(own) {
                writing.version = next;
            }
            writing.sent = next;
            writing.confirmed.clear();
        }
        self.wait_for(time.instant, serial, targets.clone());
        // It may have stood in a line, for the replica that has just answered: there it had no time of its own.
        self.sent_anew(time.instant, serial);
        self.send_write(time.unix, serial, &targets, out);
        self.settle_write(view, serial, out);
    }

    /// As [`Shard::move_on`], where another node decides about the slot by now. What the replica holds may be what that
    /// one made of this very write, read by others already: it must not be replaced with what came before it, and this
    /// node cannot tell. Whoever waits is told so, and all who keep the key take the latest of it.
    fn yield_to(&mut self, time: Time, view: &View, serial: u64, key: Key, out: &mut Outbox) {
        if let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get_mut(&serial)
            && let Some(asker) = writing.asker.take()
        {
            let copies = writing.copies(view);
            self.reply(asker, key.slot(), Err(Failure::Indeterminate { copies }), out);
        }
        self.gather(time, view, None, Instant::NEVER, key, Purpose::Read, out);
        self.settle_write(view, serial, out);
    }

    /// Is something on its way to that node which was decided here about the key, before the node took the slot over?
    pub(super) fn is_telling(&self, view: &View, node: NodeId, key: &Key) -> bool {
        let tells = |pending: &Pending| match &pending.work {
            Work::Write(writing) => writing.key == *key && pending.waiting.contains(&node),
            _ => false,
        };
        view.map.phase == Phase::Handing && !view.is_primary(key.slot()) && self.pending.values().any(tells)
    }

    /// Answers when the level is met or can no longer be; ends when no replica is waited for.
    pub(super) fn settle_write(&mut self, view: &View, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get(&serial) else { return };
        let slot = writing.key.slot();
        self.wait_for_replicas(serial, slot, view);
        let Some(Pending { work: Work::Write(writing), waiting, .. }) = self.pending.get_mut(&serial) else { return };
        let needed = needed(view, &writing.key, writing.level);
        let copies = writing.copies(view);
        let met = match writing.level {
            WriteLevel::One => true,
            WriteLevel::Live => waiting.is_empty(),
            WriteLevel::Quorum => copies >= needed,
            // A member that others stand in for is not needed, and is waited for all the same where it is back.
            WriteLevel::All => copies >= needed && waiting.is_empty(),
        };
        let hopeless = usize::from(copies) + waiting.len() < usize::from(needed);
        let outcome = match (met, hopeless) {
            (true, _) => Some(Ok(writing.answer(view))),
            (false, true) => Some(Err(Failure::Indeterminate { copies })),
            (false, false) => None,
        };
        let (done, logged) = (waiting.is_empty(), writing.logged);
        let asker = outcome.is_some().then(|| writing.asker.take()).flatten();
        if done {
            self.release(serial);
        }
        if let (Some(asker), Some(outcome)) = (asker, outcome) {
            self.reply_after(logged, asker, slot, outcome, out);
        }
    }

    /// Some replica has not confirmed in time: repeat, and tell whoever waits too long that the outcome is unknown.
    pub(super) fn write_due(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(Pending { deadline, work: Work::Write(writing), .. }) = self.pending.get_mut(&serial) else { return };
        if *deadline <= time.instant
            && let Some(asker) = writing.asker.take()
        {
            let (slot, copies) = (writing.key.slot(), writing.copies(view));
            self.counters.timeouts += 1;
            self.reply(asker, slot, Err(Failure::Indeterminate { copies }), out);
        }
        self.settle_write(view, serial, out);
        let again = self.repeat(time, serial);
        self.send_write(time.unix, serial, &again, out);
    }

    /// Sends the key's state as it is now: a later write under the same key makes an earlier one's value useless.
    pub(super) fn send_write(&mut self, now: UnixMs, serial: u64, targets: &[NodeId], out: &mut Outbox) {
        if targets.is_empty() {
            return;
        }
        let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get(&serial) else { return };
        let (key, version) = (writing.key.clone(), writing.sent);
        let change = match self.peek(now, &key, self.place(&key)).map(|entry| local::owned(&entry)) {
            Some(entry) if entry.version >= version => Change::Put(entry),
            _ => Change::Remove { version },
        };
        let sent = change.version();
        let id = RequestId { node: self.me, serial };
        let Some(Pending { work: Work::Write(writing), .. }) = self.pending.get_mut(&serial) else { return };
        writing.sent = sent;
        for to in targets {
            out.send(*to, Message::Replicate { id, key: key.clone(), change: change.clone() });
        }
    }

    /// Can a write of that level be carried out at all?
    fn admit(&mut self, view: &View, key: &Key, level: WriteLevel, waiting: &[NodeId]) -> Result<(), Failure> {
        if let Some(failure) = &self.refusing {
            self.counters.busy += 1;
            return Err(failure.clone());
        }
        let (needed, alive) = (needed(view, key, level), view.alive_replicas(key.slot()));
        if alive < needed {
            return Err(Failure::Unavailable { needed, alive });
        }
        self.room(0, waiting)
    }
}

impl Writing {
    pub(super) fn slot(&self) -> Slot {
        self.key.slot()
    }

    /// Nobody waits for its answer any more.
    pub(super) fn is_answered(&self) -> bool {
        self.asker.is_none()
    }

    /// The lowest version that some replica has yet to confirm.
    pub(super) fn unconfirmed(&self) -> Version {
        self.version.min(self.sent)
    }

    pub(super) fn digest(&self, state: &mut impl Hasher) {
        (self.asker, &self.key, self.level, self.version, self.sent, self.existed).hash(state);
        (self.did, &self.told_gone, &self.confirmed).hash(state);
    }

    /// Replicas of the slot that have it, this node included.
    fn copies(&self, view: &View) -> u8 {
        let slot = self.key.slot();
        let others = self.confirmed.iter().filter(|node| view.replicas(slot).contains(node));
        u8::from(view.is_replica(slot)) + others.count() as u8
    }

    /// What is said once the level is met. It counts the copies that will be kept when nothing moves any more.
    fn answer(&self, view: &View) -> Answer {
        let slot = self.key.slot();
        let others = self.confirmed.iter().filter(|node| view.keeps(**node, slot)).count() as u8;
        let lasting = u8::from(view.keeps(view.me, slot)) + others;
        let (version, copies, created) = (self.version, lasting.max(1), !self.existed);
        match self.did {
            Did::Stored => Answer::Stored { version, copies, created },
            Did::Deleted => {
                let copies = copies + u8::from(mutant::on(Mutant::CountOneMore));
                Answer::Deleted { copies, existed: self.existed }
            }
            Did::Added(value) => Answer::Added { value, version, copies, created },
            Did::Touched => Answer::Touched { version, copies },
        }
    }

    fn removes(&self) -> bool {
        self.did == Did::Deleted
    }
}

/// True when a write of that level without a condition is answered by the call that submits it: this node is the
/// primary, and the level asks for nobody else, or nobody else is there to be asked.
pub fn writes_at_once(view: &View, slot: Slot, level: WriteLevel) -> bool {
    let alone = level == WriteLevel::One && !view.takes_over(slot) || view.alive_replicas(slot) == 1;
    view.is_primary(slot) && alone
}

/// Copies without which the level cannot be met.
fn needed(view: &View, key: &Key, level: WriteLevel) -> u8 {
    match level {
        WriteLevel::One | WriteLevel::Live => 1,
        WriteLevel::Quorum => view.majority(key.slot()).max(view.map.replicas / 2 + 1),
        WriteLevel::All => view.all(key.slot()),
    }
}
