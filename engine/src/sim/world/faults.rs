//! What is done to a world: commands that a person gives, or that chance gives in a person's place.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::chance::STRUCK;
use super::logging::Was;
use super::machine::Arrived;
use super::{Due, World, index};
use crate::clock::lost_floor;
use crate::id::{NodeId, Version};
use crate::node::{Node, NodeConfig};
use crate::rng::Rng;
use crate::shard::ShardConfig;
use crate::sim::client::{Reply, Source};
use crate::sim::clock::WallClock;
use crate::sim::command::{self, Command, CommandError};
use crate::sim::disk::Disk;
use crate::sim::fault::DiskFault;
use crate::sim::mark::Mark;
use crate::sim::network::{Cargo, Link, Network, Place};
use crate::sim::trace::What;
use crate::time::{Instant, Time};

impl World {
    /// Does what a line says, from now on: see [`Command`].
    pub fn command(&mut self, line: &str) -> Result<(), CommandError> {
        let command = command::parse(line, self.size, self.air.network)?;
        self.obey(command);
        Ok(())
    }

    /// Does what a command says, from now on.
    ///
    /// A command about a machine that is not there, or not yet, does nothing.
    pub fn obey(&mut self, command: Command) {
        if !command.nodes().iter().all(|node| (1..=self.size).contains(&node.0)) {
            if self.idle.len() < STRUCK {
                self.idle.push((self.now, command));
            }
            return;
        }
        match command {
            Command::Ask { client, node, key, verb } => {
                self.ask(client, node, key, verb, Source::Typed);
            }
            Command::Crash(node) => self.crash(index(node)),
            Command::Wipe(node) => self.wipe(index(node)),
            Command::Restart(node) => self.start(index(node)),
            Command::Pause(node) => self.pause(index(node)),
            Command::Resume(node) => self.resume(index(node)),
            Command::Join(weight, zone) => self.join(weight, zone),
            Command::Leave(node, force) => self.leave(node, force),
            Command::Weigh(node, weight) => self.weigh(node, weight),
            Command::Zone(node, zone) => self.rezone(node, zone),
            Command::Rolling(down) => self.plan_rolling(down),
            Command::Forget(node, key) => {
                self.act(index(node), false, |node, time, out| node.evict(time, &key, out));
            }
            Command::Disk(node, fault) => self.suffer(node, fault),
            Command::Save(node) => self.save(node),
            Command::Clock(node, offset_ms) => {
                self.with_clock(node, Mark::ClockStepped, |clock, _| clock.step(offset_ms));
            }
            Command::Drift(node, ppm) => {
                self.with_clock(node, Mark::ClockDrifted, |clock, now| clock.drift(now, ppm));
            }
            Command::Strobe(node, strobe) => {
                self.with_clock(node, Mark::ClockDrifted, |clock, now| clock.strobe(now, strobe));
            }
            Command::Cut(ways) => {
                ways.iter().for_each(|way| self.cut(*way));
                if ways.iter().any(|(from, to)| !self.air.links.is_cut(*to, *from)) {
                    self.marks.note(Mark::CutOneWay);
                }
            }
            Command::Isolate(node) => self.links_of(&[node]).into_iter().for_each(|way| self.cut(way)),
            Command::Sides(side) => self.links_of(&side).into_iter().for_each(|way| self.cut(way)),
            Command::Heal(ways) => ways.into_iter().for_each(|way| self.heal(way)),
            Command::HealAll => {
                let ways: Vec<_> = self.air.links.all_cut().collect();
                ways.into_iter().for_each(|way| self.heal(way));
            }
            Command::Clog(ways) => ways.into_iter().for_each(|way| self.clog(way)),
            Command::Unclog(ways) => ways.into_iter().for_each(|way| self.unclog(way)),
            Command::UnclogAll => {
                let ways: Vec<_> = self.air.links.all_clogged().collect();
                ways.into_iter().for_each(|way| self.unclog(way));
            }
            Command::Swizzle(span) => self.plan_swizzle(span),
            Command::Network(network) => self.air.network = network,
            Command::Workload(workload) => self.workload(Some(workload)),
            Command::NoWorkload => self.workload(None),
            Command::Faults(faults) => self.faults(faults),
            Command::NoFaults => self.no_faults(),
            Command::Core(nodes) => self.core(&nodes),
            Command::Peace => self.peace(),
            Command::Verdict => self.verdict(),
        }
    }

    /// No more faults: everything runs and is connected.
    pub fn peace(&mut self) {
        let all: Vec<NodeId> = (1..=self.size).map(NodeId).collect();
        self.core(&all);
    }

