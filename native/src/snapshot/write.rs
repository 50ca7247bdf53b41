//! Taking a snapshot: the walk through the stripes, and the file that gets its name at the end.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::codec::snapshot::{Encoder, Footer, Header};
use vitrine_engine::id::{Lsn, NodeId};
use vitrine_engine::shard::WALKED;

use super::{Log, UNFINISHED, file_name};
use crate::load::Stopwatch;
use crate::shards::Shards;

/// Whose snapshot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Of {
    /// The cluster.
    pub cluster: ClusterTag,
    /// The node.
    pub node: NodeId,
}

/// A snapshot that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where.
    pub path: PathBuf,
    /// The log is read over it from that number on: what is below it may be dropped.
    pub first: Lsn,
    /// What it says at its end.
    pub footer: Footer,
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// The longest that a stripe's lock was held for it.
    pub longest_hold: Duration,
}

/// Why there is no new snapshot. The one before it is still there.
#[derive(Debug)]
pub struct TakeError {
    /// What was being done.
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Writes all that the node holds. It blocks: on a thread of its own, not on one that serves. Given up as soon as
/// `is_over` says so.
pub fn take(
    shards: &Shards,
    log: &impl Log,
    folder: &Path,
    of: Of,
    is_over: &dyn Fn() -> bool,
) -> Result<Taken, TakeError> {
    let begun = Stopwatch::start();
    // Before any stripe is looked at: what is below this number is in the stores by then.
    let first = log.next();
    let path = folder.join(file_name(first));
    let temporary = folder.join(format!("{}{UNFINISHED}", file_name(first)));
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| TakeError { doing, path, source }
    };
    let result = (|| {
        let file = File::create(&temporary).map_err(failed("made", &temporary))?;
        let header = Header { cluster: of.cluster, node: of.node, first, begun: shards.now().unix, salt: salt()? };
        let mut walk = Walk { file: &file, header, buffer: Vec::new(), bytes: 0, longest_hold: Duration::ZERO };
        let footer = walk.run(shards, log, is_over).map_err(failed("written", &temporary))?;
        let (bytes, longest_hold) = (walk.bytes, walk.longest_hold);
        file.sync_all().map_err(failed("synced", &temporary))?;
        // What is in the file may be as new as this: the log that explains it is on disk before the file counts.
        log.sync().map_err(failed("kept, as its log cannot be synced,", &path))?;
        std::fs::rename(&temporary, &path).map_err(failed("named", &path))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("kept in its folder", folder))?;
        Ok(Taken { path: path.clone(), first, footer, bytes, took: begun.elapsed(), longest_hold })
    })();
    if result.is_err() {
        // No start looks at it; a left-over is only litter.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn salt() -> Result<u64, TakeError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| TakeError {
        doing: "begun",
        path: PathBuf::new(),
        source: io::Error::other(error),
    })?;
    Ok(u64::from_le_bytes(random))
}

struct Walk<'a> {
    file: &'a File,
    header: Header,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    bytes: u64,
    longest_hold: Duration,
}

impl Walk<'_> {
    fn run(&mut self, shards: &Shards, log: &impl Log, is_over: &dyn Fn() -> bool) -> io::Result<Footer> {
        let mut encoder = Encoder::new(&self.header, &mut self.buffer);
        let mut worked = Stopwatch::start();
        for stripe in 0..shards.stripes() {
            let mut cursor = Some(0);
            while let Some(from) = cursor {
                let walked = shards.look_in_turn(stripe, |shard| {
                    let held = Stopwatch::start();
                    (shard.walk(from, WALKED, &mut encoder), held.elapsed())
                });
                let (next, held) = walked.unwrap_or_default();
                self.longest_hold = self.longest_hold.max(held);
                cursor = next;
                if is_over() {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "the node stops"));
                }
                if encoder.is_full() {
                    encoder.end_block(&mut self.buffer);
                    self.write()?;
                    // Where there is no core to spare, whoever answers requests gets every other turn.
                    std::thread::sleep(worked.elapsed());
                    worked = Stopwatch::start();
                }
            }
        }
        let footer = encoder.finish(log.next(), shards.now().unix, &mut self.buffer);
        self.write()?;
        Ok(footer)
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        // One long value must not hold its memory until the end.
        self.buffer.shrink_to(KEPT);
        Ok(())
    }
}

/// Bytes of the buffer that are used again.
const KEPT: usize = 1 << 20;

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TakeError { doing, path, source } = self;
        write!(f, "the snapshot {} could not be {doing}: {source}; the one before it is still there", path.display())
    }
}

impl std::error::Error for TakeError {}
