//! Reading the log when a node starts: the newest snapshot, then the segments behind it in their order. A torn tail is
//! cut off; damage is refused, with the two ways on.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use vitrine_engine::codec::wal::{End, Header, Scan};
use vitrine_engine::id::Lsn;
use vitrine_engine::record::Record;

use super::folder::{self, Segment};
use crate::load::Stopwatch;
use crate::snapshot::{self, Of};

/// What was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The number that the next record gets.
    pub next: Lsn,
    /// The snapshot that it began with, and how many records were in it.
    pub snapshot: Option<(PathBuf, u64)>,
    /// Segments that were read.
    pub segments: u64,
    /// Records of them that were taken in.
    pub records: u64,
    /// Bytes of the segments, without room that was never written.
    pub bytes: u64,
    /// Bytes that were cut off at the end: nobody was told of them.
    pub torn: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why a log is not read. Nothing was changed.
#[derive(Debug)]
pub enum RecoverError {
    /// The system does not give it.
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// What had been on disk is not as it was.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The byte of it.
        at: u64,
        /// What is wrong there.
        what: String,
    },
    /// Another node's, or another cluster's.
    Foreign {
        /// The file.
        path: PathBuf,
        /// Of a node of this cluster.
        same_cluster: bool,
        /// Whose it is, as a clause.
        whose: String,
    },
}

/// Hands out every record of the log in that folder that is not in its newest whole snapshot, behind those that are.
/// What ends torn is cut off, and on disk, before this returns: the next segment may be begun.
pub fn recover(folder: &Path, of: Of, each: &mut impl FnMut(Record)) -> Result<Recovered, RecoverError> {
    let begun = Stopwatch::start();
    let segments = folder::list(folder).map_err(failed("reading the folder", folder))?;
    let mut progress = Progress { begun, said: Duration::ZERO, of: segments.len(), segments: 0, records: 0 };
    let (mut recovered, until) = from_snapshot(folder, of, &segments, &mut |record| {
        progress.note();
        each(record);
    })?;
    let read_from = recovered.next;
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index + 1);
        if next.is_some_and(|next| next.first <= read_from) {
            continue;
        }
        let mut one = Reading::open(segment, of)?;
        if recovered.next < one.first() {
            return Err(gap(segment, recovered.next, one.first()));
        }
        let before = one.next_lsn();
        while one.next_lsn() < next.map_or(Lsn(u64::MAX), |next| next.first) {
            let Some((number, record)) = one.next() else { break };
            // What a snapshot holds already was read with it.
            if number >= read_from {
                progress.note();
                each(record);
                recovered.records += 1;
            }
        }
        debug_assert!(one.next_lsn() >= before);
        let end = one.end(next)?;
        recovered.next = recovered.next.max(end.next);
        recovered.segments += 1;
        recovered.bytes += end.at;
        recovered.torn += end.torn;
        progress.segments += 1;
    }
    if let (Some((path, _)), true) = (&recovered.snapshot, recovered.next < until) {
        let what = format!("its log has to reach number {}, and ends before {}", until.0, recovered.next.0);
        return Err(RecoverError::Damaged { path: path.clone(), at: 0, what });
    }
    remove_unfinished(folder).map_err(failed("removing what was left unfinished", folder))?;
    recovered.next = recovered.next.max(Lsn(1));
    recovered.took = begun.elapsed();
    Ok(recovered)
}

/// Removes the log and the snapshots of a folder: what is in them nobody vouches for any more.
pub fn discard(folder: &Path) -> io::Result<()> {
    for segment in folder::list(folder)? {
        std::fs::remove_file(&segment.path)?;
    }
    for named in snapshot::list(folder)? {
        std::fs::remove_file(&named.path)?;
    }
    folder::sync(folder)
}

/// Begins with the newest snapshot that is whole, if there is one: where the log is read on from, and how far it has to
/// reach.
fn from_snapshot(
    folder: &Path,
    of: Of,
    segments: &[Segment],
    each: &mut impl FnMut(Record),
) -> Result<(Recovered, Lsn), RecoverError> {
    let mut passed = |path: &Path, error: &snapshot::ReadError| {
        tracing::warn!(path = %path.display(), %error, "a snapshot is not whole, and is passed over");
    };
    let newest = snapshot::newest(folder, &mut passed).map_err(failed("reading the snapshots", folder))?;
    let Some(whole) = newest else {
        // Whatever stood before the first segment is nowhere else.
        return match segments.first() {
            Some(first) if first.first > Lsn(1) => Err(gap(first, Lsn(1), first.first)),
            _ => Ok((Recovered { next: Lsn(1), ..Recovered::default() }, Lsn(1))),
        };
    };
    let header = &whole.header;
    if (header.cluster, header.node) != (of.cluster, of.node) {
        return Err(foreign(&whole.path, header.cluster == of.cluster, header.node.0));
    }
    let mut records = 0;
    let read = snapshot::read(&whole.path, &mut |record| {
        records += 1;
        each(record);
    });
    read.map_err(|error| RecoverError::Damaged { path: whole.path.clone(), at: 0, what: error.to_string() })?;
    let first = header.first;
    Ok((Recovered { next: first, snapshot: Some((whole.path, records)), ..Recovered::default() }, whole.footer.until))
}

/// One segment as it is read.
struct Reading<'a> {
    segment: &'a Segment,
    scan: Scan,
}

/// Where a segment ends.
struct Ended {
    at: u64,
    next: Lsn,
    torn: u64,
}

