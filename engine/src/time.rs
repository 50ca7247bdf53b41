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
        self.0.checked_add(millis(span)?).map(UnixMs)
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Duration> for UnixMs {
    type Output = UnixMs;

    fn sub(self, span: Duration) -> UnixMs {
        UnixMs(self.0.saturating_sub(millis(span).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A span in whole microseconds, saturating: an `Instant` has no room for more.
///
/// In 64 bits, which are enough: [`Duration::as_micros`] multiplies in 128, which WebAssembly has to do by hand.
pub fn micros(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(span.subsec_micros()))
}

/// A span in whole milliseconds, or `None` where that is past the end of time.
fn millis(span: Duration) -> Option<u64> {
    span.as_secs().checked_mul(1_000)?.checked_add(u64::from(span.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_what_wide_products_make_of_them() {
        let nanos = [0, 1, 999, 1_000, 999_999, 1_000_000, 999_999_999];
        let edges = [0, 1, 18_446_744_073_709, 18_446_744_073_710, u64::MAX / 1_000, u64::MAX / 1_000 + 1, u64::MAX];
        for (secs, nanos) in edges.into_iter().flat_map(|secs| nanos.map(|nanos| (secs, nanos))) {
            let span = Duration::new(secs, nanos);
            assert_eq!(micros(span), u64::try_from(span.as_micros()).unwrap_or(u64::MAX), "{span:?}");
            assert_eq!(millis(span), u64::try_from(span.as_millis()).ok(), "{span:?}");
        }
        assert_eq!(UnixMs(1).checked_add(Duration::MAX), None);
        assert_eq!(UnixMs(1) - Duration::MAX, UnixMs(0));
        assert_eq!(Instant(1) + Duration::MAX, Instant::NEVER);
    }
}
