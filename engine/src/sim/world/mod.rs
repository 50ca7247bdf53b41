//! The world: nodes, network, clients and faults on one time line.

mod chance;
mod churn;
mod clients;
mod config;
mod delivery;
mod faults;
mod logging;
mod machine;
mod saving;
mod verdict;
mod view;

pub use config::WorldConfig;
pub use machine::Machine;

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

pub(super) use self::faults::skewed;
use super::check::Checks;
use super::client::{Open, Told};
use super::clock::WallClock;
use super::command::Command;
use super::disk::Disk;
use super::fault::Dice;
use super::mark::Marks;
use super::network::Air;
use super::replay::Replay;
use super::trace::{Trace, What};
use super::workload::Load;
use crate::effect::Outbox;
use crate::hash::Fingerprint;
use crate::id::{NodeId, RequestId, Version};
use crate::limits;
use crate::map::{Edition, Wish};
use crate::node::Input;
use crate::rng::Rng;
use crate::shard::{Counters, OnDoubt};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;
use crate::view::{Map, Member, View};

/// A world in one moment. A clone goes the same way from here.
#[derive(Clone, Debug)]
pub struct World {
    config: WorldConfig,
    /// How slots are placed by each edition of the map, as the first node saw it that held it.
    placements: SortedMap<Edition, Arc<View>>,
    now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    queued: u64,
    machines: Vec<Machine>,
    /// How many machines there have been.
    size: u16,
    /// Changes of the map that are asked for, the first of them now.
    wanted: Vec<Wish>,
    /// Whose turn it is to be asked for them.
    turn: u32,
    air: Air,
    /// By how much what a node does itself comes late.
    lateness: Rng,
    /// How long a sync takes, and what a crash leaves of what was not synced.
    disks: Rng,
    /// Where disks rot.
    damages: Rng,
    /// How long the steps of snapshots take.
    saves: Rng,
    open: SortedMap<u64, Open>,
    operations: u64,
    load: Option<Load>,
    dice: Option<Dice>,
    /// Which workload and which faults are in force: what an earlier one has queued does nothing.
    round: u64,
    /// What is to be done later, under the numbers by which the queue knows it.
    planned: SortedMap<u64, Command>,
    plans: u64,
    /// Who runs and is connected for good, once faults are over; before that everybody.
    core: Vec<NodeId>,
    /// What the dice have done, and when: with the commands of a person it is the whole of a run.
    struck: Vec<(Instant, Command)>,
    /// What was to be done to a machine that was not there, and when.
    idle: Vec<(Instant, Command)>,
    replay: Replay,
    history: VecDeque<Told>,
    checks: Checks,
    trace: Trace,
    reported: usize,
    fingerprint: Fingerprint,
    events: u64,
    /// What the nodes counted that have crashed.
    counted: Counters,
    marks: Marks,
    forwards: Forwards,
    outbox: Outbox,
    scratch: Vec<u8>,
}

/// What a world has come across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What happened, and how often.
    pub marks: Marks,
    /// What every node has counted, those included that have crashed since.
    pub counters: Counters,
}

/// The requests that were passed on lately, to know one that is passed on once more.
#[derive(Clone, Debug, Default)]
struct Forwards {
    known: SortedSet<RequestId>,
    order: VecDeque<RequestId>,
}

impl Forwards {
    /// False when it was known.
    fn insert(&mut self, id: RequestId) -> bool {
        const MOST: usize = 512;
        let new = self.known.insert(id);
        if new {
            self.order.push_back(id);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        new
    }
}

/// What the queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrival(u64),
    Wake { machine: u16, boots: u32 },
    Load { round: u64 },
    Fault { round: u64, fault: u8 },
    Planned(u64),
    GiveUp(u64),
    Wanted,
    Start(u16),
    Sync { machine: u16, boots: u32 },
    Synced { machine: u16, boots: u32 },
    WriteAgain { machine: u16, boots: u32 },
    Save { machine: u16, boots: u32 },
}

