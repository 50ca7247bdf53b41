//! The imagined network: every message takes its own time, and may be lost, repeated or overtaken on the way.

use alloc::vec::Vec;
use core::time::Duration;

use super::client::{Ask, Reply};
use crate::id::NodeId;
use crate::message::{Message, Origin};
use crate::rng::Rng;
use crate::sorted::{SortedMap, SortedSet};
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
    /// Messages under way on one link at a time; more are lost. `None` is no limit.
    pub capacity: Option<u32>,
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
    /// When it arrives, if the link still stands then; never, while its link is clogged.
    pub arrives: Instant,
    /// What it carries.
    pub cargo: Cargo,
}

/// What a message carries.
#[derive(Clone, Debug)]
pub enum Cargo {
    /// From node to node, with the start of the sender and its map.
    Peer(Origin, Message),
    /// From node to node by way of a third: to it, or from it.
    Passed {
        /// Who sent it first.
        from: NodeId,
        /// Whom it is for.
        to: NodeId,
        /// By what its sender went.
        origin: Origin,
        /// What it says.
        message: Message,
    },
    /// From client to node.
    Ask(Ask),
    /// From node to client: the answer to that operation.
    Reply(u64, Reply),
}

/// Which links are cut and which are clogged, each way by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    cut: SortedSet<Link>,
    clogged: SortedSet<Link>,
}

/// From one node to another.
pub type Link = (NodeId, NodeId);

/// The messages on their way, and the dice that decide about them.
#[derive(Clone, Debug)]
pub(super) struct Air {
    pub(super) network: Network,
    pub(super) links: Links,
    pub(super) flights: SortedMap<u64, Flight>,
    /// Messages under way on each link, while that matters: where links have a capacity, or are clogged.
    under_way: SortedMap<Link, u32>,
    rng: Rng,
    next: u64,
}

/// Messages that a clogged link holds: as much as sockets' buffers would. More are lost.
const HELD: u32 = 1_024;

impl Default for Network {
    /// A local network: half a millisecond and a little more, nothing lost.
    fn default() -> Network {
        Network {
            delay: Duration::from_micros(500),
            jitter: Duration::from_micros(200),
            loss: 0,
            duplicate: 0,
            capacity: None,
        }
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

    /// Is the way from one node to another cut?
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    /// The ways that are cut, in order.
    pub fn all_cut(&self) -> impl Iterator<Item = Link> + '_ {
        self.cut.iter().copied()
    }

    /// Is what is sent from one node to another held up?
    pub fn is_clogged(&self, from: NodeId, to: NodeId) -> bool {
        self.clogged.contains(&(from, to))
    }

    /// The ways that are clogged, in order.
    pub fn all_clogged(&self) -> impl Iterator<Item = Link> + '_ {
        self.clogged.iter().copied()
    }
}

impl Cargo {
    /// What one node says to another, where that is what it carries.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Cargo::Peer(_, message) | Cargo::Passed { message, .. } => Some(message),
            Cargo::Ask(_) | Cargo::Reply(..) => None,
        }
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
        let (flights, under_way) = (SortedMap::new(), SortedMap::new());
        Air { network, links: Links::default(), flights, under_way, rng, next: 0 }
    }

    /// Puts a message on its way, once, twice or not at all.
    pub(super) fn send(&mut self, now: Instant, from: Place, to: Place, cargo: Cargo) -> Sent {
        let between_nodes = matches!(cargo, Cargo::Peer(..) | Cargo::Passed { .. });
        // Clients speak over connections that lose and repeat nothing; they learn of a node's crash instead.
        let lost = between_nodes && self.rng.chance(self.network.loss);
        let twice = between_nodes && self.rng.chance(self.network.duplicate);
        if lost || !self.has_room(from, to, 1 + u32::from(twice)) {
            return Sent::Lost;
        }
        let second = twice.then(|| self.launch(now, from, to, cargo.clone())).flatten();
        Sent::Under([self.launch(now, from, to, cargo), second])
    }

    /// A message has arrived.
    pub(super) fn land(&mut self, flight: u64) -> Option<Flight> {
        let flight = self.flights.remove(&flight)?;
        if let Some(link) = flight.link()
            && let Some(under_way) = self.under_way.get_mut(&link)
        {
            *under_way = under_way.saturating_sub(1);
        }
        Some(flight)
    }

    /// Holds up what is sent from now on.
    pub(super) fn clog(&mut self, link: Link) -> bool {
        link.0 != link.1 && self.links.clogged.insert(link)
    }

    /// Lets what was held up go: each message takes a time of its own from here. Empty when nothing was.
    pub(super) fn unclog(&mut self, now: Instant, link: Link) -> Option<Vec<(u64, Instant)>> {
        if !self.links.clogged.remove(&link) {
            return None;
        }
        let mut flights = Vec::new();
        for flight in self.flights.values_mut() {
            if flight.arrives == Instant::NEVER && flight.link() == Some(link) {
                flight.arrives = now + self.network.delay + self.rng.exponential(self.network.jitter);
                flights.push((flight.id, flight.arrives));
            }
        }
        Some(flights)
    }

    /// Is there room on the link for so many more? They are counted in then.
    fn has_room(&mut self, from: Place, to: Place, more: u32) -> bool {
        let (Place::Node(from), Place::Node(to)) = (from, to) else { return true };
        let held = if self.links.is_clogged(from, to) { Some(HELD) } else { None };
        let Some(capacity) = [self.network.capacity, held].into_iter().flatten().min() else { return true };
        let under_way = self.under_way.get_or_default((from, to));
        if *under_way >= capacity {
            return false;
        }
        *under_way += more;
        true
    }

    fn launch(&mut self, now: Instant, from: Place, to: Place, cargo: Cargo) -> Option<(u64, Instant)> {
        self.next += 1;
        let id = self.next;
        let mut flight = Flight { id, from, to, sent: now, arrives: Instant::NEVER, cargo };
        let held = flight.link().is_some_and(|(from, to)| self.links.is_clogged(from, to));
        if !held {
            flight.arrives = now + self.network.delay + self.rng.exponential(self.network.jitter);
        }
        let arrives = flight.arrives;
        self.flights.insert(id, flight);
        (!held).then_some((id, arrives))
    }
}

/// What became of a message that was sent.
pub(super) enum Sent {
    /// The network lost it.
    Lost,
    /// It is under way, perhaps twice: the flights that arrive, as (number, arrival). One that is held up is not here.
    Under([Option<(u64, Instant)>; 2]),
}
