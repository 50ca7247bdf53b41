//! The control plane's body: it owns the cluster's state machine, and nobody else touches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot, watch};
use vitrine_engine::cluster::Cluster;
use vitrine_engine::effect::{Effect, Event, Outbox};
use vitrine_engine::id::NodeId;
use vitrine_engine::map::{Phase, Refusal, Wish};
use vitrine_engine::message::Message;
use vitrine_engine::time::{Instant, Time};
use vitrine_engine::view::Map;

use crate::effects::Wire as _;
use crate::metrics::{Membership, Metrics};
use crate::peer::Peers;
use crate::shards::Shards;

/// Messages of peers that wait for the control plane; more are dropped, and repeated by whoever sent them.
pub const INBOX: usize = 1_024;

/// The task of the control plane.
pub struct Control {
    /// The state machine.
    pub cluster: Cluster,
    /// Who routes by its views.
    pub shards: Arc<Shards>,
    /// Who carries its messages.
    pub peers: Arc<Peers>,
    /// What it knows of the other members, for whoever looks.
    pub metrics: Arc<Metrics>,
    /// What peers say to it.
    pub inbox: mpsc::Receiver<(NodeId, Message)>,
    /// What people want changed of the map, and who hears what is said to that.
    pub wishes: mpsc::Receiver<Wished>,
    /// The map, for whoever keeps it; `None` once this node is no member any more.
    pub map: watch::Sender<Option<Arc<Map>>>,
    /// Turns true, before `map` says so, when it never was one of those who keep slots: nobody wanted it gone.
    pub passed_over: Arc<AtomicBool>,
    /// Turns true when every member has answered or has been given up on, and what those who answer have is known here.
    pub ready: Arc<AtomicBool>,
}

/// A change of the map that somebody wants, and where it is said that it cannot be.
pub type Wished = (Wish, oneshot::Sender<Result<(), Refusal>>);

/// Wishes that wait for the control plane; more are turned away.
pub const WISHES: usize = 64;

/// What the task remembers between two rounds, for the log and for readiness.
#[derive(Default)]
struct Reconciling {
    /// Since when some lanes have been in doubt.
    since: Option<std::time::Duration>,
    /// There was a moment without any: from then on the node answers for what it holds, or asks.
    once: bool,
}

impl Control {
    /// Runs until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut outbox = Outbox::watching();
        let mut reconciling = Reconciling::default();
        self.peers.follow(&self.cluster.view().map);
        loop {
            let now = self.shards.now();
            let shards = Arc::clone(&self.shards);
            self.cluster.note_filled(self.cluster.view().generation, shards.are_through());
            let low = self.metrics.clock.floor_low.load(Ordering::Acquire);
            self.cluster.note_failing(shards.is_read_only() || low);
            self.cluster.tick(now, || shards.settled(now.unix), &mut outbox);
            self.perform(&mut outbox);
            // Only now: what was published by the tick is what may be trusted.
            self.shards.trust(self.cluster.trusted_until());
            self.look(now, &mut reconciling);
            let pause = self.cluster.next_wake().since(self.shards.now().instant);
            tokio::select! {
                // A node without peers has nobody who could say anything; the rest goes on all the same.
                Some((from, message)) = self.inbox.recv() => {
                    let (now, member) = (self.shards.now(), self.cluster.view().member(from).is_some());
                    match member {
                        true => self.cluster.receive(now, from, &message, &mut outbox),
                        false => self.cluster.receive_from_stranger(now, from, &message, &mut outbox),
                    }
                }
                Some((wish, answer)) = self.wishes.recv() => {
                    // Whoever asked may have gone.
                    let _ = answer.send(self.cluster.wish(self.shards.now(), wish));
                }
                () = tokio::time::sleep(pause) => {}
                () = shards.resolved() => {}
                _ = stop.wait_for(|stop| *stop) => {
                    self.ready.store(false, Ordering::Release);
                    return;
                }
            }
        }
    }

    /// Notes whether this node is in doubt about what it holds: one line when it begins, one when it ends.
    fn look(&self, now: Time, reconciling: &mut Reconciling) {
        let lanes = self.shards.in_doubt();
        let age = now.instant.since(Instant(0));
        match reconciling.since {
            None if lanes > 0 => {
                tracing::info!(lanes, "reconciling: asking the other replicas what was missed");
                reconciling.since = Some(age);
            }
            Some(since) if lanes == 0 => {
                let took_ms = age.saturating_sub(since).as_millis() as u64;
                tracing::info!(took_ms, "reconciled");
                reconciling.since = None;
            }
            _ => {}
        }
        reconciling.once |= lanes == 0;
        self.ready.store(self.cluster.is_settled() && reconciling.once, Ordering::Release);
    }

    fn perform(&mut self, outbox: &mut Outbox) {
        let (routes, counters) = (self.cluster.routes(), self.cluster.counters());
        let known = self.metrics.membership.load();
        let moved = !Arc::ptr_eq(&known.routes, routes);
        if moved {
            self.peers.reroute(routes);
        }
        let awaited = self.cluster.awaited();
        if moved || known.counters != counters || known.awaited != awaited {
            let membership = Membership { routes: Arc::clone(routes), counters, awaited };
            self.metrics.membership.store(Arc::new(membership));
        }
        for event in outbox.events.drain(..) {
            match event {
                Event::Suspected { member, aside: false } => tracing::warn!(%member, "a member does not answer"),
                Event::Suspected { member, aside: true } => {
                    tracing::warn!(%member, "a member cannot write its log, and is not counted on until it can");
                }
                Event::Aside { aside: true } => tracing::warn!(
                    "this node cannot write its log, and steps aside until it can: others answer for its slots"
                ),
                Event::Aside { aside: false } => {
                    tracing::info!("this node is back among the others, and asks what it missed");
                }
                Event::Alive { member } => tracing::info!(%member, "a member answers again"),
                Event::Rerouted { member, through: Some(through) } => {
                    tracing::warn!(%member, %through, "a member is not reached, and is spoken to through another");
                }
                Event::Rerouted { member, through: None } => {
                    tracing::info!(%member, "nobody passes on to a member any more");
                }
                Event::Mapped { map } => {
                    for member in map.members.iter().filter(|_| map.phase == Phase::Filling) {
                        let name = &member.name;
                        match (member.was_away, member.away) {
                            (false, true) => tracing::warn!(%name, "others stand in for a member that is down"),
                            (true, false) => {
                                tracing::info!(%name, "a member is back, and has its slots to itself again")
                            }
                            _ => {}
                        }
                    }
                    let (epoch, members) = (map.epoch.0, map.members.len());
                    tracing::info!(epoch, phase = %map.phase, members, "the map has changed");
                }
                Event::Rejoined => tracing::warn!("others had given up this node: it is back, and asks what it missed"),
                _ => {}
            }
        }
        let map = &self.cluster.view().map;
        let same = self.map.borrow().as_ref().is_some_and(|known| Arc::ptr_eq(known, map));
        if !same && !self.cluster.is_expelled() {
            // Whom it is about to speak to is dialled before that.
            self.peers.follow(map);
            self.map.send_replace(Some(Arc::clone(map)));
        }
        let origin = self.cluster.view().origin();
        for effect in outbox.effects.drain(..) {
            match effect {
                Effect::Send { to, message, .. } => self.peers.send(to, origin, message),
                Effect::Publish(view) => self.shards.publish(&view),
                // It has no clients.
                Effect::Reply { .. } => {}
            }
        }
        if self.cluster.is_expelled() {
            self.passed_over.store(self.cluster.is_passed_over(), Ordering::Release);
            self.map.send_replace(None);
        }
    }
}
