//! How much a shard takes on at a time, and for how long it remembers: bounds that the server leaves as they are, and
//! that a simulation makes unusually narrow, so that small clusters meet them too.
//!
//! FoundationDB calls such a place a *buggify* point: the behaviour is rare and legal, and a run may make it common.
//! Whatever is set here, no promise may be broken.

use core::time::Duration;

use super::Shard;
use crate::id::{LANES, Version};
use crate::limits;
use crate::message::ANSWER_MEMORY;
use crate::store::Policy;
use crate::time::UnixMs;

/// The bounds of one shard. What [`limits`] says stays the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Things that are done in one go: keys and floors of a page, places that are compared, keys that are settled,
    /// entries that expire. At least 1.
    pub batch: u32,
    /// Requests that wait for peers ([`limits::MAX_PENDING`]).
    pub pending: usize,
    /// Bytes of values that they hold ([`limits::MAX_PENDING_BYTES`]).
    pub pending_bytes: usize,
    /// Requests that wait for the same peer ([`limits::MAX_PENDING_FOR_PEER`]).
    pub pending_for_peer: usize,
    /// Requests whose messages to the same peer are being repeated ([`limits::MAX_REPEATING`]). At least 1.
    pub repeating: usize,
    /// Answers to forwarded writes that the stripes of a node remember together ([`limits::MAX_ANSWERED`]).
    pub answered: usize,
    /// How long such an answer is remembered after the deadline of its request ([`ANSWER_MEMORY`]). None at all is
    /// legal: what is forgotten leaves its number behind, and is not done again.
    pub answer_memory: Duration,
    /// How long a pull waits that found no room for its questions.
    pub pause: Duration,
}

/// When unanswered messages are repeated: exponential backoff, with jitter of up to half a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Default for Retry {
    /// A peer on the same network answers within milliseconds; 100 ms without an answer is a lost message.
    fn default() -> Retry {
        Retry { first: Duration::from_millis(100), most: Duration::from_secs(2) }
    }
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            batch: u32::MAX,
            pending: limits::MAX_PENDING,
            pending_bytes: limits::MAX_PENDING_BYTES,
            pending_for_peer: limits::MAX_PENDING_FOR_PEER,
            repeating: limits::MAX_REPEATING,
            answered: limits::MAX_ANSWERED,
            answer_memory: ANSWER_MEMORY,
            pause: Duration::from_millis(100),
        }
    }
}

impl Tuning {
    /// The same within what is legal.
    fn legal(self) -> Tuning {
        let most = Tuning::default();
        Tuning {
            batch: self.batch.max(1),
            pending: self.pending.min(most.pending),
            pending_bytes: self.pending_bytes.min(most.pending_bytes),
            pending_for_peer: self.pending_for_peer.min(most.pending_for_peer),
            repeating: self.repeating.clamp(1, most.repeating),
            answered: self.answered.min(most.answered),
            ..self
        }
    }

    /// Answers that a stripe of so many lanes remembers.
    pub(super) fn answered_in(&self, lanes: u32) -> usize {
        self.answered * lanes as usize / usize::from(LANES)
    }
}

impl Shard {
    /// Chooses by that policy who goes when its store is full. It must be said before anything is held.
    pub fn evict_by(&mut self, policy: Policy) {
        self.store.evict_by(policy);
    }

    /// Gives no version above that one from now on, and turns writes away that would need one: it has to be on disk
    /// before, so that a later self starts above it.
    pub fn give_up_to(&mut self, version: Version) {
        self.clock.give_up_to(version);
    }

    /// May a version be given now?
    pub fn may_give(&self, now: UnixMs) -> bool {
        self.clock.may_give(now, Version::ZERO)
    }

    /// Bytes of values that its open requests hold.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// They may be so many from now on: what the other shards of its node leave of [`limits::MAX_PENDING_BYTES`].
    pub fn bound_pending_bytes(&mut self, most: usize) {
        self.tuning.pending_bytes = most.min(limits::MAX_PENDING_BYTES);
    }

    /// Keeps within these bounds from now on.
    pub fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning.legal();
        self.awaited.bound(self.tuning.pending_for_peer, self.tuning.repeating);
    }
}
