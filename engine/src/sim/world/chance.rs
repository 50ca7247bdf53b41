//! Faults that strike at random, each as the command that a person would have given, and what is planned for later.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::faults::skewed;
use super::{Due, World, index};
use crate::id::NodeId;
use crate::request::Key;
use crate::rng::Rng;
use crate::shard::Shard;
use crate::sim::command::Command;
use crate::sim::fault::{Dice, DiskFault, Fault, Faults};
use crate::sim::mark::Mark;
use crate::sim::network::Link;
use crate::time::Instant;

impl World {
    /// Lets faults strike from now on, in place of any others.
    pub fn faults(&mut self, faults: Faults) {
        self.dice = Some(Dice::new(faults, self.config.seed));
        self.roll();
    }

    /// Lets no more faults strike, those included that are under way. What is broken stays so.
    pub(super) fn no_faults(&mut self) {
        self.dice = None;
        self.planned.clear();
        // What has been asked for may be granted already, and is seen through.
        self.wanted.truncate(1);
    }

    /// What chance has done so far, and when. Given as commands at the same moments to a world of the same
    /// configuration, without the dice, it makes the same run.
    pub fn struck(&self) -> &[(Instant, Command)] {
        &self.struck
    }

    /// The commands so far about machines that were not there, and when: they have done nothing.
    pub fn idle(&self) -> &[(Instant, Command)] {
        &self.idle
    }

    pub(super) fn roll(&mut self) {
        let next = self.dice.as_mut().and_then(Dice::next);
        if let Some((wait, fault)) = next {
            self.queue(self.now + wait, Due::Fault { round: self.round, fault: fault as u8 });
        }
    }

    pub(super) fn fault_due(&mut self, round: u64, fault: u8) {
        let Some(dice) = self.dice.as_mut().filter(|_| round == self.round) else { return };
        let fault = Fault::ALL[usize::from(fault)];
        let nodes = self.size;
        let (a, b) = (dice.node(nodes), dice.node(nodes));
        let (both, everything) = (dice.rng.chance(500_000), dice.rng.chance(500_000));
        let offset = skewed(&mut dice.rng, self.config.clock_skew);
        let span = dice.clog_span();
        let mut pair = if both { vec![(a, b), (b, a)] } else { vec![(a, b)] };
        pair.retain(|(from, to)| from != to);
        match fault {
            Fault::Crash => self.strike(Command::Crash(a)),
            Fault::Restart => self.strike(Command::Restart(a)),
            Fault::Save => self.strike(Command::Save(a)),
            Fault::Wipe => self.strike(Command::Wipe(a)),
            Fault::Disk => {
                let fault = *dice.rng.pick(&DiskFault::TROUBLES).expect("there are some");
                self.strike(Command::Disk(a, fault));
                self.later(span, Command::Disk(a, DiskFault::Heals));
            }
            Fault::Damage => {
                let fault = *dice.rng.pick(&DiskFault::DAMAGES).expect("there are some");
                self.strike(Command::Disk(a, fault));
            }
            Fault::Pause => self.strike(Command::Pause(a)),
            Fault::Resume => self.strike(Command::Resume(a)),
            Fault::Rolling => self.plan_rolling(span.min(ROLLING_DOWN)),
            Fault::Cut => self.strike(Command::Cut(pair)),
            Fault::Isolate => self.strike(Command::Isolate(a)),
            Fault::Sides => {
                let side: Vec<NodeId> = (1..=nodes).map(NodeId).filter(|_| dice.rng.chance(500_000)).collect();
                let ways = self.links_of(&side);
                let one_way = ways.iter().copied().filter(|(from, _)| side.contains(from)).collect();
                self.strike(if both || everything { Command::Sides(side) } else { Command::Cut(one_way) });
            }
            Fault::Heal => self.strike(Command::HealAll),
            Fault::Clog => {
                let ways = if everything { self.links_of(&[a]) } else { pair };
                self.strike(Command::Clog(ways.clone()));
                self.later(span, Command::Unclog(ways));
            }
            Fault::Swizzle => self.plan_swizzle(span),
            Fault::Clock => self.strike(Command::Clock(a, offset)),
            // Half a permille is what a bad quartz does.
            Fault::Drift => self.strike(Command::Drift(a, if both { 500 } else { -500 })),
            Fault::Partial => {
                let mut ways: Vec<Link> = Vec::new();
                for one in (1..=nodes).map(NodeId).filter(|one| *one != a) {
                    for other in (one.0 + 1..=nodes).map(NodeId).filter(|other| *other != a) {
                        let (to, fro) = (dice.rng.chance(400_000), dice.rng.chance(400_000));
                        ways.extend([(one, other)].into_iter().filter(|_| to || everything));
                        ways.extend([(other, one)].into_iter().filter(|_| fro || everything));
                    }
                }
                if !ways.is_empty() {
                    self.marks.note(Mark::PartlyCut);
                }
                self.strike(Command::Cut(ways));
            }
            Fault::Churn => {
                let weight = dice.rng.between(0, 3) as u32;
                self.strike(match (both, everything) {
                    (true, _) if nodes < MOST => Command::Join(weight.max(1), String::new()),
                    (_, true) => Command::Leave(a, weight > 0),
                    (_, false) => Command::Weigh(a, weight),
                });
            }
            Fault::Rezone => {
                let zones = u64::from(self.config.zones.max(MOST_ZONES));
                let zone = format!("z{}", dice.rng.between(1, zones));
                self.strike(Command::Zone(a, zone));
            }
            Fault::Forget => {
                let held = self.machines[index(a)].node.as_ref().and_then(|node| node.shards().first());
                let store = held.map(Shard::store).filter(|store| !store.is_empty());
                let key = store.and_then(|store| store.by_recency().nth(dice.rng.below(store.len().into()) as usize));
                if let Some(key) = key.and_then(|(key, _)| Key::new(Bytes::copy_from_slice(key)).ok()) {
                    self.strike(Command::Forget(a, key));
                }
            }
            Fault::Strobe => self.strike(Command::Strobe(a, Some((offset, span.max(Duration::from_millis(1)))))),
        }
        self.roll();
    }

