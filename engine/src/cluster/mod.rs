//! The control plane: who is believed alive, who was away, by which way each is reached, and the views that follow.
//!
//! Three things are kept apart. *Who is alive* is found out by all together: SWIM, in [`swim`]. *Who is reached
//! directly* each node finds out by itself: every member is asked "are you there?" at a fixed interval, and one that
//! has left the latest questions unanswered is spoken to through another member that does reach it ([`Routes`]), so
//! that a link which is cut between two is no reason to believe anybody dead. *Who was away*, and what it may have
//! missed, follows from how the two stand to each other ([`Standing`]): the next view says it, and the data plane makes
//! up for it. `docs/membership.md` has the whole of the first two, `docs/replication.md` of the third.
//!
//! Whatever the others say, a member that has answered no question for [`Heartbeat::suspect_after`], neither directly
//! nor through anybody, is dead to this node: a node that is cut off from all finds that out by itself, and in time.

mod aside;
mod editions;
mod hearing;
mod heartbeat;
mod peer;
mod routes;
mod swim;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use self::aside::{Aside, is_aside};
pub(crate) use self::editions::ARRIVAL;
use self::editions::Editions;
pub use self::heartbeat::Heartbeat;
use self::peer::Peer;
pub use self::routes::{Health, Routes, Way};
use self::swim::{Known, News, Swim};
use crate::effect::{Effect, Event, Outbox};
use crate::id::{NodeId, Version};
use crate::map::{Phase, Refusal, Wish};
use crate::message::{Contact, Message, Path, Reach, Standing};
use crate::rng::Rng;
use crate::time::{Instant, Time};
use crate::view::{Absence, Map, View};

/// The control plane of one node.
#[derive(Clone, Debug)]
pub struct Cluster {
    heartbeat: Heartbeat,
    view: Arc<View>,
    swim: Swim,
    peers: Vec<Peer>,
    routes: Arc<Routes>,
    /// Whom this node believes alive, and reaches: what heartbeats say.
    reach: Reach,
    /// The questions of the last while, oldest first: their serials and when they were sent.
    asked: VecDeque<(u64, Instant)>,
    serial: u64,
    boot: u64,
    /// What the data plane said at the last question: every write of this node up to it is confirmed.
    settled: Version,
    next_ping: Instant,
    /// When this node started, or found out that it had stood still: what others said before may be outdated.
    returned: Instant,
    absence: Absence,
    ticked: Instant,
    counters: ClusterCounters,
    editions: Editions,
    aside: Aside,
    /// The view does not say all that there is to say.
    stale: bool,
    /// The map has come without this node in it.
    expelled: bool,
    /// It has kept slots, or been a member while nothing moved.
    placed: bool,
    /// How often editions have passed it by that took slots from others who shared them with it.
    skips: u32,
}

/// What the control plane has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounters {
    /// Members that were given up.
    pub given_up: u64,
    /// Times that others had given up this node, and it came back.
    pub rejoins: u64,
    /// Times that a member was reached by another way than before.
    pub reroutes: u64,
    /// Packets of the membership protocol that were none.
    pub garbled: u64,
}

impl Cluster {
    /// The control plane of a node that has just started: it believes in everybody until it learns otherwise.
    pub fn new(me: NodeId, map: Arc<Map>, heartbeat: Heartbeat, seed: u64, now: Time) -> Cluster {
        let mut rng = Rng::new(seed, "heartbeat");
        // At random, so that an answer to an earlier boot of this node proves nothing.
        let (serial, boot) = (rng.u64() >> 1, rng.u64().max(1));
        let view = View::first(me, map).started(boot);
        let alone = view.map.members.len() == 1;
        let absence = Absence { count: 1, long: true, over: alone };
        let view = Arc::new(view.sure(alone).after(absence));
        let members: Vec<NodeId> = view.map.members.iter().map(|member| member.id).collect();
        let mut cluster = Cluster {
            heartbeat,
            swim: Swim::new(me, heartbeat, seed, now.unix),
            peers: members.iter().filter(|id| **id != me).map(|id| Peer::new(*id, now.instant, false)).collect(),
            view,
            routes: Arc::default(),
            reach: Reach::default(),
            asked: VecDeque::new(),
            serial,
            boot,
            settled: Version::ZERO,
            next_ping: now.instant,
            returned: now.instant,
            absence,
            ticked: now.instant,
            editions: Editions::new(&heartbeat),
            aside: Aside::default(),
            stale: false,
            expelled: false,
            placed: false,
            skips: 0,
            counters: ClusterCounters::default(),
        };
        cluster.note_place();
        // What it makes of them is what it begins with.
        let _ = cluster.swim.set_members(&members, now.instant, &mut Outbox::new());
        cluster.find_ways(now.instant, &mut Outbox::new());
        cluster
    }

