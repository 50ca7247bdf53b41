//! `vitrine replay`: a request trace against this cache, in this process or through the HTTP API of running servers.
//!
//! It counts as cache simulators do: a request that finds its key is a hit, one that does not is a miss and writes it.

mod cluster;
mod local;
mod race;
mod reading;
mod report;
mod source;
mod values;

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::builder::RangedI64ValueParser;
use clap::{Args, ValueEnum};
use vitrine_engine::trace::{Format, TraceError};

use crate::load::{ClientError, Origin, Stopwatch};
use reading::Trace;
use source::Source;

pub use race::{Chosen, Outcome, race};
pub use report::{Report, Spread, Target, Totals};
pub use values::ValueSize;

/// Play a recorded trace, in this process or through a cluster, and count hits and misses
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The trace: plain, gzip or zstd; `-` reads standard input
    pub file: PathBuf,
    /// Entries that the cache holds (in this process; without --capacity and --memory it is unbounded)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub capacity: Option<u64>,
    /// Bytes that the cache holds, overhead included, as in 512MiB (in this process)
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<ByteSize>,
    /// Who goes when the cache is full: lru, sieve, s3-fifo or w-tinylfu; `all` is a race of these and Belady's bound
    /// with --capacity entries (in this process; lru by default, with --curve all)
    #[arg(long, value_name = "NAME", conflicts_with = "cluster")]
    pub policy: Option<Chosen>,
    /// Hit ratios at a dozen sizes, up to a cache of all keys, and the sizes at which exact LRU has half, 90% and 99%
    /// of the hits that there can be (in this process)
    #[arg(long, conflicts_with_all = ["capacity", "memory", "cluster"])]
    pub curve: bool,
    /// Ask these servers instead of a cache in this process, in turn: http://HOST:PORT, separated by commas
    #[arg(long, value_name = "URL", value_delimiter = ',', conflicts_with_all = ["capacity", "memory"])]
    pub cluster: Vec<Origin>,
    /// Connections to each server. One keeps the order of the trace; several keep it for each key
    #[arg(long, value_name = "N", default_value_t = 1, requires = "cluster", value_parser = connections())]
    pub connections: u16,
    /// Stop after so many requests
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// lines, csv, oracle-general or twitter; told from the file by itself when it can be
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// What a request of the trace does
    #[arg(long, value_enum, default_value_t = Mode::ReadThrough)]
    pub mode: Mode,
    /// Bytes of a value: a number, or `from-trace` for each object's own
    #[arg(long, value_name = "N|from-trace", default_value = "64")]
    pub value_size: ValueSize,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// What a request of the trace does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every request reads its key, and writes it on a miss; operations and TTLs of the trace are passed over
    ReadThrough,
    /// Requests do what the trace says: reads only read, writes write with their TTL, deletes delete. In this process
    /// the trace's time, taken as seconds, is the clock; a server has its own
    Ops,
}

/// Replays the trace and prints what came of it.
///
/// # Errors
/// Also when the replay reached its end and not every request was answered as it should have been.
pub fn run(args: &ReplayArgs) -> Result<(), ReplayError> {
    if args.races() {
        let outcome = race(args)?;
        if args.json {
            println!("{}", outcome.json());
        } else {
            outcome.print();
        }
        return Ok(());
    }
    let report = replay(args)?;
    if args.json {
        report.print_json()
    } else {
        report.print()
    }
    report.verdict()
}

/// Replays the trace.
pub fn replay(args: &ReplayArgs) -> Result<Report, ReplayError> {
    let source = Source::open(&args.file).map_err(|error| ReplayError::opening(&args.file, error))?;
    let trace = Trace::begin(source, args.format, args.limit)?;
    let (title, format, begun) = (trace.title(), trace.format(), Stopwatch::start());
    let (totals, target) = if args.cluster.is_empty() {
        let memory = args.memory.map(|memory| memory.as_u64());
        (local::replay(trace, args)?, Target::Local { capacity: args.capacity, memory, policy: args.one_policy() })
    } else {
        let (totals, spread) = cluster::replay(trace, args)?;
        (totals, Target::Cluster { origins: args.cluster.clone(), spread: Box::new(spread) })
    };
    Ok(Report { title, format, mode: args.mode, took: begun.elapsed(), totals, target })
}

