//! The version floor: a promise on disk that no version above it has been given.
//!
//! Its name begins with a dot, which that of no snapshot does.
//!
//! Versions live in memory, and a node that restarts with its clock set back could give one a second time. So a node
//! with a folder for data writes down, ahead of time, how far it may go, and starts above that. What is missing of the
//! file, or cannot be written, costs availability nothing: the node says so, and goes on with what it has in memory.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vitrine_engine::clock::{FLOOR_AHEAD, next_floor};
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::limits;
use vitrine_engine::time::UnixMs;

use crate::durable;

/// The file of one node.
#[derive(Clone, Debug)]
pub struct VersionFloor {
    path: PathBuf,
    floor: Version,
}

/// Why a floor cannot be used. Nothing was changed.
#[derive(Debug)]
pub enum FloorError {
    /// The file is there and cannot be read or understood.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It lies further ahead of this machine's clock than any node would believe.
    Ahead {
        /// The file.
        path: PathBuf,
        /// How far.
        by: Duration,
    },
}

const HEADING: &str = "vitrine version floor 1";
/// No such file is longer.
const LONGEST: u64 = 256;

impl VersionFloor {
    /// The floor of the node of that name, as its earlier self left it; [`Version::ZERO`] when there is none.
    pub fn read(folder: &Path, node: &str, now: UnixMs) -> Result<VersionFloor, FloorError> {
        let path = folder.join(format!(".{node}.version-floor"));
        let unreadable = |why: String| FloorError::Unreadable { path: path.clone(), why };
        let floor = match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Version::ZERO,
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(metadata) if metadata.len() > LONGEST => return Err(unreadable("it is too long".to_owned())),
            Ok(_) => {
                let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
                parse(&text).ok_or_else(|| unreadable("it is not what was written".to_owned()))?
            }
        };
        let by = floor.unix().since(now);
        if by > limits::MAX_CLOCK_AHEAD + FLOOR_AHEAD[0] {
            return Err(FloorError::Ahead { path, by });
        }
        Ok(VersionFloor { path, floor })
    }

    /// The floor: every version that was ever given is at most this one.
    pub fn version(&self) -> Version {
        self.floor
    }

    /// The floor to write next, when versions have come as far as that: `None` while more than half of it is left.
    pub fn next(&self, now: UnixMs, latest: Version) -> Option<Version> {
        next_floor(self.floor, now, latest)
    }

    /// Puts a higher floor on disk. When this returns, it is there also after a power cut.
    pub fn write(&mut self, floor: Version) -> io::Result<()> {
        durable::replace(&self.path, print(floor).as_bytes())?;
        self.floor = floor;
        Ok(())
    }
}

fn print(floor: Version) -> String {
    format!("{HEADING}\n{:016x}\n", floor.stamp)
}

fn parse(text: &str) -> Option<Version> {
    let digits = text.strip_prefix(HEADING)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let stamp = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16)?;
    let floor = Version { stamp, node: NodeId(u16::MAX) };
    (print(floor) == text).then_some(floor)
}

impl fmt::Display for FloorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FloorError::Unreadable { path, why } => {
                write!(f, "the version floor {} cannot be used: {why}; ", path.display())?;
                f.write_str("if this machine's clock is right, remove the file")
            }
            FloorError::Ahead { path, by } => {
                write!(
                    f,
                    "the version floor {} lies {} s ahead of this machine's clock; ",
                    path.display(),
                    by.as_secs()
                )?;
                f.write_str("set the clock, or, if it was wrong before and is right now, remove the file")
            }
        }
    }
}

impl std::error::Error for FloorError {}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    #[test]
    fn a_floor_is_found_again_and_lies_ahead() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = || VersionFloor::read(folder.path(), "n1", NOW);
        let mut floor = read().expect("none yet");
        assert_eq!(floor.version(), Version::ZERO);
        let latest = Version::new(NOW, 7, NodeId(1));
        let next = floor.next(NOW, latest).expect("nothing is written yet");
        assert!(next.unix().since(NOW) == FLOOR_AHEAD[0] && next > latest);
        floor.write(next).expect("written");
        assert_eq!(read().expect("a floor").version(), next);
        // It is written again only when half of it is used up.
        let later = |ms| NOW.checked_add(Duration::from_millis(ms)).expect("a time");
        let version = |ms| Version::new(later(ms), 0, NodeId(1));
        assert_eq!(floor.next(later(4_900), version(4_900)), None);
        assert!(floor.next(later(5_100), version(5_100)).is_some_and(|higher| higher > next));
        assert_eq!(floor.next(NOW, version(9_900)), None);
        // A node that starts and starts again, each time above what it may have given.
        assert_eq!(floor.next(NOW, next).map(|higher| higher.unix()), Some(later(10_100)));
        assert_eq!(VersionFloor::read(folder.path(), "n2", NOW).expect("another's").version(), Version::ZERO);
    }

    #[test]
    fn a_floor_that_cannot_be_is_refused_with_a_way_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |text: &str, expected: &str| {
            std::fs::write(folder.path().join(".n1.version-floor"), text).expect("written");
            let error = VersionFloor::read(folder.path(), "n1", NOW).expect_err(text).to_string();
            assert!(error.contains(expected) && error.contains("remove the file"), "{text:?}: {error}");
        };
        for bad in ["", "vitrine version floor 1\n", "vitrine version floor 2\n0000000000000000\n", "{}"] {
            check(bad, "it is not what was written");
        }
        check("vitrine version floor 1\n+00000000000000f\n", "it is not what was written");
        check("vitrine version floor 1\n00000000000000\n", "it is not what was written");
        check(&"x".repeat(300), "it is too long");
        let ahead = NOW.checked_add(Duration::from_secs(36_000)).expect("a time");
        check(&print(Version::new(ahead, 0, NodeId(1))), "lies 36000 s ahead of this machine's clock");
    }
}
