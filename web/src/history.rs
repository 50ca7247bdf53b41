//! A world that can be stepped back: clones of it now and then, and what was done to it in between.
//!
//! A run is its seed and what was done to it, so going back is a clone from before and then forward again. What was
//! done after the moment gone back to is done again when the run passes there, until somebody does something else.

use vitrine_engine::sim::{Workload, World};
use vitrine_engine::time::Instant;

/// A world, and the way back.
pub struct History {
    world: World,
    /// Earlier moments, oldest first; the first is the beginning.
    keyframes: Vec<Keyframe>,
    /// Events between two keyframes; it doubles when there are too many of them.
    spacing: u64,
    acts: Vec<Done>,
    /// How many of the acts this world has seen.
    seen: usize,
    /// No more of them are done again than these.
    held: usize,
    recording: bool,
}

/// Something that a person does to a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A line of a script.
    Command(String),
    /// A workload, or none.
    Workload(Option<Workload>),
}

struct Keyframe {
    world: World,
    seen: usize,
}

/// An act and its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// After that many events.
    pub events: u64,
    /// Its moment.
    pub at: Instant,
    /// What is done.
    pub act: Act,
}

/// Keyframes at most: each is a whole cluster.
const MOST_KEYFRAMES: usize = 48;
const FIRST_SPACING: u64 = 1_000;
/// A step goes over no more events than these in search of one that can be seen: heartbeats alone fill the rest.
const MOST_QUIET: u32 = 10_000;

impl History {
    /// From its beginning.
    pub fn new(world: World) -> History {
        let first = Keyframe { world: world.clone(), seen: 0 };
        History {
            world,
            keyframes: vec![first],
            spacing: FIRST_SPACING,
            acts: Vec::new(),
            seen: 0,
            held: usize::MAX,
            recording: true,
        }
    }

    /// Without a way back, for a run whose clones would be too large.
    pub fn without(world: World) -> History {
        let none = Vec::new();
        History {
            world,
            keyframes: none,
            spacing: u64::MAX,
            acts: Vec::new(),
            seen: 0,
            held: usize::MAX,
            recording: false,
        }
    }

    /// Is there a way back?
    pub fn is_kept(&self) -> bool {
        self.recording
    }

    /// The world as it is now.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What has been done, in order.
    pub fn seen(&self) -> &[Done] {
        &self.acts[..self.seen]
    }

    /// Goes back to the beginning; all that was done is to come.
    pub fn rewind(&mut self) {
        if self.recording {
            self.restore(0);
        }
    }

    /// Does again no more than so many of the acts, until it is told otherwise.
    pub fn hold(&mut self, acts: Option<usize>) {
        self.held = acts.unwrap_or(usize::MAX);
    }

    /// Does again what was done at this very point of the run.
    pub fn catch_up(&mut self) {
        let here =
            |history: &History, done: &Done| done.events <= history.world.events() && done.at <= history.world.now();
        while self.due().is_some_and(|done| here(self, done)) && self.repeat() {}
    }

    /// The act that comes next.
    fn due(&self) -> Option<&Done> {
        self.acts.get(self.seen).filter(|_| self.seen < self.held)
    }

    /// Does something now. What was to come is no more.
    pub fn act(&mut self, act: Act) -> Result<(), String> {
        perform(&mut self.world, &act)?;
        if self.recording {
            let (events, at) = (self.world.events(), self.world.now());
            self.acts.truncate(self.seen);
            self.acts.push(Done { events, at, act });
            self.seen += 1;
        }
        Ok(())
    }

    /// Carries out events up to that moment, at most so many, and says how many.
    pub fn run(&mut self, until: Instant, most: u64) -> u64 {
        let start = self.world.events();
        loop {
            let carried = self.world.events() - start;
            let due = self.due().map(|done| (done.events, done.at));
            let limit = due.map_or(u64::MAX, |(events, _)| events.saturating_sub(self.world.events()));
            let limit = limit.min(most - carried).min(self.spacing);
            let end = due.map_or(until, |(_, at)| until.min(at));
            if limit > 0 {
                self.world.run_until(end, limit);
            } else if self.world.next_event().is_none_or(|next| next > end) {
                // All events before the act are done: time goes on to it.
                self.world.run_until(end, 1);
            }
            self.keep();
            let repeated = self.repeat();
            let carried_now = self.world.events() - start;
            if carried_now >= most
                || self.world.now() >= until && self.quiet_until(until)
                || carried_now == carried && !repeated
            {
                return carried_now;
            }
        }
    }

    /// Goes on to just after the next event that can be seen.
    pub fn forward(&mut self) -> bool {
        let before = seen_in(&self.world);
        for _ in 0..MOST_QUIET {
            if !self.repeat() && !self.world.step() {
                break;
            }
            self.keep();
            if seen_in(&self.world) != before {
                return true;
            }
        }
        seen_in(&self.world) != before
    }

    /// Goes back to just after the event before the latest that can be seen.
    pub fn back(&mut self) -> bool {
        let now = self.world.events();
        let latest = seen_in(&self.world);
        for index in (0..self.keyframes.len())
            .rev()
            .filter(|index| self.keyframes[*index].world.events() <= now)
            .collect::<Vec<_>>()
        {
            // The first pass finds where the picture last changed before the latest change; the second goes there.
            self.restore(index);
            let (mut target, mut picture) = (None, seen_in(&self.world));
            if picture < latest {
                target = Some((self.world.events(), self.seen));
            }
            while self.world.events() < now {
                let repeated = self.repeat();
                if !repeated && !self.world.step() {
                    break;
                }
                let changed = seen_in(&self.world);
                if changed != picture && changed < latest {
                    target = Some((self.world.events(), self.seen));
                }
                picture = changed;
            }
            if let Some((events, seen)) = target {
                self.restore(index);
                while self.world.events() < events || self.seen < seen {
                    if !self.repeat() && !self.world.step() {
                        break;
                    }
                }
                self.keyframes.truncate(index + 1);
                return true;
            }
        }
        false
    }

