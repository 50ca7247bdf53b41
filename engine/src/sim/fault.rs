//! Faults that strike at random, at steady rates.

use core::time::Duration;

use crate::id::NodeId;
use crate::rng::Rng;

/// What goes wrong, and how often: the mean time between two of a kind over the whole cluster; `None` is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A node that is up crashes: its memory is lost.
    pub crash: Option<Duration>,
    /// A node that is down starts again.
    pub restart: Option<Duration>,
    /// The way from one node to another is cut, half of the time both ways.
    pub cut: Option<Duration>,
    /// Every cut is mended.
    pub heal: Option<Duration>,
    /// A node's wall clock jumps, within the skew that is allowed.
    pub clock: Option<Duration>,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Crash,
    Restart,
    Cut,
    Heal,
    Clock,
}

/// The dice of the faults.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    pub(super) faults: Faults,
    pub(super) rng: Rng,
}

impl Dice {
    pub(super) fn new(faults: Faults, seed: u64) -> Dice {
        Dice { faults, rng: Rng::new(seed, "faults") }
    }

    /// What strikes next, and when: the earliest of all kinds.
    pub(super) fn next(&mut self) -> Option<(Duration, Fault)> {
        let kinds = [
            (self.faults.crash, Fault::Crash),
            (self.faults.restart, Fault::Restart),
            (self.faults.cut, Fault::Cut),
            (self.faults.heal, Fault::Heal),
            (self.faults.clock, Fault::Clock),
        ];
        let drawn = kinds.into_iter().filter_map(|(mean, fault)| Some((self.rng.exponential(mean?), fault)));
        drawn.min_by_key(|(wait, _)| *wait)
    }

    /// One of so many nodes, numbered from 1.
    pub(super) fn node(&mut self, nodes: u16) -> NodeId {
        NodeId(self.rng.below(u64::from(nodes)) as u16 + 1)
    }
}
