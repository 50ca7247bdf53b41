//! The shipped trace through the HTTP API of real nodes: the same misses to the last one as in this process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vitrine::cli::replay::{ReplayArgs, Report, Spread, Target, replay};
use vitrine::load::generate::{Choose, Plan, Until, fill, generate};
use vitrine::load::{Client, ClientError, Origin};
use vitrine_tests::nodes::{cluster, node, origin};
use vitrine_tests::ports;

/// As much of the trace as a debug build replays in a moment.
const REQUESTS: u64 = 3_000;

fn trace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sprite.csv.gz")
}

fn args() -> ReplayArgs {
    ReplayArgs { limit: Some(REQUESTS), ..ReplayArgs::of(trace()) }
}

fn spread(report: &Report) -> &Spread {
    match &report.target {
        Target::Cluster { spread, .. } => spread,
        Target::Local { .. } => panic!("servers were asked"),
    }
}

#[test]
fn one_node_misses_as_often_as_an_exact_lru() {
    for capacity in [10, 100, 400] {
        let node = node(&[("capacity", &capacity.to_string())]);
        let expected = replay(&ReplayArgs { capacity: Some(capacity), ..args() }).unwrap().totals;
        let report = replay(&ReplayArgs { cluster: vec![origin(&node)], ..args() }).unwrap();
        report.verdict().unwrap();
        assert_eq!(report.totals, expected, "at {capacity}");
        assert!(0 < expected.hits && expected.hits < REQUESTS, "the trace says nothing at {capacity}");
        let spread = spread(&report);
        assert_eq!((spread.get.count(), spread.set.count()), (REQUESTS, expected.misses));
        assert_eq!(spread.nodes.iter().collect::<Vec<_>>(), [(&"n1".to_owned(), &(REQUESTS + expected.misses))]);
        assert!(node.stop());
    }
}

#[test]
fn three_nodes_miss_each_key_once() {
    let nodes = cluster(3, &[]);
    let mut keys = BTreeSet::new();
    let text = std::process::Command::new("gzip").arg("-dc").arg(trace()).output().unwrap().stdout;
    for line in text.split(|byte| *byte == b'\n').skip(1).take(REQUESTS as usize) {
        keys.insert(line.split(|byte| *byte == b',').nth(1).unwrap().to_vec());
    }
    let origins: Vec<_> = nodes.iter().map(origin).collect();
    // With several connections a key stays on its own: its first request is its only miss all the same.
    for connections in [1, 4] {
        let report = replay(&ReplayArgs { cluster: origins.clone(), connections, ..args() }).unwrap();
        report.verdict().unwrap();
        let misses = if connections == 1 { keys.len() as u64 } else { 0 };
        assert_eq!((report.totals.requests, report.totals.misses), (REQUESTS, misses));
        let spread = spread(&report);
        assert_eq!((spread.failovers, spread.errors.len()), (0, 0));
        assert_eq!(spread.nodes.keys().collect::<Vec<_>>(), ["n1", "n2", "n3"]);
    }
    for node in nodes {
        assert!(node.stop());
    }
}

#[test]
fn a_server_that_cannot_be_asked_is_named() {
    let nobody = format!("127.0.0.1:{}", ports::claim(1)[0]);
    let error = replay(&ReplayArgs { cluster: vec![nobody.parse().unwrap()], ..args() }).err().unwrap();
    assert_eq!(error.status(), 1);
    assert!(error.to_string().starts_with(&format!("cannot connect to http://{nobody}: ")), "{error}");
}

#[test]
fn a_load_finds_what_it_filled() {
    let node = node(&[]);
    let plan = Plan {
        origins: vec![origin(&node)],
        connections: 4,
        threads: 1,
        warm_up: Duration::ZERO,
        until: Until::Requests(2_000),
        rate: None,
        reads: 80,
        keys: 50,
        choose: Choose::Zipf(0.9),
        value_size: 1_000,
        read_query: "read=one".into(),
        write_query: "write=live".into(),
        seed: 3,
    };
    assert_eq!(fill(&plan, |_| {}).unwrap().set.count(), 50);
    let outcome = generate(&plan, |_| {}).unwrap();
    assert_eq!((outcome.requests(), outcome.failed()), (2_000, 0), "{:?}", outcome.errors);
    assert_eq!(outcome.hits, outcome.get.count());
    assert!(node.stop());
}

#[test]
fn the_client_writes_reads_and_deletes_any_key() {
    let node = node(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(every_key(origin(&node))).unwrap();
    assert!(node.stop());
}

async fn every_key(origin: Origin) -> Result<(), ClientError> {
    let mut client = Client::open(origin).await?;
    for key in [&b"plain"[..], b"a/b?c#d e%", b"\xff\x00", b".", b"..", "schlüssel".as_bytes()] {
        let put = client.put(key, "ttl=60s", Default::default(), key.to_vec().into()).await?;
        assert_eq!(put.status, 201, "{}", key.escape_ascii());
        let got = client.get(key, "").await?;
        assert_eq!((got.status.as_u16(), &got.body[..]), (200, key));
        assert_eq!(client.delete(key, "", Default::default()).await?.status, 204);
        let gone = client.get(key, "").await?;
        assert_eq!((gone.status.as_u16(), gone.error_code().as_str()), (404, "not_found"));
    }
    Ok(())
}
