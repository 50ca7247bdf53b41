//! Measures how long things take. Nothing is decided by it: what the cache decides by is `clock`'s.

use std::time::{Duration, Instant};

/// Runs since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "measuring is what this file is for")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long it runs.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
