//! Reads of one key that other nodes must answer: one at a time is under way for all who ask.
//!
//! While the read of a key is under way, further reads of it at the same level wait, and the next one is sent for all
//! of them together when its answer is there. However many clients ask for a hot key through this node, its primary is
//! asked at most once a round trip.
//!
//! Why nobody joins a read that has been sent already: it may have been answered over there before the later one began
//! here, and a write may have been acknowledged in between, which the later one must not miss. A read that is sent
//! after all who share it have begun says what was there at some moment of each of them, as if each had asked.

use core::mem;

use super::{Pending, Shard, Work};
use crate::effect::{Outbox, Served};
use crate::error::Failure;
use crate::mutant::{self, Mutant};
use crate::request::{Key, Operation, Outcome, ReadLevel, Request};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Time;
use crate::view::View;

/// The reads that are under way, and who waits for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights {
    flights: SortedMap<Route, Flight>,
    /// Those whose leader is gone since somebody looked.
    landed: SortedSet<Route>,
}

type Route = (ReadLevel, Key);

#[derive(Clone, Debug)]
struct Flight {
    /// The one that was sent.
    leader: u64,
    /// Those that had begun when it was sent, and share its answer.
    aboard: SortedSet<u64>,
    /// Those that began later: they share the next one.
    next: SortedSet<u64>,
}

impl Shard {
    /// Finds a place for a request that is about to be passed on. True when it need not be sent: it will share an
    /// answer.
    pub(super) fn boards(&mut self, serial: u64) -> bool {
        let Some(Pending { work: Work::Forward(forwarding), .. }) = self.pending.get(&serial) else { return false };
        let Some(route) = route(&forwarding.request) else { return false };
        match self.flights.flights.get_mut(&route) {
            Some(flight) => {
                let joins = mutant::on(Mutant::JoinSentRead);
                if joins { &mut flight.aboard } else { &mut flight.next }.insert(serial);
                self.counters.shared += 1;
                true
            }
            None => {
                let flight = Flight { leader: serial, aboard: SortedSet::new(), next: SortedSet::new() };
                self.flights.flights.insert(route, flight);
                false
            }
        }
    }

    /// Is it for this request to be sent, and not to share another's answer?
    pub(super) fn leads(&self, serial: u64) -> bool {
        let Some(Pending { work: Work::Forward(forwarding), .. }) = self.pending.get(&serial) else { return true };
        let flight = route(&forwarding.request).and_then(|route| self.flights.flights.get(&route));
        flight.is_none_or(|flight| flight.leader == serial)
    }

    /// A read was answered: so are those that share it.
    pub(super) fn answer_flight(&mut self, serial: u64, served: Served, outcome: &Outcome, out: &mut Outbox) {
        // The one that was sent had less time than others may have: those are sent for once more.
        if *outcome == Err(Failure::Timeout) {
            return;
        }
        let Some(Pending { work: Work::Forward(forwarding), .. }) = self.pending.get(&serial) else { return };
        let Some(route) = route(&forwarding.request) else { return };
        let Some(flight) = self.flights.flights.get_mut(&route).filter(|flight| flight.leader == serial) else {
            return;
        };
        for other in mem::take(&mut flight.aboard) {
            self.end_forward(other, served, outcome.clone(), out);
        }
    }

    /// A request that was passed on has ended, one way or another.
    pub(super) fn leave_flight(&mut self, serial: u64, request: &Request) {
        let Some(route) = route(request) else { return };
        let Some(flight) = self.flights.flights.get_mut(&route) else { return };
        flight.aboard.remove(&serial);
        flight.next.remove(&serial);
        if flight.leader == serial {
            self.flights.landed.insert(route);
        }
    }

    /// Sends the next read of each key whose last one is over, for all who wait for it.
    pub(super) fn take_off(&mut self, time: Time, view: &View, out: &mut Outbox) {
        while let Some(route) = self.flights.landed.pop_first() {
            let Some(mut flight) = self.flights.flights.remove(&route) else { continue };
            // Where the last one was never answered, those that shared it are left as well.
            flight.aboard.append(&mut flight.next);
            let Some(leader) = flight.aboard.pop_first() else { continue };
            flight.leader = leader;
            self.flights.flights.insert(route, flight);
            // It has waited for others so far, and is due for the first time.
            self.sent_anew(time.instant, leader);
            self.send_forward(time, view, leader, out);
        }
    }
}

/// What reads must have in common to share an answer. `None` for what is never shared.
fn route(request: &Request) -> Option<Route> {
    match request.operation {
        Operation::Get { level } => Some((level, request.key.clone())),
        _ => None,
    }
}
