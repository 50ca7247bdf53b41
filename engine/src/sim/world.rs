//! The world: nodes, network, clients and faults on one time line.

use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::check::{Checks, Violation};
use super::client::{Ask, Open, Reply, Source, Told, Verb};
use super::clock::{WallClock, truth};
use super::command::{self, Command, CommandError};
use super::fault::{Dice, Fault, Faults};
use super::network::{Air, Cargo, Flight, Links, Network, Place};
use super::replay::Replay;
use super::trace::{Dropped, Trace, What};
use super::workload::{Load, Workload};
use crate::cluster::Heartbeat;
use crate::effect::{Effect, Outbox};
use crate::hash::Fingerprint;
use crate::id::{ClientToken, Epoch, NodeId};
use crate::limits;
use crate::node::{Input, Node, NodeConfig};
use crate::request::{Answer, Condition, Key, Operation, ReadLevel, Request, Value, WriteLevel};
use crate::rng::Rng;
use crate::shard::{Counters, Retry, ShardConfig};
use crate::store::Limits;
use crate::time::{Instant, Time, UnixMs};
use crate::view::{Map, Member};

/// How a world is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// Nodes, named `n1`, `n2`, …; 1 to [`limits::MAX_MEMBERS`].
    pub nodes: u16,
    /// Copies of each slot.
    pub replicas: u8,
    /// What each node may store.
    pub limits: Limits,
    /// Points on the ring for each node.
    pub virtual_nodes: u16,
    /// How messages travel.
    pub network: Network,
    /// How far two nodes' wall clocks may be apart. They are, at random.
    pub clock_skew: Duration,
    /// When unanswered messages are repeated.
    pub retry: Retry,
    /// How liveness is found out.
    pub heartbeat: Heartbeat,
    /// How long clients wait.
    pub timeout: Duration,
    /// Check the promises all the while.
    pub checks: bool,
    /// Events that the trace keeps; 0 for none.
    pub trace: u32,
}

/// A world in one moment. A clone goes the same way from here.
#[derive(Clone, Debug)]
pub struct World {
    config: WorldConfig,
    map: Arc<Map>,
    now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    queued: u64,
    machines: Vec<Machine>,
    air: Air,
    open: BTreeMap<u64, Open>,
    operations: u64,
    load: Option<Load>,
    dice: Option<Dice>,
    /// Which workload and which faults are in force: what an earlier one has queued does nothing.
    round: u64,
    replay: Replay,
    history: VecDeque<Told>,
    checks: Checks,
    trace: Trace,
    reported: usize,
    fingerprint: Fingerprint,
    events: u64,
    seen: Seen,
    outbox: Outbox,
    scratch: Vec<u8>,
}

/// What a world has come across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Nodes that crashed.
    pub crashes: u64,
    /// Ways between nodes that were cut.
    pub cuts: u64,
    /// What every node has counted, those included that have crashed since.
    pub counters: Counters,
}

/// One node of the world and the machine it runs on.
#[derive(Clone, Debug)]
pub struct Machine {
    id: NodeId,
    /// How often it has started.
    boots: u32,
    /// Nobody, while it is down.
    node: Option<Node>,
    clock: WallClock,
    /// When it is next woken, as queued.
    wake: Instant,
    /// Operations that it has taken and not answered.
    asked: BTreeSet<u64>,
}

/// What the queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrival(u64),
    Wake { machine: u16, boots: u32 },
    Load { round: u64 },
    Fault { round: u64, fault: u8 },
}

/// Answers that clients have been given, kept for whoever shows them.
const HISTORY: usize = 1_024;

impl Default for WorldConfig {
    fn default() -> WorldConfig {
        WorldConfig {
            seed: 1,
            nodes: 3,
            replicas: 2,
            limits: Limits { entries: Some(1_000), bytes: None },
            virtual_nodes: limits::DEFAULT_VIRTUAL_NODES,
            network: Network::default(),
            clock_skew: Duration::from_millis(100),
            retry: Retry::default(),
            heartbeat: Heartbeat::default(),
            timeout: limits::DEFAULT_TIMEOUT,
            checks: true,
            trace: 10_000,
        }
    }
}

