//! The store beside the crates `lru` and `quick_cache`: ns an operation, and resident bytes an item.
//!
//! `cargo bench -p vitrine-tests --bench store`. A table to standard error, JSON to standard output. The three take
//! turns in every round of one run, so that a busy machine disturbs them alike: read the ratios, which are medians over
//! rounds.
//!
//! The store and `lru` stand behind the same stripes of mutexes, as in the server; `quick_cache` comes as it is, and
//! locks for itself. Keys are 16 bytes on the heap, values 64, as in a server that does not know its keys' lengths.
//! `lru` chooses its stripe by a multiplication, the store by its one hash: nobody hashes twice on our account.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use lru::LruCache;
use parking_lot::Mutex;
use vitrine_engine::hash::KeyHasher;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::store::{EntryRef, Limits, Store};
use vitrine_engine::time::UnixMs;

/// All three have the server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--memory") {
        return measure_memory(&arguments[at + 1]);
    }
    if arguments.iter().any(|argument| argument == "--sizes") {
        return measure_sizes();
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let memory: Vec<Memory> = NAMES.iter().map(|name| memory_in_a_child(name)).collect();
    let sizes = sizes_in_a_child();
    let speed = measure_speed(rounds);
    print_tables(&speed, &memory, &sizes);
    print_json(&speed, &memory, &sizes, rounds);
}

/// What is compared: a cache of [`ENTRIES`], shared between threads.
trait Cache: Sync {
    /// Reads the value in place, or says that there is none.
    fn get(&self, key: &[u8; 16]) -> bool;
    fn set(&self, key: &[u8; 16], value: &[u8; 64]);
}

struct Ours(Vec<Stripe<Store>>, KeyHasher);

type LruOfBytes = LruCache<Box<[u8]>, Box<[u8]>>;

struct Lru(Vec<Stripe<LruOfBytes>>);

/// A lock and what it guards, alone on its cache lines, as in the server.
#[repr(align(128))]
struct Stripe<T>(Mutex<T>);

impl<T> Stripe<T> {
    fn new(inner: T) -> Stripe<T> {
        Stripe(Mutex::new(inner))
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, T> {
        self.0.lock()
    }
}

struct Quick(quick_cache::sync::Cache<Box<[u8]>, Arc<[u8]>>);

fn cache(name: &str) -> Box<dyn Cache> {
    let each = ENTRIES / STRIPES;
    match name {
        "vitrine" => {
            let (hasher, limits) = (KeyHasher::new((1, 2)), Limits { entries: Some(each), bytes: None });
            Box::new(Ours((0..STRIPES).map(|_| Stripe::new(Store::new(limits, hasher))).collect(), hasher))
        }
        "lru" => {
            let each = std::num::NonZeroUsize::new(each as usize).expect("more entries than stripes");
            Box::new(Lru((0..STRIPES).map(|_| Stripe::new(LruCache::new(each))).collect()))
        }
        "quick_cache" => Box::new(Quick(quick_cache::sync::Cache::new(ENTRIES as usize))),
        other => panic!("no cache is called {other}"),
    }
}

impl Cache for Ours {
    fn get(&self, key: &[u8; 16]) -> bool {
        let hash = self.1.hash(key);
        let mut store = self.0[(hash >> 32) as usize % self.0.len()].lock();
        store.get(NOW, hash, key, &mut |_| ()).map(|entry| read(entry.value)).is_some()
    }

    fn set(&self, key: &[u8; 16], value: &[u8; 64]) {
        let hash = self.1.hash(key);
        let version = Version { stamp: 1, node: NodeId(1) };
        let entry = EntryRef { value, media: b"", version, deadline: None };
        let mut store = self.0[(hash >> 32) as usize % self.0.len()].lock();
        let _ = black_box(store.set(NOW, hash, key, entry, &mut |_| ()));
    }
}

impl Cache for Lru {
    fn get(&self, key: &[u8; 16]) -> bool {
        let mut lru = self.0[stripe(key)].lock();
        lru.get(key.as_slice()).map(|value| read(value)).is_some()
    }

