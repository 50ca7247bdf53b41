//! Messages on their way: sent, lost, delivered, and taken into the fingerprint.

use core::cmp::Ordering;
use core::time::Duration;

use super::machine::Arrived;
use super::{Due, World, index};
use crate::error::Failure;
use crate::id::{ClientToken, NodeId};
use crate::message::{Message, Origin, Verdict};
use crate::node::{Input, Node};
use crate::request::Key;
use crate::sim::client::{Ask, Reply};
use crate::sim::mark::Mark;
use crate::sim::network::{Cargo, Flight, Place, Sent};
use crate::sim::trace::{self, Dropped, What};

impl World {
    pub(super) fn send(&mut self, from: Place, to: Place, cargo: Cargo) {
        let kind = cargo.message().and_then(traced);
        let sent = self.now + self.held_back(&cargo);
        match self.air.send(sent, from, to, cargo) {
            Sent::Under(flights) => {
                for (flight, arrives) in flights.into_iter().flatten() {
                    self.queue(arrives, Due::Arrival(flight));
                }
            }
            Sent::Lost => {
                if let Some(kind) = kind {
                    self.trace.push(self.now, What::Dropped { from, to, kind, why: Dropped::Lost });
                }
            }
        }
    }

    /// How much later it is sent than it could be.
    fn held_back(&mut self, cargo: &Cargo) -> Duration {
        let most = crate::time::micros(self.config.late_pages);
        match cargo.message() {
            Some(Message::Listed { .. } | Message::Compared { .. }) if most > 0 => {
                self.marks.note(Mark::LatePage);
                Duration::from_micros(self.lateness.below(most + 1))
            }
            _ => Duration::ZERO,
        }
    }

    pub(super) fn arrive(&mut self, flight: u64) {
        let Some(flight) = self.air.land(flight) else { return };
        self.note(&flight);
        self.trace.arrived(flight.sent);
        match (flight.from, flight.to, flight.cargo) {
            (Place::Node(from), Place::Node(to), Cargo::Peer(origin, message)) => {
                if let Some(message) =
                    self.gets_in(from, to, message, |from, message| Arrived::Message(from, origin, message))
                {
                    self.hand_over(from, to, origin, message);
                }
            }
            (Place::Node(by), Place::Node(at), Cargo::Passed { from, to, origin, message }) if at == to => {
                let arrived = |_, message| Arrived::Message(from, origin, message);
                if let Some(message) = self.gets_in(by, at, message, arrived) {
                    self.hand_over(from, to, origin, message);
                }
            }
            (Place::Node(_), Place::Node(by), Cargo::Passed { from, to, origin, message }) => {
                let arrived = |from, message| Arrived::Passed { from, to, origin, message };
                if let Some(message) = self.gets_in(from, by, message, arrived) {
                    self.pass_on(from, by, to, origin, message);
                }
            }
            (Place::Client(_), Place::Node(to), Cargo::Ask(ask)) => self.arrive_at_server(to, ask),
            (Place::Node(_), Place::Client(_), Cargo::Reply(id, reply)) => self.told(id, reply),
            (from, to, cargo) => debug_assert!(false, "{cargo:?} does not go from {from} to {to}"),
        }
    }

    /// A message between nodes arrives: nobody is there, or its socket takes it, as `arrived`, or its node gets it.
    fn gets_in(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: Message,
        arrived: impl FnOnce(NodeId, Message) -> Arrived,
    ) -> Option<Message> {
        let kind = traced(&message);
        // A machine that is a member already and has yet to start.
        let machine = self.machines.get_mut(index(to))?;
        let why = match () {
            () if self.air.links.is_cut(from, to) => Some(Dropped::Cut),
            () if machine.node.is_none() => Some(Dropped::Down),
            () if machine.paused && machine.inbox.len() >= INBOX => Some(Dropped::Full),
            () => None,
        };
        match (why, kind) {
            (Some(why), Some(kind)) => {
                let (from, to) = (Place::Node(from), Place::Node(to));
                self.trace.push(self.now, What::Dropped { from, to, kind, why });
                None
            }
            (Some(_), None) => None,
            (None, _) if machine.paused => {
                machine.inbox.push(arrived(from, message));
                None
            }
            (None, _) => Some(message),
        }
    }

    /// A node passes on what another one has sent to a third, where it may.
    pub(super) fn pass_on(&mut self, from: NodeId, by: NodeId, to: NodeId, origin: Origin, message: Message) {
        let node = self.machines[index(by)].node.as_ref();
        if !node.is_some_and(|node| node.routes().passes_on(to, &message)) {
            return;
        }
        if let Some(kind) = traced(&message) {
            self.marks.note(Mark::Relayed);
            if self.trace.is_on() {
                let key = key_of(&message).cloned();
                self.trace.push(self.now, What::Relayed { from, by, to, kind, key });
            }
        }
        self.send(Place::Node(by), Place::Node(to), Cargo::Passed { from, to, origin, message });
    }

