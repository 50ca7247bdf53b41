//! Where a node that starts takes its log up again: the folder is its own, what is there is read, and a segment begins.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use vitrine_engine::effect::Outbox;
use vitrine_engine::record::{Fsync, Record};

use super::folder::{self, Held, HoldError};
use super::{Log, LogConfig, RecoverError, Recovered, Running, SEGMENT, Trouble, Unsynced, discard, recover};
use crate::shards::Shards;
use crate::snapshot::Of;

/// What is to be opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The folder; made when it is not there.
    pub folder: PathBuf,
    /// Whose log it is.
    pub of: Of,
    /// The node's name, for whoever wants the same folder.
    pub name: String,
    /// When it is synced.
    pub fsync: Fsync,
    /// Members have come and gone since the first map: a log of this cluster under another number is that of an earlier
    /// time as a member, which is over.
    pub moved_on: bool,
    /// What names the start of the system that runs now: see [`super::boot`].
    pub boot: Option<String>,
}

/// A log that is being written, in a folder that nobody else writes to.
#[derive(Debug)]
pub struct Open {
    running: Running,
    folder: PathBuf,
    /// Bytes of the log that were read, and of the snapshot before it.
    read: (u64, u64),
    unsynced: Unsynced,
    /// Given back when the log has ended.
    _held: Held,
}

/// Why a node does not start with its log.
#[derive(Debug)]
pub enum OpenError {
    /// Its folder is not to be had.
    Hold(HoldError),
    /// What is there is not read.
    Recover(RecoverError),
    /// Nothing can be written.
    Begin(Trouble),
}

/// Fills the shards with what the log has, and lets them write to it from now on.
pub fn open(opening: &Opening, shards: &mut Shards) -> Result<Open, OpenError> {
    let Opening { folder, of, name, fsync, moved_on, boot } = opening;
    std::fs::create_dir_all(folder)
        .map_err(|source| OpenError::Hold(HoldError::Io { path: folder.clone(), source }))?;
    let held = folder::hold(folder, name).map_err(OpenError::Hold)?;
    let unsynced = Unsynced::of(folder, boot.clone());
    forget_what_was_cut_short(folder, *of, &unsynced).map_err(OpenError::Recover)?;
    let recovered = match fill(folder, *of, shards) {
        Err(RecoverError::Foreign { path, same_cluster: true, .. }) if *moved_on => {
            tracing::warn!(path = %path.display(), "the log is that of an earlier time as a member, which is over: it \
                is removed, and the slots are filled by other members");
            discard(folder).map_err(|source| OpenError::Recover(failed("removing the log", folder)(source)))?;
            fill(folder, *of, shards)
        }
        recovered => recovered,
    };
    let recovered = recovered.map_err(OpenError::Recover)?;
    shards.recovered();
    let mut entries = 0;
    shards.each(|shard| entries += u64::from(shard.store().len()));
    let Recovered { next, snapshot, segments, records, bytes, torn, took } = recovered;
    let size = |(path, _): &(PathBuf, u64)| std::fs::metadata(path).map_or(0, |about| about.len());
    let read = (bytes, snapshot.as_ref().map_or(0, size));
    tracing::info!(
        folder = %folder.display(),
        fsync = fsync.name(),
        snapshot_records = snapshot.map(|(_, records)| records),
        segments,
        records,
        bytes,
        torn_bytes = torn,
        entries,
        took_ms = took.as_millis() as u64,
        "the log has been read"
    );
    let marked = unsynced.begin(*fsync);
    marked.map_err(|source| OpenError::Recover(failed("saying how the log is synced", folder)(source)))?;
    let stripes = shards.stripes();
    let config = LogConfig { folder: folder.clone(), of: *of, fsync: *fsync, next, stripes, segment: SEGMENT };
    let running = Log::start(config, Arc::clone(shards.effects())).map_err(OpenError::Begin)?;
    shards.keep_log(Arc::clone(running.log()));
    Ok(Open { running, folder: folder.clone(), read, unsynced, _held: held })
}

