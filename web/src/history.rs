//! A world that can be taken to any moment it has been at: clones of it now and then, and what was done to it in
//! between.
//!
//! A run is its seed and what was done to it, so going back is a clone from before and then forward again. What was
//! done after the moment gone back to is done again when the run passes there, until somebody does something else.

use std::rc::Rc;

use vitrine_engine::sim::{Promise, TraceEvent, Violation, Workload, World};
use vitrine_engine::time::Instant;

use crate::marks::Marks;

/// A world, and the way to every moment it has been at. A clone shares the past.
#[derive(Clone)]
pub struct History {
    world: World,
    /// Moments of the run, earliest first; the first is the beginning. Those after the present stay: they are come to.
    keyframes: Vec<Rc<Keyframe>>,
    /// More of them, close together: who steps back once does it again.
    near: Vec<Rc<Keyframe>>,
    /// Events between two keyframes; it doubles when there are too many of them.
    spacing: u64,
    acts: Vec<Done>,
    /// How many of the acts this world has seen.
    seen: usize,
    /// It goes no further than to where the act after so many is due.
    held: usize,
    recording: bool,
    /// How far the run has been.
    end: Instant,
    marks: Marks,
    /// After how many events there is something to keep, or to compare.
    look: u64,
    /// How often it has come to where it had been, and how often it was another run then.
    repeated: (u64, u64),
    /// The last run ended where a promise was broken.
    stopped: bool,
    /// The most memory that there has been, in bytes.
    peak: usize,
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
    /// After that many events; `None`: when all events up to its moment are over.
    pub events: Option<u64>,
    /// Its moment.
    pub at: Instant,
    /// What is done.
    pub act: Act,
}

/// Keyframes at most, and the bytes of memory past which every other one goes: each is a whole cluster.
const MOST_KEYFRAMES: usize = 700;
const MOST_MEMORY: usize = 640 << 20;
const FIRST_SPACING: u64 = 300;
/// A clone of so many entries takes about as long as one event, into memory that nobody has touched before. Between two
/// clones there are eight times as many events, so that keeping the past takes no more than a ninth of the time.
const ENTRIES_AN_EVENT: u64 = 8;
/// Clones that a step back leaves on its way, for the next one.
const NEAR: u64 = 16;
/// A step goes over no more events than these in search of one that can be seen: heartbeats alone fill the rest.
const MOST_QUIET: u32 = 10_000;
/// Events that are told of the time before a moment that is gone to, where there have been so many.
const LOGGED: usize = 60;
/// Events after which the marks are brought up to date: what they leave fits into the world's own trace.
const MARKED_EVERY: u64 = 200;

impl History {
    /// From its beginning.
    pub fn new(world: World) -> History {
        let mut history = History { recording: true, look: 0, ..History::without(world) };
        let first = Keyframe { world: history.world.lean(), seen: 0 };
        history.keyframes.push(Rc::new(first));
        history.arrive();
        history
    }

    /// Without a way back, for a run whose clones would be too large.
    pub fn without(world: World) -> History {
        History {
            end: world.now(),
            world,
            keyframes: Vec::new(),
            near: Vec::new(),
            spacing: FIRST_SPACING,
            acts: Vec::new(),
            seen: 0,
            held: usize::MAX,
            recording: false,
            marks: Marks::default(),
            look: u64::MAX,
            repeated: (0, 0),
            stopped: false,
            peak: MOST_MEMORY,
        }
    }

    /// From its beginning, with what is to be done, each thing at its moment; the moments rise.
    pub fn planned(world: World, acts: impl IntoIterator<Item = (Instant, Act)>) -> History {
        let acts = acts.into_iter().map(|(at, act)| Done { events: None, at, act }).collect();
        History { acts, ..History::new(world) }
    }

    /// Is there a way back?
    pub fn is_kept(&self) -> bool {
        self.recording
    }

    /// The world as it is now.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What has been done up to now, in order.
    pub fn seen(&self) -> &[Done] {
        &self.acts[..self.seen]
    }

