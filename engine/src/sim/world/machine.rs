//! A node of the world on its machine: how it is woken, what it is handed, and what it asks for.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Due, World};
use crate::clock::next_floor;
use crate::effect::{Effect, Event, Outbox};
use crate::id::{NodeId, Version};
use crate::map::Map;
use crate::message::{Message, Origin};
use crate::node::{Input, Node};
use crate::request::Key;
use crate::sim::client::{Ask, Reply};
use crate::sim::clock::WallClock;
use crate::sim::disk::Disk;
use crate::sim::mark::Mark;
use crate::sim::network::{Cargo, Place};
use crate::sim::trace::What;
use crate::sorted::SortedSet;
use crate::store::Cause;
use crate::time::{Instant, Time, UnixMs};

/// One node of the world and the machine it runs on.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) id: NodeId,
    /// How often it has started.
    pub(super) boots: u32,
    /// Nobody, while it is down.
    pub(super) node: Option<Node>,
    pub(super) clock: WallClock,
    /// The map that its node held last: it is on its disk, as in the folder of a server, unless that was wiped.
    pub(super) map: Arc<Map>,
    /// No version above it was given or seen by its node, in all its starts: on its disk beside the map, kept ahead of
    /// them as by a server.
    pub(super) floor: Version,
    /// Its disk is new: it has to ask others for the map.
    pub(super) wiped: bool,
    /// When it is next woken, as queued.
    pub(super) wake: Instant,
    /// By how much it will be woken too late.
    pub(super) late: Duration,
    /// Operations that it has taken and not answered.
    pub(super) asked: SortedSet<u64>,
    /// It is stopped in its tracks: it handles nothing, and its clocks run on.
    pub(super) paused: bool,
    /// It was a member, and is none any more.
    pub(super) left: bool,
    /// What has arrived since then.
    pub(super) inbox: Vec<Arrived>,
    /// Where its log is, where nodes write one.
    pub(super) disk: Option<Disk>,
    /// What waits for its log, each with the start and the map that it was made under.
    pub(super) held: Vec<(Origin, Effect)>,
    /// Its node turns writes away, for its disk's sake.
    pub(super) refusing: bool,
    /// It takes no snapshot by itself before that moment, since one has failed.
    pub(super) saves_from: Instant,
}

/// What waits in a socket.
#[derive(Clone, Debug)]
pub(super) enum Arrived {
    Message(NodeId, Origin, Message),
    Passed { from: NodeId, to: NodeId, origin: Origin, message: Message },
    Ask(Ask),
}

impl Machine {
    /// Its node's number.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The node, while it is up.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Its disk, where nodes write a log.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// How often it has started.
    pub fn boots(&self) -> u32 {
        self.boots
    }

    /// True while it is paused: up, but handling nothing.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// True once it is no member any more.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// True while it is up and not paused.
    pub fn is_working(&self) -> bool {
        self.node.is_some() && !self.paused
    }

    /// How far its wall clock is from the truth at that moment, in milliseconds.
    pub fn clock_offset_ms(&self, at: Instant) -> i64 {
        self.clock.offset_ms(at)
    }

    /// What its wall clock shows at that moment.
    pub fn unix(&self, at: Instant) -> UnixMs {
        self.clock.read(at)
    }
}

impl World {
    /// Lets a node take an input, and does what it asks for.
    pub(super) fn handle(&mut self, index: usize, input: Input) {
        let peer_writes = matches!(&input, Input::Peer { message: Message::Replicate { .. }, .. });
        self.act(index, peer_writes, |node, time, out| node.handle(time, input, out));
    }

