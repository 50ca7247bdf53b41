//! How a run ends, and how long its nodes are given for it: as long as its own settings call for, and no longer.
//!
//! A promise of progress needs a bound. One bound for all runs is too short for nodes that list a key at a time over a
//! slow network, and so long for all others that what has nearly stopped passes. So it is worked out from what has to
//! happen one after the other once faults stop ([`Pace`]), in means, since there are many steps of each kind. From then
//! on nothing is lost: links are mended, and lossless.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Plan, RUN};
use crate::cluster::ARRIVAL;
use crate::id::NodeId;
use crate::record::Fsync;
use crate::shard::{FACTOR, Tuning};
use crate::sim::command::Command;
use crate::sim::fault::Fault;
use crate::sim::workload::Workload;
use crate::sim::world::WorldConfig;

/// The least time for which only the core is healed, before it must have ended what it was asked.
const CORE: Duration = Duration::from_secs(8);
/// For how much of it there is load.
const LOADED: Duration = Duration::from_secs(2);
/// The least time for which everything is left in peace: longer than any client waits or any peer is suspected.
const PEACE: Duration = Duration::from_secs(10);
/// How long a little load is put on in peace, and how long it is left to end.
const CALM: Duration = Duration::from_secs(5);

/// How often a pull from the same member begins: when the two hear each other, and once more when this node hears that
/// it was given up itself, or that somebody was lost whom the other one heard.
const ROUNDS: u32 = 2;
/// Heartbeats until all hold an edition, have said so, and the next one is made.
const BEATS: u32 = 3;

/// A sync of a disk, with half of the one that is under way before it.
const SYNC: Duration = Duration::from_millis(10);

/// What a run ends with, as its dice say.
pub(super) struct Ending {
    /// Who is healed at first, where not all are at once.
    pub(super) core: Option<Vec<NodeId>>,
    /// The load that is put on in peace.
    pub(super) calm: Workload,
}

impl Ending {
    /// Adds it to what is done in a run, from its end on.
    pub(super) fn end(self, plan: &mut Plan) {
        let Ending { core, calm } = self;
        let pace = Pace::of(plan);
        let mut now = plan.end;
        if let Some(core) = core {
            let span = pace.core(core.len() as u64);
            plan.acts.push((now, Command::Core(core)));
            plan.acts.push((now + LOADED, Command::NoWorkload));
            now = now + CORE.max(LOADED + span);
            plan.acts.push((now, Command::Verdict));
        }
        plan.acts.push((now, Command::NoWorkload));
        plan.acts.push((now, Command::Peace));
        now = now + PEACE.max(pace.peace());
        // By then every replica has been reconciled; the load after it is held to what is promised in calm.
        plan.acts.push((now, Command::Verdict));
        plan.acts.push((now, Command::Workload(calm)));
        plan.acts.push((now + CALM, Command::NoWorkload));
        now = now + CALM + CALM;
        plan.acts.push((now, Command::Verdict));
        plan.end = now;
    }
}

/// How fast things go on in a run.
struct Pace {
    config: WorldConfig,
    /// A question and its answer.
    trip: Duration,
    /// What the answer to a write waits for.
    synced: Duration,
    /// By how much a timer is late: half of them are, by up to [`WorldConfig::late`].
    late: Duration,
    /// Keys that there are at most in all nodes together.
    keys: u64,
    /// Requests a second, at most.
    rate: u64,
    /// Members come and go, or get other zones, each so often.
    churn: [Option<Duration>; 2],
    /// How long what is cut or down stays so, where anything is.
    outage: Duration,
}

impl Pace {
    fn of(plan: &Plan) -> Pace {
        let config = plan.config.clone();
        let (mut keys, mut rate, mut churn, mut outage) = (0, 0, [None; 2], Duration::ZERO);
        for (_, command) in &plan.acts {
            match command {
                // Keys and counters.
                Command::Workload(load) => {
                    keys = keys.max(2 * u64::from(load.keys));
                    rate = rate.max(u64::from(load.rate));
                }
                Command::Faults(faults) => {
                    churn = [Fault::Churn, Fault::Rezone].map(|fault| faults.every(fault));
                    let mends = [Fault::Restart, Fault::Resume, Fault::Heal];
                    outage = mends.iter().filter_map(|fault| faults.every(*fault)).max().unwrap_or_default();
                }
                _ => {}
            }
        }
        let synced = if config.fsync == Some(Fsync::Always) { SYNC } else { Duration::ZERO };
        let trip = (config.network.delay + config.network.jitter) * 2;
        let late = config.late / 4;
        Pace { config, trip, synced, late, keys, rate, churn, outage }
    }

    /// Until what those have been asked has ended, who are the core.
    fn core(&self, nodes: u64) -> Duration {
        self.beliefs() + self.repeated() + self.pull(nodes) * ROUNDS
    }

    /// Until everything has ended, and every slot is in sync.
    fn peace(&self) -> Duration {
        let settled = self.core(u64::from(self.config.nodes));
        // What was wished for while the members were no majority, and waits for its turn; the last one that is granted
        // may be to take in a machine that has left since.
        let moves = self.churn.into_iter().flatten().map(|every| {
            let wishes = 1 + (self.outage.as_millis() / every.as_millis().max(1)) as u32;
            self.moved() * wishes + self.config.heartbeat.suspect_after + ARRIVAL
        });
        // A change that others stand in by may have been waiting for somebody, and another one ends it.
        let stood_in = self.config.heartbeat.stand_in_after.map_or(Duration::ZERO, |after| after + self.moved() * 2);
        // Whoever was just about to be removed for its absence is.
        let removed = self.config.heartbeat.remove_after.map_or(Duration::ZERO, |_| self.moved() * 2);
        let moves: Duration = moves.sum();
        settled + moves + stood_in + removed
    }

