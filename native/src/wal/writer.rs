//! The thread that writes: it takes what has gathered, writes it in one go, syncs it when it is time, and lets go who
//! waited. What it could not sync it keeps, and writes to another segment once the disk takes one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vitrine_engine::codec::wal::{HEADER, Header, seal};
use vitrine_engine::id::Lsn;
use vitrine_engine::record::Fsync;

use super::folder::file_name;
use super::queue::{Gathered, Held};
use super::segment::Writing;
use super::{Log, LogConfig, Trouble};
use crate::clock::{Clock as _, SystemClock};
use crate::effects::Effects;
use crate::load::Stopwatch;

/// The thread's own.
pub struct Writer {
    log: Arc<Log>,
    config: LogConfig,
    effects: Arc<Effects>,
    /// `None` while the disk fails.
    segment: Option<Writing>,
    /// The first number that it has not taken yet, and the first that is not on disk.
    next: Lsn,
    synced: Lsn,
    /// The records between the two, and their bytes: a failed sync may have lost them.
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
    /// Since there are any.
    dirty: Option<Stopwatch>,
    /// The segment is to end as soon as all of it is on disk.
    ends_segment: bool,
}

/// Between two syncs, where they come by time.
const EVERY: Duration = Duration::from_secs(1);
/// Where nobody waits for the disk, records gather for so long before they are written: a thread that wakes for each
/// would cost more than they do. A process that dies loses no more than that; the system has the rest.
const GATHERED: Duration = Duration::from_millis(1);
/// What is kept for a failed sync is bounded: at so many bytes it is synced early, whatever the setting says.
const KEPT: usize = 32 << 20;
/// After a failure the disk is tried again so often.
const RETRY: Duration = Duration::from_secs(1);

impl Writer {
    /// Begins the first segment.
    pub fn begin(log: Arc<Log>, config: LogConfig, effects: Arc<Effects>) -> Result<Writer, Trouble> {
        let next = config.next;
        let mut writer = Writer {
            log,
            config,
            effects,
            segment: None,
            next,
            synced: next,
            kept: Vec::new(),
            kept_bytes: 0,
            dirty: None,
            ends_segment: false,
        };
        writer.segment = Some(writer.begin_segment(next)?);
        Ok(writer)
    }

    /// Writes until it is told to end.
    pub fn run(mut self) {
        loop {
            let ending = match self.segment {
                Some(_) => self.write_some(),
                None => self.try_again(),
            };
            if ending {
                break;
            }
        }
        if let Some(segment) = self.segment.take() {
            let path = segment.path().to_owned();
            if let Err(error) = segment.end() {
                let path = path.display();
                tracing::warn!(%path, %error, "the room at the end of the log could not be given back");
            }
        }
        self.log.note_ended();
    }

    /// Waits, writes what has gathered, and syncs it where it is time. True when that was the last.
    fn write_some(&mut self) -> bool {
        let asked = self.log.wait(self.patience());
        let always = self.config.fsync == Fsync::Always;
        if !always && !asked.end && !asked.sync {
            std::thread::sleep(GATHERED);
        }
        self.ends_segment |= asked.segment;
        let sync = always || asked.sync || asked.end || self.ends_segment || self.is_due();
        let Gathered { records, sync } = self.log.gather(sync, !self.kept.is_empty());
        if let Err(trouble) = self.write(records, sync).and_then(|()| self.end_segment()) {
            // What could not be written is tried once more, also before the end.
            self.fail(trouble);
            return false;
        }
        asked.end
    }

    fn patience(&self) -> Option<Duration> {
        match (self.config.fsync, &self.dirty) {
            _ if self.ends_segment || self.kept_bytes >= KEPT => Some(Duration::ZERO),
            (Fsync::EverySecond, Some(since)) => Some(EVERY.saturating_sub(since.elapsed())),
            _ => None,
        }
    }

    fn is_due(&self) -> bool {
        let by_time = self.config.fsync == Fsync::EverySecond;
        self.kept_bytes >= KEPT || by_time && self.dirty.as_ref().is_some_and(|since| since.elapsed() >= EVERY)
    }

