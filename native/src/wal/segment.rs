//! One segment as it is written: a file that gets its name once its header is on disk, with room set aside ahead.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use vitrine_engine::codec::wal::{HEADER, Header, put_header};

use super::folder::{self, UNFINISHED, file_name};

/// The segment that is being written.
#[derive(Debug)]
pub struct Writing {
    file: File,
    path: PathBuf,
    salt: u64,
    /// The byte behind the last record, and that up to which all is on disk.
    at: u64,
    synced: u64,
}

impl Writing {
    /// Begins a segment. It takes the place of one of the same name, which holds nothing that was synced. When this
    /// returns, a crash leaves it there.
    pub fn begin(in_folder: &Path, header: &Header, room: u64) -> io::Result<Writing> {
        let path = in_folder.join(file_name(header.first));
        let temporary = in_folder.join(format!("{}{UNFINISHED}", file_name(header.first)));
        let begin = || {
            let mut file = File::create(&temporary)?;
            set_aside(&file, room);
            let mut bytes = Vec::with_capacity(HEADER);
            put_header(header, &mut bytes);
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            folder::sync(in_folder)?;
            Ok(file)
        };
        match begin() {
            Ok(file) => {
                let at = HEADER as u64;
                Ok(Writing { file, path: path.clone(), salt: header.salt, at, synced: at })
            }
            Err(error) => {
                // It has no name that a start looks for.
                let _ = std::fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its records are sealed with.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// The byte behind its last record.
    pub fn len(&self) -> u64 {
        self.at
    }

    /// Writes sealed records behind the others. After an error nobody knows what is in the file behind those that were
    /// synced.
    pub fn write(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all(records)?;
        self.at += records.len() as u64;
        Ok(())
    }

    /// Puts what was written on disk. After an error it may be lost though the system goes on showing it, and another
    /// sync of the same file would say nothing about it.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.synced = self.at;
        Ok(())
    }

    /// Gives back the room behind the last record, which has been synced: nothing follows here.
    pub fn end(self) -> io::Result<()> {
        self.file.set_len(self.at)?;
        self.file.sync_all()
    }

    /// Cuts off what was not synced, as far as the disk does that: whoever reads on stops there in any case, where the
    /// next segment begins.
    pub fn abandon(self) {
        let _ = self.file.set_len(self.synced);
    }
}

/// Room set aside ahead needs no new block, and mostly no change of the file's length, for each sync. Where the system
/// or the disk cannot, the file grows as it is written.
fn set_aside(file: &File, room: u64) {
    #[cfg(target_os = "linux")]
    if rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, room).is_err() {
        let _ = file.set_len(0);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, room);
}
