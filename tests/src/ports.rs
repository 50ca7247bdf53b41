//! Ports for the nodes of tests: nobody else on this machine is given them while the program of tests runs.
//!
//! A port that was found free, let go, and bound by a node a moment later may be somebody else's by then; and a node
//! that is down needs its own again. So each program claims ranges, as many as it needs, by locking a file for each:
//! the system unlocks it when the program ends, however it ends. All ranges lie below those that the system gives to
//! connections and to whoever asks for any port.
//!
//! Without anything of this crate in it: `native/tests` reads this file as well.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// So many ports, one after the other, that no other call is given: in this process, and while it runs in any other.
pub fn claim(count: u16) -> Vec<u16> {
    static CLAIMED: Mutex<Claimed> = Mutex::new(Claimed { locks: Vec::new(), next: 0, end: 0 });
    // A test that failed in here left it whole.
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    claimed.row(count, &std::env::temp_dir(), is_free)
}

/// What this process may give away.
struct Claimed {
    /// Of every range that it has, until it ends.
    locks: Vec<File>,
    /// What is left of the last one.
    next: u16,
    end: u16,
}

const FIRST: u16 = 20_000;
const RANGE: u16 = 100;
const RANGES: u16 = 120;

impl Claimed {
    fn row(&mut self, count: u16, folder: &Path, is_free: impl Fn(u16) -> bool) -> Vec<u16> {
        assert!(count <= RANGE, "{count} ports in a row are more than a range has");
        loop {
            if self.end - self.next < count {
                self.another(folder);
            }
            let row = self.next..self.next + count;
            // Somebody who knows nothing of these ranges may have one.
            match row.clone().rfind(|port| !is_free(*port)) {
                Some(taken) => self.next = taken + 1,
                None => {
                    self.next = row.end;
                    return row.collect();
                }
            }
        }
    }

    fn another(&mut self, folder: &Path) {
        let begin = std::process::id() as u16 % RANGES;
        let mut all = (0..RANGES).map(|step| FIRST + (begin + step) % RANGES * RANGE);
        let locked = all.find_map(|first| Some((first, lock(&folder.join(format!("vitrine-ports-{first}")))?)));
        let (first, file) = locked.expect("a range of ports that no other tests have");
        self.locks.push(file);
        (self.next, self.end) = (first, first + RANGE);
    }
}

/// The file, locked, unless somebody has locked it.
fn lock(path: &Path) -> Option<File> {
    // One that another user made can be read.
    let file = File::open(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => File::options().create(true).append(true).open(path),
        _ => Err(error),
    });
    let file = file.unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display()));
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => panic!("{} cannot be locked: {error}", path.display()),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn nobody_is_given_what_another_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let another = || Claimed { locks: Vec::new(), next: 0, end: 0 };
    // As two programs would: the lock is the open file's, and not the process's.
    let (mut one, mut other) = (another(), another());
    let mut given = std::collections::BTreeSet::new();
    for count in [1, 6, 60, 60, 100, 3] {
        for claimed in [&mut one, &mut other] {
            let row = claimed.row(count, folder.path(), |port| port % 10 != 7 || count > 9);
            assert_eq!(row.len(), usize::from(count));
            assert!(row.is_sorted() && row[row.len() - 1] - row[0] == count - 1, "one after the other: {row:?}");
            assert!(row.iter().all(|port| given.insert(*port)), "given twice: {row:?}");
            assert!(count > 9 || row.iter().all(|port| port % 10 != 7), "somebody has one of them: {row:?}");
        }
    }
    let had = one.locks.len() + other.locks.len();
    assert!(had > 2 && given.iter().all(|port| (20_000..32_000).contains(port)));
    // Who ends leaves its ranges to others.
    drop(one);
    let mut third = another();
    (0..RANGES - other.locks.len() as u16).for_each(|_| drop(third.row(RANGE, folder.path(), |_| true)));
}
