//! What a run makes unusually bad in the nodes' own behaviour, and is legal all the same: a share of the runs each.
//!
//! FoundationDB's simulator calls such places *buggify* points. Each has dice of its own, so that a new one leaves the
//! rest of every plan as it is.

use core::time::Duration;

use super::Plan;
use crate::cluster::Heartbeat;
use crate::record::Fsync;
use crate::rng::Rng;
use crate::shard::{OnDoubt, Retry};
use crate::sim::command::Command;
use crate::sim::fault::Fault;

/// Faults of the nodes themselves, by the names of their dice, with their shares of the runs and their mean times.
const FAULTS: [(&str, Fault, u32, u64, u64); 6] = [
    ("forget", Fault::Forget, 200_000, 20, 3_000),
    ("wipe", Fault::Wipe, 150_000, 10_000, 60_000),
    ("disk faults", Fault::Disk, 600_000, 2_000, 20_000),
    ("save", Fault::Save, 500_000, 2_000, 20_000),
    ("disk damage", Fault::Damage, 500_000, 3_000, 30_000),
    ("rezone", Fault::Rezone, 500_000, 3_000, 30_000),
];

/// Switches some of them on.
pub(super) fn buggify(plan: &mut Plan) {
    let seed = plan.config.seed;
    let config = &mut plan.config;
    // The dice of one, where it is switched on in that share of the runs.
    let switched_on = |name, share| {
        let mut rng = Rng::new(seed, name);
        rng.chance(share).then_some(rng)
    };
    let ms = |rng: &mut Rng, least, most| Duration::from_millis(rng.between(least, most));
    // Impatient nodes repeat what is still under way; patient ones leave what was lost lost for long.
    if let Some(mut rng) = switched_on("retry", 200_000) {
        let first = rng.between(5, 400);
        config.retry = Retry { first: Duration::from_millis(first), most: ms(&mut rng, first, 3_000) };
    }
    if let Some(mut rng) = switched_on("heartbeat", 200_000) {
        let interval = rng.between(60, 350);
        let suspect_after = ms(&mut rng, interval * 4, (interval * 8).min(2_000));
        config.heartbeat = Heartbeat { interval: Duration::from_millis(interval), suspect_after, ..config.heartbeat };
    }
    // Of pages and steps of a key or two there are hundreds: all of them must come within a few seconds.
    let most = |span: u64| if config.tuning.batch < u32::MAX { 20 } else { span };
    if let Some(mut rng) = switched_on("late", 200_000) {
        // A node that looks later than that after its last look takes itself for one that was away, and begins anew.
        let Heartbeat { interval, suspect_after, .. } = config.heartbeat;
        let trusted = suspect_after / 2 - interval;
        config.late = ms(&mut rng, 1, most(trusted.as_millis() as u64));
    }
    if let Some(mut rng) = switched_on("late pages", 200_000) {
        config.late_pages = ms(&mut rng, 1, most(1_000));
    }
    if let Some(mut rng) = switched_on("bounds", 250_000) {
        let tuning = &mut config.tuning;
        let mut few = |usual: usize, least, most| {
            if rng.chance(500_000) { rng.between(least, most) as usize } else { usual }
        };
        tuning.pending = few(tuning.pending, 4, 40);
        tuning.pending_for_peer = few(tuning.pending_for_peer, 2, 20);
        tuning.pending_bytes = few(tuning.pending_bytes, 500, 10_000);
        tuning.repeating = few(tuning.repeating, 1, 4);
        tuning.answered = few(tuning.answered, 4, 200);
    }
    if let Some(mut rng) = switched_on("memory", 200_000) {
        config.tuning.answer_memory = ms(&mut rng, 0, 200);
        config.tuning.pause = ms(&mut rng, 1, 1_000);
    }
    if let Some(mut rng) = switched_on("disk", 250_000) {
        config.fsync = Some(match rng.below(10) {
            0..6 => Fsync::Always,
            6..8 => Fsync::EverySecond,
            _ => Fsync::Never,
        });
    }
    // Of many bytes that wait none is ever turned away: a disk of the swarm is fast enough.
    let bounded = switched_on("log bytes", 300_000).filter(|_| config.fsync.is_some());
    if let Some(mut rng) = bounded {
        config.log_bytes = rng.between(500, 20_000) as usize;
    }
    if let Some(mut rng) = switched_on("snapshots", 500_000).filter(|_| config.fsync.is_some()) {
        config.save_above = Some(rng.between(1_000, 60_000));
    }
    // Of a snapshot that takes seconds much of what is in it has changed when it ends.
    if let Some(mut rng) = switched_on("snapshot steps", 500_000).filter(|_| config.fsync.is_some()) {
        config.save_step = ms(&mut rng, 1, 300);
    }
    // Others stand in for whoever is down, at once or late.
    if let Some(mut rng) = switched_on("stand in", 400_000) {
        config.heartbeat.stand_in_after = Some(ms(&mut rng, 0, 8_000));
    }
    // Whoever is down for longer than that is a member no more, which may be before it has been stood in for.
    if let Some(mut rng) = switched_on("remove after", 150_000) {
        config.heartbeat.remove_after = Some(ms(&mut rng, 1_000, 20_000));
    }
    if switched_on("on doubt", 100_000).is_some() {
        config.on_doubt = OnDoubt::Serve;
    }
    let (has_disks, has_zones) = (config.fsync.is_some(), config.zones > 0);
    config.alone = switched_on("alone", 300_000).is_some();
    for (name, fault, share, least, most) in FAULTS {
        let of_disks = matches!(fault, Fault::Disk | Fault::Damage | Fault::Save);
        let happens = (has_disks || !of_disks) && (has_zones || fault != Fault::Rezone);
        if let Some(mut rng) = switched_on(name, share).filter(|_| happens) {
            let mean = ms(&mut rng, least, most);
            let acts = plan.acts.iter_mut().map(|(_, act)| act);
            for act in acts {
                if let Command::Faults(faults) = act {
                    *faults = faults.with(fault, Some(mean));
                }
            }
        }
    }
}