    /// No more faults: these nodes run, are connected, and lose nothing. What is wrong with the others, or with the
    /// links to them, stays as it is.
    ///
    /// That is how the search for what never ends begins: a fault that stays must not hold up those who can go on.
    pub fn core(&mut self, nodes: &[NodeId]) {
        self.no_faults();
        self.core = nodes.to_vec();
        if nodes.len() < self.machines.len() {
            self.marks.note(Mark::Core);
        }
        self.air.network = Network { loss: 0, duplicate: 0, capacity: None, ..self.air.network };
        let within = |(from, to): &Link| nodes.contains(from) && nodes.contains(to);
        let cut: Vec<_> = self.air.links.all_cut().filter(within).collect();
        cut.into_iter().for_each(|way| self.heal(way));
        let clogged: Vec<_> = self.air.links.all_clogged().filter(within).collect();
        clogged.into_iter().for_each(|way| self.unclog(way));
        for node in nodes {
            self.suffer(*node, DiskFault::Heals);
            self.resume(index(*node));
            self.start(index(*node));
        }
    }

    /// Every way between these nodes and all others.
    pub(super) fn links_of(&self, side: &[NodeId]) -> Vec<Link> {
        let others = (1..=self.size).map(NodeId).filter(|node| !side.contains(node));
        others.flat_map(|other| side.iter().flat_map(move |node| [(*node, other), (other, *node)])).collect()
    }

    pub(super) fn crash(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(node) = machine.node.take() else { return };
        (machine.paused, machine.inbox) = (false, Vec::new());
        self.marks.note(Mark::Crashed);
        self.counted = self.counted.plus(node.counters());
        let (me, asked) = (machine.id, core::mem::take(&mut machine.asked));
        self.note_saving(index);
        let durable = self.lose_unsynced(index);
        self.checks.crashed_leaving(me, self.now, &durable);
        self.mark(b'x', me, 0);
        self.trace.push(self.now, What::Crashed(me));
        for id in asked {
            if let Some(open) = self.open.get(&id) {
                let client = Place::Client(open.ask.client);
                self.send(Place::Node(me), client, Cargo::Reply(id, Reply::Lost));
            }
        }
    }

    /// A node crashes, and comes back with a new disk under its old name. The latest map is not lost with it: a cluster
    /// of which nobody knows anything, or who is cut off knows an older map, is formed anew by a person.
    fn wipe(&mut self, index: usize) {
        let others = self.machines.iter().enumerate().filter(|(at, machine)| *at != index && !machine.left);
        let (left, known) = (self.machines[index].left, self.machines[index].map.edition());
        if left || !others.into_iter().any(|(_, machine)| !machine.wiped && machine.map.edition() >= known) {
            return;
        }
        self.crash(index);
        self.lose_disk(index);
        (self.machines[index].wiped, self.machines[index].floor) = (true, Version::ZERO);
        self.marks.note(Mark::Wiped);
    }

    pub(super) fn start(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if machine.node.is_some() || machine.left {
            return;
        }
        let id = machine.id;
        // A log that cannot be begun is none: the server does not start either.
        let takes_log = machine.disk.as_ref().is_none_or(Disk::takes_segments);
        let Some(map) = self.map_for(id).filter(|_| takes_log) else {
            // Or it finds nobody who knows of it: somebody starts it again later.
            self.queue(self.now + RETRY_START, Due::Start(index as u16));
            return;
        };
        let machine = &mut self.machines[index];
        machine.boots += 1;
        let was_wiped = core::mem::take(&mut machine.wiped);
        let mut seed = Rng::new(self.config.seed, "node");
        let seed = seed.u64() ^ (u64::from(machine.id.0) << 32 | u64::from(machine.boots));
        let shard = ShardConfig {
            me: machine.id,
            limits: self.config.limits,
            seed,
            hash_seed: (seed, !seed),
            retry: self.config.retry,
            clock_skew: self.config.clock_skew,
        };
        let config = NodeConfig { shard, stripes: 1, heartbeat: self.config.heartbeat, recorded: true };
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        let mut node = Node::new(&config, Arc::clone(&map), time);
        node.evict_by(self.config.policy);
        node.tune(self.config.tuning);
        node.on_doubt(self.config.on_doubt);
        if let Some(rate) = self.config.move_rate {
            node.limit_moves(rate, self.now);
        }
        let was = machine.disk.as_ref().map(Was::of);
        let recovered = machine.disk.as_mut().map(|disk| disk.open(time.unix, self.disks.u64()));
        machine.refusing = false;
        machine.node = Some(node);
        machine.wake = Instant::NEVER;
        let me = machine.id;
        self.checks.started(me, map, self.now);
        self.mark(b's', me, 0);
        self.trace.push(self.now, What::Started(me));
        if let Some((was, recovered)) = was.zip(recovered) {
            self.recover(index, was, recovered);
        }
        let machine = &mut self.machines[index];
        if was_wiped {
            machine.floor = lost_floor(time.unix, self.config.clock_skew);
        }
        let floor = machine.floor;
        machine.node.iter_mut().for_each(|node| node.start_above(floor));
        self.schedule(index);
    }

