//! A failing run made small: what can be left out while it still fails is left out.
//!
//! What chance has done is written out as commands first; then halves, quarters and single commands are dropped
//! (Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), and the load is made plain.

use alloc::vec::Vec;

use super::check::Promise;
use super::command::Command;
use super::swarm::Plan;
use super::workload::{Shape, Workload};
use super::world::World;
use crate::request::{ReadLevel, WriteLevel};

/// The smallest plan found, in at most so many runs, that breaks the same promise first. `world` is what the plan has
/// come to.
///
/// `None` when that is nothing, or when the plan with chance written out does not fail as the one with dice did.
pub fn shrink(plan: &Plan, world: &World, runs: u32) -> Option<Plan> {
    let broken = world.violations().first()?;
    let mut search = Search { promise: broken.promise, runs };
    let mut best = plan.written_out(world);
    if !search.fails(&best) {
        return None;
    }
    // What comes after the failure has no part in it.
    let mut short = best.clone();
    short.acts.retain(|(at, _)| *at <= broken.at);
    short.end = broken.at;
    if search.fails(&short) {
        best = short;
    }
    search.drop_acts(&mut best);
    search.plain_loads(&mut best);
    search.drop_acts(&mut best);
    Some(best)
}

struct Search {
    promise: Promise,
    /// Runs left.
    runs: u32,
}

impl Search {
    fn fails(&mut self, plan: &Plan) -> bool {
        if self.runs == 0 {
            return false;
        }
        self.runs -= 1;
        plan.run().violations().first().is_some_and(|violation| violation.promise == self.promise)
    }

    /// Drops commands, in parts that become smaller and smaller.
    fn drop_acts(&mut self, best: &mut Plan) {
        let mut part = best.acts.len().div_ceil(2);
        while part > 0 && self.runs > 0 {
            let mut from = 0;
            while from < best.acts.len() && self.runs > 0 {
                let to = (from + part).min(best.acts.len());
                let mut fewer = best.clone();
                let kept = fewer.acts.drain(from..to).filter(|(_, command)| ends(command)).collect::<Vec<_>>();
                fewer.acts.splice(from..from, kept);
                if fewer.acts.len() < best.acts.len() && self.fails(&fewer) {
                    *best = fewer;
                } else {
                    from = to;
                }
            }
            part = if part == 1 { 0 } else { part.div_ceil(2) };
        }
    }

    /// Makes loads plainer, one property after the other.
    fn plain_loads(&mut self, best: &mut Plan) {
        let plainer: [fn(&mut Workload); 11] = [
            |load| load.retries = 0,
            |load| load.big = 0,
            |load| load.value_bytes = 0,
            |load| load.conditional = 0,
            |load| load.expiring = 0,
            |load| load.deletes = 0,
            |load| load.shape = Shape::Uniform,
            |load| load.write_level = Some(WriteLevel::Live),
            |load| load.read_level = Some(ReadLevel::Primary),
            |load| load.keys = load.keys.div_ceil(4),
            |load| load.rate = load.rate.div_ceil(2),
        ];
        for plainer in plainer {
            let mut plain = best.clone();
            for (_, command) in &mut plain.acts {
                if let Command::Workload(load) = command {
                    plainer(load);
                }
            }
            if plain != *best && self.fails(&plain) {
                *best = plain;
            }
        }
    }
}

/// Is it the end of something? A verdict means nothing while load is on, or faults are.
fn ends(command: &Command) -> bool {
    matches!(command, Command::Peace | Command::Core(_) | Command::Verdict | Command::NoWorkload)
}

impl Plan {
    /// The commands that are neither load nor an end.
    pub fn faults(&self) -> Vec<&Command> {
        let plain = |command: &&Command| !ends(command) && !matches!(command, Command::Workload(_));
        self.acts.iter().map(|(_, command)| command).filter(plain).collect()
    }
}
