//! What is counted of a log, for whoever looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vitrine_engine::id::Lsn;

/// Counts since the start. The log's thread writes most of them.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records that stripes have handed over.
    pub appended: AtomicU64,
    /// Bytes that were written to segments.
    pub written: AtomicU64,
    /// The first number that is not on disk.
    pub synced: AtomicU64,
    /// Times that a write or a sync failed, or a segment could not be begun.
    pub failures: AtomicU64,
    /// Segments in the folder.
    pub segments: AtomicU64,
    /// Syncs by how long they took: one more than there are bounds.
    pub syncs: [AtomicU64; SYNC_BOUNDS.len() + 1],
    /// How long all of them took together, in microseconds.
    pub sync_micros: AtomicU64,
}

/// Upper bounds of the buckets of syncs, in microseconds.
pub const SYNC_BOUNDS: [u64; 14] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000];

impl Counts {
    /// All zero, of a log in which all below that number is on disk.
    pub fn new(synced: Lsn) -> Counts {
        Counts { synced: AtomicU64::new(synced.0), ..Counts::default() }
    }

    /// Records that stripes have handed over.
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// Counts a sync.
    pub fn synced_in(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.syncs[SYNC_BOUNDS.partition_point(|bound| *bound < micros)].fetch_add(1, Ordering::Relaxed);
        self.sync_micros.fetch_add(micros, Ordering::Relaxed);
    }
}
