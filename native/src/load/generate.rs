//! Load: many connections that ask for keys as a cache's users do, and what came back how fast.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_core::SeedableRng;
use rand_distr::{Distribution, Zipf};
use rand_pcg::Pcg64;
use tokio::task::JoinSet;
use vitrine_engine::rng::Rng;

use super::client::{ClientError, Origin};
use super::wire::Wire;
use super::{Latency, Stopwatch};

/// What is asked of whom, how often and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The servers; connection number *i* is to the *i*-th, and around again.
    pub origins: Vec<Origin>,
    /// Connections in all, at least 1. Each has one request on its way at most.
    pub connections: u32,
    /// Threads that they are spread over, at least 1.
    pub threads: u32,
    /// Not counted at first, for so long.
    pub warm_up: Duration,
    /// When it ends.
    pub until: Until,
    /// Requests a second in all, sent on a schedule whatever the answers take; `None` sends when the last answer is
    /// there.
    pub rate: Option<f64>,
    /// Reads among 100 requests; the others write.
    pub reads: u8,
    /// Different keys, at least 1.
    pub keys: u64,
    /// Which of them is next.
    pub choose: Choose,
    /// Bytes of a value.
    pub value_size: usize,
    /// The query of a read, as in `read=one`; may be empty.
    pub read_query: String,
    /// The query of a write, as in `write=live`; may be empty.
    pub write_query: String,
    /// Which random numbers are drawn.
    pub seed: u64,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choose {
    /// At random, all alike.
    Uniform,
    /// At random, by a Zipf distribution of that exponent (more than 0): a few keys are asked for most.
    Zipf(f64),
    /// One after the other, over all connections together.
    InTurn,
}

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After that time, the warm-up not included.
    Elapsed(Duration),
    /// After so many requests, the warm-up not included.
    Requests(u64),
}

/// What came of it, the warm-up not included.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How long the counted part took.
    pub took: Duration,
    /// Reads. On a schedule each time counts from when the request should have been sent, so that a server that stalls
    /// is charged for every request that it held up (Gil Tene's coordinated omission).
    pub get: Latency,
    /// Writes, measured alike.
    pub set: Latency,
    /// Reads that found something.
    pub hits: u64,
    /// Requests that failed, by status or kind.
    pub errors: BTreeMap<String, u64>,
}

impl Outcome {
    /// Requests that were answered as they should be, a miss included.
    pub fn requests(&self) -> u64 {
        self.get.count() + self.set.count()
    }

