//! Simulated seconds a real second on one core: five nodes, 200 requests a second each, every check on.

use std::time::Duration;

use vitrine::load::Stopwatch;
use vitrine_engine::sim::{Workload, World, WorldConfig};
use vitrine_tests::bench::{machine, median};

/// Simulated time of one round.
const ROUND: Duration = Duration::from_secs(60);
const ROUNDS: u64 = 5;

fn main() {
    let rows = [("checks and no trace", true, 0), ("checks and the page's trace", true, 10_000), ("nothing", false, 0)];
    eprintln!("{:<30} {:>22} {:>16}", "sim, 5 nodes × 200 requests/s", "simulated s / real s", "events / real s");
    let mut figures = serde_json::Map::new();
    // Rounds of all rows in turn, so that a disturbance meets them alike.
    let mut measured = rows.map(|_| Vec::new());
    for seed in 0..ROUNDS {
        for ((_, checks, trace), measured) in rows.iter().zip(&mut measured) {
            measured.push(round(seed, *checks, *trace));
        }
    }
    for ((name, ..), measured) in rows.iter().zip(&measured) {
        let speed = median(&measured.iter().map(|(speed, _)| *speed).collect::<Vec<_>>());
        let events = median(&measured.iter().map(|(_, events)| *events).collect::<Vec<_>>());
        eprintln!("{name:<30} {speed:>22.0} {events:>16.0}");
        let row = serde_json::json!({ "simulated_seconds_a_second": speed, "events_a_second": events });
        figures.insert((*name).to_owned(), row);
    }
    println!("{}", serde_json::json!({ "sim": { "machine": machine(), "rows": figures } }));
}

/// One round's speed: simulated seconds a real second, and events a real second.
fn round(seed: u64, checks: bool, trace: u32) -> (f64, f64) {
    let config = WorldConfig { seed, nodes: 5, replicas: 3, checks, trace, ..WorldConfig::default() };
    let mut world = World::new(config);
    world.workload(Some(Workload { rate: 1_000, keys: 2_000, clients: 50, ..Workload::default() }));
    let watch = Stopwatch::start();
    world.run_for(ROUND);
    let took = watch.elapsed().as_secs_f64();
    assert_eq!(world.violations(), []);
    (ROUND.as_secs_f64() / took, world.events() as f64 / took)
}
