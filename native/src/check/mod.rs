//! What a file of a node holds, and exactly what is wrong with it: segments of the log, snapshots, `cache.json`.
//!
//! Nothing is changed here except by [`repair::repair`], which keeps what it cuts off.

mod contents;
mod file;
pub mod repair;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;
use vitrine_engine::id::Lsn;

pub use contents::Contents;
pub use file::inspect;

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it is.
    pub file: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// How it ends.
    pub state: State,
    /// Its size.
    pub bytes: u64,
    /// Bytes at its end that were never written: room that was set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
    /// What it says of itself; not of `cache.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Head>,
    /// Its numbers in the log: of a segment its first and the one after its last; of a snapshot the one that the log
    /// is read from, and how far it has to reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<[u64; 2]>,
    /// What was read of it.
    pub contents: Contents,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A part of the log.
    LogSegment,
    /// A snapshot in the binary form.
    Snapshot,
    /// A snapshot in the readable form.
    CacheJson,
    /// None of them.
    Unknown,
}

/// How a file ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// As it should.
    Whole,
    /// With a record of the log that was never synced: a start cuts it off, and nobody was told of it.
    TornTail {
        /// The byte where it begins.
        at: u64,
        /// Bytes from there on.
        bytes: u64,
        /// What is wrong with it.
        what: String,
    },
    /// It is not read: a later version of Vitrine wrote it.
    Newer {
        /// Which formats there are.
        what: String,
    },
    /// With something that is not as it was written.
    Damaged {
        /// The byte where it begins; `None` for a file that is text.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// What is wrong with it.
        what: String,
    },
}

/// What a log or a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The version of its format.
    pub format: u8,
    /// The tag of the cluster.
    pub cluster: u64,
    /// The node that wrote it.
    pub node: u16,
    /// When it was begun, Unix ms.
    pub begun_unix_ms: u64,
}

impl Report {
    /// True when a start would refuse it or pass it over.
    pub fn is_damaged(&self) -> bool {
        matches!(self.state, State::Damaged { .. })
    }

    /// True when a later version of Vitrine wrote it: nobody here knows what is in it, or behind it.
    pub fn is_newer(&self) -> bool {
        matches!(self.state, State::Newer { .. })
    }
}

/// All files of a node in a folder, in the order in which a start reads them; or the one file.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What was set aside, or is being written, is nothing that a start looks at.
        let ours = [".log", ".vitrine", ".json"].iter().any(|end| name.ends_with(end)) && !name.starts_with('.');
        if ours && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    // Their names have their numbers with all digits.
    files.sort();
    Ok(files)
}

/// Reads the files of one folder, and holds them to each other: the log has no gap, only its last segment may have a
/// torn tail, and it goes on from the newest snapshot that is whole. Not where one of them is of a later version.
pub fn inspect_all(paths: &[PathBuf], bar: &ProgressBar) -> io::Result<Vec<Report>> {
    let mut reports = paths.iter().map(|path| inspect(path, bar)).collect::<io::Result<Vec<_>>>()?;
    if reports.iter().any(Report::is_newer) {
        return Ok(reports);
    }
    let mut segments: Vec<usize> =
        (0..reports.len()).filter(|index| reports[*index].kind == Kind::LogSegment).collect();
    segments.sort_by_key(|index| reports[*index].numbers);
    for pair in segments.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(|index| reports[index].clone());
        let ([_, end], [first, _]) = (before.numbers.unwrap_or_default(), after.numbers.unwrap_or_default());
        if let State::TornTail { at, what, .. } = before.state {
            let what = format!("{what}; it had been synced, as {} goes on after it", after.file.display());
            reports[pair[0]].state = State::Damaged { at: Some(at), what };
        } else if before.state == State::Whole && after.numbers.is_some() && end != first {
            let what = format!("it begins with number {first}, and {} ends before {end}", before.file.display());
            reports[pair[1]].state = State::Damaged { at: Some(0), what };
        }
    }
    let ends = |index: &usize| reports[*index].numbers;
    let (log_first, log_end) =
        (segments.first().and_then(ends).map(|n| n[0]), segments.last().and_then(ends).map(|n| n[1]));
    let snapshot = |report: &Report| report.kind == Kind::Snapshot && report.state == State::Whole;
    let newest = reports.iter().filter(|report| snapshot(report)).max_by_key(|report| report.numbers).cloned();
    let first = newest.as_ref().and_then(|report| report.numbers).map_or(Lsn(1).0, |numbers| numbers[0]);
    if let Some(begins) = log_first.filter(|begins| *begins > first) {
        let what = match &newest {
            Some(newest) => {
                format!("the log begins with it, number {begins}, and {} needs {first}", newest.file.display())
            }
            None => {
                format!("the log begins with it, number {begins}, and no whole snapshot is here that it goes on from")
            }
        };
        reports[segments[0]].state = State::Damaged { at: Some(0), what };
    }
    let short = newest.zip(log_end).and_then(|(newest, end)| {
        let [_, until] = newest.numbers?;
        (end < until).then(|| (newest.file, format!("its log has to reach number {until}, and ends before {end}")))
    });
    if let Some((file, what)) = short
        && let Some(report) = reports.iter_mut().find(|report| report.file == file)
    {
        report.state = State::Damaged { at: None, what };
    }
    Ok(reports)
}
