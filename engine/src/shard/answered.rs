//! The answers to forwarded writes, remembered for as long as the question may be repeated.
//!
//! A `Forward` may arrive twice: the network repeats it, or the coordinator does because the answer was lost. A write
//! must not be carried out twice for it: in between, somebody else may have written.
//!
//! A copy may also be held up on its way for longer than any answer is remembered, while its sender is spoken to by
//! another way. So what is forgotten leaves its number behind: a coordinator counts upwards, and whatever is not above
//! the highest number that was forgotten comes too late.

use alloc::sync::Arc;
use core::hash::{Hash, Hasher};

use crate::id::{NodeId, RequestId};
use crate::limits;
use crate::request::Outcome;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    /// Clones share the outcomes, which never change: the simulator keeps hundreds of clones of a node.
    answers: SortedMap<RequestId, (Instant, Option<Arc<Outcome>>)>,
    by_age: SortedSet<(Instant, RequestId)>,
    /// For each count of a coordinator the highest number that was forgotten, and when.
    forgotten: SortedMap<(NodeId, u64), (u64, Instant)>,
}

/// Every stripe of a node begins to count at a random number when it starts: numbers that differ above these bits are
/// of different counts.
const COUNTED: u32 = 40;

/// What is known of a forwarded write.
pub(super) enum Known {
    /// Nothing: carry it out.
    New,
    /// It is being carried out: the answer will come.
    Running,
    /// It has this answer.
    Done(Outcome),
    /// It comes too late: what became of it is forgotten, and nobody waits for it.
    Late,
}

impl Answered {
    /// A forwarded write arrives that may be repeated until `until`.
    pub(super) fn ask(&self, id: RequestId) -> Known {
        match self.answers.get(&id) {
            None => match self.forgotten.get(&count(id)) {
                Some((highest, _)) if id.serial <= *highest => Known::Late,
                _ => Known::New,
            },
            Some((_, None)) => Known::Running,
            Some((_, Some(outcome))) => Known::Done(Outcome::clone(outcome)),
        }
    }

    /// How many are remembered. Taking one more than there is room for would risk carrying it out twice.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    /// It is being carried out.
    pub(super) fn begin(&mut self, id: RequestId, until: Instant) {
        self.answers.insert(id, (until, None));
        self.by_age.insert((until, id));
    }

    /// It is not carried out, and no copy of it may be: nor anything that the coordinator has begun before it and that
    /// has not come yet.
    pub(super) fn turn_away(&mut self, id: RequestId, now: Instant) {
        let highest = self.forgotten.get(&count(id)).map_or(0, |(highest, _)| *highest);
        self.forgotten.insert(count(id), (highest.max(id.serial), now));
    }

    /// It has this answer. Does nothing when it was never begun or is long forgotten.
    pub(super) fn end(&mut self, id: RequestId, outcome: &Outcome) {
        if let Some((_, answer)) = self.answers.get_mut(&id) {
            *answer = Some(Arc::new(outcome.clone()));
        }
    }

    /// Forgets what can no longer be repeated.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((until, id)) = self.by_age.first().copied().filter(|(until, _)| *until <= now) {
            self.by_age.remove(&(until, id));
            self.answers.remove(&id);
            self.turn_away(id, now);
        }
        if self.forgotten.len() > limits::MAX_COUNTS {
            let oldest = self.forgotten.iter().min_by_key(|(_, (_, at))| *at).map(|(count, _)| *count);
            oldest.and_then(|oldest| self.forgotten.remove(&oldest));
        }
    }

    pub(super) fn digest(&self, state: &mut impl Hasher) {
        self.answers.iter().for_each(|(id, (_, outcome))| (id, outcome).hash(state));
        self.forgotten.iter().for_each(|(count, (highest, _))| (count, highest).hash(state));
    }

    /// When there is next something to forget.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.by_age.first().map(|(until, _)| *until)
    }
}

fn count(id: RequestId) -> (NodeId, u64) {
    (id.node, id.serial >> COUNTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_not_done_again() {
        let id = |node, serial| RequestId { node: NodeId(node), serial };
        let mut answered = Answered::default();
        for serial in [7, 5] {
            answered.begin(id(1, serial), Instant(serial));
        }
        let is_new = |answered: &Answered, id| matches!(answered.ask(id), Known::New);
        let is_late = |answered: &Answered, id| matches!(answered.ask(id), Known::Late);
        assert!(is_new(&answered, id(1, 6)) && !is_new(&answered, id(1, 5)));
        answered.forget(Instant(7));
        assert!(is_late(&answered, id(1, 5)) && is_late(&answered, id(1, 6)) && is_late(&answered, id(1, 7)));
        assert!(is_new(&answered, id(1, 8)) && is_new(&answered, id(2, 5)) && is_new(&answered, id(1, 5 << COUNTED)));
        // Counts are forgotten one by one when there are too many, the oldest first.
        for node in 2..=limits::MAX_COUNTS as u16 + 1 {
            answered.begin(id(node, 1), Instant(u64::from(node) + 10));
            answered.forget(Instant(u64::from(node) + 10));
        }
        assert!(is_new(&answered, id(1, 5)) && is_late(&answered, id(2, 1)));
    }
}