impl World {
    /// A world at its beginning: every node has just started, and nobody has asked for anything.
    ///
    /// # Panics
    /// When there are no nodes, or more than [`limits::MAX_MEMBERS`].
    pub fn new(config: WorldConfig) -> World {
        assert!((1..=limits::MAX_MEMBERS).contains(&usize::from(config.nodes)), "1 to 1024 nodes");
        let member = |id: u16| Member {
            id: NodeId(id),
            name: format!("n{id}"),
            weight: 1,
            peer_address: String::new(),
            http_address: String::new(),
        };
        let map = Map {
            epoch: Epoch(1),
            members: (1..=config.nodes).map(member).collect(),
            replicas: config.replicas.clamp(1, limits::MAX_REPLICAS as u8),
            virtual_nodes: config.virtual_nodes,
        };
        let mut clocks = Rng::new(config.seed, "clock");
        let machines = (1..=config.nodes).map(|id| Machine {
            id: NodeId(id),
            boots: 0,
            node: None,
            clock: WallClock { offset_ms: skewed(&mut clocks, config.clock_skew) },
            wake: Instant::NEVER,
            asked: BTreeSet::new(),
        });
        let watching = config.checks || config.trace > 0;
        let mut world = World {
            map: Arc::new(map),
            now: Instant(0),
            queue: BinaryHeap::new(),
            queued: 0,
            machines: machines.collect(),
            air: Air::new(config.network, config.seed),
            open: BTreeMap::new(),
            operations: 0,
            load: None,
            dice: None,
            round: 0,
            replay: Replay::default(),
            history: VecDeque::new(),
            checks: Checks::new(config.clock_skew),
            trace: Trace::new(config.trace as usize),
            reported: 0,
            fingerprint: Fingerprint::default(),
            events: 0,
            seen: Seen::default(),
            outbox: if watching { Outbox::watching() } else { Outbox::new() },
            scratch: Vec::new(),
            config,
        };
        for index in 0..world.machines.len() {
            world.start(index);
        }
        world
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
                if self.machines[index].boots == boots && self.machines[index].wake == at {
                    self.machines[index].wake = Instant::NEVER;
                    self.handle(index, Input::Tick);
                }
            }
            Due::Load { round } => self.load_due(round),
            Due::Fault { round, fault } => self.fault_due(round, fault),
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

    /// Does what a line says, from now on: see [`Command`].
    pub fn command(&mut self, line: &str) -> Result<(), CommandError> {
        let command = command::parse(line, self.config.nodes, self.air.network)?;
        self.obey(command);
        Ok(())
    }

    /// Does what a command says, from now on.
    pub fn obey(&mut self, command: Command) {
        match command {
            Command::Ask { client, node, key, verb } => {
                self.ask(client, node, key, verb, Source::Typed);
            }
            Command::Crash(node) => self.crash(index(node)),
            Command::Restart(node) => self.start(index(node)),
            Command::Clock(node, offset_ms) => self.set_clock(index(node), offset_ms),
            Command::Cut(ways) => ways.into_iter().for_each(|(from, to)| self.cut(from, to)),
            Command::Isolate(node) => {
                for other in (1..=self.config.nodes).map(NodeId).filter(|other| *other != node) {
                    self.cut(node, other);
                    self.cut(other, node);
                }
            }
            Command::Heal(ways) => ways.into_iter().for_each(|(from, to)| self.heal(from, to)),
            Command::HealAll => {
                let ways: Vec<_> = self.air.links.all_cut().collect();
                ways.into_iter().for_each(|(from, to)| self.heal(from, to));
            }
            Command::Network(network) => self.air.network = network,
            Command::Workload(workload) => self.workload(Some(workload)),
            Command::NoWorkload => self.workload(None),
        }
    }

    /// Begins a load, in place of any other, or ends it.
    pub fn workload(&mut self, workload: Option<Workload>) {
        self.round += 1;
        self.load = workload.map(|workload| Load::new(workload, self.config.seed ^ self.round));
        if let Some(load) = &mut self.load {
            let at = self.now + load.pause();
            self.queue(at, Due::Load { round: self.round });
        }
        self.roll();
    }

