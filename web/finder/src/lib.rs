//! Find me a failure: seeds of the swarm, one after the other, and a small script of the first that breaks a promise. A
//! bounded part of the work at a time.
//!
//! It is a module of its own, which the page fetches when somebody asks for a failure.

use vitrine_engine::mutant;
use vitrine_engine::sim::swarm::Plan;
use vitrine_engine::sim::{Shrinking, World};
use wasm_bindgen::prelude::wasm_bindgen;

/// The search.
#[wasm_bindgen]
pub struct Finder {
    seed: u64,
    plan: Plan,
    world: World,
    /// How many of the plan's commands are done.
    done: usize,
    shrinking: Option<Shrinking>,
    over: bool,
}

/// Runs that making it smaller may take.
const RUNS: u32 = 150;

#[wasm_bindgen]
impl Finder {
    /// Begins with that seed, with that mistake or with none.
    ///
    /// # Errors
    /// When there is no such mistake.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: f64, mutant: &str) -> Result<Finder, wasm_bindgen::JsError> {
        mutant::set_named(mutant).map_err(|why| wasm_bindgen::JsError::new(&why))?;
        let plan = Plan::of(seed as u64);
        let world = World::new(plan.config.clone());
        Ok(Finder { seed: seed as u64, plan, world, done: 0, shrinking: None, over: false })
    }

    /// Goes on for so many events, or for one run of a smaller plan. False when it is over.
    pub fn step(&mut self, events: u32) -> bool {
        if let Some(shrinking) = &mut self.shrinking {
            self.over |= !shrinking.step();
            return !self.over;
        }
        let due = self.plan.acts.get(self.done).map_or(self.plan.end, |(at, _)| *at);
        let there = self.world.run_until(due, u64::from(events));
        if !self.world.violations().is_empty() {
            self.shrinking = Shrinking::new(&self.plan, &self.world, RUNS);
        } else if there && let Some((_, command)) = self.plan.acts.get(self.done) {
            self.world.obey(command.clone());
            self.done += 1;
        } else if there {
            self.next();
        }
        true
    }

    /// Goes on with the next seed.
    pub fn next(&mut self) {
        self.seed += 1;
        self.plan = Plan::of(self.seed);
        (self.world, self.done, self.shrinking) = (World::new(self.plan.config.clone()), 0, None);
    }

    /// The seed, how far its run is from 0 to 1, whether it is being made smaller, runs that may still be made for
    /// that, and commands that are left.
    pub fn progress(&self) -> Vec<f64> {
        let share = self.world.now().0 as f64 / (self.plan.end.0 as f64).max(1.0);
        let (left, acts) = self.shrinking.as_ref().map_or((RUNS, None), |it| (it.runs_left(), it.found()));
        let shrinks = f64::from(u8::from(self.shrinking.is_some()));
        vec![self.seed as f64, share, shrinks, f64::from(left), acts.map_or(0.0, |plan| plan.acts.len() as f64)]
    }

    /// What was broken, in words; empty before.
    pub fn broken(&self) -> String {
        self.world.violations().first().map_or_else(String::new, ToString::to_string)
    }

    /// The smallest script so far: it does what the seed has come to. Empty when a run without its dice does not fail.
    pub fn script(&self) -> String {
        self.shrinking.as_ref().and_then(Shrinking::found).map_or_else(String::new, Plan::script)
    }
}
