//! Requests that another node must carry out: passed on, repeated, and answered.
//!
//! Of the reads of one key only one at a time is under way: `flight.rs`.

use alloc::vec;

use core::hash::{Hash, Hasher};

use super::{Asker, Pending, Shard, Work};
use crate::effect::{Event, Outbox, Served};
use crate::error::Failure;
use crate::id::{NodeId, RequestId};
use crate::limits;
use crate::message::Message;
use crate::request::{Answer, Outcome, Request};
use crate::time::{Instant, Time};
use crate::view::View;

/// A request that was passed on, or that shares the answer of one that was.
#[derive(Clone, Debug)]
pub(super) struct Forwarding {
    asker: Asker,
    pub(super) request: Request,
    /// Where it was last sent, and which start of that node was meant. `None` after that node has said that it did not
    /// carry it out, and for a read that shares another's answer.
    sent: Option<(NodeId, u64)>,
}

impl Forwarding {
    pub(super) fn digest(&self, state: &mut impl Hasher) {
        (self.asker, &self.request, self.sent).hash(state);
    }
}

impl Shard {
    /// Passes a client's request on to the primary.
    pub(super) fn pass_on(
        &mut self,
        time: Time,
        view: &View,
        asker: Asker,
        deadline: Instant,
        request: Request,
        out: &mut Outbox,
    ) {
        let slot = request.key.slot();
        let Some(primary) = view.primary(slot) else {
            let failure = Failure::Unavailable { needed: 1, alive: 0 };
            return self.reply(asker, slot, Err(failure), out);
        };
        let bytes = request.operation.payload();
        if let Err(failure) = self.room(bytes, &[primary]) {
            return self.reply(asker, slot, Err(failure), out);
        }
        self.counters.forwarded += 1;
        let work = Work::Forward(Forwarding { asker, request, sent: None });
        let serial = self.hold(time.instant, deadline, bytes, vec![primary], work);
        if self.boards(serial) {
            return self.wake_at(serial, deadline);
        }
        self.send_forward(time, view, serial, out);
    }

    /// The primary has answered.
    pub(super) fn answer(
        &mut self,
        time: Time,
        view: &View,
        id: RequestId,
        served: Served,
        outcome: Outcome,
        out: &mut Outbox,
    ) {
        let Some(Pending { work: Work::Forward(forwarding), .. }) = self.pending.get_mut(&id.serial) else { return };
        let from = served.by;
        if id.node != self.me || forwarding.sent.is_none_or(|(to, _)| to != from) {
            return;
        }
        if let Err(Failure::NotPrimary { .. }) = outcome {
            // Views differ for a moment. The request was not carried out there: it may go elsewhere, after a wait.
            let was_strange = forwarding.sent == Some((from, 0));
            forwarding.sent = None;
            let slot = forwarding.request.key.slot();
            // A copy of it may still be under way to there, and would be turned away as this one was.
            let serial = if forwarding.request.operation.writes() { self.rename(id.serial) } else { id.serial };
            if view.primary(slot) == Some(self.me) {
                self.take_back(time, view, serial, out);
            } else if was_strange && view.boot(from) != 0 {
                self.send_forward(time, view, serial, out);
            }
            return;
        }
        let outcome = match outcome {
            // The deadline may have passed on the way.
            Ok(Answer::Found(entry)) if entry.deadline.is_some_and(|deadline| deadline <= time.unix) => {
                Ok(Answer::Missing)
            }
            outcome => outcome,
        };
        self.answer_flight(id.serial, served, &outcome, out);
        self.end_forward(id.serial, served, outcome, out);
    }

