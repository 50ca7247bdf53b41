//! Two runs that were one up to some moment: where they first differ, and in what they differ now.

use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::sim::{Machine, TraceEvent, World};
use vitrine_engine::sorted::sort_by_key;
use vitrine_engine::time::Instant;

use crate::history::History;

/// The other branch, while this one is in front.
pub struct Branch {
    /// Its run.
    pub history: History,
    /// Where the two parted.
    pub forked: Instant,
    /// The one in front came of this one, and not this one of it.
    pub older: bool,
    /// Where they first differ, once somebody has asked.
    pub difference: Option<Option<Difference>>,
}

/// Where two runs differ first: what happened in each. `None`: nothing more, for long.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// In the one.
    pub one: Option<TraceEvent>,
    /// In the other.
    pub other: Option<TraceEvent>,
}

/// Something that is not the same in two worlds.
#[derive(Debug, PartialEq, Eq)]
pub struct Unlike {
    /// The node.
    pub node: NodeId,
    /// The key; `None` when it is about the node itself.
    pub key: Option<Vec<u8>>,
    /// What is there, in words.
    pub one: String,
    /// What is there in the other.
    pub other: String,
}

/// Steps in which two runs that were told different things do something different.
const MOST_STEPS: u64 = 50_000;

/// Where the two differ first. `None`: nowhere, because the same was done to both.
pub fn first_difference(one: &History, other: &History) -> Option<Difference> {
    let number = one.acts().iter().zip(other.acts()).take_while(|(a, b)| a == b).count();
    if number >= one.acts().len() && number >= other.acts().len() {
        return None;
    }
    // The one in which it is done earlier says where to begin: up to there both are the same.
    let place = |history: &History| {
        let mut history = history.clone();
        history.seek_act(number);
        history
    };
    let (mut one, mut other) = (place(one), place(other));
    let at = one.world().now().min(other.world().now());
    if one.world().events() != other.world().events() {
        let later = if one.world().events() > other.world().events() { &mut one } else { &mut other };
        later.seek(at);
    }
    let start = one.world().trace().latest().min(other.world().trace().latest());
    let mut read = start;
    for _ in 0..MOST_STEPS {
        let moved = [one.advance(Instant::NEVER), other.advance(Instant::NEVER)];
        let (a, b) = (one.world().trace(), other.world().trace());
        let both = a.latest().min(b.latest());
        let differ = a.since(read).zip(b.since(read)).find(|(a, b)| a != b);
        if let Some((a, b)) = differ {
            return Some(Difference { one: Some(a.clone()), other: Some(b.clone()) });
        }
        read = read.max(both);
        if moved == [false, false] {
            break;
        }
    }
    let after = |history: &History| history.world().trace().since(read).next().cloned();
    Some(Difference { one: after(&one), other: after(&other) })
}

/// What is not the same in the two at this moment: nodes first, then at most `most` keys; and how many keys differ.
pub fn unlike(one: &World, other: &World, most: usize) -> (Vec<Unlike>, u32) {
    let (mut all, mut count) = (Vec::new(), 0);
    let machines = one.machines().len().max(other.machines().len());
    let pairs = || (0..machines).map(|at| (one.machines().get(at), other.machines().get(at)));
    for (a, b) in pairs() {
        let Some(node) = a.or(b).map(Machine::id) else { continue };
        let (one, other) = (state(a), state(b));
        if one != other {
            all.push(Unlike { node, key: None, one: one.into(), other: other.into() });
        }
    }
    for (a, b) in pairs() {
        let Some(node) = a.or(b).map(Machine::id) else { continue };
        for (key, one, other) in apart(&holdings(a), &holdings(b)) {
            count += 1;
            if (count as usize) <= most {
                let said = |held: Option<Version>| held.map_or_else(|| "nothing".to_string(), |held| held.to_string());
                all.push(Unlike { node, key: Some(key.to_vec()), one: said(one), other: said(other) });
            }
        }
    }
    (all, count)
}

fn state(machine: Option<&Machine>) -> &'static str {
    match machine {
        None => "no member",
        Some(machine) if machine.has_left() => "has left",
        Some(machine) if machine.node().is_none() => "down",
        Some(machine) if machine.is_paused() => "paused",
        Some(_) => "up",
    }
}

