//! How far versions may go: up to the version floor that is on disk, and no further.
//!
//! The stripes give none above it. What another node has given may lie above: then the floor is written first, and that
//! node says it again a moment later. Where the disk does not let it be written, the change is taken all the same, and
//! this node gives no version until it can be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::limits;
use vitrine_engine::time::Time;

/// How far the stripes of a node may go.
#[derive(Debug)]
pub struct Ceiling {
    /// Nothing above this is given.
    stamp: AtomicU64,
    /// The highest that others have offered, and that is to be under the floor.
    offered: AtomicU64,
    /// When the first of them was put off that is not under it yet, in microseconds of the monotonic clock; or 0.
    since: AtomicU64,
    /// The disk does not take it.
    failing: AtomicBool,
    near: Notify,
}

/// So little below the ceiling, a higher one is wanted at once: 16 ms of versions, a million of them.
const NEAR: u64 = 16 << 16;
/// What others have given is put off for so long at most: a disk that takes longer stands still.
const PUT_OFF: Duration = Duration::from_millis(500);

impl Default for Ceiling {
    /// There is none.
    fn default() -> Ceiling {
        Ceiling {
            stamp: AtomicU64::new(u64::MAX),
            offered: AtomicU64::new(0),
            since: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            near: Notify::new(),
        }
    }
}

impl Ceiling {
    /// That floor is on disk.
    pub fn raise(&self, floor: Version) {
        self.stamp.store(floor.stamp, Ordering::Release);
        self.since.store(0, Ordering::Release);
        self.failing.store(false, Ordering::Release);
    }

    /// A higher one could not be written.
    pub fn fails(&self) {
        self.failing.store(true, Ordering::Release);
    }

    /// The highest version that others have offered.
    pub fn offered(&self) -> Version {
        Version { stamp: self.offered.load(Ordering::Acquire), node: NodeId(u16::MAX) }
    }

    /// A stripe has come as far as that.
    pub fn reached(&self, latest: Version) {
        if latest.stamp.saturating_add(NEAR) > self.stamp.load(Ordering::Acquire) {
            self.near.notify_one();
        }
    }

    /// Waits until a higher one is wanted.
    pub async fn is_near(&self) {
        self.near.notified().await;
    }

    /// Somebody else has given that version: is it above what is on disk, and will that change in a moment? Whoever
    /// said it repeats it.
    pub fn puts_off(&self, version: Version, time: Time) -> bool {
        // What lies further ahead is not believed anyway.
        let credible = version.unix().since(time.unix) <= limits::MAX_CLOCK_AHEAD;
        if version.stamp <= self.stamp.load(Ordering::Acquire) || !credible {
            return false;
        }
        self.offered.fetch_max(version.stamp, Ordering::AcqRel);
        self.near.notify_one();
        let now = time.instant.0.max(1);
        let since =
            self.since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire).unwrap_or_else(|since| since);
        let since = if since == 0 { now } else { since };
        let waited = Duration::from_micros(now.saturating_sub(since));
        !self.failing.load(Ordering::Acquire) && waited < PUT_OFF
    }
}

#[cfg(test)]
mod tests {
    use vitrine_engine::time::{Instant, UnixMs};

    use super::*;

    #[test]
    fn what_others_give_waits_for_the_floor_and_not_for_a_disk_that_fails() {
        let start = 1_700_000_000_000;
        let at = |ms: u64| Time { instant: Instant(ms * 1_000), unix: UnixMs(start + ms) };
        let version = |ms: u64| Version::new(UnixMs(start + ms), 0, NodeId(2));
        let none = Ceiling::default();
        assert!(!none.puts_off(version(3_000_000), at(1)));
        let ceiling = Ceiling::default();
        ceiling.raise(version(60_000));
        assert!(!ceiling.puts_off(version(60_000), at(1)));
        assert_eq!(ceiling.offered(), Version { stamp: 0, node: NodeId(u16::MAX) });
        // Nobody believes it, and so nothing is to be above it.
        assert!(!ceiling.puts_off(version(3_700_000), at(1)));
        assert_eq!(ceiling.offered().stamp, 0);
        assert!(ceiling.puts_off(version(60_001), at(1)) && ceiling.puts_off(version(60_002), at(400)));
        assert_eq!(ceiling.offered().stamp, version(60_002).stamp);
        assert!(!ceiling.puts_off(version(60_002), at(501)), "the disk stands still");
        ceiling.raise(version(61_000));
        assert!(!ceiling.puts_off(version(60_002), at(502)));
        assert!(ceiling.puts_off(version(61_001), at(503)), "the next one waits anew");
        ceiling.fails();
        assert!(!ceiling.puts_off(version(61_001), at(504)));
    }
}
