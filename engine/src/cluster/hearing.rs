//! What a heartbeat of a peer says of it, and what follows from that: what it has missed, or this node of it.

use alloc::sync::Arc;

use super::editions::Editions;
use super::{Cluster, Outbox};
use crate::id::Version;
use crate::map::Phase;
use crate::message::{Contact, Message, Reach, Standing};
use crate::time::Instant;

impl Cluster {
    /// Takes in how a peer stands to this node.
    pub(super) fn note(&mut self, now: Instant, index: usize, standing: &Standing, out: &mut Outbox) {
        let told_until = self.told_until(index);
        let peer = &mut self.peers[index];
        let Standing { boot, lapses, settled, life, over, reach, edition, filled, steps, failing, skips } = standing;
        match peer.known {
            // It was overtaken by a later one of the same start.
            Some((known, later)) if known == *boot && later > *lapses => return,
            Some((known, _)) if known != *boot => {
                peer.before = known;
                peer.make_up(true, told_until);
                let before = self.swim.known(peer.id).map_or(0, |known| known.life);
                peer.outlived = if before > *life { before } else { 0 };
            }
            Some((_, known)) if known != *lapses => peer.make_up(false, told_until),
            // A start of it before this one may have told others meanwhile what it told nobody here. Who comes to keep
            // its first slots is told of all by who gives them.
            None if !peer.met && self.placed => peer.make_up(true, told_until),
            _ => {}
        }
        let from = peer.id;
        if *edition < self.view.map.edition() {
            out.send(from, Message::Map { map: Arc::clone(&self.view.map) });
        }
        let known = |editions: &Editions, held| (editions.has(from, held), editions.was_done(from, held));
        let knew = known(&self.editions, self.view.map.edition());
        self.editions.heard(from, *edition, *filled);
        let knows = known(&self.editions, self.view.map.edition());
        self.stale |= self.view.map.phase == Phase::Handing && knew != knows;
        let peer = &mut self.peers[index];
        let same = peer.known == Some((*boot, *lapses));
        peer.known = Some((*boot, *lapses));
        peer.word = now;
        if peer.pull.life != *life {
            (peer.pull.life, peer.broken) = (*life, true);
        }
        if peer.pull.boot != *boot {
            // What is passed on to it from now on is meant for this start of it.
            peer.pull.boot = *boot;
            (peer.broken, peer.answered) = (true, false);
        }
        peer.judge_tells();
        // While it suspects this node, its writes are confirmed without it.
        if lapses % 2 == 0 {
            peer.settled = if same { peer.settled.max(*settled) } else { *settled };
        }
        if *life > peer.outlived {
            peer.outlived = 0;
        }
        // A heartbeat that was overtaken takes nobody back to where it was.
        let same_start = peer.spoke == *boot;
        (peer.spoke, peer.failing) = (*boot, *failing);
        // It may have been told by somebody whom the map has left out meanwhile what nobody else has.
        let skipped = *skips > if same_start { peer.skips } else { 0 };
        if skipped {
            peer.make_up(false, Version::ZERO);
        }
        peer.skips = if same_start { peer.skips.max(*skips) } else { *skips };
        peer.steps = if same_start { peer.steps.max(*steps) } else { *steps };
        let before = core::mem::replace(&mut peer.reach, reach.clone());
        if before != *reach {
            self.note_losses(index, &before);
        }
        let (from, life, over) = (self.peers[index].id, *life, *over);
        let news = self.swim.leads(now, from, life, out);
        self.learn(now, news, out);
        let news = self.swim.is_over(now, over, out);
        self.learn(now, news, out);
        self.believe(now, index, out);
    }

    /// Up to which version this node was told all that a peer knows: what the peer wrote itself, and what it was told
    /// by those whom it hears and this node does not.
    pub(super) fn told_until(&self, index: usize) -> Version {
        let peer = &self.peers[index];
        let unheard = self.peers.iter().filter(|other| !other.alive && peer.reach.to(other.id) != Contact::None);
        unheard.map(|other| other.settled).fold(peer.settled, Version::min)
    }

    /// A peer has lost others. What one that this node does not hear either has told it in the end, this node was not
    /// told, and nobody else will tell it: that one is lost to this node once more, and those who share slots with both
    /// are asked.
    fn note_losses(&mut self, index: usize, before: &Reach) {
        let after = self.peers[index].reach.clone();
        let lost = |node| before.to(node) != Contact::None && after.to(node) == Contact::None;
        for peer in self.peers.iter_mut().filter(|peer| !peer.alive && lost(peer.id)) {
            peer.make_up(true, peer.settled);
        }
    }
}
