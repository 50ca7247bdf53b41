//! What has to be looked at once in a while, apart from any request: whether the wall clock has been set, and how far
//! versions have come.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{SystemClock, TOLERATED};
use crate::metrics::Metrics;
use crate::shards::Shards;
use crate::version_floor::VersionFloor;

/// The task that looks.
pub struct Watch {
    /// The clock that the node lives by.
    pub clock: Arc<SystemClock>,
    /// Who gives versions.
    pub shards: Arc<Shards>,
    /// Where alarms are counted.
    pub metrics: Arc<Metrics>,
    /// The file of the node's floor, when it has one.
    pub floor: Option<VersionFloor>,
}

/// How often it looks: versions come no further in between than a floor has left.
const EVERY: Duration = Duration::from_secs(1);

impl Watch {
    /// Looks until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut apart = false;
        let mut failing = false;
        loop {
            self.look_at_the_clock(&mut apart);
            failing = self.keep_the_floor(failing).await;
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One line when the clocks begin to differ, one when they agree again, and one for each jump.
    fn look_at_the_clock(&self, apart: &mut bool) {
        let look = self.clock.look();
        let counts = &self.metrics.clock;
        counts.ahead_ms.store(look.ahead / 1_000, Ordering::Relaxed);
        if let Some(jump) = look.jump {
            let count = if jump > 0 { &counts.jumps_forward } else { &counts.jumps_back };
            count.fetch_add(1, Ordering::Relaxed);
            let by_ms = jump / 1_000;
            tracing::warn!(by_ms, "the wall clock was set: this node does not jump with it, and follows it slowly");
        }
        let away = look.ahead.unsigned_abs() > TOLERATED.as_micros() as u64;
        if away && !*apart && look.jump.is_none() {
            tracing::warn!(ahead_ms = look.ahead / 1_000, "the wall clock runs away from the monotonic one");
        }
        if *apart && !away {
            tracing::info!("the time of this node and its wall clock agree again");
        }
        *apart = away;
    }

    /// Writes the floor where little is left of it. True when that failed.
    async fn keep_the_floor(&mut self, failing: bool) -> bool {
        let Some(mut floor) = self.floor.take() else { return false };
        let Some(next) = floor.next(self.shards.now().unix, self.shards.latest()) else {
            self.floor = Some(floor);
            return failing;
        };
        // The disk may take its time; requests do not wait for it.
        let written = tokio::task::spawn_blocking(move || {
            let written = floor.write(next);
            (floor, written)
        });
        let Ok((floor, written)) = written.await else { return true };
        self.floor = Some(floor);
        match written {
            Ok(()) => {
                if failing {
                    tracing::info!("the version floor can be written again");
                }
                false
            }
            Err(error) => {
                self.metrics.clock.floor_failures.fetch_add(1, Ordering::Relaxed);
                if !failing {
                    tracing::error!(%error, "the version floor cannot be written: if this machine's clock is set back \
                        before a restart, versions may repeat");
                }
                true
            }
        }
    }
}
