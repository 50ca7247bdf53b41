//! A failing run made small: what can be left out while it still fails is left out.
//!
//! What chance has done is written out as commands first; then halves, quarters and single commands are dropped
//! (Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), and the load is made plain.

use alloc::vec::Vec;

use super::check::{Promise, Violation};
use super::command::Command;
use super::swarm::Plan;
use super::workload::{Shape, Workload};
use super::world::World;
use crate::request::{ReadLevel, WriteLevel};
use crate::time::Instant;

/// The smallest plan found, in at most so many runs, that breaks the same promise first. `world` is what the plan has
/// come to.
///
/// `None` when that is nothing, or when the plan with chance written out does not fail as the one with dice did.
pub fn shrink(plan: &Plan, world: &World, runs: u32) -> Option<Plan> {
    let mut shrinking = Shrinking::new(plan, world, runs)?;
    while shrinking.step() {}
    shrinking.found().cloned()
}

/// The search for a smaller plan, a run at a time.
#[derive(Clone, Debug)]
pub struct Shrinking {
    promise: Promise,
    broken: Instant,
    /// Runs left.
    runs: u32,
    best: Plan,
    stage: Stage,
    /// The plan with chance written out fails as well.
    fails: bool,
}

/// What is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The plan with chance written out.
    Whole,
    /// What comes after the failure has no part in it.
    Short,
    /// Without so many commands from that one on; the second time loads are plain.
    Acts {
        part: usize,
        from: usize,
        again: bool,
    },
    /// With a plainer load.
    Load(usize),
    /// Without what is left about machines that do not come any more.
    Idle,
    Over,
}

impl Shrinking {
    /// At its beginning; `None` when nothing is broken.
    pub fn new(plan: &Plan, world: &World, runs: u32) -> Option<Shrinking> {
        let broken = world.violations().first()?;
        let best = plan.written_out(world);
        Some(Shrinking { promise: broken.promise, broken: broken.at, runs, best, stage: Stage::Whole, fails: false })
    }

    /// Runs one plan that is smaller. False when there is none left to try.
    pub fn step(&mut self) -> bool {
        if self.runs == 0 && self.stage != Stage::Over {
            self.stage = if self.fails { Stage::Idle } else { Stage::Over };
        }
        match self.stage {
            Stage::Over => return false,
            Stage::Idle => {
                self.best = self.best.written_out(&self.best.run());
                self.stage = Stage::Over;
            }
            Stage::Whole => {
                self.fails = self.tries(self.best.clone());
                self.stage = if self.fails { Stage::Short } else { Stage::Over };
            }
            Stage::Short => {
                let mut short = self.best.clone();
                short.acts.retain(|(at, _)| *at <= self.broken);
                short.end = self.broken;
                self.tries(short);
                self.stage = self.acts(false);
            }
            Stage::Acts { part, from, again } => self.drop_acts(part, from, again),
            Stage::Load(at) => {
                let mut plain = self.best.clone();
                for (_, command) in &mut plain.acts {
                    if let Command::Workload(load) = command {
                        PLAINER[at](load);
                    }
                }
                if plain != self.best {
                    self.tries(plain);
                }
                self.stage = if at + 1 < PLAINER.len() { Stage::Load(at + 1) } else { self.acts(true) };
            }
        }
        true
    }

    /// The smallest plan so far, if any that was run has failed.
    pub fn found(&self) -> Option<&Plan> {
        self.fails.then_some(&self.best)
    }

    /// Runs that may still be made.
    pub fn runs_left(&self) -> u32 {
        self.runs
    }

    fn acts(&self, again: bool) -> Stage {
        Stage::Acts { part: self.best.acts.len().div_ceil(2), from: 0, again }
    }

    /// Drops commands, in parts that become smaller and smaller.
    fn drop_acts(&mut self, part: usize, from: usize, again: bool) {
        let all = self.best.acts.len();
        if part == 0 {
            self.stage = if again { Stage::Idle } else { Stage::Load(0) };
        } else if from >= all {
            self.stage = Stage::Acts { part: if part == 1 { 0 } else { part.div_ceil(2) }, from: 0, again };
        } else {
            let to = (from + part).min(all);
            let mut fewer = self.best.clone();
            let kept = fewer.acts.drain(from..to).filter(|(_, command)| ends(command)).collect::<Vec<_>>();
            fewer.acts.splice(from..from, kept);
            let dropped = fewer.acts.len() < all && self.tries(fewer);
            self.stage = Stage::Acts { part, from: if dropped { from } else { to }, again };
        }
    }

    /// Does that plan break the same promise first? Then it is the best.
    fn tries(&mut self, plan: Plan) -> bool {
        self.runs -= 1;
        let fails = plan.first_violation().is_some_and(|violation| violation.promise == self.promise);
        if fails {
            self.best = plan;
        }
        fails
    }
}

/// Makes a load plainer, one property each.
const PLAINER: [fn(&mut Workload); 11] = [
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

/// Events between two looks at what is broken.
const AT_ONCE: u64 = 1_000;

/// Is it the end of something? A verdict means nothing while load is on, or faults are.
fn ends(command: &Command) -> bool {
    matches!(command, Command::Peace | Command::Core(_) | Command::Verdict | Command::NoWorkload)
}

impl Plan {
    /// The first promise that it breaks: it is run that far and no further.
    fn first_violation(&self) -> Option<Violation> {
        let mut world = World::new(self.config.clone());
        for (at, command) in &self.acts {
            if self.breaks_until(&mut world, *at) {
                break;
            }
            world.obey(command.clone());
        }
        self.breaks_until(&mut world, self.end);
        world.violations().first().cloned()
    }

    fn breaks_until(&self, world: &mut World, until: Instant) -> bool {
        while world.violations().is_empty() && !world.run_until(until, AT_ONCE) {}
        !world.violations().is_empty()
    }

    /// The commands that are neither load nor an end.
    pub fn faults(&self) -> Vec<&Command> {
        let plain = |command: &&Command| !ends(command) && !matches!(command, Command::Workload(_));
        self.acts.iter().map(|(_, command)| command).filter(plain).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::sim::Script;

    #[test]
    fn what_is_left_of_machines_that_come_no_more_goes_in_the_end() {
        // As it is once nothing else could be left out, and no run is left.
        let mut best = Plan::brief(29);
        let joins = |command: &Command| matches!(command, Command::Join(..));
        let comes = best.acts.iter().find_map(|(at, command)| joins(command).then_some(*at)).expect("somebody joins");
        let named = format!("n{}", best.config.nodes + 1);
        best.acts.retain(|(_, command)| !joins(command));
        assert!(best.acts.iter().any(|(at, command)| *at > comes && format!("{command}").contains(&named)));
        let refused = Script::parse(&best.script()).expect("a script").run().expect_err("it names who is not there");
        assert!(format!("{refused}").contains(&format!("there is no node {named:?}")), "{refused}");
        let (stage, promise) = (Stage::Acts { part: 1, from: 0, again: true }, Promise::Progress);
        let mut shrinking = Shrinking { promise, broken: best.end, runs: 0, best, stage, fails: true };
        while shrinking.step() {}
        let found = shrinking.found().expect("it fails");
        let world = Script::parse(&found.script()).expect("a script").run().expect("each machine is there");
        assert_eq!(world.fingerprint(), found.run().fingerprint());
    }
}