type Held<'a> = (&'a [u8], Version);

/// In the order of the keys.
fn holdings(machine: Option<&Machine>) -> Vec<Held<'_>> {
    let shards = machine.and_then(Machine::node).into_iter().flat_map(|node| node.shards());
    let entries = shards.flat_map(|shard| shard.store().by_recency());
    let mut held: Vec<Held<'_>> = entries.map(|(key, entry)| (key, entry.version)).collect();
    sort_by_key(&mut held, |held| *held);
    held
}

/// Keys that only one of them has, or both at different versions.
fn apart<'a>(one: &[Held<'a>], other: &[Held<'a>]) -> Vec<(&'a [u8], Option<Version>, Option<Version>)> {
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    let mut apart = Vec::new();
    while let Some(key) = a.peek().into_iter().chain(b.peek()).map(|(key, _)| *key).min() {
        let (has, had) = (a.next_if(|(at, _)| *at == key), b.next_if(|(at, _)| *at == key));
        if has != had {
            apart.push((key, has.map(|(_, version)| *version), had.map(|(_, version)| *version)));
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Act;
    use vitrine_engine::sim::{What, Workload, WorldConfig};

    const LATE: Instant = Instant(400_000);

    fn history() -> History {
        let mut history = History::new(World::new(WorldConfig { seed: 5, ..WorldConfig::default() }));
        history.act(Act::Workload(Some(Workload { rate: 2_000, ..Workload::default() }))).expect("a workload");
        history.run(Instant(100_000), u64::MAX >> 1);
        history
    }

    #[test]
    fn branches_are_one_run_until_something_else_is_done() {
        let mut one = history();
        let mut other = one.clone();
        one.run(LATE, u64::MAX >> 1);
        other.run(LATE, u64::MAX >> 1);
        assert_eq!(one.world().fingerprint(), other.world().fingerprint());
        assert_eq!(first_difference(&one, &other), None);
        assert_eq!(unlike(one.world(), other.world(), 9), (vec![], 0));
    }

    #[test]
    fn the_first_difference_is_what_was_done_and_a_branch_is_repeated_exactly() {
        let mut one = history();
        let other = &mut one.clone();
        one.act(Act::Command("n2 crash".into())).expect("a crash");
        one.run(LATE, u64::MAX >> 1);
        other.run(LATE, u64::MAX >> 1);
        let difference = first_difference(&one, other).expect("a crash is a difference");
        let first = difference.one.expect("a crash is seen");
        assert_eq!((first.what, first.at), (What::Crashed(NodeId(2)), Instant(100_000)));
        assert!(difference.other.is_some_and(|event| event.at >= Instant(100_000)));
        let (unlike, keys) = unlike(one.world(), other.world(), 3);
        assert_eq!((unlike[0].node, unlike[0].one.as_str(), unlike[0].other.as_str()), (NodeId(2), "down", "up"));
        assert!(keys > 3 && unlike.len() == 4, "{keys} keys: {unlike:?}");
        for branch in [&mut one, other] {
            let end = branch.world().fingerprint();
            branch.seek(Instant(50_000));
            assert_ne!(branch.world().fingerprint(), end);
            branch.run(LATE, u64::MAX >> 1);
            assert_eq!(branch.world().fingerprint(), end);
        }
    }

    #[test]
    fn a_branch_keeps_its_future_while_the_other_gets_a_new_one() {
        let mut one = history();
        one.act(Act::Command("n2 crash".into())).expect("a crash");
        one.run(LATE, u64::MAX >> 1);
        let end = one.world().fingerprint();
        one.seek(Instant(99_999));
        let mut other = one.clone();
        other.act(Act::Command("n1 crash".into())).expect("another crash");
        other.run(LATE, u64::MAX >> 1);
        one.run(LATE, u64::MAX >> 1);
        assert_eq!(one.world().fingerprint(), end);
        let (one, other) = (&one, &other);
        let difference = first_difference(one, other).expect("they differ");
        assert_eq!(difference.other.map(|event| event.what), Some(What::Crashed(NodeId(1))));
        assert_ne!(difference.one.map(|event| event.what), Some(What::Crashed(NodeId(1))));
    }
}