    /// The same, made such that its clones go the same way: for simulators, since all that it is told is then kept. To
    /// be called before anything else. A clone of one that is not so made knows what its original knew, and goes on
    /// from there by itself.
    #[must_use]
    pub fn recorded(mut self) -> Cluster {
        self.swim.recorded(self.ticked);
        self
    }

    /// What this node routes by.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// By which ways messages go. Another allocation is another set of ways.
    pub fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// What has been counted.
    pub fn counters(&self) -> ClusterCounters {
        ClusterCounters { garbled: self.swim.garbled(), ..self.counters }
    }

    /// True once every member has answered, or has been given up on.
    pub fn is_settled(&self) -> bool {
        self.peers.iter().all(|peer| peer.met || !peer.alive)
    }

    /// Is the map known to be still the one that the cluster goes by? A node that has just started, or stood still, may
    /// have been removed meanwhile, and others may keep its slots: it asks before it answers alone. A majority would
    /// know, and who does not answer in time is not waited for. One that is being taken in may be passed over where
    /// nobody hears it: it answers nothing alone.
    fn is_sure(&self) -> bool {
        let new = self.view.map.is_new(self.view.me);
        let confirmed = 1 + self.peers.iter().filter(|peer| peer.confirmed && (!new || peer.alive)).count();
        self.is_majority(confirmed) || !new && self.peers.iter().all(|peer| peer.confirmed || !peer.alive)
    }

    fn is_majority(&self, members: usize) -> bool {
        members * 2 > self.peers.len() + 1
    }

    /// Until when the view may be trusted without another [`Cluster::tick`]. Who comes later was away: it may have been
    /// given up on, and others may have been written to in its place.
    ///
    /// Whoever gives it up, or declares it dead to all, has had no answer to any question of its own of the last
    /// [`Heartbeat::suspect_after`]. A question that this node answered was sent before it stopped; the other half of
    /// that time is for the answers that were lost or late around that moment.
    pub fn trusted_until(&self) -> Instant {
        self.ticked + self.heartbeat.suspect_after / 2
    }

    /// A peer says something.
    pub fn receive(&mut self, time: Time, from: NodeId, message: &Message, out: &mut Outbox) {
        let now = time.instant;
        let Some(index) = self.peers.iter().position(|peer| peer.id == from) else { return };
        let outdated = match message {
            Message::Ping { standing, .. } => self.peers[index].is_outdated(standing, None),
            Message::Pong { standing, serial, .. } => self.peers[index].is_outdated(standing, self.sent(*serial)),
            _ => false,
        };
        match message {
            _ if outdated => {}
            Message::Ping { serial, path, standing } => {
                self.note(now, index, standing, out);
                let standing = self.standing(index);
                out.send(from, Message::Pong { serial: *serial, path: *path, standing });
                // It is back, or has started again, or its answers do not come through: asked at once, it need not wait
                // for its turn.
                let peer = &mut self.peers[index];
                if !(peer.alive && peer.answered) && peer.nudged != self.serial {
                    peer.nudged = self.serial;
                    self.ask(index, out);
                }
            }
            Message::Pong { serial, path, standing } => {
                self.note(now, index, standing, out);
                self.pong(now, index, *serial, *path, out);
            }
            Message::Gossip { data } => {
                let news = self.swim.receive(now, from, data, out);
                self.learn(now, news, out);
            }
            Message::Map { map } => self.told_of(time.instant, from, map, out),
            // Whoever passes it on repeats it: why it is not granted is nobody's concern here.
            Message::Wish { wish } => drop(self.editions.wish(time.instant, &self.view, wish.clone())),
            _ => {}
        }
        self.publish(out);
    }

