//! The record of a real cluster's clients, held to what can be seen from outside.
//!
//! The same checkers as in a world: P1 and P6 for every value that was read, P3 by the order of answers, P5, and P8;
//! and P2 for counters, which do not begin anew in a cluster with room for all. What nodes hold is not seen, so that
//! the rest of P2 and P4 are left to whoever drives the cluster.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Checks, Violation, is_unknown};
use crate::id::NodeId;
use crate::request::Answer;
use crate::sim::client::{Ask, Reply, Told, Verb};
use crate::sim::mark::Marks;
use crate::time::Instant;

/// What clients of a real cluster asked and were told, by one clock, and when the cluster was in trouble.
#[derive(Clone, Debug, Default)]
pub struct Record {
    told: Vec<Told>,
    troubles: Vec<(Instant, Instant)>,
}

/// What happens at one moment, in the order in which it is taken in: an answer comes after a question of the same
/// moment, so that the two may have been at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    TroubleBegins,
    Asked,
    Answered,
    TroubleEnds,
}

impl Record {
    /// Nothing yet.
    pub fn new() -> Record {
        Record::default()
    }

    /// Takes an operation in that has ended, in any order. The numbers of operations differ; a lost answer ends when
    /// the client stopped waiting.
    pub fn told(&mut self, told: Told) {
        self.told.push(told);
    }

    /// From the first to the second moment somebody was down, cut off or suspected: P3 and P5 are promised again a
    /// while after it. Troubles may overlap.
    pub fn trouble(&mut self, from: Instant, to: Instant) {
        self.troubles.push((from, to));
    }

    /// How many operations were taken in.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// True when none was.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The promises that were broken, with clocks that differ by `skew` at most, and what the checkers came across.
    pub fn judge(&self, skew: Duration) -> (Vec<Violation>, Marks) {
        let mut checks = Checks { sees_nodes: false, ..Checks::new(skew) };
        let mut all: Vec<(Instant, Happens, usize)> = Vec::new();
        for (index, told) in self.told.iter().enumerate() {
            all.extend([(told.asked, Happens::Asked, index), (told.told, Happens::Answered, index)]);
        }
        for (index, (from, to)) in self.troubles.iter().enumerate() {
            all.extend([(*from, Happens::TroubleBegins, index), (*to, Happens::TroubleEnds, index)]);
        }
        all.sort_unstable();
        let mut troubles = 0;
        for (at, happens, index) in all {
            match happens {
                Happens::Asked => {
                    let told = &self.told[index];
                    checks.asked(&told.ask, at);
                    let (ask, reached) = latest(told);
                    checks.reached(&ask, reached);
                    if may_remove(&told.ask.verb) {
                        checks.keys.get_or_default(&ask.key).counted.let_go(Instant::NEVER);
                    }
                }
                Happens::Answered => {
                    let Told { ask, asked, reply, .. } = &self.told[index];
                    if let Reply::Outcome(Ok(Answer::Found(_))) = reply {
                        checks.answered(ask, *asked, reply, at, core::iter::empty());
                    }
                    checks.told(ask, *asked, reply, at);
                }
                Happens::TroubleBegins => {
                    troubles += 1;
                    checks.calm.crashed(SOMEBODY, at);
                }
                Happens::TroubleEnds => {
                    troubles -= 1;
                    if troubles == 0 {
                        checks.calm.started(SOMEBODY, at);
                    }
                }
            }
        }
        (checks.violations, checks.marks)
    }
}

/// The latest moment at which the node can have begun with a write, which its deadline is counted from. Who knows when
/// one without an answer was carried out: its value is held to no deadline.
fn latest(told: &Told) -> (Ask, Instant) {
    let mut ask = told.ask.clone();
    if let Verb::Set { ttl, .. } | Verb::Touch { ttl, .. } = &mut ask.verb
        && is_unknown(&told.reply)
    {
        *ttl = None;
    }
    (ask, told.told)
}

/// May the key go by that, at a moment that nobody tells?
fn may_remove(verb: &Verb) -> bool {
    match verb {
        Verb::Set { ttl, .. } | Verb::Touch { ttl, .. } => ttl.is_some(),
        Verb::Delete(_) => true,
        Verb::Get(_) | Verb::Increment { .. } => false,
    }
}

/// Who is in trouble is not told.
const SOMEBODY: NodeId = NodeId(0);

#[cfg(test)]
mod tests {
    use super::super::calm::BOUND;
    use super::super::{Checks, Promise};
    use super::*;
    use crate::error::Failure;
    use crate::id::Version;
    use crate::request::{Condition, Entry, Key, ReadLevel, Value, WriteLevel};
    use crate::time::UnixMs;
    use alloc::vec;

    const SECOND: u64 = 1_000_000;

    fn told(asked: u64, answered: u64, verb: Verb, reply: Reply) -> Told {
        let key = Key::new("k").expect("a key");
        let ask = Ask { id: 0, client: 1, node: NodeId(1), key, verb, timeout: Duration::from_secs(1) };
        Told { ask, asked: Instant(asked), told: Instant(answered), reply }
    }

    fn set(asked: u64, answered: u64, value: &'static str, ttl: Option<u64>) -> Told {
        let reply = Answer::Stored { version: version(asked), copies: 2, created: true };
        let verb = Verb::Set {
            value: value.into(),
            ttl: ttl.map(Duration::from_secs),
            condition: Condition::Always,
            level: WriteLevel::Live,
        };
        told(asked, answered, verb, Reply::Outcome(Ok(reply)))
    }

