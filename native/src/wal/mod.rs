//! The log on disk. The stripes hand it what they have changed, and one thread writes that down and syncs it: for all
//! who wait at once. `docs/log.md` says what is written, what waits for it, and what a failed write costs.
//!
//! A stripe knows its records by numbers of its own, and only the log gives those that stand in the file: in the order
//! in which stripes hand over, under the one lock in which they do. What waits for the disk waits for a number of its
//! stripe. So nobody has to hold the log while a stripe decides.

mod counts;
pub mod folder;
mod open;
mod queue;
mod recover;
mod segment;
mod unsynced;
mod writer;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex, MutexGuard};
use vitrine_engine::codec::wal::put_open_record;
use vitrine_engine::effect::{Effect, Outbox};
use vitrine_engine::error::Failure;
use vitrine_engine::id::Lsn;
use vitrine_engine::limits::MAX_LOG_BYTES;
use vitrine_engine::message::Origin;
use vitrine_engine::record::Fsync;

use crate::effects::Effects;
use crate::snapshot::Of;
pub use counts::{Counts, SYNC_BOUNDS};
pub use open::{Open, OpenError, Opening, open};
use queue::{Asked, Gathered, Held, Queue};
pub use recover::{RecoverError, Recovered, discard, look, recover};
pub use unsynced::{Unsynced, boot};
use writer::Writer;

/// The log of a node: where its stripes hand over what they have changed.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    fsync: Fsync,
    queue: Mutex<Queue>,
    /// There is something to write, or to do.
    filled: Condvar,
    /// More is on disk, or it is known that it will not be for now.
    moved: Condvar,
    /// For each stripe the first of its own numbers that is not on disk. Changed under the queue's lock.
    synced: Box<[AtomicU64]>,
    standing: AtomicU8,
    trouble: ArcSwapOption<Trouble>,
    counts: Counts,
}

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Its folder, which this process holds.
    pub folder: PathBuf,
    /// Whose it is.
    pub of: Of,
    /// When it is synced.
    pub fsync: Fsync,
    /// The number of the next record.
    pub next: Lsn,
    /// How many stripes hand records over.
    pub stripes: usize,
    /// A segment ends once it is so long, in bytes.
    pub segment: u64,
}

/// Why nothing can be written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What failed.
    pub doing: &'static str,
    /// With which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub why: String,
}

/// A log whose thread runs, for whoever ends it.
#[derive(Debug)]
pub struct Running {
    log: Arc<Log>,
    thread: JoinHandle<()>,
}

/// Bytes of a segment, unless it is told otherwise. It ends once it is as long: with the record that makes it so.
pub const SEGMENT: u64 = 64 << 20;

/// Whether writes are taken.
const TAKING: u8 = 0;
/// No: what is to be written has reached its bound.
const FULL: u8 = 1;
/// No: the disk does not write.
const FAILING: u8 = 2;

/// Effects that wait for the disk at the same time; more messages to peers are dropped, which repeat theirs. Answers
/// are bounded by the requests that are open.
const MAX_HELD: usize = 1 << 17;
/// A record that is longer is copied once, and not while others wait for the queue.
const LONG: usize = 64 << 10;

impl Log {
    /// Begins a segment and starts the thread that writes. An error is that of the first segment.
    pub fn start(config: LogConfig, effects: Arc<Effects>) -> Result<Running, Trouble> {
        let log = Arc::new(Log {
            folder: config.folder.clone(),
            fsync: config.fsync,
            queue: Mutex::new(Queue::new(config.next, config.stripes)),
            filled: Condvar::new(),
            moved: Condvar::new(),
            synced: (0..config.stripes).map(|_| AtomicU64::new(FIRST.0)).collect(),
            standing: AtomicU8::new(TAKING),
            trouble: ArcSwapOption::empty(),
            counts: Counts::new(config.next),
        });
        let trouble = |path: &PathBuf| {
            let path = path.clone();
            move |error: io::Error| Trouble { doing: "starting the thread of", path, why: error.to_string() }
        };
        let writer = Writer::begin(Arc::clone(&log), config.clone(), effects)?;
        let thread = std::thread::Builder::new().name("vitrine-log".to_owned()).spawn(move || writer.run());
        Ok(Running { log, thread: thread.map_err(trouble(&config.folder))? })
    }

