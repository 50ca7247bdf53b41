//! The control plane: who is believed alive, who was away, and the views that follow from it.
//!
//! Every member is asked "are you there?" at a fixed interval; one that has not answered a question of the last
//! [`Heartbeat::suspect_after`] is suspected, until it answers one again. An answer proves the round trip, so a link
//! that is cut one way only is noticed on both of its sides. The member list is fixed for now: the map never changes
//! here.
//!
//! Heartbeats also say how the two stand to each other ([`Standing`]). Where one of the two was away, or may have been,
//! the next view says what this node may have missed, and the data plane makes up for it: `docs/replication.md`.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Event, Outbox};
use crate::id::{NodeId, Version};
use crate::message::{Message, Standing};
use crate::rng::Rng;
use crate::time::{Instant, Time};
use crate::view::{Map, Pull, View};

/// The control plane of one node.
#[derive(Clone, Debug)]
pub struct Cluster {
    heartbeat: Heartbeat,
    view: Arc<View>,
    peers: Vec<Peer>,
    /// The questions of the last while, oldest first: their serials and when they were sent.
    asked: VecDeque<(u64, Instant)>,
    serial: u64,
    boot: u64,
    /// What the data plane said at the last question: every write of this node up to it is confirmed.
    settled: Version,
    next_ping: Instant,
    ticked: Instant,
}

/// How liveness is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time between two questions.
    pub interval: Duration,
    /// A member that has answered no question sent within this time is suspected.
    pub suspect_after: Duration,
}

#[derive(Clone, Debug)]
struct Peer {
    id: NodeId,
    /// When the latest question that it has answered was sent.
    heard: Instant,
    alive: bool,
    /// It has answered at least once since this node started.
    met: bool,
    /// How often `alive` has changed: what it is told of that.
    lapses: u32,
    /// Its start and its own count of lapses, as last heard.
    known: Option<(u64, u32)>,
    /// Every write of it up to this version has reached this node.
    settled: Version,
    pull: Pull,
    /// `pull` is in no view yet.
    broken: bool,
    /// The question that it was asked out of turn.
    nudged: u64,
}

impl Default for Heartbeat {
    /// A peer is suspected after six unanswered questions, within a second and a half.
    fn default() -> Heartbeat {
        Heartbeat { interval: Duration::from_millis(200), suspect_after: Duration::from_millis(1_200) }
    }
}

impl Cluster {
    /// The control plane of a node that has just started: it believes in everybody until it learns otherwise.
    pub fn new(me: NodeId, map: Arc<Map>, heartbeat: Heartbeat, seed: u64, now: Time) -> Cluster {
        let view = Arc::new(View::first(me, map));
        let peer = |id| Peer {
            id,
            heard: now.instant,
            alive: true,
            met: false,
            lapses: 0,
            known: None,
            settled: Version::ZERO,
            pull: view.pull(id).unwrap_or_default(),
            broken: false,
            nudged: 0,
        };
        let ids = view.map.members.iter().map(|member| member.id).filter(|id| *id != me);
        let mut rng = Rng::new(seed, "heartbeat");
        Cluster {
            heartbeat,
            peers: ids.map(peer).collect(),
            view,
            asked: VecDeque::new(),
            // At random, so that an answer to an earlier boot of this node proves nothing.
            serial: rng.u64() >> 1,
            boot: rng.u64(),
            settled: Version::ZERO,
            next_ping: now.instant,
            ticked: now.instant,
        }
    }

    /// What this node routes by.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// True once every member has answered, or has been given up on.
    pub fn is_settled(&self) -> bool {
        self.peers.iter().all(|peer| peer.met || !peer.alive)
    }

    /// Until when the view may be trusted without another [`Cluster::tick`]. Who comes later was away: it may have been
    /// given up on, and others may have been written to in its place.
    pub fn trusted_until(&self) -> Instant {
        self.ticked + self.heartbeat.suspect_after / 2
    }

    /// A peer asks or answers.
    pub fn receive(&mut self, _time: Time, from: NodeId, message: &Message, out: &mut Outbox) {
        let Some(index) = self.peers.iter().position(|peer| peer.id == from) else { return };
        match message {
            Message::Ping { serial, standing } => {
                self.note(index, *standing);
                out.send(from, Message::Pong { serial: *serial, standing: self.standing(index) });
                // It is back, or its answers do not come through: asked at once, it need not wait for its turn.
                let peer = &mut self.peers[index];
                if !peer.alive && peer.nudged != self.serial {
                    peer.nudged = self.serial;
                    self.ask(index, out);
                }
            }
            Message::Pong { serial, standing } => {
                self.note(index, *standing);
                self.pong(index, *serial, out);
            }
            _ => {}
        }
        self.publish(out);
    }

