//! What has to be looked at once in a while, apart from any request: whether the wall clock has been set, and how far
//! versions have come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use vitrine_engine::clock::lost_floor;
use vitrine_engine::id::Version;
use vitrine_engine::time::Instant;

use crate::clock::{Clock as _, Look, SystemClock, TOLERATED};
use crate::metrics::Metrics;
use crate::shards::{CLOCK_SKEW, Shards};
use crate::version_floor::VersionFloor;

/// The task that looks.
pub struct Watch {
    /// The clock that the node lives by.
    pub clock: Arc<SystemClock>,
    /// Where alarms are counted.
    pub metrics: Arc<Metrics>,
    /// Who keeps the file of the node's floor, when it has one.
    pub keeper: Option<Keeper>,
}

/// Who keeps the version floor above the versions that are given.
pub struct Keeper {
    floor: VersionFloor,
    shards: Arc<Shards>,
    metrics: Arc<Metrics>,
    failing: bool,
}

/// How often it looks. Where versions come as far as the floor before, that is looked at at once.
const EVERY: Duration = Duration::from_secs(1);
/// Between two times that a floor is written.
const PAUSE: Duration = Duration::from_millis(5);

impl Watch {
    /// Looks until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // A disk may take its time, and the clock is looked at all the same.
        if let Some(keeper) = self.keeper.take() {
            tokio::spawn(keeper.run(stop.clone()));
        }
        let mut alarm = Alarm::default();
        loop {
            self.look_at_the_clock(&mut alarm);
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One line for each jump, and what [`Alarm`] has to say.
    fn look_at_the_clock(&self, alarm: &mut Alarm) {
        let look = self.clock.look();
        let counts = &self.metrics.clock;
        counts.ahead_ms.store(look.ahead / 1_000, Ordering::Relaxed);
        if let Some(jump) = look.jump {
            let count = if jump > 0 { &counts.jumps_forward } else { &counts.jumps_back };
            count.fetch_add(1, Ordering::Relaxed);
            let by_ms = jump / 1_000;
            tracing::warn!(by_ms, "the wall clock was set: this node does not jump with it, and follows it slowly");
        }
        let ahead_ms = look.ahead / 1_000;
        match alarm.look(look, self.clock.instant()) {
            // The jump has been said.
            Some(Said::Begins) if look.jump.is_some() => {}
            Some(Said::Begins) => tracing::warn!(ahead_ms, "the wall clock runs away from the monotonic one"),
            Some(Said::Lasts) => {
                tracing::warn!(ahead_ms, "the wall clock and the time of this node still differ: it follows slowly");
            }
            Some(Said::Ends) => tracing::info!("the time of this node and its wall clock agree again"),
            None => {}
        }
    }
}

/// Whether the two clocks differ, and when that was said last.
#[derive(Default)]
struct Alarm {
    said: Option<Instant>,
}

/// What is to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Begins,
    Lasts,
    Ends,
}

/// Between two lines while they differ.
const REMINDER: Duration = Duration::from_secs(3_600);

impl Alarm {
    /// When they begin to differ, once an hour for as long as they do, and when they agree again.
    fn look(&mut self, look: Look, now: Instant) -> Option<Said> {
        let away = look.ahead.unsigned_abs() > TOLERATED.as_micros() as u64;
        let said = match (self.said, away) {
            (None, true) => Said::Begins,
            (Some(last), true) if now.since(last) >= REMINDER => Said::Lasts,
            (Some(_), false) => Said::Ends,
            _ => return None,
        };
        self.said = away.then_some(now);
        Some(said)
    }
}

impl Keeper {
    /// Who keeps that floor, of which the stripes may come as far as is on disk.
    pub fn new(floor: VersionFloor, shards: Arc<Shards>, metrics: Arc<Metrics>) -> Keeper {
        let known = floor.version() > Version::ZERO;
        shards.start_above(if known { floor.version() } else { lost_floor(shards.now().unix, CLOCK_SKEW) });
        shards.give_up_to(floor.version());
        Keeper { floor, shards, metrics, failing: false }
    }

    /// Keeps it until `stop` turns true.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let shards = Arc::clone(&self.shards);
            // One that fails is not tried more often than that, however many versions are wanted.
            let near =
                async { if self.failing { std::future::pending().await } else { shards.ceiling().is_near().await } };
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = near => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            // A disk that stands still says nothing for long: whether versions have come to the floor is looked at
            // meanwhile, and the end does not wait for it.
            let Some(next) = self.next() else {
                self.note();
                continue;
            };
            let mut floor = self.floor.clone();
            let mut written = tokio::task::spawn_blocking(move || {
                let written = floor.write(next);
                (floor, written)
            });
            let (floor, written) = loop {
                tokio::select! {
                    written = &mut written => match written {
                        Ok(written) => break written,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep(EVERY) => self.note(),
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            };
            self.floor = floor;
            self.took(written);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes the floor where little is left of it, and waits for that.
    pub fn keep(&mut self) {
        if let Some(next) = self.next() {
            let written = self.floor.write(next);
            self.took(written);
        }
        self.note();
    }

    /// The floor to write next, counted from the highest version that was given here, or by others.
    fn next(&self) -> Option<Version> {
        let latest = self.shards.latest().max(self.shards.ceiling().offered());
        self.floor.next(self.shards.now().unix, latest)
    }

    fn took(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => {
                self.shards.give_up_to(self.floor.version());
                if self.failing {
                    tracing::info!("the version floor can be written again");
                }
                self.failing = false;
            }
            Err(error) => {
                self.metrics.clock.floor_failures.fetch_add(1, Ordering::Relaxed);
                self.shards.ceiling().fails();
                if !self.failing {
                    tracing::error!(%error, "the version floor cannot be written: once versions have come to the one \
                        on disk, this node takes no writes until it can");
                }
                self.failing = true;
            }
        }
        self.note();
    }

    /// One line when versions have come to the floor, and one when they may go on.
    fn note(&self) {
        let low = !self.shards.may_give();
        let was = self.metrics.clock.floor_low.swap(low, Ordering::AcqRel);
        match (was, low) {
            (false, true) => tracing::error!("the version floor on disk is too low: this node takes no writes"),
            (true, false) => tracing::info!("the version floor is on disk: this node takes writes again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
