//! Times in which nothing new happens in a brief run, so long that what was written before them is old: whatever goes
//! within ten seconds of its writing is remembered by all, and only of what is older it depends on who is missing.

use core::time::Duration;

use super::super::Plan;
use super::BEFORE;
use crate::rng::Rng;
use crate::sim::command::Command;
use crate::time::Instant;

/// Milliseconds, at least and at most: some more than what [`crate::shard`] counts as recent.
const REST: (u64, u64) = (11_000, 30_000);

/// Gives some runs a rest before anything strikes, and half of them one more in between.
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
