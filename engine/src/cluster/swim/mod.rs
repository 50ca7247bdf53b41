//! Liveness by SWIM (Das, Gupta, Motivala, 2002), with the crate `foca`: every node probes one member after another,
//! asks others to probe whom it does not reach, and tells everybody whom nobody reached.
//!
//! This module gives `foca` what it leaves open: identities, bytes, timers, randomness. It decides nothing about data
//! and knows no views: what it finds out are [`News`].
//!
//! A member that is known to be dead does not come back under the same *life*: it begins another, which it also does
//! when it starts. Heartbeats say which life their sender leads, so that everybody knows it from everybody at first
//! hand, whatever gossip loses.

mod identity;
mod record;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::num::{NonZeroU8, NonZeroUsize};
use core::time::Duration;

use bytes::Bytes;
use foca::{Foca, Member, NoCustomBroadcast, Notification, PeriodicParams, Runtime, State, Timer};

use self::identity::{Identity, Wire, sender};
use self::record::{Record, Told};
use super::Heartbeat;
use crate::effect::Outbox;
use crate::id::NodeId;
use crate::limits::MAX_GOSSIP;
use crate::message::Message;
use crate::rng::Rng;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Instant, UnixMs};

/// One node's part in the protocol.
pub(super) struct Swim {
    birth: Birth,
    /// Nobody in a clone until it is told something.
    foca: Option<Box<Protocol>>,
    /// In the simulator, what it was told.
    record: Option<Record>,
    /// The members, this node left out.
    members: SortedSet<NodeId>,
    /// What is known of each node.
    known: SortedMap<NodeId, Known>,
    /// The life of this node.
    life: u64,
    /// How many members there are, this node included.
    size: u16,
    timers: SortedSet<Due>,
    serial: u64,
    /// Packets that were none.
    garbled: u64,
}

/// What the protocol has found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is alive again.
    Up(NodeId),
    /// Nobody reaches it.
    Down(NodeId),
    /// This node was given up, and has begun another life.
    Rejoined,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its latest life.
    pub(super) life: u64,
    /// What is believed of it in that life.
    pub(super) state: State,
}

impl Known {
    /// Is it believed dead?
    pub(super) fn is_down(&self) -> bool {
        self.state == State::Down
    }

    /// Has somebody had no answer from it?
    pub(super) fn is_suspect(&self) -> bool {
        self.state == State::Suspect
    }
}

type Protocol = Foca<Identity, Wire, Dice, NoCustomBroadcast>;

/// From what a `foca` is made.
#[derive(Clone, Copy, Debug)]
struct Birth {
    me: NodeId,
    life: u64,
    seed: u64,
    heartbeat: Heartbeat,
    size: u16,
}

/// Who is asked to probe a member that does not answer, and who is told news at a time.
const HELPERS: NonZeroUsize = NonZeroUsize::new(3).expect("three");
/// Members that are dead are asked to come back one at a time.
const ONE: NonZeroUsize = NonZeroUsize::new(1).expect("one");

impl Swim {
    /// Of a node that has just started and knows nobody.
    pub(super) fn new(me: NodeId, heartbeat: Heartbeat, seed: u64, unix: UnixMs) -> Swim {
        let random = Rng::new(seed, "life").u32() & 0xffff;
        // Later than every life before it, unless the clock was set back: then the others say so.
        let life = unix.0.min((1 << 47) - 1) << 16 | u64::from(random);
        let birth = Birth { me, life, seed, heartbeat, size: 1 };
        Swim {
            birth,
            foca: None,
            record: None,
            members: SortedSet::new(),
            known: SortedMap::new(),
            life,
            size: birth.size,
            timers: SortedSet::new(),
            serial: 0,
            garbled: 0,
        }
    }