    /// Until everybody believes what is so: who is gone is found dead by one question after the other, what is thought
    /// of who is back is answered, and the answer told.
    fn beliefs(&self) -> Duration {
        let heartbeat = &self.config.heartbeat;
        heartbeat.suspect_after + (heartbeat.interval + self.late) * BEATS + self.trip
    }

    /// Until what was lost has been repeated: a message that was not answered waits for the longest pause there is,
    /// and then for those before it, of which a few are on their way at a time. While faults struck, those were lost
    /// at each rate for which the network lost a question or its answer, or were for somebody who was not known to be
    /// dead.
    fn repeated(&self) -> Duration {
        let Tuning { repeating, pending, pending_for_peer, .. } = self.config.tuning;
        let lost = 2 * u64::from(self.config.network.loss);
        let unknown = (self.config.heartbeat.suspect_after + self.config.timeout).as_millis() as u64;
        let unanswered = self.rate * RUN.as_secs() * lost / 1_000_000 + self.rate * unknown / 1_000;
        let line = unanswered.min(pending.min(pending_for_peer) as u64).div_ceil(repeating.max(1) as u64);
        // The pause is half as long again for some.
        self.config.retry.most * 3 / 2 + (self.trip + self.synced + self.late) * line as u32
    }

    /// Of one member by another, of so many: digests, worked out here and then there, a few places at a time, and told
    /// a few at a time; page after page, and what each names a few at a time, from all who have it; then what is held
    /// here is compared with what has gone there, a few places at a time, each time after a wait of nothing, which may
    /// be late.
    fn pull(&self, nodes: u64) -> Duration {
        let batch = u64::from(self.config.tuning.batch);
        let kept = self.config.limits.entries.map_or(self.keys, |most| self.keys.min(u64::from(most) * nodes));
        // Of all pairs of members, so many share a slot.
        let (copies, pairs) = (u64::from(self.config.replicas).min(nodes), nodes * nodes.saturating_sub(1));
        let shared = (kept * copies * copies.saturating_sub(1)).div_ceil(pairs.max(1));
        let steps = shared.div_ceil(batch) as u32;
        let places = kept.next_power_of_two().div_ceil(batch) as u32;
        // Where not all fits, something of each slot has gone, of late or since a majority was heard, and is told of.
        // Two members may share nearly all slots, where the others are of one zone, or few are left.
        let limits = self.config.limits;
        let fits = limits.bytes.is_none() && limits.entries.is_none_or(|most| u64::from(most) >= self.keys);
        let gone = if fits { 0 } else { self.keys.div_ceil(batch) as u32 };
        // A page of keys and one of floors are there in any case, and two answers of digests. Of several answers the
        // last one counts.
        let digests = (places + steps).div_ceil(FACTOR);
        let pages = (self.trip + self.config.late_pages / 2) * (digests + steps + gone + 4);
        pages + self.trip * steps * 3 / 2 + self.late * (digests + places + steps)
    }

    /// One change of the map: its editions, a pull from the old owners in the first of them, at the rate that bounds
    /// it, and what else was waited for in each.
    fn moved(&self) -> Duration {
        let bytes = self.config.limits.bytes.unwrap_or(0);
        let fetched = self.config.move_rate.map_or(0, |rate| bytes * 1_000 / rate.max(1));
        let editions = (self.config.heartbeat.interval + self.late + self.trip) * BEATS * 3;
        editions + self.pull(u64::from(self.config.nodes)) + Duration::from_millis(fetched)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::sim::fault::Faults;
    use crate::time::Instant;

    /// What the swarm gives a run of these settings, in milliseconds: to a core of all nodes, and to all.
    fn check(change: fn(&mut Plan), core: u64, peace: u64) {
        let config = WorldConfig { nodes: 4, replicas: 3, ..WorldConfig::default() };
        let load = Workload { keys: 100, rate: 100, ..Workload::default() };
        let acts = vec![(Instant(0), Command::Faults(Faults::default())), (Instant(0), Command::Workload(load))];
        let mut plan = Plan { config, acts, end: Instant(0) };
        change(&mut plan);
        let pace = Pace::of(&plan);
        let given = (pace.core(4).as_millis() as u64, pace.peace().as_millis() as u64);
        assert_eq!(given, (core, peace));
    }

    #[test]
    fn a_run_is_given_the_time_that_its_settings_call_for() {
        check(|_| (), 4_836, 4_836);
        // Keys one at a time, over a slow network as well; pages, and timers, that are late.
        check(|plan| plan.config.tuning.batch = 1, 5_652, 5_652);
        check(
            |plan| (plan.config.tuning.batch, plan.config.network.jitter) = (1, Duration::from_millis(10)),
            17_589,
            17_589,
        );
        check(|plan| plan.config.late_pages = Duration::from_millis(1_000), 10_836, 10_836);
        // What has gone, since hardly anything fits, is told one slot at a time.
        check(|plan| (plan.config.tuning.batch, plan.config.limits.entries) = (1, Some(5)), 5_473, 5_473);
        check(|plan| plan.config.late = Duration::from_millis(400), 6_736, 6_736);
        // What was lost is repeated by one at a time, and waits for a disk.
        check(|plan| (plan.config.network.loss, plan.config.tuning.repeating) = (200_000, 1), 8_630, 8_630);
        check(|plan| plan.config.fsync = Some(Fsync::Always), 4_936, 4_936);
        // Members come and go while they are no majority.
        check(
            |plan| {
                let faults = Faults::default().with(Fault::Churn, Some(Duration::from_secs(2)));
                let faults = faults.with(Fault::Heal, Some(Duration::from_secs(10)));
                plan.acts[0].1 = Command::Faults(faults);
            },
            4_836,
            22_975,
        );
    }
}
