//! A recorded trace played through the cluster by one client: read, and on a miss write, one request after the other.

use alloc::collections::VecDeque;

use crate::request::Key;

/// A trace being played.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// What is still to be asked for.
    pub(super) keys: VecDeque<Key>,
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
        self.keys.len() as u64 + u64::from(self.current.is_some())
    }
}
