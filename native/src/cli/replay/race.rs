//! `vitrine replay --policy all` and `--curve`: policies side by side on one trace, in this process.
//!
//! Every cache goes through the whole trace by itself, so that as many run at the same time as there are cores.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use vitrine_engine::race::{Course, Keys, Race, Racer};
use vitrine_engine::store::Policy;

use super::reading::Trace;
use super::source::Source;
use super::{Mode, ReplayArgs, ReplayError, ValueSize};
use crate::cli::grouped;
use crate::load::Stopwatch;

/// What `--policy` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// One policy.
    One(Policy),
    /// Each of them, and Belady's bound.
    All,
}

/// How every cache did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The trace.
    pub title: String,
    /// Its format.
    pub format: &'static str,
    /// Its requests.
    pub requests: u32,
    /// The keys that they were for.
    pub keys: u32,
    /// Entries of the caches.
    pub sizes: Vec<u32>,
    /// Each racer with its hits at each size.
    pub rows: Vec<(Racer, Vec<u32>)>,
    /// Of a curve with exact LRU in it: its hits at every size, of one entry first.
    pub lru: Option<Vec<u32>>,
    /// One size was asked for, and not a curve.
    pub single: bool,
    /// How long it took, reading included.
    pub took: Duration,
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Chosen, String> {
        match text {
            "all" => Ok(Chosen::All),
            name => Policy::named(name).map(Chosen::One).ok_or_else(|| format!("it is {} or all", Policy::NAMES)),
        }
    }
}

impl ReplayArgs {
    /// Is it a race that is asked for, and not one replay?
    pub(super) fn races(&self) -> bool {
        self.curve || self.policy == Some(Chosen::All)
    }

    /// The policy of one replay.
    pub(super) fn one_policy(&self) -> Policy {
        match self.policy {
            Some(Chosen::One(policy)) => policy,
            Some(Chosen::All) | None => Policy::Lru,
        }
    }
}

