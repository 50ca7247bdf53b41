//! How each member is believed to be doing, and by which way messages go to it.

use alloc::vec::Vec;

use crate::id::NodeId;
use crate::message::{Message, Path};

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
    /// It is believed dead.
    Down,
}

impl Health {
    /// Its name for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Health::Alive => "alive",
            Health::Suspect => "suspect",
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