    /// Lets faults strike from now on, in place of any others.
    pub fn faults(&mut self, faults: Faults) {
        self.dice = Some(Dice::new(faults, self.config.seed));
        self.roll();
    }

    /// No more faults: everything runs and is connected.
    pub fn peace(&mut self) {
        self.dice = None;
        self.air.network = Network { loss: 0, duplicate: 0, ..self.air.network };
        self.obey(Command::HealAll);
        for index in 0..self.machines.len() {
            self.start(index);
        }
    }

    /// Adds keys to the trace that client 0 plays: read, and on a miss write, one after the other.
    pub fn replay(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.replay.keys.extend(keys);
        self.replay_next();
    }

    /// Forgets what is left of the trace, and its numbers.
    pub fn stop_replay(&mut self) {
        self.replay = Replay::default();
    }

    /// What has become of the trace so far.
    pub fn replayed(&self) -> &Replay {
        &self.replay
    }

    /// Ends the checks of a run whose faults are over: see [`World::violations`].
    pub fn verdict(&mut self) {
        let nodes = self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
        self.checks.end(self.now, nodes);
        if !self.open.is_empty() {
            self.checks
                .stuck(self.now, format!("{} requests have no end: {:?}", self.open.len(), self.open.values().next()));
        }
        for machine in &self.machines {
            let in_flight: u32 = machine.node.iter().flat_map(Node::shards).map(|shard| shard.in_flight()).sum();
            if in_flight > 0 {
                self.checks.stuck(self.now, format!("{} still has {in_flight} requests in flight", machine.id));
            }
        }
        self.report();
    }

    /// The promises that were broken, in order.
    pub fn violations(&self) -> &[Violation] {
        self.checks.violations()
    }

    /// What the world has come across so far.
    pub fn seen(&self) -> Seen {
        let nodes = self.machines.iter().filter_map(Machine::node);
        Seen { counters: nodes.fold(self.seen.counters, |sum, node| sum.plus(node.counters())), ..self.seen }
    }

