//! The log and its snapshots beside Debian's redis-server with the same settings, in turns in one run: writes a second
//! at each --fsync, bytes of the log a write; a snapshot of 1,000,000 entries, what it adds to the time of reads, and
//! how long a start takes with them. A table on standard error, JSON on standard output.
//!
//! Each server has one core and its load the other. Each is asked by its own load generator (`redis-benchmark` speaks
//! RESP, ours HTTP, whose requests are five times as long), so that the two columns are each as their users see them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::load::Stopwatch;
use vitrine::load::generate::{Choose, Outcome, Plan, Until, generate};
use vitrine_tests::bench::{LOAD_CORE, SERVER_CORE, Server, machine, median, origin, pin_load, vitrine};
use vitrine_tests::ports;

const CONNECTIONS: u32 = 50;
const VALUE: usize = 100;
const POLICIES: [&str; 3] = ["always", "everysec", "never"];
/// Redis's words for them.
const REDIS: [&str; 3] = ["always", "everysec", "no"];

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    rounds: usize,
    seconds: u64,
    entries: u64,
}

fn main() {
    // `cargo bench --bench log small` shows that all of it works; what it prints then says nothing about speed.
    let is_told = |word: &str| std::env::args().any(|argument| argument == word);
    let size = match is_told("small") {
        true => Size { rounds: 1, seconds: 1, entries: 20_000 },
        false => Size { rounds: 3, seconds: 3, entries: 1_000_000 },
    };
    let Size { rounds, entries, .. } = size;
    // Before this process is moved to one core, which is then all that it sees.
    let machine = machine();
    pin_load();
    let redis = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !redis {
        eprintln!("there is no redis-server here: its columns are left out");
    }
    // `cargo bench --bench log large` leaves the writes out.
    let rounds = if is_told("large") { 0 } else { rounds };
    eprintln!("SET of {VALUE} bytes over {CONNECTIONS} connections, medians of {rounds} rounds ({machine})");
    eprintln!("{:<10} {:>12} {:>12} {:>12} {:>12}", "fsync", "vitrine", "bytes/write", "redis", "bytes/write");
    let mut writes = serde_json::Map::new();
    for (policy, theirs) in POLICIES.into_iter().zip(REDIS).filter(|_| rounds > 0) {
        let mut measured = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            let (rate, bytes) = ours(policy, size);
            measured[0].push(rate);
            measured[1].push(bytes);
            if redis {
                let (rate, bytes) = redis_writes(theirs, size);
                measured[2].push(rate);
                measured[3].push(bytes);
            }
        }
        let [rate, bytes] = [0, 1].map(|at| median(&measured[at]));
        let [redis_rate, redis_bytes] = [2, 3].map(|at| redis.then(|| median(&measured[at])));
        let or_none = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
        let (their_rate, their_bytes) = (or_none(redis_rate), or_none(redis_bytes));
        eprintln!("{policy:<10} {rate:>10.0}/s {bytes:>12.0} {their_rate:>10}/s {their_bytes:>12}");
        writes.insert(
            policy.into(),
            json!({
                "per_second": rate, "log_bytes_per_write": bytes,
                "redis_per_second": redis_rate, "redis_log_bytes_per_write": redis_bytes,
            }),
        );
    }
    let ours = large(size);
    let theirs = redis.then(|| redis_large(size));
    eprintln!("\n{entries} entries of {VALUE} bytes; reads, 2,000 a second, while a snapshot is taken and without");
    for (name, all) in [("vitrine", Some(&ours)), ("redis", theirs.as_ref())] {
        all.iter().for_each(|all| eprintln!("{name:<8} {all}"));
    }
    println!("{}", json!({ "log": { "writes": writes, "large": ours, "redis_large": theirs }, "machine": machine }));
}

/// A node of ours with its data there.
fn node(data: &Path, fsync: &str, port: u16) -> Server {
    let (number, peer, data) = (port.to_string(), (port + 1).to_string(), data.display().to_string());
    let arguments = ["serve", "--port", &number, "--peer-port", &peer, "--data", &data, "--fsync", fsync];
    let fixed = ["--workers", "1", "--memory", "1GiB", "--snapshot-every", "off"];
    Server::start(Some(SERVER_CORE), &vitrine(), &[&arguments[..], &fixed].concat(), vec![origin(port)]).ready()
}