    /// Somebody who is no member of the map says something. It may have been one, or it knows of another map.
    pub fn receive_from_stranger(&mut self, time: Time, from: NodeId, message: &Message, out: &mut Outbox) {
        match message {
            Message::Ping { .. } => out.send(from, Message::Map { map: Arc::clone(&self.view.map) }),
            Message::Map { map } => self.told_of(time.instant, from, map, out),
            _ => {}
        }
        self.publish(out);
    }

    /// Somebody goes by that map. Who goes by an earlier one is told of the one held here: it may not ask, since this
    /// node is no member to it, where those who knew the later map have lost what they knew.
    fn told_of(&mut self, now: Instant, from: NodeId, map: &Arc<Map>, out: &mut Outbox) {
        self.adopt(now, map, out);
        if map.edition() < self.view.map.edition() {
            out.send(from, Message::Map { map: Arc::clone(&self.view.map) });
        }
    }

    /// Somebody wants the map to change. It is asked for until it is granted or nobody repeats it for a while; a change
    /// that cannot be is refused at once.
    pub fn wish(&mut self, time: Time, wish: Wish) -> Result<(), Refusal> {
        self.editions.wish(time.instant, &self.view, wish)
    }

    /// What is wished for here and not granted yet.
    pub fn wishes(&self) -> impl Iterator<Item = &Wish> {
        self.editions.wishes()
    }

    /// The members that the change of the map under way waits for, as far as this node knows; none while nothing moves.
    pub fn awaited(&self) -> Vec<NodeId> {
        self.editions.awaited(&self.view)
    }

    /// The data plane has taken in the view of that generation: is it in doubt about none of what it holds? To be said
    /// before each [`Cluster::tick`].
    pub fn note_filled(&mut self, generation: u64, filled: bool) {
        self.editions.note_filled(generation, filled);
    }

    /// True once the map has come without this node in it: it is a member no more, and has nothing to serve.
    pub fn is_expelled(&self) -> bool {
        self.expelled
    }

    /// True when that happened before the change by which it was to become a member was through: another edition has
    /// won over the one that took it in. Nobody wanted it gone, and it may ask again.
    pub fn is_passed_over(&self) -> bool {
        self.expelled && !self.placed
    }

    fn note_place(&mut self) {
        let map = &self.view.map;
        self.placed |= map.phase == Phase::Steady || map.member(self.view.me).is_some_and(|member| member.was > 0);
    }

    /// Asks when it is time to, and gives up who has not answered. Late or repeated calls do no harm. `settled` is
    /// asked for when it is needed: every write of this node up to it is confirmed by every replica believed alive.
    pub fn tick(&mut self, time: Time, settled: impl FnOnce() -> Version, out: &mut Outbox) {
        let now = time.instant;
        if now > self.trusted_until() {
            let stood_still = now.since(self.ticked);
            self.was_away(now, stood_still >= self.heartbeat.suspect_after);
        }
        self.step_aside(now, out);
        self.ticked = self.ticked.max(now);
        let (peers, patience) = (&self.peers, self.heartbeat.suspect_after);
        let heard = |node| peers.iter().find(|peer| peer.id == node).map_or(Instant(0), |peer| peer.heard);
        let news = self.swim.tick(now, |node| heard(node) + patience, out);
        self.learn(now, news, out);
        let asking = now >= self.next_ping;
        if asking {
            self.next_ping = now + self.heartbeat.interval;
            self.serial = self.serial.wrapping_add(1);
            self.settled = self.settled.max(settled());
            self.asked.push_back((self.serial, now));
        }
        self.asked.retain(|(_, sent)| *sent + patience > now);
        for index in 0..self.peers.len() {
            self.believe(now, index, out);
        }
        self.find_ways(now, out);
        if asking {
            for index in 0..self.peers.len() {
                self.ask(index, out);
            }
        }
        self.publish(out);
        let confirmed = |node| self.peers.iter().any(|peer| peer.id == node && peer.confirmed);
        let reached = |node| self.peers.iter().any(|peer| peer.alive && peer.reach.to(node) != Contact::None);
        if asking && let Some(map) = self.editions.act(time.instant, &self.view, confirmed, reached, out) {
            self.adopt(time.instant, &Arc::new(Map { boot: self.boot, ..map }), out);
            self.publish(out);
        }
    }