    /// Goes back to the beginning; all that was done is to come.
    pub fn rewind(&mut self) {
        if let Some(first) = self.keyframes.first().cloned() {
            self.restore(&first);
            self.arrive();
        }
    }

    /// Does no more than so many of the acts, and stops where the next one is due, until it is told otherwise.
    pub fn hold(&mut self, acts: Option<usize>) {
        self.held = acts.unwrap_or(usize::MAX);
    }

    /// Does what is due at this very point of the run.
    pub fn catch_up(&mut self) {
        let now = self.world.now();
        while self.is_due() && self.acts[self.seen].at <= now && self.advance(now) {}
    }

    /// Forgets what is to come.
    pub fn forget_acts(&mut self) {
        self.acts.truncate(self.seen);
    }

    /// How far the run has been.
    pub fn end(&self) -> Instant {
        self.end.max(self.world.now())
    }

    /// What has happened that is worth a mark on the time line.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// What was done and is to be done, in order.
    pub fn acts(&self) -> &[Done] {
        &self.acts
    }

    /// The last [`History::run`] ended where a promise was broken that was not broken before.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// How often the run has come to a moment at which it had been, and how often it was another run then.
    pub fn repeated(&self) -> (u64, u64) {
        self.repeated
    }

    /// Does something now. What was to come is no more.
    pub fn act(&mut self, act: Act) -> Result<(), String> {
        perform(&mut self.world, &act)?;
        if self.recording {
            let (events, at) = self.place();
            self.acts.truncate(self.seen);
            self.keyframes.retain(|keyframe| keyframe.place() <= (events, at) && keyframe.seen <= self.seen);
            self.near.clear();
            self.acts.push(Done { events: Some(events), at, act });
            self.seen += 1;
            self.end = at;
            self.marks.cut(self.world.trace().latest());
        }
        self.arrive();
        Ok(())
    }

    /// Carries out events up to that moment, at most so many, and says how many. It stops where a promise is broken
    /// that was not broken before.
    pub fn run(&mut self, until: Instant, most: u64) -> u64 {
        let start = self.world.events();
        let broken = self.world.violations().len();
        self.stopped = false;
        while self.world.events() - start < most {
            if !self.advance(until) {
                self.pass_time(until);
                break;
            }
            self.stopped = is_news(self.world.violations(), broken);
            if self.stopped {
                break;
            }
        }
        self.arrive();
        self.world.events() - start
    }

    /// Goes on to just after the next event that can be seen.
    pub fn forward(&mut self) -> bool {
        let before = seen_in(&self.world);
        for _ in 0..MOST_QUIET {
            if !self.advance(Instant::NEVER) || seen_in(&self.world) != before {
                break;
            }
        }
        self.arrive();
        seen_in(&self.world) != before
    }

    /// Goes back to just after the event before the latest that can be seen.
    pub fn back(&mut self) -> bool {
        let latest = seen_in(&self.world);
        let here = self.world.events();
        let Some(from) = self.latest_where(|keyframe| seen_in(&keyframe.world) < latest) else { return false };
        self.restore(&from);
        self.near.clear();
        let apart = (here.saturating_sub(self.world.events()) / NEAR).max(MARKED_EVERY);
        let mut next = self.world.events() + apart;
        let mut before = seen_in(&self.world);
        while self.advance(Instant::NEVER) && seen_in(&self.world) < latest {
            before = seen_in(&self.world);
            if self.world.events() >= next && self.near.len() < NEAR as usize {
                let keyframe = Keyframe { world: self.world.lean(), seen: self.seen };
                self.near.push(Rc::new(keyframe));
                next += apart;
            }
        }
        self.seek_event(before);
        true
    }

    /// Goes to that moment, or to the end where it is later than that.
    pub fn seek(&mut self, at: Instant) {
        let at = at.min(self.end());
        let here = self.world.now() <= at;
        match self.latest_where(|keyframe| keyframe.world.now() <= at) {
            Some(from) if !here || from.place() > self.place() => self.restore(&from),
            _ if !here => return,
            _ => {}
        }
        self.go(|history| history.advance(at));
        self.pass_time(at);
        self.arrive();
    }