fn load(server: &Server, reads: u8, keys: u64, choose: Choose, until: Until, rate: Option<f64>) -> Outcome {
    let plan = Plan {
        origins: server.origins.clone(),
        connections: CONNECTIONS,
        threads: 1,
        warm_up: Duration::from_millis(if matches!(until, Until::Requests(_)) { 0 } else { 500 }),
        until,
        rate,
        reads,
        keys,
        choose,
        value_size: VALUE,
        read_query: String::new(),
        write_query: "write=one".to_owned(),
        seed: 1,
    };
    let outcome = generate(&plan, |_| {}).expect("the node is there");
    assert_eq!(outcome.failed(), 0, "{:?}", outcome.errors);
    outcome
}

/// Writes a second, and bytes of the log a write.
fn ours(fsync: &str, size: Size) -> (f64, f64) {
    let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), ports::claim(2)[0]);
    let server = node(folder.path(), fsync, port);
    let outcome = load(&server, 0, 10_000, Choose::Uniform, Until::Elapsed(Duration::from_secs(size.seconds)), None);
    let (written, records) =
        (metric(port, "vitrine_wal_written_bytes_total"), metric(port, "vitrine_wal_records_total"));
    (outcome.rate(), written / records.max(1.0))
}

fn metric(port: u16, name: &str) -> f64 {
    let text = ask(port, "GET", "/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a metric");
    line.trim().parse().expect("a number")
}

/// One request, and the body of its answer.
fn ask(port: u16, method: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// A snapshot of many entries, and a start with them.
fn large(size: Size) -> Value {
    let Size { seconds, entries, .. } = size;
    let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), ports::claim(2)[0]);
    let server = node(folder.path(), "everysec", port);
    load(&server, 0, entries, Choose::InTurn, Until::Requests(entries), None);
    let reads = |during: Option<std::thread::JoinHandle<String>>| {
        let until = Until::Elapsed(Duration::from_secs(seconds));
        let outcome = load(&server, 100, entries, Choose::Uniform, until, Some(2_000.0));
        (outcome.get.summary(), during.map(|thread| thread.join().expect("it answers")))
    };
    let (quiet, _) = reads(None);
    let saving = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        ask(port, "POST", "/save?form=snapshot")
    });
    let (busy, saved) = reads(Some(saving));
    let saved: Value = serde_json::from_str(&saved.unwrap_or_default()).expect("a document");
    assert_eq!(saved["snapshot"]["entries"], entries, "{saved}");
    let from_snapshot = restarted(server, folder.path(), port, entries);
    json!({
        "snapshot_ms": saved["snapshot"]["took_ms"], "snapshot_bytes": saved["snapshot"]["bytes"],
        "p99.9_us": quiet.p999_us, "max_us": quiet.max_us,
        "p99.9_us_snapshot": busy.p999_us, "max_us_snapshot": busy.max_us,
        "restart_ms_snapshot": from_snapshot,
    })
}

/// Milliseconds from the start of a process until it answers with all that it had.
fn restarted(server: Server, data: &Path, port: u16, entries: u64) -> f64 {
    drop(server);
    let begun = Stopwatch::start();
    let _server = node(data, "everysec", port);
    while metric(port, "vitrine_store_entries") < entries as f64 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it has {}", metric(port, "vitrine_store_entries"));
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed().as_secs_f64() * 1e3
}

