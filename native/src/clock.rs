//! The one reader of time. Everything else is handed a [`Time`], so that a test can hand in its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// Starts counting.
    pub fn start() -> SystemClock {
        SystemClock { origin: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        // A wall clock before 1970 is wrong beyond repair: everything with a deadline then looks fresh until it is set.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time { instant: self.instant(), unix: UnixMs(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)) }
    }

    fn instant(&self) -> Instant {
        Instant(vitrine_engine::time::micros(self.origin.elapsed()))
    }
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
