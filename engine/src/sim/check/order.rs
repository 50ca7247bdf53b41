//! P5: reads and writes of a key through its primary have an order: each takes effect at one moment between its
//! question and its answer, and reads see the latest.
//!
//! The search is Wing and Gong's with Lowe's memory ("Testing for Linearizability", 2016), an operation at a time: of
//! all orders only the states that they can lead to are kept. It begins whenever nothing is under way on the key, and
//! goes on from all the states in which the key can be then. A cache may forget at any moment, and its primary may have
//! forgotten what a replica still has: then a miss says nothing, and only what was deleted or replaced must not come
//! back. But where the key was found, in calm and while nothing moves, and no node has let it go since, a miss is a
//! read of nothing, and has its place in the order as well.

use alloc::vec::Vec;

use super::Content;
use crate::sorted::{SortedSet, sort_by_key};
use crate::time::Instant;

/// A key as its clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Anything: what was before is not known.
    Unknown,
    /// Cleared is there.
    Absent,
    /// That value.
    Value(Content),
}

/// What an operation turned out to have done or seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// It found that value.
    Found(Content),
    /// There was nothing for it to remove: from then on there is none.
    Cleared,
    /// It found something, whatever that was, and left it.
    Something,
    /// It replaced something, or that value, by this one.
    Replaced(Option<Content>, Content),
    /// It put this value where nothing was.
    Created(Content),
    /// It found something and removed it.
    Removed,
    /// It found something that is no number, and left it.
    NoNumber,
    /// It found nothing, and left it so.
    Missed,
    /// It may do this, now or later.
    Perhaps(Later),
}

/// What a write of unknown outcome may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// It puts this value there.
    Put(Content),
    /// It adds that much to the number that is there.
    Add(i64),
}

/// What happens on one key.
#[derive(Clone, Debug)]
pub(super) struct Register {
    /// Which time of calm or trouble this is about.
    round: u32,
    /// Operations since nothing was under way, in the order of their questions.
    ops: Vec<Op>,
    /// How many of them have no answer.
    open: u32,
    /// What the key can be, with each set of the `Perhaps` before that have come true.
    states: SortedSet<(State, u64)>,
    /// Writes whose outcome is unknown: what they do, and when it can come true no longer.
    perhaps: Vec<(Later, Instant)>,
    /// Too much overlapped: nothing is known until nothing is under way again.
    lost: bool,
    /// When some node let the key go last.
    let_go: Option<Instant>,
    /// The question and the answer of an operation that has found something since, or put it there, and in which time
    /// of calm it did.
    there: Option<(u32, Instant, Instant)>,
}

/// Which time it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// A number for this time of calm or trouble.
    pub(super) round: u32,
    /// Which of the two it is.
    pub(super) calm: bool,
    /// Since when nothing has moved; `None` where something does, or where that is not known.
    pub(super) steady: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Op {
    id: u64,
    asked: Instant,
    /// When it was answered, and what it did.
    answer: Option<(Instant, Option<Act>)>,
}

/// What an operation did, and whether the key cannot have been forgotten before it.
#[derive(Clone, Copy, Debug)]
struct Act {
    did: Did,
    firm: bool,
}

/// What became of a key when nothing was under way on it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Operations did not overlap, or there is nothing to say yet.
    Plain,
    /// They did, and an order was found.
    Order,
    /// There is none.
    None,
    /// There were too many.
    TooMany,
}

/// Operations under way at the same time, and unknown outcomes remembered, that the search takes on.
const UNDER_WAY: usize = 40;
const PERHAPS: usize = 12;
/// Operations without a pause that it takes on, and states that it keeps.
const OPS: usize = 2_000;
const STATES: usize = 5_000;
/// How long after its answer a write of unknown outcome may still take effect, in microseconds.
pub(super) const LATE: u64 = 20_000_000;

