//! SET on a cluster of three nodes, at the levels `one` and `live`: requests a second and how long they take. All nodes
//! and the load share this machine. A table on standard error, one JSON object on standard output.

use std::time::Duration;

use vitrine::load::generate::{Choose, Outcome, Plan, Until, generate};
use vitrine_tests::bench::{Server, machine, median, origin, vitrine};
use vitrine_tests::ports;

const ROUNDS: usize = 3;

fn main() {
    let machine = machine();
    let port = ports::claim(20)[0];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (number, data) = (port.to_string(), folder.path().display().to_string());
    let origins: Vec<_> = (0..3).map(|node| origin(port + node)).collect();
    let demo = ["demo", "--nodes", "3", "--port", &number, "--data", &data];
    let cluster = Server::start(None, &vitrine(), &demo, origins).ready();

    let mut report = serde_json::Map::new();
    eprintln!("Three nodes, SET of 64 bytes over 24 connections ({ROUNDS} rounds of 3 s, medians; {machine})");
    eprintln!("{:<6} {:>12} {:>10} {:>10}", "level", "rate", "p50 (µs)", "p99 (µs)");
    let mut rounds: [Vec<Outcome>; 2] = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (which, level) in ["one", "live"].into_iter().enumerate() {
            let plan = Plan {
                origins: cluster.origins.clone(),
                connections: 24,
                threads: 1,
                warm_up: Duration::from_millis(500),
                until: Until::Elapsed(Duration::from_secs(3)),
                rate: None,
                reads: 0,
                keys: 10_000,
                choose: Choose::Uniform,
                value_size: 64,
                read_query: String::new(),
                write_query: format!("write={level}"),
                seed: 1,
            };
            let outcome = generate(&plan, |_| {}).expect("the nodes are there");
            assert_eq!(outcome.failed(), 0, "{:?}", outcome.errors);
            rounds[which].push(outcome);
        }
    }
    for (level, outcomes) in ["one", "live"].into_iter().zip(&rounds) {
        let over = |of: fn(&Outcome) -> f64| median(&outcomes.iter().map(of).collect::<Vec<_>>());
        let (rate, p50) = (over(Outcome::rate), over(|outcome| outcome.set.summary().p50_us));
        let p99 = over(|outcome| outcome.set.summary().p99_us);
        eprintln!("{level:<6} {rate:>10.0}/s {p50:>10.0} {p99:>10.0}");
        report.insert(level.into(), serde_json::json!({ "per_second": rate, "p50_us": p50, "p99_us": p99 }));
    }
    println!("{}", serde_json::json!({ "cluster_set": report, "machine": machine }));
}