    /// Takes in who is a member now: those who are new are believed alive, those who have left are heard no more.
    pub(super) fn set_members(&mut self, members: &[NodeId], now: Instant, out: &mut Outbox) -> Vec<News> {
        let members: SortedSet<NodeId> = members.iter().copied().filter(|id| *id != self.birth.me).collect();
        let mut news = Vec::new();
        self.tell(Told::Size(members.len() as u16 + 1), now, out, &mut news);
        for gone in self.members.difference(&members).copied().collect::<Vec<_>>() {
            let life = self.known.get(&gone).map_or(0, |known| known.life);
            let left = Member::down(Identity { node: gone, life });
            self.tell(Told::Known(left, false), now, out, &mut news);
        }
        let fresh: Vec<NodeId> = members.difference(&self.members).copied().collect();
        self.members = members;
        for node in fresh {
            let member = Member::alive(Identity { node, life: self.known.get(&node).map_or(0, |known| known.life) });
            self.tell(Told::Known(member, false), now, out, &mut news);
        }
        news
    }

    /// Keeps from now on what it is told, so that its clones go the same way.
    pub(super) fn recorded(&mut self, now: Instant) {
        self.record.get_or_insert_default();
        self.begin_anew(now);
    }

    /// Lets the timers that are due go off. `patience` says until when this node itself has patience with a member: it
    /// declares nobody dead before that, whatever became of a probe.
    pub(super) fn tick(&mut self, now: Instant, patience: impl Fn(NodeId) -> Instant, out: &mut Outbox) -> Vec<News> {
        if self.record.as_ref().is_some_and(Record::is_full) {
            self.begin_anew(now);
        }
        let mut news = Vec::new();
        let late = now.since(self.next_wake());
        if late > self.birth.heartbeat.interval / 4 {
            // It was this node that was late: what others had to say in the meantime may wait to be read, and must be
            // read before anybody is judged.
            let shift = late + self.birth.heartbeat.interval / 2;
            self.timers = self.timers.iter().map(|due| Due { at: due.at + shift, ..due.clone() }).collect();
        }
        while let Some(due) = self.timers.first().filter(|due| due.at <= now).cloned() {
            self.timers.pop_first();
            match &due.timer {
                Timer::ChangeSuspectToDown { member_id, .. } if patience(member_id.node) > now => {
                    self.timers.insert(Due { at: patience(member_id.node), ..due });
                }
                _ => self.tell(Told::Timer(due.timer), now, out, &mut news),
            }
        }
        news
    }

    /// A packet has come from that member.
    pub(super) fn receive(&mut self, now: Instant, from: NodeId, packet: &Bytes, out: &mut Outbox) -> Vec<News> {
        let mut news = Vec::new();
        if sender(packet) != Some(from) || packet.len() > MAX_GOSSIP {
            self.garbled += 1;
            return news;
        }
        self.tell(Told::Packet(packet.clone()), now, out, &mut news);
        news
    }

    /// A member says itself which life it leads.
    pub(super) fn leads(&mut self, now: Instant, node: NodeId, life: u64, out: &mut Outbox) -> Vec<News> {
        let mut news = Vec::new();
        if self.members.contains(&node) && self.known.get(&node).is_none_or(|known| known.life < life) {
            let dead = self.known.get(&node).is_some_and(Known::is_down);
            let member = Member::alive(Identity { node, life });
            // Everybody hears that from the member itself; only where it was dead are there some who may not.
            self.tell(Told::Known(member, dead), now, out, &mut news);
        }
        news
    }

    /// Somebody says that this node's life of that number is over: if it is the present one, or a later one, because
    /// the clock was set back between two starts, another begins.
    pub(super) fn is_over(&mut self, now: Instant, life: u64, out: &mut Outbox) -> Vec<News> {
        let mut news = Vec::new();
        let me = Identity { node: self.birth.me, life };
        match life.cmp(&self.life) {
            Ordering::Less => {}
            Ordering::Equal => self.tell(Told::Known(Member::down(me), false), now, out, &mut news),
            Ordering::Greater => self.tell(Told::Life(life.saturating_add(1)), now, out, &mut news),
        }
        news
    }