impl Default for Register {
    /// At the beginning there is nothing.
    fn default() -> Register {
        let states = [(State::Absent, 0)].into();
        let (ops, perhaps) = (Vec::new(), Vec::new());
        Register { round: 0, ops, open: 0, states, perhaps, lost: false, let_go: None, there: None }
    }
}

impl Register {
    /// Something is asked.
    pub(super) fn asked(&mut self, id: u64, at: Instant) {
        self.ops.push(Op { id, asked: at, answer: None });
        self.open += 1;
    }

    /// Some node has let the key go.
    pub(super) fn let_go(&mut self, at: Instant) {
        (self.let_go, self.there) = (Some(at), None);
    }

    /// When the oldest operation was asked that is under way.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.ops.iter().find(|op| op.answer.is_none()).map(|op| op.asked)
    }

    /// It is answered: it did nothing that counts when `did` is `None`.
    pub(super) fn answered(&mut self, id: u64, at: Instant, did: Option<Did>, time: Time) -> Found {
        let Time { round, calm, steady } = time;
        let Some(op) = self.ops.iter_mut().rev().find(|op| op.id == id && op.answer.is_none()) else {
            return Found::Plain;
        };
        let steady = steady.filter(|_| calm);
        let there = self.there.filter(|(then, asked, _)| *then == round && steady.is_some_and(|since| *asked >= since));
        let firm = there.is_some_and(|(_, _, told)| told < op.asked);
        let did = did.filter(|did| firm || *did != Did::Missed);
        op.answer = Some((at, did.map(|did| Act { did, firm })));
        let finds = did.is_some_and(Did::finds) && steady.is_some_and(|since| op.asked >= since);
        if there.is_none() && finds && self.let_go.is_none_or(|gone| op.asked > gone) {
            self.there = Some((round, op.asked, at));
        }
        self.open -= 1;
        if self.ops.len() > OPS {
            self.lost = true;
            self.ops.retain(|op| op.answer.is_none());
        }
        if self.open > 0 {
            return Found::Plain;
        }
        let mut ops = core::mem::take(&mut self.ops);
        let found = self.close(&ops, at, round, calm);
        ops.clear();
        self.ops = ops;
        found
    }

    /// Cleared is under way: can all that was be put into an order?
    fn close(&mut self, ops: &[Op], now: Instant, round: u32, calm: bool) -> Found {
        let lost = core::mem::take(&mut self.lost);
        if let Some(first) = ops.first() {
            self.forget(first.asked);
        }
        // What began in another time of calm or trouble says nothing of this one, which is held to its promises from
        // the first moment on at which nothing was under way.
        let fresh = core::mem::replace(&mut self.round, round) != round;
        let found = match (calm && !fresh, lost) {
            (true, false) => self.search(ops),
            (true, true) => Found::TooMany,
            (false, _) => Found::Plain,
        };
        for op in ops {
            if let Some((_, Some(Act { did: Did::Perhaps(later), .. }))) = op.answer {
                self.perhaps.push((later, Instant(now.0.saturating_add(LATE))));
            }
        }
        if fresh || !calm || matches!(found, Found::None | Found::TooMany) {
            self.states = [(State::Unknown, 0)].into();
        }
        self.forget(now);
        found
    }

    /// Forgets unknown outcomes that can come true no longer.
    fn forget(&mut self, now: Instant) {
        if self.perhaps.iter().any(|(_, until)| *until <= now) {
            self.come_true();
        }
        let mut index = 0;
        while index < self.perhaps.len() {
            if self.perhaps[index].1 > now {
                index += 1;
                continue;
            }
            self.perhaps.remove(index);
            let below = (1_u64 << index) - 1;
            let without = |set: u64| set & below | (set >> 1) & !below;
            self.states = self.states.iter().map(|(state, set)| (*state, without(*set))).collect();
        }
        if self.perhaps.len() > PERHAPS {
            // A write that may still come true explains any value: nothing is known while it may.
            self.states = [(State::Unknown, 0)].into();
        }
    }

    /// Adds what the key may have become since somebody looked last: what can come true no longer may have done so with
    /// nobody looking.
    fn come_true(&mut self) {
        let nothing_known = (State::Unknown, 0);
        let perhaps: Vec<Later> = self.perhaps.iter().map(|(later, _)| *later).collect();
        let mut left: Vec<(State, u64)> = self.states.iter().copied().collect();
        // Where nothing is known, nothing is ruled out either.
        while let Some((state, set)) = left.pop().filter(|_| !self.states.contains(&nothing_known)) {
            for next in may_become(state, set, &perhaps) {
                if self.states.insert(next) {
                    left.push(next);
                }
            }
            if self.states.len() > STATES {
                self.states = [nothing_known].into();
            }
        }
    }

    /// Can the key have that value at a moment at which nothing happens to it, in that time of calm?
    pub(super) fn may_be(&self, content: Content, round: u32) -> bool {
        let known = self.round == round && self.open == 0 && self.perhaps.is_empty();
        !known || self.states.iter().any(|(state, _)| [State::Unknown, State::Value(content)].contains(state))
    }

    /// One operation had the key for itself, and no outcome was unknown: most do, and there is nothing to search.
    fn alone(&mut self, act: Act) -> Found {
        if self.states.iter().any(|(state, _)| apply(*state, act) != Some(*state)) {
            self.states = self.states.iter().filter_map(|(state, set)| Some((apply(*state, act)?, *set))).collect();
        }
        if self.states.is_empty() { Found::None } else { Found::Plain }
    }

    fn search(&mut self, ops: &[Op]) -> Found {
        if let ([Op { answer: Some((_, act)), .. }], true) = (ops, self.perhaps.is_empty())
            && !act.is_some_and(|act| matches!(act.did, Did::Perhaps(_)))
        {
            return act.map_or(Found::Plain, |act| self.alone(act));
        }
        let known = self.perhaps.len();
        let outcomes = ops.iter().filter_map(|op| op.answer.and_then(|(end, did)| Some((op.asked, end, did?))));
        let mut perhaps: Vec<Later> = self.perhaps.iter().map(|(later, _)| *later).collect();
        // (question, answer, what it did, bit); an unknown outcome has no answer, and its bit comes first.
        let mut sure = Vec::new();
        let mut begun = Vec::new();
        for (asked, end, act) in outcomes {
            match act.did {
                Did::Perhaps(later) => {
                    begun.push(asked);
                    perhaps.push(later);
                }
                _ => sure.push((asked, end, act)),
            }
        }
        if perhaps.len() > PERHAPS {
            return Found::TooMany;
        }
        // States: the key, the unknown outcomes that have come true, and of the operations under way those that are
        // done.
        let mut configurations: SortedSet<(State, u64, u64)> =
            self.states.iter().map(|(state, set)| (*state, *set, 0)).collect();
        let mut by_answer: Vec<usize> = (0..sure.len()).collect();
        sort_by_key(&mut by_answer, |index| (sure[*index].1, *index));
        let mut overlap = false;
        let mut slots: Vec<Option<usize>> = Vec::new();
        let (mut next, mut late) = (0, known);
        for index in by_answer {
            let (_, end, _) = sure[index];
            // Everything asked before this answer may take effect before it.
            while next < sure.len() && sure[next].0 <= end {
                match slots.iter_mut().find(|slot| slot.is_none()) {
                    Some(slot) => *slot = Some(next),
                    None => slots.push(Some(next)),
                }
                next += 1;
            }
            while late < perhaps.len() && begun[late - known] <= end {
                late += 1;
            }
            let under_way = slots.iter().flatten().count();
            overlap |= under_way > 1;
            if under_way > UNDER_WAY || slots.len() > 60 {
                return Found::TooMany;
            }
            let slot = slots.iter().position(|slot| *slot == Some(index)).expect("asked before it is answered");
            let Some(after) = step(&configurations, slot, &slots, &sure, &perhaps[..late]) else {
                return Found::TooMany;
            };
            slots[slot] = None;
            if after.is_empty() {
                return Found::None;
            }
            configurations = after;
        }
        self.states = configurations.into_iter().map(|(state, set, _)| (state, set)).collect();
        if overlap { Found::Order } else { Found::Plain }
    }
}

