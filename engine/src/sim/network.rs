//! The imagined network: every message takes its own time, and may be lost, repeated or overtaken on the way.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::client::{Ask, Reply};
use crate::id::NodeId;
use crate::message::Message;
use crate::rng::Rng;
use crate::time::Instant;

/// How messages between nodes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// No message is faster.
    pub delay: Duration,
    /// What is added on top, on average; exponentially distributed, so that messages overtake each other.
    pub jitter: Duration,
    /// Messages lost, per million.
    pub loss: u32,
    /// Messages that arrive twice, per million.
    pub duplicate: u32,
}

/// One end of a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A node of the cluster.
    Node(NodeId),
    /// A client, by its number.
    Client(u16),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Its number, which grows in the order of sending.
    pub id: u64,
    /// Where it comes from.
    pub from: Place,
    /// Where it goes.
    pub to: Place,
    /// When it was sent.
    pub sent: Instant,
    /// When it arrives, if the link still stands then.
    pub arrives: Instant,
    /// What it carries.
    pub cargo: Cargo,
}

/// What a message carries.
#[derive(Clone, Debug)]
pub enum Cargo {
    /// From node to node.
    Peer(Message),
    /// From client to node.
    Ask(Ask),
    /// From node to client: the answer to that operation.
    Reply(u64, Reply),
}

/// Which links are cut, each way by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    cut: BTreeSet<(NodeId, NodeId)>,
}

/// The messages on their way, and the dice that decide about them.
#[derive(Clone, Debug)]
pub(super) struct Air {
    pub(super) network: Network,
    pub(super) links: Links,
    pub(super) flights: BTreeMap<u64, Flight>,
    rng: Rng,
    next: u64,
}

impl Default for Network {
    /// A local network: half a millisecond and a little more, nothing lost.
    fn default() -> Network {
        Network { delay: Duration::from_micros(500), jitter: Duration::from_micros(200), loss: 0, duplicate: 0 }
    }
}

impl Links {
    /// Cuts the way from one node to another.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        if from != to {
            self.cut.insert((from, to));
        }
    }

    /// Mends the way from one node to another.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        self.cut.remove(&(from, to));
    }

    /// Mends every way.
    pub fn heal_all(&mut self) {
        self.cut.clear();
    }

    /// Is the way from one node to another cut?
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    /// The ways that are cut, in order.
    pub fn all_cut(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        self.cut.iter().copied()
    }
}

impl Flight {
    /// The way between two nodes that it takes; clients' ways are never cut.
    pub fn link(&self) -> Option<(NodeId, NodeId)> {
        match (self.from, self.to) {
            (Place::Node(from), Place::Node(to)) => Some((from, to)),
            _ => None,
        }
    }
}

impl Air {
    pub(super) fn new(network: Network, seed: u64) -> Air {
        let rng = Rng::new(seed, "network");
        Air { network, links: Links::default(), flights: BTreeMap::new(), rng, next: 0 }
    }

    /// Puts a message on its way, once, twice or not at all: the flights that begin, as (number, arrival).
    pub(super) fn send(&mut self, now: Instant, from: Place, to: Place, cargo: Cargo) -> [Option<(u64, Instant)>; 2] {
        let between_nodes = matches!(cargo, Cargo::Peer(_));
        // Clients speak over connections that lose and repeat nothing; they learn of a node's crash instead.
        let lost = between_nodes && self.rng.chance(self.network.loss);
        let twice = between_nodes && self.rng.chance(self.network.duplicate);
        if lost {
            return [None, None];
        }
        let second = twice.then(|| self.launch(now, from, to, cargo.clone()));
        [Some(self.launch(now, from, to, cargo)), second]
    }

    fn launch(&mut self, now: Instant, from: Place, to: Place, cargo: Cargo) -> (u64, Instant) {
        let arrives = now + self.network.delay + self.rng.exponential(self.network.jitter);
        self.next += 1;
        let id = self.next;
        self.flights.insert(id, Flight { id, from, to, sent: now, arrives, cargo });
        (id, arrives)
    }
}