    /// One number for all that has happened: equal runs have equal fingerprints, on every platform.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.0
    }

    /// The time line's present, from the beginning of the world.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When the next thing happens.
    pub fn next_event(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    /// How many things have happened.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What it was made of.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// The nodes, up or down, in the order of their numbers.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The map that every node shares.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The messages on their way, in the order of sending.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.air.flights.values()
    }

    /// Which links are cut.
    pub fn links(&self) -> &Links {
        &self.air.links
    }

    /// How messages travel now.
    pub fn network(&self) -> Network {
        self.air.network
    }

    /// The load that is at work.
    pub fn load(&self) -> Option<&Workload> {
        self.load.as_ref().map(|load| &load.workload)
    }

    /// What has happened lately.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What clients have been told lately, oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.history.iter()
    }

    /// How many clients wait for an answer.
    pub fn waiting(&self) -> u32 {
        self.open.len() as u32
    }

    /// What a right clock shows now.
    pub fn unix(&self) -> UnixMs {
        truth(self.now)
    }

    fn queue(&mut self, at: Instant, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at.max(self.now), self.queued, due)));
    }

    /// A client asks: the request is on its way. Returns the operation's number.
    fn ask(&mut self, client: u16, node: Option<NodeId>, key: Key, verb: Verb, source: Source) -> u64 {
        self.operations += 1;
        let id = self.operations;
        let usual = NodeId(client.saturating_sub(1) % self.config.nodes + 1);
        let ask = Ask { id, client, node: node.unwrap_or(usual), key, verb, timeout: self.config.timeout };
        if self.trace.is_on() && source != Source::Replay {
            self.trace.push(self.now, What::Asked(ask.clone()));
        }
        self.open.insert(id, Open { ask: ask.clone(), asked: self.now, source });
        self.send(Place::Client(client), Place::Node(ask.node), Cargo::Ask(ask));
        id
    }

    fn send(&mut self, from: Place, to: Place, cargo: Cargo) {
        let kind = if let Cargo::Peer(message) = &cargo { Some(message.kind()) } else { None };
        let flights = self.air.send(self.now, from, to, cargo);
        if let (None, Some(kind)) = (flights[0], kind) {
            self.trace.push(self.now, What::Dropped { from, to, kind, why: Dropped::Lost });
        }
        for (flight, arrives) in flights.into_iter().flatten() {
            self.queue(arrives, Due::Arrival(flight));
        }
    }

    fn arrive(&mut self, flight: u64) {
        let Some(flight) = self.air.flights.remove(&flight) else { return };
        self.note(&flight);
        let down = |world: &World, node: NodeId| world.machines[index(node)].node.is_none();
        match (flight.cargo, flight.to) {
            (Cargo::Peer(message), Place::Node(to)) => {
                let Place::Node(from) = flight.from else { return };
                let kind = message.kind();
                let why = match () {
                    () if self.air.links.is_cut(from, to) => Some(Dropped::Cut),
                    () if down(self, to) => Some(Dropped::Down),
                    () => None,
                };
                if let Some(why) = why {
                    return self.trace.push(self.now, What::Dropped { from: flight.from, to: flight.to, kind, why });
                }
                if self.trace.is_on() {
                    let key = key_of(&message).cloned();
                    self.trace.push(self.now, What::Delivered { from, to, kind, key });
                }
                self.handle(index(to), Input::Peer { from, message });
            }
            (Cargo::Ask(ask), Place::Node(to)) => {
                if down(self, to) {
                    return self.send(flight.to, flight.from, Cargo::Reply(ask.id, Reply::Refused));
                }
                self.checks.asked(&ask, self.now);
                let machine = &mut self.machines[index(to)];
                machine.asked.insert(ask.id);
                let request = request(&ask, machine.clock.read(self.now));
                self.handle(index(to), Input::Client { client: ClientToken(ask.id), request });
            }
            (Cargo::Reply(id, reply), Place::Client(_)) => self.told(id, reply),
            (Cargo::Peer(_) | Cargo::Ask(_), Place::Client(_)) | (Cargo::Reply(..), Place::Node(_)) => {}
        }
    }

    /// Lets a node take an input, and does what it asks for.
    fn handle(&mut self, index: usize, input: Input) {
        let machine = &mut self.machines[index];
        let Some(node) = &mut machine.node else { return };
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        let me = machine.id;
        let mut out = core::mem::take(&mut self.outbox);
        node.handle(time, input, &mut out);
        for event in out.events.drain(..) {
            if self.config.checks {
                self.checks.happened(me, &event);
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
        for effect in out.effects.drain(..) {
            match effect {
                Effect::Send { to, message, .. } => self.send(Place::Node(me), Place::Node(to), Cargo::Peer(message)),
                Effect::Reply { client, outcome, .. } => self.answer(index, client.0, Reply::Outcome(outcome)),
                Effect::Publish(_) => {}
            }
        }
        self.outbox = out;
        self.schedule(index);
    }

    /// A node answers a client.
    fn answer(&mut self, index: usize, id: u64, reply: Reply) {
        let machine = &mut self.machines[index];
        let me = machine.id;
        assert!(machine.asked.remove(&id), "{me} answers operation {id}, which it was not asked or has answered");
        let Some(open) = self.open.get(&id) else { return };
        if self.config.checks {
            let nodes = self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
            self.checks.told(&open.ask, &reply, self.now, nodes);
        }
        let client = Place::Client(open.ask.client);
        self.send(Place::Node(me), client, Cargo::Reply(id, reply));
    }

    /// An answer reaches its client.
    fn told(&mut self, id: u64, reply: Reply) {
        let Some(Open { ask, asked, source }) = self.open.remove(&id) else { return };
        if self.config.checks {
            self.checks.waited(&ask, asked, self.now);
        }
        if self.trace.is_on() && source != Source::Replay {
            let (client, node, key) = (ask.client, ask.node, ask.key.clone());
            self.trace.push(self.now, What::Told { id, client, node, key, reply: reply.clone() });
        }
        if source == Source::Replay {
            return self.replayed_one(&ask, &reply);
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Told { ask, asked, told: self.now, reply });
    }

    fn replayed_one(&mut self, ask: &Ask, reply: &Reply) {
        let Some(key) = self.replay.current.take().filter(|key| *key == ask.key) else { return };
        let read = matches!(ask.verb, Verb::Get(_));
        if read {
            self.replay.requests += 1;
        }
        match reply {
            Reply::Outcome(Ok(Answer::Missing)) => {
                self.replay.misses += 1;
                let value = bytes::Bytes::from_static(b"1");
                let verb = Verb::Set { value, ttl: None, condition: Condition::Always, level: WriteLevel::Live };
                self.replay.current = Some(key.clone());
                self.ask(0, None, key, verb, Source::Replay);
                return;
            }
            Reply::Outcome(Ok(Answer::Found(_))) => self.replay.hits += 1,
            Reply::Outcome(Ok(_)) => {}
            _ => self.replay.failures += 1,
        }
        self.replay_next();
    }

    fn replay_next(&mut self) {
        if self.replay.current.is_some() {
            return;
        }
        let Some(key) = self.replay.keys.pop_front() else { return };
        self.replay.current = Some(key.clone());
        self.ask(0, None, key, Verb::Get(ReadLevel::Primary), Source::Replay);
    }

    fn load_due(&mut self, round: u64) {
        let Some(load) = self.load.as_mut().filter(|_| round == self.round) else { return };
        let (client, key, verb) = (load.client(), load.key(), load.verb(self.operations + 1));
        let at = self.now + load.pause();
        self.ask(client, None, key, verb, Source::Workload);
        self.queue(at, Due::Load { round });
    }

    fn roll(&mut self) {
        let next = self.dice.as_mut().and_then(Dice::next);
        if let Some((wait, fault)) = next {
            self.queue(self.now + wait, Due::Fault { round: self.round, fault: fault as u8 });
        }
    }

    fn fault_due(&mut self, round: u64, fault: u8) {
        let Some(dice) = self.dice.as_mut().filter(|_| round == self.round) else { return };
        let (a, b) = (dice.node(self.config.nodes), dice.node(self.config.nodes));
        let both = dice.rng.chance(500_000);
        let offset = skewed(&mut dice.rng, self.config.clock_skew);
        match fault {
            fault if fault == Fault::Crash as u8 => self.crash(index(a)),
            fault if fault == Fault::Restart as u8 => self.start(index(a)),
            fault if fault == Fault::Heal as u8 => self.obey(Command::HealAll),
            fault if fault == Fault::Clock as u8 => self.set_clock(index(a), offset),
            _ => {
                self.cut(a, b);
                if both {
                    self.cut(b, a);
                }
            }
        }
        self.roll();
    }

    fn crash(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(node) = machine.node.take() else { return };
        self.seen.crashes += 1;
        self.seen.counters = self.seen.counters.plus(node.counters());
        let (me, asked) = (machine.id, core::mem::take(&mut machine.asked));
        self.checks.crash();
        self.mark(b'x', me, 0);
        self.trace.push(self.now, What::Crashed(me));
        for id in asked {
            if let Some(open) = self.open.get(&id) {
                let client = Place::Client(open.ask.client);
                self.send(Place::Node(me), client, Cargo::Reply(id, Reply::Lost));
            }
        }
    }

    fn start(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        if machine.node.is_some() {
            return;
        }
        machine.boots += 1;
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
        let config = NodeConfig { shard, stripes: 1, heartbeat: self.config.heartbeat };
        let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
        machine.node = Some(Node::new(&config, Arc::clone(&self.map), time));
        machine.wake = Instant::NEVER;
        let me = machine.id;
        self.mark(b's', me, 0);
        self.trace.push(self.now, What::Started(me));
        self.schedule(index);
    }

    fn set_clock(&mut self, index: usize, offset_ms: i64) {
        let machine = &mut self.machines[index];
        machine.clock.offset_ms = offset_ms;
        let me = machine.id;
        self.mark(b'c', me, offset_ms as u64);
        self.trace.push(self.now, What::Clock(me, offset_ms));
    }

    fn cut(&mut self, from: NodeId, to: NodeId) {
        if from != to && !self.air.links.is_cut(from, to) {
            self.air.links.cut(from, to);
            self.seen.cuts += 1;
            self.mark(b'-', from, u64::from(to.0));
            self.trace.push(self.now, What::Cut(from, to));
        }
    }

    fn heal(&mut self, from: NodeId, to: NodeId) {
        if self.air.links.is_cut(from, to) {
            self.air.links.heal(from, to);
            self.mark(b'+', from, u64::from(to.0));
            self.trace.push(self.now, What::Healed(from, to));
        }
    }

    /// Queues the node's next wake, unless an earlier one is queued already.
    fn schedule(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        let Some(node) = &machine.node else { return };
        // What was due before now is due in a millisecond: a node that has nothing to do then must not stop time.
        let soonest = if node.next_wake() <= self.now { self.now + Duration::from_millis(1) } else { node.next_wake() };
        if soonest < machine.wake {
            machine.wake = soonest;
            let due = Due::Wake { machine: index as u16, boots: machine.boots };
            self.queue(soonest, due);
        }
    }

    /// Puts broken promises into the trace as they appear.
    fn report(&mut self) {
        while let Some(violation) = self.checks.violations().get(self.reported) {
            self.trace.push(self.now, What::Violated(violation.clone()));
            self.reported += 1;
        }
    }

    /// Takes an arrival into the fingerprint.
    fn note(&mut self, flight: &Flight) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.now.0.to_le_bytes());
        self.scratch.extend_from_slice(&flight.id.to_le_bytes());
        match &flight.cargo {
            Cargo::Peer(message) => super::trace::digest(flight, message, &mut self.scratch),
            Cargo::Ask(ask) => {
                self.scratch.extend_from_slice(&ask.id.to_le_bytes());
                self.scratch.extend_from_slice(ask.key.as_bytes());
            }
            Cargo::Reply(id, reply) => {
                self.scratch.extend_from_slice(&id.to_le_bytes());
                reply.digest(&mut self.scratch);
            }
        }
        self.fingerprint.add(&self.scratch);
    }

    /// Takes a fault into the fingerprint.
    fn mark(&mut self, kind: u8, node: NodeId, what: u64) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.now.0.to_le_bytes());
        self.scratch.push(kind);
        self.scratch.extend_from_slice(&node.0.to_le_bytes());
        self.scratch.extend_from_slice(&what.to_le_bytes());
        self.fingerprint.add(&self.scratch);
    }
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

    /// How often it has started.
    pub fn boots(&self) -> u32 {
        self.boots
    }

    /// How far its wall clock is from the truth, in milliseconds.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock.offset_ms
    }

    /// What its wall clock shows at that moment.
    pub fn unix(&self, at: Instant) -> UnixMs {
        self.clock.read(at)
    }
}

