//! What came of a replay: the counts, and how they are told to a person or a program.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vitrine_engine::store::Policy;
use vitrine_engine::trace::Format;

use super::{Mode, ReplayError};
use crate::cli::grouped;
use crate::load::{Latency, Origin, latency};

/// What is counted, wherever the cache is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests of the trace.
    pub requests: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Values written.
    pub writes: u64,
    /// Keys deleted, whether they were there or not.
    pub deletes: u64,
    /// Writes of the trace whose condition did not hold (`add`, `replace`).
    pub unmet: u64,
    /// Objects that no cache of this size takes. They are misses each time.
    pub too_large: u64,
    /// Hits whose value was not the one of its key.
    pub wrong: u64,
}

/// What is measured over HTTP besides.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// How long reads took.
    pub get: Latency,
    /// How long writes took.
    pub set: Latency,
    /// Answers by the node that served them, as the answers say.
    pub nodes: BTreeMap<String, u64>,
    /// Requests that failed, by code.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were asked again of the next server because one could not be reached.
    pub failovers: u64,
}

/// Which cache was asked.
pub enum Target {
    /// One in this process.
    Local {
        /// Entries.
        capacity: Option<u64>,
        /// Bytes.
        memory: Option<u64>,
        /// Who goes when it is full.
        policy: Policy,
    },
    /// Running servers.
    Cluster {
        /// They.
        origins: Vec<Origin>,
        /// How they answered.
        spread: Box<Spread>,
    },
}

/// A replay that reached its end.
pub struct Report {
    /// The trace.
    pub title: String,
    /// Its format.
    pub format: Format,
    /// What its requests did.
    pub mode: Mode,
    /// How long all took.
    pub took: Duration,
    /// The counts.
    pub totals: Totals,
    /// Who was asked.
    pub target: Target,
}

impl Totals {
    /// Adds what another connection counted.
    pub fn add(&mut self, other: &Totals) {
        let Totals { requests, hits, misses, writes, deletes, unmet, too_large, wrong } = other;
        self.requests += requests;
        self.hits += hits;
        self.misses += misses;
        self.writes += writes;
        self.deletes += deletes;
        self.unmet += unmet;
        self.too_large += too_large;
        self.wrong += wrong;
    }

    fn ratio(&self, part: u64) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| part as f64 / reads as f64)
    }
}

impl Spread {
    /// Adds what another connection measured.
    pub fn add(&mut self, other: Spread) {
        self.get.add(&other.get);
        self.set.add(&other.set);
        self.failovers += other.failovers;
        for (all, more) in [(&mut self.nodes, other.nodes), (&mut self.errors, other.errors)] {
            for (name, count) in more {
                *all.entry(name).or_default() += count;
            }
        }
    }

    fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl Report {
    /// Is the replay what it should be?
    pub fn verdict(&self) -> Result<(), ReplayError> {
        if self.totals.wrong > 0 {
            return Err(ReplayError::WrongValues { hits: self.totals.wrong });
        }
        match &self.target {
            Target::Cluster { spread, .. } if spread.failed() > 0 => {
                Err(ReplayError::Failed { requests: spread.failed(), of: self.totals.requests })
            }
            _ => Ok(()),
        }
    }

    /// Prints it for a person.
    pub fn print(&self) {
        let row = |name: &str, text: String| println!("{name:<11} {text}");
        let totals = &self.totals;
        row("trace", self.title.clone());
        match &self.target {
            Target::Local { capacity, memory, policy } => {
                let entries = capacity.map(|entries| format!("{entries} entries"));
                let bytes = memory.map(|bytes| bytesize::ByteSize(bytes).to_string());
                let bounds: Vec<String> = entries.into_iter().chain(bytes).collect();
                row("cache", if bounds.is_empty() { "unbounded".into() } else { bounds.join(", ") });
                row("policy", policy.name().into());
            }
            Target::Cluster { origins, .. } => {
                row("servers", origins.iter().map(Origin::to_string).collect::<Vec<_>>().join(" "));
            }
        }
        row("requests", grouped(totals.requests));
        row("hits", grouped(totals.hits));
        row("misses", grouped(totals.misses));
        let ratio = |part| totals.ratio(part).map_or_else(|| "-".into(), |ratio: f64| format!("{ratio:.4}"));
        row("hit ratio", ratio(totals.hits));
        row("miss ratio", ratio(totals.misses));
        if self.mode == Mode::Ops {
            row("writes", format!("{} ({} more did not apply)", grouped(totals.writes), grouped(totals.unmet)));
            row("deletes", grouped(totals.deletes));
        }
        if totals.too_large > 0 {
            row("too large", format!("{} objects were not stored", grouped(totals.too_large)));
        }
        let seconds = self.took.as_secs_f64();
        row("time", format!("{seconds:.3} s, {} requests a second", grouped(self.rate() as u64)));
        if let Target::Cluster { spread, .. } = &self.target {
            spread.print(row);
        }
    }

    /// Prints it for a program: one JSON object on one line.
    pub fn print_json(&self) {
        println!("{}", self.json());
    }

    fn json(&self) -> Value {
        let totals = &self.totals;
        let mode = match self.mode {
            Mode::ReadThrough => "read-through",
            Mode::Ops => "ops",
        };
        let mut object = json!({
            "trace": self.title,
            "format": self.format.name(),
            "mode": mode,
            "requests": totals.requests,
            "hits": totals.hits,
            "misses": totals.misses,
            "hit_ratio": totals.ratio(totals.hits),
            "miss_ratio": totals.ratio(totals.misses),
            "writes": totals.writes,
            "deletes": totals.deletes,
            "unmet": totals.unmet,
            "too_large": totals.too_large,
            "wrong_values": totals.wrong,
            "seconds": self.took.as_secs_f64(),
            "requests_per_second": self.rate(),
        });
        match &self.target {
            Target::Local { capacity, memory, policy } => {
                object["policy"] = json!(policy.name());
                object["capacity"] = json!(capacity);
                object["memory"] = json!(memory);
            }
            Target::Cluster { origins, spread } => {
                object["servers"] = origins.iter().map(Origin::to_string).collect();
                object["get"] = json!(spread.get.summary());
                object["set"] = json!(spread.set.summary());
                object["nodes"] = json!(spread.nodes);
                object["errors"] = json!(spread.errors);
                object["failovers"] = json!(spread.failovers);
            }
        }
        object
    }

    fn rate(&self) -> f64 {
        self.totals.requests as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

impl Spread {
    fn print(&self, row: impl Fn(&str, String)) {
        for (name, measured) in [("GET", &self.get), ("SET", &self.set)] {
            let of = measured.summary();
            let times = [of.p50_us, of.p95_us, of.p99_us, of.max_us].map(latency::shown);
            row(
                name,
                match of.count {
                    0 => "none".into(),
                    _ => format!("p50 {}, p95 {}, p99 {}, max {}", times[0], times[1], times[2], times[3]),
                },
            );
        }
        let answers: u64 = self.nodes.values().sum();
        for (node, count) in &self.nodes {
            let share = *count as f64 * 100.0 / answers as f64;
            row(&format!("node {node}"), format!("{share:.1} % ({})", grouped(*count)));
        }
        if self.failovers > 0 {
            row("failovers", grouped(self.failovers));
        }
        for (code, count) in &self.errors {
            row("errors", format!("{} {code}", grouped(*count)));
        }
    }
}
