//! A small file system of its own, in a file, that can be shut down while somebody writes to it: nothing more reaches
//! its disk, as when a machine loses its power, and what was there is what the next mount finds.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system.
pub struct Ext4 {
    _folder: tempfile::TempDir,
    image: PathBuf,
    mounted: PathBuf,
}

/// How it is shut down, by the number that the system takes.
pub const SHUTDOWNS: [(u32, &str); 3] = [
    (0, "after what was written has reached the disk"),
    (1, "after its journal has reached the disk"),
    (2, "at once, and what its journal holds in memory is lost"),
];

impl Ext4 {
    /// Makes one and mounts it; why that cannot be done here.
    pub fn new() -> Result<Ext4, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
        let make = || {
            std::fs::create_dir(&mounted)?;
            std::fs::File::create(&image)?.set_len(BYTES)
        };
        make().map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let ext4 = Ext4 { _folder: folder, image, mounted };
        ext4.mount()?;
        Ok(ext4)
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.mounted
    }

    /// From now on nothing reaches its disk, and nothing is read from it.
    pub fn shut_down(&self, how: u32) {
        // `EXT4_IOC_SHUTDOWN`, by a program that every Debian has: a call of the system takes unsafe code.
        let ask = "open(my $folder, '<', $ARGV[0]) or die $!; defined ioctl($folder, 0x8004587d, pack('L', $ARGV[1])) \
                   or die $!";
        let mut perl = Command::new("perl");
        run(perl.args(["-e", ask]).arg(&self.mounted).arg(how.to_string())).expect("it is shut down");
    }

    /// Nobody has a file in it open: takes what is on its disk for all that there is.
    pub fn mount_again(&self) {
        run(Command::new("umount").arg(&self.mounted)).expect("nobody is in there");
        self.mount().expect("its journal is read");
    }

    fn mount(&self) -> Result<(), String> {
        // The loop device goes with the last mount of it.
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).args([&self.image, &self.mounted]))
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.mounted));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let said = || format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    output.status.success().then_some(()).ok_or_else(said)
}

/// The size of the image; a file with holes takes only what is written.
const BYTES: u64 = 512 << 20;
