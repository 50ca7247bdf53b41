//! What is done to a world: commands that a person gives, and faults that strike at random.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Due, World, index};
use crate::id::NodeId;
use crate::node::{Node, NodeConfig};
use crate::rng::Rng;
use crate::shard::ShardConfig;
use crate::sim::client::{Reply, Source};
use crate::sim::command::{self, Command, CommandError};
use crate::sim::fault::{Dice, Fault, Faults};
use crate::sim::network::{Cargo, Network, Place};
use crate::sim::trace::What;
use crate::time::{Instant, Time};

impl World {
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

    pub(super) fn roll(&mut self) {
        let next = self.dice.as_mut().and_then(Dice::next);
        if let Some((wait, fault)) = next {
            self.queue(self.now + wait, Due::Fault { round: self.round, fault: fault as u8 });
        }
    }

    pub(super) fn fault_due(&mut self, round: u64, fault: u8) {
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

    pub(super) fn start(&mut self, index: usize) {
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

/// An offset such that any two clocks are within the skew.
pub(super) fn skewed(rng: &mut Rng, skew: Duration) -> i64 {
    let skew = skew.as_millis() as u64;
    rng.between(0, skew) as i64 - (skew / 2) as i64
}
