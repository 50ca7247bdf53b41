//! Who believes in whom, and what a node is told that it missed: what the control plane promises to the data plane
//! (`docs/replication.md`, "Who was away"), without its messages. A heartbeat happens in one step.

use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::view::Pull;

use crate::state::index;

/// What one node knows of the others.
#[derive(Clone, Debug)]
pub struct Beliefs {
    /// Another number is another start.
    boot: u32,
    pub peers: [Peer; 3],
}

/// What one node knows of one other.
#[derive(Clone, Debug)]
pub struct Peer {
    pub alive: bool,
    /// How often `alive` has changed.
    lapses: u32,
    /// Its start and its own count of lapses, as last heard.
    known: Option<(u32, u32)>,
    /// Every write of it up to this version has reached this node.
    settled: Version,
    pub pull: Pull,
    /// `pull` is in no view yet.
    broken: bool,
}

/// How a node stands to another.
#[derive(Clone, Copy)]
struct Standing {
    boot: u32,
    lapses: u32,
    settled: Version,
}

impl Beliefs {
    /// Of a node that has just started: it believes in everybody, and has missed everything.
    pub fn new(boot: u32) -> Beliefs {
        let pull = Pull { round: 1, ..Pull::default() };
        let peer = Peer { alive: true, lapses: 0, known: None, settled: Version::ZERO, pull, broken: false };
        Beliefs { boot, peers: [peer.clone(), peer.clone(), peer] }
    }

    /// Is there something new to publish? There is no longer.
    pub fn take_broken(&mut self) -> bool {
        let broken = self.peers.iter().any(|peer| peer.broken);
        self.peers.iter_mut().for_each(|peer| peer.broken = false);
        broken
    }

    /// Believes no longer in that node.
    pub fn suspect(&mut self, node: NodeId) {
        let peer = &mut self.peers[index(node)];
        if peer.alive {
            (peer.alive, peer.lapses) = (false, peer.lapses + 1);
            peer.make_up(true);
        }
    }

    fn standing_to(&self, node: NodeId, settled: Version) -> Standing {
        Standing { boot: self.boot, lapses: self.peers[index(node)].lapses, settled }
    }
}

impl Peer {
    fn make_up(&mut self, lost: bool) {
        let since = if self.broken { self.pull.since.min(self.settled) } else { self.settled };
        let Pull { round, losses, .. } = self.pull;
        self.pull = Pull { round: round + 1, losses: losses + u64::from(lost), since, ..self.pull };
        self.broken = true;
    }

    fn note(&mut self, standing: Standing) {
        let Standing { boot, lapses, settled } = standing;
        match self.known {
            Some((known, _)) if known != boot => self.make_up(true),
            Some((_, known)) if known != lapses => self.make_up(false),
            _ => {}
        }
        let same = self.known == Some((boot, lapses));
        self.known = Some((boot, lapses));
        if lapses % 2 == 0 {
            self.settled = if same { self.settled.max(settled) } else { settled };
        }
    }
}

/// Would one learn something about the other from a heartbeat, other than how far its writes are settled?
pub fn is_news(all: &[Option<Beliefs>; 3], of: NodeId, to: NodeId) -> bool {
    let (Some(of_beliefs), Some(to_beliefs)) = (&all[index(of)], &all[index(to)]) else { return false };
    let now = (of_beliefs.boot, of_beliefs.peers[index(to)].lapses);
    to_beliefs.peers[index(of)].known != Some(now)
}

/// A heartbeat of one reaches the other. `settled` is what its sender says of its writes.
pub fn heartbeat(all: &mut [Option<Beliefs>; 3], of: NodeId, to: NodeId, settled: Version) {
    let Some(standing) = all[index(of)].as_ref().map(|beliefs| beliefs.standing_to(to, settled)) else { return };
    if let Some(beliefs) = &mut all[index(to)] {
        beliefs.peers[index(of)].note(standing);
    }
}

/// It has answered: it is believed in once more.
pub fn answered(all: &mut [Option<Beliefs>; 3], by: NodeId, to: NodeId) {
    let Some(beliefs) = &mut all[index(to)] else { return };
    let peer = &mut beliefs.peers[index(by)];
    if !peer.alive {
        (peer.alive, peer.lapses, peer.broken) = (true, peer.lapses + 1, true);
    }
}

/// All that matters about the beliefs, for a digest: who is believed in, who is up to date, and what is settled.
pub fn outline(all: &[Option<Beliefs>; 3]) -> impl Iterator<Item = (bool, bool, bool, bool, Version)> + '_ {
    let pairs = (1..=3).flat_map(|of| (1..=3).map(move |to| (NodeId(of), NodeId(to)))).filter(|(of, to)| of != to);
    pairs.filter_map(|(of, to)| {
        let peer = &all[index(to)].as_ref()?.peers[index(of)];
        let boot = all[index(of)].as_ref().map(|beliefs| beliefs.boot);
        let same_boot = peer.known.is_some_and(|(known, _)| Some(known) == boot);
        Some((peer.alive, peer.lapses % 2 == 1, is_news(all, of, to), same_boot, peer.settled))
    })
}
