//! Whether a log that is not synced was cut short: by a machine that went down since it was written.
//!
//! What a process has written stays in the system's memory when the process ends, however it ends. A log that was
//! written without syncs is whole after that, and after a power cut it is that of any earlier moment. Its bytes do not
//! say which it is. So a file beside it names the start of the system under which it is written, for as long as not
//! all of it is on disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vitrine_engine::record::Fsync;

use super::folder;
use crate::durable;

/// The file of one folder, and the start of the system that runs now.
#[derive(Clone, Debug)]
pub struct Unsynced {
    path: PathBuf,
    boot: Option<String>,
}

impl Unsynced {
    /// The one of that folder. `boot` names the start of the system that runs now; `None` where it does not say.
    pub fn of(folder: &Path, boot: Option<String>) -> Unsynced {
        Unsynced { path: folder.join(FILE), boot }
    }

    /// Was the log written without syncs, and has the machine gone down since, as far as can be told? Then nobody knows
    /// what is missing of it.
    pub fn is_cut_short(&self) -> io::Result<bool> {
        match fs::read(&self.path) {
            Ok(said) => Ok(self.boot.as_ref().is_none_or(|boot| said != print(boot).as_bytes())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The log that was read is written on. When this returns, what the file says holds for both.
    pub fn begin(&self, fsync: Fsync) -> io::Result<()> {
        if fsync == Fsync::Never {
            return durable::replace(&self.path, print(self.boot.as_deref().unwrap_or_default()).as_bytes());
        }
        // What is synced from now on stands on what was not.
        self.end()
    }

    /// The log comes to its end, or to where it is synced as it is written: when this returns all of it is on disk.
    pub fn end(&self) -> io::Result<()> {
        if !fs::exists(&self.path)? {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        for segment in folder::list(folder)? {
            File::open(&segment.path)?.sync_all()?;
        }
        folder::sync(folder)?;
        fs::remove_file(&self.path)?;
        folder::sync(folder)
    }
}

/// What names the start of the system that runs now, where it has such a name.
pub fn boot() -> Option<String> {
    let said = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(said.trim().to_owned()).filter(|boot| !boot.is_empty())
}

fn print(boot: &str) -> String {
    format!("{HEADING}\nboot {boot}\n")
}

const HEADING: &str = "vitrine log without syncs 1";
/// Its name begins with a dot, which that of no segment and no snapshot does.
const FILE: &str = ".log.unsynced";
