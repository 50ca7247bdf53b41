//! Faults that strike at random, at steady rates.
//!
//! The kinds are those of the simulators that found the most: crash, pause, partitions of every form and clogs as in
//! TigerBeetle's VOPR, swizzled clogs as in FoundationDB, and clocks as in Jepsen.

use core::time::Duration;

use crate::id::NodeId;
use crate::rng::Rng;

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The mean time between two of a kind over the whole cluster; `None` is never.
    every: [Option<Duration>; Fault::ALL.len()],
    /// How often a node crashes at the very moment when it has sent a write to its replicas, per million of these
    /// moments: a crash in between is what replication fears most.
    pub(super) crash_writing: u32,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A node that is up crashes: its memory is lost.
    Crash,
    /// A node that is down starts again.
    Restart,
    /// A node stops handling anything, while its clocks run on and its inputs queue up.
    Pause,
    /// A node that was paused goes on.
    Resume,
    /// Every node crashes and starts again, one after the other.
    Rolling,
    /// The way from one node to another is cut, half of the time both ways.
    Cut,
    /// A node is cut off from all others.
    Isolate,
    /// The nodes fall into two sides at random, which do not reach each other; now and then one way only.
    Sides,
    /// Every cut is mended.
    Heal,
    /// What one node sends to another, or all that one node sends and receives, is held up for a while.
    Clog,
    /// Half of the nodes are clogged one after the other, and unclogged in another order.
    Swizzle,
    /// A node's wall clock jumps, within the skew that is allowed.
    Clock,
    /// A node's wall clock runs fast or slow, within the skew.
    Drift,
    /// A node's wall clock jumps to and fro, within the skew.
    Strobe,
    /// Single links are cut, some of them one way only, such that all nodes still reach each other through one of them.
    Partial,
    /// A machine joins, a member leaves, or gets another share of the slots.
    Churn,
    /// A node forgets a random entry, as if there were no room for it.
    Forget,
    /// A node crashes, and what is on its disk is lost.
    Wipe,
    /// A node's disk takes nothing for a while, has no room, or is slow: see [`DiskFault::TROUBLES`].
    Disk,
    /// What a node's disk has is not what was written, or cannot be read: see [`DiskFault::DAMAGES`].
    Damage,
    /// A node takes a snapshot: no fault, but what others fall into.
    Save,
    /// A member is said to stand in another zone.
    Rezone,
}

/// What happens to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Writes reach the system's memory, and syncs fail: what they should have synced is lost to the segment, though it
    /// can be read as long as the machine runs.
    Fails,
    /// There is no room: writes fail.
    Full,
    /// Syncs take up to seconds.
    Slow,
    /// The next sync is said to be done, and is not, until another one is.
    Lies,
    /// A bit of what was written changes.
    Rots,
    /// A block is written over another place, and not in its own.
    Misdirects,
    /// A node that starts cannot read it.
    Unreadable,
    /// It takes everything again, and in time. What has changed stays so.
    Heals,
}