    /// Takes what a stripe has handed to its outbox, numbered from `from` on, and keeps back the effects that have to
    /// wait for the disk. To be called under the stripe's lock, so that its records keep their order.
    pub fn take(&self, stripe: usize, from: Lsn, origin: Origin, out: &mut Outbox) {
        if out.records.is_empty() && !self.any_waits(stripe, out) {
            return;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            out.records.iter().for_each(|record| put_open_record(record, scratch));
            let count = out.records.len() as u64;
            out.records.clear();
            let mut queue = self.queue.lock();
            if count > 0 {
                queue.push(scratch, count, stripe, Lsn(from.0 + count));
                self.counts.appended.fetch_add(count, Ordering::Relaxed);
                if queue.bytes() > MAX_LOG_BYTES {
                    let _ = self.standing.compare_exchange(TAKING, FULL, Ordering::AcqRel, Ordering::Relaxed);
                }
            }
            if self.fsync == Fsync::Always {
                self.keep_back(stripe, origin, out, &mut queue);
            }
            if queue.wants_waking() {
                self.filled.notify_one();
            }
            // The room of a long value is not kept by every thread that has met one.
            if scratch.capacity() > LONG {
                *scratch = Vec::new();
            }
        });
    }

    /// Must an effect of that stripe wait which may leave only after that record? As far as can be told without a lock:
    /// it may be said to wait when it need not any more.
    pub fn holds(&self, stripe: usize, after: Option<Lsn>) -> bool {
        let waits = |after: Lsn| after.0 >= self.synced[stripe].load(Ordering::Acquire);
        self.fsync == Fsync::Always && after.is_some_and(waits)
    }

    /// Does every write wait for the disk?
    pub fn is_waited_for(&self) -> bool {
        self.fsync == Fsync::Always
    }

    /// Why writes are turned away now, if they are.
    pub fn refusal(&self) -> Option<Failure> {
        match self.standing.load(Ordering::Acquire) {
            TAKING => None,
            FULL => Some(Failure::Busy { limit: "MAX_LOG_BYTES" }),
            _ => Some(Failure::ReadOnly),
        }
    }

    /// Changes that others have decided are not taken in either: they would have to be kept in memory without a bound.
    /// Whoever sent one repeats it.
    pub fn is_overfull(&self) -> bool {
        self.standing.load(Ordering::Acquire) != TAKING && self.queue.lock().bytes() > 2 * MAX_LOG_BYTES
    }

    /// Why nothing can be written now; `None` while it can.
    pub fn trouble(&self) -> Option<Arc<Trouble>> {
        self.trouble.load_full()
    }

    /// What is counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes of records that wait to be written.
    pub fn queued(&self) -> usize {
        self.queue.lock().bytes()
    }

    /// Removes the segments all of whose records are below that number: they are in a snapshot. How many went.
    pub fn drop_below(&self, first: Lsn) -> io::Result<u64> {
        let dropped = folder::drop_below(&self.folder, first);
        self.count_segments();
        dropped
    }

    /// Ends the segment that is being written, with all so far on disk, and begins the next: what is in it can be
    /// dropped then when it is in a snapshot.
    pub fn end_segment(&self) -> io::Result<()> {
        let mut queue = self.queue.lock();
        let wish = queue.ask_for_segment();
        self.wait_until(&mut queue, |queue| queue.has_ended_segment(wish))
    }

    fn wait_for_disk(&self) -> io::Result<()> {
        let mut queue = self.queue.lock();
        let target = queue.next();
        queue.ask_for_sync();
        self.wait_until(&mut queue, |queue| queue.synced() >= target)
    }

    fn wait_until(&self, queue: &mut MutexGuard<'_, Queue>, is_so: impl Fn(&Queue) -> bool) -> io::Result<()> {
        self.filled.notify_one();
        while !is_so(queue) {
            if let Some(trouble) = self.trouble() {
                return Err(io::Error::other(trouble.to_string()));
            }
            if queue.has_ended() {
                return Err(io::Error::other("the log has ended"));
            }
            self.moved.wait(queue);
        }
        Ok(())
    }

    fn any_waits(&self, stripe: usize, out: &Outbox) -> bool {
        self.fsync == Fsync::Always && out.effects.iter().any(|effect| self.holds(stripe, effect.after()))
    }

    /// Moves what waits for the disk out of the outbox. While the disk fails nothing waits, and what is said says so.
    fn keep_back(&self, stripe: usize, origin: Origin, out: &mut Outbox, queue: &mut Queue) {
        let failing = self.standing.load(Ordering::Acquire) == FAILING;
        let all = std::mem::take(&mut out.effects);
        for effect in all {
            let Some(after) = effect.after().filter(|after| self.holds(stripe, Some(*after))) else {
                out.effects.push(effect);
                continue;
            };
            if failing {
                out.effects.extend(effect.unlogged());
            } else if matches!(effect, Effect::Reply { .. }) || queue.held() < MAX_HELD {
                queue.hold(stripe, after, Held { origin, effect });
            }
        }
    }

    fn count_segments(&self) {
        // What cannot be listed now is counted later.
        if let Ok(all) = folder::list(&self.folder) {
            self.counts.segments.store(all.len() as u64, Ordering::Relaxed);
        }
    }

    /// For the thread: what it has to do next, at the latest when so much time has passed.
    fn wait(&self, patience: Option<Duration>) -> Asked {
        let mut queue = self.queue.lock();
        if let Some(asked) = queue.asked() {
            return asked;
        }
        queue.note_idle(true);
        match patience {
            Some(patience) => drop(self.filled.wait_for(&mut queue, patience)),
            None => self.filled.wait(&mut queue),
        }
        queue.note_idle(false);
        queue.asked().unwrap_or_default()
    }

    /// For the thread: takes what has gathered.
    fn gather(&self, sync: bool, dirty: bool) -> Gathered {
        let mut queue = self.queue.lock();
        let gathered = queue.gather(sync, dirty);
        let _ = self.standing.compare_exchange(FULL, TAKING, Ordering::AcqRel, Ordering::Relaxed);
        gathered
    }

    /// For the thread, while the disk fails: sleeps so long, or until the end. True when that has come.
    fn wait_for_end(&self, patience: Duration) -> bool {
        let mut queue = self.queue.lock();
        // It is not idle: records do not wake it meanwhile.
        if !queue.is_ending() {
            let _ = self.filled.wait_for(&mut queue, patience);
        }
        queue.is_ending()
    }

    /// For the thread: nothing is written any more.
    fn note_ended(&self) {
        self.queue.lock().note_ended();
        self.moved.notify_all();
    }

    /// For the thread: all below that number is on disk. What waited for it.
    fn note_synced(&self, below: Lsn) -> Vec<Held> {
        let mut queue = self.queue.lock();
        for (stripe, synced) in self.synced.iter().enumerate() {
            synced.store(queue.gathered(stripe).0, Ordering::Release);
        }
        self.counts.synced.store(below.0, Ordering::Relaxed);
        let released = queue.note_synced(below);
        self.moved.notify_all();
        released
    }

    /// For the thread: the segment that was to end has ended.
    fn note_segment_ended(&self) {
        self.queue.lock().note_segment_ended();
        self.moved.notify_all();
    }

    /// For the thread: nothing can be written for now. What waited, as it is to be told.
    fn note_trouble(&self, trouble: Trouble) -> Vec<Held> {
        let mut queue = self.queue.lock();
        self.trouble.store(Some(Arc::new(trouble)));
        self.standing.store(FAILING, Ordering::Release);
        self.moved.notify_all();
        let tell = |held: Held| held.effect.unlogged().map(|effect| Held { effect, ..held });
        queue.give_up().into_iter().filter_map(tell).collect()
    }

    /// For the thread: it can be written again, and what could not be is on disk.
    fn note_well(&self) {
        self.trouble.store(None);
        let full = self.queue.lock().bytes() > MAX_LOG_BYTES;
        self.standing.store(if full { FULL } else { TAKING }, Ordering::Release);
    }
}

impl crate::snapshot::Log for Log {
    fn next(&self) -> Lsn {
        self.queue.lock().next()
    }

    fn sync(&self) -> io::Result<()> {
        self.wait_for_disk()
    }
}

impl Running {
    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Writes down and syncs what is left, and ends. False when that could not be written.
    pub fn end(self) -> bool {
        self.log.queue.lock().end();
        self.log.filled.notify_one();
        let ended = self.thread.join().is_ok();
        ended && self.log.trouble().is_none()
    }
}

thread_local! {
    /// Reused, so that a change does not allocate one.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The first number of each stripe's own.
pub const FIRST: Lsn = Lsn(1);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.path.display(), self.why)
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests;
