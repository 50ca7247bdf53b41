//! Time as the engine sees it: two clocks read outside and passed in by value.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// Both clocks, read at the same moment by whoever drives a state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// The monotonic clock: timeouts, retries and heartbeats are measured on it. It never jumps.
    pub instant: Instant,
    /// The wall clock: deadlines of entries and versions are stated in it. It may be wrong, and may jump.
    pub unix: UnixMs,
}

/// A point on the node's monotonic clock, in microseconds since an origin that means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// A point on the wall clock, in milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

impl Instant {
    /// A moment later than every other: the deadline of what never happens.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(micros(span)))
    }
}

impl UnixMs {
    /// This moment and `span` more, or `None` when that is past the end of time.
    pub fn checked_add(self, span: Duration) -> Option<UnixMs> {
        self.0.checked_add(u64::try_from(span.as_millis()).ok()?).map(UnixMs)
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Duration> for UnixMs {
    type Output = UnixMs;

    fn sub(self, span: Duration) -> UnixMs {
        UnixMs(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A span in whole microseconds, saturating: an `Instant` has no room for more.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