    /// Writes records, and syncs all that was written where that is said.
    fn write(&mut self, records: Vec<Vec<u8>>, sync: bool) -> Result<(), Trouble> {
        // Before anything can fail: what was taken is written now or later.
        let first = self.kept.len();
        self.kept_bytes += records.iter().map(Vec::len).sum::<usize>();
        self.kept.extend(records);
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let path = segment.path().to_owned();
        for records in &mut self.kept[first..] {
            self.next = seal(segment.salt(), self.next, records);
            segment.write(records).map_err(trouble("writing", &path))?;
            self.log.counts().written.fetch_add(records.len() as u64, Ordering::Relaxed);
        }
        if first < self.kept.len() && self.dirty.is_none() {
            self.dirty = Some(Stopwatch::start());
        }
        if sync {
            let begun = Stopwatch::start();
            segment.sync().map_err(trouble("syncing", &path))?;
            self.log.counts().synced_in(begun.elapsed());
        }
        self.ends_segment |= segment.len() >= self.config.segment;
        if sync {
            self.let_go();
        }
        Ok(())
    }

    /// All that was taken is on disk: whoever waited for it waits no longer.
    fn let_go(&mut self) {
        self.synced = self.next;
        self.kept.clear();
        (self.kept_bytes, self.dirty) = (0, None);
        let released = self.log.note_synced(self.synced);
        self.perform(released);
    }

    /// Goes on in another segment, once all of this one is on disk: its header says so of all before it.
    fn end_segment(&mut self) -> Result<(), Trouble> {
        if !self.ends_segment || !self.kept.is_empty() {
            return Ok(());
        }
        self.ends_segment = false;
        if let Some(segment) = self.segment.take_if(|segment| segment.len() > HEADER as u64) {
            let path = segment.path().to_owned();
            segment.end().map_err(trouble("ending", &path))?;
            self.segment = Some(self.begin_segment(self.next)?);
        }
        self.log.note_segment_ended();
        Ok(())
    }

    fn begin_segment(&self, first: Lsn) -> Result<Writing, Trouble> {
        let path = self.config.folder.join(file_name(first));
        let begin = || {
            let mut salt = [0; 8];
            getrandom::fill(&mut salt).map_err(io::Error::other)?;
            let (of, begun) = (self.config.of, SystemClock::start().now().unix);
            let header = Header { cluster: of.cluster, node: of.node, first, begun, salt: u64::from_le_bytes(salt) };
            Writing::begin(&self.config.folder, &header, self.config.segment)
        };
        let begun = begin().map_err(trouble("beginning", &path))?;
        self.log.count_segments();
        Ok(begun)
    }

    /// The disk does not take what it has to. The segment is never written to again: what is behind its last sync may
    /// be there or not, whatever the system shows.
    fn fail(&mut self, trouble: Trouble) {
        if let Some(segment) = self.segment.take() {
            segment.abandon();
        }
        self.ends_segment = false;
        self.log.counts().failures.fetch_add(1, Ordering::Relaxed);
        if self.log.trouble().as_deref() != Some(&trouble) {
            tracing::error!(%trouble, "the log cannot be written: this node takes no writes until it can");
        }
        let waited = self.log.note_trouble(trouble);
        self.perform(waited);
    }

    /// Writes what was kept to another segment. True when that fails and this was the last try, or when all is written
    /// and nothing comes any more.
    fn try_again(&mut self) -> bool {
        let ending = self.log.wait_for_end(RETRY);
        match self.revive() {
            Ok(()) => {
                tracing::info!(records = self.log.counts().appended(), "the log can be written again");
                false
            }
            Err(trouble) => {
                self.fail(trouble);
                if ending {
                    tracing::error!(records = self.next.0 - self.synced.0, "records were not written before the end");
                }
                ending
            }
        }
    }

    fn revive(&mut self) -> Result<(), Trouble> {
        let mut segment = self.begin_segment(self.synced)?;
        let (path, mut next) = (segment.path().to_owned(), self.synced);
        for records in &mut self.kept {
            next = seal(segment.salt(), next, records);
            segment.write(records).map_err(trouble("writing", &path))?;
        }
        segment.sync().map_err(trouble("syncing", &path))?;
        (self.segment, self.next) = (Some(segment), next);
        self.log.note_well();
        self.log.note_segment_ended();
        self.let_go();
        Ok(())
    }

    fn perform(&self, effects: Vec<Held>) {
        for Held { origin, effect } in effects {
            // A view is published by whoever made it, and waits for no disk.
            let _ = self.effects.perform_one(origin, effect);
        }
    }
}

fn trouble(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| Trouble { doing, path, why: error.to_string() }
}