impl DiskFault {
    /// Every kind.
    pub const ALL: [DiskFault; 8] = [
        DiskFault::Fails,
        DiskFault::Full,
        DiskFault::Slow,
        DiskFault::Lies,
        DiskFault::Rots,
        DiskFault::Misdirects,
        DiskFault::Unreadable,
        DiskFault::Heals,
    ];
    /// What holds a disk up for a while, and changes nothing.
    pub const TROUBLES: [DiskFault; 3] = [DiskFault::Fails, DiskFault::Full, DiskFault::Slow];
    /// What changes what a disk has.
    pub const DAMAGES: [DiskFault; 4] =
        [DiskFault::Lies, DiskFault::Rots, DiskFault::Misdirects, DiskFault::Unreadable];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            DiskFault::Fails => "fails",
            DiskFault::Full => "full",
            DiskFault::Slow => "slow",
            DiskFault::Lies => "lies",
            DiskFault::Rots => "rots",
            DiskFault::Misdirects => "misdirects",
            DiskFault::Unreadable => "unreadable",
            DiskFault::Heals => "heals",
        }
    }
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 22] = [
        Fault::Crash,
        Fault::Restart,
        Fault::Pause,
        Fault::Resume,
        Fault::Rolling,
        Fault::Cut,
        Fault::Isolate,
        Fault::Sides,
        Fault::Heal,
        Fault::Clog,
        Fault::Swizzle,
        Fault::Clock,
        Fault::Drift,
        Fault::Strobe,
        Fault::Partial,
        Fault::Churn,
        Fault::Forget,
        Fault::Wipe,
        Fault::Disk,
        Fault::Damage,
        Fault::Save,
        Fault::Rezone,
    ];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::Restart => "restart",
            Fault::Pause => "pause",
            Fault::Resume => "resume",
            Fault::Rolling => "rolling",
            Fault::Cut => "cut",
            Fault::Isolate => "isolate",
            Fault::Sides => "sides",
            Fault::Heal => "heal",
            Fault::Clog => "clog",
            Fault::Swizzle => "swizzle",
            Fault::Clock => "clock",
            Fault::Drift => "drift",
            Fault::Strobe => "strobe",
            Fault::Partial => "partial",
            Fault::Churn => "churn",
            Fault::Forget => "forget",
            Fault::Wipe => "wipe",
            Fault::Disk => "disk",
            Fault::Damage => "damage",
            Fault::Save => "save",
            Fault::Rezone => "rezone",
        }
    }
}

impl Faults {
    /// The mean time between two of that kind.
    pub fn every(&self, fault: Fault) -> Option<Duration> {
        self.every[fault as usize]
    }

    /// The same with nodes that crash so often at the moment of writing, per million.
    #[must_use]
    pub fn crashing_writers(mut self, per_million: u32) -> Faults {
        self.crash_writing = per_million;
        self
    }

    /// The same with another mean time between two of a kind.
    #[must_use]
    pub fn with(mut self, fault: Fault, mean: Option<Duration>) -> Faults {
        self.every[fault as usize] = mean;
        self
    }
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
        let drawn = Fault::ALL.into_iter().filter_map(|fault| {
            let mean = self.faults.every(fault)?;
            Some((self.rng.exponential(mean), fault))
        });
        drawn.min_by_key(|(wait, _)| *wait)
    }

    /// One of so many nodes, numbered from 1.
    pub(super) fn node(&mut self, nodes: u16) -> NodeId {
        NodeId(self.rng.below(u64::from(nodes)) as u16 + 1)
    }

    /// From 450 µs to 10 s, every order of magnitude alike: how long FoundationDB's simulator clogs a link.
    pub(super) fn clog_span(&mut self) -> Duration {
        let halvings = self.rng.below(15);
        Duration::from_micros((10_000_000 >> halvings) - self.rng.below(5_000_000 >> halvings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_kept_and_a_fault_without_a_rate_never_strikes() {
        let second = Some(Duration::from_secs(1));
        let mut dice = Dice::new(Faults::default(), 1);
        assert_eq!(dice.next(), None);
        dice.faults = Faults::default().with(Fault::Crash, second).with(Fault::Heal, Some(Duration::from_secs(4)));
        let struck = [(); 5_000].map(|()| dice.next().expect("two kinds have rates"));
        let crashes = struck.iter().filter(|(_, fault)| *fault == Fault::Crash).count();
        assert!(struck.iter().all(|(_, fault)| matches!(fault, Fault::Crash | Fault::Heal)));
        // Four of five, and 800 ms apart on average.
        assert!((3_800..4_200).contains(&crashes), "{crashes}");
        let apart = struck.iter().map(|(wait, _)| wait.as_millis()).sum::<u128>() / 5_000;
        assert!((760..840).contains(&apart), "{apart}");
        for _ in 0..1_000 {
            assert!((Duration::from_micros(300)..=Duration::from_secs(10)).contains(&dice.clog_span()));
        }
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index, "{}", fault.name());
        }
    }
}