    /// A node stops handling anything: as a process that was sent SIGSTOP, or a machine that is being moved.
    fn pause(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if machine.node.is_none() || machine.paused {
            return;
        }
        machine.paused = true;
        let (me, asked) = (machine.id, machine.asked.clone());
        self.marks.note(Mark::Paused);
        self.mark(b'p', me, 0);
        self.trace.push(self.now, What::Paused(me));
        asked.into_iter().for_each(|id| self.will_give_up(id));
    }

    /// It goes on: first with all that has arrived in the meantime, and only then with what its timers ask for. A real
    /// process may do it the other way round, which is easier.
    fn resume(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if !core::mem::take(&mut machine.paused) {
            return;
        }
        let (me, inbox) = (machine.id, core::mem::take(&mut machine.inbox));
        machine.wake = Instant::NEVER;
        if !inbox.is_empty() {
            self.marks.note(Mark::Backlog);
        }
        self.mark(b'r', me, inbox.len() as u64);
        self.trace.push(self.now, What::Resumed(me));
        self.release_synced(index);
        self.trace.arrived(self.now);
        for arrived in inbox {
            match arrived {
                Arrived::Message(from, origin, message) => self.hand_over(from, me, origin, message),
                Arrived::Passed { from, to, origin, message } => self.pass_on(from, me, to, origin, message),
                Arrived::Ask(ask) => self.serve(me, &ask),
            }
        }
        self.schedule(index);
    }

    fn with_clock(&mut self, node: NodeId, mark: Mark, change: impl FnOnce(&mut WallClock, Instant)) {
        self.marks.note(mark);
        let machine = &mut self.machines[index(node)];
        change(&mut machine.clock, self.now);
        let offset_ms = machine.clock.offset_ms(self.now);
        self.mark(b'c', node, offset_ms as u64);
        self.trace.push(self.now, What::Clock(node, offset_ms));
    }

    fn cut(&mut self, (from, to): Link) {
        if from != to && !self.air.links.is_cut(from, to) {
            self.air.links.cut(from, to);
            self.marks.note(Mark::Cut);
            self.mark(b'-', from, u64::from(to.0));
            self.trace.push(self.now, What::Cut(from, to));
        }
    }

    fn heal(&mut self, (from, to): Link) {
        if self.air.links.is_cut(from, to) {
            self.air.links.heal(from, to);
            self.mark(b'+', from, u64::from(to.0));
            self.trace.push(self.now, What::Healed(from, to));
        }
    }

    fn clog(&mut self, link: Link) {
        if self.air.clog(link) {
            self.marks.note(Mark::Clogged);
            self.mark(b'[', link.0, u64::from(link.1.0));
            self.trace.push(self.now, What::Clogged(link.0, link.1));
        }
    }

    fn unclog(&mut self, link: Link) {
        let Some(flights) = self.air.unclog(self.now, link) else { return };
        self.mark(b']', link.0, u64::from(link.1.0));
        self.trace.push(self.now, What::Unclogged(link.0, link.1));
        if !flights.is_empty() {
            self.marks.note(Mark::Released);
        }
        for (flight, arrives) in flights {
            self.queue(arrives, Due::Arrival(flight));
        }
    }

    /// Takes a fault into the fingerprint.
    pub(super) fn mark(&mut self, kind: u8, node: NodeId, what: u64) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.now.0.to_le_bytes());
        self.scratch.push(kind);
        self.scratch.extend_from_slice(&node.0.to_le_bytes());
        self.scratch.extend_from_slice(&what.to_le_bytes());
        self.fingerprint.add(&self.scratch);
    }
}

/// How long a machine waits that was started and found nobody who knows of it.
const RETRY_START: Duration = Duration::from_millis(500);

/// An offset such that any two clocks are within the skew.
pub(in crate::sim) fn skewed(rng: &mut Rng, skew: Duration) -> i64 {
    let skew = skew.as_millis() as u64;
    rng.between(0, skew) as i64 - (skew / 2) as i64
}
