//! The hybrid logical clock that gives versions.

use core::time::Duration;

use crate::id::{NodeId, Version};
use crate::mutant::{self, Mutant};
use crate::time::UnixMs;

/// How far ahead of the time a floor of versions is kept, and of the versions given: where these are ahead of the time,
/// they come one unit further a write, of which 100 ms have 6.5 million. So a node that starts again and again does not
/// run away from its clock.
pub const FLOOR_AHEAD: [Duration; 2] = [Duration::from_secs(10), Duration::from_millis(100)];

/// What a node starts above that has lost its floor: its earlier self may have come as far, by a clock that differed
/// from this one by that much.
pub fn lost_floor(now: UnixMs, skew: Duration) -> Version {
    let above = now.checked_add(FLOOR_AHEAD[0]).and_then(|at| at.checked_add(skew)).unwrap_or(now);
    Version::new(above, u16::MAX, NodeId(u16::MAX))
}

/// The floor to keep next, below which a later self of the node gives no version, when versions have come as far as
/// `latest`: `None` while more than half of the one that is kept is left.
pub fn next_floor(kept: Version, now: UnixMs, latest: Version) -> Option<Version> {
    const HALF: [Duration; 2] = [
        FLOOR_AHEAD[0].checked_div(2).expect("two is not zero"),
        FLOOR_AHEAD[1].checked_div(2).expect("two is not zero"),
    ];
    let after = |[time, versions]: [Duration; 2]| {
        let later = |from: UnixMs, span| from.checked_add(span).unwrap_or(from);
        later(now, time).max(later(latest.unix(), versions))
    };
    (kept.unix() < after(HALF)).then(|| Version::new(after(FLOOR_AHEAD), u16::MAX, NodeId(u16::MAX)))
}

/// Gives versions that grow: above the wall clock, above every version given before, above every version seen.
#[derive(Clone, Debug)]
pub struct Clock {
    node: NodeId,
    last: u64,
    /// No higher one is given.
    ceiling: u64,
}

impl Clock {
    /// The clock of a node that has just started and remembers nothing of the versions it gave before.
    ///
    /// Its earlier self may have run ahead of its wall clock by as much as clocks differ (`skew`), so the first version
    /// lies that far ahead: a version must not be given twice.
    pub fn new(node: NodeId, now: UnixMs, skew: Duration) -> Clock {
        if mutant::on(Mutant::ReuseVersions) {
            // The same for every start within a minute or so.
            return Clock { node, last: now.0 >> 16 << 32, ceiling: u64::MAX };
        }
        let ahead = now.checked_add(skew).unwrap_or(now);
        Clock { node, last: Version::new(ahead, 0, node).stamp, ceiling: u64::MAX }
    }

    /// Gives none above that one from now on: its body has yet to make sure that no later self gives it again.
    pub fn give_up_to(&mut self, ceiling: Version) {
        self.ceiling = ceiling.stamp;
    }

    /// Would [`Clock::next`] be within what may be given?
    pub fn may_give(&self, now: UnixMs, held: Version) -> bool {
        let least = self.last.max(held.stamp).saturating_add(1);
        Version::new(now, 0, self.node).stamp.max(least) <= self.ceiling
    }

    /// The next version, above `held` as well.
    pub fn next(&mut self, now: UnixMs, held: Version) -> Version {
        let stamp = match () {
            () if mutant::on(Mutant::ReuseVersions) => 0,
            () => Version::new(now, 0, self.node).stamp,
        };
        if mutant::on(Mutant::TrustClock) {
            return Version { stamp, node: self.node };
        }
        self.last = stamp.max(self.last.saturating_add(1)).max(held.stamp.saturating_add(1));
        Version { stamp: self.last, node: self.node }
    }

    /// The highest version that may have been given so far; every later one will be above it, whatever the wall clock
    /// does.
    pub fn present(&mut self, now: UnixMs) -> Version {
        if !mutant::on(Mutant::ReuseVersions) {
            self.last = self.last.max(Version::new(now, 0, self.node).stamp.saturating_sub(1));
        }
        Version { stamp: self.last, node: NodeId(u16::MAX) }
    }

