//! Brief runs that take their time: what was written gets old before anything strikes, or each node finds out who is
//! missing before the next thing happens.

use core::time::Duration;

use super::super::Plan;
use super::BEFORE;
use super::more::among;
use crate::id::NodeId;
use crate::rng::Rng;
use crate::sim::command::Command;
use crate::time::Instant;

/// Milliseconds of a rest, at least and at most: some more than what [`crate::shard`] counts as recent.
const REST: (u64, u64) = (11_000, 30_000);
/// How many times slower things happen at most, and how long they take then at most.
const SLOWER: u64 = 10;
const STRETCHED: Duration = Duration::from_secs(40);

/// Makes some runs slower, in which the links get another shape again and again: while two do not hear each other, one
/// after the other of them talks with a third, and what it is told there the other has to hear of in the end.
pub(super) fn stretch(plan: &mut Plan) {
    let mut rng = Rng::new(plan.config.seed, "brief stretched");
    if !rng.chance(300_000) {
        return;
    }
    let slower = rng.between(2, SLOWER).min((STRETCHED.as_micros() as u64 / plan.end.0.max(1)).max(1));
    plan.acts.iter_mut().for_each(|(at, _)| at.0 *= slower);
    plan.end.0 *= slower;
    let (links, others) = (rng.between(100_000, 800_000) as u32, rng.between(0, 50_000) as u32);
    among(plan, |act, nodes| {
        // What is asked at one moment is one thing that happens.
        let share = if matches!(act, Command::Ask { .. }) { links / 8 } else { links };
        if !rng.chance(share) {
            return rng.chance(others).then(|| Command::Leave(NodeId(rng.between(1, nodes) as u16), true));
        }
        let node = NodeId(rng.between(1, nodes) as u16);
        let other = NodeId(node.0 % nodes as u16 + 1);
        let ways = [(node, other), (other, node)].to_vec();
        Some(match rng.below(8) {
            0 => Command::HealAll,
            1 | 2 => Command::Isolate(node),
            3 | 4 => Command::Cut(ways),
            _ => Command::Heal(ways),
        })
    });
}

/// Gives some runs a rest before anything strikes, and half of them one more in between: whatever goes within ten
/// seconds of its writing is remembered by all, and only of what is older it depends on who is missing.
pub(super) fn rest(plan: &mut Plan) {
    let mut rng = Rng::new(plan.config.seed, "brief rests");
    if !rng.chance(300_000) {
        return;
    }
    if rng.chance(500_000) {
        let struck = plan.end.since(Instant(0) + BEFORE).as_micros() as u64;
        let at = Instant(0) + BEFORE + Duration::from_micros(rng.below(struck.max(1)));
        put_off(plan, at, &mut rng);
    }
    put_off(plan, Instant(0) + BEFORE, &mut rng);
}

/// All that happens from that moment on happens so much later, and so does a load: it would be nothing old.
fn put_off(plan: &mut Plan, from: Instant, rng: &mut Rng) {
    let rest = Duration::from_millis(rng.between(REST.0, REST.1));
    for (at, act) in &mut plan.acts {
        if *at >= from || matches!(act, Command::Workload(_)) {
            *at = *at + rest;
        }
    }
    plan.acts.sort_by_key(|(at, _)| *at);
    plan.end = plan.end + rest;
}