/// A redis-server with its data there.
fn redis(data: &Path, append_only: &[&str], port: u16) -> Server {
    let (number, data) = (port.to_string(), data.display().to_string());
    let arguments = ["--port", &number, "--dir", &data, "--save", "", "--auto-aof-rewrite-percentage", "0"];
    let debug = ["--enable-debug-command", "yes"];
    let all = [&arguments[..], &debug, append_only].concat();
    let server = Server::start(Some(SERVER_CORE), Path::new("redis-server"), &all, vec![origin(port)]).ready();
    let begun = Stopwatch::start();
    while redis_says(port, &["ping"]) != "PONG" {
        assert!(begun.elapsed() < Duration::from_secs(60), "redis does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    server
}

fn redis_says(port: u16, command: &[&str]) -> String {
    let number = port.to_string();
    let said = Command::new("redis-cli").args(["-p", &number]).args(command).output().expect("redis-cli runs");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// One line of redis-benchmark: requests a second, the 99th percentile and the slowest in milliseconds.
fn redis_load(port: u16, test: &str, requests: u64, keys: u64, connections: u32) -> [f64; 3] {
    let [port, requests, keys, size, connections] =
        [u64::from(port), requests, keys, VALUE as u64, u64::from(connections)].map(|number| number.to_string());
    let mut command = Command::new("taskset");
    command.args(["-c", LOAD_CORE, "redis-benchmark", "-p", &port, "-t", test, "-n", &requests, "-r", &keys]);
    let said = command.args(["-d", &size, "-c", &connections, "--csv"]).output().expect("redis-benchmark runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // "test","rps","avg","min","p50","p95","p99","max"
    let fields: Vec<f64> = said
        .lines()
        // The first column is a name.
        .filter_map(|line| line.split(',').skip(1).map(|field| field.trim_matches('"').parse().ok()).collect())
        .next_back()
        .unwrap_or_else(|| panic!("{said}"));
    [fields[0], fields[5], fields[6]]
}

fn redis_writes(fsync: &str, size: Size) -> (f64, f64) {
    let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), ports::claim(1)[0]);
    let _server = redis(folder.path(), &["--appendonly", "yes", "--appendfsync", fsync], port);
    // Once to see how many make so many seconds.
    let [rate, ..] = redis_load(port, "set", 20_000, 10_000, CONNECTIONS);
    let requests = (rate * size.seconds as f64) as u64;
    let before = bytes_of(&folder.path().join("appendonlydir"));
    let [rate, ..] = redis_load(port, "set", requests, 10_000, CONNECTIONS);
    // What it has buffered is written within a second.
    std::thread::sleep(Duration::from_millis(1_200));
    (rate, (bytes_of(&folder.path().join("appendonlydir")) - before) as f64 / requests as f64)
}

fn bytes_of(folder: &Path) -> u64 {
    let all = std::fs::read_dir(folder).into_iter().flatten().flatten();
    all.filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum()
}

fn redis_large(size: Size) -> Value {
    let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), ports::claim(1)[0]);
    let server = redis(folder.path(), &[], port);
    let (all, bytes) = (size.entries.to_string(), VALUE.to_string());
    redis_says(port, &["debug", "populate", &all, "key", &bytes]);
    // It has no rate of its own choosing: few connections, and for as long as the snapshot takes or longer.
    let [_, quiet_p99, quiet_max] = redis_load(port, "get", size.entries * 3 / 10, size.entries, 1);
    let saving = std::thread::spawn(move || {
        let begun = Stopwatch::start();
        redis_says(port, &["bgsave"]);
        while redis_says(port, &["info", "persistence"]).contains("rdb_bgsave_in_progress:1") {
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed().as_secs_f64() * 1e3
    });
    let [_, busy_p99, busy_max] = redis_load(port, "get", size.entries * 3 / 10, size.entries, 1);
    let took = saving.join().expect("it ends");
    let bytes = bytes_of(folder.path());
    let restart = |server: Server, arguments: &[&str]| {
        drop(server);
        let begun = Stopwatch::start();
        let server = redis(folder.path(), arguments, port);
        let took = begun.elapsed().as_secs_f64() * 1e3;
        assert_eq!(redis_says(port, &["dbsize"]), all);
        (server, took)
    };
    let (_server, from_snapshot) = restart(server, &[]);
    json!({
        "snapshot_ms": took, "snapshot_bytes": bytes,
        "p99_us": quiet_p99 * 1e3, "max_us": quiet_max * 1e3,
        "p99_us_snapshot": busy_p99 * 1e3, "max_us_snapshot": busy_max * 1e3,
        "restart_ms_snapshot": from_snapshot,
    })
}