    /// A client's request arrives.
    fn arrive_at_server(&mut self, to: NodeId, ask: Ask) {
        let machine = &mut self.machines[index(to)];
        if machine.node.is_none() {
            let client = Place::Client(ask.client);
            return self.send(Place::Node(to), client, Cargo::Reply(ask.id, Reply::Refused));
        }
        machine.asked.insert(ask.id);
        if machine.paused {
            self.will_give_up(ask.id);
            self.machines[index(to)].inbox.push(Arrived::Ask(ask));
            return;
        }
        self.serve(to, &ask);
    }

    /// A node takes a message.
    pub(super) fn hand_over(&mut self, from: NodeId, to: NodeId, origin: Origin, message: Message) {
        match &message {
            Message::Replicated { verdict: Verdict::Refused { .. }, .. } => self.marks.note(Mark::MovedOn),
            Message::Listed { next: Some(_), .. } => self.marks.note(Mark::Paged),
            Message::Answer { outcome: Err(Failure::NotPrimary { .. }), .. } => self.marks.note(Mark::NotPrimary),
            _ => {}
        }
        if let Some(kind) = traced(&message).filter(|_| self.trace.is_on()) {
            let key = key_of(&message).cloned();
            self.trace.push(self.now, What::Delivered { from, to, kind, key });
        }
        let node = self.machines[index(to)].node.as_ref();
        if let Some(view) = node.map(Node::view).filter(|_| message.slot().is_some()) {
            let taken = view.admits(from, origin, &message);
            if taken && self.config.checks {
                self.checks.taken((from, origin.epoch), (to, view.map.epoch), self.now);
            }
            match (taken, origin.epoch.cmp(&view.map.epoch)) {
                (false, _) => self.marks.note(Mark::MapsApart),
                (true, Ordering::Less) => self.marks.note(Mark::EarlierMap),
                (true, Ordering::Greater) => self.marks.note(Mark::LaterMap),
                (true, Ordering::Equal) => {}
            }
        }
        if self.is_overfull(index(to), &message) {
            return self.marks.note(Mark::Overfull);
        }
        self.handle(index(to), Input::Peer { from, origin, message });
    }

    /// A node takes a client's request.
    pub(super) fn serve(&mut self, to: NodeId, ask: &Ask) {
        if self.config.checks {
            self.checks.reached(ask, self.now);
        }
        let mut maps = self.machines.iter().filter(|machine| machine.is_working()).map(|machine| &machine.map);
        if maps.any(|map| map.epoch != self.machines[index(to)].map.epoch) {
            self.marks.note(Mark::TwoMaps);
        }
        let request = ask.request(self.machines[index(to)].clock.read(self.now));
        self.handle(index(to), Input::Client { client: ClientToken(ask.id), request });
    }

    /// Takes an arrival into the fingerprint.
    fn note(&mut self, flight: &Flight) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.now.0.to_le_bytes());
        self.scratch.extend_from_slice(&flight.id.to_le_bytes());
        match &flight.cargo {
            Cargo::Peer(_, message) => {
                let (Place::Node(from), Place::Node(to)) = (flight.from, flight.to) else { return };
                trace::digest(from, to, message, &mut self.scratch);
            }
            Cargo::Passed { from, to, message, .. } => {
                let (Place::Node(by), Place::Node(at)) = (flight.from, flight.to) else { return };
                self.scratch.extend_from_slice(&by.0.to_le_bytes());
                self.scratch.extend_from_slice(&at.0.to_le_bytes());
                trace::digest(*from, *to, message, &mut self.scratch);
            }
            Cargo::Ask(ask) => {
                self.scratch.extend_from_slice(&ask.id.to_le_bytes());
                self.scratch.extend_from_slice(ask.key.as_bytes());
            }
            Cargo::Reply(id, reply) => {
                self.scratch.extend_from_slice(&id.to_le_bytes());
                reply.digest(&mut self.scratch);
            }
        }
        self.fingerprint.add(&self.scratch);
    }
}

/// Messages that wait in the sockets of a node that is paused; more are lost.
const INBOX: usize = 10_000;

/// The name of a message in the trace; heartbeats are not in it.
fn traced(message: &Message) -> Option<&'static str> {
    (!message.is_heartbeat()).then(|| message.kind())
}

fn key_of(message: &Message) -> Option<&Key> {
    match message {
        Message::Forward { request, .. } => Some(&request.key),
        Message::Replicate { key, .. } | Message::Fetch { key, .. } => Some(key),
        _ => None,
    }
}