fn connections() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=1_024)
}

impl ReplayArgs {
    /// A replay of that file, with everything else as it is by default.
    pub fn of(file: impl Into<PathBuf>) -> ReplayArgs {
        ReplayArgs {
            file: file.into(),
            capacity: None,
            memory: None,
            policy: None,
            curve: false,
            cluster: Vec::new(),
            connections: 1,
            limit: None,
            format: None,
            mode: Mode::ReadThrough,
            value_size: ValueSize::Fixed(64),
            json: false,
        }
    }
}

/// Why a replay did not end well.
#[derive(Debug)]
pub enum ReplayError {
    /// There is no such file.
    NotFound {
        /// As it was given.
        path: PathBuf,
    },
    /// The file cannot be read, or is not compressed as its first bytes say.
    Read {
        /// Its name.
        name: String,
        /// The system's or the decompressor's reason.
        error: std::io::Error,
    },
    /// The file fits no format for certain.
    UnknownFormat {
        /// Its name.
        name: String,
    },
    /// A line or record of the trace is wrong.
    Trace {
        /// The file's name.
        name: String,
        /// Where and what.
        error: TraceError,
    },
    /// A race needs a size.
    NoCapacity,
    /// A race holds the trace in memory, and it has too many requests.
    TooLong {
        /// Its name.
        name: String,
    },
    /// A race reads keys and nothing else.
    NotInARace,
    /// A server cannot be asked.
    Client(ClientError),
    /// The replay ended, and some requests were not answered as they should have been.
    Failed {
        /// How many.
        requests: u64,
        /// Of how many.
        of: u64,
    },
    /// The replay ended, and some hits were not what was written.
    WrongValues {
        /// How many.
        hits: u64,
    },
    /// The process cannot have what it needs.
    System(std::io::Error),
}

impl ReplayError {
    /// The file could not be opened.
    fn opening(path: &std::path::Path, error: std::io::Error) -> ReplayError {
        match error.kind() {
            std::io::ErrorKind::NotFound => ReplayError::NotFound { path: path.to_owned() },
            _ => ReplayError::Read { name: path.display().to_string(), error },
        }
    }

    /// The exit status of the command: 1 failed, 2 usage, 3 not found.
    pub fn status(&self) -> u8 {
        match self {
            ReplayError::NotFound { .. } => 3,
            ReplayError::UnknownFormat { .. } | ReplayError::NoCapacity | ReplayError::NotInARace => 2,
            _ => 1,
        }
    }
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReplayError::NotFound { path } => write!(f, "there is no file {}", path.display()),
            ReplayError::Read { name, error } => write!(f, "cannot read {name}: {error}"),
            ReplayError::UnknownFormat { name } => {
                write!(f, "cannot tell the format of {name}; say --format lines, csv, oracle-general or twitter")
            }
            ReplayError::Trace { name, error } => write!(f, "{name}: {error}"),
            ReplayError::NoCapacity => f.write_str("a race needs a size: say --capacity N, or --curve for many"),
            ReplayError::TooLong { name } => {
                write!(f, "{name} has more than 2^31 requests, which a race does not take; say --limit")
            }
            ReplayError::NotInARace => {
                f.write_str("a race counts entries and reads through: leave --memory, --mode and --value-size out")
            }
            ReplayError::Client(error) => error.fmt(f),
            ReplayError::Failed { requests, of } => {
                write!(f, "{requests} of {of} requests failed; the summary above says how")
            }
            ReplayError::WrongValues { hits } => {
                write!(f, "{hits} hits returned a value that a replay never wrote to their key")
            }
            ReplayError::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<ClientError> for ReplayError {
    fn from(error: ClientError) -> ReplayError {
        ReplayError::Client(error)
    }
}