type Sure = (Instant, Instant, Act);

impl Did {
    /// Was something there, or is it now?
    fn finds(self) -> bool {
        !matches!(self, Did::Cleared | Did::Removed | Did::Missed | Did::Perhaps(_))
    }
}

/// Every configuration in which the operation of that slot is done, its bit cleared. `None` when there are too many.
fn step(
    from: &SortedSet<(State, u64, u64)>,
    slot: usize,
    slots: &[Option<usize>],
    sure: &[Sure],
    perhaps: &[Later],
) -> Option<SortedSet<(State, u64, u64)>> {
    let mut seen = from.clone();
    let mut left: Vec<(State, u64, u64)> = from.iter().copied().collect();
    let mut done = SortedSet::new();
    while let Some((state, set, bits)) = left.pop() {
        if bits >> slot & 1 == 1 {
            done.insert((state, set, bits & !(1 << slot)));
            continue;
        }
        let ops = slots.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 0);
        let ops = ops.filter_map(|(place, index)| Some((place, sure[(*index)?].2)));
        let moved = ops.filter_map(|(place, act)| Some((apply(state, act)?, set, bits | 1 << place)));
        let unknown = may_become(state, set, perhaps).map(|(state, set)| (state, set, bits));
        for next in moved.chain(unknown) {
            if seen.insert(next) {
                left.push(next);
            }
        }
        if seen.len() > STATES {
            return None;
        }
    }
    Some(done)
}