    /// A node has sent a write to its replicas: now and then it crashes at that.
    pub(super) fn strike_a_writer(&mut self, node: NodeId) {
        let Some(dice) = &mut self.dice else { return };
        let crash_writing = dice.faults.crash_writing;
        if dice.rng.chance(crash_writing) && self.machines[index(node)].node.is_some() {
            self.marks.note(Mark::CrashedWriting);
            self.later(Duration::ZERO, Command::Crash(node));
        }
    }

    /// A node's snapshot is written, has its name, or the log before it is gone: where nodes crash, it does so now and
    /// then at that, and where disks are damaged, this one may be.
    pub(super) fn strike_a_saver(&mut self, node: NodeId) {
        let Some(dice) = &mut self.dice else { return };
        let happens = |fault| dice.faults.every(fault).is_some();
        if happens(Fault::Crash) && happens(Fault::Save) && dice.rng.chance(CRASHED_SAVING) {
            let damage = dice.rng.pick(&DiskFault::DAMAGES).filter(|_| happens(Fault::Damage)).copied();
            damage.into_iter().for_each(|fault| self.later(Duration::ZERO, Command::Disk(node, fault)));
            self.later(Duration::ZERO, Command::Crash(node));
        }
    }

    /// Every node in turn goes down for that long and stays up for twice as long.
    pub(super) fn plan_rolling(&mut self, down: Duration) {
        for turn in 0..self.size {
            let (node, begin) = (NodeId(turn + 1), down * 3 * u32::from(turn));
            self.later(begin, Command::Crash(node));
            self.later(begin + down, Command::Restart(node));
        }
    }

    /// Half of the nodes, chosen at random, are clogged within the first half of the span and unclogged within the
    /// second, each at a moment of its own: whoever was first need not be the first again.
    pub(super) fn plan_swizzle(&mut self, span: Duration) {
        self.plans += 1;
        let mut rng = Rng::new(self.config.seed ^ self.plans, "swizzle");
        let half = crate::time::micros(span) / 2;
        for node in (1..=self.size).map(NodeId) {
            if rng.chance(500_000) {
                let (begin, end) = (rng.below(half + 1), half + rng.below(half + 1));
                let ways: Vec<Link> = self.links_of(&[node]);
                self.later(Duration::from_micros(begin), Command::Clog(ways.clone()));
                self.later(Duration::from_micros(end), Command::Unclog(ways));
            }
        }
    }

    pub(super) fn plan_due(&mut self, plan: u64) {
        if let Some(command) = self.planned.remove(&plan) {
            self.strike(command);
        }
    }

    fn later(&mut self, wait: Duration, command: Command) {
        self.plans += 1;
        self.planned.insert(self.plans, command);
        self.queue(self.now + wait, Due::Planned(self.plans));
    }

    fn strike(&mut self, command: Command) {
        let nothing = match &command {
            Command::Cut(ways) | Command::Clog(ways) | Command::Unclog(ways) => ways.is_empty(),
            Command::Sides(side) => side.is_empty(),
            _ => false,
        };
        if nothing {
            return;
        }
        if self.struck.len() < STRUCK {
            self.struck.push((self.now, command.clone()));
        }
        self.obey(command);
    }
}

/// Zones that members move between, where there are not more.
const MOST_ZONES: u16 = 3;
/// Machines beyond which chance lets none join.
const MOST: u16 = 12;
/// The longest that a node is down in a rolling restart that chance begins.
const ROLLING_DOWN: Duration = Duration::from_secs(3);
/// How often of a million times a node crashes at such a step of a snapshot.
const CRASHED_SAVING: u32 = 100_000;
/// Faults remembered: a world that runs for ever forgets the later ones.
pub(super) const STRUCK: usize = 100_000;
