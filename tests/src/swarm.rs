//! Many seeds of the swarm at once.

use vitrine_engine::sim::swarm::{self, Report};

/// Runs many seeds, on every core; reports come in the order of the seeds.
pub fn run_all(seeds: &[u64], each: impl Fn(&Report) + Sync) -> Vec<Report> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let reports = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let report = swarm::run(*seed);
                    each(&report);
                    reports.lock().expect("no thread panics with the lock").push(report);
                }
            });
        }
    });
    let mut reports = reports.into_inner().expect("no thread panics with the lock");
    reports.sort_by_key(|report| report.seed);
    reports
}
