//! `vitrine bench`: puts load on running servers and says how they bear it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde_json::json;
use vitrine_engine::limits;

use super::grouped;
use crate::load::generate::{Choose, Outcome, Plan, Until, fill, generate};
use crate::load::latency::shown;
use crate::load::{ClientError, Latency, Origin};

/// Put load on servers and measure how long they take to answer
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// The servers: http://HOST:PORT, separated by commas
    #[arg(
        long,
        visible_alias = "url",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8000"
    )]
    pub cluster: Vec<Origin>,
    /// Connections in all, each with one request on its way at most
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Threads of this process that send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: u32,
    /// How long, as in 10s or 2m
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub duration: humantime::Duration,
    /// So many requests instead of a time
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,
    /// Not counted at first, for so long
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub warm_up: humantime::Duration,
    /// Requests a second in all, sent on a schedule however slow the answers are; a time then counts from the schedule
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Reads among 100 requests; the others write
    #[arg(long, value_name = "PERCENT", default_value_t = 90, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub reads: u8,
    /// Different keys
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    pub keys: u64,
    /// How keys are chosen
    #[arg(long, value_enum, default_value_t = Distribution::Zipf)]
    pub distribution: Distribution,
    /// The exponent of the Zipf distribution
    #[arg(long, value_name = "S", default_value_t = 0.99, value_parser = exponent)]
    pub exponent: f64,
    /// Bytes of a value
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = value_size)]
    pub value_size: usize,
    /// The level of writes: one, live, quorum or all; the server's default when it is not given
    #[arg(long, value_name = "LEVEL", value_parser = ["one", "live", "quorum", "all"])]
    pub write: Option<String>,
    /// The level of reads: primary, one or quorum; the server's default when it is not given
    #[arg(long, value_name = "LEVEL", value_parser = ["primary", "one", "quorum"])]
    pub read: Option<String>,
    /// Do not write every key once before
    #[arg(long)]
    pub no_fill: bool,
    /// Which random numbers are drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// A few keys are asked for most
    Zipf,
    /// All keys alike
    Uniform,
}

/// Puts the load on and prints what came of it.
pub fn run(args: &BenchArgs) -> Result<(), BenchError> {
    let plan = args.plan();
    if !args.no_fill {
        let filled = fill(&plan, watch("filling", &Plan { until: Until::Requests(plan.keys), ..plan.clone() }))?;
        if filled.failed() > 0 {
            return Err(failed(filled));
        }
    }
    let outcome = generate(&plan, watch("measuring", &plan))?;
    if args.json {
        print_json(args, &outcome)
    } else {
        print(&outcome)
    }
    if outcome.failed() > 0 { Err(failed(outcome)) } else { Ok(()) }
}

impl BenchArgs {
    fn plan(&self) -> Plan {
        let query = |name: &str, level: &Option<String>| level.as_ref().map(|level| format!("{name}={level}"));
        Plan {
            origins: self.cluster.clone(),
            connections: self.connections,
            threads: self.threads,
            warm_up: self.warm_up.into(),
            until: self.requests.map_or(Until::Elapsed(self.duration.into()), Until::Requests),
            rate: self.rate,
            reads: self.reads,
            keys: self.keys,
            choose: match self.distribution {
                Distribution::Zipf => Choose::Zipf(self.exponent),
                Distribution::Uniform => Choose::Uniform,
            },
            value_size: self.value_size,
            read_query: query("read", &self.read).unwrap_or_default(),
            write_query: query("write", &self.write).unwrap_or_default(),
            seed: self.seed,
        }
    }
}

/// Why a load did not end well.
#[derive(Debug)]
pub enum BenchError {
    /// A server cannot be asked.
    Client(ClientError),
    /// The load ended, and some requests were not answered as they should have been.
    Failed {
        /// How many were.
        answered: u64,
        /// How many were not, by status or kind.
        errors: BTreeMap<String, u64>,
    },
}

impl From<ClientError> for BenchError {
    fn from(error: ClientError) -> BenchError {
        BenchError::Client(error)
    }
}

impl BenchError {
    /// The exit status of the command.
    pub fn status(&self) -> u8 {
        1
    }
}

impl std::fmt::Display for BenchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BenchError::Client(error) => error.fmt(f),
            BenchError::Failed { answered, errors } => {
                let failed: u64 = errors.values().sum();
                write!(f, "{failed} of {} requests failed:", failed + answered)?;
                errors.iter().try_for_each(|(code, count)| write!(f, " {count} {code}"))
            }
        }
    }
}

impl std::error::Error for BenchError {}

fn failed(outcome: Outcome) -> BenchError {
    BenchError::Failed { answered: outcome.requests(), errors: outcome.errors }
}

fn print(outcome: &Outcome) {
    println!("requests   {} in {:.1} s", grouped(outcome.requests()), outcome.took.as_secs_f64());
    println!("rate       {} requests a second", grouped(outcome.rate().round() as u64));
    if outcome.get.count() > 0 {
        println!("hit ratio  {:.4}", outcome.hits as f64 / outcome.get.count() as f64);
    }
    for (name, measured) in [("GET", &outcome.get), ("SET", &outcome.set)].into_iter().filter(|(_, m)| m.count() > 0) {
        println!("{name:<10} {}", quantiles(measured));
    }
    for (code, count) in &outcome.errors {
        println!("errors     {} {code}", grouped(*count));
    }
}

fn quantiles(latency: &Latency) -> String {
    let of = latency.summary();
    let all = [("p50", of.p50_us), ("p95", of.p95_us), ("p99", of.p99_us), ("p99.9", of.p999_us), ("max", of.max_us)];
    all.map(|(name, micros)| format!("{name} {}", shown(micros))).join(", ")
}

fn print_json(args: &BenchArgs, outcome: &Outcome) {
    let object = json!({
        "servers": args.cluster.iter().map(Origin::to_string).collect::<Vec<_>>(),
        "connections": args.connections,
        "rate": args.rate,
        "reads": args.reads,
        "keys": args.keys,
        "value_size": args.value_size,
        "write": args.write,
        "read": args.read,
        "requests": outcome.requests(),
        "seconds": outcome.took.as_secs_f64(),
        "requests_per_second": outcome.rate(),
        "hits": outcome.hits,
        "get": outcome.get.summary(),
        "set": outcome.set.summary(),
        "errors": outcome.errors,
    });
    println!("{object}");
}

/// A bar on a terminal that follows the requests or the time, and nothing in a pipe.
fn watch(what: &'static str, plan: &Plan) -> impl Fn(u64) + use<> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {elapsed}");
    let bar = bar
        .with_style(style.expect("the template is a constant"))
        .with_message(what)
        .with_finish(ProgressFinish::AndClear);
    let (warm_up, until, begun) = (plan.warm_up, plan.until, crate::load::Stopwatch::start());
    move |answered| {
        let (position, length) = match until {
            Until::Requests(requests) => (answered, requests),
            Until::Elapsed(span) => (millis(begun.elapsed()), millis(warm_up + span)),
        };
        bar.set_length(length.max(1));
        bar.set_position(position.min(length));
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| "it is a number of requests a second from 0.001 to 1e9".into())
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse().ok().filter(|exponent| (0.01..=10.0).contains(exponent));
    exponent.ok_or_else(|| "it is a number from 0.01 to 10".into())
}

fn value_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| *size <= limits::DEFAULT_MAX_VALUE);
    size.ok_or_else(|| format!("it is a number of bytes from 0 to {}", limits::DEFAULT_MAX_VALUE))
}