    /// Does the next act again when the run has come to where it was done.
    fn repeat(&mut self) -> bool {
        let Some(done) = self.due().cloned() else { return false };
        if self.world.events() < done.events {
            return false;
        }
        if self.world.now() < done.at && self.world.next_event().is_none_or(|next| next > done.at) {
            self.world.run_until(done.at, 1);
        }
        // It was carried out here before, so it is carried out now.
        let _ = perform(&mut self.world, &done.act);
        self.seen += 1;
        true
    }

    fn quiet_until(&self, until: Instant) -> bool {
        self.world.next_event().is_none_or(|next| next > until) && self.due().is_none_or(|done| done.at > until)
    }

    fn restore(&mut self, index: usize) {
        let keyframe = &self.keyframes[index];
        (self.world, self.seen) = (keyframe.world.clone(), keyframe.seen);
    }

    fn keep(&mut self) {
        let Some(last) = self.keyframes.last() else { return };
        if self.world.events() < last.world.events() + self.spacing {
            return;
        }
        self.keyframes.push(Keyframe { world: self.world.clone(), seen: self.seen });
        if self.keyframes.len() > MOST_KEYFRAMES {
            let mut index = 0;
            self.keyframes.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing *= 2;
        }
    }
}

fn perform(world: &mut World, act: &Act) -> Result<(), String> {
    match act {
        Act::Command(line) => world.command(line).map_err(|why| why.to_string()),
        Act::Workload(workload) => {
            world.workload(workload.clone());
            Ok(())
        }
    }
}

/// The number of the latest event that a person can see: what is not in the trace is not worth a step.
fn seen_in(world: &World) -> u64 {
    world.trace().latest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_engine::request::Key;
    use vitrine_engine::sim::WorldConfig;

    fn history() -> History {
        let mut history = History::new(World::new(WorldConfig { seed: 5, ..WorldConfig::default() }));
        history.act(Act::Workload(Some(Workload { rate: 2_000, ..Workload::default() }))).expect("a workload");
        history
    }

    fn state(history: &History) -> (u64, u64, Instant) {
        (history.world().events(), history.world().fingerprint(), history.world().now())
    }

    #[test]
    fn a_replayed_trace_is_passed_again_too() {
        let mut world = World::new(WorldConfig { checks: false, ..WorldConfig::default() });
        world.replay((0..2_000_u32).map(|at| Key::new(format!("k{}", at * at % 700)).expect("a short key")));
        let mut history = History::new(world);
        history.run(Instant(8_000_000), u64::MAX >> 1);
        let numbers = |history: &History| (state(history), history.world().replayed().clone());
        let end = numbers(&history);
        assert_eq!(end.1.requests, 2_000);
        for _ in 0..100 {
            assert!(history.back());
        }
        assert!(history.world().replayed().requests < 2_000);
        history.run(Instant(8_000_000), u64::MAX >> 1);
        assert_eq!(numbers(&history), end);
    }

    #[test]
    fn what_was_passed_is_passed_again() {
        let mut history = history();
        let mut passed = vec![];
        for step in 0..600 {
            match step {
                100 => history.act(Act::Command("n2 crash".into())).expect("a crash"),
                200 => history.act(Act::Command("c1 set k v".into())).expect("a write"),
                300 => history.act(Act::Command("n2 restart".into())).expect("a restart"),
                _ => assert!(history.forward()),
            }
            passed.push(state(&history));
        }
        for _ in 0..350 {
            assert!(history.back());
            assert!(
                passed
                    .iter()
                    .any(|(events, fingerprint, _)| (*events, *fingerprint) == (state(&history).0, state(&history).1))
            );
        }
        assert!(state(&history).0 < passed[300].0);
        while history.world().events() < passed[599].0 {
            assert!(history.forward());
        }
        assert_eq!(state(&history).1, passed[599].1, "what was done is done again");
    }

    #[test]
    fn doing_something_else_ends_the_old_future() {
        let mut history = history();
        history.run(Instant(50_000), 10_000);
        history.act(Act::Command("n1 crash".into())).expect("a crash");
        history.run(Instant(60_000), 10_000);
        while history.world().machines()[0].node().is_none() {
            assert!(history.back());
        }
        history.act(Act::Command("n3 crash".into())).expect("another crash");
        history.run(Instant(90_000), 10_000);
        let up: Vec<bool> = history.world().machines().iter().map(|machine| machine.node().is_some()).collect();
        assert_eq!(up, [true, true, false]);
    }

    #[test]
    fn a_run_in_pieces_is_the_run_in_one() {
        let mut whole = history();
        whole.run(Instant(100_000), u64::MAX >> 1);
        for piece in [1, 7, 200] {
            let mut pieces = history();
            while pieces.world().now() < Instant(100_000) {
                pieces.run(Instant(100_000), piece);
            }
            assert_eq!(state(&pieces), state(&whole), "in pieces of {piece}");
        }
    }

    #[test]
    fn the_beginning_has_no_before() {
        let mut history = history();
        while history.back() {}
        assert!(!history.back());
        assert!(history.forward());
    }

    #[test]
    fn keyframes_are_few_however_long_the_run() {
        let mut history = history();
        history.run(Instant(30_000_000), 200_000);
        assert!(history.keyframes.len() <= MOST_KEYFRAMES);
        assert!(history.back());
    }
}