impl<'a> Reading<'a> {
    fn open(segment: &'a Segment, of: Of) -> Result<Reading<'a>, RecoverError> {
        let bytes = std::fs::read(&segment.path).map_err(failed("reading", &segment.path))?;
        let damaged = |what: String| RecoverError::Damaged { path: segment.path.clone(), at: 0, what };
        let scan = Scan::new(Bytes::from(bytes)).map_err(|error| damaged(error.to_string()))?;
        let Header { cluster, node, first, .. } = *scan.header();
        if (cluster, node) != (of.cluster, of.node) {
            return Err(foreign(&segment.path, cluster == of.cluster, node.0));
        }
        if first != segment.first {
            return Err(damaged(format!("it begins with number {}, and its name says {}", first.0, segment.first.0)));
        }
        Ok(Reading { segment, scan })
    }

    fn first(&self) -> Lsn {
        self.scan.header().first
    }

    fn next_lsn(&self) -> Lsn {
        self.scan.next_lsn()
    }

    fn next(&mut self) -> Option<(Lsn, Record)> {
        self.scan.next().map(|(_, number, record)| (number, record))
    }

    /// How it ends. What stands behind the number that the next segment begins with could not be synced once, and was
    /// written again there.
    fn end(&self, next: Option<&Segment>) -> Result<Ended, RecoverError> {
        let path = &self.segment.path;
        let ended = |at: u64, torn: u64| Ended { at, next: self.next_lsn(), torn };
        if next.is_some_and(|next| next.first <= self.next_lsn()) {
            return Ok(ended(self.scan.at(), 0));
        }
        let damaged = |at: u64, what: String| RecoverError::Damaged { path: path.clone(), at, what };
        match (self.scan.end(), next) {
            (Some(End::Damaged { at, flaw, .. }), _) => {
                Err(damaged(at, format!("record {}: {flaw}", self.next_lsn().0)))
            }
            (Some(End::Torn { at, flaw, .. }), Some(next)) => {
                let what = format!(
                    "record {}: {flaw}; it had been synced before {} was begun",
                    self.next_lsn().0,
                    next.path.display()
                );
                Err(damaged(at, what))
            }
            (Some(End::Whole { at }), Some(next)) => {
                let what = format!(
                    "it ends before number {}, and {} begins with {}",
                    self.next_lsn().0,
                    next.path.display(),
                    next.first.0
                );
                Err(damaged(at, what))
            }
            (Some(End::Torn { at, flaw, bytes }), None) => {
                tracing::warn!(path = %path.display(), at, bytes, %flaw, record = self.next_lsn().0,
                    "the log ends with what was never synced: it is cut off there");
                cut(path, at).map_err(failed("cutting", path))?;
                Ok(ended(at, bytes))
            }
            (Some(End::Whole { at }), None) => {
                cut(path, at).map_err(failed("cutting", path))?;
                Ok(ended(at, 0))
            }
            (None, _) => Ok(ended(self.scan.at(), 0)),
        }
    }
}

/// What was read of the file may be in the system's memory only: the next segment says that all of it is on disk.
fn cut(path: &Path, at: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let unfinished = name.to_str().and_then(|name| name.strip_suffix(folder::UNFINISHED));
        if unfinished.and_then(folder::number_in).is_some() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Says how far it is, once in a while.
struct Progress {
    begun: Stopwatch,
    said: Duration,
    of: usize,
    segments: usize,
    records: u64,
}

impl Progress {
    /// A record has been read.
    fn note(&mut self) {
        self.records += 1;
        // The clock costs more than a record.
        if self.records.is_multiple_of(1 << 14) && self.begun.elapsed() >= self.said + EVERY {
            self.said = self.begun.elapsed();
            tracing::info!(records = self.records, segments = self.segments, of = self.of, "reading the log");
        }
    }
}

const EVERY: Duration = Duration::from_secs(2);

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    let path = path.to_owned();
    move |source| RecoverError::Io { doing, path, source }
}

fn gap(segment: &Segment, expected: Lsn, found: Lsn) -> RecoverError {
    let what = match expected.0 {
        ..=1 => format!("the log begins here with number {}, and no whole snapshot holds what was before", found.0),
        expected => {
            format!("the log goes on here with number {}, and what is before it ends with {}", found.0, expected - 1)
        }
    };
    RecoverError::Damaged { path: segment.path.clone(), at: 0, what }
}

fn foreign(path: &Path, same_cluster: bool, node: u16) -> RecoverError {
    let whose = match same_cluster {
        true => format!("node number {node} of this cluster wrote it, which is not this node"),
        false => "a node of another cluster wrote it, or one of another number of copies or points".to_owned(),
    };
    RecoverError::Foreign { path: path.to_owned(), same_cluster, whose }
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoverError::Io { doing, path, source } => {
                write!(f, "the log cannot be read: {doing} {}: {source}", path.display())
            }
            RecoverError::Damaged { path, at, what } => {
                let folder = path.parent().unwrap_or(path).display();
                write!(f, "the log is damaged: {}, byte {at}: {what}. ", path.display())?;
                write!(
                    f,
                    "Either `vitrine check --repair {folder}` cuts it off there and says what is lost by that; or "
                )?;
                f.write_str("start with an empty folder: what other members have copies of comes back from them")
            }
            RecoverError::Foreign { path, whose, .. } => write!(
                f,
                "the log is not this node's: {}: {whose}; give this node a folder of its own with --data, or move what \
                 is there away",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RecoverError {}
