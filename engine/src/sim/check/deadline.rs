//! P6 for deadlines that move: what was promised by a touch holds until something else changes the entry.
//!
//! In calm, a touch that nothing else overlapped says when the entry expires. From then on each read through the
//! primary finds that deadline, or nothing: increments keep it, replication and moves carry it along. Whatever may
//! write another one, also by beginning anew what was forgotten, ends that.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::order::LATE;
use crate::request::{Answer, Entry, Key};
use crate::sim::client::{Reply, Verb};
use crate::sim::clock::truth;
use crate::time::{Instant, UnixMs};

/// The deadline of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadline {
    /// Changes under way, and whether two of them have been since there was none.
    open: u32,
    overlap: bool,
    /// Until when a change of unknown outcome may still happen.
    unsure: Option<Instant>,
    promised: Option<Promised>,
}

/// What a touch has said.
#[derive(Clone, Copy, Debug)]
struct Promised {
    asked: Instant,
    told: Instant,
    /// The earliest and the latest moment that was meant, by any clock; `None` for never.
    within: Option<(UnixMs, UnixMs)>,
}

impl Deadline {
    /// Something is asked that may change the entry.
    pub(super) fn asked(&mut self, verb: &Verb) {
        self.overlap |= self.open > 0;
        self.open += 1;
        if !matches!(verb, Verb::Increment { .. }) {
            self.promised = None;
        }
    }

    /// It has ended. `unknown` says that it may still happen, `calm` that the cluster has been calm since it was asked.
    pub(super) fn told(&mut self, verb: &Verb, reply: &Reply, (asked, told): (Instant, Instant), how: Ended) {
        let kept = matches!(reply, Reply::Outcome(Ok(Answer::Added { created: false, .. }))) || how.refused;
        if !kept {
            self.promised = None;
        }
        if how.unknown {
            self.unsure = Some(Instant(told.0.saturating_add(LATE)));
        }
        let sure = self.unsure.is_none_or(|until| until <= asked);
        if let (Verb::Touch { ttl, .. }, Reply::Outcome(Ok(Answer::Touched { .. }))) = (verb, reply)
            && how.calm
            && sure
            && !self.overlap
        {
            let within = ttl.and_then(|ttl| {
                let earliest = UnixMs((truth(asked).checked_add(ttl)?.0).saturating_sub(millis(how.skew)));
                Some((earliest, truth(told).checked_add(ttl)?.checked_add(how.skew)?))
            });
            self.promised = Some(Promised { asked, told, within });
        }
        self.open = self.open.saturating_sub(1);
        self.overlap &= self.open > 0;
    }

    /// A read through the primary that was asked at that moment has found that entry. What is wrong with its deadline?
    pub(super) fn read(
        &self,
        key: &Key,
        entry: &Entry,
        asked: Instant,
        is_calm_since: impl Fn(Instant) -> bool,
    ) -> Option<String> {
        let promised = self.promised.filter(|promised| self.open == 0 && promised.told < asked)?;
        let kept = match (entry.deadline, promised.within) {
            (None, None) => true,
            (Some(deadline), Some((earliest, latest))) => (earliest..=latest).contains(&deadline),
            _ => false,
        };
        (!kept && is_calm_since(promised.asked)).then(|| {
            let (deadline, within) = (entry.deadline, promised.within);
            format!("{key:?} expires at {deadline:?}, and a touch that was acknowledged before meant {within:?}")
        })
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// It may still happen.
    pub(super) unknown: bool,
    /// It certainly did not happen.
    pub(super) refused: bool,
    /// The cluster has been calm since it was asked.
    pub(super) calm: bool,
    /// How far clocks may be apart.
    pub(super) skew: Duration,
}

fn millis(span: Duration) -> u64 {
    span.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;
    use crate::id::{NodeId, Version};
    use crate::request::{Value, WriteLevel};

    const TTL: Duration = Duration::from_secs(10);
    const SKEW: Duration = Duration::from_millis(100);
    const LEVEL: WriteLevel = WriteLevel::Live;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000)
    }

    /// An operation from its question to its answer, in milliseconds.
    fn does(deadline: &mut Deadline, verb: &Verb, outcome: Result<Answer, Failure>, (asked, told): (u64, u64)) {
        deadline.asked(verb);
        ends(deadline, verb, outcome, (asked, told));
    }

    fn ends(deadline: &mut Deadline, verb: &Verb, outcome: Result<Answer, Failure>, (asked, told): (u64, u64)) {
        let unknown = matches!(outcome, Err(Failure::Timeout));
        let how = Ended { unknown, refused: outcome == Err(Failure::Overflow), calm: true, skew: SKEW };
        deadline.told(verb, &Reply::Outcome(outcome), (at(asked), at(told)), how);
    }

    fn added(created: bool) -> Result<Answer, Failure> {
        Ok(Answer::Added { value: 1, version: Version::ZERO, copies: 1, created })
    }

    #[test]
    fn what_a_touch_has_said_holds_until_something_else_is_written() {
        let (add, touch) = (Verb::Increment { by: 1, level: LEVEL }, Verb::Touch { ttl: Some(TTL), level: LEVEL });
        let persist = Verb::Touch { ttl: None, level: LEVEL };
        let touched = || Ok(Answer::Touched { version: Version { stamp: 1, node: NodeId(1) }, copies: 1 });
        let meant = truth(at(0)).checked_add(TTL);
        let moved = |by: i64| meant.map(|meant| UnixMs(meant.0.saturating_add_signed(by)));
        let wrong = |deadline: &Deadline, found: Option<UnixMs>| {
            let entry = Entry { value: Value::default(), version: Version::ZERO, deadline: found };
            deadline.read(&Key::new("k").expect("a key"), &entry, at(50), |_| true).is_some()
        };
        let after = |acts: &dyn Fn(&mut Deadline)| {
            let mut deadline = Deadline::default();
            does(&mut deadline, &touch, touched(), (0, 10));
            acts(&mut deadline);
            [moved(0), moved(-101), moved(111), None].map(|found| wrong(&deadline, found))
        };
        let (held, free) = ([false, true, true, true], [false; 4]);
        assert_eq!(after(&|_| {}), held);
        assert_eq!(after(&|deadline| does(deadline, &add, added(false), (11, 12))), held);
        assert_eq!(after(&|deadline| does(deadline, &add, Err(Failure::Overflow), (11, 12))), held);
        assert_eq!(after(&|deadline| does(deadline, &add, added(true), (11, 12))), free);
        assert_eq!(after(&|deadline| does(deadline, &add, Err(Failure::Timeout), (11, 12))), free);
        assert_eq!(after(&|deadline| deadline.asked(&add)), free, "it may be made anew just now");
        assert_eq!(after(&|deadline| does(deadline, &Verb::Delete(LEVEL), Err(Failure::Overflow), (11, 12))), free);
        assert_eq!(after(&|deadline| does(deadline, &persist, touched(), (11, 12))), [true, true, true, false]);
        // Two at once: either may be the last.
        let both = |deadline: &mut Deadline| {
            deadline.asked(&touch);
            does(deadline, &persist, touched(), (12, 13));
            ends(deadline, &touch, touched(), (11, 14));
        };
        assert_eq!(after(&both), free);
        // A change of unknown outcome may come for a while.
        let unsure = |deadline: &mut Deadline| {
            does(deadline, &persist, Err(Failure::Timeout), (11, 12));
            does(deadline, &persist, touched(), (13, 14));
        };
        assert_eq!(after(&unsure), free);
        assert_eq!(after(&|deadline| does(deadline, &add, added(false), (50, 51))), held);
    }
}
