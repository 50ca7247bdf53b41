//! How each member is believed to be doing, and by which way messages go to it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Cluster;
use super::peer::Peer;
use crate::effect::{Event, Outbox};
use crate::id::NodeId;
use crate::message::{Contact, Message, Path, Reach};
use crate::time::Instant;

/// The ways to every other member, as one node knows them at a moment: what its body sends by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// By ascending id.
    ways: Vec<Way>,
    /// Some member is reached through another.
    detours: bool,
}

/// The way to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The member.
    pub to: NodeId,
    /// How it is doing.
    pub health: Health,
    /// True when it answers this node itself.
    pub direct: bool,
    /// The member that passes on what is sent to it; `None` where there is no need, or nobody who could.
    pub through: Option<NodeId>,
}

/// What a node believes about a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It answers.
    Alive,
    /// Somebody has had no answer from it, and nobody knows better yet. It counts as alive.
    Suspect,
    /// It answers, cannot write its log, and has stepped aside until it can: it does not count as alive.
    Aside,
    /// It is believed dead.
    Down,
}

impl Health {
    /// Its name for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Health::Alive => "alive",
            Health::Suspect => "suspect",
            Health::Aside => "aside",
            Health::Down => "down",
        }
    }
}

impl Routes {
    /// Those ways, by ascending id of the member.
    pub(super) fn of(ways: Vec<Way>) -> Routes {
        let detours = ways.iter().any(|way| way.through.is_some());
        Routes { ways, detours }
    }

    /// The ways, by ascending id of the member.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// The way to a member; `None` for this node itself and for strangers.
    pub fn way(&self, to: NodeId) -> Option<&Way> {
        self.ways.binary_search_by_key(&to, |way| way.to).ok().map(|index| &self.ways[index])
    }

    /// Whom a message to that member is handed to: itself, or the one that passes it on.
    #[inline]
    pub fn next_hop(&self, to: NodeId, message: &Message) -> NodeId {
        if !self.detours || message.path() == Path::Direct {
            return to;
        }
        self.way(to).and_then(|way| way.through).unwrap_or(to)
    }

    /// Is a message to that member, which another one has sent, to be passed on? Only where the way is short, and only
    /// what may travel so: it is never passed on twice.
    pub fn passes_on(&self, to: NodeId, message: &Message) -> bool {
        message.path() == Path::Routed && self.way(to).is_some_and(|way| way.direct)
    }
}

impl Cluster {
    /// Finds out by which way each peer is reached now.
    pub(super) fn find_ways(&mut self, now: Instant, out: &mut Outbox) {
        let recently = self.heartbeat.detour_after();
        for peer in &mut self.peers {
            peer.direct = peer.heard_directly + recently > now;
        }
        for index in 0..self.peers.len() {
            let through = if self.peers[index].direct { None } else { self.helper(index) };
            let peer = &mut self.peers[index];
            if peer.through != through {
                peer.through = through;
                self.counters.reroutes += 1;
                out.event(|| Event::Rerouted { member: peer.id, through });
            }
        }
        let health = |peer: &Peer| match peer.alive {
            false if peer.aside => Health::Aside,
            false => Health::Down,
            true if self.swim.known(peer.id).is_some_and(|known| known.is_suspect()) => Health::Suspect,
            true => Health::Alive,
        };
        let way = |peer: &Peer| Way { to: peer.id, health: health(peer), direct: peer.direct, through: peer.through };
        if !self.peers.iter().map(way).eq(self.routes.ways().iter().copied()) {
            self.routes = Arc::new(Routes::of(self.peers.iter().map(way).collect()));
            self.reach = Reach::of(self.peers.iter().map(|peer| (peer.id, peer.contact())));
        }
    }

    /// Who passes on what is sent to a peer that does not answer itself: somebody who answers this node, and whom that
    /// peer answers. Each pair begins its search at another place, the same for both, so that the load is spread;
    /// whoever has been found is kept while it will do.
    fn helper(&self, index: usize) -> Option<NodeId> {
        let peer = &self.peers[index];
        let helps = |other: &&Peer| {
            other.alive && other.direct && other.reach.to(peer.id) == Contact::Direct && other.id != peer.id
        };
        let kept = self.peers.iter().find(|other| Some(other.id) == peer.through).filter(|other| helps(other));
        let start = (usize::from(self.view.me.0) + usize::from(peer.id.0)) % self.peers.len();
        let (before, after) = self.peers.split_at(start);
        kept.or_else(|| after.iter().chain(before).find(helps)).map(|other| other.id)
    }
}
