//! How many stripes a node has, and what each may hold.

use vitrine_engine::id::LANES;

/// How the stripes of a node are made.
#[derive(Clone, Debug)]
pub struct ShardsConfig {
    /// The most entries, over all stripes; `None` is bounded by bytes alone.
    pub entries: Option<u64>,
    /// The most accounted bytes, over all stripes.
    pub bytes: u64,
    /// How many stripes, a power of two up to [`LANES`]; `None` chooses by size.
    pub stripes: Option<usize>,
    /// Threads that will meet at the locks.
    pub workers: usize,
    /// Of the shards' generators.
    pub seed: u64,
    /// Of the hash tables: nobody outside may know it.
    pub hash_seed: (u64, u64),
}

impl ShardsConfig {
    /// How many stripes there are: no more than entries, so that the shares of all are the bound of the node.
    pub(super) fn count(&self) -> usize {
        let count = self.stripes.unwrap_or_else(|| stripes_by_size(self.entries, self.bytes, self.workers));
        let most = self.entries.map_or(count, |entries| usize::try_from(entries).unwrap_or(count).max(1));
        if most < count { 1 << most.ilog2() } else { count }
    }
}

/// As many stripes as there are shares of 65,536 entries and 64 MiB, and at most four a worker: a small cache is one
/// exact LRU. Rounded down to a power of two, so that what nodes reconcile by itself lies in one stripe on each.
fn stripes_by_size(entries: Option<u64>, bytes: u64, workers: usize) -> usize {
    let by_entries = entries.map_or(u64::MAX, |entries| entries / 65_536);
    let by_bytes = bytes / (64 << 20);
    let most = by_entries.min(by_bytes).min(4 * workers as u64).clamp(1, u64::from(LANES));
    1 << most.ilog2()
}
