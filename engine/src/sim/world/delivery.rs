//! Messages on their way: sent, lost, delivered, and taken into the fingerprint.

use super::machine::Arrived;
use super::{Due, World, index};
use crate::error::Failure;
use crate::id::{ClientToken, NodeId};
use crate::message::{Message, Verdict};
use crate::node::Input;
use crate::request::Key;
use crate::sim::client::{Ask, Reply};
use crate::sim::mark::Mark;
use crate::sim::network::{Cargo, Flight, Place, Sent};
use crate::sim::trace::{self, Dropped, What};

impl World {
    pub(super) fn send(&mut self, from: Place, to: Place, cargo: Cargo) {
        let kind = if let Cargo::Peer(message) = &cargo { traced(message) } else { None };
        match self.air.send(self.now, from, to, cargo) {
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

    pub(super) fn arrive(&mut self, flight: u64) {
        let Some(flight) = self.air.land(flight) else { return };
        self.note(&flight);
        match (flight.from, flight.to, flight.cargo) {
            (Place::Node(from), Place::Node(to), Cargo::Peer(message)) => self.arrive_at_peer(from, to, message),
            (Place::Client(_), Place::Node(to), Cargo::Ask(ask)) => self.arrive_at_server(to, ask),
            (Place::Node(_), Place::Client(_), Cargo::Reply(id, reply)) => self.told(id, reply),
            (from, to, cargo) => debug_assert!(false, "{cargo:?} does not go from {from} to {to}"),
        }
    }

    /// A message between nodes arrives: nobody is there, or its socket takes it, or its node does.
    fn arrive_at_peer(&mut self, from: NodeId, to: NodeId, message: Message) {
        let kind = traced(&message);
        let machine = &mut self.machines[index(to)];
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
            }
            (Some(_), None) => {}
            (None, _) if machine.paused => machine.inbox.push(Arrived::Message(from, message)),
            (None, _) => {
                match &message {
                    Message::Replicated { verdict: Verdict::Refused { .. }, .. } => self.marks.note(Mark::MovedOn),
                    Message::Answer { outcome: Err(Failure::NotPrimary { .. }), .. } => {
                        self.marks.note(Mark::NotPrimary)
                    }
                    _ => {}
                }
                self.hand_over(from, to, message);
            }
        }
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
    pub(super) fn hand_over(&mut self, from: NodeId, to: NodeId, message: Message) {
        if let Some(kind) = traced(&message).filter(|_| self.trace.is_on()) {
            let key = key_of(&message).cloned();
            self.trace.push(self.now, What::Delivered { from, to, kind, key });
        }
        self.handle(index(to), Input::Peer { from, message });
    }

    /// A node takes a client's request.
    pub(super) fn serve(&mut self, to: NodeId, ask: &Ask) {
        if self.config.checks {
            self.checks.reached(ask, self.now);
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
            Cargo::Peer(message) => trace::digest(flight, message, &mut self.scratch),
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