    /// Goes to just after what the event of that number came with.
    pub fn seek_event(&mut self, seq: u64) {
        let from =
            self.latest_where(|keyframe| seen_in(&keyframe.world) < seq).or_else(|| self.keyframes.first().cloned());
        let Some(from) = from else { return };
        if seen_in(&self.world) >= seq || from.place() > self.place() {
            self.restore(&from);
        }
        let end = self.end;
        self.go(|history| {
            seen_in(&history.world) < seq && history.world.now() <= end && history.advance(Instant::NEVER)
        });
        self.arrive();
    }

    /// The events up to that one that are wanted, in order, of the last `most` events of the run or more.
    pub fn gathered(&self, seq: u64, most: u64, wanted: impl Fn(&TraceEvent) -> bool) -> Vec<TraceEvent> {
        let mut history = self.clone();
        history.seek_event(seq);
        let from = history.world.events().saturating_sub(most);
        let mut read = 0;
        if let Some(keyframe) = history.latest_where(|keyframe| keyframe.world.events() <= from) {
            history.restore(&keyframe);
            read = seen_in(&history.world);
        } else if let Some(first) = history.keyframes.first().cloned() {
            history.restore(&first);
        }
        let mut gathered = Vec::new();
        loop {
            let trace = history.world.trace();
            gathered.extend(trace.since(read).filter(|event| event.seq <= seq && wanted(event)).cloned());
            read = trace.latest();
            if read >= seq || !history.advance(Instant::NEVER) {
                return gathered;
            }
        }
    }

    /// Goes to just before the act of that number, or where there is none, to the end.
    pub fn seek_act(&mut self, number: usize) {
        let Some(done) = self.acts.get(number) else { return self.seek(self.end()) };
        let (events, at) = (done.events, done.at);
        let Some(from) = self.latest_where(|keyframe| {
            keyframe.seen <= number
                && keyframe.world.now() <= at
                && events.is_none_or(|events| keyframe.world.events() <= events)
        }) else {
            return;
        };
        self.restore(&from);
        while (self.seen < number || !self.is_due()) && self.advance(at) {}
        self.arrive();
    }

    /// Does the next thing, an act or an event, unless it comes after that moment or is held. False when there was
    /// none.
    pub fn advance(&mut self, until: Instant) -> bool {
        if self.is_due() {
            let held = self.seen >= self.held;
            let Some(done) = self.acts.get(self.seen).filter(|done| !held && done.at <= until) else { return false };
            if self.world.now() < done.at && self.world.next_event().is_none_or(|next| next > done.at) {
                self.world.run_until(done.at, 1);
            }
            // It was carried out here before, or its line was read before, so it is carried out now.
            let _ = perform(&mut self.world, &done.act);
            self.seen += 1;
        } else if self.world.next_event().is_none_or(|next| next > until) || !self.world.step() {
            return false;
        }
        if self.world.events() >= self.look {
            self.pass();
        }
        true
    }

    /// Is it the next act's turn, before any event's?
    fn is_due(&self) -> bool {
        self.acts.get(self.seen).is_some_and(|done| match done.events {
            Some(events) => self.world.events() >= events,
            None => self.world.next_event().is_none_or(|next| next > done.at),
        })
    }

    /// Nothing comes up to that moment but time, or an act that is held.
    fn pass_time(&mut self, until: Instant) {
        let held = self.acts.get(self.seen).filter(|_| self.is_due());
        let until = held.map_or(until, |done| until.min(done.at));
        if self.world.next_event().is_none_or(|next| next > until) {
            self.world.run_until(until, 1);
        }
    }