    /// Those in a second.
    pub fn rate(&self) -> f64 {
        self.requests() as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Requests that were not.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    fn add(&mut self, other: Outcome) {
        self.get.add(&other.get);
        self.set.add(&other.set);
        self.hits += other.hits;
        self.took = self.took.max(other.took);
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
    }
}

/// Carries a plan out. `watch` is told the number of requests answered, several times a second.
///
/// # Errors
/// When a server cannot be reached at the start. What fails later is counted.
pub fn generate(plan: &Plan, watch: impl Fn(u64)) -> Result<Outcome, ClientError> {
    let shared = Arc::new(Shared { plan: plan.clone(), answered: AtomicU64::new(0), counted: AtomicU64::new(0) });
    let threads: Vec<_> = (0..plan.threads.min(plan.connections))
        .map(|thread| {
            let shared = shared.clone();
            std::thread::spawn(move || run_thread(&shared, thread))
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        watch(shared.answered.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut outcome = Outcome::default();
    for thread in threads {
        outcome.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    }
    Ok(outcome)
}

/// Writes every key once, so that reads find something. Over all connections, as fast as they answer.
pub fn fill(plan: &Plan, watch: impl Fn(u64)) -> Result<Outcome, ClientError> {
    let every = Plan {
        reads: 0,
        choose: Choose::InTurn,
        rate: None,
        warm_up: Duration::ZERO,
        until: Until::Requests(plan.keys),
        ..plan.clone()
    };
    generate(&every, watch)
}

/// After a connection broke it is opened again no sooner than this, so that a dead server is not flooded with attempts.
const REOPEN_AFTER: Duration = Duration::from_millis(100);

struct Shared {
    plan: Plan,
    answered: AtomicU64,
    /// Requests that count and were begun, over all connections.
    counted: AtomicU64,
}

fn run_thread(shared: &Arc<Shared>, thread: u32) -> Result<Outcome, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system has a file descriptor left for a runtime").block_on(async {
        let plan = &shared.plan;
        let mut lanes = Vec::new();
        for number in (thread..plan.connections).step_by(plan.threads as usize) {
            let origin = &plan.origins[number as usize % plan.origins.len()];
            lanes.push(Lane::new(plan, number, Wire::open(origin).await?));
        }
        let begun = Stopwatch::start();
        let mut running = JoinSet::new();
        for lane in lanes {
            running.spawn(lane.run(shared.clone(), begun));
        }
        let mut outcome = Outcome::default();
        while let Some(lane) = running.join_next().await {
            outcome.add(lane.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        Ok(outcome)
    })
}

/// One connection, with its own random numbers and its own schedule.
struct Lane {
    number: u32,
    origin: Origin,
    wire: Option<Wire>,
    requests: Requests,
    outcome: Outcome,
}

impl Lane {
    fn new(plan: &Plan, number: u32, wire: Wire) -> Lane {
        let origin = plan.origins[number as usize % plan.origins.len()].clone();
        let requests = Requests::new(plan, number, &origin);
        Lane { number, origin, wire: Some(wire), requests, outcome: Outcome::default() }
    }

    async fn run(mut self, shared: Arc<Shared>, begun: Stopwatch) -> Outcome {
        let plan = &shared.plan;
        let interval = plan.rate.map(|rate| Duration::from_secs_f64(f64::from(plan.connections) / rate));
        // Connections begin one after the other, so that the schedule of all is even too.
        let mut due = interval.unwrap_or_default().mul_f64(f64::from(self.number) / f64::from(plan.connections));
        loop {
            let sent = match interval {
                None => begun.elapsed(),
                Some(interval) => {
                    wait_until(&begun, due).await;
                    let planned = due;
                    due += interval;
                    planned
                }
            };
            let counts = sent >= plan.warm_up;
            let ticket = if counts { shared.counted.fetch_add(1, Ordering::Relaxed) } else { 0 };
            let over = match plan.until {
                Until::Elapsed(span) => sent >= plan.warm_up + span,
                Until::Requests(requests) => counts && ticket >= requests,
            };
            if over {
                self.outcome.took = begun.elapsed().saturating_sub(plan.warm_up);
                if let Until::Elapsed(span) = plan.until {
                    // Answers to the last requests came after the end; the requests are counted, so is the time.
                    self.outcome.took = self.outcome.took.max(span);
                }
                return self.outcome;
            }
            let reads = self.requests.next(plan, ticket);
            let answer = self.ask().await;
            shared.answered.fetch_add(1, Ordering::Relaxed);
            let took = begun.elapsed().saturating_sub(sent);
            if counts {
                self.count(reads, answer, took);
            }
        }
    }

    async fn ask(&mut self) -> Result<u16, ClientError> {
        if self.wire.is_none() {
            tokio::time::sleep(REOPEN_AFTER).await;
            self.wire = Some(Wire::open(&self.origin).await?);
        }
        let Some(wire) = &mut self.wire else { unreachable!("it was opened just now") };
        let answer = wire.exchange(&self.requests.bytes).await;
        if answer.is_err() {
            self.wire = None;
        }
        answer
    }

    fn count(&mut self, reads: bool, answer: Result<u16, ClientError>, took: Duration) {
        match answer {
            Ok(status) if status < 300 || (reads && status == 404) => {
                self.outcome.hits += u64::from(reads && status < 300);
                if reads { &mut self.outcome.get } else { &mut self.outcome.set }.record(took);
            }
            Ok(status) => *self.outcome.errors.entry(format!("http_{status}")).or_default() += 1,
            Err(error) => *self.outcome.errors.entry(error.code().into()).or_default() += 1,
        }
    }
}

/// Sleeps as far as the timer is exact, and gives way to the other connections for the rest.
async fn wait_until(begun: &Stopwatch, due: Duration) {
    const EXACT: Duration = Duration::from_millis(2);
    loop {
        let left = due.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return;
        }
        if left > EXACT { tokio::time::sleep(left - EXACT).await } else { tokio::task::yield_now().await }
    }
}

/// The requests of one connection, drawn one after the other into the same room.
struct Requests {
    choice: Rng,
    ranks: Pcg64,
    zipf: Option<Zipf<f64>>,
    get: Template,
    put: Template,
    bytes: Vec<u8>,
}

/// A request around its key.
struct Template {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Requests {
    fn new(plan: &Plan, number: u32, origin: &Origin) -> Requests {
        let query = |query: &str| if query.is_empty() { String::new() } else { format!("?{query}") };
        let template = |method: &str, query: String, rest: &[u8]| Template {
            before: format!("{method} /v1/entries/key:").into_bytes(),
            after: [format!("{query} HTTP/1.1\r\nhost: {}:{}\r\n", origin.host(), origin.port()).as_bytes(), rest]
                .concat(),
        };
        let mut put = format!("content-length: {}\r\n\r\n", plan.value_size).into_bytes();
        put.extend((0..plan.value_size).map(|index| b'a' + (index % 26) as u8));
        Requests {
            choice: Rng::new(plan.seed.wrapping_add(u64::from(number)), "load"),
            ranks: Pcg64::seed_from_u64(plan.seed.wrapping_add(u64::from(number))),
            zipf: match plan.choose {
                Choose::Zipf(skew) => Some(Zipf::new(plan.keys as f64, skew).expect("a key and a positive exponent")),
                _ => None,
            },
            get: template("GET", query(&plan.read_query), b"\r\n"),
            put: template("PUT", query(&plan.write_query), &put),
            bytes: Vec::new(),
        }
    }

    /// Makes the next one ready. Does it read?
    fn next(&mut self, plan: &Plan, ticket: u64) -> bool {
        let key = match (&self.zipf, plan.choose) {
            (_, Choose::InTurn) => ticket % plan.keys,
            (Some(zipf), _) => zipf.sample(&mut self.ranks) as u64 - 1,
            (None, _) => self.choice.below(plan.keys),
        };
        let reads = self.choice.below(100) < u64::from(plan.reads);
        let template = if reads { &self.get } else { &self.put };
        self.bytes.clear();
        self.bytes.extend_from_slice(&template.before);
        // A vector takes all that is written to it.
        let _ = write!(self.bytes, "{key:012}");
        self.bytes.extend_from_slice(&template.after);
        reads
    }
}

#[cfg(test)]
mod tests;