    /// Lets a node do something, and does what it asks for. `peer_writes`: it is about a write of a peer.
    pub(super) fn act(&mut self, index: usize, peer_writes: bool, act: impl FnOnce(&mut Node, Time, &mut Outbox)) {
        let machine = &mut self.machines[index];
        let Some(node) = &mut machine.node else { return };
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        let me = machine.id;
        let mut out = core::mem::take(&mut self.outbox);
        out.log_from(machine.disk.as_ref().map(Disk::next_lsn));
        act(node, time, &mut out);
        if let Some(floor) = next_floor(machine.floor, time.unix, node.latest()) {
            machine.floor = floor;
        }
        self.write_down(index, &mut out);
        self.save_if_outgrown(index);
        let replicating = peer_writes
            && out.events.iter().any(|event| match event {
                Event::Dropped { cause, .. } => *cause != Cause::Expired,
                _ => false,
            });
        if replicating {
            self.marks.note(Mark::EvictedReplicating);
        }
        let turns =
            |event: &Event| matches!(event, Event::Suspected { .. } | Event::Alive { .. } | Event::Mapped { .. });
        let believes = out.events.iter().any(turns);
        if self.config.checks
            && believes
            && let Some(node) = &self.machines[index].node
        {
            let first = self.placements.get_or_insert_with(node.view().map.edition(), || Arc::clone(node.view()));
            let machines = &self.machines;
            let there = |id: NodeId| machines.get(super::index(id))?.node.as_ref();
            let knows = |id, key: &Key| there(id).map_or(Version::ZERO, |node| node.latest_of(key));
            self.checks.believes(first, node.view(), self.now, &knows);
        }
        if self.config.checks {
            self.judge_misses(index, time.unix, &out.events);
        }
        for event in out.events.drain(..) {
            self.note_dropped(index, &event);
            if self.config.checks {
                let machines = &self.machines;
                let up = |node: NodeId| machines.get(super::index(node)).is_some_and(Machine::is_working);
                self.checks.happened(me, &event, self.now, up);
            }
            if let Event::Forwarded { id, .. } = &event
                && !self.forwards.insert(*id)
            {
                self.marks.note(Mark::ForwardRetried);
            }
            if self.trace.is_on() {
                self.trace.push(self.now, What::Node { node: me, event });
            }
        }
        if self.config.checks
            && let Some(node) = &self.machines[index].node
        {
            self.checks.node(me, node, self.now);
        }
        let origin = self.machines[index].node.as_ref().map_or(Origin::default(), |node| node.view().origin());
        let writes =
            out.effects.iter().any(|effect| matches!(effect, Effect::Send { message: Message::Replicate { .. }, .. }));
        for effect in out.effects.drain(..) {
            match self.waits(index, &effect) {
                true => self.hold(index, origin, effect),
                false => self.perform(index, origin, effect),
            }
        }
        self.outbox = out;
        let machine = &mut self.machines[index];
        if let Some(node) = &machine.node
            && !Arc::ptr_eq(&machine.map, &node.view().map)
        {
            machine.map = Arc::clone(&node.view().map);
        }
        if self.machines[index].node.as_ref().is_some_and(Node::is_expelled) {
            return self.expelled(index);
        }
        self.schedule(index);
        if writes {
            self.strike_a_writer(me);
        }
    }

    /// Does what a node asks for.
    pub(super) fn perform(&mut self, index: usize, origin: Origin, effect: Effect) {
        let me = self.machines[index].id;
        match effect {
            Effect::Send { to, message, .. } => {
                let routes = self.machines[index].node.as_ref().map(Node::routes);
                let hop = routes.map_or(to, |routes| routes.next_hop(to, &message));
                let cargo = match hop == to {
                    true => Cargo::Peer(origin, message),
                    false => Cargo::Passed { from: me, to, origin, message },
                };
                self.send(Place::Node(me), Place::Node(hop), cargo);
            }
            Effect::Reply { client, outcome, .. } => self.answer(index, client.0, Reply::Outcome(outcome)),
            Effect::Publish(_) => {}
        }
    }

    /// Its timer has fired: by how much the next one will be late.
    pub(super) fn fired(&mut self, index: usize) {
        let most = crate::time::micros(self.config.late);
        let machine = &mut self.machines[index];
        machine.wake = Instant::NEVER;
        if most > 0 {
            // Half of them are in time: a machine is busy now and then.
            let late = self.lateness.below(most * 2);
            machine.late = Duration::from_micros(if late < most { late } else { 0 });
            if late < most {
                self.marks.note(Mark::Late);
            }
        }
    }

    /// Queues the node's next wake, unless an earlier one is queued already.
    pub(super) fn schedule(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(node) = machine.node.as_ref().filter(|_| !machine.paused) else { return };
        // What was due before now is due in a millisecond: a node that has nothing to do then must not stop time.
        let wanted = node.next_wake();
        let soonest = if wanted <= self.now { self.now + Duration::from_millis(1) } else { wanted };
        let soonest = if soonest < Instant::NEVER { soonest + machine.late } else { soonest };
        if soonest < machine.wake {
            machine.wake = soonest;
            let due = Due::Wake { machine: index as u16, boots: machine.boots };
            self.queue(soonest, due);
        }
    }
}
