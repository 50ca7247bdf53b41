//! The control plane: who is believed alive, and the views that follow from it.
//!
//! Every member is asked "are you there?" at a fixed interval; one that has not answered a question of the last
//! [`Heartbeat::suspect_after`] is suspected, until it answers one again. An answer proves the round trip, so a link
//! that is cut one way only is noticed on both of its sides. The member list is fixed for now: the map never changes
//! here.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Event, Outbox};
use crate::id::NodeId;
use crate::message::Message;
use crate::rng::Rng;
use crate::time::{Instant, Time};
use crate::view::{Map, View};

/// The control plane of one node.
#[derive(Clone, Debug)]
pub struct Cluster {
    heartbeat: Heartbeat,
    view: Arc<View>,
    peers: Vec<Peer>,
    /// The questions of the last while, oldest first: their serials and when they were sent.
    asked: VecDeque<(u64, Instant)>,
    serial: u64,
    next_ping: Instant,
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
        let ids = map.members.iter().map(|member| member.id).filter(|id| *id != me);
        let peers = ids.map(|id| Peer { id, heard: now.instant, alive: true, met: false }).collect();
        Cluster {
            heartbeat,
            view: Arc::new(View::first(me, map)),
            peers,
            asked: VecDeque::new(),
            // At random, so that an answer to an earlier boot of this node proves nothing.
            serial: Rng::new(seed, "heartbeat").u64() >> 1,
            next_ping: now.instant,
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

    /// A peer asks or answers.
    pub fn receive(&mut self, time: Time, from: NodeId, message: &Message, out: &mut Outbox) {
        match message {
            Message::Ping { serial } if self.peers.iter().any(|peer| peer.id == from) => {
                out.send(from, Message::Pong { serial: *serial });
            }
            Message::Pong { serial } => self.pong(time, from, *serial, out),
            _ => {}
        }
    }

    /// Asks when it is time to, and suspects who has not answered. Late or repeated calls do no harm.
    pub fn tick(&mut self, time: Time, out: &mut Outbox) {
        if time.instant >= self.next_ping {
            self.next_ping = time.instant + self.heartbeat.interval;
            self.serial = self.serial.wrapping_add(1);
            self.asked.push_back((self.serial, time.instant));
            for peer in &self.peers {
                out.send(peer.id, Message::Ping { serial: self.serial });
            }
        }
        let patience = self.heartbeat.suspect_after;
        self.asked.retain(|(_, sent)| *sent + patience > time.instant);
        let before = self.peers.iter().filter(|peer| peer.alive).count();
        for peer in self.peers.iter_mut().filter(|peer| peer.alive && peer.heard + patience <= time.instant) {
            peer.alive = false;
            out.event(|| Event::Suspected { member: peer.id });
        }
        if before != self.peers.iter().filter(|peer| peer.alive).count() {
            self.publish(out);
        }
    }

    /// When [`Cluster::tick`] has something to do next.
    pub fn next_wake(&self) -> Instant {
        let patience = self.heartbeat.suspect_after;
        let suspicions = self.peers.iter().filter(|peer| peer.alive).map(|peer| peer.heard + patience);
        suspicions.min().unwrap_or(Instant::NEVER).min(self.next_ping)
    }

    fn pong(&mut self, _time: Time, from: NodeId, serial: u64, out: &mut Outbox) {
        let Some((_, sent)) = self.asked.iter().find(|(asked, _)| *asked == serial).copied() else { return };
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == from) else { return };
        peer.heard = peer.heard.max(sent);
        peer.met = true;
        if !peer.alive {
            peer.alive = true;
            out.event(|| Event::Alive { member: from });
            self.publish(out);
        }
    }

    fn publish(&mut self, out: &mut Outbox) {
        let peers = &self.peers;
        let next = self.view.with_alive(|node| peers.iter().any(|peer| peer.id == node && peer.alive));
        self.view = Arc::new(next);
        out.effects.push(Effect::Publish(Arc::clone(&self.view)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;
    use crate::view::Member;
    use alloc::format;
    use alloc::string::String;

    fn at(ms: u64) -> Time {
        Time { instant: Instant(ms * 1_000), unix: crate::time::UnixMs(ms) }
    }

    fn cluster() -> Cluster {
        let member = |id| Member {
            id: NodeId(id),
            name: format!("n{id}"),
            weight: 1,
            peer_address: String::new(),
            http_address: String::new(),
        };
        let map = Map { epoch: Epoch(1), members: (1..=3).map(member).collect(), replicas: 2, virtual_nodes: 8 };
        Cluster::new(NodeId(1), Arc::new(map), Heartbeat::default(), 1, at(0))
    }

    fn pings(out: &Outbox) -> Vec<(NodeId, u64)> {
        let sent = out.effects.iter().filter_map(|effect| match effect {
            Effect::Send { to, message: Message::Ping { serial }, .. } => Some((*to, *serial)),
            _ => None,
        });
        sent.collect()
    }

    #[test]
    fn who_stops_answering_is_suspected_and_who_answers_again_is_alive() {
        let mut cluster = cluster();
        let mut published = 0;
        for ms in (0..6_000).step_by(100) {
            let mut out = Outbox::new();
            cluster.tick(at(ms), &mut out);
            for (to, serial) in pings(&out) {
                // Member 2 is deaf between one and three seconds; member 3 always answers.
                if to == NodeId(3) || !(1_000..3_000).contains(&ms) {
                    cluster.receive(at(ms), to, &Message::Pong { serial }, &mut out);
                }
            }
            published += out.effects.iter().filter(|effect| matches!(effect, Effect::Publish(_))).count();
            let expected = !(2_000..3_000).contains(&ms);
            assert_eq!(cluster.view().is_alive(NodeId(2)), expected, "at {ms} ms");
            assert!(cluster.view().is_alive(NodeId(3)));
        }
        assert_eq!(published, 2);
        assert!(cluster.is_settled());
    }

    #[test]
    fn an_answer_to_no_question_of_late_proves_nothing() {
        let mut cluster = cluster();
        let mut out = Outbox::new();
        cluster.tick(at(0), &mut out);
        let (_, first) = pings(&out)[0];
        for ms in [1_200, 1_300] {
            cluster.tick(at(ms), &mut out);
        }
        assert!(!cluster.view().is_alive(NodeId(2)));
        for serial in [first, first + 100] {
            cluster.receive(at(1_400), NodeId(2), &Message::Pong { serial }, &mut out);
        }
        assert!(!cluster.view().is_alive(NodeId(2)), "the first question is out of date, the other was never asked");
    }
}