/// The request of a client as the node's front end makes it: a time to live becomes a deadline by the node's clock.
fn request(ask: &Ask, now: UnixMs) -> Request {
    let operation = match &ask.verb {
        Verb::Get(level) => Operation::Get { level: *level },
        Verb::Delete(level) => Operation::Delete { condition: Condition::Always, level: *level },
        Verb::Set { value, ttl, condition, level } => Operation::Set {
            value: Value { bytes: value.clone(), ..Value::default() },
            deadline: ttl.and_then(|ttl| now.checked_add(ttl)),
            condition: *condition,
            level: *level,
        },
    };
    Request { key: ask.key.clone(), operation, timeout: ask.timeout }
}

fn key_of(message: &crate::message::Message) -> Option<&Key> {
    use crate::message::Message;
    match message {
        Message::Forward { request, .. } => Some(&request.key),
        Message::Replicate { key, .. } | Message::Fetch { key, .. } => Some(key),
        _ => None,
    }
}

fn index(node: NodeId) -> usize {
    usize::from(node.0) - 1
}

/// An offset such that any two clocks are within the skew.
fn skewed(rng: &mut Rng, skew: Duration) -> i64 {
    let skew = skew.as_millis() as u64;
    rng.between(0, skew) as i64 - (skew / 2) as i64
}