    fn set(&self, key: &[u8; 16], value: &[u8; 64]) {
        let (owned, value) = (Box::from(key.as_slice()), Box::from(value.as_slice()));
        black_box(self.0[stripe(key)].lock().push(owned, value));
    }
}

impl Cache for Quick {
    fn get(&self, key: &[u8; 16]) -> bool {
        self.0.get(key.as_slice()).map(|value| read(&value)).is_some()
    }

    fn set(&self, key: &[u8; 16], value: &[u8; 64]) {
        self.0.insert(Box::from(key.as_slice()), Arc::from(value.as_slice()));
    }
}

/// One workload on one number of threads: ns an operation and thread, a list of rounds for each of [`NAMES`].
struct Row {
    workload: &'static str,
    threads: usize,
    ns: [Vec<f64>; 3],
    hits: [f64; 3],
}

fn measure_speed(rounds: usize) -> Vec<Row> {
    let caches: Vec<Box<dyn Cache>> = NAMES.iter().map(|name| cache(name)).collect();
    for cache in &caches {
        (0..ENTRIES).for_each(|number| cache.set(&key(number), &VALUE));
    }
    let uniform: Vec<u32> = (0..OPERATIONS).map(|n| (mix(n as u64) % u64::from(ENTRIES)) as u32).collect();
    let zipf = zipf(OPERATIONS);
    let mut next = 1 << 24;
    let mut rows = Vec::new();
    for workload in ["get", "insert", "zipf"] {
        for threads in [1, 2] {
            let mut row = Row { workload, threads, ns: Default::default(), hits: [0.0; 3] };
            // The first round warms up, and is not counted.
            for round in 0..=rounds {
                let fresh: Vec<u32> = (next..).take(OPERATIONS).collect();
                next += OPERATIONS as u32;
                let keys = match workload {
                    "get" => &uniform,
                    "insert" => &fresh,
                    _ => &zipf,
                };
                for turn in 0..NAMES.len() {
                    let which = (turn + round) % NAMES.len();
                    if workload == "get" && round == 0 {
                        // All there: what the policies kept of an earlier workload must not decide this one.
                        (0..ENTRIES).for_each(|number| caches[which].set(&key(number), &VALUE));
                    }
                    let (ns, hits) = run(&*caches[which], workload, keys, threads);
                    if round > 0 {
                        row.ns[which].push(ns);
                        row.hits[which] = hits;
                    }
                }
            }
            rows.push(row);
        }
    }
    rows
}

/// Runs all keys, shared out between threads. Returns ns an operation on each thread, and the share of hits.
fn run(cache: &dyn Cache, workload: &str, keys: &[u32], threads: usize) -> (f64, f64) {
    let start = Instant::now();
    let hits: usize = std::thread::scope(|scope| {
        let part = |keys: &[u32]| match workload {
            "insert" => keys.iter().map(|number| cache.set(&key(*number), &VALUE)).count(),
            "get" => keys.iter().filter(|number| cache.get(&key(**number))).count(),
            // A cache aside: nine reads to a write, and a write after every miss.
            _ => keys
                .iter()
                .filter(|number| {
                    let key = key(**number);
                    let hit = !mix(u64::from(**number)).is_multiple_of(10) && cache.get(&key);
                    if !hit {
                        cache.set(&key, &VALUE);
                    }
                    hit
                })
                .count(),
        };
        let handles: Vec<_> =
            keys.chunks(keys.len().div_ceil(threads)).map(|keys| scope.spawn(move || part(keys))).collect();
        handles.into_iter().map(|handle| handle.join().expect("the thread ends")).sum()
    });
    let each = keys.len() as f64 / threads as f64;
    (start.elapsed().as_nanos() as f64 / each, hits as f64 / keys.len() as f64)
}

/// Resident bytes an item beyond its key and value: after filling, and after replacing all items twice.
struct Memory {
    name: &'static str,
    filled: f64,
    churned: f64,
}

fn memory_in_a_child(name: &'static str) -> Memory {
    let numbers = numbers_of_a_child(&["--memory", name]);
    Memory { name, filled: numbers[0], churned: numbers[1] }
}

/// The ratios of [`SIZES`].
fn sizes_in_a_child() -> Vec<f64> {
    numbers_of_a_child(&["--sizes"])
}

/// This program, once more: what a process has resident depends on what it did before.
fn numbers_of_a_child(arguments: &[&str]) -> Vec<f64> {
    let program = std::env::current_exe().expect("the bench has a path");
    let output = std::process::Command::new(program).args(arguments).output().expect("the bench runs itself");
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

fn measure_memory(name: &str) {
    let before = resident();
    let cache = cache(name);
    let overhead = |items: u32| (resident() - before) / f64::from(items) - 80.0;
    // A little above the capacity, so that caches which evict early hold all they ever will; they are asked how many.
    (0..ENTRIES + ENTRIES / 20).for_each(|number| cache.set(&key(number), &VALUE));
    let held = |from: u32, to: u32| (from..to).filter(|number| cache.get(&key(*number))).count() as u32;
    let filled = overhead(held(0, ENTRIES + ENTRIES / 20));
    (2 * ENTRIES..4 * ENTRIES).for_each(|number| cache.set(&key(number), &VALUE));
    let churned = overhead(held(0, 4 * ENTRIES));
    println!("{filled} {churned}");
}

/// Resident bytes by accounted bytes of a store under a limit in bytes, while the values written change their sizes:
/// what is left of the old sizes does not fit the new ones. Three times the limit is written of each, and read at
/// random.
fn measure_sizes() {
    let before = resident();
    let (limit, hasher) = (256 << 20, KeyHasher::new((1, 2)));
    let limits = Limits { entries: None, bytes: Some(limit / u64::from(STRIPES)) };
    let mut stores: Vec<Store> = (0..STRIPES).map(|_| Store::new(limits, hasher)).collect();
    let bytes = vec![0x5a; 100_000];
    let mut number = 0_u32;
    for (shortest, longest) in SIZES {
        let mut written = 0;
        while written < 3 * limit {
            number += 1;
            // As many in each doubling of the size.
            let share = (mix(u64::from(number)) >> 11) as f64 / (1_u64 << 53) as f64;
            let value = &bytes[..(shortest * (longest / shortest).powf(share)) as usize];
            let at = |number: u32| {
                let (key, hash) = (key(number), hasher.hash(&key(number)));
                (key, hash, (hash >> 32) as usize % STRIPES as usize)
            };
            let (key, hash, which) = at(number);
            let version = Version { stamp: 1, node: NodeId(1) };
            let entry = EntryRef { value, media: b"", version, deadline: None };
            stores[which].set(NOW, hash, &key, entry, &mut |_| ()).expect("it is far below the limit");
            written += Store::entry_bytes(key.len(), value.len(), 0, false);
            for read in 0..3 {
                let back = mix(u64::from(number) * 3 + read) % u64::from(ENTRIES);
                let (key, hash, which) = at(number.saturating_sub(back as u32));
                black_box(stores[which].get(NOW, hash, &key, &mut |_| ()).is_some());
            }
        }
        let accounted: u64 = stores.iter().map(Store::bytes).sum();
        println!("{}", (resident() - before) / accounted as f64);
    }
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells a process its size");
    let pages: f64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second is resident pages");
    pages * 4_096.0
}

fn print_tables(speed: &[Row], memory: &[Memory], sizes: &[f64]) {
    eprintln!("{ENTRIES} entries, 16-byte keys, 64-byte values, {STRIPES} stripes; ns an operation on each thread");
    eprintln!("{:<18}{:>9}{:>9}{:>12}{:>12}{:>16}", "", NAMES[0], NAMES[1], NAMES[2], "lru/ours", "quick/ours");
    for row in speed {
        let [ours, lru, quick] = [0, 1, 2].map(|which| median(row.ns[which].clone()));
        let [to_lru, to_quick] = [1, 2].map(|which| ratio(row, which));
        let label = format!("{}, {} thread{}", row.workload, row.threads, if row.threads == 1 { "" } else { "s" });
        eprintln!("{label:<18}{ours:>9.1}{lru:>9.1}{quick:>12.1}{to_lru:>12.2}{to_quick:>16.2}");
        if row.workload == "zipf" {
            let [ours, lru, quick] = row.hits;
            eprintln!("{:<18}{ours:>9.4}{lru:>9.4}{quick:>12.4}", "  hits");
        }
    }
    eprintln!("\nresident bytes an item beyond key and value: filled, then all replaced twice");
    for Memory { name, filled, churned } in memory {
        eprintln!("{name:<18}{filled:>9.1}{churned:>9.1}");
    }
    eprintln!("\nresident by accounted bytes under a limit of 256 MiB, as the values' sizes change");
    for ((shortest, longest), ratio) in SIZES.iter().zip(sizes) {
        eprintln!("{:<18}{ratio:>9.2}", format!("{shortest} to {longest}"));
    }
}

fn print_json(speed: &[Row], memory: &[Memory], sizes: &[f64], rounds: usize) {
    let speed: Vec<_> = speed
        .iter()
        .map(|row| {
            let [ours, lru, quick] = [0, 1, 2].map(|which| median(row.ns[which].clone()));
            serde_json::json!({
                "workload": row.workload, "threads": row.threads,
                "ns": { "vitrine": ours, "lru": lru, "quick_cache": quick },
                "times_faster_than": { "lru": ratio(row, 1), "quick_cache": ratio(row, 2) },
            })
        })
        .collect();
    let memory: Vec<_> = memory
        .iter()
        .map(|m| serde_json::json!({ "cache": m.name, "overhead_filled": m.filled, "overhead_churned": m.churned }))
        .collect();
    let sizes: Vec<_> = SIZES
        .iter()
        .zip(sizes)
        .map(|((shortest, longest), ratio)| {
            serde_json::json!({ "shortest": shortest, "longest": longest, "resident_by_accounted": ratio })
        })
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "bench": "store", "entries": ENTRIES, "rounds": rounds, "speed": speed, "memory": memory, "sizes": sizes,
        })
    );
}