    /// Goes over to another edition of the map, if it replaces the one that is held.
    fn adopt(&mut self, now: Instant, map: &Arc<Map>, out: &mut Outbox) {
        let before = Arc::clone(&self.view.map);
        let same = (map.replicas, map.virtual_nodes) == (before.replicas, before.virtual_nodes);
        if self.expelled || !same || !map.replaces(&before) || map.flaw().is_some() {
            return;
        }
        // Whoever is not in it any more is told as well.
        for member in before.members.iter().filter(|member| member.id != self.view.me) {
            out.send(member.id, Message::Map { map: Arc::clone(map) });
        }
        out.event(|| Event::Mapped { map: Arc::clone(map) });
        let me = before.member(self.view.me).map(|member| &member.name);
        if map.member(self.view.me).map(|member| &member.name) != me {
            self.expelled = true;
            return;
        }
        let known = core::mem::take(&mut self.peers);
        for member in map.members.iter().filter(|member| member.id != self.view.me) {
            let name = before.member(member.id).map(|member| &member.name);
            let peer = known.iter().find(|peer| peer.id == member.id && name == Some(&member.name));
            if peer.is_none() {
                self.editions.forget(member.id);
            }
            // Whoever is new is believed in until it is not heard.
            self.peers.push(peer.cloned().unwrap_or_else(|| Peer::new(member.id, now, true)));
        }
        let peer = |node| self.peers.iter().find(|peer| peer.id == node);
        let next = self.view.on(
            Arc::clone(map),
            |node| peer(node).is_some_and(|peer| peer.alive),
            |node| peer(node).map_or_else(|| self.view.pull(node).unwrap_or_default(), |peer| peer.pull),
        );
        // What it has been told by one of those, nobody else may have been told.
        let apart = before.epoch.0 + 1 < map.epoch.0 || self.view.may_be_passed_by();
        let skips = apart && self.view.parts_from(&next);
        self.skips += u32::from(skips);
        self.view = Arc::new(next);
        self.stale = true;
        self.note_place();
        let members: Vec<NodeId> = map.members.iter().map(|member| member.id).collect();
        let news = self.swim.set_members(&members, now, out);
        self.learn(now, news, out);
        self.find_ways(now, out);
        // The others wait to hear that it has arrived here.
        self.next_ping = now;
    }

    /// When [`Cluster::tick`] has something to do next.
    pub fn next_wake(&self) -> Instant {
        let patience = self.heartbeat.suspect_after;
        let silences = self.peers.iter().filter(|peer| peer.alive).map(|peer| peer.heard + patience);
        silences.min().unwrap_or(Instant::NEVER).min(self.next_ping).min(self.swim.next_wake())
    }

    /// Asks a peer, and where it does not answer itself also by way of another.
    fn ask(&self, index: usize, out: &mut Outbox) {
        let peer = &self.peers[index];
        let ping = |path| Message::Ping { serial: self.serial, path, standing: self.standing(index) };
        out.send(peer.id, ping(Path::Direct));
        if peer.through.is_some() {
            out.send(peer.id, ping(Path::Routed));
        }
    }

    /// Is that peer believed alive, whether the view says so yet or not?
    fn believes(&self, node: NodeId) -> bool {
        self.peers.iter().any(|peer| peer.id == node && peer.alive)
    }

    fn standing(&self, index: usize) -> Standing {
        let (edition, filled) = self.editions.standing(&self.view, |node| self.believes(node));
        let peer = &self.peers[index];
        let over = self.swim.known(peer.id).filter(Known::is_down).map_or(0, |known| known.life).max(peer.outlived);
        Standing {
            boot: self.boot,
            lapses: peer.lapses,
            settled: self.settled,
            life: self.swim.life(),
            over,
            reach: self.reach.clone(),
            edition,
            filled,
            steps: self.aside.steps,
            failing: self.aside.failing,
            skips: self.skips,
        }
    }

    /// It was this node that stood still: nobody is given up for that, and everybody may have moved on.
    ///
    /// Whoever starts answers nothing alone before it has asked all for [`Heartbeat::suspect_after`]: in a shorter time
    /// nobody can have come back, taken writes and gone again.
    fn was_away(&mut self, now: Instant, long: bool) {
        self.returned = now;
        self.absence = Absence { count: self.absence.count + 1, long, over: false };
        for index in 0..self.peers.len() {
            let since = self.told_until(index);
            let peer = &mut self.peers[index];
            peer.confirmed = false;
            // Whom it had given up before it has to hear first.
            if peer.alive {
                peer.heard = peer.heard.max(now);
                peer.heard_directly = peer.heard_directly.max(now);
            }
            peer.make_up(false, since);
        }
    }

