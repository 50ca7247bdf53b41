//! Imagined wall clocks: each node's is a little wrong, and may step, drift and strobe.

use core::time::Duration;

use crate::time::{Instant, UnixMs, micros};

/// When every world begins: 2026-01-01 00:00 UTC.
pub(super) const BEGINNING: UnixMs = UnixMs(1_767_225_600_000);

/// The wall clock of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WallClock {
    /// How far it was from the truth when it was last touched, in milliseconds.
    offset_ms: i64,
    /// When that was.
    since: Instant,
    /// What it gains in a million, since then.
    drift_ppm: i32,
    /// It jumps ahead by so many milliseconds and back again, once in so long.
    strobe: Option<(i64, Duration)>,
    /// Drift and strobe end this far from the truth, in milliseconds, as on a clock that is kept in step.
    bound_ms: i64,
}

impl WallClock {
    /// A clock that far from the truth. Drift and strobe will keep it within half of the skew.
    pub(super) fn new(offset_ms: i64, skew: Duration) -> WallClock {
        let bound_ms = i64::try_from(skew.as_millis() / 2).unwrap_or(i64::MAX);
        WallClock { offset_ms, bound_ms, ..WallClock::default() }
    }

    /// What it shows.
    pub(super) fn read(&self, now: Instant) -> UnixMs {
        UnixMs(truth(now).0.saturating_add_signed(self.offset_ms(now)))
    }

    /// How far it is from the truth, in milliseconds.
    pub(super) fn offset_ms(&self, now: Instant) -> i64 {
        if self.drift_ppm == 0 && self.strobe.is_none() {
            return self.offset_ms;
        }
        let elapsed = micros(now.since(self.since));
        let drifted = i128::from(elapsed) * i128::from(self.drift_ppm) / 1_000_000_000;
        let ahead = self.strobe.map_or(0, |(by, every)| if elapsed / micros(every).max(1) % 2 == 1 { by } else { 0 });
        let (low, high) = (self.offset_ms.min(-self.bound_ms), self.offset_ms.max(self.bound_ms));
        let offset = i128::from(self.offset_ms) + drifted + i128::from(ahead);
        offset.clamp(i128::from(low), i128::from(high)) as i64
    }

    /// Sets it, and stops its drift and strobe.
    pub(super) fn step(&mut self, offset_ms: i64) {
        (self.offset_ms, self.drift_ppm, self.strobe) = (offset_ms, 0, None);
    }

    /// From now on it gains so much in a million; less than nothing loses.
    pub(super) fn drift(&mut self, now: Instant, ppm: i32) {
        (self.offset_ms, self.since) = (self.offset_ms(now), now);
        (self.drift_ppm, self.strobe) = (ppm, None);
    }

    /// From now on it jumps by so much and back, staying for `every` each time.
    pub(super) fn strobe(&mut self, now: Instant, strobe: Option<(i64, Duration)>) {
        (self.offset_ms, self.since) = (self.offset_ms(now), now);
        (self.drift_ppm, self.strobe) = (0, strobe);
    }
}

/// What a right clock shows.
pub(super) fn truth(now: Instant) -> UnixMs {
    UnixMs(BEGINNING.0 + now.0 / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_steps_drifts_and_strobes_within_its_bound() {
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let mut clock = WallClock::new(10, Duration::from_millis(200));
        let check = |clock: &WallClock, seconds, expected| assert_eq!(clock.offset_ms(at(seconds)), expected);
        check(&clock, 0, 10);
        check(&clock, 1_000, 10);
        clock.drift(at(0), 500);
        check(&clock, 100, 60);
        check(&clock, 180, 100);
        check(&clock, 10_000, 100);
        clock.drift(at(100), -500);
        check(&clock, 200, 10);
        check(&clock, 10_000, -100);
        clock.strobe(at(200), Some((50, Duration::from_secs(2))));
        check(&clock, 201, 10);
        check(&clock, 202, 60);
        check(&clock, 203, 60);
        check(&clock, 204, 10);
        clock.step(-500);
        check(&clock, 300, -500);
        clock.drift(at(300), 1_000_000);
        check(&clock, 301, 100);
        assert_eq!(clock.read(at(301)).0, truth(at(301)).0 + 100);
    }
}
