//! A snapshot of 1,000,000 entries while they are read and written: how long it takes, its size, and what it adds to
//! the longest time of an operation. Reading it again, whole. A table on standard error, JSON on standard output.
//!
//! Operations are timed at the shards, below HTTP: what a lock that is held adds is not hidden by what a socket costs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use vitrine::clock::SystemClock;
use vitrine::effects::Wire;
use vitrine::load::Stopwatch;
use vitrine::shards::{Shards, ShardsConfig};
use vitrine::snapshot::{self, Log, Of};
use vitrine_engine::cluster::Routes;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::{Lsn, NodeId};
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::request::{Condition, Key, Operation, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::rng::Rng;
use vitrine_engine::view::{Map, Member, View};
use vitrine_tests::bench::machine;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 1_000_000;
const VALUE: usize = 100;

struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<Routes>) {}
}

/// The walk is measured, and not a log.
struct NoLog;

impl Log for NoLog {
    fn next(&self) -> Lsn {
        Lsn(1)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Times of single operations, in microseconds.
struct Times(hdrhistogram::Histogram<u64>);

impl Times {
    fn of(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }
}

fn main() {
    let map = Arc::new(Map::first(vec![Member::new(NodeId(1), "n1".to_owned())], 1, 512));
    let config = ShardsConfig { entries: None, bytes: 1 << 30, stripes: None, workers: 2, seed: 1, hash_seed: (2, 3) };
    let view = Arc::new(View::first(NodeId(1), map));
    let shards = Shards::new(&config, view, Arc::new(SystemClock::start()), Arc::new(Nobody));
    // Alone, it is in doubt about nothing once it has looked.
    shards.tick();
    let mut rng = Rng::new(1, "values");
    (0..ENTRIES).for_each(|number| set(&shards, number, &mut rng));
    let folder = tempfile::tempdir().expect("a temporary folder");

    let calm = {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| serve(&shards, &stop));
            std::thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
            serving.join().expect("it serves")
        })
    };
    let stop = AtomicBool::new(false);
    let of = Of { cluster: ClusterTag(1), node: NodeId(1) };
    let (taken, during) = std::thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&shards, &stop));
        let taken = snapshot::take(&shards, &NoLog, folder.path(), of, &|| false).expect("a snapshot");
        stop.store(true, Ordering::Relaxed);
        (taken, serving.join().expect("it serves"))
    });
    assert_eq!(taken.footer.entries, ENTRIES);
    let begun = Stopwatch::start();
    let whole = snapshot::whole(&taken.path).expect("a whole snapshot");
    let read = begun.elapsed();
    assert_eq!(whole.footer, taken.footer);

    let machine = machine();
    eprintln!("Snapshot of {ENTRIES} entries of {VALUE} bytes while one thread reads and writes ({machine})");
    eprintln!("taken in {:.2} s, {} bytes, read again in {:.2} s", seconds(taken.took), taken.bytes, seconds(read));
    eprintln!("a stripe's lock was held for at most {} µs", taken.longest_hold.as_micros());
    eprintln!("{:<10} {:>12} {:>10} {:>12} {:>10}", "operations", "count", "p99 (µs)", "p99.99 (µs)", "max (µs)");
    for (name, times) in [("without", &calm), ("during", &during)] {
        let (count, max) = (times.0.len(), times.0.max());
        eprintln!("{name:<10} {count:>12} {:>10} {:>12} {max:>10}", times.of(0.99), times.of(0.9999));
    }
    let times = |times: &Times| {
        let (p99, p9999, max) = (times.of(0.99), times.of(0.9999), times.0.max());
        serde_json::json!({ "count": times.0.len(), "p99_us": p99, "p9999_us": p9999, "max_us": max })
    };
    let report = serde_json::json!({
        "entries": ENTRIES,
        "bytes": taken.bytes,
        "seconds": seconds(taken.took),
        "read_seconds": seconds(read),
        "longest_hold_us": taken.longest_hold.as_micros() as u64,
        "without": times(&calm),
        "during": times(&during),
    });
    println!("{}", serde_json::json!({ "snapshot": report, "machine": machine }));
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn key(number: u64) -> Bytes {
    Bytes::from(format!("key:{number:012}"))
}

/// Half of a value repeats and half does not, as in a page or a record.
fn set(shards: &Shards, number: u64, rng: &mut Rng) {
    let mut value = vec![b'x'; VALUE];
    value[VALUE / 2..].iter_mut().for_each(|byte| *byte = rng.below(256) as u8);
    let value = Value { bytes: value.into(), media: Bytes::from_static(b"text/plain") };
    let operation = Operation::Set { value, deadline: None, condition: Condition::Always, level: WriteLevel::One };
    let key = Key::new(key(number)).expect("a key");
    shards.submit(Request { key, operation, timeout: Duration::from_secs(1) });
}

/// Reads nine times of ten and writes once, until it is told to stop.
fn serve(shards: &Shards, stop: &AtomicBool) -> Times {
    let mut times = hdrhistogram::Histogram::new_with_max(60_000_000, 3).expect("bounds that it takes");
    let mut rng = Rng::new(2, "load");
    while !stop.load(Ordering::Relaxed) {
        let number = rng.below(ENTRIES);
        let begun = Stopwatch::start();
        if rng.below(10) == 0 {
            set(shards, number, &mut rng);
        } else {
            let time = shards.now();
            std::hint::black_box(shards.read_as(time, &key(number), ReadLevel::Primary, |entry| entry.value.len()));
        }
        times.saturating_record(begun.elapsed().as_micros() as u64);
    }
    Times(times)
}