impl World {
    /// A world at its beginning: every node has just started, and nobody has asked for anything.
    ///
    /// # Panics
    /// When there are no nodes, or more than [`limits::MAX_MEMBERS`].
    pub fn new(config: WorldConfig) -> World {
        assert!((1..=limits::MAX_MEMBERS).contains(&usize::from(config.nodes)), "1 to 1024 nodes");
        let member = |id: u16| Member { zone: config.zone(id), ..Member::new(NodeId(id), format!("n{id}")) };
        let replicas = config.replicas.clamp(1, limits::MAX_REPLICAS as u8);
        let map = Map::first((1..=config.nodes).map(member).collect(), replicas, config.virtual_nodes);
        let mut clocks = Rng::new(config.seed, "clock");
        let map = Arc::new(map);
        let machines = (1..=config.nodes).map(|id| Machine {
            map: Arc::clone(&map),
            id: NodeId(id),
            boots: 0,
            node: None,
            clock: WallClock::new(skewed(&mut clocks, config.clock_skew), config.clock_skew),
            floor: Version::ZERO,
            wiped: false,
            wake: Instant::NEVER,
            late: Duration::ZERO,
            asked: SortedSet::new(),
            paused: false,
            left: false,
            inbox: Vec::new(),
            disk: config.fsync.map(|_| Disk::new(NodeId(id))),
            held: Vec::new(),
            refusing: false,
            saves_from: Instant(0),
        });
        let watching = config.checks || config.trace > 0;
        let mut checks = Checks::new(config.clock_skew).with_timers(config.heartbeat.suspect_after, config.late);
        checks.serves_doubtful = config.on_doubt == OnDoubt::Serve;
        checks.gives_up = config.heartbeat.remove_after.is_some();
        let mut world = World {
            placements: [(map.edition(), Arc::new(View::first(NodeId(1), Arc::clone(&map))))].into(),

            now: Instant(0),
            queue: BinaryHeap::new(),
            queued: 0,
            machines: machines.collect(),
            size: config.nodes,
            wanted: Vec::new(),
            turn: 0,
            air: Air::new(config.network, config.seed),
            lateness: Rng::new(config.seed, "late"),
            disks: Rng::new(config.seed, "disk"),
            damages: Rng::new(config.seed, "disk damage"),
            saves: Rng::new(config.seed, "save"),
            open: SortedMap::new(),
            operations: 0,
            load: None,
            dice: None,
            round: 0,
            planned: SortedMap::new(),
            plans: 0,
            core: (1..=config.nodes).map(NodeId).collect(),
            struck: Vec::new(),
            idle: Vec::new(),
            replay: Replay::default(),
            history: VecDeque::new(),
            checks,
            trace: Trace::new(config.trace as usize),
            reported: 0,
            fingerprint: Fingerprint::default(),
            events: 0,
            counted: Counters::default(),
            marks: Marks::default(),
            forwards: Forwards::default(),
            outbox: if watching { Outbox::watching() } else { Outbox::new() },
            scratch: Vec::new(),
            config,
        };
        for index in 0..world.machines.len() {
            world.start(index);
        }
        world
    }

    /// A clone that knows nothing of what has happened lately, and is the smaller for it: its trace begins with what
    /// happens next, and so does its history. It goes the same way from here.
    pub fn lean(&mut self) -> World {
        let past = (self.trace.take(), core::mem::take(&mut self.history));
        let lean = self.clone();
        self.trace.restore(past.0);
        self.history = past.1;
        lean
    }

    /// Does the next thing. False when nothing is left to do, ever.
    pub fn step(&mut self) -> bool {
        let Some(Reverse((at, _, due))) = self.queue.pop() else { return false };
        self.now = at;
        self.events += 1;
        match due {
            Due::Arrival(flight) => self.arrive(flight),
            Due::Wake { machine, boots } => {
                let index = usize::from(machine);
                // A wake that was brought forward, or that another boot asked for, has nothing to say.
                let machine = &self.machines[index];
                if machine.boots == boots && machine.wake == at && !machine.paused {
                    self.fired(index);
                    self.handle(index, Input::Tick);
                }
            }
            Due::Load { round } => self.load_due(round),
            Due::Fault { round, fault } => self.fault_due(round, fault),
            Due::Planned(plan) => self.plan_due(plan),
            Due::GiveUp(id) => self.give_up(id),
            Due::Wanted => self.wanted_due(),
            Due::Start(index) => self.start(usize::from(index)),
            Due::Sync { machine, boots } => self.sync_due(usize::from(machine), boots),
            Due::Synced { machine, boots } => self.synced(usize::from(machine), boots),
            Due::WriteAgain { machine, boots } => self.write_again(usize::from(machine), boots),
            Due::Save { machine, boots } => self.save_due(usize::from(machine), boots),
        }
        self.report();
        true
    }

    /// Runs until that moment, or for so many events. True when the moment was reached.
    pub fn run_until(&mut self, until: Instant, events: u64) -> bool {
        for _ in 0..events {
            if self.next_event().is_none_or(|next| next > until) {
                self.now = self.now.max(until);
                return true;
            }
            self.step();
        }
        self.next_event().is_none_or(|next| next > until)
    }

    /// Runs for that long.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span, u64::MAX);
    }

    /// Runs until no client waits, or for that long. True when no client waits.
    pub fn settle(&mut self, at_most: Duration) -> bool {
        let until = self.now + at_most;
        while !self.open.is_empty() && self.next_event().is_some_and(|next| next <= until) {
            self.step();
        }
        self.open.is_empty()
    }

    fn queue(&mut self, at: Instant, due: Due) {
        self.queued += 1;
        // What chance does comes last of all that happens at a moment, as a person's command at that moment would.
        let last = matches!(due, Due::Fault { .. } | Due::Planned(_));
        let serial = self.queued | u64::from(last) << 63;
        self.queue.push(Reverse((at.max(self.now), serial, due)));
    }

    /// Puts broken promises into the trace as they appear.
    fn report(&mut self) {
        while let Some(violation) = self.checks.violations().get(self.reported) {
            self.trace.push(self.now, What::Violated(violation.clone()));
            self.reported += 1;
        }
    }
}

fn index(node: NodeId) -> usize {
    usize::from(node.0) - 1
}

#[cfg(test)]
mod tests;