    /// Goes on for as long as there is a way on; from one keyframe earlier where too little would be known of what has
    /// just happened.
    fn go(&mut self, mut on: impl FnMut(&mut History) -> bool) {
        while on(self) {}
        let known = self.world.trace().events().next().map_or(u64::MAX, |first| first.at.0);
        if self.world.trace().events().len() < LOGGED
            && let Some(from) = self.latest_where(|keyframe| keyframe.world.now().0 < known.min(self.world.now().0))
        {
            self.restore(&from);
            while on(self) {}
        }
    }

    fn place(&self) -> (u64, Instant) {
        (self.world.events(), self.world.now())
    }

    fn latest_where(&self, is: impl Fn(&Keyframe) -> bool) -> Option<Rc<Keyframe>> {
        let allowed = |keyframe: &Keyframe| keyframe.seen <= self.held && is(keyframe);
        let all = self.keyframes.iter().chain(&self.near).filter(|keyframe| allowed(keyframe));
        all.max_by_key(|keyframe| (keyframe.place(), keyframe.seen)).cloned()
    }

    fn restore(&mut self, keyframe: &Keyframe) {
        (self.world, self.seen) = (keyframe.world.clone(), keyframe.seen);
        self.look = self.world.events() + 1;
    }

    /// The world stands still: what there is to note is noted.
    fn arrive(&mut self) {
        self.end = self.end.max(self.world.now());
        if self.recording {
            self.pass();
        } else {
            self.marks.follow(&self.world);
        }
    }

    /// Keeps a clone where one is missing, and compares with the one that was kept here before.
    fn pass(&mut self) {
        self.marks.follow(&self.world);
        let events = self.world.events();
        let at = self.keyframes.partition_point(|keyframe| keyframe.world.events() < events);
        if let Some(known) =
            self.keyframes.get(at).filter(|known| known.world.events() == events && known.seen == self.seen)
        {
            let same = known.world.fingerprint() == self.world.fingerprint();
            self.repeated.0 += u64::from(same);
            self.repeated.1 += u64::from(!same);
        }
        let last = self.keyframes.last().map_or(0, |last| last.world.events());
        if events >= last + self.spacing {
            let keyframe = Keyframe { world: self.world.lean(), seen: self.seen };
            self.keyframes.push(Rc::new(keyframe));
            self.spacing = self.spacing.max(8 * held(&self.world) / ENTRIES_AN_EVENT);
            self.thin();
        }
        let next = self.keyframes.partition_point(|keyframe| keyframe.world.events() <= events);
        let kept = self.keyframes.get(next).map_or(last.max(events) + self.spacing, |next| next.world.events());
        self.look = kept.min(events + MARKED_EVERY);
    }

    /// Lets every other keyframe go when there are too many.
    fn thin(&mut self) {
        let memory = memory();
        if self.keyframes.len() <= MOST_KEYFRAMES && memory <= self.peak {
            return;
        }
        // What is let go is used again: memory grows past its peak only when that is not enough.
        self.peak = self.peak.max(memory);
        let mut index = 0;
        self.keyframes.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.spacing *= 2;
    }
}

impl Keyframe {
    fn place(&self) -> (u64, Instant) {
        (self.world.events(), self.world.now())
    }
}

/// Is a promise broken that was not among the first `known` violations?
fn is_news(violations: &[Violation], known: usize) -> bool {
    let (before, after) = violations.split_at(known.min(violations.len()));
    let is_new = |promise: Promise| before.iter().all(|violation| violation.promise != promise);
    after.iter().any(|violation| is_new(violation.promise))
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

/// The entries that all nodes hold together.
fn held(world: &World) -> u64 {
    let shards = world.machines().iter().filter_map(|machine| machine.node()).flat_map(|node| node.shards());
    shards.map(|shard| u64::from(shard.store().len())).sum()
}

/// The number of the latest event that a person can see: what is not in the trace is not worth a step.
fn seen_in(world: &World) -> u64 {
    world.trace().latest()
}

/// Bytes of the page's own memory, which never becomes smaller. Elsewhere only keyframes are counted.
fn memory() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) << 16;
    #[cfg(not(target_arch = "wasm32"))]
    0
}

#[cfg(test)]
mod tests;
