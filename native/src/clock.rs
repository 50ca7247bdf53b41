//! The one reader of time. Everything else is handed a [`Time`], so that a test can hand in its own.
//!
//! A node lives by its monotonic clock. The wall clock says where that one begins, and is followed from then on by a
//! tenth of the time that passes at most: a wall clock that is set, forward or back, is an alarm and not an order
//! ([`SystemClock::look`]).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use vitrine_engine::time::{Instant, Time, UnixMs};

/// Where a body of the engine gets the time from.
pub trait Clock: Send + Sync {
    /// Both clocks, read now.
    fn now(&self) -> Time;

    /// The monotonic clock, read now.
    fn instant(&self) -> Instant {
        self.now().instant
    }
}

/// The machine's clocks. The monotonic one counts from the construction of this value.
#[derive(Debug)]
pub struct SystemClock {
    origin: Duration,
    /// What the time is at the origin, as it is followed: microseconds since 1970.
    epoch: AtomicI64,
    following: Mutex<Following>,
}

/// What a look at the wall clock has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How far the wall clock has moved against the monotonic one since the last look, in microseconds, where that is
    /// more than [`TOLERATED`]: somebody has set it.
    pub jump: Option<i64>,
    /// How far the wall clock is ahead of the time that this node lives by, in microseconds; less than zero when it is
    /// behind.
    pub ahead: i64,
}

/// How far a wall clock may move at once, or be away, before that is an alarm: what nodes' clocks may be apart.
pub const TOLERATED: Duration = Duration::from_millis(500);

/// How a wall clock is followed.
#[derive(Clone, Copy, Debug)]
struct Following {
    /// When it was looked at last, in microseconds of the monotonic clock.
    at: i64,
    /// What the time was at the origin, going by that look, and as it is followed: microseconds since 1970.
    seen: i64,
    followed: i64,
}

impl SystemClock {
    /// Starts counting.
    pub fn start() -> SystemClock {
        let epoch = wall();
        SystemClock {
            origin: monotonic(),
            epoch: AtomicI64::new(epoch),
            following: Mutex::new(Following { at: 0, seen: epoch, followed: epoch }),
        }
    }

    /// Compares the two clocks, and follows the wall clock a little. To be called about once a second, by one task.
    pub fn look(&self) -> Look {
        let mut following = self.following.lock();
        let at = i64::try_from(self.instant().0).unwrap_or(i64::MAX);
        let look = following.look(at, wall());
        self.epoch.store(following.followed, Ordering::Relaxed);
        look
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let instant = self.instant();
        let micros = self.epoch.load(Ordering::Relaxed).saturating_add_unsigned(instant.0);
        Time { instant, unix: UnixMs(u64::try_from(micros / 1_000).unwrap_or(0)) }
    }

    fn instant(&self) -> Instant {
        Instant(vitrine_engine::time::micros(monotonic().saturating_sub(self.origin)))
    }
}

impl Following {
    fn look(&mut self, at: i64, wall: i64) -> Look {
        let seen = wall.saturating_sub(at);
        let moved = seen.saturating_sub(self.seen);
        let room = at.saturating_sub(self.at).max(0) / 10;
        self.followed += seen.saturating_sub(self.followed).clamp(-room, room);
        (self.at, self.seen) = (at, seen);
        let tolerated = TOLERATED.as_micros() as i64;
        Look { jump: (moved.saturating_abs() > tolerated).then_some(moved), ahead: seen - self.followed }
    }
}

/// Microseconds since 1970. A wall clock before that is wrong beyond repair: everything with a deadline then looks
/// fresh until it is set.
fn wall() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(unix.as_micros()).unwrap_or(i64::MAX)
}

/// Time since the machine started, that in which it was asleep included: a node that slept has to find out what it
/// missed.
#[cfg(target_os = "linux")]
fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time since this process first asked.
#[cfg(not(target_os = "linux"))]
fn monotonic() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

/// A clock that stands still until it is told to move: for tests that compare this body with another one.
#[derive(Debug, Default)]
pub struct HandClock {
    micros: AtomicU64,
    unix: AtomicU64,
}

impl HandClock {
    /// Shows that time.
    pub fn at(time: Time) -> HandClock {
        HandClock { micros: AtomicU64::new(time.instant.0), unix: AtomicU64::new(time.unix.0) }
    }

    /// Moves both clocks on.
    pub fn advance(&self, span: Duration) {
        self.micros.fetch_add(vitrine_engine::time::micros(span), Ordering::SeqCst);
        self.unix.fetch_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Time {
        Time { instant: Instant(self.micros.load(Ordering::SeqCst)), unix: UnixMs(self.unix.load(Ordering::SeqCst)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const START: i64 = 1_700_000_000 * SECOND;

    /// Looks once a second at a wall clock that is off by those microseconds, and gives what each look shows.
    fn check(offs: &[i64], expected: &[(Option<i64>, i64)]) {
        let mut following = Following { at: 0, seen: START, followed: START };
        let mut last = START;
        let looks = (1..).zip(offs).map(|(second, off)| {
            let at = second * SECOND;
            let Look { jump, ahead } = following.look(at, START + at + off);
            let now = following.followed + at;
            assert!(now > last, "time goes on whatever the wall clock does");
            assert!(now - last <= SECOND + SECOND / 10, "and it does not jump");
            last = now;
            (jump, ahead)
        });
        assert_eq!(looks.collect::<Vec<_>>(), expected, "{offs:?}");
    }

    #[test]
    fn a_wall_clock_that_is_set_is_followed_slowly_and_reported() {
        check(&[0, 0], &[(None, 0), (None, 0)]);
        // What it drifts is followed at once.
        check(&[50, -300, 20_000], &[(None, 0), (None, 0), (None, 0)]);
        let (hour, tenth) = (3_600 * SECOND, SECOND / 10);
        check(&[hour, hour], &[(Some(hour), hour - tenth), (None, hour - 2 * tenth)]);
        check(&[-hour, -hour], &[(Some(-hour), -hour + tenth), (None, -hour + 2 * tenth)]);
        check(&[0, hour, 0, 0], &[(None, 0), (Some(hour), hour - tenth), (Some(-hour), 0), (None, 0)]);
        // A little is no alarm, and is made up for all the same.
        check(
            &[4 * tenth, 4 * tenth, 4 * tenth, 4 * tenth],
            &[(None, 3 * tenth), (None, 2 * tenth), (None, tenth), (None, 0)],
        );
    }

    #[test]
    fn the_machines_clocks_go_on() {
        let clock = SystemClock::start();
        let before = clock.now();
        let look = clock.look();
        let after = clock.now();
        assert!(after >= before && before.unix > UnixMs(1_700_000_000_000), "{before:?}, {after:?}");
        assert!(look.ahead.unsigned_abs() < 60 * SECOND.unsigned_abs(), "{look:?}");
    }
}