/// Reads the trace, and races.
pub fn race(args: &ReplayArgs) -> Result<Outcome, ReplayError> {
    if args.memory.is_some() || args.mode != Mode::ReadThrough || args.value_size != ValueSize::Fixed(64) {
        return Err(ReplayError::NotInARace);
    }
    let source = Source::open(&args.file).map_err(|error| ReplayError::opening(&args.file, error))?;
    let trace = Trace::begin(source, args.format, args.limit)?;
    let (title, format, begun) = (trace.title(), trace.format().name(), Stopwatch::start());
    let (mut keys, mut room) = (Keys::new(), true);
    trace.each(|request| {
        room = keys.push(request.key);
        if room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if !room {
        return Err(ReplayError::TooLong { name: title });
    }
    let course = keys.finish();
    let sizes = match args.capacity {
        Some(capacity) => vec![u32::try_from(capacity).unwrap_or(u32::MAX)],
        None if args.curve => course.sizes(CURVE),
        None => return Err(ReplayError::NoCapacity),
    };
    let racers = match args.policy {
        Some(Chosen::One(policy)) => vec![Racer::Policy(policy)],
        Some(Chosen::All) | None => Policy::ALL.map(Racer::Policy).into_iter().chain([Racer::Belady]).collect(),
    };
    let single = args.capacity.is_some();
    let lru = (!single && racers.contains(&LRU)).then(|| course.lru_hits());
    let rows = run(&course, &racers, &sizes, lru.as_deref());
    let (requests, keys, took) = (course.requests(), course.keys(), begun.elapsed());
    Ok(Outcome { title, format, requests, keys, sizes, rows, lru, single, took })
}

/// The hits of each racer at each size. Those of exact LRU may be known at every size.
fn run(course: &Course, racers: &[Racer], sizes: &[u32], lru: Option<&[u32]>) -> Vec<(Racer, Vec<u32>)> {
    let running = racers.iter().filter(|racer| lru.is_none() || **racer != LRU);
    let all: Vec<(Racer, u32)> = running.flat_map(|racer| sizes.iter().map(|size| (*racer, *size))).collect();
    let (hits, next) = (Mutex::new(vec![0; all.len()]), AtomicUsize::new(0));
    let bar = bar(u64::from(course.requests()) * all.len() as u64);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(racer) = all.get(index) else { return };
            let mut race = Race::new(course, [*racer]);
            let mut before = 0;
            while !race.advance(SLICE) {
                bar.inc(u64::from(race.requests() - before));
                before = race.requests();
            }
            bar.inc(u64::from(race.requests() - before));
            let counted = race.hits().next().unwrap_or(0);
            hits.lock().expect("nobody panics with it")[index] = counted;
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(all.len());
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    bar.finish_and_clear();
    let hits = hits.into_inner().expect("nobody panics with it");
    let mut ran = hits.chunks(sizes.len().max(1));
    let row = |racer: &Racer| match lru {
        Some(lru) if *racer == LRU => sizes.iter().map(|size| at_size(lru, *size)).collect(),
        _ => ran.next().unwrap_or_default().to_vec(),
    };
    racers.iter().copied().zip(racers.iter().map(row).collect::<Vec<_>>()).collect()
}

impl Outcome {
    /// Prints it for a person.
    pub fn print(&self) {
        let row = |name: &str, text: String| println!("{name:<11} {text}");
        row("trace", self.title.clone());
        row("requests", format!("{} for {} keys", grouped(self.requests.into()), grouped(self.keys.into())));
        if self.single {
            row("cache", format!("{} entries", grouped(self.sizes.first().copied().unwrap_or(0).into())));
            println!("\n{:<11} {:>12} {:>12} {:>10} {:>10}", "policy", "hits", "misses", "hit ratio", "miss ratio");
            for (racer, hits) in &self.rows {
                let hits = hits.first().copied().unwrap_or(0);
                let misses = self.requests - hits;
                let counts = [hits, misses].map(|count| grouped(count.into()));
                let ratios = [hits, misses].map(|count| self.ratio(count).map_or("-".into(), |r| format!("{r:.4}")));
                println!(
                    "{:<11} {:>12} {:>12} {:>10} {:>10}",
                    name(*racer),
                    counts[0],
                    counts[1],
                    ratios[0],
                    ratios[1]
                );
            }
        } else {
            let names: Vec<String> = self.rows.iter().map(|(racer, _)| format!("{:>10}", name(*racer))).collect();
            println!("\nhit ratio\n{:<11} {}", "entries", names.join(" "));
            for (index, size) in self.sizes.iter().enumerate() {
                let ratio = |hits: &Vec<u32>| self.ratio(hits[index]).map_or("-".into(), |ratio| format!("{ratio:.4}"));
                let cells: Vec<String> = self.rows.iter().map(|(_, hits)| format!("{:>10}", ratio(hits))).collect();
                println!("{:<11} {}", grouped((*size).into()), cells.join(" "));
            }
            if let Some(sizes) = self.lru_sizes() {
                let [half, most, nearly] = sizes.map(|size| grouped(size.into()));
                println!(
                    "\nof the hits that there can be, lru has half at {half} entries, 90% at {most}, 99% at {nearly}"
                );
            }
        }
        println!("\ntime        {:.3} s", self.took.as_secs_f64());
    }

    /// It as one JSON object: a row for each racer, and in it a number for each size.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(racer, hits)| {
            let misses: Vec<u32> = hits.iter().map(|hits| self.requests - hits).collect();
            let ratios: Vec<Option<f64>> = hits.iter().map(|hits| self.ratio(*hits)).collect();
            json!({ "policy": name(*racer), "hits": hits, "misses": misses, "hit_ratio": ratios })
        });
        let mut json = json!({
            "trace": self.title,
            "format": self.format,
            "requests": self.requests,
            "keys": self.keys,
            "sizes": self.sizes,
            "policies": rows.collect::<Vec<_>>(),
            "seconds": self.took.as_secs_f64(),
        });
        // Of LRU alone: as many numbers as there are keys.
        if let (Some(lru), [_]) = (&self.lru, &self.rows[..]) {
            json["lru_hits_by_size"] = json!(lru);
        }
        json
    }

    /// The smallest sizes at which exact LRU has half, nine tenths and 99 of 100 of the hits that there can be.
    fn lru_sizes(&self) -> Option<[u32; 3]> {
        let lru = self.lru.as_ref()?;
        let most = u64::from(*lru.last().filter(|hits| **hits > 0)?);
        Some([50, 90, 99].map(|share| lru.partition_point(|hits| u64::from(*hits) * 100 < most * share) as u32 + 1))
    }

    fn ratio(&self, part: u32) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(part) / f64::from(self.requests))
    }
}

/// The hits at a size, of those at every size: a cache that is larger than all keys has those of one that is as large.
fn at_size(hits: &[u32], size: u32) -> u32 {
    let most = hits.len().min(size as usize);
    most.checked_sub(1).map_or(0, |last| hits[last])
}

/// What a racer is called.
fn name(racer: Racer) -> &'static str {
    match racer {
        Racer::Policy(policy) => policy.name(),
        Racer::Belady => "belady",
    }
}

const LRU: Racer = Racer::Policy(Policy::Lru);
/// Sizes of a curve.
const CURVE: u32 = 12;
/// Requests between two looks at the bar.
const SLICE: u32 = 50_000;

/// A bar on a terminal, and nothing in a pipe.
fn bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{wide_bar} {human_pos}/{human_len} requests {elapsed} (left: {eta})";
    let bar = ProgressBar::new(length);
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    bar.with_style(ProgressStyle::with_template(template).expect("the template is a constant"))
}