    /// Asks when it is time to, and suspects who has not answered. Late or repeated calls do no harm. `settled` is
    /// asked for when it is needed: every write of this node up to it is confirmed by every replica believed alive.
    pub fn tick(&mut self, time: Time, settled: impl FnOnce() -> Version, out: &mut Outbox) {
        if time.instant > self.trusted_until() {
            self.was_away(time.instant);
        }
        self.ticked = self.ticked.max(time.instant);
        if time.instant >= self.next_ping {
            self.next_ping = time.instant + self.heartbeat.interval;
            self.serial = self.serial.wrapping_add(1);
            self.settled = self.settled.max(settled());
            self.asked.push_back((self.serial, time.instant));
            for index in 0..self.peers.len() {
                self.ask(index, out);
            }
        }
        let patience = self.heartbeat.suspect_after;
        self.asked.retain(|(_, sent)| *sent + patience > time.instant);
        for peer in self.peers.iter_mut().filter(|peer| peer.alive && peer.heard + patience <= time.instant) {
            peer.alive = false;
            peer.lapses = peer.lapses.wrapping_add(1);
            peer.make_up(true);
            out.event(|| Event::Suspected { member: peer.id });
        }
        self.publish(out);
    }

    /// When [`Cluster::tick`] has something to do next.
    pub fn next_wake(&self) -> Instant {
        let patience = self.heartbeat.suspect_after;
        let suspicions = self.peers.iter().filter(|peer| peer.alive).map(|peer| peer.heard + patience);
        suspicions.min().unwrap_or(Instant::NEVER).min(self.next_ping)
    }

    fn ask(&self, index: usize, out: &mut Outbox) {
        out.send(self.peers[index].id, Message::Ping { serial: self.serial, standing: self.standing(index) });
    }

    fn standing(&self, index: usize) -> Standing {
        Standing { boot: self.boot, lapses: self.peers[index].lapses, settled: self.settled }
    }

    /// It was this node that stood still: nobody is suspected for that, and everybody may have moved on.
    fn was_away(&mut self, now: Instant) {
        for peer in &mut self.peers {
            peer.heard = peer.heard.max(now);
            peer.make_up(false);
        }
    }

    /// Takes in how a peer stands to this node.
    fn note(&mut self, index: usize, standing: Standing) {
        let peer = &mut self.peers[index];
        let Standing { boot, lapses, settled } = standing;
        match peer.known {
            // It was overtaken by a later one of the same start.
            Some((known, later)) if known == boot && later > lapses => return,
            Some((known, _)) if known != boot => peer.make_up(true),
            Some((_, known)) if known != lapses => peer.make_up(false),
            _ => {}
        }
        let same = peer.known == Some((boot, lapses));
        peer.known = Some((boot, lapses));
        // While it suspects this node, its writes are confirmed without it.
        if lapses % 2 == 0 {
            peer.settled = if same { peer.settled.max(settled) } else { settled };
        }
    }

    fn pong(&mut self, index: usize, serial: u64, out: &mut Outbox) {
        let Some((_, sent)) = self.asked.iter().find(|(asked, _)| *asked == serial).copied() else { return };
        let peer = &mut self.peers[index];
        peer.heard = peer.heard.max(sent);
        peer.met = true;
        if !peer.alive {
            peer.alive = true;
            peer.lapses = peer.lapses.wrapping_add(1);
            peer.broken = true;
            out.event(|| Event::Alive { member: peer.id });
        }
    }

    /// Publishes another view when there is something new to say.
    fn publish(&mut self, out: &mut Outbox) {
        if self.peers.iter().all(|peer| !peer.broken) {
            return;
        }
        let peer = |node| self.peers.iter().find(|peer| peer.id == node);
        let next = self.view.with(
            |node| peer(node).is_some_and(|peer| peer.alive),
            |node| peer(node).map_or_else(|| self.view.pull(node).unwrap_or_default(), |peer| peer.pull),
        );
        self.peers.iter_mut().for_each(|peer| peer.broken = false);
        self.view = Arc::new(next);
        out.effects.push(Effect::Publish(Arc::clone(&self.view)));
    }
}

impl Peer {
    /// One of the two was away: what it wrote since may have passed this node by. `lost`: it may be gone itself.
    fn make_up(&mut self, lost: bool) {
        let since = if self.broken { self.pull.since.min(self.settled) } else { self.settled };
        self.pull = Pull { round: self.pull.round + 1, losses: self.pull.losses + u64::from(lost), since };
        self.broken = true;
    }
}

#[cfg(test)]
mod tests;