/// What the key is after that was done, or `None` when it cannot have been done in that state.
fn apply(state: State, Act { did, firm }: Act) -> Option<State> {
    // What cannot have been forgotten is there.
    let empty = !firm || !matches!(state, State::Value(_));
    let is = |value: Content| matches!(state, State::Unknown) || state == State::Value(value);
    let present = state != State::Absent;
    match did {
        Did::Found(value) => is(value).then_some(State::Value(value)),
        Did::Cleared => empty.then_some(State::Absent),
        Did::Missed => empty.then_some(state),
        Did::Something => present.then_some(state),
        Did::Replaced(Some(old), new) => is(old).then_some(State::Value(new)),
        Did::Replaced(None, new) => present.then_some(State::Value(new)),
        Did::Removed => present.then_some(State::Absent),
        Did::Created(value) => empty.then_some(State::Value(value)),
        Did::NoNumber => {
            let fits = matches!(state, State::Unknown | State::Value(Content::Bytes(_)));
            fits.then_some(state)
        }
        Did::Perhaps(_) => unreachable!("what is unknown is no step of its own"),
    }
}

/// What a key may become by those of the writes of unknown outcome that have not come true yet.
fn may_become(state: State, set: u64, perhaps: &[Later]) -> impl Iterator<Item = (State, u64)> {
    let unknown = perhaps.iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 0);
    unknown.flat_map(move |(bit, later)| {
        let become_of = become_of(state, *later).into_iter().flatten();
        become_of.map(move |state| (state, set | 1 << bit))
    })
}

/// What a key may become by a write of unknown outcome. A sum may also begin anew: caches forget.
fn become_of(state: State, later: Later) -> [Option<State>; 2] {
    let number = |number| State::Value(Content::Number(number));
    match (later, state) {
        (Later::Put(value), _) => [Some(State::Value(value)), None],
        (Later::Add(by), State::Value(Content::Number(before))) => {
            [before.checked_add(by).map(number), Some(number(by))]
        }
        (Later::Add(by), State::Absent | State::Value(Content::Bytes(_))) => [Some(number(by)), None],
        // Whatever it is, it is not known afterwards either.
        (Later::Add(_), State::Unknown) => [None, None],
    }
}

#[cfg(test)]
mod tests;
