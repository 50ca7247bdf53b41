//! Reading the log when a node starts: the newest snapshot, then the segments behind it in their order. A torn tail is
//! cut off; damage is refused, with the two ways on.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use indicatif::ProgressBar;
use vitrine_engine::codec::wal::{Header, Refused, Scan, Start, Tail};
use vitrine_engine::id::Lsn;
use vitrine_engine::record::Record;

use super::folder::{self, Segment};
use crate::load::Stopwatch;
use crate::progress;
use crate::snapshot::{self, Named, Of};

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
    /// A later version of Vitrine wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// Which formats there are.
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
    let recovered = read(folder, &mut Some(of), true, each)?;
    remove_unfinished(folder).map_err(failed("removing what was left unfinished", folder))?;
    Ok(recovered)
}

/// The same for somebody who is not that node, whichever it is: nothing in the folder is changed.
pub fn look(folder: &Path, each: &mut impl FnMut(Record)) -> Result<Recovered, RecoverError> {
    read(folder, &mut None, false, each)
}

/// `of` is whose log it is, and that of the first file where nobody says.
fn read(
    folder: &Path,
    of: &mut Option<Of>,
    cuts: bool,
    each: &mut impl FnMut(Record),
) -> Result<Recovered, RecoverError> {
    let begun = Stopwatch::start();
    let segments = folder::list(folder).map_err(failed("reading the folder", folder))?;
    let mut progress = Progress::of(folder, &segments).map_err(failed("reading the folder", folder))?;
    let mut recovered = Recovered::default();
    let mut start = from_snapshot(folder, of, &mut recovered, &mut progress, each)?;
    for (index, segment) in segments.iter().enumerate() {
        let follows = segments.get(index + 1).map(|next| next.first);
        progress.file(&segment.path);
        if start.passes(follows) {
            continue;
        }
        start.begins(segment.first).map_err(refused(&segment.path))?;
        let mut scan = opened(segment, of)?;
        while scan.next_lsn() < follows.unwrap_or(Lsn(u64::MAX)) {
            let Some((_, number, record)) = scan.next() else { break };
            if start.takes(number) {
                progress.note(LOG, scan.at());
                each(record);
                recovered.records += 1;
            }
        }
        let tail = start.ends(&scan, follows).map_err(refused(&segment.path))?;
        if tail.is_last && cuts {
            progress.clear();
            cut(&segment.path, &tail, scan.next_lsn()).map_err(failed("cutting", &segment.path))?;
        }
        recovered.segments += 1;
        recovered.bytes += tail.at;
        recovered.torn += tail.torn;
    }
    let of_all = recovered.snapshot.as_ref().map_or(folder, |(path, _)| path);
    recovered.next = start.end().map_err(refused(of_all))?;
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

/// Begins with the newest snapshot that is whole, if there is one.
fn from_snapshot(
    folder: &Path,
    of: &mut Option<Of>,
    recovered: &mut Recovered,
    progress: &mut Progress,
    each: &mut impl FnMut(Record),
) -> Result<Start, RecoverError> {
    // How far the log had come before the newest that is not whole had its name.
    let mut reached = Lsn(1);
    let mut passed = |named: &Named, error: snapshot::ReadError| {
        let path = &named.path;
        // What is older is no way around it: a start would begin to write over what the later version knows.
        if error.is_newer() {
            return Err(Stop::Newer(path.to_owned(), error));
        }
        reached = reached.max(named.first);
        tracing::warn!(path = %path.display(), %error, "a snapshot is not whole, and is passed over");
        Ok(())
    };
    let newest = snapshot::newest(folder, &mut passed, &mut |at| progress.note("checking the snapshot", at));
    let Some(whole) = newest.map_err(|stop| match stop {
        Stop::Newer(path, error) => RecoverError::Newer { path, what: error.to_string() },
        Stop::Io(error) => failed("reading the snapshots", folder)(error),
    })?
    else {
        return Ok(Start::with(None).reaches(reached));
    };
    let header = &whole.header;
    belongs(&whole.path, of, Of { cluster: header.cluster, node: header.node })?;
    let mut records = 0;
    progress.file(&whole.path);
    let read = snapshot::read(&whole.path, &mut |block, at| {
        records += block.len() as u64;
        progress.note("reading the snapshot", at);
        block.into_iter().for_each(&mut *each);
    });
    read.map_err(|error| RecoverError::Damaged { path: whole.path.clone(), at: 0, what: error.to_string() })?;
    let start = Start::with(Some((header.first, whole.footer.until))).reaches(reached);
    recovered.snapshot = Some((whole.path, records));
    Ok(start)
}

fn opened(segment: &Segment, of: &mut Option<Of>) -> Result<Scan, RecoverError> {
    let bytes = std::fs::read(&segment.path).map_err(failed("reading", &segment.path))?;
    let damaged = |what: String| RecoverError::Damaged { path: segment.path.clone(), at: 0, what };
    let scan = Scan::new(Bytes::from(bytes)).map_err(|error| match error.is_newer() {
        true => RecoverError::Newer { path: segment.path.clone(), what: error.to_string() },
        false => damaged(error.to_string()),
    })?;
    let Header { cluster, node, first, .. } = *scan.header();
    belongs(&segment.path, of, Of { cluster, node })?;
    if first != segment.first {
        return Err(damaged(format!("it begins with number {}, and its name says {}", first.0, segment.first.0)));
    }
    Ok(scan)
}

/// What was read of the file may be in the system's memory only: the next segment says that all of it is on disk.
fn cut(path: &Path, tail: &Tail, next: Lsn) -> io::Result<()> {
    if let Tail { cut: Some(flaw), at, torn, .. } = tail {
        tracing::warn!(path = %path.display(), at, bytes = torn, %flaw, record = next.0,
            "the log ends with what was never synced: it is cut off there");
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(tail.at)?;
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

/// Why no snapshot is begun with, nor any that is older.
enum Stop {
    Newer(PathBuf, snapshot::ReadError),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

/// Says how far it is: a bar on a terminal, once it takes longer than a moment; a line of the log elsewhere, now and
/// then.
struct Progress {
    begun: Stopwatch,
    said: Duration,
    bar: Option<ProgressBar>,
    /// Bytes of all files, each snapshot once to know that it is whole and once more to read it.
    of: u64,
    /// Bytes of the files before this one.
    before: u64,
    /// Where the files begin, by their paths.
    files: Vec<(PathBuf, u64)>,
    calls: u64,
}

impl Progress {
    fn of(folder: &Path, segments: &[Segment]) -> io::Result<Progress> {
        let snapshots = snapshot::list(folder)?.into_iter().map(|named| named.path);
        let checked: Vec<PathBuf> = snapshots.take(1).collect();
        let read = checked.iter().cloned().chain(segments.iter().map(|segment| segment.path.clone()));
        let length = |path: &PathBuf| std::fs::metadata(path).map(|about| about.len());
        let mut of = checked.iter().map(length).sum::<io::Result<u64>>()?;
        let mut files = Vec::new();
        for path in read {
            let bytes = length(&path)?;
            files.push((path, of));
            of += bytes;
        }
        let begun = Stopwatch::start();
        Ok(Progress { begun, said: Duration::ZERO, bar: None, of, before: 0, files, calls: 0 })
    }

    /// That file is read from here on.
    fn file(&mut self, path: &Path) {
        self.before = self.files.iter().find(|(file, _)| file == path).map_or(self.before, |(_, begins)| *begins);
    }

    /// What is printed next has the line for itself.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// So many bytes of the file have been read.
    fn note(&mut self, doing: &'static str, at: u64) {
        self.calls += 1;
        // The clock costs more than a record. A block of a snapshot has thousands.
        if doing == LOG && !self.calls.is_multiple_of(1 << 12) {
            return;
        }
        let (now, done) = (self.begun.elapsed(), (self.before + at).min(self.of));
        if std::io::stderr().is_terminal() {
            if now >= MOMENT {
                let bar = self.bar.get_or_insert_with(|| progress::bar(self.of));
                bar.set_message(doing);
                bar.set_position(done);
            }
        } else if now >= self.said + EVERY {
            self.said = now;
            tracing::info!(percent = 100 * done / self.of.max(1), of_bytes = self.of, "{doing}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

const LOG: &str = "reading the log";
const EVERY: Duration = Duration::from_secs(2);
/// What takes no longer than this shows no bar.
const MOMENT: Duration = Duration::from_millis(300);

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    let path = path.to_owned();
    move |source| RecoverError::Io { doing, path, source }
}

fn refused(path: &Path) -> impl FnOnce(Refused) -> RecoverError {
    move |refused| {
        let at = match refused {
            Refused::Damaged { at, .. } | Refused::Short { at, .. } => at,
            Refused::Gap { .. } | Refused::Behind { .. } => 0,
        };
        RecoverError::Damaged { path: path.to_owned(), at, what: refused.to_string() }
    }
}

/// Is a file whose it is to be?
fn belongs(path: &Path, of: &mut Option<Of>, found: Of) -> Result<(), RecoverError> {
    let of = *of.get_or_insert(found);
    if of == found {
        return Ok(());
    }
    let (same_cluster, node) = (of.cluster == found.cluster, found.node.0);
    let whose = match same_cluster {
        true => format!("node number {node} of this cluster wrote it, which is not this node"),
        false => "a node of another cluster wrote it, or one of another number of copies or points".to_owned(),
    };
    Err(RecoverError::Foreign { path: path.to_owned(), same_cluster, whose })
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
            RecoverError::Newer { path, what } => write!(
                f,
                "{}: {what}. It is left as it is: start the version that wrote it, or give this one an empty folder \
                 with --data, which other members fill with what they have copies of",
                path.display()
            ),
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
