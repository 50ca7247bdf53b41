//! Snapshots on disk: taken while the node serves, found again when it starts. `docs/snapshots.md` says why what is
//! found is a state that was there.
//!
//! A file has its name only when it is whole and on disk, and the log with it as far as the file goes. The one before
//! it is kept until then.

mod read;
mod schedule;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use vitrine_engine::id::Lsn;

pub use read::{ReadError, Reading, Whole, newest, read, whole};
pub use schedule::{Running, Schedule, ScheduleConfig};
pub use write::{Of, TakeError, Taken, take};

/// What a snapshot needs of the log that it stands in.
pub trait Log {
    /// The number that the next record has. A change that was made under a stripe's lock has its number when that lock
    /// is given back.
    fn next(&self) -> Lsn;

    /// Waits until all that has a number is on disk.
    fn sync(&self) -> io::Result<()>;
}

/// A file that has the name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is.
    pub path: PathBuf,
    /// The number from which on the log is read over it, as its name says.
    pub first: Lsn,
}

/// The name of the snapshot that the log goes on from at that number.
pub fn file_name(first: Lsn) -> String {
    format!("{PREFIX}{:020}{SUFFIX}", first.0)
}

/// The number in such a name.
pub fn number_in(name: &str) -> Option<Lsn> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let number = digits.parse().ok().map(Lsn)?;
    (file_name(number) == name).then_some(number)
}

/// All snapshots in a folder, the newest first. One that does not exist has none.
pub fn list(folder: &Path) -> io::Result<Vec<Named>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(number_in) {
            all.push(Named { path: entry.path(), first });
        }
    }
    all.sort_by_key(|named| std::cmp::Reverse(named.first));
    Ok(all)
}

/// Removes all that are older than that one, and what snapshots left that did not come to an end. How many went.
pub fn drop_below(folder: &Path, first: Lsn) -> io::Result<u64> {
    let mut dropped = 0;
    for named in list(folder)?.into_iter().filter(|named| named.first < first) {
        std::fs::remove_file(&named.path)?;
        dropped += 1;
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let unfinished = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(UNFINISHED));
        if unfinished {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(dropped)
}

const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".vitrine";
/// Behind the name of one that is being written.
const UNFINISHED: &str = ".new";

#[cfg(test)]
mod tests;
