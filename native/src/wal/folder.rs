//! The folder of a log: who holds it, and which of its files are segments.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use vitrine_engine::codec::wal::droppable;
use vitrine_engine::id::Lsn;

/// A folder that no other process writes to. It is given back when this value goes, or the process.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// Why a folder cannot be had.
#[derive(Debug)]
pub enum HoldError {
    /// Another process has it.
    Taken {
        /// The folder.
        folder: PathBuf,
        /// What that one said of itself: its name and its process.
        by: String,
    },
    /// The system refuses.
    Io {
        /// The file that says who holds it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file that has the name of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is.
    pub path: PathBuf,
    /// The number of its first record, as its name says.
    pub first: Lsn,
}

/// Makes this process the one that writes to the folder. `name` is what others are told.
pub fn hold(folder: &Path, name: &str) -> Result<Held, HoldError> {
    let path = folder.join(LOCK);
    let failed = |source| HoldError::Io { path: path.clone(), source };
    let mut lock =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut said = Vec::new();
            // What another program has put there is not repeated without end.
            lock.take(LONGEST_NAME).read_to_end(&mut said).map_err(failed)?;
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            let by = if said.is_empty() { "another process".to_owned() } else { said };
            return Err(HoldError::Taken { folder: folder.to_owned(), by });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let write = |lock: &mut File| {
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "node {name}, process {}", std::process::id())
    };
    // Only what others are told: on a full disk it is missing.
    let _ = write(&mut lock);
    Ok(Held { _lock: lock })
}

/// The name of the segment whose first record has that number.
pub fn file_name(first: Lsn) -> String {
    format!("{PREFIX}{:020}{SUFFIX}", first.0)
}

/// The number in such a name.
pub fn number_in(name: &str) -> Option<Lsn> {
    let number = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok().map(Lsn)?;
    (file_name(number) == name).then_some(number)
}

/// All segments of a folder, in the order in which they were written.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(number_in) {
            all.push(Segment { path: entry.path(), first });
        }
    }
    all.sort_by_key(|segment| segment.first);
    Ok(all)
}

/// Removes the segments all of whose records are below that number, the oldest first, and never the last one: how many
/// went. What stands in a snapshot need not stand in the log as well.
pub fn drop_below(folder: &Path, first: Lsn) -> io::Result<u64> {
    let all = list(folder)?;
    let firsts: Vec<Lsn> = all.iter().map(|segment| segment.first).collect();
    let dropped = droppable(&firsts, first);
    all[..dropped].iter().try_for_each(|segment| std::fs::remove_file(&segment.path))?;
    Ok(dropped as u64)
}

/// Puts the names in a folder on disk.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

const PREFIX: &str = "wal-";
const SUFFIX: &str = ".log";
/// Behind the name of a segment that is being begun.
pub const UNFINISHED: &str = ".new";
const LOCK: &str = ".log.lock";
const LONGEST_NAME: u64 = 512;

impl fmt::Display for HoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldError::Taken { folder, by } => write!(f, "the folder {} is in use by {by}", folder.display()),
            HoldError::Io { path, source } => write!(f, "{} cannot be locked: {source}", path.display()),
        }
    }
}

impl std::error::Error for HoldError {}