    fn lost(mut told: Told) -> Told {
        told.reply = Reply::Lost;
        told
    }

    fn version(at: u64) -> Version {
        Version { stamp: at, node: NodeId(1) }
    }

    fn read(asked: u64, answered: u64, value: &'static str, stamp: u64) -> Told {
        let value = Value { bytes: value.into(), ..Value::default() };
        let entry = Entry { value, version: version(stamp), deadline: None::<UnixMs> };
        told(asked, answered, Verb::Get(ReadLevel::Primary), Reply::Outcome(Ok(Answer::Found(entry))))
    }

    fn deleted(asked: u64, answered: u64) -> Told {
        let reply = Answer::Deleted { existed: true, copies: 2 };
        told(asked, answered, Verb::Delete(WriteLevel::Live), Reply::Outcome(Ok(reply)))
    }

    fn check(record: Vec<Told>, troubles: &[(u64, u64)], expected: &[Promise]) {
        let mut whole = Record::new();
        for (id, mut told) in (0..).zip(record) {
            told.ask.id = id;
            whole.told(told);
        }
        troubles.iter().for_each(|(from, to)| whole.trouble(Instant(*from), Instant(*to)));
        let (violations, _) = whole.judge(Duration::from_millis(500));
        let mut promises: Vec<Promise> = violations.iter().map(|violation| violation.promise).collect();
        promises.dedup();
        assert_eq!(promises, expected, "{violations:?}");
    }

    #[test]
    fn a_record_is_held_to_what_is_seen_from_outside() {
        check(vec![set(1, 2, "a", None), read(3, 4, "a", 1)], &[], &[]);
        check(vec![set(1, 2, "a", None), read(3, 4, "b", 1)], &[], &[Promise::NoInvention, Promise::Order]);
        // Two writes that were answered, then the first one's value.
        let back = || vec![set(1, 2, "a", None), set(3, 4, "b", None), read(5, 6, "a", 1)];
        check(back(), &[], &[Promise::NoGhosts, Promise::Order]);
        check(vec![set(1, 2, "a", None), deleted(3, 4), read(5, 6, "a", 1)], &[], &[Promise::NoGhosts, Promise::Order]);
        // A write without an answer may come at any time, once.
        check(vec![lost(set(1, 2, "a", None)), set(3, 4, "b", None), read(5, 6, "a", 1)], &[], &[]);
        // In trouble, and for a while after it, there is no order; later there is.
        check(back(), &[(2, 3)], &[]);
        let bound = BOUND.as_micros() as u64;
        let later =
            |told: Told| Told { asked: told.asked + (BOUND + BOUND), told: told.told + (BOUND + BOUND), ..told };
        let calm = || [read(1, 2, "b", 3)].into_iter().chain(back()).map(later).collect::<Vec<_>>();
        check([back(), calm()].concat(), &[(2, bound)], &[Promise::NoGhosts, Promise::Order]);
    }

    #[test]
    fn a_counter_that_nobody_removes_does_not_begin_anew() {
        let add = |asked: u64, value: i64, created: bool| {
            let verb = Verb::Increment { by: 1, level: WriteLevel::Live };
            let answer = Answer::Added { value, version: version(asked), copies: 2, created };
            told(asked, asked + 1, verb, Reply::Outcome(Ok(answer)))
        };
        let touch = |ttl: Option<u64>| {
            let verb = Verb::Touch { ttl: ttl.map(Duration::from_secs), level: WriteLevel::Live };
            told(2, 90, verb, Reply::Lost)
        };
        let anew = |between: Vec<Told>| [vec![add(1, 1, true)], between, vec![add(50, 1, true)]].concat();
        check(vec![add(1, 1, true), add(50, 2, false)], &[], &[]);
        check(anew(vec![]), &[], &[Promise::NoLoss]);
        check(anew(vec![touch(None)]), &[], &[Promise::NoLoss]);
        // It may have gone, whether its end was told or not; or all that had it were down.
        check(anew(vec![touch(Some(1))]), &[], &[]);
        check(anew(vec![lost(deleted(2, 90))]), &[], &[]);
        check(anew(vec![]), &[(3, 40)], &[]);
    }

    #[test]
    fn a_deadline_counts_from_the_answer_of_its_write() {
        let at = |value: &'static str, seconds: u64| read(seconds * SECOND, seconds * SECOND + 1, value, 1);
        let written = |answered: u64| set(answered * SECOND - 9, answered * SECOND, "a", Some(10));
        check(vec![written(1), at("a", 11)], &[], &[]);
        check(vec![written(1), at("a", 12)], &[], &[Promise::Ttl]);
        check(vec![written(3), at("a", 13)], &[], &[]);
        check(vec![lost(written(1)), at("a", 60)], &[], &[]);
    }

    #[test]
    fn a_question_without_an_end_is_late() {
        let timeout = Reply::Outcome(Err(Failure::Timeout));
        let late = told(1, 60 * SECOND, Verb::Get(ReadLevel::Primary), timeout);
        check(vec![late], &[], &[Promise::Progress]);
        assert!(Checks::new(Duration::ZERO).violations().is_empty());
    }
}
