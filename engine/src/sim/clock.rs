//! Imagined wall clocks: each node's is a little wrong.

use crate::time::{Instant, UnixMs};

/// When every world begins: 2026-01-01 00:00 UTC.
pub(super) const BEGINNING: UnixMs = UnixMs(1_767_225_600_000);

/// The wall clock of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WallClock {
    /// How far it is from the truth, in milliseconds.
    pub(super) offset_ms: i64,
}

impl WallClock {
    /// What it shows.
    pub(super) fn read(self, now: Instant) -> UnixMs {
        UnixMs(truth(now).0.saturating_add_signed(self.offset_ms))
    }
}

/// What a right clock shows.
pub(super) fn truth(now: Instant) -> UnixMs {
    UnixMs(BEGINNING.0 + now.0 / 1_000)
}
