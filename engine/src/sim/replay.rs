//! A recorded trace played through the cluster by one client: read, and on a miss write, one request after the other.

use alloc::sync::Arc;

use crate::request::Key;

/// A trace being played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// What is asked for, first to last; every copy of the world shares it.
    pub(super) keys: Arc<[Key]>,
    /// How many of them have been asked for.
    pub(super) asked: u32,
    /// The request that is under way; `None` while there is nothing to do.
    pub(super) current: Option<Key>,
    /// Reads that have been answered.
    pub requests: u64,
    /// Reads that found something.
    pub hits: u64,
    /// Reads that found nothing.
    pub misses: u64,
    /// Reads and writes that failed.
    pub failures: u64,
}

impl Replay {
    /// Requests that have not been made yet, the one under way included.
    pub fn left(&self) -> u64 {
        self.keys.len() as u64 - u64::from(self.asked) + u64::from(self.current.is_some())
    }
}