    /// The view has changed under a request that was passed on.
    pub(super) fn reroute(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(Pending { work: Work::Forward(forwarding), .. }) = self.pending.get_mut(&serial) else { return };
        let primary = view.primary(forwarding.request.key.slot());
        match forwarding.sent {
            // Who was not known yet when it was sent turns it away.
            Some((to, boot)) if primary == Some(to) && (boot == view.boot(to) || boot == 0) => return,
            // Another leads by a change of the map. Who was asked is alive and says what has become of it: a write must
            // not be carried out twice.
            Some((to, boot))
                if forwarding.request.operation.writes()
                    && view.is_alive(to)
                    && (boot == view.boot(to) || boot == 0) =>
            {
                return;
            }
            // It may have been carried out there.
            Some(_) if forwarding.request.operation.writes() => {
                return self.give_up_forward(serial, Failure::Indeterminate { copies: 0 }, out);
            }
            _ => forwarding.sent = None,
        }
        match primary {
            None => self.give_up_forward(serial, Failure::Unavailable { needed: 1, alive: 0 }, out),
            Some(node) if node == self.me => self.take_back(time, view, serial, out),
            Some(node) => {
                self.wait_for(time.instant, serial, vec![node]);
                if self.leads(serial) {
                    self.send_forward(time, view, serial, out);
                }
            }
        }
    }

    /// Nobody has answered in time: repeat, or give up.
    pub(super) fn forward_due(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some(Pending { deadline, work: Work::Forward(forwarding), .. }) = self.pending.get(&serial) else { return };
        if *deadline <= time.instant {
            self.counters.timeouts += 1;
            let failure = match forwarding.request.operation.writes() {
                true => Failure::Indeterminate { copies: 0 },
                false => Failure::Timeout,
            };
            return self.give_up_forward(serial, failure, out);
        }
        if !self.repeat(time, serial).is_empty() {
            self.send_forward(time, view, serial, out);
        }
    }

    /// Sends to the node that may have it already, or to the primary when none has.
    pub(super) fn send_forward(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let me = self.me;
        let Some(Pending { deadline, work: Work::Forward(forwarding), .. }) = self.pending.get_mut(&serial) else {
            return;
        };
        let slot = forwarding.request.key.slot();
        let meant = |to| (to, view.boot(to));
        let Some((to, boot)) = forwarding.sent.or(view.primary(slot).map(meant)) else { return };
        if to == me {
            return self.take_back(time, view, serial, out);
        }
        forwarding.sent = Some((to, boot));
        let id = RequestId { node: me, serial };
        let request = Request { timeout: deadline.since(time.instant), ..forwarding.request.clone() };
        out.event(|| Event::Forwarded { id, slot, to });
        out.send(to, Message::Forward { id, boot, hops: limits::MAX_HOPS, request });
    }

    /// Gives a request another name: a write that was turned away, since whoever did that knows the old one as done
    /// with, or a question whose earlier answers are not to count.
    pub(super) fn rename(&mut self, serial: u64) -> u64 {
        let Some(pending) = self.release(serial) else { return serial };
        let renamed = self.next_serial();
        self.timers.insert((pending.wake, renamed));
        self.pending_bytes += pending.bytes;
        pending.waiting.iter().for_each(|peer| self.awaited.begin(*peer));
        self.pending.insert(renamed, pending);
        renamed
    }

    /// This node has become the primary itself.
    fn take_back(&mut self, time: Time, view: &View, serial: u64, out: &mut Outbox) {
        let Some((deadline, forwarding)) = self.release_forward(serial) else { return };
        let request = Request { timeout: deadline.since(time.instant), ..forwarding.request };
        self.begin(time, view, forwarding.asker, request, out);
    }

    /// This node has no answer to wait for.
    fn give_up_forward(&mut self, serial: u64, failure: Failure, out: &mut Outbox) {
        let Some((_, forwarding)) = self.release_forward(serial) else { return };
        self.reply(forwarding.asker, forwarding.request.key.slot(), Err(failure), out);
    }

    /// Somebody has answered.
    pub(super) fn end_forward(&mut self, serial: u64, served: Served, outcome: Outcome, out: &mut Outbox) {
        let Some((_, forwarding)) = self.release_forward(serial) else { return };
        self.reply_for(served, forwarding.asker, forwarding.request.key.slot(), outcome, out);
    }

    fn release_forward(&mut self, serial: u64) -> Option<(Instant, Forwarding)> {
        let Some(Pending { work: Work::Forward(_), .. }) = self.pending.get(&serial) else { return None };
        let Some(Pending { deadline, work: Work::Forward(forwarding), .. }) = self.release(serial) else { return None };
        self.leave_flight(serial, &forwarding.request);
        Some((deadline, forwarding))
    }
}