    /// When [`Swim::tick`] has something to do next.
    pub(super) fn next_wake(&self) -> Instant {
        self.timers.first().map_or(Instant::NEVER, |due| due.at)
    }

    /// The life of this node.
    pub(super) fn life(&self) -> u64 {
        self.life
    }

    /// What is known of a node.
    pub(super) fn known(&self, node: NodeId) -> Option<Known> {
        self.known.get(&node).copied()
    }

    /// Packets that were none.
    pub(super) fn garbled(&self) -> u64 {
        self.garbled
    }

    /// Tells the protocol something, and gathers what it makes of it.
    fn tell(&mut self, told: Told, now: Instant, out: &mut Outbox, news: &mut Vec<News>) {
        let mut body = Body::default();
        let mut foca = self.foca.take().unwrap_or_else(|| self.again());
        let heard = hear(&mut foca, &self.birth, &told, &mut body);
        // Only what comes from outside may be wrong.
        debug_assert!(heard.is_ok() || matches!(told, Told::Packet(_)), "{heard:?} at {told:?}");
        self.garbled += u64::from(heard.is_err());
        if let Told::Size(size) = told {
            self.size = size;
        }
        self.note(&foca);
        self.foca = Some(foca);
        if let Some(record) = &mut self.record {
            record.push(told);
        }
        self.schedule(now, body.timers);
        for (to, data) in body.sent.into_iter().filter(|(to, _)| self.members.contains(&to.node)) {
            out.send(to.node, Message::Gossip { data });
        }
        let members = &self.members;
        news.extend(body.news.into_iter().filter(|news| match news {
            News::Up(node) | News::Down(node) => members.contains(node),
            News::Rejoined => true,
        }));
    }

    /// One that was told all that this one was told.
    fn again(&self) -> Box<Protocol> {
        let mut foca = Box::new(self.birth.foca());
        for told in self.record.iter().flat_map(Record::iter) {
            // What it said to that has been said.
            let _ = hear(&mut foca, &self.birth, told, &mut Body::default());
        }
        foca
    }

    /// Forgets what it was told for what has come of it: another begins where this one ends. In the simulator only, so
    /// that the record of a world that runs for ever does not grow for ever.
    fn begin_anew(&mut self, now: Instant) {
        let seed = self.birth.seed.wrapping_add(1);
        self.birth = Birth { life: self.life, seed, size: self.size, ..self.birth };
        (self.foca, self.timers) = (None, SortedSet::new());
        if let Some(record) = &mut self.record {
            record.clear();
        }
        for (node, Known { life, state }) in core::mem::take(&mut self.known) {
            let identity = Identity { node, life };
            let member = if state == State::Down { Member::down(identity) } else { Member::alive(identity) };
            self.tell(Told::Known(member, false), now, &mut Outbox::new(), &mut Vec::new());
        }
    }

    /// Takes over what it believes now.
    fn note(&mut self, foca: &Protocol) {
        self.life = foca.identity().life;
        for member in foca.iter_membership_state() {
            let Identity { node, life } = *member.id();
            if node != self.birth.me {
                self.known.insert(node, Known { life, state: member.state() });
            }
        }
    }

    fn schedule(&mut self, now: Instant, timers: Vec<(Duration, Timer<Identity>)>) {
        for (after, timer) in timers {
            self.serial += 1;
            self.timers.insert(Due { at: now + after, timer, serial: self.serial });
        }
    }
}

/// A clone goes the same way when what its original was told is recorded, as it is in the simulator. Without a record
/// it knows what its original knew, and begins to find out more from there.
impl Clone for Swim {
    fn clone(&self) -> Swim {
        let mut clone = Swim {
            birth: self.birth,
            foca: None,
            record: self.record.clone(),
            members: self.members.clone(),
            known: self.known.clone(),
            life: self.life,
            size: self.size,
            timers: self.timers.clone(),
            serial: self.serial,
            garbled: self.garbled,
        };
        if clone.record.is_none() {
            let soonest = clone.timers.first().map_or(Instant(0), |due| due.at);
            clone.begin_anew(soonest);
        }
        clone
    }
}

