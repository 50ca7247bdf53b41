//! Request traces: what real clients asked a real cache, read piece by piece.
//!
//! The same parser reads a file of the `replay` command and a file dropped on the playground. It holds one line of the
//! trace and nothing else, knows nothing of compression, and never guesses: a line that it does not understand ends the
//! trace with an error that names the line, and everything before it has been delivered. It may depend on `limits` and
//! on the rules for keys.

mod csv;
mod detect;
mod error;
mod lines;
mod oracle;
mod twitter;

use core::time::Duration;

pub use error::{Place, Problem, TraceError};

/// How a trace is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A key a line. Empty lines are passed over.
    Lines,
    /// Comma-separated values under a header line. A column `key` (or `obj_id`, `id`, `key_id`) is needed; `time`,
    /// `size` (or `value_size`, `obj_size`), `op` and `ttl` (whole seconds, 0 for none) are taken when they are there,
    /// and other columns are passed over. Fields may be quoted (RFC 4180), but end on their line.
    Csv,
    /// libCacheSim's oracleGeneral: packed little-endian records of a 32-bit time, a 64-bit object, a 32-bit size and
    /// the signed 64-bit number of the object's next request. The object becomes its decimal text, so that the same
    /// trace as CSV has the same keys.
    OracleGeneral,
    /// Twitter's cache traces, without a header: `timestamp,key,key size,value size,client,operation,TTL`. The
    /// published files have keys with commas in them: the fields are counted from both ends.
    Twitter,
}

/// One request of a trace. The key lives as long as the call that hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRequest<'a> {
    /// When it was asked, in the trace's own unit.
    pub time: Option<u64>,
    /// The key: 1 to 65,535 bytes.
    pub key: &'a [u8],
    /// How large the object was, in bytes. It may be larger than any value that this cache takes.
    pub size: Option<u64>,
    /// How long a written object was to live; `None` is for ever.
    pub ttl: Option<Duration>,
    /// What was asked, where the trace knows; `Get` where it does not.
    pub op: TraceOp,
}

/// What a request of a trace does, in memcached's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TraceOp {
    /// Reads (`get`, `gets`, `read`).
    #[default]
    Get,
    /// Writes, whatever is there (`set`, `put`, `write`).
    Set,
    /// Writes when nothing is there (`add`).
    Add,
    /// Writes when something is there (`replace`, `cas`, `append`, `prepend`, `incr`, `decr`).
    Replace,
    /// Removes (`delete`, `del`, `remove`).
    Delete,
}

/// Reads one trace, in pieces of any length.
#[derive(Clone, Debug)]
pub struct Parser {
    body: Body,
    failed: Option<TraceError>,
}

#[derive(Clone, Debug)]
enum Body {
    Lines(lines::Lines),
    Csv(lines::Lines, csv::Csv),
    Oracle(oracle::Records),
    Twitter(lines::Lines),
}

impl Format {
    /// Every format, in the order in which they are offered to a person.
    pub const ALL: [Format; 4] = [Format::Lines, Format::Csv, Format::OracleGeneral, Format::Twitter];
    /// As many first bytes of a trace are all that [`Format::detect`] looks at.
    pub const HEAD: usize = 4_096;

    /// The name by which a person picks it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Lines => "lines",
            Format::Csv => "csv",
            Format::OracleGeneral => "oracle-general",
            Format::Twitter => "twitter",
        }
    }

    /// The format of a trace, by its file name and its first bytes after decompression ([`Format::HEAD`] of them, or
    /// all when there are fewer). `None` when they fit no format for certain.
    pub fn detect(name: &str, head: &[u8]) -> Option<Format> {
        detect::detect(name, head)
    }
}

impl Parser {
    /// At the start of a trace.
    pub fn new(format: Format) -> Parser {
        let body = match format {
            Format::Lines => Body::Lines(lines::Lines::default()),
            Format::Csv => Body::Csv(lines::Lines::default(), csv::Csv::default()),
            Format::OracleGeneral => Body::Oracle(oracle::Records::default()),
            Format::Twitter => Body::Twitter(lines::Lines::default()),
        };
        Parser { body, failed: None }
    }

    /// Takes the next piece and hands over each request that it completes, in order.
    ///
    /// # Errors
    /// At the first line or record that is not as it should be. Every request before it has been handed over, and the
    /// parser answers with the same error from then on.
    pub fn push(&mut self, chunk: &[u8], each: &mut impl FnMut(TraceRequest<'_>)) -> Result<(), TraceError> {
        self.once(|body| match body {
            Body::Lines(lines) => lines.push(chunk, |line| lines::request(line).map(&mut *each)),
            Body::Csv(lines, csv) => lines.push(chunk, |line| csv.line(line, each)),
            Body::Oracle(records) => records.push(chunk, each),
            Body::Twitter(lines) => lines.push(chunk, |line| twitter::request(line).map(&mut *each)),
        })
    }

    /// Ends the trace: its last line need not end in a line break.
    ///
    /// # Errors
    /// When what is left is not a whole line or record, or the trace has no header where it needs one.
    pub fn finish(&mut self, each: &mut impl FnMut(TraceRequest<'_>)) -> Result<(), TraceError> {
        self.once(|body| match body {
            Body::Lines(lines) => lines.finish(|line| lines::request(line).map(&mut *each)),
            Body::Csv(lines, csv) => {
                lines.finish(|line| csv.line(line, each))?;
                csv.finish().map_err(|problem| lines.error(problem))
            }
            Body::Oracle(records) => records.finish(),
            Body::Twitter(lines) => lines.finish(|line| twitter::request(line).map(&mut *each)),
        })
    }

    fn once(&mut self, step: impl FnOnce(&mut Body) -> Result<(), TraceError>) -> Result<(), TraceError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        step(&mut self.body).inspect_err(|error| self.failed = Some(error.clone()))
    }
}

impl core::fmt::Display for Format {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Format, ParseFormatError> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or(ParseFormatError)
    }
}

/// The text names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseFormatError;

impl core::fmt::Display for ParseFormatError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no such trace format; there are lines, csv, oracle-general and twitter")
    }
}

impl core::error::Error for ParseFormatError {}

impl TraceOp {
    /// The operation of that name, in any case.
    fn parse(name: &[u8]) -> Option<TraceOp> {
        let known = OPERATIONS.iter().find(|(spelling, _)| name.eq_ignore_ascii_case(spelling.as_bytes()));
        known.map(|(_, op)| *op)
    }
}

const OPERATIONS: [(&str, TraceOp); 16] = [
    ("get", TraceOp::Get),
    ("gets", TraceOp::Get),
    ("read", TraceOp::Get),
    ("set", TraceOp::Set),
    ("put", TraceOp::Set),
    ("write", TraceOp::Set),
    ("add", TraceOp::Add),
    ("replace", TraceOp::Replace),
    ("cas", TraceOp::Replace),
    ("append", TraceOp::Replace),
    ("prepend", TraceOp::Replace),
    ("incr", TraceOp::Replace),
    ("decr", TraceOp::Replace),
    ("delete", TraceOp::Delete),
    ("del", TraceOp::Delete),
    ("remove", TraceOp::Delete),
];

#[cfg(test)]
mod tests;