    /// The highest version that was given or noted so far.
    pub fn latest(&self) -> Version {
        Version { stamp: self.last, node: self.node }
    }

    /// Takes note of a version that somebody else gave.
    pub fn observe(&mut self, version: Version) {
        self.last = self.last.max(version.stamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_whatever_the_wall_clock_does() {
        let mut clock = Clock::new(NodeId(1), UnixMs(1_000), Duration::from_millis(500));
        let mut last = clock.next(UnixMs(1_000), Version::ZERO);
        assert!(
            last > Version::new(UnixMs(1_500), 0, NodeId(9)),
            "a new boot starts above what the last one may have given"
        );
        for now in [1_000, 5_000, 5_000, 10, 5_001] {
            let next = clock.next(UnixMs(now), Version::ZERO);
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        let seen = Version::new(UnixMs(9_000), 3, NodeId(2));
        clock.observe(seen);
        assert!(clock.next(UnixMs(5_002), Version::ZERO) > seen);
        let present = clock.present(UnixMs(10_000));
        assert!(clock.next(UnixMs(9_500), Version::ZERO) > present, "the wall clock went back in between");
        let held = Version::new(UnixMs(12_000), 0, NodeId(2));
        assert!(clock.next(UnixMs(5_003), held) > held);
    }

    #[test]
    fn what_lies_above_the_ceiling_may_not_be_given() {
        let mut clock = Clock::new(NodeId(1), UnixMs(1_000), Duration::ZERO);
        let version = |ms| Version::new(UnixMs(ms), 0, NodeId(2));
        assert!(clock.may_give(UnixMs(u64::MAX >> 16), Version::ZERO), "there is none");
        clock.give_up_to(version(2_000));
        let rows = [(1_999, 0, true), (2_000, 0, true), (2_001, 0, false), (1_500, 1_999, true), (1_500, 2_000, false)];
        for (now, held, expected) in rows {
            assert_eq!(clock.may_give(UnixMs(now), version(held)), expected, "{now} {held}");
        }
        // What others gave counts as well.
        clock.observe(version(2_000));
        assert!(!clock.may_give(UnixMs(1_500), Version::ZERO));
        clock.give_up_to(version(3_000));
        assert!(clock.may_give(UnixMs(1_500), Version::ZERO));
        assert!(clock.next(UnixMs(1_500), Version::ZERO) <= version(3_000));
    }

    #[test]
    fn a_floor_is_raised_once_half_of_it_is_used_up() {
        let at = |ms| Version::new(UnixMs(ms), u16::MAX, NodeId(u16::MAX));
        let version = |ms| Version::new(UnixMs(ms), 0, NodeId(2));
        let first = next_floor(Version::ZERO, UnixMs(1_000), Version::ZERO);
        assert_eq!(first, Some(at(11_000)), "ten seconds ahead of the time");
        let rows = [
            (6_000, 10_950, None),
            (6_001, 10_950, Some(at(16_001))),
            // Versions are ahead of the time: a little from them, and not ten seconds.
            (1_000, 10_951, Some(at(11_051))),
            (1_000, 70_000, Some(at(70_100))),
        ];
        for (now, latest, expected) in rows {
            assert_eq!(next_floor(at(11_000), UnixMs(now), version(latest)), expected, "{now} {latest}");
        }
    }

    #[test]
    fn who_has_lost_its_floor_starts_above_what_it_had() {
        let skew = Duration::from_millis(500);
        let (now, latest) = (UnixMs(1_000), Version::new(UnixMs(1_000), 7, NodeId(2)));
        let kept = next_floor(Version::ZERO, now, latest).expect("none is kept");
        // The clock was ahead by as much as clocks differ, and no time has passed since.
        assert!(lost_floor(UnixMs(now.0 - 500), skew) >= kept);
    }
}