impl fmt::Debug for Swim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swim").field("life", &self.life).field("known", &self.known).finish_non_exhaustive()
    }
}

impl Birth {
    fn foca(&self) -> Protocol {
        let identity = Identity { node: self.me, life: self.life };
        Foca::new(identity, config(self), Dice(Rng::new(self.seed, "swim")), Wire)
    }
}

/// A timer that was set.
#[derive(Clone, Debug)]
struct Due {
    at: Instant,
    timer: Timer<Identity>,
    serial: u64,
}

impl Ord for Due {
    /// Of timers that are due together, the protocol's own order counts.
    fn cmp(&self, other: &Due) -> Ordering {
        self.at.cmp(&other.at).then_with(|| self.timer.cmp(&other.timer)).then_with(|| self.serial.cmp(&other.serial))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// Gathers what `foca` asks for.
#[derive(Default)]
struct Body {
    sent: Vec<(Identity, Bytes)>,
    timers: Vec<(Duration, Timer<Identity>)>,
    news: Vec<News>,
}

impl Runtime<Identity> for &mut Body {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::MemberUp(member) => self.news.push(News::Up(member.node)),
            Notification::MemberDown(member) => self.news.push(News::Down(member.node)),
            Notification::Rejoin(_) => self.news.push(News::Rejoined),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.sent.push((to, Bytes::copy_from_slice(data)));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers.push((after, event));
    }
}

/// The engine's generator, as `foca` wants it.
struct Dice(Rng);

impl rand_core::TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Tells `foca` something.
fn hear(foca: &mut Protocol, birth: &Birth, told: &Told, body: &mut Body) -> Result<(), foca::Error> {
    match told {
        Told::Timer(timer) => foca.handle_timer(timer.clone(), body),
        Told::Packet(packet) => foca.handle_data(packet, body),
        Told::Known(member, tell) => foca.apply_many(core::iter::once(member.clone()), *tell, body),
        Told::Life(life) => foca.change_identity(Identity { node: birth.me, life: *life }, body),
        Told::Size(size) => foca.set_config(config(&Birth { size: *size, ..*birth })),
    }
}

fn config(birth: &Birth) -> foca::Config {
    let interval = birth.heartbeat.interval;
    // As memberlist has it, 4 log10(n + 1), but never less than a small cluster needs at much loss.
    let transmissions = (12 * (u32::from(birth.size) + 1).ilog2() / 10).max(5) as u8;
    foca::Config {
        probe_period: interval,
        // The rest of the period is for those who are asked to help.
        probe_rtt: interval * 2 / 5,
        num_indirect_probes: HELPERS,
        max_transmissions: NonZeroU8::new(transmissions).expect("at least five"),
        suspect_to_down_after: suspicion(birth),
        // A member has one record, whatever its life: nothing grows.
        remove_down_after: None,
        max_packet_size: NonZeroUsize::new(MAX_GOSSIP).expect("not nothing"),
        notify_down_members: true,
        // Heartbeats tell everybody about everybody.
        periodic_announce: None,
        periodic_announce_to_down_members: Some(PeriodicParams { frequency: interval * 5, num_members: ONE }),
        periodic_gossip: Some(PeriodicParams { frequency: interval, num_members: HELPERS }),
    }
}

/// How long a member may refute that it is dead: as memberlist has it, longer in larger clusters, by their logarithm,
/// since news travel longer. With the probe before it never sooner than [`Heartbeat::suspect_after`].
fn suspicion(birth: &Birth) -> Duration {
    let Heartbeat { interval, suspect_after, .. } = birth.heartbeat;
    // log10(n) is 0.3 log2(n), in tenths.
    let tenths = (3 * u32::from(birth.size).max(1).ilog2()).max(10);
    suspect_after.saturating_sub(interval).max(interval) * tenths / 10
}
