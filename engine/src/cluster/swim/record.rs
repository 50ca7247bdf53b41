//! What a membership protocol was told, so that a clone can be told the same.
//!
//! `foca` cannot be cloned; a simulated world must be. So in the simulator all that it is told is kept, and a clone is
//! made by telling a new one the same. Clones share what they were told before they parted.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use foca::{Member, Timer};

use super::identity::Identity;

/// Something that the protocol was told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// One of its timers is due.
    Timer(Timer<Identity>),
    /// A packet has come.
    Packet(Bytes),
    /// This is known of a member from elsewhere; with `true` others are to be told.
    Known(Member<Identity>, bool),
    /// This node leads that life from now on.
    Life(u64),
    /// The cluster has that many members.
    Size(u16),
}

/// All that was told, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    full: Vec<Arc<[Told]>>,
    open: Vec<Told>,
}

impl Record {
    pub(super) fn push(&mut self, told: Told) {
        self.open.push(told);
        if self.open.len() == CHUNK {
            self.full.push(self.open.drain(..).collect());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Told> {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(&self.open)
    }

    /// It has been told so much that a clone would take long to make.
    pub(super) fn is_full(&self) -> bool {
        self.full.len() >= CHUNKS
    }

    pub(super) fn clear(&mut self) {
        (self.full, self.open) = (Vec::new(), Vec::new());
    }
}

/// What clones copy is less than this; the rest they share.
const CHUNK: usize = 256;
/// Some 65,000 of them are most of an hour of a small cluster, and told again within a tenth of a second.
const CHUNKS: usize = 256;