/// The median over rounds of their time by ours in the same round: above one, ours is faster.
fn ratio(row: &Row, which: usize) -> f64 {
    median(row.ns[which].iter().zip(&row.ns[0]).map(|(theirs, ours)| theirs / ours).collect())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Ranks of a Zipf distribution with exponent 0.99 over four times as many keys as fit, spread over the key space.
fn zipf(count: usize) -> Vec<u32> {
    let mut total = 0.0;
    let cumulated: Vec<f64> = (1..=4 * ENTRIES)
        .map(|rank| {
            total += f64::from(rank).powf(-0.99);
            total
        })
        .collect();
    (0..count as u64)
        .map(|n| {
            let at = (mix(n ^ 0x5eed) >> 11) as f64 / (1_u64 << 53) as f64 * total;
            cumulated.partition_point(|sum| *sum < at) as u32
        })
        .collect()
}

fn key(number: u32) -> [u8; 16] {
    let (high, low) = (mix(u64::from(number)), u64::from(number));
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

fn stripe(key: &[u8; 16]) -> usize {
    let (number, _) = key.split_first_chunk::<8>().expect("16 bytes");
    (u64::from_le_bytes(*number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize
}

/// Every byte of the value is read, as an answer would.
fn read(value: &[u8]) {
    let sum = value.chunks_exact(8).fold(0, |sum: u64, part| sum ^ u64::from_le_bytes(part.try_into().expect("eight")));
    black_box(sum);
}

/// The finalizer of SplitMix64.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Lengths of values, from the shortest to the longest, one after the other.
const SIZES: [(f64, f64); 6] =
    [(64.0, 64.0), (600.0, 600.0), (100.0, 100.0), (16.0, 8_192.0), (1_000.0, 100_000.0), (16.0, 1_024.0)];
const NAMES: [&str; 3] = ["vitrine", "lru", "quick_cache"];
const ENTRIES: u32 = 1_000_000;
const STRIPES: u32 = 16;
const OPERATIONS: usize = 2_000_000;
const NOW: UnixMs = UnixMs(1_700_000_000_000);
const VALUE: [u8; 64] = [0x5a; 64];
