//! When snapshots are taken: by time, when the log has outgrown the last one, and when somebody asks. One thread takes
//! them, and drops what each makes unnecessary.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use vitrine_engine::codec::wal::outgrown;

use super::{Of, TakeError, Taken, drop_below, take};
use crate::load::Stopwatch;
use crate::shards::Shards;
use crate::wal;

/// Where snapshots are asked for, and what is counted of them.
#[derive(Debug)]
pub struct Schedule {
    asked: Mutex<Vec<Asker>>,
    changed: Condvar,
    ending: AtomicBool,
    /// What is counted.
    pub counts: Counts,
}

/// Told what came of it.
type Asker = oneshot::Sender<Result<Taken, String>>;

/// Counts since the start, and what is known of the last one that was taken.
#[derive(Debug, Default)]
pub struct Counts {
    /// Snapshots that were taken.
    pub taken: AtomicU64,
    /// Those that came to nothing.
    pub failed: AtomicU64,
    /// One is being taken.
    pub is_under_way: AtomicBool,
    /// When the last one was taken, in Unix milliseconds; 0 before the first.
    pub last_at: AtomicU64,
    /// How long that took, in microseconds.
    pub last_micros: AtomicU64,
    /// Its size.
    pub last_bytes: AtomicU64,
    /// Its entries.
    pub last_entries: AtomicU64,
}

/// When, of what, and where.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// The folder of the log.
    pub folder: PathBuf,
    /// Whose they are.
    pub of: Of,
    /// As often, if anything has changed; `None` for not by time.
    pub every: Option<Duration>,
    /// Bytes of the log that a start read besides the snapshot, and bytes of that.
    pub read: (u64, u64),
}

/// The thread that takes them, for whoever ends it.
#[derive(Debug)]
pub struct Running {
    schedule: Arc<Schedule>,
    thread: JoinHandle<()>,
}

/// A shorter log is read in no time.
const LEAST: u64 = 64 << 20;
/// After one that failed, the next that nobody asks for.
const RETRY: Duration = Duration::from_secs(60);
/// How often the log is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Schedule {
    /// Starts the thread.
    pub fn start(config: ScheduleConfig, shards: Arc<Shards>, log: Arc<wal::Log>) -> io::Result<Running> {
        let schedule = Arc::new(Schedule {
            asked: Mutex::default(),
            changed: Condvar::new(),
            ending: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let taker = Taker {
            schedule: Arc::clone(&schedule),
            shards,
            since: Stopwatch::start(),
            appended: 0,
            written: 0,
            read: config.read.0,
            size: config.read.1,
            retry: None,
            log,
            config,
        };
        let thread = std::thread::Builder::new().name("vitrine-snapshot".to_owned());
        Ok(Running { schedule, thread: thread.spawn(move || taker.run())? })
    }

    /// Asks for one that has all that was acknowledged by now. The sender goes away without an answer when the node
    /// stops.
    pub fn request(&self) -> oneshot::Receiver<Result<Taken, String>> {
        let (sender, receiver) = oneshot::channel();
        self.asked.lock().push(sender);
        self.changed.notify_one();
        receiver
    }
}

impl Running {
    /// Where snapshots are asked for.
    pub fn schedule(&self) -> &Arc<Schedule> {
        &self.schedule
    }

    /// Gives up the one that is being taken, if any, and ends.
    pub fn end(self) {
        self.schedule.ending.store(true, Ordering::Release);
        // Under the lock, so that the thread is not just about to wait.
        drop(self.schedule.asked.lock());
        self.schedule.changed.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the thread of snapshots has panicked");
        }
    }
}

/// The thread's own.
struct Taker {
    schedule: Arc<Schedule>,
    shards: Arc<Shards>,
    log: Arc<wal::Log>,
    config: ScheduleConfig,
    /// Since the last one was begun.
    since: Stopwatch,
    /// What the log had counted then.
    appended: u64,
    written: u64,
    /// Bytes that were in the log before this start, and are in no snapshot.
    read: u64,
    /// Bytes of the last one.
    size: u64,
    /// Since one has failed.
    retry: Option<Stopwatch>,
}

impl Taker {
    fn run(mut self) {
        while let Some(askers) = self.wait() {
            self.schedule.counts.is_under_way.store(true, Ordering::Relaxed);
            let result = self.take();
            self.schedule.counts.is_under_way.store(false, Ordering::Relaxed);
            self.note(&result);
            for asker in askers {
                let told = result.as_ref().map_err(TakeError::to_string).cloned();
                // Whoever went away does not listen: that is its right.
                let _ = asker.send(told);
            }
        }
    }

    /// Until one is to be taken: who has asked for it. `None` at the end.
    fn wait(&self) -> Option<Vec<Asker>> {
        let mut asked = self.schedule.asked.lock();
        loop {
            if self.schedule.ending.load(Ordering::Acquire) {
                asked.clear();
                return None;
            }
            if !asked.is_empty() || self.is_due() {
                return Some(std::mem::take(&mut asked));
            }
            self.schedule.changed.wait_for(&mut asked, LOOK);
        }
    }

    fn is_due(&self) -> bool {
        let changed = self.log.counts().appended() > self.appended || self.read > 0;
        let waits = self.retry.as_ref().is_some_and(|failed| failed.elapsed() < RETRY) || self.log.trouble().is_some();
        let by_time = self.config.every.is_some_and(|every| self.since.elapsed() >= every);
        let log = self.read + self.log.counts().written.load(Ordering::Relaxed) - self.written;
        changed && !waits && (by_time || outgrown(log, self.size, LEAST))
    }

    fn take(&mut self) -> Result<Taken, TakeError> {
        let begun = Stopwatch::start();
        let (appended, written) = (self.log.counts().appended(), self.log.counts().written.load(Ordering::Relaxed));
        let ending = || self.schedule.ending.load(Ordering::Acquire);
        let folder = &self.config.folder;
        // What is in the segments until now can go, and not only with the next snapshot.
        self.log.end_segment().map_err(|source| TakeError { doing: "begun", path: folder.clone(), source })?;
        let taken = take(&self.shards, &*self.log, folder, self.config.of, &ending)?;
        (self.since, self.appended, self.written, self.read) = (begun, appended, written, 0);
        self.size = taken.bytes;
        // A crash between these leaves more than is needed, and a start takes the newest.
        let dropped = drop_below(folder, taken.first).and_then(|_| self.log.drop_below(taken.first));
        match dropped {
            Ok(segments) => tracing::info!(
                path = %taken.path.display(),
                entries = taken.footer.entries,
                bytes = taken.bytes,
                took_ms = taken.took.as_millis() as u64,
                dropped_segments = segments,
                "a snapshot was taken"
            ),
            Err(error) => tracing::warn!(%error, "what the last snapshot has made unnecessary cannot be removed"),
        }
        Ok(taken)
    }

    fn note(&mut self, result: &Result<Taken, TakeError>) {
        let counts = &self.schedule.counts;
        match result {
            Ok(taken) => {
                self.retry = None;
                counts.taken.fetch_add(1, Ordering::Relaxed);
                counts.last_at.store(self.shards.now().unix.0, Ordering::Relaxed);
                counts.last_micros.store(taken.took.as_micros() as u64, Ordering::Relaxed);
                counts.last_bytes.store(taken.bytes, Ordering::Relaxed);
                counts.last_entries.store(taken.footer.entries, Ordering::Relaxed);
            }
            Err(_) if self.schedule.ending.load(Ordering::Acquire) => {}
            Err(error) => {
                self.retry = Some(Stopwatch::start());
                counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "no snapshot was taken");
            }
        }
    }
}
