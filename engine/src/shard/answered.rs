//! The answers to forwarded writes, remembered for as long as the question may be repeated.
//!
//! A `Forward` may arrive twice: the network repeats it, or the coordinator does because the answer was lost. A write
//! must not be carried out twice for it: in between, somebody else may have written.

use alloc::collections::{BTreeMap, BTreeSet};
use core::hash::{Hash, Hasher};

use crate::id::{LANES, Lanes, RequestId};
use crate::limits;
use crate::request::Outcome;
use crate::time::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    answers: BTreeMap<RequestId, (Instant, Option<Outcome>)>,
    by_age: BTreeSet<(Instant, RequestId)>,
}

/// What is known of a forwarded write.
pub(super) enum Known {
    /// Nothing: carry it out.
    New,
    /// It is being carried out: the answer will come.
    Running,
    /// It has this answer.
    Done(Outcome),
}

impl Answered {
    /// A forwarded write arrives that may be repeated until `until`.
    pub(super) fn ask(&self, id: RequestId) -> Known {
        match self.answers.get(&id) {
            None => Known::New,
            Some((_, None)) => Known::Running,
            Some((_, Some(outcome))) => Known::Done(outcome.clone()),
        }
    }

    /// True when no more writes to those lanes can be remembered: taking one more would risk carrying it out twice.
    pub(super) fn is_full(&self, lanes: Lanes) -> bool {
        self.answers.len() >= limits::MAX_ANSWERED / usize::from(LANES) * lanes.len() as usize
    }

    /// It is being carried out.
    pub(super) fn begin(&mut self, id: RequestId, until: Instant) {
        self.answers.insert(id, (until, None));
        self.by_age.insert((until, id));
    }

    /// It has this answer. Does nothing when it was never begun or is long forgotten.
    pub(super) fn end(&mut self, id: RequestId, outcome: &Outcome) {
        if let Some((_, answer)) = self.answers.get_mut(&id) {
            *answer = Some(outcome.clone());
        }
    }

    /// Forgets what can no longer be repeated.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((until, id)) = self.by_age.first().copied().filter(|(until, _)| *until <= now) {
            self.by_age.remove(&(until, id));
            self.answers.remove(&id);
        }
    }

    pub(super) fn digest(&self, state: &mut impl Hasher) {
        self.answers.iter().for_each(|(id, (_, outcome))| (id, outcome).hash(state));
    }

    /// When there is next something to forget.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.by_age.first().map(|(until, _)| *until)
    }
}