    /// When that question was sent, if it is one of the last while.
    fn sent(&self, serial: u64) -> Option<Instant> {
        self.asked.iter().find(|(asked, _)| *asked == serial).map(|(_, sent)| *sent)
    }

    fn pong(&mut self, now: Instant, index: usize, serial: u64, path: Path, out: &mut Outbox) {
        let Some(sent) = self.sent(serial) else { return };
        let peer = &mut self.peers[index];
        peer.heard = peer.heard.max(sent);
        (peer.met, peer.answered) = (true, true);
        peer.judge_tells();
        peer.confirmed |= sent >= self.returned;
        if path == Path::Direct {
            peer.heard_directly = peer.heard_directly.max(sent);
            if !peer.direct {
                self.find_ways(now, out);
            }
        }
        self.believe(now, index, out);
    }

    /// Takes in what the membership protocol has found out.
    fn learn(&mut self, now: Instant, news: Vec<News>, out: &mut Outbox) {
        for news in news {
            let (node, up) = match news {
                News::Up(node) => (node, true),
                News::Down(node) => (node, false),
                News::Rejoined => {
                    // Somebody had given it up, and wrote without it: who, it will hear, but it need not wait for that.
                    self.counters.rejoins += 1;
                    for index in 0..self.peers.len() {
                        let since = self.told_until(index);
                        self.peers[index].make_up(false, since);
                    }
                    out.event(|| Event::Rejoined);
                    continue;
                }
            };
            if let Some(index) = self.peers.iter().position(|peer| peer.id == node) {
                self.peers[index].up = up;
                self.believe(now, index, out);
            }
        }
    }

    /// Believes a peer alive or not, by what is known.
    fn believe(&mut self, now: Instant, index: usize, out: &mut Outbox) {
        let patience = self.heartbeat.suspect_after;
        let told_until = self.told_until(index);
        let peer = &mut self.peers[index];
        // One that is back with a later map may have taken writes, while it was away, to slots that by this node's map
        // it does not keep: nobody would ask it for them. It is believed in once that map is here.
        let behind = !peer.alive && self.editions.is_ahead(peer.id, self.view.map.edition());
        let heard = peer.up && peer.heard + patience > now;
        let aside = heard && is_aside(peer.steps);
        self.stale |= aside != peer.aside;
        peer.aside = aside;
        let alive = heard && !behind && !aside;
        if alive == peer.alive {
            return;
        }
        peer.alive = alive;
        peer.lapses = peer.lapses.wrapping_add(1);
        if alive {
            peer.broken = true;
            out.event(|| Event::Alive { member: peer.id });
        } else {
            self.counters.given_up += u64::from(!aside);
            peer.make_up(true, told_until);
            out.event(|| Event::Suspected { member: peer.id, aside });
        }
    }

    /// Publishes another view when there is something new to say.
    fn publish(&mut self, out: &mut Outbox) {
        let sure = self.is_sure();
        let over = self.is_majority(1 + self.peers.iter().filter(|peer| peer.confirmed).count());
        self.absence.over |= over;
        let same = sure == self.view.is_sure() && self.absence == self.view.absence();
        if !self.stale && self.peers.iter().all(|peer| !peer.broken) && same {
            return;
        }
        self.stale = false;
        let peer = |node| self.peers.iter().find(|peer| peer.id == node);
        let me = self.view.me;
        let aside = |node| if node == me { self.is_aside() } else { peer(node).is_some_and(|peer| peer.aside) };
        let next = self.view.with_aside(aside).with(
            |node| peer(node).is_some_and(|peer| peer.alive),
            |node| peer(node).map_or_else(|| self.view.pull(node).unwrap_or_default(), |peer| peer.pull),
        );
        let edition = next.map.edition();
        let next = match next.map.phase {
            Phase::Handing => {
                let (editions, known) = (&self.editions, |node| self.editions.has(node, edition));
                next.with_switched(known, |node| editions.was_done(node, edition))
            }
            _ => next,
        };
        self.peers.iter_mut().for_each(|peer| peer.broken = false);
        self.view = Arc::new(next.sure(sure).after(self.absence));
        out.effects.push(Effect::Publish(Arc::clone(&self.view)));
    }
}

#[cfg(test)]
mod tests;
