//! Messages on their way: sent, lost, delivered, and taken into the fingerprint.

use super::{Due, World, index};
use crate::id::{ClientToken, NodeId};
use crate::message::Message;
use crate::node::Input;
use crate::request::Key;
use crate::sim::client::Reply;
use crate::sim::network::{Cargo, Flight, Place};
use crate::sim::trace::{self, Dropped, What};

impl World {
    pub(super) fn send(&mut self, from: Place, to: Place, cargo: Cargo) {
        let kind = if let Cargo::Peer(message) = &cargo { traced(message) } else { None };
        let flights = self.air.send(self.now, from, to, cargo);
        if let (None, Some(kind)) = (flights[0], kind) {
            self.trace.push(self.now, What::Dropped { from, to, kind, why: Dropped::Lost });
        }
        for (flight, arrives) in flights.into_iter().flatten() {
            self.queue(arrives, Due::Arrival(flight));
        }
    }

    pub(super) fn arrive(&mut self, flight: u64) {
        let Some(flight) = self.air.flights.remove(&flight) else { return };
        self.note(&flight);
        let down = |world: &World, node: NodeId| world.machines[index(node)].node.is_none();
        match (flight.cargo, flight.to) {
            (Cargo::Peer(message), Place::Node(to)) => {
                let Place::Node(from) = flight.from else { return };
                let kind = traced(&message);
                let why = match () {
                    () if self.air.links.is_cut(from, to) => Some(Dropped::Cut),
                    () if down(self, to) => Some(Dropped::Down),
                    () => None,
                };
                if let Some(why) = why {
                    if let Some(kind) = kind {
                        self.trace.push(self.now, What::Dropped { from: flight.from, to: flight.to, kind, why });
                    }
                    return;
                }
                if let Some(kind) = kind.filter(|_| self.trace.is_on()) {
                    let key = key_of(&message).cloned();
                    self.trace.push(self.now, What::Delivered { from, to, kind, key });
                }
                self.handle(index(to), Input::Peer { from, message });
            }
            (Cargo::Ask(ask), Place::Node(to)) => {
                if down(self, to) {
                    return self.send(flight.to, flight.from, Cargo::Reply(ask.id, Reply::Refused));
                }
                self.checks.asked(&ask, self.now);
                let machine = &mut self.machines[index(to)];
                machine.asked.insert(ask.id);
                let request = ask.request(machine.clock.read(self.now));
                self.handle(index(to), Input::Client { client: ClientToken(ask.id), request });
            }
            (Cargo::Reply(id, reply), Place::Client(_)) => self.told(id, reply),
            (Cargo::Peer(_) | Cargo::Ask(_), Place::Client(_)) | (Cargo::Reply(..), Place::Node(_)) => {}
        }
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
