//! Many runs as a person sees them: how far they are, what they found, and that they can be stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use vitrine_engine::sim::swarm::Report;

use crate::cli::{grouped, stop_signal};
use crate::load::Stopwatch;
use crate::progress;

/// How often a line says how far they are, where there is no terminal to draw a bar on.
const EVERY: Duration = Duration::from_secs(60);

/// What is known of runs that are under way.
pub(super) struct Watch {
    bar: ProgressBar,
    begun: Stopwatch,
    asked: u64,
    done: AtomicU64,
    broken: AtomicU64,
    /// When a line was written last.
    said: Mutex<Duration>,
    signals: Arc<Signals>,
}

/// What an interruption does.
#[derive(Default)]
struct Signals {
    /// There was one: no other run begins.
    stopped: AtomicBool,
    /// No run is under way that would end.
    over: AtomicBool,
}

impl Watch {
    /// Of so many runs. Until they have ended, an interruption or a termination lets those under way end and begins no
    /// other; the second one ends the process.
    pub(super) fn over(asked: u64) -> Watch {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} seeds {elapsed} (left: {eta})");
        let bar = progress::drawn(ProgressBar::new(asked).with_style(style.expect("the template is a constant")));
        let signals = Arc::new(Signals::default());
        stop_on_signal(signals.clone(), bar.clone());
        let (done, broken) = (AtomicU64::new(0), AtomicU64::new(0));
        Watch { bar, begun: Stopwatch::start(), asked, done, broken, said: Mutex::new(Duration::ZERO), signals }
    }

    /// One has ended.
    pub(super) fn ended(&self, report: &Report) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.bar.inc(1);
        if let [first, ..] = &report.violations[..] {
            self.broken.fetch_add(1, Ordering::Relaxed);
            self.say(&format!("seed {} broke a promise: {first}", report.seed));
        }
        let now = self.begun.elapsed();
        let mut said = self.said.lock().expect("nobody panics with the lock");
        if self.bar.is_hidden() && now >= *said + EVERY {
            *said = now;
            self.say(&self.far(done, now));
        }
    }

    /// Stopped by whoever started them?
    pub(super) fn stopped(&self) -> &AtomicBool {
        &self.signals.stopped
    }

    /// How long they took.
    pub(super) fn end(&self) -> Duration {
        self.signals.over.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
        self.begun.elapsed()
    }

    fn far(&self, done: u64, now: Duration) -> String {
        let left = now.mul_f64(self.asked.saturating_sub(done) as f64 / done.max(1) as f64);
        let broken = match self.broken.load(Ordering::Relaxed) {
            0 => String::new(),
            broken => format!(", {} broke a promise", grouped(broken)),
        };
        let (done, asked) = (grouped(done), grouped(self.asked));
        format!("{done} of {asked} seeds in {}{broken} (left: {})", HumanDuration(now), HumanDuration(left))
    }

    /// Above the bar, where there is one.
    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

fn stop_on_signal(signals: Arc<Signals>, bar: ProgressBar) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    std::thread::spawn(move || {
        runtime.block_on(async {
            stop_signal().await;
            if !signals.over.load(Ordering::Relaxed) {
                signals.stopped.store(true, Ordering::Relaxed);
                bar.suspend(|| eprintln!("stopping: the runs under way end first; again to end at once"));
                stop_signal().await;
            }
            std::process::exit(130);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_the_runs_are() {
        let check = |done: u64, broken: u64, seconds: u64, says: &str| {
            let watch = Watch {
                bar: ProgressBar::hidden(),
                begun: Stopwatch::start(),
                asked: 20_000,
                done: AtomicU64::new(done),
                broken: AtomicU64::new(broken),
                said: Mutex::new(Duration::ZERO),
                signals: Arc::default(),
            };
            assert_eq!(watch.far(done, Duration::from_secs(seconds)), says);
        };
        check(1, 0, 60, "1 of 20,000 seeds in 60 seconds (left: 2 weeks)");
        check(5_000, 2, 600, "5,000 of 20,000 seeds in 10 minutes, 2 broke a promise (left: 30 minutes)");
        check(20_000, 0, 3_600, "20,000 of 20,000 seeds in 60 minutes (left: 0 seconds)");
    }
}