/// Removes a log that was written without syncs when the machine has gone down since. It is that of an earlier moment,
/// and nobody knows of which: each of its entries may have been replaced or deleted after that.
fn forget_what_was_cut_short(folder: &Path, of: Of, unsynced: &Unsynced) -> Result<(), RecoverError> {
    if !unsynced.is_cut_short().map_err(failed("reading how the log was synced", folder))? {
        return Ok(());
    }
    match recover(folder, of, &mut |_| {}) {
        Ok(_) | Err(RecoverError::Damaged { .. }) => {}
        // Another's log is not for this node to remove: whoever reads it says so.
        Err(RecoverError::Foreign { .. } | RecoverError::Newer { .. }) => return Ok(()),
        Err(error @ RecoverError::Io { .. }) => return Err(error),
    }
    tracing::warn!(folder = %folder.display(), "the machine has gone down since the log was written, and with \
        --fsync never nobody knows what is missing of it: it is removed, and the slots are filled by other members");
    discard(folder).map_err(failed("removing the log", folder))
}

fn failed(doing: &'static str, folder: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    let path = folder.to_owned();
    move |source| RecoverError::Io { doing, path, source }
}

/// Reads what is there, while as many threads as there are cores take it in, each for stripes of its own: so the
/// records of a key keep their order.
fn fill(folder: &Path, of: Of, shards: &Shards) -> Result<Recovered, RecoverError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(shards.stripes());
    std::thread::scope(|scope| {
        let taker = |_| {
            let (sender, receiver) = mpsc::sync_channel::<Vec<Record>>(AHEAD);
            scope.spawn(move || {
                // Nobody waits for anything yet: what a shard notes meanwhile is nobody's.
                let mut out = Outbox::new();
                receiver.iter().flatten().for_each(|record| shards.recover(&record, &mut out));
            });
            (sender, Batch::default())
        };
        let mut takers: Vec<_> = (0..threads).map(taker).collect();
        let recovered = recover(folder, of, &mut |record| {
            let Some(slot) = record.slot() else { return };
            let (sender, batch) = &mut takers[shards.stripe_of(slot) % threads];
            if let Some(full) = batch.add(record) {
                // One that has panicked takes nothing; the scope says so at its end.
                let _ = sender.send(full);
            }
        });
        for (sender, batch) in takers {
            let _ = sender.send(batch.records);
        }
        recovered
    })
}

/// Records on their way to a thread.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

/// Batches that wait for one thread.
const AHEAD: usize = 4;
/// A batch is full with so many records, or so many bytes of values.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

impl Batch {
    /// Adds one; gives back all when they are enough.
    fn add(&mut self, record: Record) -> Option<Vec<Record>> {
        if let Record::Put { entry, .. } = &record {
            self.bytes += entry.value.bytes.len();
        }
        self.records.push(record);
        (self.records.len() >= BATCH || self.bytes >= BATCH_BYTES).then(|| std::mem::take(self).records)
    }
}

impl Open {
    /// Where changes are written down.
    pub fn log(&self) -> &Arc<Log> {
        self.running.log()
    }

    /// Bytes of the log that were read besides the snapshot, and bytes of that.
    pub fn read(&self) -> (u64, u64) {
        self.read
    }

    /// Ends it: what is left is written and synced. A node that is no member any more leaves nothing behind.
    pub fn end(self, forget: bool) {
        if !self.running.end() {
            tracing::error!("the log was not written to its end");
        } else if let Err(error) = self.unsynced.end() {
            tracing::error!(%error, "the log was not synced to its end");
        }
        if forget && let Err(error) = discard(&self.folder) {
            tracing::error!(%error, "the log of the cluster left cannot be removed");
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Hold(error @ HoldError::Taken { .. }) => {
                write!(f, "{error}: each node needs a folder of its own for its log, see --data")
            }
            OpenError::Hold(error) => error.fmt(f),
            OpenError::Recover(error) => error.fmt(f),
            OpenError::Begin(trouble) => write!(f, "the log cannot be written: {trouble}"),
        }
    }
}

impl std::error::Error for OpenError {}
